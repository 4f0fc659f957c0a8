"""Report section: where the network should replace the rules."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.experiments.plan import format_duration
from assay.pipelines.reports.phrases import cut, p_value, sentence
from assay.pipelines.reports.slices import ROWS
from assay.pipelines.reports.templates import PARTS, interval_markup

TITLE, ORDER = "Rules or network", 48
FIRST = 12  # slices that are shown at once; the others are in a table
HEAD = ("Slice", "Kind", "n", "Rules, %", "Network, %", "Network - rules", "Holm p", "Who wins")


def section(data: dict) -> Markup:
    """Show, for each set of rules, who wins where, their mix and what each costs."""
    return Markup("").join(draw_rules(found) for found in data.get("rules") or [])


def draw_rules(found: dict) -> Markup:
    """Draw one set of rules against its network."""
    about = " ".join(map(sentence, found["notes"]))
    body = PARTS.terms("cards", list_cards(found)) + draw_mix(found)
    rows = [slice_numbers(s) for s in sort_slices(found["slices"])]
    body += PARTS.table(HEAD, rows[:FIRST])
    if rows[FIRST:]:
        title = f"All {format_count(len(rows), 'slice')}"
        body += PARTS.folded(title, PARTS.table(HEAD, rows[:ROWS]))
    title = f"{cut(found['rules'])} against {cut(found['network'])}, {cut(found['version'])}"
    return PARTS.part(title, about, body)


def list_cards(found: dict) -> list[tuple[str, str | Markup]]:
    """List accuracies, and what each costs to keep."""
    costs, n = found["costs"], format_count(found["n_test"], "test sample")
    silent = f"; they abstain on {found['abstained']:,}, which counts as wrong"
    took = costs["seconds_network"]
    train = f", {format_duration(took)} a training" if took is not None else ""
    return [
        (f"rules right, of {n}{silent}", interval_markup(found["accuracy"]["rules"], False, " %")),
        (f"network right, of {n}", interval_markup(found["accuracy"]["network"], False, " %")),
        ("rules: code to keep", format_count(costs["lines"], "line")),
        (f"network: labels to keep{train}", format_count(costs["labels"], "label")),
    ]


def draw_mix(found: dict) -> Markup:
    """Say what a mix of both by slice gets."""
    mix = found["mix"]
    if mix is None:
        return PARTS.about(f"No mix: {found['mix_reason']}.")
    other = "network" if mix["default"] == "rules" else "rules"
    n_val, n = (
        format_count(found[k], w)
        for k, w in zip(("n_val", "n_test"), ("validation label", "test sample"))
    )
    words = f"no slice speaks for the {other} on {n_val}: the {mix['default']} answers"
    if mix["chosen"]:
        where = ", ".join(f"{s['kind']} {s['name']} ({s['n']:,})" for s in mix["chosen"])
        words = f"the {mix['default']} answers, and the {other} in: {where}"
    about = (
        f"Mix, chosen on validation and judged on test: {cut(words, 400)}; where the rules abstain, the network does. "
        f"The rules answer {mix['by_rules']:,} of {n}."
    )
    rows = [
        (f"mix against {g['against']}", interval_markup(g), p_value(g), cut(g["verdict"]))
        for g in mix["gains"]
    ]
    gets = Markup("Mix right: {}").format(interval_markup(mix["accuracy"], False, " %"))
    head = ("", "Points", "Holm p", "Verdict")
    return PARTS.about(about) + PARTS.about(gets) + PARTS.table(head, rows)


def sort_slices(slices: list[dict]) -> list[dict]:
    """Sort slices: those with a winner first, then by the size of the difference."""
    return sorted(slices, key=lambda s: (s["winner"] is None, -abs(s["estimate"] or 0)))


def slice_numbers(s: dict) -> tuple:
    """Make the row of a slice."""
    start = cut(s["name"], 60), cut(s["kind"]), f"{s['n']:,}"
    won = s["winner"] or s["verdict"]
    if s["estimate"] is None:
        return *start, "", "", "", "", cut(won)
    sides = [interval_markup(s[side], sign=False) for side in ("before", "after")]
    return *start, *sides, interval_markup(s), p_value(s), cut(won)
