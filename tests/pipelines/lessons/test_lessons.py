"""Lessons: read, run in a process of their own, checked, written as notebooks and pages."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

import assay
from assay.pipelines.lessons import page_formulas, pages
from assay.pipelines.lessons.notebook import make_notebook, write_notebook
from assay.pipelines.lessons.runs import LessonFailed, load_run, run_lesson
from assay.pipelines.lessons.sources import find_lesson, list_lessons, read_lesson
from tests.helpers import run_assay

LESSONS = list_lessons()
SMALL = """# %% [markdown]
# # Lesson 9. Twice two
#
# Twice two is 4, n = 1.

# %%
# a result
print("first")
four = 2 * 2

# %% [markdown]
# **Predict.** How much is it?

# %% [markdown]
# **Answer.** It is printed above.

# %%
# check
assert four == 4, "twice two is 4"
assert four > 0
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Runs are kept for this test alone."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


def write(folder, text):
    file = folder / "lesson_9_small.py"
    file.write_text(text)
    return file


def test_a_file_is_read_as_cells_with_what_each_is_for(tmp_path):
    lesson = read_lesson(write(tmp_path, SMALL))
    assert (lesson.number, lesson.title) == (9, "Twice two")
    assert lesson.claim == "Twice two is 4, n = 1."
    assert [c.role for c in lesson.cells] == ["", "", "question", "answer", "check"]
    lines = SMALL.splitlines()
    for cell in lesson.cells:
        assert lines[cell.line - 1].endswith(cell.source.splitlines()[0])


@pytest.mark.parametrize(
    "text, found",
    [("print(1)\n", "title"), ("# %% [markdown]\n# # T\nprint(1)\n", "line 3"), ("", "title")],
)
def test_a_file_that_is_no_lesson_is_refused(tmp_path, text, found):
    with pytest.raises(assay.UserError, match=found):
        read_lesson(write(tmp_path, text))


@pytest.mark.slow
def test_a_lesson_runs_elsewhere_and_its_run_is_kept(tmp_path):
    more = "import os\nprint(os.getpid())\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n"
    lesson = read_lesson(write(tmp_path, SMALL.replace("four = 2 * 2\n", f"four = 2 * 2\n{more}")))
    run = run_lesson(lesson)
    text, pid = run.outputs[1].text.split()
    assert text == "first" and int(pid) != os.getpid()
    assert len(run.outputs[1].figures) == 1 and run.passed
    assert [c.should for c in run.checks] == ["twice two is 4", "four > 0"]
    assert load_run(lesson) == run
    assert load_run(read_lesson(write(tmp_path, SMALL))) is None, "of the lesson as it is now"


@pytest.mark.slow
def test_a_broken_line_fails_its_check_and_no_other(tmp_path):
    file = write(tmp_path, SMALL.replace("2 * 2", "2 * 3"))
    status, out, _ = run_assay("lesson", file, "--check")
    assert status == 1
    assert "FAILS: twice two is 4 (not so: four == 4)" in out and "holds: four > 0" in out
    status, out, _ = run_assay("lesson", file, "--check", "--json")
    told = json.loads(out)
    assert status == 1 and told["code"] == "check_failed"
    assert [c["passed"] for c in told["checks"]] == [False, True]
    assert run_assay("lesson", write(tmp_path, SMALL), "--check", "--quiet")[:2] == (0, "")


@pytest.mark.slow
def test_a_lesson_that_stops_says_where(tmp_path):
    lesson = read_lesson(write(tmp_path, SMALL.replace("2 * 2", "2 / 0")))
    with pytest.raises(LessonFailed, match="ZeroDivisionError") as e:
        run_lesson(lesson)
    assert e.value.hint.endswith("line 9") and load_run(lesson).failure
    lost = read_lesson(write(tmp_path, SMALL.replace("2 * 2", '__import__("os")._exit(3)')))
    with pytest.raises(LessonFailed, match="ended with status 3"):
        run_lesson(lost)


@pytest.mark.slow
def test_in_a_terminal_the_question_comes_before_the_answer(tmp_path):
    file = write(tmp_path, SMALL)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "assay", "lesson", str(file)]
    done = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True)
    os.write(ours, b"five\n")
    out, _ = done.communicate(timeout=60)
    assert done.returncode == 0
    places = [
        out.index(w) for w in ("Twice two", "first\n", "your guess", "Answer", "five", "holds")
    ]
    assert places == sorted(places)
    _, silent, _ = run_assay("lesson", file)
    assert "nobody is at the keyboard" in silent or sys.stdin.isatty()


def test_what_is_asked_wrongly_is_refused():
    for words, code in (
        (["99"], "unknown_lesson"),
        (["--check"], "bad_input"),
        (["1", "--check", "--notebook", "x.ipynb"], "bad_input"),
        (["nowhere.py"], "no_file"),
    ):
        status, out, _ = run_assay("lesson", *words, "--json")
        assert (status, json.loads(out)["code"]) == (2, code)
    assert find_lesson("1") == find_lesson("lesson_1_planted_errors")


# ---- the lessons themselves


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_has_its_parts_in_their_order(lesson):
    """Title and claim with figures, a result, a question, a formula above code, its answer, checks."""
    roles = [cell.role for cell in lesson.cells]
    assert roles.count("question") == roles.count("answer") == 1 and roles[-1] == "check"
    question, answer = roles.index("question"), roles.index("answer")
    assert "code" in {c.kind for c in lesson.cells[1:question]}, "the result comes first"
    assert "code" in {c.kind for c in lesson.cells[question:answer]}, "code gives the answer"
    formulas = [n for n, c in enumerate(lesson.cells) if c.kind == "text" and "$$" in c.source]
    assert formulas and all(lesson.cells[n + 1].kind == "code" for n in formulas)
    assert re.search(r"\d", lesson.claim) and lesson.cells[0].source.startswith("# Lesson ")
    assert "assert " in lesson.cells[-1].source
    assert [x.number for x in LESSONS] == list(range(1, len(LESSONS) + 1))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_page_is_of_the_lesson_as_it_is_now(lesson):
    """Else: python -m assay.pipelines.lessons.pages --write"""
    assert pages.is_current(lesson)
    page = pages.page_of(lesson).read_text()
    assert all(cell.source in page for cell in lesson.cells[1:]) and "- fails" not in page
    for figure in re.findall(r"!\[[^]]*\]\((.+?)\)", page):
        assert (lesson.path.parent / figure).stat().st_size < 100_000


def test_the_page_that_lists_the_lessons_is_current():
    assert pages.main([]) == 0


def test_a_page_of_an_older_lesson_is_seen(tmp_path):
    lesson = read_lesson(write(tmp_path, SMALL))
    run = pages.Run(lesson.digest)
    pages.write_page(lesson, run)
    assert pages.is_current(lesson)
    assert not pages.is_current(read_lesson(write(tmp_path, SMALL + "# more\n")))


def execute(notebook, folder):
    import nbformat
    from nbclient import NotebookClient

    found = nbformat.reads(json.dumps(notebook), 4)
    nbformat.validate(found)
    NotebookClient(found, resources=dict(metadata=dict(path=str(folder)))).execute()
    return found


def params(lessons, quick=("lesson_1_planted_errors",)):
    """The lessons of which all but the quick ones run once a day."""
    daily = pytest.mark.daily
    return [pytest.param(x, id=x.name, marks=() if x.name in quick else daily) for x in lessons]


@pytest.mark.slow
@pytest.mark.parametrize("lesson", params(LESSONS))
def test_a_lesson_runs_as_a_notebook_and_its_checks_hold(lesson):
    pytest.importorskip("ipykernel")
    found = execute(make_notebook(lesson), lesson.path.parent)
    kinds = [o.output_type for cell in found.cells for o in cell.get("outputs", [])]
    assert "stream" in kinds and "error" not in kinds


@pytest.mark.slow
@pytest.mark.daily
@pytest.mark.parametrize("lesson", params(LESSONS))
def test_a_lesson_prints_what_its_page_shows(lesson):
    run, page = run_lesson(lesson), pages.page_of(lesson).read_text().splitlines()
    assert run.passed and run.seconds < 180
    for output in run.outputs.values():
        for line in output.text.splitlines():
            assert any(are_alike(line.rstrip(), shown) for shown in page), line


def are_alike(line, shown):
    """Whether two lines have the same words, and numbers that differ by 0.02 or 3 % at most.

    What it calls seconds, or times faster, or 1e-12 is of the machine.
    """
    number = r"\d+(?:\.\d+)?(?:e-\d+)?"
    if re.sub(number, "N", line).split() != re.sub(number, "N", shown).split():
        return False
    if re.search(r"\d s\b|times faster|e-\d", line):
        return True
    pairs = zip(*(map(float, re.findall(number, text)) for text in (line, shown)))
    return all(abs(a - b) <= max(0.02, 0.03 * a) for a, b in pairs)


def test_a_figure_that_is_off_is_seen():
    assert are_alike("of 40: 0.71  0.5", "of 40: 0.70 0.5")
    assert not are_alike("of 40: 0.74", "of 40: 0.70") and not are_alike("of 40", "on 40")
    assert are_alike("by 1.2e-12", "by 8e-13") and are_alike("in 3.1 s", "in 9 s")


def test_a_notebook_is_written_whole(tmp_path):
    lesson = read_lesson(write(tmp_path, SMALL))
    write_notebook(lesson, tmp_path / "small.ipynb")
    cells = json.loads((tmp_path / "small.ipynb").read_text())["cells"]
    assert ["".join(c["source"]) for c in cells] == [c.source for c in lesson.cells]
    for taken in ("small.ipynb", "nowhere/small.ipynb"):
        with pytest.raises(assay.UserError, match="found"):
            write_notebook(lesson, tmp_path / taken)


def test_formulas_become_mathml_and_code_stays():
    text = "a $x_i$ b\n\n$$\n\\frac{1}{n}\n$$\n\n`$HOME`\n\n```sh\necho $$ $A $B\n```\n"
    made = page_formulas.LESSON_FORMULA.sub(page_formulas.draw_formula, text)
    assert made.count("<math") == 2 and "<mfrac>" in made
    assert "`$HOME`" in made and "echo $$ $A $B" in made
    assert page_formulas.FORMULA.sub(page_formulas.draw_formula, "$5 and $6") == "$5 and $6"
