"""Say which extra brings a package that is missing."""

from __future__ import annotations

from importlib.util import find_spec

from assay.curation.errors import UserError


class MissingExtra(UserError):
    """A package is not installed that one of Assay's extras brings."""

    code = "missing_extra"


def require(extra: str, *packages: str) -> None:
    """Raise MissingExtra unless all packages are installed.

    Nothing is imported.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"expected {', '.join(missing)} for this, found nothing installed by that name",
            f"pip install 'assay[{extra}]'",
        )
