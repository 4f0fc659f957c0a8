"""What an experiment looks like to its reader: one HTML page that holds everything it shows, the verdict first."""

import json
import os
import platform
import re
from contextlib import suppress
from hashlib import sha256
from html import escape
from importlib import metadata
from pathlib import Path

import numpy as np

from assay import curation
from assay.curation.errors import UserError
from assay.curation.review import rates
from assay.curation.storage.arrays import load, save
from assay.curation.system import permissions
from assay.pipelines.evaluation.compare import report_data
from assay.pipelines.experiments.plan import RECIPE, duration
from assay.pipelines.jobs import job_files
from assay.pipelines.reports import cost_sections, dataset_section, image_sections
from assay.pipelines.reports.html import (
    count,
    extent,
    folded,
    interval,
    plot,
    points,
    section,
    sentence,
    shown,
    stylesheet,
    terms,
    words,
)
from assay.pipelines.reports.markdown import audit_facts, blind, chance, toml

MOST = 3_000_000  # bytes of a page: what a mailbox takes and a phone opens
PACKAGES = "numpy torch scikit-learn scipy cleanlab pandas duckdb pillow".split()
ABOUT = dict(
    data="data: other labels, same architectures",
    architecture="architecture: same labels, another model",
)
ABOUT |= dict(
    interaction="interaction: is the data effect another there?",
    control="random control: as many labels, by chance",
)
NO_SPREAD = "not distinguishable from 0"  # the estimate of a variance that came out below nothing
ABOUT |= {
    "ceiling": "ceiling: every label clean",
    "beyond chance": "the automatic fix less its random control",
}


def report(bench, plan, path=None):
    """Judge the finished runs of `plan` and write the page to `path`: (compare.report_data, the path, absolute). The last one is kept: where nothing
    has changed since, neither runs nor log nor code, nothing is judged again. Without a path no page is written."""
    key, file = state_key(bench, plan), bench.arrays / "report.npz"
    try:
        kept = load(file)
    except UserError:  # damaged: it is derived
        kept = None
    if kept is None or str(kept["key"]) != key:
        data = json.loads(json.dumps(report_data(bench, plan), default=str))
        kept = dict(
            key=np.array(key),
            data=np.array(json.dumps(data)),
            page=np.frombuffer(html(bench, data), "u1"),
        )
        with suppress(OSError):  # a bench that nobody may write is judged again each time
            save(file, **kept)
    return json.loads(str(kept["data"])), path and put(kept["page"].tobytes(), path)


def state_key(bench, plan):
    """A hash of all that a report follows from: the plan, the log, the scan, the runs, and the code that judges and draws."""
    seen = [
        plan,
        bench.rows("select key, value from meta order by key"),
        bench.rows("select key, ts::varchar from runs order by key"),
    ]
    seen += [
        bench.rows("select name, upto from commits order by name"),
        sorted(made(bench).items()),
    ]
    seen += [
        sorted(
            (job["name"], job["error"])
            for job in job_files.states(bench)
            if job["state"] == "failed"
        )
    ]
    seen += [
        str((load(bench.arrays / "map.npz", ["method"]) or {}).get("method"))
    ]  # umap draws it when the scan has long ended
    folders = Path(curation.__file__).parent, Path(__file__).parents[1]
    code = [
        f.read_bytes()
        for folder in folders
        for f in sorted(folder.rglob("*"))
        if f.suffix in (".py", ".css")
    ]
    return sha256(json.dumps(seen, default=str).encode() + b"".join(code)).hexdigest()


def html(bench, data):
    """The page of `data` (compare.report_data) as bytes, with the pictures that the bench has for it."""
    flipped = None
    if (data.get("where") or {}).get("flips"):
        from assay.pipelines.evaluation.slice_effects import flip_frames

        flipped = flip_frames(bench, data["where"])
    pictures = image_sections.pictures(bench, data["plan"], flipped) | dict(
        panorama=dataset_section.gathered(bench)
    )
    return small(data | dict(made=made(bench)), pictures)


def put(page, path):
    """Write the bytes of a page to `path`; returns it, absolute. Nobody ever meets half a page."""
    path = Path(path).absolute()
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        permissions.touch(half).write_bytes(page)
        os.replace(half, path)
    except OSError as e:
        with suppress(OSError):
            half.unlink()
        raise UserError(
            f"expected to write the report to {path}, found: {e.strerror}",
            "make the folder, or choose another -o",
        ) from None
    return path


def made(bench):
    scan = bench.rows("select value::json ->> 'folder' from meta where key = 'scan'")
    embedding = (
        scan[0][0] if scan else "none, not scanned"
    )  # its name ends with the engine: figures of two differ a little
    packages = {"Python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}
    return dict(bench=bench.path.name, embedding=embedding, packages=packages)


def small(data, pictures):
    """The page as bytes, with as many pictures as MOST allows."""
    for most in (image_sections.SHEET, 18, 12, 6, 3, 0):
        cut = image_sections.fewer(pictures, most) | dict(
            panorama=dataset_section.fewer(pictures.get("panorama"), most)
        )
        html = page(data, cut).encode("utf-8", "replace")
        if len(html) < MOST:
            break
    return html


def page(data, pictures):
    """The whole page. `data`: compare.report_data, and `made` (see write); `pictures`: see sheets.pictures."""
    parts = [
        found(data),
        matrix(data),
        effects(data),
        cost_sections.about_costs(data),
        cost_sections.slices(data),
        cost_sections.confused(data),
    ]
    if (data.get("where") or {}).get("flips"):
        parts.append(image_sections.flipped(data["where"], pictures))
    parts += [
        image_sections.changed(data["plan"], pictures),
        image_sections.still_open(pictures),
        dataset_section.unseen(pictures.get("panorama")),
    ]
    parts += [fairness(data), again(data)]
    hatch = '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line y2="6"/></pattern>'
    places = re.findall(r'<section class="part" id="([^"]*)"><h2>(.*?)</h2>', "".join(parts))
    contents = "".join(f'<a href="#{place}">{title}</a>' for place, title in places)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words(data["question"])} - Assay</title><style>
{stylesheet()}</style></head>
<body><svg class="hatch" aria-hidden="true">{hatch}</svg><main>{hero(data)}<nav>{contents}</nav>{"".join(parts)}</main></body></html>
"""


# ---- the verdict


def hero(data):
    """The verdict, and the gain drawn beside its control, its ceiling and what this test cannot see."""
    first, power, margin = (
        data["interval"],
        data["power"],
        data["margin"] if data["test"]["audited"] else None,
    )
    unseen, n = (
        power and power["smallest"],
        f"{count(data['n_test'], 'test sample')} and {count(len(data['seeds']), 'seed')}",
    )
    drawn = [e for e in data["effects"] if e["kind"] == "data"] + data["beside"]
    rows = [
        (
            words(e["name"]),
            e,
            ABOUT.get(e["kind"], e["kind"]),
            "main" if e is first else "",
            [shown(e)],
        )
        for e in drawn
    ]
    key, notes = ["Dot: the gain on the test set. Bar: its 95 % interval."] if rows else [], []
    if any("given" in e for e in drawn):
        key.append("Hollow: the same by the test labels as given.")
    if rows and margin:
        key.append(
            f"Grey: under ±{points(margin, '')} points, which the plan calls too small to matter."
        )
    if rows and unseen:
        rows.append(
            ("cannot be seen", None, f"with {n}", "", [f"within <b>±{points(unseen, '')}</b>"])
        )
        key.append(f"Hatched: gains that {n} would miss more than one time in five.")
    notes += [sentence(blind(data))] if blind(data) else []
    if not data["test"]["audited"]:
        notes.append("The test labels are unaudited, so no gain is called too small to matter.")
    notes += [asked(power)] if power and power.get("asked") else []
    notes += [audit_note(data, first)] if first and "given" in first else []
    notes += [
        sentence(data[k])
        for k in ("interval_reason", "seeds_note")
        if data[k] and data[k] not in data["verdict"]
    ]
    drawn = (
        plot("gains", rows, margin, unseen) + f'<small class="about">{" ".join(key)}</small>'
        if rows
        else ""
    )
    notes = f'<p class="about">{" ".join(notes)}</p>' if notes else ""
    return f'<header><p class="about">{words(data["question"], 300)}</p>{verdict(data)}{drawn}{notes}</header>'


def verdict(data):
    """The verdict as the page's title: the answer in colour, what it rests on and what to do next small below it."""
    main, *rest = sentence(data["verdict"], 1200).split("; ", 1)
    answer, *more = main.split(": ", 1)
    out = f"<em>{answer}</em>: {more[0]}" if more and data["interval"] else main
    out += f'<i>; </i><span class="rest">{rest[0]}</span>' if rest else ""
    out = re.sub(
        r"(\[[^\]<]*\])", r'<span class="range">\1</span>', re.sub(r"(?<![\w-])-(?=\d)", "−", out)
    )
    return f'<h1 class="{"long" * (len(main) > 140)}">{out}</h1>'


def asked(power):
    """How often this experiment would see an effect of the size that was asked about; what would see it more often, the verdict says."""
    size = points(power["asked"], "")
    if power["power"] is None:
        return f"Whether {size} points would be seen takes two seeds to say."
    return f"An effect of the {size} points asked about would be seen {power['power']:.0%} of the time."


def audit_note(data, first):
    """What an audit of the test labels found, and what the gain would be without it."""
    a, given = (
        data["test"].get("audit"),
        f"by the labels as given the gain would be {interval(first['given'])} points",
    )
    if not a:
        return sentence(given)
    wrong = f"{a['noise']['wrong']:,} were wrong and {a['unsure']:,} left unsure"
    return f"Of {a['n']:,} test labels audited blind {wrong}; {given}."


def found(data):
    """What people found wrong, beside what chance found or would have found."""
    review, control, left = data["review"], data["control"] or {}, data["review"]["errors_left"]
    if not review["reviewed"]:
        return section("What was found", "Nobody has reviewed a label yet.", "")
    cards = [
        (
            f"reviewed labels were wrong; {review['unsure']:,} left unsure",
            f"{review['wrong']:,} of {review['reviewed']:,}",
        )
    ]
    chance = control.get("review")
    if control.get("estimated"):
        about = f"would be wrong of {control['reviews']:,} picked by chance, by {control['looks']:,} random looks; wrong here"
        cards.append(
            (
                f"{about} {control['found']:,}",
                "{:,.0f} [{:,.0f}, {:,.0f}]".format(*control["would_find"]),
            )
        )
    elif chance and chance["reviewed"]:
        cards.append(
            (
                "were wrong where chance picked them, for the control",
                f"{chance['wrong']:,} of {chance['reviewed']:,}",
            )
        )
    cards.append(("wrong in the random stratum of the review", words(rates.random_rate(review))))
    wait = "" if left else f"; that takes 30 random looks, there are {review['looks']:,}"
    among = review["population"] - review["reviewed"] + review["unsure"]
    rest = f"errors left among {among:,} labels that nobody {'is sure of' if review['unsure'] else 'reviewed'}{wait}"
    cards.append((rest, rates.left_words(review) or "not yet known"))
    about = "All reviews so far. Wrong is what a reviewer relabelled or dropped; only random looks say how much is wrong in all."
    return section("What was found", about, terms("cards", cards))


# ---- the cells and the effects


def matrix(data):
    """Every version x architecture: accuracy drawn on one axis, balanced accuracy and gain, each with its interval and n."""
    gains, rows = {(e["version"], e["arch"]): e for e in data["per_architecture"]}, {}
    low, high = (
        min(c["accuracy"]["low"] for c in data["cells"]),
        max(c["accuracy"]["high"] for c in data["cells"]),
    )
    for c in data["cells"]:
        kind = {"control": "random control", "ceiling": "ceiling"}.get(c["kind"], "")
        about = f"{kind}, " * bool(kind) + count(c["n_train"], "training label")
        head = f'<th scope="row">{words(c["version"])}<small>{about}</small></th>'
        rows.setdefault(c["version"], [head]).append(
            f"<td>{cell(c, gains.get((c['version'], c['arch'])), low, high)}</td>"
        )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows.values())
    lost = sum(len(d["seeds"]) for d in data["diverged"])
    about = f"Accuracy on {count(data['n_test'], 'locked test sample')} with 95 % intervals, all drawn from {points(low, '')} to {points(high, '')} %;"
    about += (
        f" gain in points over {words(data['plan']['versions'][0])}."
        + f" {count(lost, 'run')} that diverged left out." * (lost > 0)
    )
    about += f" {count(len(data['failed']), 'run')} that failed left out." * bool(data["failed"])
    lent = "Cells of one architecture lend each other their seed spread, so the same run may get another interval in another plan."
    names = [
        f"{f['arch']} on {f['version']}, seed {f['seed']}: {f['error']}" for f in data["failed"]
    ]
    names = (
        f"<p><b>failed and left out:</b></p><ul>{''.join(f'<li>{words(name, 300)}</li>' for name in names)}</ul>"
        if names
        else ""
    )
    return section(
        "Every cell",
        about,
        f'<table class="matrix"><tbody>{body}</tbody></table>{names}<small class="about">{lent}</small>',
    )


def cell(c, against, low, high):
    e, spread = (
        c["accuracy"],
        "unknown"
        if c["seed_spread"] is None
        else points(c["seed_spread"], "")
        if c["seed_spread"]
        else NO_SPREAD,
    )
    a, b, x = (100 * (e[k] - low) / (high - low or 1) for k in ("low", "high", "estimate"))
    drawn = f'<rect class="bar" x="{a:.1f}%" width="{b - a:.1f}%"/><circle cx="{x:.1f}%" cy="50%"/>'
    out = f'<p class="arch">{words(c["arch"])}</p><p class="big">{shown(e, "", "&nbsp;%")}</p><svg class="dot" aria-hidden="true">{drawn}</svg>'
    out += f"<p>gain {shown(against)}</p>" if against else ""
    out += f"<p>balanced {shown(c['balanced'], '', '&nbsp;%')}</p>"
    out += f"<p>as given {shown(e['given'], '', '&nbsp;%')}</p>" if "given" in e else ""
    out += f"<small>{count(e['n'], 'test sample')}, {count(e['seeds'][0], 'seed')}, seed spread {spread}</small>"
    return out + (
        f"<p><b>diverged and left out: seed {words(c['diverged'])}</b></p>" if c["diverged"] else ""
    )


def effects(data):
    """Data, architecture and interaction, each with its interval, Holm's p and a verdict; then the random control."""
    rows, margin = [], data["margin"] if data["test"]["audited"] else None
    for e in data["effects"]:
        cells = [
            shown(e),
            f'<small class="range">Holm p {cost_sections.holm(e)}</small>',
            words(e["verdict"]),
        ]
        rows.append(
            (words(e["name"]), e, ABOUT[e["kind"]], "main" if e is data["interval"] else "", cells)
        )
    more = (
        [r for r, e in zip(rows, data["effects"]) if e["kind"] == "interaction"]
        if len(rows) > 8
        else []
    )
    body = (
        plot("effects", [r for r in rows if r not in more], margin, ends=extent(rows))
        if rows
        else ""
    )
    if more:
        body += folded(
            f"{count(len(more), 'interaction')}", plot("effects", more, margin, ends=extent(rows))
        )
    body += (
        ""
        if data["interaction"]
        else f'<p class="about">No interaction: {words(data["interaction_reason"])}.</p>'
    )
    body += f'<p class="about">{sentence(chance(data))}</p>'
    about = "In points, with 95 % intervals. p and verdict, by Holm, allow for how many effects are looked at."
    none = (
        "None to show: it takes two versions with different training labels, or two architectures."
    )
    return section("Effects", about if rows else none, body)


# ---- what a reader must know before believing it


def fairness(data):
    """The test version, what is known of its labels, how often it was looked at, and what train shares with it."""
    f, test = data.get("fairness") or {}, data["test"]
    labels = (
        "declared audited"
        if test["audited"]
        else f"unaudited; in the random stratum of train and val {words(test['noise'])} wrong"
    )
    labels = audit_facts(test["audit"]) if test.get("audit") else labels
    judge = f"{count(test['n'], 'test sample')} of {words(f.get('test', 'HEAD'))}, the same for every cell"
    facts = {"judged by": judge, "test labels": labels}
    near = f.get("near_duplicates") or {}
    if near and not any(near.values()):
        facts["copies"] = "no training sample (nearly) equals a test sample"
    elif near:
        each = ", ".join(f"{words(v, 40)}: <b>{n:,}</b>" for v, n in near.items())
        facts["copies"] = f"training samples that (nearly) equal a test sample: {each}"
    if f.get("looks") is not None:
        since = (
            f", first {words(f['first'][:10])}; {count(f['edits'], 'edit')} of train and val since"
            if f.get("first")
            else ""
        )
        facts["looks"] = f"this test version was looked at {count(f['looks'], 'time')}{since}"
    facts["selection"] = (
        "epochs, batches and reviews are judged on validation; the test set judges only this page"
    )
    return section("Is it fair?", "", terms("facts", facts.items()))


def again(data):
    """Everything that is needed to run it again."""
    plan, made, test = data["plan"], data["made"], data["test"]
    commits = [
        f"{words(r['name'])}: {words(r['why'])} ({words(r['who'])}, {r['ts'][:10]})"
        for r in data["log"]
        if r["kind"] == "commit"
    ]
    seconds = sum(c.get("seconds") or 0 for c in data["cells"])
    facts = dict(
        trees="<br>".join(f"{words(v)} <code>{words(t)}</code>" for v, t in data["tree"].items()),
        commits="<br>".join(commits) or "none",
        test=f"{count(test['n'], 'sample')} <code>{words(test['hash'])}</code>",
        seeds=words(data["seeds"]),
        recipe=f"{RECIPE}, code {words(data['code'])}"
        + " <b>(cells were trained by different code)</b>" * (len(data["code"]) > 1),
        embedding=words(made["embedding"]),
        packages=words([f"{k} {v}" for k, v in made["packages"].items()], 400),
    )
    facts |= dict(compute=f"{duration(seconds)} of training in all") if seconds else {}
    body = f"<pre>{escape(toml(plan))}</pre><pre>assay experiment plan.toml -b {words(made['bench'])}</pre>{terms('facts', facts.items())}"
    return section(
        "Run it again",
        "Save the plan as plan.toml. Runs that the bench still has are not trained again.",
        body,
    )
