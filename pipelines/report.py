"""What an experiment looks like to its reader: one HTML page that holds everything it shows, the verdict first."""

import base64
import json
import math
import os
import platform
import re
from contextlib import suppress
from html import escape
from importlib import metadata
from pathlib import Path

from curation import history, images
from curation.errors import UserError
from pipelines.experiment import KEYS, RECIPE

SHEET = 24  # pictures on a contact sheet
PACKAGES = "numpy torch scikit-learn scipy cleanlab pandas duckdb pillow".split()
ABOUT = dict(data="data: other labels, same architectures", architecture="architecture: same labels, another model")
ABOUT |= dict(interaction="interaction: is the data effect another there?", control="random control: as many labels, by chance")
ABOUT |= dict(ceiling="ceiling: every label clean")


def write(bench, data, path):
    """Write the page of `data` (compare.report_data) to `path`; returns it, absolute. Nobody ever meets half a page."""
    path, plan = Path(path).absolute(), data["plan"]
    packages = {"Python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}
    made = dict(bench=bench.path.name, packages=packages)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_bytes(page(data | dict(made=made), pictures(bench, plan)).encode("utf-8", "replace"))
        os.replace(half, path)
    except OSError as e:
        with suppress(OSError):
            half.unlink()
        raise UserError(f"expected to write the report to {path}, found: {e.strerror}", "make the folder, or choose another -o") from None
    return path


def pictures(bench, plan):
    """Contact sheets `changed` and `open` of train and val samples (test stays unseen): lists of dict(jpeg, name, was, now, text)."""
    fixed, dropped = changes(bench, plan["versions"][0], plan["versions"][-1])
    out = dict(changed=sheet(fixed), n_changed=len(fixed), n_dropped=dropped, who=sorted(set(fixed.who.dropna())), no_queue=None)
    try:
        doubted = bench.issues("label")
    except UserError as e:  # the experiment stands without a queue
        return out | dict(open=[], n_open=0, no_queue=e.problem)
    names = dict(path="uri", source_id="key", label="was", suggestion="now", why="text")
    doubted = doubted[doubted.split.isin(("train", "val"))].rename(columns=names)
    return out | dict(open=sheet(doubted), n_open=len(doubted))


def changes(bench, first, last):
    """(frame uri, key, was, now, who, text of train and val labels that differ between versions, worst score first; samples dropped)."""
    before, after = bench.state(first), bench.state(last)
    before = before.reindex(after.index)  # what was imported in between has no label before
    seen = before.split.isin(("train", "val")) & after.split.isin(("train", "val"))
    moved = seen & after.keep & before.label.notna() & after.label.notna() & (before.label != after.label)
    frame = after.assign(was=before.label, now=after.label)[moved].reset_index(names="id")[["id", "uri", "key", "was", "now"]]
    edits = bench.query("""with e as (select *, value ->> '$' as now, suggested ->> 'suggested_label' as hint from edits)
        select sample as id, now, who, try_cast(suggested ->> 'score' as double) as score, concat_ws(', ',
            if(hint = now, 'as suggested', 'suggested: ' || hint), printf('score %.2f', score),
            if(suggested ->> 'random' = 'true', 'drawn at random', null)) as text
        from e where field = 'label' and verdict = 'set' and batch like 'edit-%' order by seq""")
    frame = frame.merge(edits.drop_duplicates(["id", "now"], keep="last"), "left", ["id", "now"]).sort_values("score", kind="stable")
    return frame.assign(text=frame.text.fillna("")), int((seen & before.keep.eq(True) & ~after.keep).sum())


def sheet(frame):
    """The first rows of a frame uri, key, was, now, text, with their pictures."""
    out = []
    for row in frame.head(SHEET).itertuples():
        try:
            jpeg = images.thumbnail(row.uri, side=128)
        except images.BadImage:  # gone or damaged since it was imported
            jpeg = None
        out.append(dict(jpeg=jpeg, name=row.key, was=row.was, now=row.now, text=row.text))
    return out


def words(text, most=120):
    """Text from outside, or a list of such: cut to a length that no layout breaks on, and escaped."""
    text = ", ".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)
    return escape(text if len(text) <= most else text[: most - 1] + "…")


def sentence(text):
    return words(text[:1].upper() + text[1:], 400).rstrip(".") + "."


def count(n, noun):
    return f"{n:,} {noun}{'s' * (n != 1)}"


def shown(e, sign="+", unit=""):
    """A difference in points with its interval; an accuracy without a sign."""
    value, low, high = ("0.0" if abs(e[k]) < 1e-9 else f"{100 * e[k]:{sign}.1f}".replace("-", "−") for k in ("estimate", "low", "high"))
    return f'<b>{value}{unit}</b> <span class="range">[{low}, {high}]</span>'


def section(title, about, body):
    return f'<section><h2>{title}</h2><p class="about">{about}</p>{body}</section>'


def terms(kind, pairs):
    return f'<dl class="{kind}">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)}</dl>'


def plot(kind, rows, margin, unseen=None):
    """Intervals on one axis. rows: (name, estimate or None for the unseen range, about, class, cells); margin, unseen: half widths."""
    ends = [x for _, e, *_ in rows if e for x in (e["low"], e["high"])] + [x for half in (margin, unseen) if half for x in (-half, half)]
    low, high = 1.07 * min(0, *ends) - 0.07 * max(0, *ends) - 1e-4, 1.07 * max(0, *ends) - 0.07 * min(0, *ends) + 1e-4
    power = 10 ** math.floor(math.log10(100 * (high - low) / 7))
    step = next(k * power for k in (1, 2, 5, 10) if 7 * k * power >= 100 * (high - low))  # at most seven ticks, round ones

    def at(x):
        return 100 * (x - low) / (high - low)

    def bar(kind, a, b, y, height):
        return f'<rect class="{kind}" x="{at(a):.2f}%" width="{at(b) - at(a):.2f}%" y="{y}%" height="{height}%"/>'

    ground = bar("band", -margin, margin, 0, 100) if margin else ""
    ground += f'<line x1="{at(0):.2f}%" x2="{at(0):.2f}%" y2="100%"/>'
    body = marks = ""
    for name, e, about, weight, cells in rows:
        y, r = (44, 9) if weight else (47, 6)
        mark = bar("unseen", -unseen, unseen, 35, 30) if e is None else bar("bar", e["low"], e["high"], y, 2 * (50 - y))
        mark += f'<circle cx="{at(e["estimate"]):.2f}%" cy="50%" r="{r}"/>' if e else ""
        body += f'<tr class="{weight}"><th scope="row">{name}<small>{about}</small></th>'
        body += f'<td class="draw"><svg aria-hidden="true">{ground}{mark}</svg></td>{"".join(f"<td>{c}</td>" for c in cells)}</tr>'
    for k in range(math.ceil(100 * low / step), math.floor(100 * high / step) + 1):
        marks += f'<text x="{at(k * step / 100):.2f}%" y="1em">{f"{k * step:+.4g}".replace("-", "−") if k else "0 points"}</text>'
    axis = f'<tr><th></th><td class="draw"><svg aria-hidden="true">{marks}</svg></td></tr>'
    return f'<table class="plot {kind}"><tbody>{body}{axis}</tbody></table>'


def page(data, pictures):
    """The whole page. `data`: compare.report_data, and `made` (see write); `pictures`: see pictures."""
    parts = [hero(data), found(data), matrix(data), effects(data), *sheets(data["plan"], pictures), again(data)]
    hatch = '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line y2="6"/></pattern>'
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words(data["question"])} - Assay</title><style>{STYLE}</style></head>
<body><svg class="hatch" aria-hidden="true">{hatch}</svg><main>{"".join(parts)}</main></body></html>
"""


def hero(data):
    """The verdict, and the gain drawn beside its control, its ceiling and what this test cannot see."""
    first, unseen, margin = data["interval"], data["smallest_effect"], data["margin"] if data["test"]["audited"] else None
    n = f"{count(data['n_test'], 'test sample')} and {count(len(data['seeds']), 'seed')}"
    verdict = re.sub(r"(\[[^\]]*\])", r'<span class="range">\1</span>', re.sub(r"(?<!\w)-(?=\d)", "−", sentence(data["verdict"])))
    if first:
        verdict = re.sub(f"(?i)({re.escape(first['verdict'])})", r"<em>\1</em>", verdict, count=1)
    drawn = [e for e in data["effects"] if e["kind"] == "data"] + data["beside"]
    rows = [(words(e["name"]), e, ABOUT[e["kind"]], "main" if e is first else "", [shown(e)]) for e in drawn]
    notes = ["Dot: the gain on the test set. Bar: its 95 % interval."] if rows else []
    if rows and margin:
        notes.append(f"Grey: under ±{100 * margin:.1f} points, which the plan calls too small to matter.")
    if rows and unseen:
        rows.append(("cannot be seen", None, f"with {n}", "", [f"within <b>±{100 * unseen:.1f}</b>"]))
        notes.append(f"Hatched: gains that {n} would miss more than one time in five.")
    if not data["test"]["audited"]:
        notes.append("The test labels are unaudited, so no gain is called too small to matter.")
    notes += [audit_note(data, first)] if first and "given" in first else []
    notes += [sentence(data[k]) for k in ("interval_reason", "seeds_note") if data[k]]
    top = f'<p class="about">{words(data["question"], 300)}</p><h1 class="{"long" * (len(data["verdict"]) > 140)}">{verdict}</h1>'
    return f'<header>{top}{plot("gains", rows, margin, unseen) if rows else ""}<p class="about">{" ".join(notes)}</p></header>'


def audit_note(data, first):
    """What an audit of the test labels found, and what the gain would be without it."""
    a, given = data["test"]["audit"], f"{100 * first['given']:+.1f} points".replace("-", "−")
    wrong = f"{a['noise']['wrong']:,} were wrong and {a['unsure']:,} left unsure"
    return f"Of {a['n']:,} test labels audited blind {wrong}; by the labels as given the gain would be {given}."


def found(data):
    """What people found wrong, beside what chance would have found."""
    review, chance, left = data["review"], (data["control"] or {}).get("review"), data["review"]["errors_left"]
    if not review["reviewed"]:
        return section("What was found", "Nobody has reviewed a label yet.", "")
    cards = [(f"reviewed labels were wrong; {review['unsure']:,} left unsure", f"{review['wrong']:,} of {review['reviewed']:,}")]
    if chance and chance["reviewed"]:
        cards.append(("were wrong where chance picked them, for the control", f"{chance['wrong']:,} of {chance['reviewed']:,}"))
    cards.append(("wrong in the random stratum of the review", words(history.rate(review["hits"], review["looks"]))))
    wait = "" if left else f"; that takes 30 random looks, there are {review['looks']:,}"
    rest = f"errors left among {review['population'] - review['reviewed']:,} labels that nobody reviewed{wait}"
    cards.append((rest, "{:,.0f} [{:,.0f}, {:,.0f}]".format(*left) if left else "not yet known"))
    about = "All reviews so far. Wrong is what a reviewer relabelled or dropped; only random looks say how much is wrong in all."
    return section("What was found", about, terms("cards", cards))


def matrix(data):
    """Every version x architecture: accuracy and balanced accuracy, each with its interval and n."""
    gains, rows = {(e["version"], e["arch"]): e for e in data["per_architecture"]}, {}
    for c in data["cells"]:
        head = f'<th scope="row">{words(c["version"])}<small>{count(c["n_train"], "training label")}</small></th>'
        rows.setdefault(c["version"], [head]).append(f"<td>{cell(c, gains.get((c['version'], c['arch'])))}</td>")
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows.values())
    about = f"Accuracy on {count(data['n_test'], 'locked test sample')} with 95 % intervals; gain in points over"
    return section("Every cell", f"{about} {words(data['plan']['versions'][0])}.", f'<table class="matrix"><tbody>{body}</tbody></table>')


def cell(c, against):
    e, spread = c["accuracy"], "unknown" if c["seed_spread"] is None else f"{100 * c['seed_spread']:.1f}"
    out = f'<p>{words(c["arch"])}</p><p class="big">{shown(e, "", "&nbsp;%")}</p><p>balanced {shown(c["balanced"], "", "&nbsp;%")}</p>'
    out += f"<p>gain {shown(against)}</p>" if against else ""
    out += f"<small>{count(e['n'], 'test sample')}, {count(e['seeds'][0], 'seed')}, seed spread {spread}</small>"
    return out + (f"<p><b>diverged, but counted: seed {words(c['diverged'])}</b></p>" if c["diverged"] else "")


def effects(data):
    """Data, architecture and interaction, each with its interval, Holm's p and a verdict; then the random control."""
    rows, c = [], data["control"]
    for e in data["effects"]:
        p = "p &lt; 0.001" if e["p_holm"] < 0.001 else f"p {e['p_holm']:.3f}"
        cells = [shown(e), f'<small class="range">Holm {p}</small>', words(e["verdict"])]
        rows.append((words(e["name"]), e, ABOUT[e["kind"]], "main" if e is data["interval"] else "", cells))
    body = plot("effects", rows, data["margin"] if data["test"]["audited"] else None) if rows else ""
    body += "" if data["interaction"] else f'<p class="about">No interaction: {words(data["interaction_reason"])}.</p>'
    beyond = f"; {words(data['plan']['versions'][-1])} against it {shown(c['beyond'])} points" if c and c.get("beyond") else ""
    chance = f"Random control, what as many labels are worth when chance picks them: {shown(c)} points{beyond}." if c else ""
    body += f'<p class="about">{chance or sentence(data["control_reason"])}</p>'
    about = "In points, with 95 % intervals. p and verdict, by Holm, allow for how many effects are looked at."
    none = "None to show: it takes two versions with different training labels, or two architectures."
    return section("Effects", about if rows else none, body)


def sheets(plan, pictures):
    """Labels that were changed, and labels that are still under suspicion, as pictures."""
    n, more, between = pictures["n_changed"], pictures["n_open"], f"{words(plan['versions'][0])} and {words(plan['versions'][-1])}"
    about = f"{len(pictures['changed'])} of {count(n, 'label')} that differ between {between}, worst score first"
    about = about if n else f"No train or validation label differs between {between}"
    about += f"; {count(pictures['n_dropped'], 'sample')} dropped" if pictures["n_dropped"] else ""
    about += f". Changed by {words(pictures['who'])}." if pictures["who"] else "."
    about = about if len(plan["versions"]) > 1 else "None to show: the plan has one version."
    yield section("Labels that were changed", about, figures(pictures["changed"], "<s>{}</s> <em>→&nbsp;{}</em>"))
    about = f"{len(pictures['open'])} of {count(more, 'label')} that nobody has reviewed and the model would choose otherwise, worst first."
    none = "None: the model doubts no label that is not reviewed." if not pictures["no_queue"] else sentence(pictures["no_queue"])
    yield section("Most suspect labels still open", about if more else none, figures(pictures["open"], "{}, or&nbsp;<em>{}?</em>"))


def figures(sheet, labels):
    out = ""
    for s in sheet:
        name, jpeg = words(s["name"], 300), base64.b64encode(s["jpeg"] or b"").decode()
        picture = f'<img alt="{name}" src="data:image/jpeg;base64,{jpeg}">' if jpeg else "<p>cannot be read now</p>"
        caption = f"<b>{labels.format(words(s['was'], 60), words(s['now'], 60))}</b> {words(s['text'], 160)}"
        out += f'<figure title="{name}">{picture}<figcaption>{caption}</figcaption></figure>'
    return f'<div class="sheet">{out}</div>'


def audit_facts(a):
    n, share = a["noise"]["n"], a["noise"]["share"]
    share = " = {:.1%} [{:.1%}, {:.1%}]".format(*share) if share else ", too few for a share"
    return f"audited blind: {a['audited']:,} of {a['of']:,}, {a['unsure']:,} unsure; wrong {a['noise']['wrong']:,} of {n:,}{share}"


def again(data):
    """Everything that is needed to run it again."""
    plan, made, test = data["plan"], data["made"], data["test"]
    toml = "\n".join(f"{k} = {json.dumps(plan[k], ensure_ascii=False)}" for k in KEYS if plan.get(k) is not None)
    commits = [f"{words(r['name'])}: {words(r['why'])} ({words(r['who'])}, {r['ts'][:10]})" for r in data["log"] if r["kind"] == "commit"]
    audit = "declared audited" if test["audited"] else f"unaudited; in the random stratum of train and val {words(test['noise'])} wrong"
    audit = audit_facts(test["audit"]) if test.get("audit") else audit
    facts = dict(
        trees="<br>".join(f"{words(v)} <code>{words(t)}</code>" for v, t in data["tree"].items()),
        commits="<br>".join(commits) or "none",
        test=f"{count(test['n'], 'sample')} <code>{words(test['hash'])}</code>, labels {audit}",
        recipe=f"{RECIPE}, code {words(data['code'])}" + " <b>(cells were trained by different code)</b>" * (len(data["code"]) > 1),
        packages=words([f"{k} {v}" for k, v in made["packages"].items()], 400),
    )
    body = f"<pre>{escape(toml)}</pre><pre>assay experiment plan.toml -b {words(made['bench'])}</pre>{terms('facts', facts.items())}"
    return section("Run it again", "Save the plan as plan.toml. Runs that the bench still has are not trained again.", body)


STYLE = """
:root { --paper: #fbfaf8; --sheet: #fff; --ink: #1e1d1b; --soft: #67635c; --line: #e5e1da; --band: #edebe6; --accent: #0b6b72 }
@media screen and (prefers-color-scheme: dark) { :root { color-scheme: dark; --paper: #151617; --sheet: #1c1e1f; --ink: #eceae6;
  --soft: #a6a29a; --line: #323435; --band: #26292a; --accent: #62c6cc } } * { box-sizing: border-box; margin: 0; padding: 0 }
body { background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; print-color-adjust: exact }
main { max-width: 66rem; margin: 0 auto; padding: clamp(2rem, 5vw, 5rem) clamp(1rem, 4vw, 3rem) }
section { margin-top: clamp(3rem, 6vw, 4.5rem); padding-top: 1.5rem; border-top: 1px solid var(--line) }
h1 { font-size: clamp(1.5rem, 1rem + 2vw, 2.25rem); line-height: 1.25; letter-spacing: -.015em; margin: .5rem 0 2.5rem }
h1.long { font-size: clamp(1.25rem, 1rem + 1vw, 1.625rem) } h1, .about { max-width: 50rem; text-wrap: pretty }
h2, .cards dd { font-size: 1.25rem; line-height: 1.3 } h1, h2, b, th, .cards dd { font-weight: 600 }
.about, small, dt, s, figcaption, p .range, td .range { color: var(--soft) } em, .main td b { font-style: normal; color: var(--accent) }
.range { white-space: nowrap } .about, .matrix p { font-size: .9375rem } .matrix .big { font-size: 1.1875rem }
small, figcaption, code, pre, text { font-size: .8125rem } small { display: block; font-weight: 400 } dt, .facts { font-size: .875rem }
.about { margin-top: .25rem } table, .cards, .sheet, pre, .facts { margin-top: 1.25rem } .about:not(h2 + *) { margin-top: 1rem }
table, tbody { display: block; text-align: left } th { line-height: 1.35 } .matrix th { grid-area: 1 / 1 / span 9 / 2 }
.cards, .sheet, .matrix tr { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem }
.matrix tr { gap: 0 1rem; border-top: 1px solid var(--line); padding-top: 1rem } .matrix tr > * { padding-bottom: 1rem }
.cards div { display: flex; flex-flow: column-reverse; justify-content: flex-end; gap: .25rem } pre { white-space: pre-wrap }
.cards div, pre { padding: 1rem; background: var(--sheet); border-radius: 10px; border: 1px solid var(--line) }
.sheet { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); row-gap: 1.5rem } figcaption { line-height: 1.4; margin-top: .5rem }
img, figure p { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--band); border-radius: 6px }
figcaption b { display: block; color: var(--ink) } s { font-weight: 400 } pre, code { font-family: ui-monospace, Menlo, monospace }
.plot tr { display: grid; grid-template-columns: 1fr auto; column-gap: 1.5rem; align-items: center } .plot th { padding: .625rem 0 }
.draw { position: relative; grid-area: 2 / 1 / 3 / 3; align-self: stretch; min-height: 2rem } text { text-anchor: middle }
svg { position: absolute; left: 0; width: 100%; height: 100%; overflow: visible } .facts div { padding: .375rem 0 }
.hatch { height: 0 } .hatch line { stroke-width: 1.5 } line { stroke: var(--soft) } .draw line { stroke-dasharray: 2 3 }
.band { fill: var(--band) } .unseen { fill: url(#hatch) }
.bar, circle, text { fill: var(--soft) } .main :is(.bar, circle) { fill: var(--accent) } circle { stroke: var(--paper); stroke-width: 2 }
@media (min-width: 40rem) { .gains .draw { grid-area: auto } .gains tr { grid-template-columns: 16rem 1fr 10rem } }
@media (min-width: 60rem) { .effects .draw { grid-area: auto } .effects tr { grid-template-columns: 16rem 1fr 9.5rem 6rem 8rem } }
@media print { :root { --paper: #fff; font-size: 80% } main { padding: 0; max-width: none } h2, .about { break-after: avoid }
  figure, tr, .cards div, pre { break-inside: avoid } .sheet { grid-template-columns: repeat(6, 1fr) } section { margin-top: 2rem } }
"""
