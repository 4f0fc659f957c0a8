"""Report section: slices where versions helped or hurt."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.charts import Row, interval_ends, make_axis, plot
from assay.pipelines.reports.phrases import (
    cut,
    interval,
    is_significant,
    p_value,
    sentence,
    verdict_tone,
)
from assay.pipelines.reports.templates import PARTS, interval_markup

TITLE, ORDER = "Where it helped", 50
MOST = 0.8  # of the test set: a larger slice says what the verdict says, and is no headline
FIRST = 6  # slices of a kind that are drawn; the others are in a table
ROWS = 400  # rows of a table at most; the rest is in `assay report --json`
HEAD = ("Slice", "Kind", "n", "Before, %", "After, %", "Points", "Holm p", "Verdict")


def section(data: dict) -> Markup:
    """Draw each kind of slice on one axis, and list all slices.

    Those with a verdict come first, then those that moved most.
    """
    where = data.get("where") or {}
    listed, notes = where.get("slices"), where.get("notes") or ["nothing to compare"]
    if not listed:
        return PARTS.about(" ".join(map(sentence, notes)))
    versions = f"{cut(where['version'])} against {cut(where['against'])}"
    about = f"{versions} on the test set, the mean over architectures. "
    body = PARTS.about(about + " ".join(map(sentence, where["notes"])))
    most = MOST * data["n_test"]
    body += draw_kinds(listed, [s for s in listed if s["estimate"] is not None and s["n"] <= most])
    if large := sum(s["n"] > most for s in listed):
        share = f"{format_count(large, 'slice')} of more than {MOST:.0%} of the test set"
        body += PARTS.about(f"{share}: only among the numbers below.")
    return body + list_slices(listed)


def draw_kinds(listed: list[dict], judged: list[dict]) -> Markup:
    """Draw the slices worth reading of each kind, on one axis."""
    kinds = dict.fromkeys(s["kind"] for s in judged)
    chosen = {kind: worth_reading([s for s in judged if s["kind"] == kind]) for kind in kinds}
    rows = {kind: [slice_row(s) for s in some] for kind, some in chosen.items()}
    axis = make_axis(interval_ends([r for some in rows.values() for r in some]))
    body = Markup()
    for kind, some in rows.items():
        n = sum(s["kind"] == kind for s in listed)
        rest = "those with a verdict, then those that moved furthest beyond chance."
        about = "" if n == len(some) else f"{len(some)} of {n:,}: {rest}"
        body += PARTS.part(f"By {cut(kind)}", about, plot("verdicts", some, axis=axis))
    return body


def list_slices(listed: list[dict]) -> Markup:
    """List the slices as numbers, closed until somebody asks."""
    title = f"Every slice as numbers ({len(listed):,})"
    if len(listed) > ROWS:
        command = Markup("<code>assay report --json</code>")
        title = Markup("{}; the first {} of them, all with {}").format(title, ROWS, command)
    return PARTS.folded(title, PARTS.table(HEAD, [slice_numbers(s) for s in listed[:ROWS]]))


def slice_numbers(s: dict) -> tuple:
    """Make the row of a slice in the table."""
    start, verdict = (cut(s["name"], 60), cut(s["kind"]), f"{s['n']:,}"), cut(s["verdict"])
    if s["estimate"] is None:
        return *start, "", "", "", "", verdict
    sides = [interval_markup(s[side], sign=False) for side in ("before", "after")]
    return *start, *sides, interval_markup(s), p_value(s), verdict


def slice_row(s: dict) -> Row:
    """Make the row of a slice in the plot.

    A pointer on its name reads the accuracies.
    """
    before, after = (interval(s[side], sign=False) for side in ("before", "after"))
    title = f"{before} % before, {after} % after"
    name = Markup('<span title="{}">{}</span>').format(title, cut(s["name"], 60))
    cells = [interval_markup(s), cut(s["verdict"])]
    return Row(name, s, format_count(s["n"], "test sample"), verdict_tone(s), cells)


def worth_reading(some: list[dict]) -> list[dict]:
    """Choose slices with a verdict, then those that moved most.

    Most for the width of their interval. They are drawn with the largest gain first.
    """

    def rank(s: dict) -> tuple:
        return not is_significant(s), -abs(s["estimate"]) / (s["high"] - s["low"] or 1)

    few_classes = len(some) <= 2 * FIRST and some[0]["kind"] == "class"
    most = max(FIRST, min(sum(map(is_significant, some)), 2 * FIRST))
    chosen = sorted(some, key=rank)[: 2 * FIRST if few_classes else most]
    return sorted(chosen, key=lambda s: -s["estimate"])
