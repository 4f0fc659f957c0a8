"""The page that an experiment ends in: what it says, what it leaves out, what it can never load; then one sample's way onto it."""

import csv
import os
import re
import tomllib
from copy import deepcopy
from pathlib import Path

import pytest

from assay import UserError
from assay.pipelines.evaluation.verdict import describe_enough
from assay.pipelines.reports import experiment_report, sample_pictures
from assay.pipelines.reports.markdown import markdown
from assay.pipelines.reports.templates import write_page
from tests.report_page import (
    COSTS,
    GAIN,
    HOSTILE,
    MAIN,
    MLP,
    PICTURE,
    PICTURES,
    PLAN,
    REPORT_DATA,
    REVIEW,
    WHERE,
    N,
    Parsed,
    cell,
    change,
    estimate,
    region,
)

NOTHING = dict(share=None, errors_left=None)


def page(pictures=PICTURES, **change):
    return experiment_report.draw_page(deepcopy(REPORT_DATA) | change, pictures)


def test_the_verdict_stands_first_and_the_words_of_it_stand_out():
    html = page()
    parsed = Parsed(html)
    assert parsed.text("h1") == REPORT_DATA["verdict"].replace("[-", "[−")
    assert html.index("<h1") < html.index("<svg aria") < html.index("<h2")
    assert re.search(r"<h1[^>]*><em>Not shown</em>: 105 reviews raised accuracy", html)


def test_what_is_drawn_lies_where_the_numbers_say():
    parsed = Parsed(page())
    drawn = [
        [
            (t, a)
            for t, a, path in parsed.tags
            if t in ("rect", "line", "circle", "text") and path.count("table") == 1
        ]
    ]

    def place(a, key="x"):
        return float(a[key].rstrip("%"))

    zero = next(place(a, "x1") for t, a in drawn[0] if t == "line")
    bar = next(a for t, a in drawn[0] if t == "rect" and a["class"] == "bar")
    point = next(place(a, "cx") for t, a in drawn[0] if t == "circle")
    band = next(a for t, a in drawn[0] if t == "rect" and a["class"] == "band")
    unit = (point - zero) / MAIN["estimate"]  # percent of the axis a fraction takes
    assert place(bar) == pytest.approx(zero + unit * MAIN["low"], abs=0.05)
    assert place(bar) + place(bar, "width") == pytest.approx(zero + unit * MAIN["high"], abs=0.05)
    assert (place(band), place(band, "width")) == pytest.approx(
        (zero - unit * 0.005, 2 * unit * 0.005), abs=0.05
    )
    unseen = parsed.all("rect", "unseen")
    assert len(unseen) == 1 and place(unseen[0], "width") == pytest.approx(
        2 * unit * 0.018, abs=0.05
    )
    assert all(0 <= place(a) and place(a) + place(a, "width") <= 100 for a in parsed.all("rect"))


def test_an_audit_draws_the_gain_by_the_labels_as_given_under_its_own():
    given = estimate(0.001, -0.012, 0.015)
    effects = [MAIN | dict(given=given), MLP]
    audit = dict(
        n=500,
        audited=500,
        of=N,
        unsure=4,
        noise=dict(
            n=496, wrong=40, unsure=4, share=[0.08, 0.06, 0.11], share_between=[0.08, 0.088]
        ),
    )
    cells = [
        c | dict(accuracy=c["accuracy"] | dict(given=estimate(0.7, 0.6, 0.8, [3])))
        for c in REPORT_DATA["matrix"]
    ]
    parsed = Parsed(
        page(
            interval=effects[0],
            effects=effects,
            test=REPORT_DATA["test"] | dict(audit=audit),
            matrix=cells,
        )
    )
    own, under = ([a for a in parsed.all("circle", kind)] for kind in (None, "given"))
    zero = float(next(a["x1"] for a in parsed.all("line") if "x1" in a).rstrip("%"))
    unit = (float(own[0]["cx"].rstrip("%")) - zero) / MAIN["estimate"]
    assert float(under[0]["cx"].rstrip("%")) == pytest.approx(
        zero + unit * given["estimate"], abs=0.05
    )
    assert float(parsed.all("rect", "given")[0]["width"].rstrip("%")) == pytest.approx(
        unit * 0.027, abs=0.05
    )
    assert "Hollow: the same by the test labels as given." in parsed.text()
    assert (
        "Of 500 test labels audited blind 40 were wrong and 4 left unsure; by the labels as given the gain would be +0.1"
        in parsed.text()
    )
    assert parsed.text("td").count(
        "as given 70.0 % [60.0, 80.0]"
    ) == 6 and "audited blind: 500 of 525" in parsed.text("dd")


def test_what_the_test_labels_are_worth_stands_right_after_the_answer():
    worth = "test labels unaudited (their noise, by the random stratum of train and val: 3 of 60, 5.0% [1.7%, 13.7%])"
    html = page(
        verdict=REPORT_DATA["verdict"].replace("; 525", f"; {worth}; 525"),
        test=REPORT_DATA["test"] | dict(audited=False),
    )
    title = Parsed(html).text("h1")
    assert title.startswith("Not shown: 105 reviews raised accuracy") and title.endswith(
        "would show 1.8 points or more."
    )
    assert re.search(r'<h1[^>]*><em>Not shown</em>.*<span class="rest">test labels unaudited', html)


def test_an_experiment_too_small_for_its_question_says_what_it_would_take():
    def said(**power):
        return Parsed(page(power=REPORT_DATA["power"] | power)).text("header")

    assert (
        "An effect of the 0.5 points asked about would be seen 12% of the time." in said()
        and "seen 91% of the time." in said(power=0.91)
    )
    assert "takes two seeds to say" in said(power=None)
    small = REPORT_DATA["power"] | dict(
        power=0.12, asked=0.005, samples=6800, seeds=None, audited=None, of=None
    )
    assert describe_enough(small) == ", and 0.5 points would take 6,800 test samples"
    part = small | dict(of=2000, seeds=12)
    assert (
        describe_enough(part | dict(samples=None, audited=900))
        == ", and 0.5 points would take 900 of the 2,000 test labels audited or 12 seeds"
    )
    assert (
        describe_enough(part | dict(seeds=None))
        == ", and 0.5 points would take 6,800 test samples, all audited"
    )
    assert describe_enough(part | dict(samples=None, seeds=None)).endswith(
        "both more audited test labels and more seeds"
    )
    assert describe_enough(small | dict(seeds=40)).endswith("6,800 test samples or 40 seeds")
    assert (
        describe_enough(small | dict(samples=None)).endswith(
            "both more test samples and more seeds"
        )
        and describe_enough(small | dict(power=0.9)) == ""
    )


def test_the_curve_lies_where_the_numbers_say():
    html = page()
    inside = html[html.index('<div class="curve">') :]
    inside = inside[: inside.index("</div>")]
    line, band = (re.search(rf'<{t} points="([^"]*)"', inside)[1] for t in ("polyline", "polygon"))
    line, band = ([tuple(map(float, p.split(","))) for p in s.split()] for s in (line, band))
    last, zero = GAIN[-1], line[0]
    unit = (line[-1][1] - zero[1]) / last["estimate"]  # what a fraction takes, downwards
    assert unit < 0 and len(line) == len(GAIN) and len(band) == 2 * len(GAIN)
    for p, at, low, high in zip(GAIN, line, band, band[::-1]):
        x = 100 * p["reviews"] / last["reviews"]
        assert at == pytest.approx((x, zero[1] + unit * p["estimate"]), abs=0.05)
        assert (low, high) == (
            pytest.approx((x, zero[1] + unit * p["low"]), abs=0.05),
            pytest.approx((x, zero[1] + unit * p["high"]), abs=0.05),
        )
    assert all(0 <= y <= 100 for _, y in band)
    titles = re.findall("<title>(.*?)</title>", inside)
    assert titles[0] == "0 reviews, 0 s: 0.0 [0.0, 0.0] points" and titles[-1].startswith(
        "105 reviews, 18 min: +1.2 [0.0, +2.5]"
    )
    hit = [
        (float(x), float(w))
        for x, w in re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"', inside)
    ]
    assert hit[0][0] == 0 and sum(w for _, w in hit) == pytest.approx(
        100, abs=0.1
    )  # wherever the pointer is, one point answers


def test_minutes_seconds_and_what_an_hour_of_each_bought():
    text = Parsed(page()).text()
    assert (
        "17 min review: 105 decisions that stand, by ann; 5 decisions without a time taken as the median"
        in " ".join(cards(page()))
    )
    assert (
        "+0.7 [−3.5, +4.9] points gained per hour of review, not distinguishable from none"
        in " ".join(cards(page()))
    )
    assert "mlp against probe +3.1 [+1.2, +5.0] 4 min a run +51.0 [+20.0, +83.0]" in rows(page())
    short = dict(
        arch="mlp",
        against="probe",
        estimate=None,
        hours=1.2 / 3600,
        reason="too short to be a rate",
    )
    short = page(costs=COSTS | dict(rates=COSTS["rates"] | dict(architectures=[short])))
    assert "mlp against probe +3.1 [+1.2, +5.0] 1 s a run too short to be a rate" in rows(short)
    assert "each interval speaks of its own point" in text
    assert "reviews 70 to 105: no evidence that it still gained, +0.1 [−0.3, +0.5] points." in text
    assert "Validation labels changed: 4, which is no gain." in text
    order = ["first hundred", "only confirmed", "edit-2"]
    assert (
        sorted(order, key=text.index) == order
        and "ann, 2026-11-20: 30 training labels changed" in text
    )  # the best first
    assert "edit-3 only confirmed 5 0 0.0 [0.0, 0.0] changed nothing" in rows(page())


def cards(html):
    parsed = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html)
    return [re.sub("<[^>]*>", "", f"{value} {name}") for name, value in parsed]


def rows(html):
    """The text of every row of a table of numbers."""
    return [
        " ".join(re.sub("<[^>]*>", " ", row).split()).replace("&lt;", "<")
        for row in re.findall("<tr>(.*?)</tr>", html)
    ]


def test_slices_worth_reading_are_drawn_and_all_of_them_are_listed():
    html, parsed = page(), Parsed(page())
    assert (
        "functional class 350 85.7 [83.7, 87.7] 88.6 [86.6, 90.6] +2.9 [+0.9, +4.9] 0.010 helps"
        in rows(html)
    )
    assert "module: other metadata 4 too few" in rows(html)
    assert parsed.text("h3").endswith(
        "By classBy metadataWrong before, right afterRight before, wrong after"
    )
    many = [
        region("cluster", f"group {i}", 50, i / 1000, 0.05, 1.0, "no evidence either way")
        for i in range(40)
    ]
    many += [region("cluster", "the one", 50, -0.001, 0.0005, 0.01, "hurts")]
    html = page(where=WHERE | dict(slices=many))
    drawn = html[html.index('id="By-cluster"'.lower()) : html.index("Every slice as numbers")]
    names = re.findall(r"<span title=\"[^\"]*\">(.*?)</span>", drawn)
    assert (
        len(names) == 6 and names[-1] == "the one" and names[0] == "group 39"
    )  # the largest gain first
    assert (
        "6 of 41" in drawn
        and "Every slice as numbers (41)" in html
        and sum("cluster 50" in r for r in rows(html)) == 41
    )


def test_a_slice_that_is_most_of_the_test_set_is_no_headline():
    """It says what the verdict says; of a slice of 4 in 5 it is not said."""
    sizes = {"nearly all": int(0.8 * N) + 1, "most": int(0.8 * N)}
    most = [region("metadata", name, n, 0.05, 0.01, 0.001, "helps") for name, n in sizes.items()]
    html = page(where=WHERE | dict(slices=most))
    drawn = html[html.index('id="by-metadata"') : html.index("Every slice as numbers")]
    assert (
        ">most</span>" in drawn
        and "nearly all" not in drawn
        and any("nearly all" in r for r in rows(html))
    )
    assert "1 slice of more than 80% of the test set: only among the numbers below." in drawn


def test_a_confusion_matrix_shows_one_of_its_three_numbers_without_a_script():
    html, parsed = page(), Parsed(page())
    radios = [a for a in parsed.all("input")]
    assert {a["type"] for a in radios} == {"radio"} and [
        a["id"] for a in radios if "checked" in a
    ] == ["view-2", "arch-0"]
    assert len([a for a in radios if a["name"] == "arch"]) == 3  # the mean, probe, mlp
    cells = re.findall(
        r'<td class="(\w+) (\w+)" style="([^"]*)" title="([^"]*)"><i>(.*?)</i><i>(.*?)</i><i>(.*?)</i></td>',
        html,
    )
    assert len(cells) == 3 * 4
    assert cells[0][:2] == ("right", "better") and cells[0][3:] == (
        "defective, confused with defective: 300 before, 310 after", "300", "310", "+10")  # fmt: skip
    assert cells[1][:2] == ("wrong", "better") and cells[1][4:] == ("50", "40", "−10")
    assert cells[2][:2] == ("wrong", "worse") and cells[2][4:] == ("40", "42", "+1.6")
    assert cells[3][:2] == ("right", "worse") and cells[3][4:] == ("135", "133", "−1.6")
    shades = [dict(s.split(":") for s in c[2].split(";")) for c in cells]
    assert all(0 <= float(x) <= 1 for s in shades for x in s.values())
    assert float(shades[0]["--d"]) > float(shades[3]["--d"])  # 10 of 350 are more than 1.6
    css = (Path(experiment_report.__file__).parent / "report.css").read_text()
    assert all(f"#{i}:checked" in css for i in ("view-0", "view-1", "view-2"))


def test_of_many_classes_those_are_drawn_whose_mistakes_changed_most():
    k = 60
    before = [[90.0 if i == j else 0.2 for j in range(k)] for i in range(k)]
    after = [row[:] for row in before]
    for i in range(20, 40):  # each of twenty takes something from its neighbour
        after[i][20 + (i - 19) % 20] += i
    m = dict(
        before=before,
        after=after,
        difference=[[a - b for a, b in zip(x, y)] for x, y in zip(after, before)],
    )
    about = dict(
        classes=[f"class {i:02}" for i in range(k)], by_arch=dict(probe=m), mean=m, changed=[]
    )
    html = page(where=WHERE | dict(confusion=about))
    named = re.findall(r'<th scope="col"><span>(.*?)</span>', html)
    assert (
        named == [f"class {i:02}" for i in range(20, 40)]
        and "The 20 classes of 60" in html
        and 'name="arch"' not in html
    )
    html = page(
        where=WHERE
        | dict(
            confusion=WHERE["confusion"]
            | dict(classes=[str(i) for i in range(1000)], by_arch={}, mean=None)
        )
    )
    assert (
        "1,000 classes are too many for a matrix" in html
        and "defective → functional 50 40 −10" in rows(html)
    )
    one = dict(before=[[9.0]], after=[[9.0]], difference=[[0.0]])
    assert Parsed(
        page(
            where=WHERE
            | dict(confusion=dict(classes=["a"], by_arch=dict(probe=one), mean=one, changed=[]))
        )
    ).all("table", "grid")


def test_what_a_reader_must_know_before_believing_it():
    text = " ".join(cards(page()))
    assert "training samples that (nearly) equal a test sample: v1: 0, v2: 3 copies" in text
    assert (
        "this test version was looked at 2 times, first 2026-11-21; 14 edits of train and val since test accesses"
        in text
    )
    assert "525 test samples of v2, the same for every run judged by" in text
    near = REPORT_DATA["fairness"] | dict(near_duplicates=dict(v1=0, v2=0), accesses=1)
    text = " ".join(cards(page(fairness=near)))
    assert (
        "no training sample (nearly) equals a test sample" in text and "looked at 1 time," in text
    )


def test_a_control_that_nobody_ran_is_estimated_from_the_random_stratum_and_says_so():
    guess = dict(
        kind="control",
        estimated=True,
        sure_at_random=60,
        unsure_at_random=0,
        hits=3,
        reviews=105,
        found=36,
        would_find=[5.25, 1.8, 14.4],
    )
    text = Parsed(page(control=guess)).text()
    assert (
        "Random control, estimated from 60 reviewed at random (3 wrong): 105 such reviews would have found 5 [2, 14] wrong labels; these found 36."
        in text
    )
    assert "5 [2, 14]" in Parsed(page(control=guess)).text("dd")


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
    cells = re.findall(r'<td>(<p class="arch">.*?)</td>', html)
    assert len(cells) == 6
    number = r"<b>\d+\.\d&nbsp;%</b> <span class=\"range\">\[\d+\.\d, \d+\.\d\]</span>"
    for c in cells:
        assert len(re.findall(number, c)) == c.count("&nbsp;%") == 2 and "balanced" in c
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


def test_a_spread_that_came_out_below_nothing_is_no_number():
    text = Parsed(
        page(matrix=[cell("v1", "mlp", 0.8, seed_spread=0.0), cell("v2", "mlp", 0.8)])
    ).text()
    assert (
        "seed spread not distinguishable from 0" in text
        and "seed spread 0.4" in text
        and "seed spread 0.0" not in text
    )
    assert "the same run may get another interval in another plan" in text


def test_the_random_control_of_a_relabelling_says_what_it_is():
    blind = change("control", "v1 ~ random(30) against v1", -0.02, -0.03, -0.01)
    for text in (
        Parsed(page(beside=[blind])).text("header"),
        markdown(deepcopy(REPORT_DATA) | dict(beside=[blind])).replace("\\", ""),
    ):
        assert (
            "The random control v1 ~ random(30) relabels random samples in the same way, so it harms by itself"
            in text
        )
    assert "harms by itself" not in page() + markdown(deepcopy(REPORT_DATA))


def test_a_run_that_diverged_is_named_and_so_is_a_change_of_code():
    text = Parsed(
        page(
            diverged=[dict(version="v1", arch="mlp", seeds=[2])],
            matrix=[cell("v1", "mlp", 0.6, diverged=[2])],
            code=["aaa", "bbb"],
        )
    ).text()
    assert (
        "diverged and left out: seed 2" in text
        and "1 run that diverged left out." in text
        and "different code" in text
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


def test_unaudited_test_labels_have_no_band_too_small_to_matter():
    parsed = Parsed(page(test=REPORT_DATA["test"] | dict(audited=False)))
    assert not parsed.all("rect", "band") and parsed.all("rect", "bar")
    few = Parsed(page(review=REVIEW | NOTHING | dict(sure_at_random=5, hits=0))).text()
    assert (
        "0 of 5, too few for a rate" in few
        and "not yet known" in few
        and "takes 30 reviewed at random, there are 5" in few
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


def parse(lines):
    """The rows of a GitHub table: what stands between pipes that no backslash guards."""
    return [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def tables(text):
    blocks = [b.split("\n") for b in text.split("\n\n")]
    return [parse(b) for b in blocks if b[0].startswith("|")]


def test_markdown_for_a_pull_request_has_the_same_numbers_in_tables_that_parse():
    text = markdown(deepcopy(REPORT_DATA))
    answer = "### Not shown: 105 reviews raised accuracy from 79.9 to 80.1 %, +0.2 points \\[−1.0, +1.4\\], v2 against v1\n\n525 test samples"
    assert text.startswith(answer) and len(text.split("\n")) < 60
    matrix, effects = tables(text)
    for t in (matrix, effects):
        assert {len(row) for row in t} == {len(t[0])} and set(t[1]) == {"---"}
    assert matrix[0] == ["version", "probe", "mlp"] and matrix[2] == [
        "v1 (1,837 labels)",
        "80.0 [77.0, 83.0]",
        "83.0 [80.0, 86.0]",
    ]
    assert effects[3] == ["mlp against probe", "+3.1 [+1.2, +5.0]", "&lt; 0.001", "helps"]
    given = [e | dict(given=estimate(0.001, -0.012, 0.015)) for e in REPORT_DATA["effects"]]
    audited = tables(markdown(deepcopy(REPORT_DATA) | dict(effects=given)))[1]
    assert audited[0][-1] == "as given" and audited[3] == effects[3] + ["+0.1 [−1.2, +1.5]"]
    assert (
        "Cost: 17 min of review (105 decisions), +0.7 [−3.5, +4.9] points per hour of it, 33 min of compute (18 runs)"
        in text
    )
    assert "Where: functional +2.9 [+0.9, +4.9] (helps), of 3 tested" in text
    assert (
        "at most 3 training samples (nearly) equal a test sample; test version looked at 2 times, 14 edits since the first"
        in text
    )
    settings = tomllib.loads(re.search("```toml\n(.*?)```", text, re.S)[1])
    assert settings["versions"] == ["v1", "v2"] and settings["seeds"] == [0, 1, 2]


def test_no_label_breaks_the_markdown():
    evil = "a|b `c` <img src=x> @octocat\n# [x](http://evil.example) ``` "
    cells, plan = (
        [cell(evil, "probe", 0.8)],
        PLAN | dict(question=evil, versions=[evil], architectures=["probe"], slices={evil: evil}),
    )
    where = WHERE | dict(slices=[region("class", evil, 30, 0.1, 0.02, 0.01, "helps")])
    control = REPORT_DATA["control"] | dict(version=evil)
    text = markdown(
        deepcopy(REPORT_DATA)
        | dict(
            matrix=cells,
            plan=plan,
            effects=[MAIN | dict(name=evil)],
            where=where,
            verdict=evil,
            control=control,
        )
    )
    for t in tables(text):
        assert {len(row) for row in t} == {len(t[0])}
    outside = text.replace("`assay experiment plan.toml`", "")
    outside = re.sub(
        "(`{4,})toml\n.*?\n\\1", "", outside, flags=re.S
    )  # a longer fence than the plan holds
    assert "<img" not in outside and not re.search(r"(?<!\\)`[^a]|@octo|\n# |(?<!\\)\]\(", outside)
    fenced = re.search("(`{4,})toml\n(.*?)\n\\1", text, re.S)[2]
    assert tomllib.loads(fenced)["slices"] == {evil: evil}
    bare = dict(
        interval=None,
        effects=[],
        control=None,
        control_reason="no random control",
        power=None,
        where=None,
        costs=None,
        fairness=None,
    )
    assert "No effect to show." in markdown(
        deepcopy(REPORT_DATA) | bare
    ) and "No random control" in markdown(deepcopy(REPORT_DATA) | bare)
