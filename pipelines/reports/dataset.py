"""Report section: what a scan knows beyond labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.errors import UserError
from assay.curation.issues.finders import list_kinds
from assay.curation.predictions import model_errors
from assay.curation.selection import triggers
from assay.curation.slicing import cluster_table, gaps
from assay.curation.splits import LOCKED
from assay.curation.text import format_count
from assay.pipelines.reports.map_picture import make_map
from assay.pipelines.reports.phrases import cut, sentence, true_minus
from assay.pipelines.reports.sample_pictures import load_pictures, picture_frame
from assay.pipelines.reports.set_marks import mark_set, quote_text
from assay.pipelines.reports.templates import PARTS, render

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench


TITLE, ORDER = "What the data do not show", 100
FIRST = 4  # gaps seen without asking
ABOUT = (
    "From the bench as it stands; errors are the probe's on validation, by the labels as given. "
    "Under a picture: its label, then what the probe says."
)
OTHERS = (
    "Copies, leakage, outliers and pictures that are hard to see, the worst of each; "
    "below, what only the whole shows."
)


def collect(bench: Bench, data: dict) -> dict:
    """Collect gaps, issues, what triggers caught, and the map."""
    return dict(panorama=collect_facts(bench))


def section(data: dict) -> Markup:
    """Show them; nothing for a bench whose scan is out of date."""
    facts, most = data["pictures"].get("panorama"), data["most"]
    if not facts:
        return Markup()
    body = PARTS.about(ABOUT) + draw_gaps(facts, most) + draw_issues(facts, most)
    body += draw_caught(facts["triggers"], most)
    # the page is too large for any picture, then also for the map
    return body + draw_map(facts["map"] if most else None)


def draw_gaps(facts: dict, most: int) -> Markup:
    """Draw the gaps, each with the validation errors it explains.

    What train lacks comes first.
    """
    rows = facts["gaps"]
    if not rows:
        none = "None: no class, cluster, metadata value or pair of these stands out."
        return PARTS.part("Gaps", none, "")
    ends = [x for r in rows for x in (r["explains_low"], r["explains_high"]) if x is not None]
    low, high = min([*ends, 0]), max([*ends, 0])
    each = [draw_gap(i, r, low, high, most) for i, r in enumerate(rows, 1)]
    n = format_count(facts["n_gaps"], "gap") + (
        f", {len(rows)} shown" if facts["n_gaps"] > len(rows) else ""
    )
    about = (
        f"{n}, what train lacks first. "
        "Drawn: the validation errors that each explains, with its 95 % interval."
    )
    body, rest = Markup().join(each[:FIRST]), Markup().join(each[FIRST:])
    if rest:
        body += PARTS.folded(f"{len(each) - FIRST} more", rest)
    return PARTS.part("Gaps", about, body)


def draw_gap(number: int, row: dict, low: float, high: float, most: int) -> Markup:
    """Draw one gap, its errors on the axis from low to high."""

    def at(x: float) -> float:
        return 100 * (x - low) / ((high - low) or 1)

    values = dict(number=number, name=row["gap"], errors=None, zero=f"{at(0):.1f}%")
    if row["val"]:
        ends = row["explains_low"], row["explains_high"]
        values |= dict(
            errors=format_count(row["errors"], "error"),
            explains=true_minus(f"{row['explains']:.1f}"),
            interval=true_minus("[{:.1f}, {:.1f}]".format(*ends)),
            left=f"{at(ends[0]):.1f}%",
            width=f"{max(0, at(ends[1]) - at(ends[0])):.1f}%",
            middle=f"{at(row['explains']):.1f}%",
        )
    why = sentence(row["why"], 500)
    if row["val"] and row["flagged"] >= 0.005:
        why += f" {row['flagged']:.0%} of these validation labels look wrong themselves."
    texts = dict(why=why, action=sentence(row["action"], 300))
    return render("gap.html", values | texts | dict(pictures=row["pictures"][:most]))


def draw_issues(facts: dict, most: int) -> Markup:
    """Draw examples of each kind of issue but labels.

    Below them what only the whole shows.
    """
    known = list_kinds()
    examples = []
    for k in facts["kinds"]:
        about = format_count(k["n"], "sample")
        if k["kind"] in known:
            about += f": {known[k['kind']].words}"
        name = k["kind"].replace("_", " ")
        name = mark_set(name, f"has({quote_text(k['kind'])})", f"samples with the issue {name}")
        examples.append((name, about, k["pictures"][:most]))
    whole = [(kind.replace("_", " "), why) for kind, why in facts["whole"]]
    more = facts["n_whole"] - len(whole)
    body = render("examples.html", dict(examples=examples, whole=whole, more=more))
    about = OTHERS if examples or whole else "Nothing was found."
    return PARTS.part("Other than labels", about, body)


def draw_caught(rows: list[dict], most: int) -> Markup:
    """Draw what each trigger caught."""
    if not rows:
        return Markup()
    examples = [
        (cut(t["name"]), f"{t['n']:,} caught: {t['said']}", t["pictures"][:most]) for t in rows
    ]
    body = render("examples.html", dict(examples=examples, whole=[], more=0))
    return PARTS.part("Caught by triggers", "Questions that every import is asked.", body)


def draw_map(found: dict | None) -> Markup:
    """Draw the map, with a number for each coarse cluster."""
    if not found:
        return Markup()
    about = (
        f"{format_count(found['n'], 'sample')}, alike ones near each other, by {cut(found['method'])}; "
        "in one colour what lies in one coarse cluster. Test samples lie on it as samples; "
        "none of their labels or predictions colours or names anything."
    )
    marks = [
        (f"{100 * r['x']:.2f}%", f"{100 * r['y'] / found['tall']:.2f}%", r["number"])
        for r in found["legend"]
    ]
    legend = [(r["colour"], r["name"], legend_words(r)) for r in found["legend"]]
    body = render("map.html", dict(png=found["png"], marks=marks, legend=legend))
    return PARTS.part("The map", about, body)


def legend_words(row: dict) -> str:
    """Say how large a cluster is, and how accurate on validation."""
    sizes = f"{row['train']:,} train" + (f", {row['pool']:,} pool" if row["pool"] else "")
    if not row["n"]:
        return f"{sizes}; no validation sample"
    right = f"{row['accuracy']:.0%} right [{row['low']:.0%}, {row['high']:.0%}] of {row['n']:,}"
    return f"{sizes}; {right}"


GAPS, EACH = 12, 8  # gaps on the page, pictures of each
EXAMPLES = 4  # pictures of an issue kind, or of what a trigger caught
KINDS, WHOLE = 16, 8  # rows of either kind at most


def collect_facts(bench: Bench) -> dict | None:
    """Collect gaps, other issues, what triggers caught, and the map.

    None where the bench is not scanned as it stands. No test or guard sample is pictured or judged.
    """
    try:
        found, judged = gaps.find_gaps(bench), model_errors.find_model_errors(bench)
        issues, state = bench.issues(), bench.state()
        regions = cluster_table.tabulate_clusters(bench, level="coarse")
        active = triggers.active_triggers(bench)
    except UserError:
        return None
    unlocked = state[~state.split.isin(LOCKED)]  # leakage that is held out is still to be seen
    judged = judged[judged.index.isin(unlocked.index[unlocked.keep])]

    def pictures(ids: Iterable, most: int, said: pd.Series | None = None) -> list[dict]:
        part = unlocked.loc[[s for s in ids if s in unlocked.index][:most]]
        now = said.reindex(part.index) if said is not None else ""
        return load_pictures(picture_frame(part, now, part.split), bench)

    rows = []
    for row in found.head(GAPS).to_dict("records"):
        members = gaps.gap_members(bench, row["gap"])
        mine = model_errors.errors_within(bench, judged, members, row["of_class"]).index
        # where the bench lies here is nobody's business elsewhere
        row["action"] = row["action"].replace(f"-b {bench.given}", f"-b {bench.path.name}")
        rows.append(row | dict(pictures=pictures(mine, EACH, judged.said)))
    kinds, whole = [], []
    for kind, of in issues[issues.kind != "label"].groupby("kind", sort=False):
        whole += [(kind, why) for why in of.why[of["sample"].isna()]]
        if len(ids := list(of["sample"].dropna())):
            kinds.append(dict(kind=kind, n=len(ids), pictures=pictures(ids, EXAMPLES)))
    caught = [
        dict(
            name=name, said=t["said"], n=len(t["caught"]), pictures=pictures(t["caught"], EXAMPLES)
        )
        for name, t in active.items()
    ]
    return dict(
        n_gaps=len(found),
        gaps=rows,
        kinds=sorted(kinds, key=lambda k: -k["n"])[:KINDS],
        whole=whole[:WHOLE],
        n_whole=len(whole),
        triggers=caught[:KINDS],
        map=make_map(bench, state, regions),
    )
