"""Show the matrix of a plan.

It says what is done, what is to train, and what it will cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from assay.curation.storage.interface import Bench
from assay.pipelines.training.architectures.recipes import find_recipe


def expect_seconds(
    bench: Bench, todo: list[dict], measure: Callable[[dict], float | None]
) -> dict[str, float]:
    """Expect so many seconds for each cell to train: {key: seconds}.

    By what the same architecture took in this bench, else by `measure(cell)`, a few real steps. Where that is None, the
    architecture cannot be built, and its cells are left out.
    """
    rows = bench.rows(
        "select arch, seconds, n_train from runs where n_train > 0 and failed is null order by ts"
    )
    # the last one: the machine as it is now
    took = {arch: (seconds, n) for arch, seconds, n in rows}
    out = {}
    for cell in todo:
        arch = cell["arch"]
        if arch not in took:
            took[arch] = measure(cell), cell["n_train"]
        seconds, n = took[arch]
        if seconds is not None:
            # more rows take fewer passes
            growth = 1 if find_recipe(arch).closed_form else 0.5
            out[cell["key"]] = seconds * (cell["n_train"] / n) ** growth
    return out


def matrix_rows(
    plan: dict, cells: list[dict], seconds: dict[str, float], lost: dict[str, str]
) -> Iterator[list[str]]:
    """Yield the rows of the matrix: versions down, architectures across.

    Each cell says what is done, what is to train and its expected cost, or how it was `lost` {architecture: how} while
    that was measured.
    """
    rows = {}
    for cell in cells:
        rows.setdefault(cell["version"], {}).setdefault(cell["arch"], []).append(cell)
    yield ["", *plan["architectures"]]
    for version, of_arch in rows.items():
        yield [
            version,
            *(
                describe_cells(of_arch[a], seconds, lost.get(a, "cannot be built"))
                for a in plan["architectures"]
            ),
        ]


def describe_cells(cells: list[dict], seconds: dict[str, float], lost: str) -> str:
    """Describe all seeds of a version and an architecture in one line."""
    todo = [c for c in cells if not c["done"]]
    failed = sum(c["failed"] is not None for c in cells)
    done = f"{len(cells) - len(todo)} of {len(cells)} done" + f", {failed} diverged" * (failed > 0)
    if any(c["key"] not in seconds for c in todo):
        return f"{done}, {lost}"
    return (
        f"{done}, {format_duration(sum(seconds[c['key']] for c in todo))} to go" if todo else done
    )


def format_duration(seconds: float) -> str:
    """Format seconds: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
