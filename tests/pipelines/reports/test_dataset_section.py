"""The report's section on what a scan knows beyond labels: what it shows, what it may never show, and what it weighs."""

import io
import os
import re
from copy import deepcopy

import numpy as np
import pytest
from PIL import Image

from assay.curation.predictions import model_errors
from assay.curation.selection import triggers
from assay.curation.slicing import cluster_table, gaps
from assay.pipelines.indexing import draw_map
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.reports import dataset, experiment_report, map_picture
from tests.helpers import bench_of, table
from tests.report_page import HOSTILE, PICTURE, PICTURES, REPORT_DATA, Parsed

silent = lambda line: None  # noqa: E731


def made(folder, permuted=False):
    """A scanned bench of digits of which train has hardly a three, with one pool image all black; keys, a label and a trigger are hostile."""
    digits = table(900)
    digits["label"], digits["id"] = digits.label.replace("3", HOSTILE), digits.id + HOSTILE
    digits.loc[digits.id.str.startswith("c3"), ["split", "label"]] = (
        "train",
        HOSTILE,
    )  # a copy of a test image
    black = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), "u1")).save(black, "PNG")
    digits.at[digits["split"].eq("pool").idxmax(), "image"] = black.getvalue()
    if permuted:
        test = digits["split"] == "test"
        digits.loc[test, "label"] = digits.label[test].to_numpy()[::-1]
    bench = bench_of(digits, folder)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    ones = bench.state().query("split == 'train' and label == '1'").index
    bench.edit(
        ones.to_frame(name="sample").assign(keep=False), "ann"
    )  # clusters are named by all that came, or a name would be another here
    draw_map.draw_map(bench, silent)
    state = bench.state()
    triggers.add_trigger(
        bench,
        HOSTILE[:60],
        "similar",
        "ann",
        samples=list(state.index[(state["split"] == "val") & (state.label == HOSTILE)])[:3],
    )
    return bench


def drawn(facts):
    """The section of what was collected."""
    return dataset.section(dict(pictures=dict(panorama=facts), most=24))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    return made(tmp_path_factory.mktemp("seen"))


@pytest.mark.daily
def test_the_section_says_what_the_verbs_say(scanned):
    found = dataset.collect_facts(scanned)
    rows, wrong, state = (
        gaps.find_gaps(scanned),
        model_errors.find_model_errors(scanned),
        scanned.state(),
    )
    at = next(i for i, name in enumerate(rows.gap) if HOSTILE in name)
    first = rows.iloc[at]
    html = drawn(found)
    text = Parsed(html).text()
    assert (
        first.errors
        and f"{first.errors:,} errors" in text
        and f"[{first.explains_low:.1f}, {first.explains_high:.1f}]" in text
    )
    mine = [s for s in gaps.gap_members(scanned, first.gap) if s in wrong.index and wrong.wrong[s]]
    shown = found["gaps"][at]["pictures"]
    assert [p["name"] for p in shown] == [state.key[s] for s in wrong.index if s in set(mine)][
        : dataset.EACH
    ] and shown
    assert all(p["was"] == HOSTILE and p["now"] != HOSTILE for p in shown), (
        "its label, and what the model says instead"
    )
    issues = scanned.issues()
    counts = issues[issues["sample"].notna()].kind.value_counts().drop("label", errors="ignore")
    assert {k["kind"]: k["n"] for k in found["kinds"]} == counts.to_dict() and {
        "dark",
        "leakage",
    } <= set(counts.index)
    assert all(k["pictures"] for k in found["kinds"]), "of what is held out, too"
    assert all(re.search(rf"{k.replace('_', ' ')} {n:,} sample", text) for k, n in counts.items())
    of = cluster_table.tabulate_clusters(scanned, level="coarse").set_index("cluster")
    assert [r["name"] for r in found["map"]["legend"]] == list(of.index) and [
        r["pool"] for r in found["map"]["legend"]
    ] == list(of.pool)


@pytest.mark.daily
def test_no_test_sample_is_pictured_and_no_test_label_enters(scanned, tmp_path):
    found = dataset.collect_facts(scanned)
    locked = set(scanned.state().query("split == 'test'").key)
    named = {
        p["name"]
        for kind in ("gaps", "kinds", "triggers")
        for row in found[kind]
        for p in row["pictures"]
    }
    assert named and not named & locked
    assert drawn(dataset.collect_facts(made(tmp_path, permuted=True))) == drawn(found), (
        "to the byte"
    )


@pytest.mark.slow
def test_what_is_hostile_stays_text_and_the_page_stays_small(scanned):
    found = dataset.collect_facts(scanned)
    page = experiment_report.draw_small_page(deepcopy(REPORT_DATA), PICTURES | dict(panorama=found))
    parsed = Parsed(page.decode())
    assert not parsed.all("script") and not [
        a for _, a, _ in parsed.tags for name in a if name.startswith("on")
    ]
    assert all(
        re.fullmatch("--c:#[0-9a-f]{6}|--[kabd]:.*", a["style"])
        for _, a, _ in parsed.tags
        if "style" in a
    )
    assert all(re.match("data:image/(jpeg|png);base64,", a["src"]) for a in parsed.all("img"))
    assert "What the data do not show" in parsed.text("nav") and HOSTILE[:60] in parsed.text("b")
    large = [
        row | dict(pictures=[PICTURE | dict(jpeg=os.urandom(40_000))] * dataset.EACH)
        for row in found["gaps"][:1] * dataset.GAPS
    ]
    page = experiment_report.draw_small_page(
        deepcopy(REPORT_DATA), PICTURES | dict(panorama=found | dict(gaps=large))
    )
    assert (
        len(page) < experiment_report.MOST
        and page.count(b'class="gap"') == dataset.GAPS
        and b'class="map"' in page
    ), "fewer pictures, every gap"


def test_dots_lie_where_the_images_do():
    """Two heaps: the picture has their two colours where they lie and nothing elsewhere."""
    rng = np.random.default_rng(0)
    place = np.vstack(
        [rng.normal([0.2, 0.3], 0.02, (50, 2)), rng.normal([0.8, 0.1], 0.02, (50, 2))]
    )
    image = Image.open(
        io.BytesIO(map_picture.paint_dots(place, np.repeat([0, 1], 50), 0.5))
    ).convert("RGBA")
    assert image.size == (map_picture.SIDE, map_picture.SIDE // 2)
    seen = np.asarray(image)
    y, x = np.nonzero(seen[..., 3])
    left = x < map_picture.SIDE / 2
    assert {seen[b, a, :3].tobytes().hex() for a, b in zip(x[left], y[left])} == {
        map_picture.COLOURS[0]
    }
    assert {seen[b, a, :3].tobytes().hex() for a, b in zip(x[~left], y[~left])} == {
        map_picture.COLOURS[1]
    }
    assert (
        abs(np.median(x[left]) / map_picture.SIDE - 0.2) < 0.02
        and abs(np.median(y[~left]) / map_picture.SIDE - 0.1) < 0.02
    )


def test_a_bench_that_is_not_scanned_as_it_stands_has_no_such_section(bench):
    assert dataset.collect_facts(bench) is None and drawn(None) == ""
    assert "What the data do not show" not in experiment_report.draw_page(
        deepcopy(REPORT_DATA), PICTURES
    )
