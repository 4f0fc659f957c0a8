"""Lessons: a result, a question, and the lines that answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui import tasks
from assay.app.ui.widgets import escape_markdown
from assay.curation.text import format_count
from assay.pipelines.lessons.runs import Output, Run, load_run
from assay.pipelines.lessons.sources import Cell, Lesson, list_lessons

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def draw(bench: Bench) -> None:
    """Draw the list of lessons, and the one that was chosen."""
    st.markdown("# Lessons")
    busy = tasks.follow_tasks(bench, "lesson")
    left, right = st.columns([1, 2], gap="large")
    with left:
        lesson = choose_lesson(list_lessons())
    with right:
        draw_lesson(bench, lesson, load_run(lesson), busy)


def choose_lesson(lessons: list[Lesson]) -> Lesson:
    """List the lessons, and return the one of the address, by number or name, else the first.

    A click on another opens that.
    """
    known = {name: one for one in lessons for name in (str(one.number), one.name)}
    chosen = known.get(st.query_params.get("lesson", ""), lessons[0])
    for lesson in lessons:
        st.button(
            f"{lesson.number}. {lesson.title}",
            key=f"open {lesson.name}",
            icon=":material/chevron_right:" if lesson is chosen else None,
            on_click=st.query_params.update,
            args=(dict(lesson=str(lesson.number)),),
            help=lesson.claim,
        )
    st.caption(f"{chosen.minutes} minutes to read. Each runs in less than three.")
    return chosen


def draw_lesson(bench: Bench, lesson: Lesson, run: Run | None, busy: bool) -> None:
    """Draw a lesson cell by cell, as far as the reader has guessed."""
    draw_start(bench, lesson, run, busy)
    guess = ""
    for place, cell in enumerate(lesson.cells):
        if cell.role == "check":
            draw_checks(run)
        elif cell.kind == "code":
            st.code(cell.source, language="python", wrap_lines=True)
            draw_output(run.outputs.get(place) if run else None)
        else:
            draw_text(cell)
        if cell.role == "question" and not (guess := ask_guess(lesson)):
            st.caption("What comes next opens with your guess.")
            return
        if cell.role == "answer":
            st.caption(f"You guessed: {escape_markdown(guess)}")


def draw_start(bench: Bench, lesson: Lesson, run: Run | None, busy: bool) -> None:
    """Draw the button that runs a lesson, and what the last run found."""
    if st.button("Run it, with its checks", type="primary", disabled=busy):
        tasks.begin_task(bench, "lesson", lesson.name, "--check", "--quiet")
    if run and run.failure:
        st.error(f"It stopped: {escape_markdown(run.failure)}")
    elif run:
        failed = sum(not check.passed for check in run.checks)
        n = format_count(len(run.checks), "check")
        st.caption(f"Run in {run.seconds:.0f} s: {n}, {failed or 'none'} failed.")
    else:
        st.caption("It was not run here yet, so its outputs are not shown.")
    st.caption(
        f"The same by a command: `assay lesson {lesson.number}`. As a notebook: "
        f"`assay lesson {lesson.number} --notebook lesson.ipynb`."
    )


def draw_text(cell: Cell) -> None:
    """Draw text, its title below that of the page."""
    st.markdown(f"#{cell.source}" if cell.source.startswith("# ") else cell.source)


def draw_output(output: Output | None) -> None:
    """Draw what a cell printed, and its figures."""
    if output is None:
        return
    if output.text:
        st.code(output.text.rstrip(), language=None, wrap_lines=True)
    for figure in output.figures:
        alt = "what the lines above draw"
        st.html(f'<img src="data:image/png;base64,{figure}" alt="{alt}" style="max-width:100%">')


def ask_guess(lesson: Lesson) -> str:
    """Ask for a guess; "" before there is one."""
    return st.text_input("Your guess", key=f"guess of {lesson.name}", max_chars=300).strip()


def draw_checks(run: Run | None) -> None:
    """Draw what each check found."""
    st.markdown("**Checks**")
    if run is None:
        st.caption("They are known after a run.")
        return
    for check in run.checks:
        mark = ":material/check: holds" if check.passed else ":material/close: fails"
        found = "" if check.passed else f" ({escape_markdown(check.found)})"
        st.markdown(f"{mark}: {escape_markdown(check.should)}{found}")
