"""Find what is wrong in a labelled dataset.

Fix it, and measure what the fix was worth: `assay.open("my-bench")` is where it begins.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.bench import Bench, compare, create, demo, open
    from assay.curation.errors import UserError

__all__ = ["Bench", "UserError", "compare", "create", "demo", "open"]


def __getattr__(name: str):
    """Load a public name when it is first used.

    The command line must take a Ctrl-C before that.
    """
    if name not in __all__:
        from assay.curation.errors import ask_meant, suggest_names

        meant = "" if name.startswith("_") else ask_meant(suggest_names(name, __all__))
        raise AttributeError(f"module 'assay' has no attribute {name!r}{meant and f': {meant}'}")
    if name == "UserError":
        from assay.curation.errors import UserError

        return UserError
    from assay import bench

    return getattr(bench, name)


def __dir__() -> list[str]:
    return __all__
