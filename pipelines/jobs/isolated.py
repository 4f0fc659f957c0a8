"""Work that may kill or hang its process, done in one of its own: embedding, and training a network."""

import sys
import traceback
from importlib import import_module
from pathlib import Path

from assay import curation
from assay.curation.errors import UserError
from assay.curation.system import processes


def do(work, bench, asked, patience, say=None, progress=None, **env):
    """What `work(bench, tell, **asked)` returns, in a process of its own; `work` is a function of a module, `say` and `progress` hear what it tells.
    UserError where it fails; Lost where its process does, or makes no step for `patience` seconds."""
    child = processes.Child("assay.pipelines.jobs.isolated", bench.path, **env)
    try:
        child.ask(module=work.__module__, name=work.__name__, path=sys.path, asked=asked)
        while "out" not in (about := child.hear(patience)):
            if "error" in about:
                raise UserError(about["error"], about["hint"])
            if "line" in about and say:
                say(about["line"])
            elif "step" in about and progress:
                progress(*about["step"])
        return about["out"]
    finally:
        child.close()


def main(path):
    def work(ask, tell):
        sys.path += [
            place for place in ask["path"] if place not in sys.path
        ]  # an embedder of one's own may lie anywhere
        try:
            asked = getattr(import_module(ask["module"]), ask["name"])
            tell(out=asked(curation.open(path), tell, **ask["asked"]))
        except Exception as e:
            tell(**fault(e))

    processes.serve(work)


def fault(e):
    """An exception as dict error, its last line, and hint: what to do, or where to look."""
    if isinstance(e, UserError):
        return dict(error=e.problem, hint=e.hint)
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


if __name__ == "__main__":
    main(sys.argv[1])
