"""Experiments and History in a real browser: start, follow, stop, read; sessions that open, and the way back."""

import pandas as pd
import pytest

from assay.app.ui.experiment_progress import dismiss_all, list_progress, start_experiment
from assay.curation.errors import UserError
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.jobs import job_files
from assay.pipelines.reports.kept_reports import keep_report
from tests.browser import find_barriers, until, workbench
from tests.helpers import ROOT
from tests.report_page import REPORT_DATA
from tests.report_parts import page as draw_page
from tests.screenshots import STILL

LINES = ["Not shown: +0.2 points [-1.0, +1.4], v2 against v1."]
HOSTILE = """<main id="verdict"><h1>kept</h1><script>window.ran = 1</script><img src="/x" onerror="window.ran = 1">
<a href="javascript:window.ran = 1">go</a><iframe src="/"></iframe><p style="position:fixed">over</p></main>"""


def with_reports(bench):
    """Two reports, one of which somebody else has tampered with."""
    keep_report(bench, REPORT_DATA | dict(verdict_lines=LINES), str(draw_page()).encode())
    other = REPORT_DATA | dict(verdict_lines=LINES, question="<b>tampered</b>", tree={})
    keep_report(bench, other, HOSTILE.encode())
    return bench


@pytest.mark.browser
@pytest.mark.daily
def test_an_experiment_is_started_followed_and_stopped(scanned, chrome):
    with workbench(with_reports(scanned).path) as server:
        page = server.page(chrome, "/experiments?who=ann")
        page.get_by_text("A new experiment").click()
        start = page.get_by_role("button", name="Start", exact=True)
        start.wait_for()
        until(page, STILL)
        start.click()
        page.get_by_text("it starts").wait_for(timeout=20_000)
        until(page, STILL)
        assert page.get_by_role("button", name="Start", exact=True).is_disabled(), "not twice"
        page.locator(".assay-cells td", has_text="of 5 seeds").first.wait_for(
            timeout=400_000
        )  # it gives way to others
        assert page.get_by_text("to go").count() and find_barriers(page) == []
        (progress,) = list_progress(scanned)
        assert len(progress.cells) == 10 and progress.state == "running"
        page.get_by_role("button", name="Stop", exact=True).click()
        page.locator(".assay-cells").wait_for(state="detached", timeout=60_000)
        assert not [j for j in job_files.list_jobs(scanned) if j["state"] == "running"]
        until(page, STILL)
        assert page.get_by_role("button", name="Start", exact=True).is_enabled()
        assert page.foreign == [] and page.failed == []


@pytest.mark.daily
@pytest.mark.browser
@pytest.mark.slow
def test_the_report_is_a_part_of_the_page_and_runs_nothing(scanned, chrome):
    with workbench(with_reports(scanned).path) as server:
        for width, scheme in ((390, "dark"), (1440, "light")):
            page = server.page(
                chrome,
                "/experiments?who=ann",
                viewport=dict(width=width, height=850),
                color_scheme=scheme,
            )
            page.get_by_role("button", name=REPORT_DATA["question"]).click()
            contents = page.get_by_role("navigation", name="Contents")
            contents.wait_for(timeout=60_000)
            until(page, STILL)
            assert page.locator("iframe").count() == 0 and find_barriers(page) == []
            contents.get_by_text("Is it fair?").click()
            page.wait_for_timeout(1200)
            assert 0 <= contents.bounding_box()["y"] < 120, "the contents stay in sight"
            links = page.locator('a[href^="/browse?q="]').count()
            assert bool(links) == (ROOT / "app" / "pages" / "browse.py").exists()
            wide = "document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"
            assert page.evaluate(wide) <= 0
        page.get_by_role("button", name="tampered").click()
        page.get_by_role("heading", name="kept").wait_for()
        assert page.get_by_text("<b>tampered</b>").count(), "as text"
        assert page.evaluate("window.ran") is None and page.locator("iframe").count() == 0
        assert page.get_by_text("go", exact=True).get_attribute("href") is None
        assert page.get_by_text("over", exact=True).get_attribute("style") is None
        for key in ("../assay.duckdb", "..%2Fassay.duckdb", "0" * 16):
            assert server.ask(f"/assay/report/{key}")[0] in (400, 404)


@pytest.mark.daily
def test_a_second_one_is_refused_and_a_failed_one_says_why(scanned):
    asked = check_plan(dict(versions=["v1"], architectures=["probe"], seeds=1, question="Well?"))
    about = dict(runs=2, of=2, trained=1, question="At work?", share=0.5)
    with job_files.claim_job(scanned, "experiment-x", **about) as job:
        with pytest.raises(UserError, match="no other experiment at work"):
            start_experiment(scanned, asked)
        job.fail("KeyError: 'a layer'")
    (progress,) = list_progress(scanned)
    assert (progress.state, progress.error) == ("failed", "KeyError: 'a layer'")
    job_files.dismiss_job(scanned, "experiment-x")
    bad = asked | dict(versions=["no such version"])
    process = start_experiment(scanned, bad)
    with pytest.raises(UserError, match="no other experiment at work"):
        start_experiment(scanned, bad)  # though it has no job yet
    assert process.wait(60) != 0
    (progress,) = list_progress(scanned)
    assert progress.state == "failed" and "no such version" in progress.error
    assert progress.question == "Well?"
    dismiss_all(scanned, progress)
    assert list_progress(scanned) == [], "what was dismissed stays away"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.daily
def test_a_session_opens_into_pictures_and_is_taken_back(scanned, chrome):
    ids = scanned.frame(split="train").index[:3]
    was = scanned.state().label[ids]
    new = ["8" if label != "8" else "9" for label in was]
    scanned.edit(pd.DataFrame(dict(sample=ids, label=new)), "<i>ben</i>")
    with workbench(scanned.path) as server:
        page = server.page(chrome, "/history?who=ann", viewport=dict(width=390, height=850))
        page.locator("summary", has_text="<i>ben</i>, ").click()
        page.locator("details .assay-sheet figure").first.wait_for()
        assert (
            page.locator("summary", has_text="<i>ben</i>, ")
            .inner_text()
            .endswith("3 reviewed, 3 relabelled")
        )
        shown = page.locator("details figcaption").all_inner_texts()
        assert sorted(shown) == sorted(f"{a} → {b}" for a, b in zip(was, new))
        assert find_barriers(page) == []
        page.get_by_text("It restores 3 values.").wait_for()
        page.get_by_role("button", name="Take back").click()
        page.locator("summary", has_text="3 values taken back").wait_for()
        assert (scanned.state().label[ids] == was).all()
        assert page.foreign == [] and page.failed == []
