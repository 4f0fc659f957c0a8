"""Where each lesson is: in the documentation, and in the workbench."""

from __future__ import annotations

from typing import NamedTuple

LESSONS = {
    1: "lesson_1_planted_errors",
    2: "lesson_2_out_of_sample",
    3: "lesson_3_confident_joint",
    4: "lesson_4_what_is_a_gain",
    5: "lesson_5_data_or_architecture",
    6: "lesson_6_gaps",
    7: "lesson_7_when_to_stop",
    8: "lesson_8_rules_or_network",
}


class Lesson(NamedTuple):
    """A lesson's name, and its address in the built documentation."""

    name: str | None
    page: str | None


def find_lesson(number: int | None) -> Lesson:
    """Find a lesson by its number; nothing where there is none about it."""
    if number is None:
        return Lesson(None, None)
    return Lesson(LESSONS[number], f"lessons/{LESSONS[number]}/")


def workbench_address(name: str | None) -> str | None:
    """Write the address of a lesson in the workbench; None for none."""
    return None if name is None else f"/lessons?lesson={name.split('_')[1]}"
