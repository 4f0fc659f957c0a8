"""The report of a real bench: when it is made, and what it says everywhere."""

import html
import json
import re

import pandas as pd
import pytest

import assay
from assay import UserError
from assay.pipelines.evaluation.compare import compare_versions
from assay.pipelines.experiments import run
from assay.pipelines.reports.experiment_report import report
from tests.half_wrong import half_wrong
from tests.helpers import PLAN, run_assay, silent, truth_of


def test_a_report_without_runs_says_so(scanned):
    with pytest.raises(UserError, match="6 missing"):
        compare_versions(scanned, PLAN | dict(versions=["v1"]))
    assert assay.open(scanned.path).rows("select count(*) from runs") == [(0,)]


@pytest.mark.daily
def test_a_report_is_made_anew_only_where_something_changed(tmp_path):
    bench, page = half_wrong(tmp_path), tmp_path / "report.html"
    plan = PLAN | dict(architectures=["probe"])
    run.run_plan(bench, plan, silent)
    first, _ = report(bench, plan, page)
    kept, before = (bench.arrays / "report.npz").stat().st_mtime_ns, page.read_bytes()
    assert (
        report(bench, plan, page)[0] == first
        and (bench.arrays / "report.npz").stat().st_mtime_ns == kept
    )
    page.unlink()
    report(bench, plan, page)
    assert page.read_bytes() == before and first["effects"] == json.loads(
        json.dumps(compare_versions(bench, plan)["effects"])
    )
    (bench.arrays / "report.npz").write_bytes(b"damaged")
    assert report(bench, plan, page)[0] == first
    bench.edit(
        pd.DataFrame(dict(sample=bench.frame(split="val").index[:1], verdict="confirm")), "ann"
    )
    assert (
        report(bench, plan, page)[0]["fairness"]["accesses"] == 1
        and (bench.arrays / "report.npz").stat().st_mtime_ns != kept
    )


@pytest.mark.daily
def test_the_random_control_of_a_review_is_told_in_one_line_everywhere(scanned, tmp_path):
    """Nobody reviewed at random, too few, enough: on the screen, in the report and in a notebook."""
    truth = truth_of(scanned)
    (tmp_path / "plan.toml").write_text(
        'versions = ["v1", "HEAD"]\narchitectures = ["probe"]\nseeds = 2\n'
    )

    def review(n, share):
        rows = scanned.queue(n, share)
        decided = rows[["sample"]].assign(label=truth[rows["sample"]].to_numpy())
        scanned.edit(decided.assign(random=rows.random.map({True: "true", False: ""})), "ann")

    def told():
        page = tmp_path / "report.html"
        plan = tmp_path / "plan.toml"
        code, out, err = run_assay("experiment", plan, "-b", scanned.path, "-o", page)
        assert code == 0, err
        shown = scanned.report(page, plan)._repr_html_()
        lines = out.splitlines()
        answer = next(x for x in lines if re.match("Yes|No", x))
        assert len(answer) < 100, "the answer alone"
        line = next(x for x in lines if "random control" in x).strip()
        assert line in html.unescape(shown), "the notebook says the same"
        assert line[1:] in html.unescape(re.sub("<[^>]*>", "", page.read_text()))
        return line

    review(20, 0)
    assert told() == "no random control: nobody reviewed at random"
    review(20, 0.2)
    assert re.fullmatch(
        r"no random control: \d+ of the 30 reviewed at random that an estimate takes", told()
    )
    review(60, 1.0)
    seen = scanned.status()["review"]
    start = f"random control, estimated from {seen['sure_at_random']} reviewed at random ({seen['hits']} wrong): "
    assert seen["sure_at_random"] >= 30 and told().startswith(
        f"{start}{seen['reviewed']} such reviews would have found "
    )
    assert told().endswith(f" wrong labels; these found {seen['wrong']}")
