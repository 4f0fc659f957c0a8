"""The verb that puts a split's labels to a blind test: it hands out a sheet, and reads it back."""

from assay.curation.errors import UserError
from assay.curation.review import audit as audits
from assay.curation.review.audit import noise_words
from assay.curation.statistics import wording
from assay.curation.versioning import edits
from assay.pipelines.cli.output import done, open_bench, say


def audit(a):
    """the labels of n random test samples, judged blind: without FILE a worksheet is made, with FILE the filled one is read"""
    bench = open_bench(a)
    if a.file is None:
        return begin(a, bench)
    if (a.split, a.n, a.repeats, a.output) != (None,) * 4:
        raise UserError(
            "expected FILE alone, found options that draw a new sheet",
            "the sheet knows its own split, n and repeats",
        )
    out = audits.apply(bench, edits.read_decisions(a.file), a.who)
    tell, twice = say(a), out["repeats"]
    tell(
        f"{out['batch']}: {out['audited']:,} {out['split']} labels audited by {a.who}, {out['wrong']:,} wrong, {out['unsure']:,} unsure"
    )
    if twice:
        tell(f"repeats  the same answer {wording.rate(out['repeats_agree'], twice)}")
    tell(f"noise    {noise_words(out['noise'], out['split'])}")
    if out["before"]:
        tell(
            f"version  {out['before']}: what was open before, so that the audit's version holds the audit alone"
        )
    tell(
        f"version  {out['version']}; assay undo {out['batch']} -b {bench.given} takes the audit back"
    )
    done(
        a,
        out,
        f"assay report -b {bench.given} judges by it: no run is trained again"
        if out["split"] == "test"
        else f"assay queue -b {bench.given}",
    )


def begin(a, bench):
    out = audits.start(
        bench, a.who, a.split or "test", 200 if a.n is None else a.n, a.repeats, a.output
    )
    shown = (
        f"{out['rows']:,} rows, {out['repeats']:,} of them shown twice"
        if out["repeats"]
        else f"{out['rows']:,} rows"
    )
    say(a)(
        f"audit {out['audit']}: {out['n']:,} of {out['of']:,} {out['split']} labels in {out['folder']} ({shown}; {out['left']:,} left)"
    )
    say(a)(f"classes  {', '.join(out['classes'])[:300]}")
    fill = "look at each image, fill in label (or verdict: unsure) in every row of worksheet.csv"
    done(
        a,
        out,
        f"{fill}, then: assay audit {out['folder']}/worksheet.csv --who {a.who} -b {bench.given}",
    )


def add(verb):
    """Register the verb with the command line."""
    v = verb(audit, who=True)
    v.add_argument("file", nargs="?", metavar="FILE", help="a filled worksheet.csv")
    v.add_argument(
        "--split", choices=audits.SPLITS, help="what a new sheet is drawn from (default: test)"
    )
    v.add_argument("-n", type=int, help="samples of a new sheet (default: 200)")
    v.add_argument(
        "--repeats",
        type=int,
        help="samples shown twice, to measure the reviewer (default: a tenth, at least 5)",
    )
    v.add_argument(
        "-o", "--output", metavar="FOLDER", help="where a new sheet goes (default: audit-ID)"
    )
