"""Reports that are kept: one for each plan on the same data, listed without judging anything again."""

import json
from copy import deepcopy

import assay
from assay.pipelines.reports.kept_reports import (
    FOLDER,
    LAST,
    find_page,
    keep_report,
    list_reports,
    report_key,
)
from tests.report_page import MAIN, REPORT_DATA

DATA = REPORT_DATA | dict(verdict_lines=["Not shown: +0.2 points [-1.0, +1.4], v2 against v1."])


def test_the_same_plan_on_the_same_data_is_one_experiment(tmp_path):
    bench = assay.create(tmp_path / "bench")
    keep_report(bench, DATA, b"<p>first</p>")
    first = list_reports(bench)
    keep_report(bench, DATA, b"<p>drawn again</p>")
    assert list_reports(bench) == first and len(first) == 1, "its date is that of the first"
    assert find_page(bench, first[0].key).read_bytes() == b"<p>drawn again</p>"
    other = deepcopy(DATA) | dict(tree=dict(v1="a", v2="other labels"))
    keep_report(bench, other, b"<p>HEAD has moved on</p>")
    assert {about.key for about in list_reports(bench)} == {report_key(DATA), report_key(other)}
    about = first[0]
    assert (about.answer, about.verdict, about.n, about.seeds) == (
        "Not shown",
        "no evidence either way",
        525,
        3,
    )
    assert (about.estimate, about.low, about.high) == tuple(
        MAIN[k] for k in ("estimate", "low", "high")
    )
    nothing = DATA | dict(interval=None, question="?", plan={}, verdict_lines=["Nothing to compare."])  # fmt: skip
    keep_report(bench, nothing, b"")
    assert {a.answer for a in list_reports(bench)} == {"Not shown", ""}


def test_what_somebody_else_put_there_is_not_listed(tmp_path):
    bench = assay.create(tmp_path / "bench")
    keep_report(bench, DATA, b"<p></p>")
    folder, good = bench.path / FOLDER, list_reports(bench)
    about = json.loads((folder / f"{good[0].key}.json").read_text())
    bad = dict(
        a="not json",
        b="[1]",
        c=json.dumps(about | dict(key="../../etc/passwd")),
        d=json.dumps(about | dict(key="d" * 16, low="<b>")),
        e=json.dumps(about | dict(key="e" * 16, question=None)),
        f=json.dumps(about | dict(key="f" * 16, more=1)),
    )
    for letter, text in bad.items():
        (folder / f"{letter * 16}.json").write_text(text)
        (folder / f"{letter * 16}.html").write_text("")
    assert list_reports(bench) == good
    (folder / f"{good[0].key}.html").unlink()
    assert list_reports(bench) == [], "a page that is gone"
    for key in ("../assay", "last/..", "x", "A" * 16, LAST):
        assert find_page(bench, key) is None


def test_a_bench_of_before_has_its_last_report(tmp_path):
    bench = assay.create(tmp_path / "bench")
    (bench.path / "report.html").write_text("<p>old</p>")
    (bench.path / "plan.json").write_text('{"question": "Did it help?"}')
    found = list_reports(bench)
    assert [(a.key, a.question) for a in found] == [(LAST, "Did it help?")]
    assert find_page(bench, LAST).read_text() == "<p>old</p>"
