"""`assay status`, `queue` and `edit`."""

from assay.curation.review.audit import noise_words
from assay.pipelines.cli.output import cell, done, open_bench, say, table


def status(a):
    """what is in the bench, what is flagged, what to do next"""
    from assay.curation.review.rates import random_rate

    out, tell = open_bench(a).status(a.version), say(a)
    tell(f"bench    {out['bench']}")
    tell(
        f"samples  {out['samples']:,} kept, {out['dropped']:,} out: "
        + ", ".join(f"{n:,} {s}" for s, n in out["splits"].items())
    )
    tell(
        f"classes  {'without test: ' * bool(out['test'])}"
        + ", ".join(f"{cell(c)} {n:,}" for c, n in list(out["classes"].items())[:12])
        + (" ..." if len(out["classes"]) > 12 else "")
    )
    if out["test"]:
        declared, by_audit = (
            ["declared audited"] * out["test"]["audited"],
            out["audit"]["n"] and f"audited: {noise_words(out['audit'], 'test')}",
        )
        tell(
            f"test     {out['test']['n']:,} samples, frozen; labels {', '.join([*declared, *filter(None, [by_audit])]) or 'unaudited'}"
        )
    if out["left_out"]:
        tell(
            f"left out {len(out['left_out']):,} rows at import, first {cell(out['left_out'][0]['key'])}: {cell(out['left_out'][0]['reason'])}"
        )
    if out["issues"] is not None:
        tell("issues   " + (", ".join(f"{n:,} {k}" for k, n in out["issues"].items()) or "none"))
    review = out["review"]
    tell(
        f"reviewed {review['reviewed']:,}, of which {review['wrong']:,} were wrong, {review['unsure']:,} unsure"
    )
    tell(f"random   {random_rate(review)} (wrong in the random stratum)" + left_words(review))
    for row in sorted(out["classes_reviewed"], key=lambda row: -row["looks"])[:12]:
        tell(f"  {cell(row['class'])}: {class_words(row)}")
    if out["network"] and out["network"]["changed"] + out["network"]["new"]:
        tell(f"network  {age_words(out['network'])}; assay scan asks it anew")
    tell(
        f"version  {out['version'] or 'none yet'}, {out['open_edits']:,} edits since; {out['runs']:,} runs"
    )
    if "advice" in out:
        tell(f"advice   {out['advice']['do']}: {out['advice']['why']}")
    done(a, out, out["next"])


def class_words(row):
    """What the random looks at one class say; row: as queue.by_class."""
    from assay.curation.statistics.wording import rate

    flags = (
        f"flags right {rate(row['flagged_hits'], row['flagged'])}"
        if row["flagged"]
        else "none flagged"
    )
    clean = (
        f"; clean ones flagged {rate(row['clean_flagged'], row['clean'])}" if row["clean"] else ""
    )
    return f"wrong {rate(row['hits'], row['looks'])}; {flags}{clean}"


def age_words(network):
    """How old the second opinion is; network: as standing.second_age."""
    edits = network["changed"] + network["new"]
    return f"its second opinion is {edits:,} edits old: it was trained on {network['trained']:,} labels"


def left_words(review):
    from assay.curation.review.rates import left_words as words

    if review["errors_left"] is None:
        return "; errors left: not yet known, 30 random looks are the least"
    return f"; errors left among {left_among(review):,} labels {'nobody reviewed' if not review['unsure'] else 'nobody is sure of'}: {words(review)}"


def left_among(review):
    """How many labels may still be wrong unseen: those that nobody reviewed, or was unsure of."""
    return review["population"] - review["reviewed"] + review["unsure"]


def queue(a):
    """what to look at next, worst first, with a random stratum mixed in"""
    bench = open_bench(a)
    rows = bench.queue(a.n, a.random, a.version, a.again, a.who)
    if a.csv:
        rows = rows.assign(label="", verdict="", keep="", why="")  # to be filled in
        then = f"fill in label (or verdict: confirm, unsure; keep: false), then: assay edit {a.csv} --who {a.who} -b {bench.given}"
    else:
        then = f"assay queue -n {a.n} --csv queue.csv -b {bench.given} writes a table to fill in"
    table(
        a,
        rows,
        ["given_label", "suggested_label", "score", "random", "source_id", "reason"],
        then,
    )


def edit(a):
    """apply decisions from a CSV as one batch: sample,label|keep|split|tag|verdict[,why]"""
    from assay.curation.versioning.edits import placed, read_decisions

    bench, rows = open_bench(a), read_decisions(a.file)
    out = bench.edit(
        placed(rows, bench.state()["split"], a.to) if a.to else rows, a.who, a.why, a.new_class
    )
    if out["batch"] is None:
        say(a)("no row decides anything: the bench stays as it was")
        return done(a, out, "fill in the columns label, keep, split, tag or verdict")
    say(a)(
        f"{out['batch']}: {out['edits']:,} edits on {out['samples']:,} samples by {a.who}"
        f" ({out['confirmed']:,} confirmations, {out['unsure']:,} unsure); {scored(out)}"
    )
    if out["restated"]:
        say(a)(
            f"note: {out['restated']:,} confirm the label on their sheet, which somebody had changed since: it stands again"
        )
    done(
        a,
        out,
        f"assay queue -n 200 --csv queue.csv -b {bench.given}, or assay commit -m '...' -b {bench.given}",
    )


def scored(out):
    if isinstance(out["rescored"], str):
        return f"the queue could not be re-scored: {out['rescored']}"
    return "the queue is re-scored" if out["rescored"] else "no scan yet, so no queue to re-score"
