"""The verbs that show where the data stand thick, thin or not at all: clusters, and gaps."""

from assay.curation.errors import UserError
from assay.curation.slicing import clusters as regions
from assay.curation.slicing import gaps as lacking
from assay.pipelines.cli.output import done, open_bench, records, say, shown

NONE = "no gaps: no class, cluster, metadata value or pair of these stands out at 5 % false discoveries; a small val shows large gaps alone"


def clusters(a):
    """the regions of the data at a level that people can name: sizes, labels, accuracy, suspicion, density"""
    bench = open_bench(a)
    if a.rename:
        out = regions.rename(bench, *a.rename, a.who, a.level)
        say(a)(
            f"{out['batch']}: {out['was']} is called {out['title']}; assay undo {out['batch']} -b {bench.given} takes it back"
        )
        return done(a, out, f"assay clusters --level {a.level} -b {bench.given}")
    rows = regions.table(bench, a.version, a.level)
    if a.sheet:
        from assay.pipelines.reports import contact_sheet

        say(a)(
            f"{contact_sheet.of_clusters(bench, rows, a.sheet, a.level)} shows the most typical images of each, and some at its edge"
        )
    if a.json:
        return done(a, records(rows))
    flat = rows.assign(
        labels=[
            ", ".join(f"{share:.0%} {label}" for label, share in list(labels.items())[:3])
            for labels in rows.labels
        ],
        accuracy=[
            f"{r.accuracy:.0%} [{r.low:.0%}, {r.high:.0%}] of {r.n}" if r.n else "no val"
            for r in rows.itertuples()
        ],
        flagged=[f"{x:.0%}" if x == x else "" for x in rows.flagged],
    )
    shown(
        flat,
        ["cluster", "train", "val", "pool", "test", "accuracy", "flagged", "distance", "labels"],
        most=None,
    )
    say(a)(
        f"{len(rows)} {a.level} clusters; accuracy: the probe on val; flagged: train and val labels that look wrong to it, no rate of errors"
    )
    done(
        a,
        None,
        f"assay clusters --rename '{rows.cluster[0]}' NAME --who {a.who} -b {bench.given}, or assay gaps -b {bench.given}",
    )


def gaps(a):
    """where the model fails for want of data, or is wrong more often than elsewhere, ranked by the validation errors it explains"""
    from assay.curation.text import defused, write_csv

    bench = open_bench(a)
    if a.n < 1:
        raise UserError(f"expected -n of 1 or more, found {a.n}", "for example -n 20")
    rows = lacking.find(bench, a.version, a.of_run)
    if a.csv:
        write_csv(defused(rows), a.csv)
        say(a)(f"{len(rows):,} rows in {a.csv}")
    if a.sheet:
        from assay.pipelines.reports import contact_sheet

        where = contact_sheet.of_gaps(bench, rows.head(a.n), a.sheet, a.version, a.of_run)
        say(a)(f"{where} shows what the model gets wrong in each, and what the pool has from there")
    if a.json:
        return done(a, records(rows))
    judge = f"run {a.of_run}" if a.of_run else "the probe"
    for i, r in enumerate(rows.head(a.n).itertuples(), 1):
        more = (
            f"explains {r.explains:.1f} errors [{r.explains_low:.1f}, {r.explains_high:.1f}]"
            if r.val
            else "no val sample lies there"
        )
        doubt = (
            f"; {r.flagged:.0%} of these val labels look wrong themselves"
            if r.val and r.flagged >= 0.005
            else ""
        )
        say(a)(f"{i:>3}  {r.gap}\n     {more}; {r.why}{doubt}\n     {r.action}")
    left = f", {a.n} shown" if len(rows) > a.n else ""
    about = (
        f"errors are those of {judge} on val by its labels as given, each counted in one gap alone"
    )
    say(a)(f"{len(rows):,} gap{'s' * (len(rows) != 1)}{left}; {about}" if len(rows) else NONE)
    done(a, None, next_of(bench, rows))


def next_of(bench, rows):
    if not len(rows):
        return f"assay queue -n 200 -b {bench.given}"
    return f"{rows.action[0]}; then keep it so: assay guard NAME --from-gap {quoted(rows.gap[0])} --who YOU -b {bench.given}"


def quoted(name):
    return f'"{name}"' if "'" in name else f"'{name}'"


def add(verb):
    """Register the verbs with the command line."""
    v = verb(clusters, who=True, version=True)
    v.add_argument(
        "--level",
        choices=regions.LEVELS,
        default="fine",
        help="fine (up to 72) or coarse (up to 18) (default: fine)",
    )
    v.add_argument(
        "--rename",
        nargs=2,
        metavar=("CLUSTER", "NAME"),
        help="call a cluster, known by its name or the beginning of it, NAME",
    )
    v.add_argument(
        "--sheet",
        metavar="FILE",
        help="contact sheets of all clusters, .html or .png; no test image is on them",
    )
    v = verb(gaps, csv=True, version=True)
    v.add_argument(
        "--run",
        dest="of_run",
        metavar="RUN",
        help="errors of a finished run instead of the probe: its key or the beginning of it",
    )
    v.add_argument("-n", type=int, default=20, help="gaps to show (default: %(default)s)")
    v.add_argument(
        "--sheet", metavar="FILE.html", help="their val errors and pool samples as pictures"
    )
