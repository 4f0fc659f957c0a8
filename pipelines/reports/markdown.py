"""Write an experiment as a summary for a pull request.

The same numbers as on the page, in Markdown as GitHub reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import escape

from assay.curation.review.progress import describe_share
from assay.curation.statistics.wording import format_interval
from assay.curation.text import format_count
from assay.pipelines.experiments.cells import RECIPE
from assay.pipelines.experiments.plan import Plan, format_duration
from assay.pipelines.reports.phrases import (
    interval,
    is_significant,
    p_value,
    points,
    set_minus,
    split_verdict,
)
from assay.pipelines.reports.slices import MOST

ROWS = 12  # rows of a table; the rest is in the report
SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def escape_markdown(text: object, most: int = 80) -> str:
    """Cut and escape text from outside, on one line.

    No table breaks on it, nothing becomes markup, nobody is called by an @.
    """
    text = " ".join(str("" if text is None else text).split())
    text = text if len(text) <= most else text[: most - 1] + "…"
    return SPECIAL.sub(r"\\\1", escape(text, quote=False)).replace("@", "@\u2060")


def capitalize_first(text: str) -> str:
    """Begin with a capital, and leave the rest."""
    return text[:1].upper() + text[1:]


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table of the first rows."""
    lines = [head, ["---"] * len(head), *rows[:ROWS]]
    more = (
        ["", f"{format_count(len(rows) - ROWS, 'more row', 'is', 'are')} in the report."]
        if len(rows) > ROWS
        else []
    )
    return ["", *("| " + " | ".join(row) + " |" for row in lines), *more, ""]


def markdown(data: dict) -> str:
    """Write the summary of load_report_data.

    The verdict, the matrix, the effects, what it cost, whether it is fair, how to run it again.
    """
    answer, _, rest = split_verdict(capitalize_first(set_minus(data["verdict"])))
    said = [
        escape_markdown(set_minus(capitalize_first(describe_control(data))), 300),
        escape_markdown(describe_relabelled_control(data), 300),
        cost_words(data),
        slice_words(data),
        *fairness_words(data),
    ]
    size = f"{format_count(data['n_test'], 'locked test sample')}, {format_count(len(data['seeds']), 'seed')}"
    lines = [
        f"### {escape_markdown(answer, 1200)}",
        "",
        *([escape_markdown(capitalize_first(rest), 1200), ""] if rest else []),
        escape_markdown(data["question"], 300),
        *accuracy_table(data),
        f"Accuracy in %: {size}, 95 % intervals.",
        *effect_table(data["effects"]),
        *(f"- {line}" for line in said if line),
        "",
        *rerun_lines(data),
    ]
    return "\n".join(lines)


def effect_table(effects: list[dict]) -> list[str]:
    """Write the effects.

    Where an audit corrects them, with what the labels as given would say.
    """
    if not effects:
        return ["", "No effect to show.", ""]
    head = ["effect", "points", "Holm p", "verdict"]
    rows = [
        [
            escape_markdown(e["name"]),
            interval(e),
            escape_markdown(p_value(e)),
            escape_markdown(e["verdict"]),
        ]
        for e in effects
    ]
    if any("given" in e for e in effects):
        head += ["as given"]
        rows = [[*row, interval(e["given"])] for row, e in zip(rows, effects)]
    return table_lines(head, rows)


def rerun_lines(data: dict) -> list[str]:
    """Write the plan, the recipe and the versions, folded."""
    settings = plan_toml(data["plan"])
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", settings)), default=0))
    trees = ", ".join(
        f"{escape_markdown(v, 40)} {escape_markdown(t, 12)}"
        for v, t in list(data["tree"].items())[:ROWS]
    )
    code = escape_markdown(", ".join(data["code"]))
    return [
        "<details><summary>Run it again</summary>",
        "",
        f"{fence}toml",
        *settings.split("\n"),
        fence,
        "",
        f"`assay experiment plan.toml`, recipe {RECIPE}, code {code}; trees: {trees}",
        "",
        "</details>",
        "",
    ]


def accuracy_table(data: dict) -> list[str]:
    """Write the matrix: accuracies with their intervals."""
    archs, rows = data["plan"]["architectures"], {}
    for c in data["matrix"]:
        head = f"{escape_markdown(c['version'])} ({format_count(c['n_train'], 'label')})"
        rows.setdefault(c["version"], [head]).append(interval(c["accuracy"], sign=False))
    return table_lines(["version", *map(escape_markdown, archs)], list(rows.values()))


def describe_control(data: dict) -> str:
    """Say what the random control was worth.

    It is real, or what the random stratum says of one, or the reason why there is none.
    """
    c = data["control"]
    if not c:
        return data["control_reason"] or "no random control"
    if c.get("estimated"):
        would = "{:,.0f} [{:,.0f}, {:,.0f}]".format(*c["would_find"])
        unsure = f", {c['unsure_at_random']:,} more unsure" if c["unsure_at_random"] else ""
        base = f"{c['sure_at_random']:,} reviewed at random ({c['hits']:,} wrong{unsure})"
        return (
            f"random control, estimated from {base}: {format_count(c['reviews'], 'such review')} would have "
            f"found {would} wrong labels; these found {c['found']:,}"
        )
    seed = f", drawn with the seed {c['seed']}" if c.get("seed") else ""
    own = f"random control, {c['version']}{seed}: {format_interval(c)}"
    last = data["plan"]["versions"][-1]
    beyond = f"; {last} less the control: {format_interval(c['beyond'])}" if c.get("beyond") else ""
    return f"{own}{beyond}"


def describe_relabelled_control(data: dict) -> str:
    """Say what a random control of a relabelling is.

    Empty where there is none. It is no review that found nothing, but harm.
    """
    controls = [b["version"] for b in data["beside"] if re.search(r"~\s*random\(", b["version"])]
    what = (
        "relabels random samples in the same way, so it harms by itself: "
        "it tells what an equal number of blind changes does"
    )
    return f"The random control {' or '.join(controls)} {what}" if controls else ""


def audit_facts(audit: dict) -> str:
    """Say how many test labels were audited, and how many wrong."""
    noise = audit["noise"]
    names = ("wrong", "n", "unsure", "share", "share_between")
    wrong = describe_share(*(noise[k] for k in names))
    return f"audited blind: {audit['audited']:,} of {audit['of']:,}; wrong {wrong}"


def plan_toml(plan: dict) -> str:
    """Write a plan as the file it came from."""

    def text(x: object) -> str:  # TOML has JSON's strings, numbers and lists
        return json.dumps(x, ensure_ascii=False)

    given = {k: plan[k] for k in Plan.model_fields if plan.get(k) is not None}
    lines = [f"{k} = {text(v)}" for k, v in given.items() if not isinstance(v, dict)]
    for k, inside in given.items():
        if isinstance(inside, dict) and inside:
            lines += [f"[{k}]", *(f"{text(name)} = {text(v)}" for name, v in inside.items())]
    return "\n".join(lines)


def cost_words(data: dict) -> str:
    """Say what review and compute cost."""
    costs = data.get("costs")
    if not costs:
        return ""
    review, rate, compute, out = costs["review"], costs["rates"]["review"], costs["compute"], []
    if review and review["minutes"] is not None:
        decisions = format_count(review["decisions"], "decision")
        out.append(f"{format_duration(60 * review['minutes'])} of review ({decisions})")
    elif review:
        out.append(f"review not timed ({escape_markdown(review['reason'])})")
    if rate:
        out.append(f"{interval(rate)} points per hour of it")
    out.append(
        f"{format_duration(compute['seconds'])} of compute ({format_count(compute['runs'], 'run')})"
    )
    words = f"Cost: {', '.join(out)}"
    if not costs.get("curve"):
        return f"{words}."
    third = escape_markdown(costs["curve"]["last_third"]["verdict"])
    return f"{words}; the last third of the reviews: {third}."


def slice_words(data: dict) -> str:
    """Name the slices with a verdict.

    One that is nearly all of the test set says what the verdict says, and is no news.
    """
    where = data.get("where")
    if not where or not where["slices"]:
        return ""
    sure = [s for s in where["slices"] if is_significant(s) and s["n"] <= MOST * data["n_test"]]
    sure.sort(key=lambda s: -abs(s["estimate"]))
    names = [
        f"{escape_markdown(s['name'], 40)} {interval(s)} ({escape_markdown(s['verdict'])})"
        for s in sure[:5]
    ]
    more = f" and {len(sure) - 5} more" if len(sure) > 5 else ""
    listed = ", ".join(names) + more if names else "no slice by itself"
    return f"Where: {listed}, of {where['tested']:,} tested (Holm over all)."


def fairness_words(data: dict) -> Iterator[str]:
    """Say what a reader must know before believing it."""
    known, test, power = data.get("fairness") or {}, data["test"], data["power"]
    labels = "declared audited" if test["audited"] else f"unaudited ({test['noise']} wrong)"
    labels = audit_facts(test["audit"]) if test.get("audit") else labels
    said = [f"test labels {escape_markdown(labels, 200)}"]
    if near := known.get("near_duplicates"):
        most = max(near.values())
        some = f"at most {most:,}" if most else "no"
        said.append(f"{some} training samples (nearly) equal a test sample")
    if known.get("accesses"):
        times, edits = format_count(known["accesses"], "time"), format_count(known["edits"], "edit")
        said.append(f"test version looked at {times}, {edits} since the first")
    if known.get("renamed"):
        names = escape_markdown("; ".join(known["renamed"]), 200)
        said.append(f"all judged by the class names of now: {names}")
    yield f"Fairness: one test version for every run; {'; '.join(said)}."
    if power and power.get("asked") and power["power"] is not None:
        size, share = points(power["asked"], sign=False), f"{power['power']:.0%}"
        yield f"Power: an effect of {size} points would be seen {share} of the time."
