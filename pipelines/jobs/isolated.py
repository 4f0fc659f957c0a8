"""Functions at work in a process of their own.

There they may crash or hang.

A worker process is asked to call `work(bench, tell, **asked)`, or `work(state, tell, **asked)` where
`setup(path, tell)` made a state: once, kept for all that it is asked. `tell` sends word while it works: `line=` a line
to show, `step=` progress, or anything at all to show that it is not stuck. Functions go by the name of their module,
what they are `asked` and what they return is plain data (JSON).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from assay import curation
from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system import processes


def run_isolated(
    work: Callable,
    bench: Bench,
    asked: dict,
    patience: float,
    say: Callable[[str], object] | None = None,
    progress: Callable[..., object] | None = None,
    **env: str,
) -> Any:
    """Return work(bench, tell, **asked), called in a process of its own.

    `say` hears its lines, `progress` its steps, `env` is added to its environment. UserError where the work fails;
    ChildLost where its process does, or tells nothing for `patience` seconds.
    """

    def hear(line: str | None = None, step: list | None = None, **other: Any) -> None:
        if line is not None and say:
            say(line)
        elif step is not None and progress:
            progress(*step)

    worker = start_worker(bench, **env)
    try:
        return ask_worker(worker, work, asked, patience, hear)
    finally:
        worker.close()


def start_worker(bench: Bench, **env: str) -> processes.Child:
    """Start a worker process; `env` is added to its environment."""
    return processes.Child("assay.pipelines.jobs.isolated", bench.path, **env)


def ask_worker(
    worker: processes.Child,
    work: Callable,
    asked: dict,
    patience: float | None,
    hear: Callable[..., object],
    setup: Callable | None = None,
) -> Any:
    """Return what a worker process returns for `work`.

    `hear(**about)` gets all that it tells on the way. UserError and ChildLost as in `run_isolated`; `patience` None
    waits for ever. A worker that is lost answers no more.
    """
    worker.send(**describe_call(work, asked, setup))
    while "out" not in (about := worker.receive(patience)):
        if "error" in about:
            error = UserError(about["error"], about["hint"])
            vars(error).update(about.get("kind", {}))
            raise error
        hear(**about)
    return about["out"]


def describe_call(work: Callable, asked: dict, setup: Callable | None) -> dict:
    """Describe a call as plain data: see Host.answer."""
    return dict(work=_name_of(work), setup=setup and _name_of(setup), path=sys.path, asked=asked)


def _name_of(function: Callable) -> list[str]:
    return [function.__module__, function.__name__]


class Host:
    """Calls functions for whoever asks, in the process that it is in."""

    def __init__(self, path: str) -> None:
        """path: of the bench."""
        self.path, self.states = path, {}

    def answer(self, ask: dict, tell: Callable[..., object]) -> None:
        """Tell `out`, what the function returns that is asked for, or `error`: see ask_worker."""
        # an embedder of one's own may lie anywhere
        sys.path += [place for place in ask["path"] if place not in sys.path]
        try:
            setup = ask["setup"] and tuple(ask["setup"])
            if setup not in self.states:
                make = _load(setup) if setup else lambda path, tell: curation.open(path)
                self.states[setup] = make(self.path, tell)
            tell(out=_load(ask["work"])(self.states[setup], tell, **ask["asked"]))
        except Exception as e:  # what comes from anywhere may fail in any way
            tell(**describe_error(e))


def main(path: str) -> None:
    """Answer what the standard input asks, a line of JSON each.

    It ends where its input does.
    """
    processes.serve_requests(Host(path).answer)


def _load(name: Sequence[str]) -> Callable:
    module, function = name
    return getattr(import_module(module), function)


def describe_error(e: Exception) -> dict:
    """Describe an exception as dict(error, hint), and kind for a UserError.

    `error` is its last line, `hint` says what to do or where to look.
    """
    if isinstance(e, UserError):
        kind = dict(code=e.code, suggestions=e.suggestions)
        return dict(error=e.problem, hint=e.hint, kind=kind)
    frames = traceback.extract_tb(e.__traceback__)
    ours = Path(__file__).parents[2]  # of the package
    theirs = [
        f
        for f in frames
        if "site-packages" not in f.filename and not Path(f.filename).is_relative_to(ours)
    ]
    at = e if isinstance(e, SyntaxError) else (theirs or frames)[-1]
    return dict(
        error=traceback.format_exception_only(e)[-1].strip(),
        hint=f"look at {at.filename}, line {at.lineno}",
    )


@cache
def code_digest() -> str:
    """Name the code of this package, so that two machines can tell whether they have the same."""
    folders = (Path(curation.__file__).parent, Path(__file__).parents[1])
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


if __name__ == "__main__":
    main(sys.argv[1])
