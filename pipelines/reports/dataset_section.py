"""What a scan knows beyond labels, as a section of the report: gaps, other issues, what triggers caught, and the map, as pictures."""

import base64
import io

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import projection
from assay.curation.predictions import model_errors
from assay.curation.selection import triggers
from assay.curation.slicing import clusters, gaps
from assay.curation.splits import LOCKED
from assay.pipelines.reports.html import count, folded, section, sentence, words
from assay.pipelines.reports.image_sections import sheet

GAPS, EACH, FIRST = 12, 8, 4  # gaps on the page, pictures of each, gaps seen without asking
EXAMPLES = 4  # pictures of an issue kind, or of what a trigger caught
KINDS, WHOLE = 16, 8  # rows of either kind at most
SIDE, POINTS = 960, 60_000  # of the map's picture; images drawn on it
COLOURS = "2a78d6 e4572e 1a8f5a f0a202 8d5fd3 17a2b8 d6336c 8a7b6b 5c7cfa 94b447 c2562d 0b7285 b197fc e8890c 2b8a3e 868e96 a61e4d 5f8f00".split()
ABOUT = "From the bench as it stands; errors are the probe's on validation, by the labels as given. Under a picture: its label, then what the probe says."


def gathered(bench):
    """All that the section shows, or None where the bench is not scanned as it stands. No test or guard sample is pictured or judged."""
    try:
        found, wrong, issues, state = (
            gaps.find(bench),
            model_errors.found(bench),
            bench.issues(),
            bench.state(),
        )
        regions, there = clusters.table(bench, level="coarse"), triggers.standing(bench)
    except UserError:
        return None
    open_ = state[~state.split.isin(LOCKED)]  # leakage that is held out is still to be seen
    wrong = wrong[wrong.wrong & wrong.index.isin(open_.index[open_.keep])]
    shots = lambda ids, most, said=None: pictured(
        bench, open_.loc[[s for s in ids if s in open_.index][:most]], said
    )  # noqa: E731
    rows = []
    for row in found.head(GAPS).to_dict("records"):
        mine = wrong.index[wrong.index.isin(gaps.members(bench, row["gap"]))]
        row["action"] = row["action"].replace(
            f"-b {bench.given}", f"-b {bench.path.name}"
        )  # where it lies here is nobody's business elsewhere
        rows.append(row | dict(pictures=shots(mine, EACH, wrong.said)))
    kinds, whole = [], []
    for kind, of in issues[issues.kind != "label"].groupby("kind", sort=False):
        whole += [(kind, why) for why in of.why[of["sample"].isna()]]
        if len(ids := list(of["sample"].dropna())):
            kinds.append(dict(kind=kind, n=len(ids), pictures=shots(ids, EXAMPLES)))
    caught = [
        dict(name=name, said=t["said"], n=len(t["caught"]), pictures=shots(t["caught"], EXAMPLES))
        for name, t in there.items()
    ]
    kinds = sorted(kinds, key=lambda k: -k["n"])
    return dict(
        n_gaps=len(found),
        gaps=rows,
        kinds=kinds[:KINDS],
        whole=whole[:WHOLE],
        n_whole=len(whole),
        triggers=caught[:KINDS],
    ) | dict(map=mapped(bench, state, regions))


def pictured(bench, part, said=None):
    label = part.label.where(part.label.notna(), "unlabelled")
    now = said.reindex(part.index) if said is not None else ""
    return sheet(
        part.assign(was=label, now=now, text=part.split)[["uri", "key", "was", "now", "text"]],
        bench,
    )


def mapped(bench, state, regions):
    """The map as a PNG, one colour a coarse cluster, and where each cluster's number stands; None where it is not drawn yet."""
    try:
        xy, method = projection.positions(bench, state)
    except UserError:
        return None
    at, named, kept = (
        clusters.assigned(bench, state, "coarse"),
        clusters.names(bench, state, "coarse"),
        state.keep.to_numpy(),
    )
    xy, at = xy[kept], at[kept]  # named by the whole, as elsewhere
    some = np.sort(np.random.default_rng(0).permutation(len(xy))[:POINTS])
    low, high = np.quantile(xy[some], (0.002, 0.998), axis=0)
    place = (xy - low) / max(1e-9, *(high - low)) * 0.96 + 0.02
    shown = [c for c in named if (at == c).any()]
    middle = {c: np.median(place[at == c], axis=0) for c in shown}
    of = regions.set_index("cluster")
    legend = [
        dict(
            number=i,
            x=float(middle[c][0]),
            y=float(middle[c][1]),
            colour=COLOURS[c % len(COLOURS)],
            name=named[c],
        )
        | facts(of.loc[named[c]])
        for i, c in enumerate(shown, 1)
    ]
    tall = float(np.clip(((high - low) / max(1e-9, *(high - low)))[1] * 0.96 + 0.04, 0.2, 1))
    return dict(
        png=painted(place[some], at[some], tall),
        tall=tall,
        method=method,
        n=len(some),
        legend=legend,
    )


def facts(row):
    """What a cluster's row says beside its number on the map."""
    return dict(train=int(row.train), val=int(row.val), pool=int(row.pool), n=int(row.n)) | {
        k: float(row[k]) for k in ("accuracy", "low", "high")
    }


def painted(place, at, tall):
    """Dots at `place` (n, 2) in 0..1, coloured by `at` (n,), on nothing, as a PNG of few colours."""
    from PIL import Image

    canvas = np.zeros((round(SIDE * tall), SIDE), "u1")
    wide = 1 if len(place) > 20_000 else 2 if len(place) > 3_000 else 4
    order = np.random.default_rng(0).permutation(
        len(place)
    )  # or the last cluster would lie on all others
    (x, y), at = np.rint(place[order].T * SIDE).astype(int), at[order]
    for dx in range(-wide, wide + 1):
        for dy in range(-wide, wide + 1):
            if dx * dx + dy * dy <= wide * wide + 1:
                u, v = x + dx, y + dy
                inside = (u >= 0) & (u < SIDE) & (v >= 0) & (v < len(canvas))
                canvas[v[inside], u[inside]] = at[inside] % len(COLOURS) + 1
    image, out = Image.fromarray(canvas, "P"), io.BytesIO()
    image.putpalette(bytes(3) + bytes.fromhex("".join(COLOURS)))
    image.save(out, "PNG", transparency=0, optimize=True)
    return out.getvalue()


def fewer(found, most):
    """The same with at most `most` pictures in a row; none at all takes the map away too."""
    if not found:
        return found
    cut = {
        k: [row | dict(pictures=row["pictures"][:most]) for row in found[k]]
        for k in ("gaps", "kinds", "triggers")
    }
    return found | cut | (dict(map=None) if not most else {})


# ---- drawn


def unseen(found):
    """The section, or nothing for a bench that is not scanned."""
    if not found:
        return ""
    body = lacking(found) + elsewhere(found) + caught(found["triggers"]) + charted(found["map"])
    return section("What the data do not show", ABOUT, body)


def lacking(found):
    rows = found["gaps"]
    if not rows:
        return section(
            "Gaps",
            "None: no class, cluster, metadata value or pair of these stands out.",
            "",
            level=3,
        )
    ends = [x for r in rows for x in (r["explains_low"], r["explains_high"]) if x is not None] + [0]
    each = [gap(i, r, min(ends), max(ends)) for i, r in enumerate(rows, 1)]
    left = f", {len(rows)} shown" if found["n_gaps"] > len(rows) else ""
    about = f"{count(found['n_gaps'], 'gap')}{left}, what train lacks first. Drawn: the validation errors that each explains, with its 95 % interval."
    body = "".join(each[:FIRST]) + (
        folded(f"{len(each) - FIRST} more", "".join(each[FIRST:])) if len(each) > FIRST else ""
    )
    return section("Gaps", about, body, level=3)


def gap(i, r, low, high):
    said = ""
    if r["val"]:
        a, b, x, zero = (
            100 * (v - low) / ((high - low) or 1)
            for v in (r["explains_low"], r["explains_high"], r["explains"], 0)
        )
        drawn = f'<line x1="{zero:.1f}%" x2="{zero:.1f}%" y2="100%"/><rect class="bar" x="{a:.1f}%" width="{max(0, b - a):.1f}%"/>'
        span = f'<b>{r["explains"]:.1f}</b> <span class="range">[{r["explains_low"]:.1f}, {r["explains_high"]:.1f}]</span>'.replace(
            "-", "−"
        )
        said = f'<p>{span} of {r["errors"]:,} errors</p><svg class="dot" aria-hidden="true">{drawn}<circle cx="{x:.1f}%" cy="50%"/></svg>'
    else:
        said = "<p>no validation sample lies there</p>"
    doubt = (
        f" {r['flagged']:.0%} of these validation labels look wrong themselves."
        if r["val"] and r["flagged"] >= 0.005
        else ""
    )
    about = (
        f'<p>{sentence(r["why"], 500)}{doubt}</p><p class="about">{sentence(r["action"], 300)}</p>'
    )
    name = f"<h4><span>{i}</span> {words(r['gap'], 200)}</h4>"
    return f'<div class="gap"><div>{name}{said}</div><div>{strip(r["pictures"])}{about}</div></div>'


def elsewhere(found):
    rows = "".join(
        example(k["kind"].replace("_", " "), count(k["n"], "sample"), k["pictures"])
        for k in found["kinds"]
    )
    said = "".join(
        f"<li><b>{words(kind.replace('_', ' '))}</b> {words(why, 400)}</li>"
        for kind, why in found["whole"]
    )
    more = found["n_whole"] - len(found["whole"])
    said = (
        f'<ul class="whole">{said}{f"<li>and {more:,} more: assay issues</li>" if more else ""}</ul>'
        if said
        else ""
    )
    about = "Copies, leakage, outliers and pictures that are hard to see, the worst of each; below, what only the whole shows."
    return section(
        "Other than labels",
        about if rows or said else "Nothing was found.",
        f'<div class="kinds">{rows}</div>{said}',
        level=3,
    )


def example(name, about, pictures):
    return f"<div><p><b>{words(name)}</b> <small>{words(about, 200)}</small></p>{strip(pictures)}</div>"


def caught(rows):
    if not rows:
        return ""
    each = "".join(
        example(t["name"], f"{t['n']:,} caught: {t['said']}", t["pictures"]) for t in rows
    )
    return section(
        "Caught by triggers",
        "Questions that every import is asked.",
        f'<div class="kinds">{each}</div>',
        level=3,
    )


def strip(pictures):
    out = ""
    for p in pictures:
        name, jpeg = words(p["name"], 300), base64.b64encode(p["jpeg"] or b"").decode()
        image = (
            f'<img alt="{name}" src="data:image/jpeg;base64,{jpeg}">'
            if jpeg
            else "<p>cannot be read now</p>"
        )
        now = f" <span>{words(p['now'], 40)}</span>" if p["now"] else ""
        out += f'<figure title="{name}">{image}<figcaption><b>{words(p["was"], 40)}</b>{now}</figcaption></figure>'
    return f'<div class="strip">{out}</div>' if out else ""


def charted(m):
    if not m:
        return ""
    png = base64.b64encode(m["png"]).decode()
    marks = "".join(
        f'<text x="{100 * r["x"]:.2f}%" y="{100 * r["y"] / m["tall"]:.2f}%">{r["number"]}</text>'
        for r in m["legend"]
    )
    rows = "".join(legend(r) for r in m["legend"])
    about = f"{count(m['n'], 'image')}, alike ones near each other, by {words(m['method'])}; in one colour what lies in one coarse cluster."
    about += " Test images lie on it as images; none of their labels or predictions colours or names anything."
    body = f'<div class="map"><div><img alt="" src="data:image/png;base64,{png}"><svg aria-hidden="true">{marks}</svg></div><ol>{rows}</ol></div>'
    return section("The map", about, body, level=3)


def legend(r):
    accuracy = (
        f"{r['accuracy']:.0%} right [{r['low']:.0%}, {r['high']:.0%}] of {r['n']:,}"
        if r["n"]
        else "no validation sample"
    )
    sizes = f"{r['train']:,} train, {r['pool']:,} pool" if r["pool"] else f"{r['train']:,} train"
    return f'<li style="--c:#{r["colour"]}"><b>{words(r["name"], 80)}</b><small>{sizes}; {accuracy}</small></li>'
