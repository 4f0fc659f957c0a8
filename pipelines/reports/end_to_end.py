"""Report section: frozen features against training end to end."""

from __future__ import annotations

import math

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.charts import Axis, Row, make_axis, plot
from assay.pipelines.reports.phrases import cut, interval, p_value, sentence, verdict_tone
from assay.pipelines.reports.templates import PARTS, interval_markup, render

TITLE, ORDER = "Frozen or end to end", 25
DASHES = ("none", "7 4", "2 3", "9 3 2 3")  # what tells lines apart, in print too


def section(data: dict) -> Markup:
    """Draw who wins with how many labels, then accuracy against labels."""
    found = data.get("end_to_end")
    if not found:
        return Markup()
    body = PARTS.about(" ".join(map(sentence, [found["answer"], *found["notes"]])))
    gains = [gain_row(g) for g in found["gains"]]
    pair = f"{cut(found['end_to_end'])} less {cut(found['frozen'])}"
    about = f"{pair}, in points; Holm allows for these and for the interactions."
    body += PARTS.part("What training end to end gains", about, plot("effects", gains))
    if found["interactions"]:
        rows = [interaction_row(i) for i in found["interactions"]]
        about = "Whether that gain depends on the labels: 0 where it does not."
        body += PARTS.part("Interaction", about, plot("effects", rows))
    for base in dict.fromkeys(line["base"] for line in found["curves"]):
        lines = [line for line in found["curves"] if line["base"] == base]
        title = f"Accuracy against labels, {cut(base)}"
        table = PARTS.table(("Labels", *(cut(line["arch"]) for line in lines)), list_numbers(lines))
        body += PARTS.part(
            title,
            "In %, 95 % intervals; labels on a logarithmic scale.",
            draw_curves(lines) + table,
        )
    return body


def gain_row(gain: dict) -> Row:
    """Make the row of what training end to end gains with some labels."""
    cells = [interval_markup(gain), f"Holm p {p_value(gain)}", cut(gain["verdict"])]
    n = format_count(gain["n_train"], "label")
    return Row(cut(gain["version"]), gain, n, verdict_tone(gain), cells)


def interaction_row(found: dict) -> Row:
    """Make the row of an interaction."""
    cells = [interval_markup(found), f"Holm p {p_value(found)}", cut(found["verdict"])]
    return Row(cut(found["name"]), found, cut(found["about"]), verdict_tone(found), cells)


def list_numbers(lines: list[dict]) -> list[tuple]:
    """List accuracies as numbers: a row for each number of labels."""
    points = [line["points"] for line in lines]
    return [
        (f"{own[0]['n_train']:,}", *(interval_markup(p, sign=False) for p in own))
        for own in zip(*points)
    ]


def draw_curves(lines: list[dict]) -> Markup:
    """Draw a line for each architecture, with its intervals."""
    points = [p for line in lines for p in line["points"]]
    axis = make_axis([p[k] for p in points for k in ("low", "high")], zero=False)
    ends = [math.log(p["n_train"]) for p in points]
    width = max(ends) - min(ends) or 1

    def across(p: dict) -> float:
        return round(100 * (math.log(p["n_train"]) - min(ends)) / width, 2)

    drawn = [
        dict(
            name=line["arch"],
            dash=DASHES[i % len(DASHES)],
            path=" ".join(f"{across(p)},{axis.down(p['estimate'])}" for p in line["points"]),
            marks=[draw_mark(p, across(p), axis, line["arch"]) for p in line["points"]],
        )
        for i, line in enumerate(lines)
    ]
    ticks = [(f"{100 * t:.4g}", axis.down(t)) for t in axis.ticks]
    numbers = {f"{p['n_train']:,}": across(p) for p in points}
    return render("learning_curve.html", dict(lines=drawn, ticks=ticks, numbers=numbers))


def draw_mark(point: dict, x: float, axis: Axis, arch: str) -> dict:
    """Place a point and its interval on the axes."""
    y, low, high = (axis.down(point[k]) for k in ("estimate", "low", "high"))
    n = format_count(point["n_train"], "label")
    return dict(x=x, y=y, low=low, high=high, says=f"{arch}, {n}: {interval(point, sign=False)} %")
