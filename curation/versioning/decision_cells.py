"""Read files of decisions: which edits each row asks for."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Set
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import UserError, ask_meant, require_file, suggest_names
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task
from assay.curation.text import format_count, restore_formula

if TYPE_CHECKING:
    import pandas as pd


DECISIONS = ("label", "keep", "split", "tag", "verdict")
# travel with a decision into the log
CONTEXT = ("why", "suggested_label", "score", "rank", "random", "reason", "seconds")
# a queue's columns that say nothing to decide; upto: the position in the log where it was written
QUEUE = ("source_id", "path", "text", "given_label", "line", "upto")
ROW = "row."  # how the columns of a table's row begin in a queue
MOVES = ("train", "val", "pool")
# nobody looks at a sample for a year: such a tab was left open
BOUNDS = dict(seconds=(0, 366 * 86400), score=(-1e6, 1e6), rank=(0, 1e12))
# older logs hold Infinity and NaN, too
SECONDS = "if(seconds between {} and {}, seconds, null)".format(*BOUNDS["seconds"])
TRUE, FALSE = ("true", "1", "yes", "keep"), ("false", "0", "no", "drop")


DECIDING = ("sample", "label", "verdict", "class")  # in the name of a column: it may decide


def list_unread(columns: Iterable[Any], known: Collection[str]) -> tuple[list[str], list[str]]:
    """List the columns that are not `known`, in two groups.

    Returns (one's own, those that may hold a decision). The second are near misses, such as lable,
    or hold a word such as label: nobody may think that they were read.
    """
    others = [str(c) for c in columns if c not in known and not str(c).startswith(ROW)]
    asked = [*DECIDING, *(c for c in DECISIONS if c in known)]
    own = [
        c
        for c in others
        if not suggest_names(c, asked) and not any(word in c.casefold() for word in DECIDING)
    ]
    return own, [c for c in others if c not in own]


class NoSuchWord(ValueError):
    """A cell that is none of a few words; `suggestions` are those that may be meant."""

    def __init__(self, name: str, expected: str, found: str, known: Collection[str]) -> None:
        self.suggestions = suggest_names(found, known)
        meant = f". {ask_meant(self.suggestions)}" if self.suggestions else ""
        super().__init__(f"expected {name} {expected}, found {found!r}{meant}".rstrip())


def is_odd_value(value: Any) -> bool:
    """Whether a cell holds no single value, or too long a number."""
    several = isinstance(value, list | tuple | dict | set | bytes) or getattr(value, "ndim", 0) > 0
    return several or isinstance(value, int) and value.bit_length() > 64


def parse_number(cell: Any, name: str = "seconds") -> float | None:
    """Read a cell as a number within the bounds of its column.

    None where it is empty; ValueError where it is no such number."""
    if isinstance(cell, str) and not cell:
        return None
    try:
        found = float("nan") if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    low, high = BOUNDS[name]
    if not low <= found <= high:  # NaN fails both comparisons
        raise ValueError(
            f"expected {name} as a number from {low:,.0f} to {high:,.0f}, found {shorten_value(cell)}"
        )
    return found


def shorten_value(value: Any) -> str:
    """Name a value in an error.

    Very long whole numbers have no text."""
    try:
        return f"{value!r:.40}"
    except ValueError:
        return "a longer one"


def parse_decision(
    asked: dict[str, str],
    now: Any,
    classes: Set[str],
    seen_label: str = "",
    task: Task = classification.TASK,
) -> Iterator[tuple[str, Any, str]]:
    """Read the edits that one row asks for: (field, value, verdict).

    asked: its cells by DECISIONS, without empty ones. now: the row of its sample in a state. seen_label: the label on
    the sheet. A label that stays as it was is a confirmation. ValueError says what is wrong."""
    if (edit := _parse_label(asked, now, classes, seen_label, task)) is not None:
        yield edit
    if "keep" in asked:
        keep = asked["keep"].lower()
        if keep not in (*TRUE, *FALSE):
            raise NoSuchWord("keep", "true or false", asked["keep"], (*TRUE, *FALSE))
        if (keep in TRUE) != now.keep:
            yield "keep", keep in TRUE, "set"
    if "split" in asked:
        if asked["split"] not in MOVES:
            raise NoSuchWord("split", ", ".join(MOVES), asked["split"], MOVES)
        if asked["split"] != now.split:
            yield "split", asked["split"], "set"
    if "tag" in asked:
        name, on = asked["tag"].removeprefix("-"), not asked["tag"].startswith("-")
        if name.startswith("guard:"):
            raise ValueError(
                "a tag guard:... says that a sample is of a regression set: only assay guard gives it"
            )
        if on != (name in now.tags):
            yield "tag", {"name": name, "on": on}, "set"


def _parse_label(
    asked: dict[str, str], now: Any, classes: Set[str], seen_label: str, task: Task
) -> tuple[str, str, str] | None:
    verdict, label = asked.get("verdict", ""), asked.get("label")
    if verdict == "confirm" and label is None and seen_label != now.label:
        # somebody changed it since the sheet was written: who confirms means the label that was seen
        if task.several:
            with suppress(ValueError):
                if seen_label and task.parse(seen_label, classes) != now.label:
                    verdict, label = "", seen_label
        elif {seen_label, seen_label.removesuffix(".0")} & classes - {now.label}:
            verdict, label = "", seen_label
    if verdict not in ("", "set", "confirm", "unsure"):
        raise NoSuchWord("verdict", "confirm or unsure", verdict, ("confirm", "unsure"))
    if label is not None:
        label = task.parse(label, classes)
    stays = verdict in ("confirm", "unsure")
    if stays and label not in (None, now.label):
        raise ValueError(
            f"verdict {verdict} keeps the label {now.label!r}, but label says {label!r}"
        )
    if label is None and not stays:
        return None
    value = now.label if label is None else label
    if value is None:
        raise ValueError("an unlabelled sample has no label to confirm")
    if not stays:
        verdict = "confirm" if value == now.label else "set"
    return "label", value, verdict


def format_hint(given: dict[str, Any]) -> str | None:
    """Write what suggested a decision, as JSON.

    The suggestion, its score, rank and reason in the queue, and whether it was drawn at random."""
    hint = {k: str(given[k]) for k in ("suggested_label", "reason") if str(given.get(k, "")) != ""}
    for name in ("score", "rank"):
        if (n := parse_number(given.get(name, ""), name)) is not None:
            hint[name] = int(n) if name == "rank" else n
    if drawn := str(given.get("random", "")).lower():
        if drawn not in ("true", "false"):
            raise ValueError(f"expected random true or false, found {drawn!r:.40}")
        hint["random"] = drawn == "true"
    return json.dumps(hint) if hint else None


SHEET = "write it as: sample,label|keep|split|tag|verdict[,why]"


def read_decisions(path: str | os.PathLike) -> pd.DataFrame:
    """Read a CSV of decisions as a frame of strings.

    Its column `line` is where each row began in the file. UserError where it is no such file."""
    import pandas as pd

    require_file(path, "a CSV of decisions in UTF-8", SHEET)
    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            lines = list(read_rows(f.read()))
    except (OSError, UnicodeDecodeError, BadCsv) as e:
        why = getattr(e, "strerror", None) or e
        raise UserError(
            f"expected a CSV of decisions in UTF-8, found {path}: {why}", SHEET
        ) from None
    if not lines:
        raise UserError(f"expected a CSV of decisions, found {path} empty", SHEET)
    (_, header), *rows = lines
    if bad := [line for line, row in rows if len(row) != len(header)]:
        raise UserError(
            f"expected {format_count(len(header), 'cell')} in every row of {path}, "
            f"found others in line(s) {', '.join(map(str, bad[:10]))}",
            "quote cells that hold a comma; nothing was applied",
        )
    cells = [[restore_formula(cell) for cell in row] for _, row in rows]
    frame = pd.DataFrame(cells, columns=header, dtype=object)
    return frame.assign(line=[line for line, _ in rows])


def assign_split(decisions: pd.DataFrame, splits: pd.Series, to: str) -> pd.DataFrame:
    """Move the pool's samples that get a label to the split `to`.

    splits: of each sample, by its id."""
    empty = [""] * len(decisions)
    sample, label, split = (
        decisions[c] if c in decisions else empty for c in ("sample", "label", "split")
    )
    moved = [
        to if given and not asked and splits.get(s) == "pool" else asked
        for s, given, asked in zip(sample, label, split)
    ]
    return decisions.assign(split=moved)
