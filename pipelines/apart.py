"""Work that may kill or hang its process, done in one of its own: embedding, and training a network."""

import sys
from importlib import import_module

import curation
from curation import children
from curation.errors import UserError


def do(work, bench, asked, patience, say=None, progress=None, **env):
    """What `work(bench, tell, **asked)` returns, in a process of its own; `work` is a function of a module, `say` and `progress` hear what it tells.
    UserError where it fails; Lost where its process does, or makes no step for `patience` seconds."""
    child = children.Child("pipelines.apart", bench.path, **env)
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
        from pipelines.worker import fault

        sys.path += [place for place in ask["path"] if place not in sys.path]  # an embedder of one's own may lie anywhere
        try:
            asked = getattr(import_module(ask["module"]), ask["name"])
            tell(out=asked(curation.open(path), tell, **ask["asked"]))
        except Exception as e:
            tell(**fault(e))

    children.serve(work)


if __name__ == "__main__":
    main(sys.argv[1])
