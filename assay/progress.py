"""Progress and lines, in a notebook or a terminal."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.curation.text import escape_controls

if TYPE_CHECKING:
    from assay.curation.storage.interface import Tell

Step = Callable[[float, "int | str"], None]  # (done, total), or (share, text)


@contextmanager
def progress_bar(text: str, show: bool = True) -> Iterator[Step]:
    """Show a bar while something runs; yield its step function.

    A script whose errors go to a file gets none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets the bar is of text, which will do
        from tqdm.auto import tqdm

    hidden = not show or not (sys.stderr.isatty() or "ipykernel" in sys.modules)
    with tqdm(desc=text, leave=False, disable=hidden) as bar:

        def step(done: float, total: int | str) -> None:
            share = isinstance(total, str)
            bar.total = 100 if share else total
            if share:
                bar.set_description(escape_controls(str(total)), refresh=False)
            bar.update((round(100 * done) if share else done) - bar.n)

        yield step


def line_printer(show: bool, translate: Callable[[str], str]) -> Tell:
    """Make a function that prints a line in Python's words."""

    def say(line: str) -> None:
        if show:
            from tqdm import tqdm

            tqdm.write(escape_controls(translate(line)))  # above a bar, not through it

    return say
