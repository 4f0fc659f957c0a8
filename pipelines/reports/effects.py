"""Report section: what data, architecture and their interaction are worth."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.charts import Row, plot
from assay.pipelines.reports.markdown import describe_control
from assay.pipelines.reports.phrases import cut, p_value, sentence, set_minus, verdict_tone
from assay.pipelines.reports.templates import PARTS, interval_markup
from assay.pipelines.reports.verdict import EFFECT_KINDS, gain_axis, too_small

TITLE, ORDER = "Effects", 30
MOST_ROWS = 8  # with more, the interactions are folded
ABOUT = (
    "In points, with 95 % intervals. p and verdict, by Holm, "
    "allow for how many effects are looked at."
)
NONE = "None to show: it takes two versions with different training labels, or two architectures."


def section(data: dict) -> Markup:
    """Draw each effect with interval, p and verdict; then the random control."""
    body = PARTS.about(ABOUT if data["effects"] else NONE) + draw_effects(data)
    if not data["interaction"]:
        body += PARTS.about(f"No interaction: {cut(data['interaction_reason'])}.")
    return body + PARTS.about(sentence(set_minus(describe_control(data))))


def draw_effects(data: dict) -> Markup:
    """Draw the effects on the axis of the gains, many interactions folded."""
    rows = {id(e): effect_row(e, e is data["interval"]) for e in data["effects"]}
    more = [e for e in data["effects"] if e["kind"] == "interaction" and len(rows) > MOST_ROWS]
    folded = [rows.pop(id(e)) for e in more]
    axis, margin = gain_axis(data), too_small(data)
    body = plot("effects", list(rows.values()), margin, axis=axis) if rows else Markup()
    if folded:
        interactions = plot("effects", folded, margin, axis=axis)
        body += PARTS.folded(format_count(len(folded), "interaction"), interactions)
    return body


def effect_row(e: dict, is_main: bool) -> Row:
    """Make the row of one effect."""
    p = Markup('<small class="range">Holm p {}</small>').format(p_value(e))
    cells = [interval_markup(e), p, cut(e["verdict"])]
    weight = f"{'main ' * is_main}{verdict_tone(e)}".strip()
    return Row(cut(e["name"]), e, EFFECT_KINDS[e["kind"]], weight, cells)
