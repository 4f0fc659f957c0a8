"""One number of the product, explained: its formula, and the numbers put into it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from assay.pipelines.explaining.catalogue import NUMBERS
from assay.pipelines.explaining.lesson_links import find_lesson
from assay.pipelines.explaining.source_lines import locate_function


@dataclass(frozen=True)
class Explanation:
    """How one number came about; `value` is what the pages show, before rounding."""

    name: str  # of the catalogue
    title: str  # what it is
    result: str  # as the pages write it
    value: float | None  # None for what is no single number
    formula: str
    filled: str  # the formula with the numbers put in; "" where there are none
    numbers: dict[str, Any]  # what was put in, unrounded: lists by class or copy, else numbers
    notes: list[str]  # sentences
    lesson: str | None  # the lesson's name
    lesson_page: str | None  # its address in the documentation
    file: str  # of the function that computes it, in the installed package
    line: int
    function: str

    def to_json(self) -> dict:
        """Give it as plain data."""
        return asdict(self)

    def describe(self) -> list[str]:
        """Write it as lines of text, the result first."""
        shown = f": {self.result}" if self.result else ""
        out = [f"{self.name}{shown}", f"  {self.title}", f"  formula  {self.formula}"]
        if self.filled:
            out.append(f"  here     {self.filled}")
        out += [f"  {note}" for note in self.notes]
        if self.lesson_page:
            out.append(f"  lesson   {self.lesson_page} (assay docs)")
        return [*out, f"  code     {self.file}:{self.line} {self.function}"]


@dataclass
class Filled:
    """What is put into the formula of one number of the catalogue."""

    result: str
    value: float | None = None
    filled: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    formula: str | None = None  # where it depends on the sample
    function: str | None = None  # likewise


def explain_as(name: str, put_in: Filled) -> Explanation:
    """Explain a number of the catalogue by what is put into its formula."""
    number = NUMBERS[name]
    lesson, page = find_lesson(number.lesson)
    file, line, function = locate_function(put_in.function or number.function)
    return Explanation(
        name=name,
        title=number.title,
        result=put_in.result,
        value=put_in.value,
        formula=put_in.formula or number.formula,
        filled=put_in.filled,
        numbers=put_in.numbers,
        notes=put_in.notes,
        lesson=lesson,
        lesson_page=page,
        file=file,
        line=line,
        function=function,
    )


def describe_number(name: str) -> Explanation:
    """Explain a number of the catalogue without any number put in."""
    return explain_as(name, Filled(result=""))
