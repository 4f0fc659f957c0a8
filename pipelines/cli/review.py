"""The verbs status, queue and edit."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.media.row_cells import describe_kinds
from assay.curation.system.collector import keep_loaded
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    draw_table,
    format_cell,
    line_printer,
    name_reviewer,
    open_bench,
    print_line,
    print_result,
    save_table,
    to_json_rows,
)
from assay.pipelines.cli.samples import print_notes
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ["given_label", "suggested_label", "score", "random", "source_id", "reason"]
QUEUE_WORDS = dict(
    disagreements="on which people disagree",
    suspicious="that look most wrong",
    random="drawn at random",
    again="that others have decided",
    of_class="of the class that is asked for",
    filtered="that the condition found, worst first",
    influential="of train that made the model's mistakes, the strongest first",
)


def show_status(args: argparse.Namespace) -> None:
    """Show what the bench holds, what is flagged, what comes next.

    --stop-below says from now on when reviews gain too little to go on.
    """
    bench = open_bench(args)
    if args.stop_below is not None:
        bench.set_stop(args.stop_below / 100 or None, args.who)
    with keep_loaded():
        from assay.curation.review.label_noise import describe_noise
        from assay.curation.review.next_hundred import NextHundred
        from assay.curation.review.progress import describe_random_rate, describe_waiting

        out, tell = bench.status(args.version), line_printer(args)
    tell(f"bench    {out['bench']}")
    if out["arrays"]:
        tell(f"arrays   in {out['arrays']}, fetched from there where they are missing here")
    tell(
        f"samples  {out['samples']:,} kept, {out['dropped']:,} out: "
        + ", ".join(f"{n:,} {s}" for s, n in out["splits"].items())
    )
    tell(
        f"classes  {'without test: ' * bool(out['test'])}"
        + ", ".join(f"{format_cell(c)} {n:,}" for c, n in list(out["classes"].items())[:12])
        + (" ..." if len(out["classes"]) > 12 else "")
    )
    if only := out["classes_only_in_test"]:
        some = ", ".join(format_cell(c) for c in only[:12])
        merge = f"assay classes rename {shlex.quote(only[0])} NAME -b {bench.given}"
        tell(f"note     only test has {some}: if another class is meant, {merge}")
    if out["test"]:
        labels = ["declared audited"] * out["test"]["audited"]
        if out["audit"]["n"]:
            labels.append(f"audited: {describe_noise(out['audit'], 'test')}")
        audited = ", ".join(labels) or "unaudited"
        tell(f"test     {format_count(out['test']['n'], 'sample')}, frozen; labels {audited}")
    if out["left_out"]:
        key, reason = (format_cell(out["left_out"][0][k]) for k in ("key", "reason"))
        tell(
            f"left out {format_count(len(out['left_out']), 'row')} at import, first {key}: {reason}"
        )
    for source in out["sources"]:
        if source["unread"]:
            files = ", ".join(
                f"{u['count']:,} {u['ending'] or 'without ending'}" for u in source["unread"]
            )
            tell(f"not read {files} in {source['name']}")
    if out["columns"]:
        tell(f"columns  {describe_kinds(out['columns'])}")
    if out["issues"] is not None:
        tell("issues   " + (", ".join(f"{n:,} {k}" for k, n in out["issues"].items()) or "none"))
    if out["weak_model"]:
        tell(f"note     {out['weak_model']}")
    review = out["review"]
    tell(
        f"reviewed {review['reviewed']:,}, of which {review['wrong']:,} were wrong, {review['unsure']:,} unsure"
    )
    tell(
        f"random   {describe_random_rate(review)} (wrong in the random stratum)"
        + describe_left(review)
    )
    if out["flags_words"]:
        tell(f"flags    {out['flags_words']}")
    if coming := out["next_labels"]:
        tell(f"expect   {NextHundred(**coming).describe()} in the queue to be wrong")
    for line in describe_outlook(out["outlook"]):
        tell(line)
    if waiting := describe_waiting(review, out["waiting_at_random"]):
        tell(f"note     {waiting}")
    for row in sorted(out["classes_reviewed"], key=lambda row: -row["sure_at_random"])[:12]:
        tell(f"  {format_cell(row['class'])}: {describe_class(row)}")
    if out["network"] and out["network"]["changed"] + out["network"]["new"]:
        tell(f"network  {describe_age(out['network'])}; assay scan asks it anew")
    tell(
        f"version  {out['version'] or 'none yet'}, {format_count(out['open_edits'], 'edit')} since; "
        + format_count(out["runs"], "run")
    )
    if "advice" in out:
        tell(f"advice   {out['advice']['do']}: {out['advice']['why']}")
    print_result(args, out, out["next"])


def describe_outlook(outlook: dict | None) -> Iterator[str]:
    """Describe what the next reviews gain, and whether to stop; outlook: as Outlook.to_json."""
    if not outlook:
        return
    if outlook["gain"]:
        yield f"gain     the next {outlook['gain']['labels']}: {outlook['gain_words']}"
    if outlook["stop_words"]:
        yield f"stop     {outlook['stop_words']}"


def describe_class(row: dict) -> str:
    """Describe what the random reviews of one class say.

    row: as progress.summarize_classes.
    """
    from assay.curation.statistics.wording import format_rate

    flags, clean = "none flagged", ""
    if row["flagged"]:
        flags = f"flags right {format_rate(row['flagged_hits'], row['flagged'])}"
    if row["clean"]:
        clean = f"; clean ones flagged {format_rate(row['clean_flagged'], row['clean'])}"
    return f"wrong {format_rate(row['hits'], row['sure_at_random'])}; {flags}{clean}"


def describe_age(network: dict) -> str:
    """Describe how old the second opinion is; network: as judges.second_opinion_age."""
    edits, trained = network["changed"] + network["new"], network["trained"]
    age = f"its second opinion is {format_count(edits, 'edit')} old"
    return f"{age}: it was trained on {format_count(trained, 'label')}"


def describe_left(review: dict) -> str:
    """Describe the errors that are left, as the end of a line."""
    from assay.curation.review.progress import describe_errors_left

    if review["errors_left"] is None:
        return "; errors left: not yet known, review 30 samples at random for that"
    among = "nobody is sure of" if review["unsure"] else "nobody reviewed"
    n = count_unreviewed(review)
    return f"; errors left among {format_count(n, 'label')} {among}: {describe_errors_left(review)}"


def count_unreviewed(review: dict) -> int:
    """Count the labels that nobody reviewed, or was sure of."""
    return review["population"] - review["reviewed"] + review["unsure"]


def show_queue(args: argparse.Namespace) -> None:
    """List what to review next, worst first, beside a random sample."""
    from assay.curation.review import queue
    from assay.curation.versioning.pointers import find_position

    bench = open_bench(args)
    upto = find_position(bench, "HEAD")  # before: what is decided meanwhile is newer
    if args.class_ is not None:
        from assay.curation.review.splitting import queue_class

        rows = queue_class(bench, args.class_).head(args.n)
        rows.attrs["made_of"] = dict.fromkeys(QUEUE_WORDS, 0) | dict(of_class=len(rows))
    else:
        asked = args.random, args.version, args.again, args.who, args.opinion, args.where
        rows = bench.queue(args.n, *asked, args.mistakes)
    print_notes(args, rows.attrs.get("notes", []))
    rows = queue.add_cells(bench, rows, upto)
    if args.csv:
        fill = "fill in label (or verdict: confirm, unsure; keep: false)"
        then = f"{fill}, then: assay edit {args.csv} --who {name_reviewer(args)} -b {bench.given}"
    else:
        which = f" --mistake {shlex.join(args.mistakes)}" if args.mistakes else ""
        command = f"assay queue{which} -n {args.n} --html sheet.html -b {bench.given}"
        then = f"{command} writes a page to decide from"
    if args.html:
        then = write_sheet(args, bench, rows)
    if args.json or args.csv:
        save_table(args, rows)
    elif not args.html:
        names = dict(source_id="text") if "text" in rows else {}
        draw_table(rows, [names.get(column, column) for column in SHOWN])
    print_line(args, describe_queue(rows))
    more = {name: rows.attrs[name] for name in ("left_out", "waiting") if name in rows.attrs}
    if more:
        print_line(args, describe_filter(**more))
    out = dict(made_of=rows.attrs["made_of"], rows=to_json_rows(rows)) | more
    print_result(args, out if args.json else None, then)


def describe_filter(left_out: dict[str, int], waiting: int) -> str:
    """Describe what a condition found beside what is queued."""
    words = dict(
        reviewed="reviewed already",
        dropped="dropped or held out",
        locked="of test or guard",
        reserved="kept for the random share of a queue without --where",
    )
    parts = [f"{left_out[name]:,} {text}" for name, text in words.items() if left_out[name]]
    if waiting:
        parts.append(f"{waiting:,} more that -n has no room for")
    found = f"; it also found {', '.join(parts)}" if parts else ""
    return f"nothing of it counts as drawn at random{found}"


def describe_queue(rows: pd.DataFrame) -> str:
    """Describe how a queue is made up; rows: as build_queue makes them.

    What looks wrong and was drawn at random, too, counts as both, so that -n 50 says 50.
    """
    made_of = rows.attrs["made_of"]
    if not len(rows):
        return "0 to review: nothing is left that nobody reviewed"
    both = int((rows["rank"].notna() & (rows.reason != "") & rows.random).sum())
    counts = made_of | dict(suspicious=made_of.get("suspicious", 0) + both)
    parts = [f"{n:,} {QUEUE_WORDS[kind]}" for kind, n in counts.items() if n]
    if both:
        parts.append(f"{both:,} of them both")
    flagged = rows.attrs.get("flagged")
    # the others come next by their score
    some = flagged is not None and flagged < counts["suspicious"]
    flags = f"; {flagged:,} are flagged" if some else ""
    return f"{len(rows):,} to review: {', '.join(parts)}{flags}"


def write_sheet(args: argparse.Namespace, bench: Bench, rows: pd.DataFrame) -> str:
    """Write the queue as a page; return what to do with it."""
    from assay.pipelines.reports.decision_sheet import write_decision_sheet

    edit = (
        f"assay edit decisions.csv --who {name_reviewer(args)} -b {shlex.quote(str(bench.given))}"
    )
    write_decision_sheet(bench, rows, args.html, edit)
    print_line(args, f"{format_count(len(rows), 'sample')} to decide about in {args.html}")
    return f"open {args.html} in a browser, decide, save, then: {edit}"


def apply_edits(args: argparse.Namespace) -> None:
    """Apply the decisions in a CSV as one batch.

    assay queue --csv writes one to fill in, the page of assay queue --html saves one.
    Its columns: sample, and any of label, keep, split, tag, verdict and why.
    """
    bench = open_bench(args)
    overwrite = {"yes": True, "no": False}.get(args.overwrite)
    out = bench.edit(args.file, args.who, args.why, args.new_class, to=args.to, overwrite=overwrite)
    for line in (*describe_columns(out), *describe_sheet(out, args.overwrite)):
        print_line(args, line)
    if out["batch"] is None:
        if not (out["already"] or out["newer"] or out["reasons_left_out"]):
            print_line(args, "no row decides anything: the bench stays as it was")
            return print_result(args, out, "fill in the columns label, keep, split, tag or verdict")
        print_line(args, "nothing is new: the bench stays as it was")
        return print_result(args, out, f"assay queue -n 200 --csv queue.csv -b {bench.given}")
    print_line(
        args,
        f"{out['batch']}: {format_count(out['edits'], 'edit')}"
        f" on {format_count(out['samples'], 'sample')} by {args.who}"
        f" ({format_count(out['confirmed'], 'confirmation')}, {out['unsure']:,} unsure); {describe_rescore(out)}",
    )
    if out["restated"]:
        print_line(
            args,
            f"note: {out['restated']:,} confirm the label on their sheet, "
            "which somebody had changed since: it stands again",
        )
    for name, near in out["new_classes"].items():
        like = f"; there is {', '.join(map(repr, near))}: was that meant?" if near else ""
        print_line(args, f"note: {name!r} is a new class{like}")
    for name in sorted({*args.new_class} - {*out["new_classes"]}):
        print_line(args, f"note: --new-class {name!r}: no label was new by that name")
    for old, new in out["read_as"].items():
        print_line(args, f"note: {old} was renamed: it is read as {new}")
    commit = f"assay commit -m '...' -b {bench.given}"
    print_result(args, out, f"assay queue -n 200 --csv queue.csv -b {bench.given}, or {commit}")


def describe_columns(out: dict) -> list[str]:
    """Describe the columns of a sheet that were not read.

    out: as bench.edit returns it.
    """
    unread = out["unread_columns"]
    if not unread:
        return []
    names = ", ".join(name[:40] for name in unread[:5])
    more = f" and {len(unread) - 5:,} more" if len(unread) > 5 else ""
    return [f"note: {format_count(len(unread), 'column')} not read: {names}{more}"]


def describe_sheet(out: dict, overwrite: str | None) -> Iterator[str]:
    """Describe what of a sheet was not stored, or changed newer decisions.

    out: as bench.edit returns it.
    """
    if out["already"]:
        were = "1 was" if out["already"] == 1 else f"{out['already']:,} were"
        yield f"{were} already so: nothing new is stored of that"
    if out["reasons_left_out"]:
        were = format_count(out["reasons_left_out"], "reason", "was", "were")
        yield f"note: {were} not stored, since nothing new was decided beside them"
    if out["own_newer"]:
        of = format_count(out["own_newer"], "sample")
        yield f"note: {of} that you decided after the sheet was written: the sheet's decision stands"
    if out["newer"]:
        done = "overwritten" if overwrite == "yes" else "left as they are"
        since = "decided by others since the sheet was written"
        yield f"{format_count(out['newer'], 'sample')} {since}: {done}"


def describe_rescore(out: dict) -> str:
    """Describe whether edits re-scored the queue; `out`: as bench.edit returns it."""
    if isinstance(out["rescored"], str):
        return f"the queue could not be re-scored: {out['rescored']}"
    return "the queue is re-scored" if out["rescored"] else "no scan yet, so no queue to re-score"


def add(verbs: Verbs) -> None:
    """Add the verbs status, queue and edit."""
    verb = verbs.add("status", show_status, who=True, version=True)
    verb.add_argument(
        "--stop-below",
        type=float,
        metavar="POINTS",
        help="from now on say when the next 100 reviews gain less than this, 95 %% sure: points of "
        "the probability that the model gives to val labels (0.2 is 0.002; 0: no limit)",
    )
    verb = verbs.add("queue", show_queue, who=True, csv=True, version=True)
    verb.add_argument(
        "-n",
        type=int,
        default=200,
        help="so many of the labels that look most wrong (default: %(default)s)",
    )
    verb.add_argument(
        "--random",
        type=float,
        metavar="SHARE",
        help="share of uniformly drawn samples beside them "
        "(default: 0.15 of all reviews until 30 were drawn so, then 0.05)",
    )
    verb.add_argument(
        "--again",
        type=float,
        metavar="SHARE",
        default=0.0,
        help="share of samples that others have decided and you have not (default: %(default)s)",
    )
    verb.add_argument(
        "--opinion",
        metavar="NAME",
        help="only labels that this second opinion doubts (assay opinion), beside the random ones",
    )
    verb.add_argument(
        "--class",
        dest="class_",
        metavar="NAME",
        help="only the samples of this class, whoever decided about them before",
    )
    verb.add_argument(
        "--where",
        default="",
        metavar="CONDITION",
        help="only what this condition finds (assay samples --where), without random ones",
    )
    verb.add_argument(
        "--mistake",
        dest="mistakes",
        nargs="+",
        default=(),
        metavar="SAMPLE",
        help="the train labels that made the model's mistakes on these val samples, strongest first",
    )
    verb.add_argument(
        "--html",
        metavar="FILE",
        help="write a page to decide from, without a server: it saves a CSV for assay edit",
    )
    verb = verbs.add("edit", apply_edits, who=True)
    verb.add_argument("file", metavar="FILE", help="a CSV of decisions")
    verb.add_argument(
        "--why", default="", help="the reason, for rows that have none (default: none)"
    )
    verb.add_argument(
        "--overwrite",
        choices=("yes", "no"),
        help="whether FILE changes what others decided after it was written (default: it asks)",
    )
    verb.add_argument(
        "--to",
        choices=("train", "val"),
        help="samples of the pool that FILE gives a label move there",
    )
    verb.add_argument(
        "--new-class",
        action="append",
        default=[],
        metavar="NAME",
        help="a class that is new on purpose",
    )
