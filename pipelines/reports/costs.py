"""Report section: what a gain cost in review and compute."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.experiments.plan import format_duration
from assay.pipelines.reports.charts import Row, curve, plot
from assay.pipelines.reports.phrases import cut, p_value, verdict_tone
from assay.pipelines.reports.templates import PARTS, interval_markup, render

TITLE, ORDER = "What it cost", 40
FIRST = 6  # batches that are drawn; the others are in a table


def section(data: dict) -> Markup:
    """Show the time spent, what it bought, and what more would."""
    costs = data.get("costs")
    if not costs:
        return PARTS.about("Not known for these versions.")
    body = PARTS.about(f"{cut(costs['last'])} against {cut(costs['first'])}.")
    body += PARTS.terms("cards", list(cost_cards(costs))) + draw_rates(data, costs["rates"])
    if costs.get("curve"):
        body += draw_curve(costs["curve"])
    if costs.get("batches"):
        body += draw_batches(costs["batches"])
    if costs.get("reason"):
        reason = cut(costs["reason"], 300)
        body += PARTS.about(
            f"No curve of gain against reviews, and no value of single batches: {reason}."
        )
    return body


def cost_cards(costs: dict) -> Iterator[tuple[str, str | Markup]]:
    """Show what review, compute and audits took."""
    review, compute, rate = costs["review"], costs["compute"], costs["rates"]["review"]
    if not review:
        yield "review: not counted between these versions", "unknown"
    elif review["minutes"] is None:
        yield f"review minutes: {cut(review['reason'])}", "not timed"
    else:
        yield review_words(review), format_duration(60 * review["minutes"])
    if rate:
        zero = ", not distinguishable from none" if rate["includes_zero"] else ""
        yield f"points gained per hour of review{zero}", interval_markup(rate)
    runs = format_count(compute["runs"], "run")
    yield f"compute: {runs}, all architectures", format_duration(compute["seconds"])
    audits = (review or {}).get("test_audits") or {}
    if audits.get("decisions"):
        about = f"audit of the test labels: {format_count(audits['decisions'], 'decision')}"
        timed = audits["minutes"] is not None
        yield about, format_duration(60 * audits["minutes"]) if timed else "not timed"


def review_words(review: dict) -> str:
    """Say whose decisions the minutes of review are for."""
    words = f"review: {format_count(review['decisions'], 'decision')} that stand, by {cut(review['who'])}"
    if not review["estimated"]:
        return words
    untimed = format_count(review["estimated"]["decisions"], "decision")
    return f"{words}; {untimed} without a time taken as the median"


def draw_rates(data: dict, rates: dict) -> Markup:
    """Show what an hour of review and of compute bought.

    Of review by the data effect, of compute by each architecture's.
    """
    rows, first, review = [], data["interval"], rates["review"]
    effects = {(e["kind"], e["version"]): e for e in data["effects"]}
    if first and review:
        rows.append(rate_row(first, review, "of review"))
    for rate in rates["architectures"]:
        effect = effects.get(("architecture", rate["arch"]))
        if effect and rate["hours"]:
            rows.append(rate_row(effect, rate, "a run"))
    table = PARTS.table(("", "Points gained", "Time", "Points per hour"), rows) if rows else ""
    if review:
        return Markup(table)
    return table + PARTS.about(f"Points per hour of review: {cut(rates['review_reason'])}.")


def rate_row(effect: dict, rate: dict, of: str) -> tuple:
    """Make a row of what an hour bought, or why nobody knows."""
    known = rate["estimate"] is not None
    per_hour = interval_markup(rate) if known else cut(rate["reason"])
    time = f"{format_duration(3600 * rate['hours'])} {of}"
    return cut(effect["name"]), interval_markup(effect), time, per_hour


def draw_curve(found: dict) -> Markup:
    """Draw gain against reviews; say whether the last third still gained."""
    points = [p | dict(x=p["reviews"], about=point_words(p)) for p in found["points"]]
    numbers = [
        (f"{p['reviews']:,}", minutes(p), f"{p['changed']:,}", interval_markup(p)) for p in points
    ]
    table = PARTS.table(("Reviews", "Time", "Training labels changed", "Points gained"), numbers)
    third = found["last_third"]
    values = dict(
        third=third,
        gain=interval_markup(third) if third["low"] != third["high"] else "",
        judged=format_count(found["n"], "validation label"),
        corrected=found["validation_changed"],
        other=found["other"] and format_count(found["other"], "training label"),
    )
    body = curve(points, "reviews") + PARTS.folded("The curve as numbers", table)
    about = render("curve_about.html", values)
    return PARTS.part("Would more reviews still pay?", about, body)


def point_words(point: dict) -> str:
    """Say how much work a point of the curve stands for."""
    return ", ".join(filter(None, (format_count(point["reviews"], "review"), minutes(point))))


def minutes(point: dict) -> str:
    """Write the minutes of a point, where they are known."""
    return "" if point["minutes"] is None else format_duration(60 * point["minutes"])


def draw_batches(found: dict) -> Markup:
    """Draw what each batch of fixes was worth.

    That is the probe with all reviews against the probe without the batch.
    """
    batches = sorted(found["batches"], key=lambda b: -b["changed"])
    if not batches:
        return Markup()
    about = (
        "The probe with all reviews against the probe without this batch, on validation; "
        "verdicts by Holm over all batches."
    )
    if len(batches) > FIRST:
        about += f" Drawn are the {FIRST} that changed most labels."
    if found["left_out"]:
        about += f" {found['left_out']:,} that changed fewer were not measured."
    drawn = sorted(batches[:FIRST], key=lambda b: -b["estimate"])
    head = ("Batch", "Why", "Reviews", "Changed", "Points", "Holm p", "Verdict")
    table = PARTS.table(head, [batch_numbers(b) for b in batches])
    body = plot("verdicts", [batch_row(b) for b in drawn])
    body += PARTS.folded("Every batch as numbers", table)
    return PARTS.part("Which batch of fixes paid", about, body)


def batch_row(b: dict) -> Row:
    """Make the row of a batch in the plot."""
    changed = format_count(b["changed"], "training label")
    about = f"{cut(b['who'], 40)}, {cut(b['ts'][:10])}: {changed} changed"
    return Row(batch_name(b), b, about, verdict_tone(b), [interval_markup(b), cut(b["verdict"])])


def batch_numbers(b: dict) -> tuple:
    """Make the row of a batch in the table."""
    code = Markup("<code>{}</code>").format(cut(b["batch"]))
    counts = f"{b['reviews']:,}", f"{b['changed']:,}"
    return code, batch_name(b), *counts, interval_markup(b), p_value(b), cut(b["verdict"])


def batch_name(b: dict) -> str:
    """Say why a batch was made, or its name."""
    return cut(b["why"] or b["batch"], 60)
