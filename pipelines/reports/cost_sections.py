"""What a gain cost and where it fell: the sections of the report about minutes, seconds, batches and slices."""

from assay.pipelines.experiments.plan import duration
from assay.pipelines.reports import html
from assay.pipelines.reports.html import (
    amount,
    count,
    folded,
    interval,
    section,
    sentence,
    shown,
    table,
    terms,
    words,
)

MOST = 0.8  # of the test set: a slice that is more of it says what the verdict says, and is no headline
FIRST = 6  # slices of a kind, and batches, that are drawn; the rest is in a table
ROWS = 400  # rows of a table at most; the rest is in `assay report --json`


def about_costs(data):
    """Minutes of review, seconds of compute, what an hour of each bought; whether more reviews would pay, and which batch did."""
    c = data.get("costs")
    if not c:
        return section("What it cost", "Not known for these versions.", "")
    body = terms("cards", cards(c)) + rates(data, c["rates"])
    if c.get("curve"):
        body += marginal(c["curve"])
    body += batches(c["batches"]) if c.get("batches") else ""
    if c.get("reason"):
        body += f'<p class="about">No curve of gain against reviews, and no value of single batches: {words(c["reason"], 300)}.</p>'
    return section("What it cost", f"{words(c['last'])} against {words(c['first'])}.", body)


def cards(c):
    review, compute = c["review"], c["compute"]
    if not review:
        yield "review: not counted between these versions", "unknown"
    elif review["minutes"] is None:
        yield f"review minutes: {words(review['reason'])}", "not timed"
    else:
        guess = (
            f"; {count(review['estimated']['decisions'], 'decision')} without a time taken as the median"
            if review["estimated"]
            else ""
        )
        about = f"review: {count(review['decisions'], 'decision')} that stand, by {words(review['who'])}{guess}"
        yield about, duration(60 * review["minutes"])
    rate = c["rates"]["review"]
    if rate:
        zero = ", not distinguishable from none" if rate["includes_zero"] else ""
        yield f"points gained per hour of review{zero}", shown(rate)
    yield (
        f"compute: {count(compute['runs'], 'run')}, all architectures",
        duration(compute["seconds"]),
    )
    audits = (review or {}).get("test_audits") or {}
    if audits.get("decisions"):
        took = duration(60 * audits["minutes"]) if audits["minutes"] is not None else "not timed"
        yield f"audit of the test labels: {count(audits['decisions'], 'decision')}", took


def rates(data, rates):
    """What an hour bought: of review by the data effect, of compute by each architecture's."""
    rows, effects = [], {(e["kind"], e["version"]): e for e in data["effects"]}
    first = data["interval"]
    if first and rates["review"]:
        r = rates["review"]
        rows.append(
            (
                words(first["name"]),
                shown(first),
                f"{duration(3600 * r['hours'])} of review",
                per_hour(r),
            )
        )
    for r in rates["architectures"]:
        e = effects.get(("architecture", r["arch"]))
        if e and r["hours"]:
            rows.append(
                (words(e["name"]), shown(e), f"{duration(3600 * r['hours'])} a run", per_hour(r))
            )
    why = (
        ""
        if rates["review"]
        else f'<p class="about">Points per hour of review: {words(rates["review_reason"])}.</p>'
    )
    return (table(("", "Points gained", "Time", "Points per hour"), rows) if rows else "") + why


def per_hour(r):
    return shown(r) if r["estimate"] is not None else words(r["reason"])


def marginal(c):
    """Gain against reviews done."""
    rows = []
    for p in c["points"]:
        about = ", ".join(filter(None, (count(p["reviews"], "review"), minutes(p))))
        rows.append(p | dict(x=p["reviews"], about=about))
    t = c["last_third"]
    about = f"The last third, reviews {t['reviews'][0]:,} to {t['reviews'][1]:,}: <em>{words(t['verdict'])}</em>"
    about += f", {shown(t)} points." if t["low"] != t["high"] else "."
    about += f" The log replayed with the probe and judged on {count(c['n'], 'validation label')}, so that looking costs nothing of the test set;"
    about += " each interval speaks of its own point, not of the whole curve."
    if c["ruler_corrected"]:
        about += f" Ruler corrected: {count(c['ruler_corrected'], 'validation label')}, which is no gain."
    if c["other"]:
        about += f" {count(c['other'], 'training label')} that differ for other reasons do so at every point."
    exact = [(f"{p['reviews']:,}", minutes(p), f"{p['changed']:,}", shown(p)) for p in rows]
    exact = table(("Reviews", "Time", "Training labels changed", "Points gained"), exact)
    return section(
        "Would more reviews still pay?",
        about,
        html.curve(rows, "reviews") + folded("The curve as numbers", exact),
        level=3,
    )


def minutes(p):
    return "" if p["minutes"] is None else duration(60 * p["minutes"])


def batches(found):
    """Each batch of fixes, left out once."""
    listed = found["batches"]
    if not listed:
        return ""
    rows, exact = [], []
    for b in sorted(listed, key=lambda b: -b["changed"]):
        why, verdict = words(b["why"] or b["batch"], 60), words(b["verdict"])
        about = f"{words(b['who'], 40)}, {words(b['ts'][:10])}: {count(b['changed'], 'training label')} changed"
        rows.append((why, b, about, "sure" if sure(b) else "", [shown(b), verdict]))
        exact.append(
            (
                f"<code>{words(b['batch'])}</code>",
                why,
                f"{b['reviews']:,}",
                f"{b['changed']:,}",
                shown(b),
                holm(b),
                verdict,
            )
        )
    drawn = sorted(rows[:FIRST], key=lambda r: -r[1]["estimate"])
    about = "The probe with all reviews against the probe without this batch, on validation; verdicts by Holm over all batches."
    about += f" Drawn are the {FIRST} that changed most labels." if len(rows) > FIRST else ""
    about += (
        f" {found['left_out']:,} that changed fewer were not measured." if found["left_out"] else ""
    )
    exact = table(("Batch", "Why", "Reviews", "Changed", "Points", "Holm p", "Verdict"), exact)
    body = html.plot("verdicts", drawn) + folded("Every batch as numbers", exact)
    return section("Which batch of fixes paid", about, body, level=3)


def holm(e):
    p = e.get("p_holm")
    return "" if p is None else "&lt; 0.001" if p < 0.001 else f"{p:.3f}"


# ---- where it helped


def slices(data):
    """Each kind of slice on one axis: those with a verdict first, then those that moved most; all of them in a table."""
    w = data.get("where")
    if not w or not w["slices"]:
        return section(
            "Where it helped",
            " ".join(map(sentence, (w or {}).get("notes") or ["nothing to compare"])),
            "",
        )
    judged = [
        s for s in w["slices"] if s["estimate"] is not None and s["n"] <= MOST * data["n_test"]
    ]
    kinds, body = dict.fromkeys(s["kind"] for s in judged), ""
    chosen = {k: worth_reading([s for s in judged if s["kind"] == k]) for k in kinds}
    rows = {k: [slice_row(s) for s in some] for k, some in chosen.items()}
    ends = html.extent([r for some in rows.values() for r in some])
    for kind, some in rows.items():
        n = sum(s["kind"] == kind for s in w["slices"])
        few = (
            ""
            if n == len(some)
            else f"{len(some)} of {n:,}: those with a verdict, then those that moved furthest beyond chance."
        )
        body += section(f"By {words(kind)}", few, html.plot("verdicts", some, ends=ends), level=3)
    exact = [numbers(s) for s in w["slices"][:ROWS]]
    rest = (
        f"; the first {ROWS} of them, all with <code>assay report --json</code>"
        if len(w["slices"]) > ROWS
        else ""
    )
    head = ("Slice", "Kind", "n", "Before, %", "After, %", "Points", "Holm p", "Verdict")
    large = sum(s["n"] > MOST * data["n_test"] for s in w["slices"])
    body += (
        f'<p class="about">{count(large, "slice")} of more than {MOST:.0%} of the test set: only among the numbers below.</p>'
        if large
        else ""
    )
    body += folded(f"Every slice as numbers ({len(w['slices']):,}){rest}", table(head, exact))
    about = f"{words(w['version'])} against {words(w['against'])} on the test set, the mean over architectures. "
    return section("Where it helped", about + " ".join(sentence(n) for n in w["notes"]), body)


def numbers(s):
    """A slice as a row of a table."""
    start, verdict = (words(s["name"], 60), words(s["kind"]), f"{s['n']:,}"), words(s["verdict"])
    if s["estimate"] is None:
        return *start, "", "", "", "", verdict
    return *start, shown(s["before"], ""), shown(s["after"], ""), shown(s), holm(s), verdict


def slice_row(s):
    title = f"{interval(s['before'], '')} % before, {interval(s['after'], '')} % after"
    name = f'<span title="{title}">{words(s["name"], 60)}</span>'
    return (
        name,
        s,
        count(s["n"], "test sample"),
        "sure" if sure(s) else "",
        [shown(s), words(s["verdict"])],
    )


def worth_reading(some):
    """Those with a verdict, then those that moved furthest for their width; drawn with the largest gain first."""
    some = sorted(
        some, key=lambda s: (not sure(s), -abs(s["estimate"]) / (s["high"] - s["low"] or 1))
    )
    most = (
        2 * FIRST
        if len(some) <= 2 * FIRST and some[0]["kind"] == "class"
        else max(FIRST, min(sum(map(sure, some)), 2 * FIRST))
    )
    return sorted(some[:most], key=lambda s: -s["estimate"])


def sure(e):
    return e["verdict"].startswith(("helps", "hurts"))


def confused(data):
    """The confusion matrix before, after and the difference, of each architecture and of all."""
    c = (data.get("where") or {}).get("confusion")
    if not c:
        return ""
    listed = []
    for m in c["changed"][: 2 * FIRST]:
        name = f"{words(m['from'], 40)} → {words(m['to'], 40)}"
        listed.append((name, amount(m["before"]), amount(m["after"]), amount(m["difference"], "+")))
    listed = table(("Changed most", "Before", "After", "Change"), listed) if listed else ""
    means = c.get("mean") or next(iter(c["by_arch"].values()), None)
    if not means:
        about = f"{len(c['classes']):,} classes are too many for a matrix; the mistakes whose counts changed most, mean over runs."
        return section("What is taken for what", about, listed)
    chosen, k = html.most_changed(means["before"], means["after"]), len(c["classes"])
    panels = [("mean of all", c["mean"])] * (len(c["by_arch"]) > 1 and bool(c.get("mean"))) + list(
        c["by_arch"].items()
    )
    body = ""
    for i, (name, m) in enumerate(panels):
        grid = html.confusion(c["classes"], m["before"], m["after"], chosen)
        pick = f'<input type="radio" name="arch" id="arch-{i}"{" checked" * (i == 0)}><label for="arch-{i}">{words(name, 40)}</label>'
        body += f'<div class="tab">{pick if len(panels) > 1 else ""}{grid}</div>'
    pick = html.choice("view", ("Before", "After", "Difference"), 2)
    views = (
        f'<div class="views" style="--k:{len(chosen)}">{pick}<div class="tabs">{body}</div></div>'
    )
    few = (
        f" The {len(chosen)} classes of {k:,} whose mistakes changed most."
        if len(chosen) < k
        else ""
    )
    about = f"Test samples by label (rows) and prediction (columns), mean over runs.{few} In colour what is right, or became better."
    return section("What is taken for what", about, f'<div class="beside">{views}{listed}</div>')
