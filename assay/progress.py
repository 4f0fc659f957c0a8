"""Progress and lines, in a notebook or a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.curation.text import escape_controls

if TYPE_CHECKING:
    from assay.curation.storage.interface import Tell

Step = Callable[[float, "int | str"], None]  # (done, total), or (share, text)
SOON = 0.2  # seconds between two changes of what a notebook shows


@contextmanager
def progress_bar(text: str, show: bool = True) -> Iterator[Step]:
    """Show a bar while something runs; yield its step function.

    A script whose errors go to a file gets none. A notebook that is saved keeps none.
    """
    if show and in_notebook():
        with notebook_line(text) as step:
            yield step
        return
    from tqdm import tqdm

    with tqdm(desc=text, leave=False, disable=not (show and sys.stderr.isatty())) as bar:

        def step(done: float, total: int | str) -> None:
            share = isinstance(total, str)
            bar.total = 100 if share else total
            if share:
                bar.set_description(escape_controls(str(total)), refresh=False)
            bar.update((round(100 * done) if share else done) - bar.n)

        yield step


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this code.

    That its package is imported says nothing.
    """
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


@contextmanager
def notebook_line(text: str) -> Iterator[Step]:
    """Show progress as a line of a cell's output.

    It is empty at the end. tqdm's text would stay in the saved notebook, a line for each change.
    """
    from IPython.display import display

    shown = display({"text/plain": f"{text} ..."}, raw=True, display_id=True)
    last = time.monotonic()

    def step(done: float, total: int | str) -> None:
        nonlocal last
        if time.monotonic() - last < SOON:
            return
        last = time.monotonic()
        share, words = (done, total) if isinstance(total, str) else (done / max(1, total), text)
        line = escape_controls(f"{share:.0%} {words}")
        shown.update({"text/plain": line}, raw=True)

    try:
        yield step
    finally:
        shown.update({"text/plain": ""}, raw=True)


def line_printer(show: bool, translate: Callable[[str], str]) -> Tell:
    """Make a function that prints a line in Python's words."""

    def say(line: str) -> None:
        if show:
            from tqdm import tqdm

            tqdm.write(escape_controls(translate(line)))  # above a bar, not through it

    return say
