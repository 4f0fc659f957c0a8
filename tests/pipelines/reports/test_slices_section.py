"""Slices that are worth reading, and confusions that changed."""

import re
from pathlib import Path

from assay.pipelines.reports import experiment_report
from tests.report_page import (
    WHERE,
    N,
    Parsed,
    region,
)
from tests.report_parts import page, rows


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
        r'<td class="(\w+) (\w+)" style="([^"]*)" title="([^"]*)"[^>]*><i>(.*?)</i><i>(.*?)</i><i>(.*?)</i></td>',
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
