"""Serve explanations of numbers to the pages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from assay.curation.review.progress import FlagPrecision
from assay.pipelines.explaining.explanation import Explanation
from assay.pipelines.explaining.flag_numbers import explain_coming, explain_flags, explain_outlook
from assay.pipelines.explaining.lesson_links import workbench_address
from assay.pipelines.explaining.review_numbers import (
    explain_errors_left,
    explain_live_gain,
    explain_reviewed,
)
from assay.pipelines.explaining.sample import explain_sample

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def serve_sample(bench: Bench, sample: str) -> dict:
    """Explain a sample's numbers, as Explained.to_json; each number with the address of its lesson here."""
    found = explain_sample(bench, sample)
    return found.to_json() | dict(numbers=list_served(found.numbers))


def serve_live(said: dict) -> dict:
    """Explain the live figures of a review session: {gain, found}, lists of numbers.

    said: measure_effect and describe_reviews of live_effect, with `flags` and `next_labels`.
    """
    found = [explain_errors_left(said), explain_reviewed(said)]
    if said["flags"]:
        found.append(explain_flags(FlagPrecision(**said["flags"])))
    if said["next_labels"]:
        found.append(explain_coming(said["next_labels"]))
    if said["outlook"]["gain"]:
        found.append(explain_outlook(said["outlook"]))
    return dict(gain=list_served([explain_live_gain(said)]), found=list_served(found))


def list_served(numbers: list[Explanation]) -> list[dict]:
    """Give explanations as plain data, each with the address of its lesson in the workbench."""
    return [n.to_json() | dict(lesson_address=workbench_address(n.lesson)) for n in numbers]


def explanations_html(numbers: list[Explanation]) -> str:
    """Draw explanations for a page: words first, then formula, numbers and where they come from."""
    return "".join(map(explanation_html, numbers))


def explanation_html(number: Explanation) -> str:
    """Draw one explanation; every text is escaped."""
    head = f"<p><b>{escape(number.title)}</b> {escape(number.result)}</p>"
    notes = "".join(f"<p>{escape(note)}</p>" for note in number.notes)
    codes = [number.formula, *([number.filled] if number.filled else [])]
    formula = "".join(f"<p><code>{escape(code)}</code></p>" for code in codes)
    place = f"<code>{escape(f'{number.file}:{number.line}')}</code> {escape(number.function)}"
    address = workbench_address(number.lesson)
    lesson = f'<a href="{escape(address)}" target="_self">the lesson</a> · ' if address else ""
    return f"{head}{notes}{formula}<p><small>{lesson}{place}</small></p>"
