"""The verbs that look for more: samples like these, samples worth a label, samples on which two models differ, samples that come new."""

from assay.curation.errors import UserError
from assay.curation.selection import active_learning, similarity, triggers
from assay.pipelines.cli.output import done, open_bench, progress, say, table

PICTURES = 200  # on a sheet


def similar(a):
    """the samples of the pool (or train, val) that look most like SAMPLE..., or like a gap's"""
    bench = open_bench(a)
    with progress("comparing"):
        found = similarity.similar(bench, seeds(bench, a), a.in_, a.copies).head(most(a.n))
    if a.sheet:
        text = [
            f"{s:.2f} alike, {d:.2f} from {n}"
            for s, d, n in zip(found.score, found.distance, found.nearest_source_id)
        ]
        sheet(a, bench, found, f"Of {a.in_} most like {a.gap or ', '.join(a.samples)}", text)
    table(
        a,
        to_fill(a, found),
        ["rank", "source_id", "label", "score", "distance", "nearest_source_id", "nearest"],
        then(a, bench, f"assay similar ... --in {a.in_}"),
    )


def seeds(bench, a):
    """What a person points at: samples, or the region of a gap."""
    if bool(a.samples) == bool(a.gap):
        raise UserError(
            "expected samples, or --gap NAME, found " + ("both" if a.gap else "neither"),
            "as in: assay similar d0017",
        )
    return members(bench, a.gap) if a.gap else a.samples


def suggest(a):
    """what to label next in the pool: where the model is unsure, train is thin and val is not, no two alike"""
    bench = open_bench(a)
    with progress("choosing"):
        found = active_learning.suggest(bench, most(a.n))
    if a.sheet:
        sheet(a, bench, found, "What to label next", found.reason)
    columns = ["rank", "source_id", "suggested_label", "score", "reason"]
    table(a, to_fill(a, found), columns, then(a, bench, f"assay suggest -n {a.n}"))


def shadow(a):
    """where a candidate (second) and the current model (first) disagree on the pool, beyond what chance in training explains"""
    from assay.pipelines.experiments.predictions import compared

    bench = open_bench(a)
    with progress("predicting"):
        found, about = compared(bench, a.first, a.second, a.in_, a.predict, say(a))
    tell, control = say(a), about["control"]
    noise = (
        f"two seeds of one recipe on {control:.1%}"
        if control == control
        else "one seed each: how much of it is chance is not known"
    )
    tell(
        f"they name different classes for {about['share']:.1%} of {about['n']:,} {a.in_} samples; {noise}"
    )
    if about["noise"]:
        tell(
            f"{about['noise']:,} of {about['differ']:,} samples where the recipes differ are within what seeds differ by, and left out"
        )
    if about["unseen"]:
        tell(
            f"{about['unseen']:,} samples are not judged by all of these runs: assay shadow {a.first} {a.second} --predict trains them once more for that"
        )
    state = bench.state()
    found = found.head(most(a.n)).rename(columns=dict(candidate="suggested_label"))
    found.insert(0, "rank", range(1, len(found) + 1))
    found["source_id"], found["path"] = (
        state[c].reindex(found["sample"]).to_numpy(object) for c in ("key", "uri")
    )
    words = zip(
        found.current,
        found.p_current,
        found.suggested_label,
        found.p_candidate,
        found.between,
        found.within,
    )
    found["reason"] = [
        f"{x} {p:.0%} now, {y} {q:.0%} candidate; {b:.2f} apart" + f", seeds {w:.2f}" * (w == w)
        for x, p, y, q, b, w in words
    ]
    found = found[
        ["rank", "sample", "source_id", "path", "current", "suggested_label", "score", "reason"]
    ]
    table(
        a,
        to_fill(a, found),
        ["rank", "source_id", "current", "suggested_label", "score", "reason"],
        then(a, bench, "assay shadow ..."),
    )


def trigger(a):
    """a saved question that every import is asked: add, list, run, remove; scan runs them all"""
    bench, tell = open_bench(a), say(a)
    if a.action in ("add", "remove") and not a.name:
        raise UserError(
            f"expected a name for the trigger to {a.action}, found none",
            f"as in: assay trigger {a.action} night ...",
        )
    if a.action == "add":
        kind, parts = question(bench, a)
        out = triggers.add(bench, a.name, kind, a.who, **parts)
        control = (
            f"; of {out['older']:,} samples that are there it would catch {out['base']:.1%}"
            if out["base"] is not None
            else ""
        )
        tell(f"{a.name}: {out['said']}{control}")
        return done(
            a,
            out,
            f"assay import SOURCE -b {bench.given}, then assay scan, which runs it (assay trigger run: at once)",
        )
    if a.action == "remove":
        triggers.remove(bench, a.name, a.who)
        tell(f"{a.name}: removed; what it caught keeps the tag {triggers.PREFIX}{a.name}")
        return done(a, dict(removed=a.name), f"assay trigger list -b {bench.given}")
    if a.name:
        triggers.known(bench, a.name)
    if a.action == "run":
        from assay.pipelines.indexing.triggers import tripped

        out, lines = tripped(bench, a.who, a.name)
        for line in lines or ["no triggers"]:
            tell(line)
        return done(a, out, f"assay trigger list NAME --csv new.csv -b {bench.given}")
    listed(a, bench, triggers.standing(bench))


def question(bench, a):
    """(kind, its parts) of the one question that the options ask."""
    from assay.curation.predictions.runs import choose

    asked = dict(
        similar=a.similar and dict(samples=a.similar),
        gap=a.gap and dict(gap=a.gap),
        confidence=a.confidence_below is not None and dict(below=a.confidence_below),
        disagreement=a.disagreement and dict(runs=a.disagreement),
        query=a.query and dict(query=a.query),
    )
    kinds = [kind for kind, parts in asked.items() if parts]
    if len(kinds) != 1:
        raise UserError(
            f"expected one question, found {len(kinds)}",
            "say --similar SAMPLE..., --gap, --confidence-below, --disagreement A B or --query",
        )
    kind, parts = kinds[0], asked[kinds[0]]
    for name in parts.get("runs", ()):
        choose(bench, name)  # one that is not there is refused now
    return (
        ("similar", parts | dict(samples=members(bench, a.gap))) if kind == "gap" else (kind, parts)
    )


def members(bench, gap):
    """What a search for more of a gap starts from: samples of its region, not those of the pool that are looked for."""
    from assay.curation.slicing import gaps

    return list(gaps.seeds(bench, gap))


def listed(a, bench, there):
    """All triggers, or what the one that is named caught."""
    import pandas as pd

    if a.name:
        state = bench.state()
        found = state.loc[[s for s in there[a.name]["caught"] if state.keep[s]]].reset_index(
            names="sample"
        )
        found = found.rename(columns=dict(key="source_id", uri="path")).assign(
            reason=there[a.name]["said"]
        )
        return table(
            a,
            to_fill(a, found),
            ["source_id", "split", "label", "reason"],
            then(a, bench, f"assay trigger list {a.name}"),
        )
    rows = [(name, t["kind"], t["said"], len(t["caught"]), t["since"]) for name, t in there.items()]
    found = pd.DataFrame(rows, columns=["name", "kind", "question", "caught", "since"])
    table(
        a,
        found,
        ["name", "question", "caught"],
        f"assay trigger list NAME --csv new.csv -b {bench.given}, or assay trigger add NAME ...",
    )


def sheet(a, bench, found, title, text):
    """Pictures of the first rows on a page of their own, with `text` (n,) under each."""
    from html import escape
    from pathlib import Path

    from assay.pipelines.reports.html import stylesheet
    from assay.pipelines.reports.image_sections import figures
    from assay.pipelines.reports.image_sections import sheet as pictured

    rows = found.head(PICTURES).assign(
        key=found.source_id, uri=found.path, was="", now="", text=text
    )
    body = "".join(figures(pictured(rows[i : i + 24], bench), "") for i in range(0, len(rows), 24))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)} - Assay</title><style>{stylesheet()}</style>'
    try:
        Path(a.sheet).write_text(
            f'{head}<main class="main"><h1>{escape(title)}</h1>{body}</main></html>', "utf-8"
        )
    except OSError as e:
        raise UserError(
            f"expected to write {a.sheet}, found: {e.strerror}",
            "make the folder, or choose another file",
        ) from None
    say(a)(f"{len(rows):,} pictures in {a.sheet}")


def to_fill(a, found):
    """With --csv, the columns that `assay edit` takes, empty: a suggestion is no decision until a person writes it into `label`."""
    if not a.csv:
        return found
    told = {
        c: found[c]
        for c in ("rank", "sample", "source_id", "path", "suggested_label", "score", "reason")
        if c in found
    }
    return found.iloc[:, :0].assign(**told, label="", keep="", why="")


def then(a, bench, verb):
    """What comes next: a table to fill in, or what to do with one that is."""
    if a.csv:
        return f"fill in label, then: assay edit {a.csv} --to train --who {who()} -b {bench.given} (labelled rows move to train), and assay commit"
    return f"{verb} --csv new.csv -b {bench.given} writes a table to fill in"


def who():
    import getpass

    return getpass.getuser()


def most(n):
    if n < 1:
        raise UserError(f"expected at least one sample, found -n {n}", "for example: -n 100")
    return n


def add(verb):
    """Register the verbs with the command line."""
    v = verb(similar, csv=True)
    v.add_argument("samples", nargs="*", metavar="SAMPLE", help="ids or keys")
    v.add_argument(
        "--gap", metavar="NAME", help="like the samples of a gap's region (assay gaps lists them)"
    )
    v.add_argument(
        "--in",
        dest="in_",
        choices=similarity.MINED,
        default="pool",
        help="where to look (default: pool)",
    )
    v.add_argument(
        "--copies", action="store_true", help="near duplicates too, of them and of each other"
    )
    counted(v, 100)
    v.add_argument(
        "--sheet", metavar="FILE.html", help=f"a page with the first {PICTURES} pictures"
    )
    v = verb(suggest, csv=True)
    counted(v, 100)
    v.add_argument(
        "--sheet", metavar="FILE.html", help=f"a page with the first {PICTURES} pictures"
    )
    v = verb(shadow, csv=True)
    v.add_argument(
        "first",
        metavar="RUN",
        help="the current model: a run's key or its beginning, or VERSION/ARCHITECTURE for all its seeds",
    )
    v.add_argument("second", metavar="RUN", help="the candidate")
    v.add_argument(
        "--in",
        dest="in_",
        choices=("pool", "val"),
        default="pool",
        help="where to look (default: pool)",
    )
    v.add_argument(
        "--predict",
        action="store_true",
        help="train networks once more for samples that they have not predicted",
    )
    counted(v, 100)
    v = verb(trigger, who=True, csv=True)
    v.add_argument("action", choices=("add", "list", "run", "remove"))
    v.add_argument("name", nargs="?", metavar="NAME")
    v.add_argument("--similar", nargs="+", metavar="SAMPLE", help="catch what looks like these")
    v.add_argument(
        "--gap",
        metavar="NAME",
        help="catch what looks like the samples of a gap's region, as it is now",
    )
    v.add_argument(
        "--confidence-below",
        type=float,
        metavar="P",
        help="catch what the model gives no class so much",
    )
    v.add_argument(
        "--disagreement",
        nargs=2,
        metavar="RUN",
        help="catch what two models take for different classes (see assay shadow)",
    )
    v.add_argument("--query", metavar="SQL", help="catch what a SELECT of sample ids returns")


def counted(v, n):
    v.add_argument("-n", type=int, default=n, help="samples (default: %(default)s)")
