"""The page that an experiment ends in: what it says, what it leaves out, what it can never load; then one sample's way onto it."""

import csv
import os
import re
from copy import deepcopy
from html.parser import HTMLParser

import pytest

from curation import UserError
from pipelines import report

HOSTILE = """<script>alert("x")</script><img src=http://evil.example onerror='go()'>{0}"""
N = 525
VOID = {"meta", "img", "br"}


def estimate(value, low, high, seeds=(3, 3)):
    return dict(estimate=value, low=low, high=high, n=N, seeds=list(seeds))


def change(kind, name, value, low, high, **more):
    version, against = name.split(" against ")[:2]
    return dict(kind=kind, name=name, version=version, against=against) | estimate(value, low, high) | more


def cell(version, arch, value, **more):
    accuracy, balanced = estimate(value, value - 0.03, value + 0.03, [3]), estimate(value - 0.06, value - 0.1, value - 0.02, [3])
    return dict(version=version, arch=arch, n_train=1837, accuracy=accuracy, balanced=balanced, seed_spread=0.004, diverged=[]) | more


MAIN = change("data", "v2 against v1", 0.002, -0.010, 0.014, p=0.7, p_holm=1.0, verdict="no evidence either way")
MLP = change("architecture", "mlp against probe", 0.031, 0.012, 0.050, p=1e-4, p_holm=3e-4, verdict="helps")
BOTH = change("interaction", "v2 against v1, mlp against probe", 0.011, -0.006, 0.028, p=0.2, p_holm=0.4, verdict="no evidence either way")
PLAN = dict(question="Did 100 reviews help?", versions=["v1", "v2"], architectures=["probe", "mlp"], seeds=[0, 1, 2], margin=0.5)
CONTROL = change("control", "control against v1", 0.0, -0.007, 0.007)
DATA = dict(
    question="Did 100 reviews help?",
    verdict="no evidence either way: +0.2 points [-1.0, +1.4], v2 against v1; 525 test samples and 3 seeds would show 1.8 points or more.",
    interval=MAIN,
    interaction=BOTH,
    control=CONTROL | dict(beyond=estimate(0.002, -0.011, 0.015)),
    **dict.fromkeys(("interval_reason", "interaction_reason", "control_reason", "seeds_note")),
    n_test=N,
    seeds=[0, 1, 2],
    tree=dict(v1="a" * 32, v2="b" * 32),
    cells=[cell(v, a, 0.8 + 0.03 * (a == "mlp")) for v in ("v1", "v2", "control") for a in ("probe", "mlp")],
    effects=[MAIN, MLP, BOTH],
    beside=[CONTROL, change("ceiling", "ceiling against v1", 0.001, -0.012, 0.014)],
    per_architecture=[change("data", "v2 against v1", 0.002, -0.01, 0.014, arch=a) for a in ("probe", "mlp")],
    smallest_effect=0.018,
    margin=0.005,
    test=dict(n=N, hash="c" * 32, audited=True, noise="0 of 5, too few for a rate"),
    review=dict(reviewed=105, wrong=36, unsure=2, population=2099, looks=60, hits=3, errors_left=(97.3, 31.0, 260.0)),
    code=["e8366099f30d"],
    plan=PLAN | dict(control="control"),
    log=[dict(kind="commit", name="v1", who="ann", ts="2026-11-22T19:15:35", why="as imported")],
    made=dict(bench="cells", packages={"Python": "3.11.7", "numpy": "2.4.6"}, at_random=dict(reviewed=105, wrong=6)),
)
PICTURE = dict(jpeg=b"\xff\xd8", name="cell0001.png", was="defective", now="functional", text="as suggested, score 0.03")
PICTURES = dict(changed=[PICTURE], n_changed=36, n_dropped=2, who=["ann"], open=[PICTURE], n_open=238, no_queue=None)


class Parsed(HTMLParser):
    """A page as its reader's browser takes it apart; refuses tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, text):
        if self.open and self.open[-1] != "style":
            self.texts.append((tuple(self.open), text))

    def text(self, inside=None):
        return " ".join("".join(t for path, t in self.texts if inside is None or inside in path).split())

    def all(self, tag, kind=None):
        return [a for t, a, _ in self.tags if t == tag and (kind is None or a.get("class") == kind)]


def page(pictures=PICTURES, **change):
    return report.page(deepcopy(DATA) | change, pictures)


def test_the_verdict_stands_first_and_the_words_of_it_stand_out():
    html = page()
    parsed = Parsed(html)
    assert parsed.text("h1") == DATA["verdict"].replace("no evidence", "No evidence").replace("[-", "[−")
    assert html.index("<h1") < html.index("<svg aria") < html.index("<h2")
    assert re.search(r"<h1[^>]*><em>No evidence either way</em>", html)


def test_what_is_drawn_lies_where_the_numbers_say():
    parsed = Parsed(page())
    drawn = [[(t, a) for t, a, path in parsed.tags if t in ("rect", "line", "circle", "text") and path.count("table") == 1]]

    def place(a, key="x"):
        return float(a[key].rstrip("%"))

    zero = next(place(a, "x1") for t, a in drawn[0] if t == "line")
    bar = next(a for t, a in drawn[0] if t == "rect" and a["class"] == "bar")
    point = next(place(a, "cx") for t, a in drawn[0] if t == "circle")
    band = next(a for t, a in drawn[0] if t == "rect" and a["class"] == "band")
    unit = (point - zero) / MAIN["estimate"]  # percent of the axis a fraction takes
    assert place(bar) == pytest.approx(zero + unit * MAIN["low"], abs=0.05)
    assert place(bar) + place(bar, "width") == pytest.approx(zero + unit * MAIN["high"], abs=0.05)
    assert (place(band), place(band, "width")) == pytest.approx((zero - unit * 0.005, 2 * unit * 0.005), abs=0.05)
    unseen = parsed.all("rect", "unseen")
    assert len(unseen) == 1 and place(unseen[0], "width") == pytest.approx(2 * unit * 0.018, abs=0.05)
    assert all(0 <= place(a) and place(a) + place(a, "width") <= 100 for a in parsed.all("rect"))


def test_nothing_that_comes_from_outside_can_become_markup():
    picture = dict(jpeg=b"\xff\xd8", name=HOSTILE, was=HOSTILE, now=HOSTILE, text=HOSTILE)
    pictures = dict(changed=[picture], n_changed=1, n_dropped=0, who=[HOSTILE], open=[picture], n_open=1, no_queue=None)
    main = MAIN | dict(name=HOSTILE, version=HOSTILE)
    plan = DATA["plan"] | dict(question=HOSTILE, versions=[HOSTILE, "v2"], architectures=[HOSTILE], control=HOSTILE)
    html = page(
        pictures,
        question=HOSTILE,
        verdict=HOSTILE,
        plan=plan,
        interval=main,
        effects=[main],
        cells=[cell(HOSTILE, HOSTILE, 0.8)],
        tree={HOSTILE: HOSTILE},
        log=[dict(kind="commit", name=HOSTILE, who=HOSTILE, ts="2026-11-22T19:15", why=HOSTILE)],
        made=DATA["made"] | dict(bench=HOSTILE),
        control=None,
        control_reason=HOSTILE,
    )
    parsed = Parsed(html)
    assert not parsed.all("script") and len(parsed.all("img")) == 2
    assert not [a for _, a, _ in parsed.tags for name in a if name.startswith("on")]
    assert all(a["src"].startswith("data:image/jpeg;base64,") for a in parsed.all("img"))
    assert parsed.all("img")[0]["alt"] == HOSTILE and HOSTILE[:40] in parsed.text("figcaption") and HOSTILE[:40] in parsed.text("h1")


def test_a_label_as_long_as_a_book_is_cut():
    html = page(PICTURES | dict(changed=[PICTURE | dict(was="x" * 100_000)]))
    assert len(html) < 60_000 and "x" * 59 + "…" in html


def test_the_page_loads_nothing_and_stays_small():
    many = [PICTURE | dict(jpeg=os.urandom(20_000))] * report.SHEET  # noise of 128 x 128 is about as large
    html = page(PICTURES | dict(changed=many, open=many))
    parsed = Parsed(html)
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", re.sub(r"base64,[^\"]*", "", html))
    assert set(re.findall(r"url\([^)]*\)", html)) == {"url(#hatch)"}
    assert {t for t, _, _ in parsed.tags}.isdisjoint({"script", "link", "iframe", "object", "form", "a", "base"})
    assert any("default-src 'none'" in a.get("content", "") for a in parsed.all("meta"))
    assert len(html) < 3_000_000


def test_no_accuracy_without_its_interval_and_its_n():
    html = page()
    cells = re.findall(r"<td>(<p>.*?)</td>", html)
    assert len(cells) == 6
    number = r"<b>\d+\.\d&nbsp;%</b> <span class=\"range\">\[\d+\.\d, \d+\.\d\]</span>"
    for c in cells:
        assert len(re.findall(number, c)) == c.count("%") == 2 and "balanced" in c
        assert "525 test samples, 3 seeds, seed spread 0.4" in c
    assert html.count("&nbsp;%") == 12  # and there are no others
    bold = re.findall(r"<b>[+−]?\d+\.\d</b>( <span class=.range.>\[[+−]?\d+\.\d, [+−]?\d+\.\d\])?", html)
    assert bold and all(bold), "a difference without an interval"
    text = Parsed(html).text()
    assert "Holm p < 0.001" in text and "Holm p 1.000" in text and "mlp against probe" in text
    assert "control against v1" in text and "v2 against it +0.2 [−1.1, +1.5] points" in text
    assert "36 of 105" in text and "6 of 105" in text and "3 of 60, 5.0% [1.7%, 13.7%]" in text and "97 [31, 260]" in text


def test_a_run_that_diverged_is_named_and_so_is_a_change_of_code():
    text = Parsed(page(cells=[cell("v1", "mlp", 0.6, diverged=[2])], code=["aaa", "bbb"])).text()
    assert "diverged, but counted: seed 2" in text and "different code" in text


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
        cells=[cell("v1", "probe", 0.8, seed_spread=None)],
        effects=[],
        beside=[],
        smallest_effect=None,
        test=DATA["test"] | dict(audited=False),
        review=dict(reviewed=0, wrong=0, unsure=0, population=2099, looks=0, hits=0, errors_left=None),
        made=DATA["made"] | dict(at_random=None),
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
    ):
        assert words in parsed.text(), words
    assert len(parsed.all("table")) == 1 and not parsed.all("figure")  # no empty tables


def test_unaudited_test_labels_have_no_band_too_small_to_matter():
    parsed = Parsed(page(test=DATA["test"] | dict(audited=False)))
    assert not parsed.all("rect", "band") and parsed.all("rect", "bar")
    few = Parsed(page(review=DATA["review"] | dict(looks=5, hits=0, errors_left=None))).text()
    assert "0 of 5, too few for a rate" in few and "not yet known" in few and "takes 30 random looks, there are 5" in few


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


def test_from_folders_of_pictures_to_the_page(tmp_path, capsys):
    import curation
    from pipelines.__main__ import main

    wrong, bench = draw_folders(tmp_path / "digits"), str(tmp_path / "bench")
    assert main(["import", str(tmp_path / "digits"), "-b", bench, "--who", "ann", "--audited-test"]) == 0
    assert main(["scan", "-b", bench, "--embedder", "pixels"]) == 0
    state = curation.open(bench).state()
    fixed = state[state.key.isin(wrong) & state.split.isin(("train", "val"))]
    with open(tmp_path / "fix.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerows([["sample", "label", "suggested_label", "score"], *([s, "0", "0", "0.02"] for s in fixed.index)])
    assert main(["edit", str(tmp_path / "fix.csv"), "-b", bench, "--who", "ann"]) == 0
    assert main(["commit", "-b", bench, "-m", "three zeros"]) == 0
    (tmp_path / "digits" / fixed.key.iloc[0]).unlink()  # a picture that has moved away since
    (tmp_path / "plan.toml").write_text('versions = ["v1", "v2"]\narchitectures = ["probe"]\nseeds = 2\n')
    file = tmp_path / "report.html"
    assert main(["experiment", str(tmp_path / "plan.toml"), "-b", bench, "-o", str(file)]) == 0
    html, parsed = file.read_text(), Parsed(file.read_text())
    assert "three zeros" in parsed.text() and "v2 against v1" in parsed.text("h1")
    assert html.count("<s>1</s> <em>→&nbsp;0</em>") == len(fixed) and f"{len(fixed)} of {len(fixed)} labels that differ" in html
    assert "as suggested, score 0.02" in parsed.text() and f"{len(fixed)} of {len(fixed)}" in parsed.text("dd")
    named = {a["alt"] for a in parsed.all("img")}
    assert set(fixed.key[1:]) <= named and not named & set(state.key[state.split == "test"])
    assert parsed.text("figure").count("cannot be read now") == 1 and str(file) in capsys.readouterr().out


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    from PIL import Image

    import curation
    from pipelines.__main__ import main

    (tmp_path / "images.csv").write_text("path,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(4)))
    for i in range(4):
        Image.new("L", (8, 8), 60 * i).save(tmp_path / f"{i}.png")
    assert main(["import", str(tmp_path / "images.csv"), "-b", str(tmp_path / "bench")]) == 0
    bench, file = curation.open(tmp_path / "bench"), tmp_path / "report.html"
    bench.commit("as imported")
    data = deepcopy(DATA) | dict(plan=PLAN | dict(versions=["v1", "v1"]))
    del data["made"]
    assert report.write(bench, data, file) == file and "expected a scanned bench" in Parsed(file.read_text()).text().lower()
    before = file.read_text()
    for bad in (tmp_path / "none" / "r.html", file / "r.html", tmp_path / "bench"):
        with pytest.raises(UserError, match="expected to write the report"):
            report.write(bench, data, bad)
    with pytest.raises(UserError, match="expected a version"):
        report.write(bench, data | dict(plan=PLAN), file)
    assert file.read_text() == before and not list(tmp_path.glob(".report*")) and not list(tmp_path.glob(".bench*"))
