"""The lessons in the documentation: `python -m assay.pipelines.lessons.pages --write`.

It runs those that changed, or are named, and writes each with its outputs beside its source. Without --write it says
which pages are old, and ends with status 1 where there are any.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from assay.pipelines.lessons.runs import Run, run_lesson
from assay.pipelines.lessons.sources import CLONE, Lesson, list_lessons

COMMAND = "python -m assay.pipelines.lessons.pages --write"
MADE = f"<!-- made by `{COMMAND}` of {{name}}.py as of {{digest}}: change that instead -->"
SCRATCH = dict(
    loop="The whole loop in one file: images in, a proven fix out.",
    confident_learning="Confident learning from scratch: the joint, its calibration and five filters.",
)


def page_of(lesson: Lesson) -> Path:
    """Name the page of a lesson."""
    return lesson.path.with_suffix(".md")


def is_current(lesson: Lesson) -> bool:
    """Tell whether the page is of the lesson as it is now."""
    page = page_of(lesson)
    return page.exists() and page.read_text().startswith(make_mark(lesson))


def make_mark(lesson: Lesson) -> str:
    """Make the first line of a page, which says what it was made of."""
    return MADE.format(name=lesson.name, digest=lesson.digest)


def write_page(lesson: Lesson, run: Run) -> None:
    """Write the page of a lesson that was run, and its figures."""
    for old in lesson.path.parent.glob(f"{lesson.name}-*.png"):
        old.unlink()
    parts = [make_mark(lesson), lesson.cells[0].source, describe_use(lesson)]
    for place, cell in enumerate(lesson.cells[1:], 1):
        if cell.kind == "text":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        if place in run.outputs and (text := run.outputs[place].text.rstrip()):
            parts.append(f"```text\n{text}\n```")
        for n, figure in enumerate(run.outputs[place].figures if place in run.outputs else []):
            file = lesson.path.with_name(f"{lesson.name}-{place}-{n}.png")
            file.write_bytes(base64.b64decode(figure))
            parts.append(f"![what the lines above draw]({file.name})")
    parts.append(describe_checks(run))
    page_of(lesson).write_text("\n\n".join(parts) + "\n")


def describe_use(lesson: Lesson) -> str:
    """Say how to run a lesson oneself."""
    asked = lesson.number or lesson.path
    return (
        f"{lesson.minutes} minutes to read. `assay lesson {asked}` runs it in a terminal, "
        f"`assay lesson {asked} --notebook lesson.ipynb` writes it as a notebook. Its source is "
        f"[{lesson.name}.py]({lesson.name}.py)."
    )


def describe_checks(run: Run) -> str:
    """List what the checks found."""
    lines = [
        f"- {'holds' if check.passed else f'fails, {check.found}'}: {check.should}"
        for check in run.checks
    ]
    return "\n".join(["**Checks**", "", *lines])


def make_index(lessons: list[Lesson]) -> str:
    """Make the page that lists the lessons."""
    lines = [
        f"<!-- made by `{COMMAND}` -->",
        "# Lessons",
        "",
        "Each shows a result first, asks you to guess, and then has the formula above the lines that compute it.",
        "`assay lesson` lists them, `assay lesson 1` runs the first; the workbench has them on its page *Lessons*.",
        "",
        *(f"{n}. [{x.title}]({x.name}.md): {x.claim}" for n, x in enumerate(lessons, 1)),
    ]
    there = [name for name in SCRATCH if (CLONE / f"{name}.py").exists()]
    if there:
        lines += ["", "**From scratch**, without a line of Assay:", ""]
        lines += [f"- [{name}.py]({name}.md): {SCRATCH[name]}" for name in there]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write what is old, or say what is."""
    lessons = list_lessons(CLONE)
    named = [word for word in arguments if not word.startswith("--")]
    old = [x for x in lessons if (x.name in named if named else not is_current(x))]
    index = CLONE / "index.md"
    old_index = not index.exists() or index.read_text() != make_index(lessons)
    if "--write" in arguments:
        for lesson in old:
            run = run_lesson(lesson)
            write_page(lesson, run)
            print(
                f"{lesson.name}: {run.seconds:.0f} s, {'all' if run.passed else 'not all'} checks hold"
            )
        index.write_text(make_index(lessons))
        return 0
    print(*(page_of(lesson) for lesson in old), *([index] if old_index else []), sep="\n")
    return int(bool(old) or old_index)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
