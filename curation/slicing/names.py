"""Find what a person calls by name."""

from __future__ import annotations

from collections.abc import Iterable

from assay.curation.errors import UserError


def resolve_name(name: str, known: Iterable[str], what: str, hint: str) -> str:
    """Find the one of `known` that a person calls `name`.

    Itself, or the one that begins so. UserError, listing the known, where there is none or there
    are several.
    """
    known = list(known)
    found = [name] if name in known else [k for k in known if str(name) and k.startswith(str(name))]
    if len(found) == 1:
        return found[0]
    which = f"known are: {'; '.join(known[:40]) or 'none'}"
    if found:
        which = f"which could be {'; '.join(found[:5])}"
    raise UserError(f"expected a {what}, found {name!r}; {which}", hint)
