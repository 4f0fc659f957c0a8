"""The verb that lists what a scan found, at its own threshold or another, and keeps one of each group of copies."""

from assay.curation.errors import UserError
from assay.curation.text import check
from assay.pipelines.cli.output import done, open_bench, say, table

SHOWN = ["kind", "split", "label", "suggestion", "score", "source_id", "why"]


def issues(a):
    """what the scan found, one row a sample; --kind for one kind, --threshold for all that scores below it"""
    bench = open_bench(a)
    if a.keep_one:
        return keep_one(a, bench)
    rows = bench.issues(a.kind, a.version, a.threshold)
    copies = a.kind in ("near_duplicate", "exact_duplicates") and len(rows)
    then = (
        f"assay issues --kind {a.kind} --keep-one --who NAME"
        if copies
        else "assay queue -n 200 --csv queue.csv"
    )
    table(a, rows, SHOWN, f"{then} -b {bench.given}")


def keep_one(a, bench):
    """Drop all but the representative of each group of copies, as one batch."""
    import pandas as pd

    from assay.curation.features import neighbor_graph
    from assay.curation.issues.duplicates import representatives

    if (
        a.kind not in ("near_duplicate", "exact_duplicates")
        or a.version != "HEAD"
        or a.threshold is not None
    ):
        raise UserError(
            "expected copies of which one is to be kept, found another kind, version or threshold",
            "say --kind near_duplicate --keep-one, or --kind exact_duplicates --keep-one",
        )
    check(a.who, "who drops them")
    state = bench.state()
    graph, at = neighbor_graph.nodes(bench, state)
    stands = representatives(
        state, graph["groups"][at] if a.kind == "near_duplicate" else state.content_hash
    )
    rows = [
        (sample, "false", f"{a.kind}: {other} stands for it") for sample, other in stands.items()
    ]
    if not rows:
        say(a)(
            f"nothing to drop: no {a.kind} group holds more than one kept sample outside test and guard"
        )
        return done(a, dict(batch=None, dropped=0, groups=0), f"assay status -b {bench.given}")
    out = bench.edit(pd.DataFrame(rows, columns=["sample", "keep", "why"]), a.who)
    groups = len(set(stands.values()))
    say(a)(
        f"{out['batch']}: dropped {out['edits']:,} samples of {groups:,} groups of {a.kind}, and kept one of each, by {a.who}"
    )
    done(
        a,
        dict(batch=out["batch"], dropped=out["edits"], groups=groups),
        f"assay commit -m '...', or assay undo {out['batch']} -b {bench.given}",
    )


def add(verb):
    """Register the verb with the command line."""
    v = verb(issues, who=True, csv=True, version=True)
    v.add_argument(
        "--kind",
        help="label, leakage, outlier, near_duplicate, dark, blurry, class_imbalance, drift, ...",
    )
    v.add_argument(
        "--threshold",
        type=float,
        metavar="S",
        help="all that scores below S, from 0 to 1, whatever the scan's own threshold was",
    )
    v.add_argument(
        "--keep-one",
        action="store_true",
        help="drop all but one of each group of near_duplicate or exact_duplicates, as one batch",
    )
