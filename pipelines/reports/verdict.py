"""Draw the verdict: the gain beside control and ceiling.

What this test cannot see is drawn beside them.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from assay.curation.text import format_count
from assay.pipelines.explaining.report_numbers import explain_report
from assay.pipelines.reports.charts import Axis, Row, band_ends, interval_ends, make_axis, plot
from assay.pipelines.reports.markdown import describe_relabelled_control
from assay.pipelines.reports.phrases import (
    cut,
    interval,
    points,
    sentence,
    set_minus,
    split_verdict,
    verdict_tone,
)
from assay.pipelines.reports.templates import interval_markup, render

EFFECT_KINDS = {
    "data": "data: other labels, same architectures",
    "architecture": "architecture: same labels, another model",
    "interaction": "interaction: is the data effect another there?",
    "control": "random control: as many labels, by chance",
    "ceiling": "ceiling: every label clean",
    "beyond chance": "the change less its random control",
}


def draw_verdict(data: dict) -> Markup:
    """Draw the head of the report: question, answer, gains, limits."""
    rows, key, axis = gain_rows(data), gain_key(data), gain_axis(data)
    gains = plot("gains", rows, too_small(data), smallest_gain(data), axis) if rows else ""
    values = title_parts(data) | dict(question=data["question"], gains=gains)
    values |= dict(known=explain_report(data))
    return render("verdict.html", values | dict(key=key if rows else "", notes=notes(data)))


def too_small(data: dict) -> float | None:
    """The margin of the plan.

    Unaudited test labels know no gain too small to matter.
    """
    return data["margin"] if data["test"]["audited"] else None


def gain_axis(data: dict) -> Axis:
    """Choose the one axis of all gains on the page.

    On two scales the same effect would look large here and small there.
    """
    rows = [Row("", e) for e in [*data["effects"], *data["beside"]]]
    return make_axis([*interval_ends(rows), *band_ends(too_small(data), smallest_gain(data))])


def smallest_gain(data: dict) -> float | None:
    """The smallest gain that this test would see four times in five."""
    return data["power"] and data["power"]["smallest"]


def title_parts(data: dict) -> dict:
    """Split the verdict into its answer, basis, conditions and next step."""
    verdict = set_minus(sentence(data["verdict"], 1200))
    main, joint, rest = split_verdict(verdict)
    answer, _, basis = main.partition(": ")
    if not (basis and data["interval"]):
        answer, basis = "", main
    parts = dict(answer=answer, basis=basis, joint=joint, rest=rest)
    return {k: mark_ranges(text) for k, text in parts.items()} | dict(
        long=len(main) > 140, tone=verdict_tone(data["interval"])
    )


def mark_ranges(text: str) -> Markup:
    """Set intervals such as [0.6, 2.1] in a span of their own."""
    return Markup(re.sub(r"(\[[^\]]*\])", r'<span class="range">\1</span>', str(escape(text))))


def gain_rows(data: dict) -> list[Row]:
    """List the data effects, controls and ceilings, then what cannot be seen."""
    drawn = [e for e in data["effects"] if e["kind"] == "data"] + data["beside"]
    rows = [
        Row(
            cut(e["name"]),
            e,
            EFFECT_KINDS.get(e["kind"], e["kind"]),
            f"{'main ' * (e is data['interval'])}{verdict_tone(e)}".strip(),
            [interval_markup(e)],
        )
        for e in drawn
    ]
    if rows and (unseen := smallest_gain(data)):
        within = Markup("within <b>±{}</b>").format(points(unseen, sign=False))
        rows.append(Row("cannot be seen", None, f"with {size_words(data)}", cells=[within]))
    return rows


def size_words(data: dict) -> str:
    """Write how large the experiment is."""
    return f"{format_count(data['n_test'], 'test sample')} and {format_count(len(data['seeds']), 'seed')}"


def gain_key(data: dict) -> str:
    """Say what the marks of the plot of gains mean."""
    key = ["Dot: the gain on the test set. Bar: its 95 % interval."]
    if any("given" in e for e in [*data["effects"], *data["beside"]]):
        key.append("Hollow: the same by the test labels as given.")
    if margin := too_small(data):
        key.append(
            f"Grey: under ±{points(margin, sign=False)} points, "
            "which the plan calls too small to matter."
        )
    if smallest_gain(data):
        key.append(f"Hatched: gains that {size_words(data)} would miss more than one time in five.")
    return " ".join(key)


def notes(data: dict) -> str:
    """Say what a reader must know of control, labels and seeds."""
    first, power, out = data["interval"], data["power"], []
    if relabelled := describe_relabelled_control(data):
        out.append(sentence(relabelled))
    if not data["test"]["audited"]:
        out.append("The test labels are unaudited, so no gain is called too small to matter.")
    if power and power.get("asked"):
        out.append(power_words(power))
    if first and "given" in first:
        out.append(audit_words(data["test"].get("audit"), first))
    reasons = [data["interval_reason"], data["seeds_note"]]
    return " ".join(out + [sentence(r) for r in reasons if r and r not in data["verdict"]])


def power_words(power: dict) -> str:
    """Say how often the effect asked about would be seen.

    What would see it more often, the verdict says.
    """
    size = points(power["asked"], sign=False)
    if power["power"] is None:
        return f"Whether {size} points would be seen takes two seeds to say."
    share = f"{power['power']:.0%}"
    return f"An effect of the {size} points asked about would be seen {share} of the time."


def audit_words(audit: dict | None, first: dict) -> str:
    """Say what an audit found, and the gain without it."""
    given = f"by the labels as given the gain would be {interval(first['given'])} points"
    if not audit:
        return sentence(given)
    wrong = f"{audit['noise']['wrong']:,} were wrong and {audit['unsure']:,} left unsure"
    return f"Of {format_count(audit['n'], 'test label')} audited blind {wrong}; {given}."
