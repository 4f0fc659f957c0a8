"""An experiment as a summary for a pull request: the same numbers as on the page, in Markdown as GitHub reads it."""

import json
import re
from html import escape

from assay.curation.review.rates import share_words
from assay.pipelines.experiments.plan import KEYS, RECIPE, duration
from assay.pipelines.reports.cost_sections import MOST, holm, sure
from assay.pipelines.reports.html import count, interval, points

ROWS = 12  # rows of a table; the rest is in the report
SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def plain(text, most=80):
    """Text from outside, cut, on one line and escaped: no table breaks on it, nothing becomes markup, nobody is called by an @."""
    text = " ".join(str("" if text is None else text).split())
    text = text if len(text) <= most else text[: most - 1] + "…"
    return SPECIAL.sub(r"\\\1", escape(text, quote=False)).replace("@", "@\u2060")


def capital(text):
    return text[:1].upper() + text[1:]


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows[:ROWS]]
    more = ["", f"{len(rows) - ROWS:,} more rows are in the report."] if len(rows) > ROWS else []
    return ["", *("| " + " | ".join(row) + " |" for row in lines), *more, ""]


def markdown(data):
    """The summary of compare.report_data: the verdict, the matrix, the effects, what it cost, whether it is fair, how to run it again."""
    plan, n = (
        data["plan"],
        f"{count(data['n_test'], 'locked test sample')}, {count(len(data['seeds']), 'seed')}, 95 % intervals",
    )
    text = re.sub(r"(?<![\w-])-(?=\d)", "−", data["verdict"])
    lines = [f"### {plain(capital(text), 1200)}", "", plain(data["question"], 300)]
    lines += cells(data)
    lines += [f"Accuracy in %: {n}."]
    head, given = (
        ["effect", "points", "Holm p", "verdict"],
        any("given" in e for e in data["effects"]),
    )
    effects = [
        [plain(e["name"]), interval(e), holm(e), plain(e["verdict"])] for e in data["effects"]
    ]
    if given:  # an audit corrects the points: what the labels as they came would say stands beside
        head, effects = (
            head + ["as given"],
            [row + [interval(e["given"])] for row, e in zip(effects, data["effects"])],
        )
    lines += table(head, effects) if effects else ["", "No effect to show.", ""]
    lines += [
        f"- {said}"
        for said in (
            plain(capital(chance(data)), 300),
            plain(blind(data), 300),
            cost(data),
            helped(data),
            *fair(data),
        )
        if said
    ]
    settings = toml(plan)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", settings)), default=0))
    trees = ", ".join(
        f"{plain(v, 40)} {plain(t, 12)}" for v, t in list(data["tree"].items())[:ROWS]
    )
    lines += [
        "",
        "<details><summary>Run it again</summary>",
        "",
        f"{fence}toml",
        *settings.split("\n"),
        fence,
        "",
    ]
    lines += [
        f"`assay experiment plan.toml`, recipe {RECIPE}, code {plain(', '.join(data['code']))}; trees: {trees}",
        "",
        "</details>",
        "",
    ]
    return "\n".join(lines)


def cells(data):
    """The matrix: accuracies with their intervals."""
    archs, rows = data["plan"]["architectures"], {}
    for c in data["cells"]:
        rows.setdefault(c["version"], [f"{plain(c['version'])} ({c['n_train']:,} labels)"]).append(
            interval(c["accuracy"], "")
        )
    return table(["version", *map(plain, archs)], list(rows.values()))


def chance(data):
    """The random control in words: real, or what the random stratum says of one, or why there is none."""
    c = data["control"]
    if not c:
        return data["control_reason"] or "no random control"
    if c.get("estimated"):
        said = "{:,.0f} [{:,.0f}, {:,.0f}]".format(*c["would_find"])
        base = f"{c['hits']:,} of {c['looks']:,} random looks were wrong"
        return f"random control, estimated: {base}, so {count(c['reviews'], 'random review')} would have found {said}; these found {c['found']:,}"
    beyond = (
        f"; {data['plan']['versions'][-1]} against it {interval(c['beyond'])} points"
        if c.get("beyond")
        else ""
    )
    seed = f" (drawn with the seed {c['seed']})" if c.get("seed") else ""
    return f"random control, what as many labels are worth when chance picks them{seed}: {interval(c)} points{beyond}"


def blind(data):
    """What the random control of a relabelling is, where there is one: no review that found nothing, but harm."""
    controls = [b["version"] for b in data["beside"] if re.search(r"~\s*random\(", b["version"])]
    what = "relabels random samples in the same way, so it harms by itself: it tells what an equal number of blind changes does"
    return f"The random control {' or '.join(controls)} {what}" if controls else ""


def audit_facts(a):
    noise = a["noise"]
    wrong = share_words(
        noise["wrong"], noise["n"], noise["unsure"], noise["share"], noise["share_between"]
    )
    return f"audited blind: {a['audited']:,} of {a['of']:,}; wrong {wrong}"


def toml(plan):
    """A plan as the file it came from."""

    def text(x):  # TOML has JSON's strings, numbers and lists
        return json.dumps(x, ensure_ascii=False)

    given = {k: plan[k] for k in KEYS if plan.get(k) is not None}
    lines = [f"{k} = {text(v)}" for k, v in given.items() if not isinstance(v, dict)]
    for k, inside in given.items():
        if isinstance(inside, dict) and inside:
            lines += [f"[{k}]", *(f"{text(name)} = {text(v)}" for name, v in inside.items())]
    return "\n".join(lines)


def cost(data):
    c = data.get("costs")
    if not c:
        return ""
    review, said = c["review"], []
    if review and review["minutes"] is not None:
        said.append(
            f"{duration(60 * review['minutes'])} of review ({count(review['decisions'], 'decision')})"
        )
    elif review:
        said.append(f"review not timed ({plain(review['reason'])})")
    if c["rates"]["review"]:
        said.append(f"{interval(c['rates']['review'])} points per hour of it")
    said.append(
        f"{duration(c['compute']['seconds'])} of compute ({count(c['compute']['runs'], 'run')})"
    )
    more = (
        f"; the last third of the reviews: {plain(c['curve']['last_third']['verdict'])}"
        if c.get("curve")
        else ""
    )
    return f"Cost: {', '.join(said)}{more}."


def helped(data):
    """The slices with a verdict; one that is nearly all of the test set says what the verdict says, and is no news."""
    w = data.get("where")
    if not w or not w["slices"]:
        return ""
    told = sorted(
        (s for s in w["slices"] if sure(s) and s["n"] <= MOST * data["n_test"]),
        key=lambda s: -abs(s["estimate"]),
    )
    names = [f"{plain(s['name'], 40)} {interval(s)} ({plain(s['verdict'])})" for s in told[:5]]
    more = f" and {len(told) - 5} more" if len(told) > 5 else ""
    return f"Where: {', '.join(names) + more if names else 'no slice by itself'}, of {w['tested']:,} tested (Holm over all)."


def fair(data):
    """What a reader must know before believing it."""
    f, test = data.get("fairness") or {}, data["test"]
    labels = "declared audited" if test["audited"] else f"unaudited ({test['noise']} wrong)"
    labels = audit_facts(test["audit"]) if test.get("audit") else labels
    said = [f"test labels {plain(labels, 200)}"]
    near = f.get("near_duplicates") or {}
    if near:
        most = max(near.values())
        said.append(
            f"{f'at most {most:,}' if most else 'no'} training samples (nearly) equal a test sample"
        )
    if f.get("looks"):
        said.append(
            f"test version looked at {count(f['looks'], 'time')}, {count(f['edits'], 'edit')} since the first"
        )
    yield f"Fairness: one test version for every cell; {'; '.join(said)}."
    power = data["power"]
    if power and power.get("asked") and power["power"] is not None:
        yield f"Power: an effect of {points(power['asked'], '')} points would be seen {power['power']:.0%} of the time."
