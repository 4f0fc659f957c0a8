"""The page that an experiment ends in: what it can never load, and one sample's way onto it."""

import csv
import os
import re
from copy import deepcopy

import pytest

from assay import UserError
from assay.pipelines.reports import experiment_report, sample_pictures
from assay.pipelines.reports.templates import write_page
from tests.report_page import (
    COSTS,
    HOSTILE,
    MAIN,
    PICTURE,
    PICTURES,
    PLAN,
    REPORT_DATA,
    REVIEW,
    WHERE,
    Parsed,
    cell,
    region,
)
from tests.report_parts import NOTHING, page, rows


def test_nothing_that_comes_from_outside_can_become_markup():
    picture = dict(jpeg=b"\xff\xd8", name=HOSTILE, was=HOSTILE, now=HOSTILE, text=HOSTILE)
    pictures = dict(
        changed=[picture],
        n_changed=1,
        n_dropped=0,
        who=[HOSTILE],
        open=[picture],
        n_open=1,
        no_queue=None,
    )
    pictures |= dict(gained=[picture], lost=[])
    main = MAIN | dict(name=HOSTILE, version=HOSTILE)
    costs = deepcopy(COSTS) | dict(first=HOSTILE, last=HOSTILE, reason=HOSTILE)
    costs["review"]["who"] = [HOSTILE]
    costs["batches"]["batches"][0] |= dict(batch=HOSTILE, why=HOSTILE, who=HOSTILE)
    confusion = WHERE["confusion"] | dict(
        classes=[HOSTILE, "b"],
        by_arch={HOSTILE: WHERE["confusion"]["mean"], "b": WHERE["confusion"]["mean"]},
    )
    confusion |= dict(changed=[WHERE["confusion"]["changed"][0] | {"from": HOSTILE, "to": HOSTILE}])
    where = WHERE | dict(version=HOSTILE, against=HOSTILE, notes=[HOSTILE], confusion=confusion)
    where |= dict(slices=[region(HOSTILE, HOSTILE, 30, 0.01, 0.02, 1.0, "no evidence either way")])
    plan = REPORT_DATA["plan"] | dict(
        question=HOSTILE, versions=[HOSTILE, "v2"], architectures=[HOSTILE], control=HOSTILE
    )
    html = page(
        pictures,
        question=HOSTILE,
        verdict=HOSTILE,
        plan=plan,
        interval=main,
        effects=[main],
        matrix=[cell(HOSTILE, HOSTILE, 0.8)],
        tree={HOSTILE: HOSTILE},
        log=[dict(kind="commit", name=HOSTILE, who=HOSTILE, ts="2026-11-22T19:15", why=HOSTILE)],
        made=REPORT_DATA["made"] | dict(bench=HOSTILE),
        control=None,
        control_reason=HOSTILE,
        costs=costs,
        where=where,
        fairness=REPORT_DATA["fairness"] | dict(test=HOSTILE, near_duplicates={HOSTILE: 1}),
    )
    parsed = Parsed(html)
    assert not parsed.all("script") and len(parsed.all("img")) == 3
    assert all(
        re.fullmatch("--[kabd]:[0-9.]+(;--[ad]:[0-9.]+)*", a["style"])
        for _, a, _ in parsed.tags
        if "style" in a
    )
    assert not [a for _, a, _ in parsed.tags for name in a if name.startswith("on")]
    assert all(a["src"].startswith("data:image/jpeg;base64,") for a in parsed.all("img"))
    assert (
        parsed.all("img")[0]["alt"] == HOSTILE
        and HOSTILE[:40] in parsed.text("figcaption")
        and HOSTILE[:40] in parsed.text("h1")
    )


def test_a_label_as_long_as_a_book_is_cut():
    long = "x" * 100_000
    slices = [
        region("class", long, 30, 0.01, 0.02, 1.0, "no evidence either way") for _ in range(1000)
    ]
    confusion = WHERE["confusion"] | dict(classes=[long, "b"])
    html = page(
        PICTURES | dict(changed=[PICTURE | dict(was=long)]),
        where=WHERE | dict(slices=slices, confusion=confusion),
    )
    assert len(html) < 400_000 and "x" * 59 + "…" in html and "x" * 301 not in html


def test_the_page_loads_nothing_and_stays_small():
    many = [
        PICTURE | dict(jpeg=os.urandom(20_000))
    ] * sample_pictures.SHEET  # noise of 128 x 128 is about as large
    html = page(PICTURES | dict(changed=many, open=many, gained=many, lost=many))
    parsed = Parsed(html)
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", re.sub(r"base64,[^\"]*", "", html))
    assert set(re.findall(r"url\([^)]*\)", html)) == {"url(#hatch)"}
    assert {t for t, _, _ in parsed.tags}.isdisjoint(
        {"script", "link", "iframe", "object", "form", "base"}
    )
    places = [a["id"] for _, a, _ in parsed.tags if "id" in a]
    assert len(places) == len(set(places)) and {a["href"] for a in parsed.all("a")} <= {
        f"#{p}" for p in places
    }
    assert any("default-src 'none'" in a.get("content", "") for a in parsed.all("meta"))
    assert len(html) < 3_000_000
    large = [PICTURE | dict(jpeg=os.urandom(60_000))] * sample_pictures.SHEET
    html = experiment_report.draw_small_page(
        deepcopy(REPORT_DATA), PICTURES | dict(changed=large, open=large, gained=large, lost=[])
    ).decode()
    shown = html.count("<img")
    assert (
        len(html) < 3_000_000 and shown == 3 * 12 and "12 of 238 labels" in html
    )  # fewer, and the page says how many


def test_no_accuracy_without_its_interval_and_its_n():
    html = page()
    table = html[html.index('<table class="cells">') :]
    cells = re.findall(r'<td data-name="Accuracy">.*?</tr>', table)
    assert len(cells) == 6
    number = r"<b>\d+\.\d&nbsp;%</b> <span class=\"range\">\[\d+\.\d, \d+\.\d\]</span>"
    for c in cells:
        assert len(re.findall(number, c)) == c.count("&nbsp;%") == 2 and "Balanced" in c
        assert "525 test samples, 3 seeds, seed spread 0.4" in c
    assert html.count("&nbsp;%") == 12  # and there are no others
    bold = re.findall(
        r"<b>[+−]?\d+\.\d</b>( <span class=.range.>\[[+−]?\d+\.\d, [+−]?\d+\.\d\])?", html
    )
    assert bold and all(bold), "a difference without an interval"
    text = Parsed(html).text()
    assert "Holm p < 0.001" in text and "Holm p 1.000" in text and "mlp against probe" in text
    assert "control against v1" in text and "v2 less the control: +0.2 points [−1.1, +1.5]" in text
    assert (
        "36 of 105" in text
        and "6 of 105" in text
        and "3 of 60, 5.0% [1.7%, 13.7%]" in text
        and "97 [31, 260]" in text
    )


def test_what_is_missing_is_said_in_words():
    html = page(
        dict(changed=[], n_changed=0, n_dropped=0, who=[], open=[], n_open=0, no_queue=None),
        plan=PLAN | dict(versions=["v1"]),
        verdict="test labels unaudited: nothing to compare.",
        interval=None,
        interval_reason="no version whose training labels differ from the first",
        interaction=None,
        interaction_reason="needs two versions and two architectures",
        control=None,
        control_reason="no random control: nobody reviewed at random",
        seeds=[0],
        seeds_note="one seed: these trained models only, not the recipe",
        matrix=[cell("v1", "probe", 0.8, seed_spread=None)],
        effects=[],
        beside=[],
        power=None,
        where=None,
        costs=None,
        test=REPORT_DATA["test"] | dict(audited=False),
        review=REVIEW | NOTHING | dict(reviewed=0, wrong=0, unsure=0, sure_at_random=0, hits=0),
    )
    parsed = Parsed(html)
    for words in (
        "No version whose training labels differ from the first.",
        "One seed: these trained models only, not the recipe.",
        "The test labels are unaudited, so no gain is called too small to matter.",
        "Nobody has reviewed a label yet.",
        "seed spread unknown",
        "No interaction: needs two versions and two architectures.",
        "No random control: nobody reviewed at random.",
        "None to show: the plan has one version.",
        "None: the model doubts no label that is not reviewed.",
        "Not known for these versions.",
        "Nothing to compare.",
    ):
        assert words in parsed.text(), words
    assert len(parsed.all("table")) == 1 and not parsed.all("figure")  # no empty tables
    nothing = dict(
        review=None,
        curve=None,
        batches=None,
        reason="expected two positions in the log, found v1 - flagged",
    )
    nothing |= dict(
        rates=dict(review=None, review_reason="no minutes of review are known", architectures=[])
    )
    text = Parsed(
        page(
            costs=COSTS | nothing,
            where=dict(version=None, against="v1", slices=[], confusion=None, flips=None, notes=[]),
        )
    ).text()
    assert (
        "No curve of gain against reviews, and no value of single batches: expected two positions in the log"
        in text
    )
    assert (
        "Points per hour of review: no minutes of review are known." in text
        and "not counted between these versions" in text
    )
    untimed = COSTS["review"] | dict(
        minutes=None, estimated=None, reason="no decision carries seconds"
    )
    assert (
        "review minutes: no decision carries seconds"
        in Parsed(page(costs=COSTS | dict(review=untimed))).text()
    )


def draw_folders(root):
    """Digits 0, 1 and 8 as class folders of 40 pictures each; three 0 lie among the 1. Returns the names of those three."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits, wrong = load_digits(), []
    for digit in (0, 1, 8):
        for i, at in enumerate(np.flatnonzero(digits.target == digit)[:40]):
            folder = root / str(1 if digit == 0 and i < 3 else digit)
            folder.mkdir(parents=True, exist_ok=True)
            name = folder / f"{digit}-{i:02}.png"
            Image.fromarray((digits.images[at] * 15.9).astype("u1")).resize((16, 16), 0).save(name)
            wrong += [f"1/{name.name}"] if digit == 0 and i < 3 else []
    return wrong


@pytest.mark.daily
def test_from_folders_of_pictures_to_the_page(tmp_path, capsys):
    import assay
    from assay.pipelines.cli.main import main

    wrong, bench = draw_folders(tmp_path / "digits"), str(tmp_path / "bench")
    assert (
        main(["import", str(tmp_path / "digits"), "-b", bench, "--who", "ann", "--audited-test"])
        == 0
    )
    assert main(["scan", "-b", bench, "--embedder", "pixels"]) == 0
    state = assay.open(bench).state()
    fixed = state[state.key.isin(wrong) & state.split.isin(("train", "val"))]
    with open(tmp_path / "fix.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerows(
            [
                ["sample", "label", "suggested_label", "score"],
                *([s, "0", "0", "0.02"] for s in fixed.index),
            ]
        )
    assert main(["edit", str(tmp_path / "fix.csv"), "-b", bench, "--who", "ann"]) == 0
    assert main(["commit", "-b", bench, "-m", "three zeros"]) == 0
    (tmp_path / "digits" / fixed.key.iloc[0]).unlink()  # a picture that has moved away since
    (tmp_path / "plan.toml").write_text(
        'versions = ["v1", "v2"]\narchitectures = ["probe"]\nseeds = 2\n'
    )
    file = tmp_path / "report.html"
    assert main(["experiment", str(tmp_path / "plan.toml"), "-b", bench, "-o", str(file)]) == 0
    html, parsed = file.read_text(), Parsed(file.read_text())
    assert "three zeros" in parsed.text() and "v2 against v1" in parsed.text("h1")
    assert (
        html.count("<s>1</s> <em>→&nbsp;0</em>") == len(fixed)
        and f"{len(fixed)} of {len(fixed)} labels that differ" in html
    )
    assert (
        "as suggested, score 0.02" in parsed.text()
        and f"{len(fixed)} of {len(fixed)}" in parsed.text("dd")
    )
    flips = (
        html.index('id="test-samples-that-flipped"'),
        html.index('id="labels-that-were-changed"'),
    )
    tested = set(state.key[state.split == "test"])
    named, seen = (
        set(re.findall(r'<img alt="([^"]*)"', part))
        for part in (html[flips[1] :], html[slice(*flips)])
    )
    assert (
        set(fixed.key[1:]) <= named and not named & tested and seen <= tested
    )  # test pictures are seen as flips alone
    assert (
        parsed.text("figure").count("cannot be read now") == 1
        and str(file) in capsys.readouterr().out
    )
    assert "Would more reviews still pay?" in parsed.text("h3") and any(
        re.fullmatch(r"1 class \d+ too few", r) for r in rows(html)
    )


@pytest.mark.slow
def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    from PIL import Image

    import assay
    from assay.pipelines.cli.main import main

    (tmp_path / "images.csv").write_text(
        "path,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(4))
    )
    for i in range(4):
        Image.new("L", (8, 8), 60 * i).save(tmp_path / f"{i}.png")
    assert main(["import", str(tmp_path / "images.csv"), "-b", str(tmp_path / "bench")]) == 0
    bench, file = assay.open(tmp_path / "bench"), tmp_path / "report.html"
    bench.commit("as imported")
    data = deepcopy(REPORT_DATA) | dict(plan=PLAN | dict(versions=["v1", "v1"]))
    del data["made"]
    assert (
        write_page(experiment_report.draw_report(bench, data), file) == file
        and "expected a scanned bench" in Parsed(file.read_text()).text().lower()
    )
    before = file.read_text()
    for bad in (tmp_path / "none" / "r.html", file / "r.html", tmp_path / "bench"):
        with pytest.raises(UserError, match="expected to write"):
            write_page(experiment_report.draw_report(bench, data), bad)
    with pytest.raises(UserError, match="expected a version"):
        write_page(experiment_report.draw_report(bench, data | dict(plan=PLAN)), file)
    assert (
        file.read_text() == before
        and not list(tmp_path.glob(".report*"))
        and not list(tmp_path.glob(".bench*"))
    )
