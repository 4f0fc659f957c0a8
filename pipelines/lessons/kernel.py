"""Run the cells of a lesson, in a process of its own.

`python -m assay.pipelines.lessons.kernel FILE` is sent a cell at a time, and tells what it prints and draws.
"""

from __future__ import annotations

import ast
import base64
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from assay.curation.system import processes

DPI = 72  # of figures: small files, sharp enough
Tell = Callable[..., object]


class Printed(io.TextIOBase):
    """Standard output of a cell, which is told as it comes."""

    def __init__(self, tell: Tell):
        self.tell = tell

    def write(self, text: str) -> int:
        """Tell what is printed."""
        if text:
            self.tell(text=text)
        return len(text)


class Kernel:
    """Runs cells one after the other, with the names that they make."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.module = ModuleType("__main__")  # a lesson is a script, too
        self.module.__file__ = path
        sys.modules["__main__"] = self.module
        sys.path.append(str(Path(path).parent))
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

    def run_cell(self, cell: dict[str, Any], tell: Tell) -> None:
        """Run a cell: dict source, line, check. Tells text, figure, check, failure, at last done.

        A check that fails does not stop the others; anything else that fails ends the cell.
        """
        try:
            # with its lines where the file has them, for tracebacks
            tree = ast.parse("\n" * (cell["line"] - 1) + cell["source"], self.path)
            with redirect_stdout(Printed(tell)):
                if cell["check"]:
                    for statement in tree.body:
                        self.check(statement, tell)
                else:
                    self.execute(tree)
        except (Exception, SystemExit) as e:  # a lesson may fail in any way
            tell(failure=describe_failure(e, self.path))
        for picture in save_figures():
            tell(figure=base64.b64encode(picture).decode())
        tell(done=True)

    def execute(self, tree: ast.Module) -> None:
        """Execute statements among the names of the lesson."""
        exec(compile(tree, self.path, "exec"), vars(self.module))

    def check(self, statement: ast.stmt, tell: Tell) -> None:
        """Execute a statement of the checks; an assertion is told as one, whatever came of it."""
        tree = ast.Module([statement], [])
        if not isinstance(statement, ast.Assert):
            return self.execute(tree)
        found = ""
        try:
            self.execute(tree)
        except AssertionError:
            found = f"not so: {ast.unparse(statement.test)}"
        except Exception as e:
            found = f"{type(e).__name__}: {e}"
        tell(check=dict(should=self.read_message(statement), passed=not found, found=found))

    def read_message(self, statement: ast.Assert) -> str:
        """Read what an assertion says should be; its condition where it says nothing."""
        if statement.msg is None:
            return ast.unparse(statement.test)
        code = compile(ast.Expression(statement.msg), self.path, "eval")
        return str(eval(code, vars(self.module)))


def save_figures() -> Iterator[bytes]:
    """Save the open figures of matplotlib as PNG, and close them."""
    if "matplotlib.pyplot" not in sys.modules:
        return
    import matplotlib.pyplot as plt

    for number in plt.get_fignums():
        file = io.BytesIO()
        plt.figure(number).savefig(file, format="png", dpi=DPI, bbox_inches="tight")
        plt.close(number)
        yield file.getvalue()


def describe_failure(error: BaseException, path: str) -> dict[str, Any]:
    """Describe what stopped a cell: dict error, line (0 where nobody knows)."""
    line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return dict(error=f"{type(error).__name__}: {error}", line=line)


if __name__ == "__main__":
    processes.serve_requests(Kernel(sys.argv[1]).run_cell)
