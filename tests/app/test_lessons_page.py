"""Lessons in the workbench: what comes after the question is hidden until a guess, and a button runs them."""

from urllib.parse import parse_qs, urlsplit

import pytest

from assay.pipelines.explaining import lesson_links
from assay.pipelines.lessons.runs import load_run, run_file
from assay.pipelines.lessons.sources import find_lesson
from tests.app_test import AppTest

LESSON = "lesson_1_planted_errors"


def opened(bench, asked=LESSON):
    def script(path):
        import assay
        from assay.app.ui.page import draw_page

        draw_page("lessons", assay.open(path))

    at = AppTest.from_function(script, kwargs=dict(path=str(bench.path)), default_timeout=60)
    at.query_params["lesson"] = asked
    return at.run()


@pytest.mark.slow
def test_what_comes_after_the_question_waits_for_a_guess(bench):
    lesson, at = find_lesson(LESSON), opened(bench)
    assert not at.exception
    cells = [cell.role for cell in lesson.cells]
    before, answer = cells.index("question"), lesson.cells[cells.index("answer")].source
    code = [cell.source for cell in lesson.cells[:before] if cell.kind == "code"]
    assert [c.value for c in at.code if c.language == "python"] == code
    assert answer not in [m.value for m in at.markdown]
    at.text_input(key=f"guess of {LESSON}").set_value("100 and *36*").run()
    assert answer in [m.value for m in at.markdown]
    assert "You guessed: 100 and \\*36\\*" in [c.value for c in at.caption]


@pytest.mark.slow
def test_each_explanation_leads_to_its_lesson(bench):
    for name in sorted(set(lesson_links.LESSONS.values())):
        asked = parse_qs(urlsplit(lesson_links.workbench_address(name)).query)["lesson"][0]
        shown = [m.value for m in opened(bench, asked).markdown]
        assert find_lesson(name).cells[0].source in [text.removeprefix("#") for text in shown]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.daily
def test_a_button_runs_the_lesson_and_shows_what_it_prints(bench_once, tmp_path, chrome):
    from tests.browser import find_barriers, workbench
    from tests.helpers import copied

    lesson = find_lesson(LESSON)
    run_file(lesson).unlink(missing_ok=True)
    with workbench(copied(bench_once, tmp_path).path) as server:
        page = server.page(chrome, f"/lessons?lesson={LESSON}&who=ann")
        page.get_by_text("was not run here yet").wait_for(timeout=60_000)
        page.get_by_role("button", name="Run it, with its checks").click()
        page.get_by_text("180 of 1797 labels are wrong.").wait_for(timeout=120_000)
        page.get_by_label("Your guess").fill("all")
        page.keyboard.press("Enter")
        page.get_by_text("You guessed: all").wait_for()
        page.get_by_text("180 labels are wrong, whatever the seed").wait_for()
        assert page.get_by_alt_text("what the lines above draw").count() == 2
        assert find_barriers(page) == [] and not page.failed and not page.foreign
        page.context.close()
    assert load_run(lesson).passed


@pytest.mark.slow
def test_a_click_opens_another_lesson(bench):
    at = opened(bench)
    at.button(key="open lesson_2_out_of_sample").click().run()
    assert not at.exception and "## Lesson 2." in at.markdown[1].value
