"""What may be said of a class: colour, key, guideline, exemplars, parent."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UnknownClass, UserError
from assay.curation.splits import LOCKED
from assay.curation.tasks import classification
from assay.curation.tasks.base import has_class
from assay.curation.text import MAX_TEXT, check_text
from assay.curation.versioning.class_list import FIELDS

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.tasks.base import Task

COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
MOST_EXEMPLARS = 6
# what Review's own keys do; see ACTS in app/components/review/keys.js
REVIEW_KEYS = frozenset("sgqwrtyndu/evc?+=-_.bhkjf ")


def check_who(who: str) -> None:
    if not who:
        raise UserError("expected to know who decides, found nobody", "say --who NAME")


def check_name(name: str) -> None:
    """Refuse what can be no name of a class."""
    check_text(name, "a class name")
    if not name.strip():
        raise UserError(
            f"expected a name for a class, found {name!r}, which nobody could see",
            "choose another name",
        )


def check_entry(
    entries: dict[str, Any], known: set[str], name: str, entry: dict[str, Any]
) -> dict[str, Any]:
    """Check what is said of a class, by FIELDS; "" as None.

    Its exemplars are for check_exemplars.
    """
    out = {field: entry.get(field) for field in FIELDS}
    out |= {f: out[f] or None for f in FIELDS if f != "order"}
    if out["colour"] and not COLOUR.fullmatch(out["colour"]):
        raise UserError(
            f"expected a colour such as #1f77b4 for {name!r}, found {out['colour'][:40]!r}",
            "# and three or six digits of 0 to 9 and a to f",
        )
    if out["key"]:
        out["key"] = check_key(entries, name, out["key"])
    if out["guideline"]:
        check_text(out["guideline"], "a guideline", MAX_TEXT)
        if "\n" in out["guideline"].strip():
            raise UserError(
                f"expected a guideline of one line for {name!r}, found several", "shorten it"
            )
    check_parent(entries, known, name, out["parent"])
    return out


def check_key(entries: dict[str, dict[str, Any]], name: str, key: str) -> str:
    """Return the key of a class, in lower case.

    UserError where it is no single sign, or is taken.
    """
    key = unicodedata.normalize("NFC", str(key)).lower()
    if len(key) != 1 or not key.isprintable() or unicodedata.combining(key):
        raise UserError(
            f"expected one key for {name!r}, found {key[:40]!r}", "say one letter, digit or sign"
        )
    free = "1 to 9, a, i, l, m, o, p, x and z are free for classes"
    if key in REVIEW_KEYS:
        raise UserError(
            f"expected a key that Review leaves free, found {key!r}, which decides or looks there",
            free,
        )
    for other, entry in entries.items():
        if other != name and entry and entry.get("key") == key:
            raise UserError(
                f"expected a key that no class has, found {key!r}, the key of {other!r}",
                f"give {other!r} another one first, or choose another here",
            )
    return key


def check_exemplars(
    state: pd.DataFrame, name: str, text: str, task: Task = classification.TASK
) -> str:
    """Return the exemplars of a class as they are stored.

    UserError where a sample cannot be one. text: ids of samples with blanks between. Exemplars are
    kept samples of the class, none of test or guard, at most six.
    """
    ids = list(dict.fromkeys(text.split()))
    if len(ids) > MOST_EXEMPLARS:
        raise UserError(
            f"expected at most {MOST_EXEMPLARS} exemplars of {name!r}, found {len(ids)}",
            "choose fewer",
        )
    if lost := [one for one in ids if one not in state.index]:
        raise UserError(
            f"expected ids of samples as exemplars of {name!r}, found {lost[0][:40]!r}",
            "`assay samples` lists them",
        )
    rows = state.loc[ids]
    locked = rows.split.isin(LOCKED).to_numpy()
    if locked.any():
        raise UserError(
            f"expected exemplars outside test and guard, found {int(locked.sum())} of these",
            "choose samples of train, val or pool",
        )
    if len(other := rows[~rows.keep.astype(bool) | ~has_class(task, rows.label, name)]):
        was = other.label.iloc[0] if bool(other.keep.iloc[0]) else "one that was dropped"
        raise UserError(
            f"expected exemplars of {name!r}, found {was!r}", f"choose samples labelled {name!r}"
        )
    return " ".join(ids)


def find_standing_exemplars(
    state: pd.DataFrame, name: str, text: str | None, task: Task = classification.TASK
) -> list[str]:
    """Find the chosen exemplars of a class that may be shown.

    They still are samples of it.
    """
    ids = [one for one in (text or "").split() if one in state.index]
    rows = state.loc[ids]
    fit = rows.keep.astype(bool) & has_class(task, rows.label, name) & ~rows.split.isin(LOCKED)
    return [one for one, ok in zip(ids, fit) if ok]


def list_groups(entries: dict[str, dict[str, Any]]) -> set[str]:
    """List the parents that classes have.

    Parents from a source may be no classes themselves.
    """
    return {entry["parent"] for entry in entries.values() if entry["parent"]}


def check_parent(entries: dict[str, Any], known: set[str], name: str, parent: str | None) -> None:
    """Refuse a parent that is no class or lies below the class."""
    if parent is None:
        return
    if parent not in known and parent not in entries:
        raise UnknownClass(
            f"expected a class as parent of {name!r}, found {parent!r}",
            f"add it first: assay classes add {parent!r}",
            parent,
            {*known, *entries},
        )
    above, at = {name}, parent
    while at is not None:
        if at in above:
            raise UserError(
                f"expected a parent above {name!r}, found {parent!r}, which is below it or itself",
                "choose another parent",
            )
        above.add(at)
        at = (entries.get(at) or {}).get("parent")
