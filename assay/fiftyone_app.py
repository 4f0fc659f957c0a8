"""FiftyOne from Python: show a bench, import its changes, export.

Each runs in a process of its own, since FiftyOne keeps the database that it met first and takes the signals of its
process.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.system import processes
from assay.verb_processes import start_verb

if TYPE_CHECKING:
    from assay.curation import Bench

ABOUT = ("schema", "schema_version", "code")  # fields that say what an object is


class FiftyOneApp:
    """The FiftyOne App that shows a bench, a process of its own; `stop` ends it."""

    def __init__(self, told: dict, process: subprocess.Popen) -> None:
        self.url: str = told["url"]
        self.pushed = {name: told[name] for name in told if name not in (*ABOUT, "url", "pid")}
        self.process = process
        self.mine = "pid" in told  # else it was open already, and another process serves it

    def stop(self) -> None:
        """End the App; what was changed there can be pulled afterwards."""
        if not self.mine:
            raise UserError(
                f"expected an App that this one opened, found one that was open already: {self.url}",
                "end it where it was opened",
            )
        self.process.terminate()
        self.process.wait()

    def is_open(self) -> bool:
        """Tell whether the App is served, as far as this process knows."""
        return not self.mine or self.process.poll() is None

    def __enter__(self) -> FiftyOneApp:
        return self

    def __exit__(self, *about: Any) -> None:
        if self.mine:
            self.stop()

    def __repr__(self) -> str:
        return f"FiftyOneApp({self.url if self.is_open() else 'stopped'})"

    def _repr_html_(self) -> str:
        if not self.is_open():
            return "The FiftyOne App was stopped."
        url = escape(self.url, quote=True)
        return f'<a href="{url}" target="_blank" rel="noopener">Open the FiftyOne App</a>'


def start_fiftyone(
    bench: Bench,
    *options: object,
    samples: Iterable[str] | None = None,
    query: str | None = None,
    trust: bool = False,
) -> tuple[dict, subprocess.Popen]:
    """Start the verb fiftyone with options; what it says, and its process."""
    import pandas as pd

    words = [*options, *(["--trust"] if trust else []), *(["--query", query] if query else [])]
    with TemporaryDirectory() as folder:
        if samples is not None:
            file = Path(folder) / "samples.csv"
            pd.DataFrame(dict(sample=list(samples))).to_csv(file, index=False)
            words += ["--samples", file]
        command = processes.python_command(
            "assay", "fiftyone", "--json", "-b", bench.path.absolute(), *words
        )
        return start_verb(command, "FiftyOne to answer")


def run_fiftyone(bench: Bench, *options: object, **chosen: Any) -> dict:
    """Run the verb fiftyone to its end; returns what it says."""
    told, process = start_fiftyone(bench, *options, **chosen)
    process.wait()
    return {name: value for name, value in told.items() if name not in ABOUT}


def pull_changes(
    bench: Bench,
    who: str,
    why: str,
    take: str | None,
    new_classes: Iterable[str],
    yes: bool,
    trust: bool,
) -> dict:
    """Import what was changed in FiftyOne as one batch of edits."""
    import pandas as pd

    words = ["--pull", "--who", who, *(["--why", why] if why else [])]
    words += ["--take", take] if take else []
    words += [word for name in new_classes for word in ("--new-class", name)]
    out = run_fiftyone(bench, *words, *(["--yes"] if yes else []), trust=trust)
    columns = "sample field value was stands verdict why".split()
    frames = {part: pd.DataFrame(out[part], columns=columns) for part in ("applied", "left")}
    return out | frames
