"""Plan the edits that decisions ask for.

A frame of decisions is checked as a whole against what stands, and applied whole or not at all.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UnknownClass, UnknownColumn, UnknownSample, UserError
from assay.curation.splits import LOCKED
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task
from assay.curation.tasks.classification import NoSuchClass
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw
from assay.curation.versioning.decision_cells import (
    CONTEXT,
    DECISIONS,
    QUEUE,
    format_hint,
    is_odd_value,
    list_unread,
    parse_decision,
    parse_number,
    shorten_value,
)
from assay.curation.versioning.pointers import register_values

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from assay.curation.versioning.class_names import ClassNames


class NoSuchSample(ValueError):
    """A sample that the bench has not."""


EDITS = ["sample", "field", "value", "verdict", "why", "suggested", "seconds"]
MOST_SHOWN = 20  # bad lines in an error


def plan_edits(
    standing: pd.DataFrame,
    classes: Set[str],
    decisions: pd.DataFrame,
    task: Task = classification.TASK,
) -> pd.DataFrame:
    """Plan the edits that `decisions` ask for.

    standing: what stands for their samples (see states.read_values). Returns a frame sample, field, value (JSON),
    verdict, why, suggested (JSON), seconds. Cells that are empty decide nothing. UserError names every bad line."""
    import pandas as pd

    check_columns(decisions)
    lines = decisions["line"] if "line" in decisions else range(1, len(decisions) + 1)
    stands = {now.Index: now for now in standing.itertuples()}
    edits, bad, claims, sound, formats = [], [], set(), set(), EditFormats()
    names = [name for name in DECISIONS if name in decisions]
    for line, given in zip(lines, list_cells(decisions)):
        asked = {k: cell for k in names if (cell := str(given[k])) != ""}
        asked = {k: cell if k == "label" else cell.strip() for k, cell in asked.items()}
        if not asked:
            continue
        sample = str(given["sample"])
        now = stands.get(sample)
        try:
            check_sample(now)
            claim_sample(sample, asked, claims)
            check_cells(given, sound, LONGEST if task is classification.TASK else LONGEST_SETS)
            seen = str(given.get("given_label", ""))
            for edit in parse_decision(asked, now, classes, seen, task):
                edits.append((sample, *formats.format(edit, given)))
        except ValueError as e:
            bad.append((f"line {line} ({sample[:32]}): {e}", sample, e))
    if bad:
        raise refuse_lines(bad, classes)
    return pd.DataFrame(edits, columns=EDITS).astype(dict(seconds="f8"))


def list_cells(decisions: pd.DataFrame) -> list[dict[str, Any]]:
    """List the cells of every row, empty ones as "".

    What is no single value stays as it is."""
    import pandas as pd

    def clean(value: Any) -> Any:
        return "" if not is_odd_value(value) and pd.isna(value) else value

    names = list(map(str, decisions.columns))
    columns = [decisions.iloc[:, at].tolist() for at in range(len(names))]
    cells = [[v if isinstance(v, str) else clean(v) for v in column] for column in columns]
    return [dict(zip(names, row)) for row in zip(*cells)]


HINT = ("suggested_label", "reason", "score", "rank", "random")  # what format_hint reads


class EditFormats:
    """Formats edits; ten thousand have few different values and hints, which are written once."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}
        self.hints: dict[tuple[str, ...], str | None] = {}

    def format(self, edit: tuple[str, Any, str], given: dict[str, Any]) -> tuple:
        """Format one edit of a row: EDITS without the sample."""
        field, value, verdict = edit
        why, seconds = str(given.get("why", "")), given.get("seconds", "")
        text = self.values.get(key := (field, repr(value)))
        if text is None:
            text = self.values[key] = json.dumps(value)
        return field, text, verdict, why, self.hint(given), parse_number(seconds)

    def hint(self, given: dict[str, Any]) -> str | None:
        """Format what suggested it."""
        cells = tuple([given.get(name, "") for name in HINT])
        if not all([type(cell) is str for cell in cells]):
            return format_hint(given)
        if cells not in self.hints:
            self.hints[cells] = format_hint(given)
        return self.hints[cells]


KNOWN = ("sample", *DECISIONS, *CONTEXT, *QUEUE)  # columns of a frame of decisions


def check_columns(decisions: pd.DataFrame) -> None:
    """Refuse a frame without decisions, or with a misnamed column.

    Such a column may hold decisions that nobody would read. Other columns are one's own, such as
    notes.
    """
    own, odd = list_unread(decisions.columns, KNOWN)
    decides = set(DECISIONS) & set(decisions.columns)
    if not odd and "sample" in decisions and decides:
        return
    found = ", ".join(str(c) for c in decisions.columns if c != "line")
    hint = "add the columns; `assay queue --csv` writes them, empty"
    if unknown := odd or own:
        hint = f"rename or remove: {', '.join(unknown)}"
    if "sample" not in decisions:
        hint += "; the column of ids is called sample"
    problem = f"expected columns sample and one or more of {', '.join(DECISIONS)}, found {found}"
    if not unknown:
        raise UserError(problem, hint)
    missing = [c for c in ("sample", *DECISIONS) if c not in decisions]
    raise UnknownColumn(problem, hint, unknown[0], missing)


def check_sample(now: Any) -> None:
    """Refuse what is no sample, or is locked.

    now: its row in a state, or None."""
    if now is None:
        raise NoSuchSample(
            "no such sample: it goes by its id, as assay queue --csv and export write it"
        )
    if now.split in LOCKED:
        raise ValueError(f"the {now.split} split is locked")


def claim_sample(sample: str, asked: dict[str, str], seen: set) -> None:
    """Refuse a second decision on a sample.

    It may get several tags, a row each."""
    claims = {sample} if asked.keys() - {"tag"} else set()
    if "tag" in asked:
        claims.add((sample, asked["tag"].removeprefix("-")))
    if claims & seen:
        raise ValueError("a second decision on this sample")
    seen |= claims


LONGEST = dict(label=MAX_NAME, tag=MAX_NAME) | dict.fromkeys(CONTEXT, MAX_TEXT)
LONGEST_SETS = LONGEST | dict(label=MAX_TEXT)  # a set of classes; each is checked where it is read
CELLS = frozenset((*DECISIONS, *CONTEXT))


def check_cells(
    given: dict[str, Any], sound: set[tuple[str, str]], longest: dict[str, int] = LONGEST
) -> None:
    """Refuse cells that hold several values or unfit text.

    sound: texts that were checked before; ten thousand decisions have few different ones."""
    for name, value in given.items():
        if name not in CELLS or (is_text := isinstance(value, str)) and (name, value) in sound:
            continue
        if not is_text and is_odd_value(value):
            raise ValueError(f"expected one {name}, found {shorten_value(value)}")
        if name in longest and (wrong := find_flaw(str(value), longest[name])):
            raise ValueError(f"its {name} {wrong}")
        if is_text:
            sound.add((name, value))


def refuse_lines(bad: list[tuple[str, str, ValueError]], classes: Set[str]) -> UserError:
    """Make the error that names bad lines: (text, sample, what is wrong).

    A label that no class has may be a new class. Where all lines lack the same kind of thing, the
    error is of that kind.
    """
    unknown = Counter(e.label for _, _, e in bad if isinstance(e, NoSuchClass))
    more = f" ... and {len(bad) - MOST_SHOWN} more" if len(bad) > MOST_SHOWN else ""
    some = [f"--new-class {shlex.quote(name)} ({n:,} lines)" for name, n in unknown.items()]
    others = f" and {len(some) - 3:,} others" if len(some) > 3 else ""
    new = f"; or add what is a new class: {', '.join(some[:3])}{others}" if some else ""
    shown = "\n  ".join(text for text, _, _ in bad[:MOST_SHOWN])
    problem = (
        "expected decisions on samples and classes of this bench, "
        f"found {len(bad)} bad line(s):\n  {shown}{more}"
    )
    hint = f"mend these lines{new}; nothing was applied"
    kinds = {type(e) for _, _, e in bad}
    if kinds == {NoSuchClass}:
        error = UnknownClass(problem, hint, next(iter(unknown)), ())
    elif kinds == {NoSuchSample}:
        error = UnknownSample(problem, hint, bad[0][1], ())
    else:
        error = UserError(problem, hint)
    meant = [name for _, _, e in bad for name in getattr(e, "suggestions", ())]
    error.suggestions = list(dict.fromkeys(meant))[:2]
    return error


COLUMNS = ("value", "verdict", "who", "origin_kind")
# samples from which on all edits are read, and not those that stand alone; and in a long log, which
# share of it
MANY, SHARE = 20_000, 20


class EditValues:
    """What edits say, by their positions (seq) in the log.

    Columns are kept as codes: a few texts, for a million edits."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        points: np.ndarray,
        columns: tuple[str, ...] = COLUMNS,
    ):
        """Read the edits at `points` (n, m) int, 0 for none."""
        few = len(points) < max(MANY, points.max(initial=0) // SHARE)
        read = _read_some if few else _read_all
        seq, codes, texts = read(con, points, columns)
        self.codes, self.values = {}, {}
        # of a few edits their places among these, and not those in a long log
        self.seqs = np.append(0, np.sort(seq)) if few else None
        at = self._find(seq)
        for c in columns:
            size = len(seq) if few else max(seq.max(initial=0), points.max(initial=0))
            self.codes[c] = np.zeros(size + 1, "i4")
            self.codes[c][at] = codes[c]
            values = map(json.loads, texts[c]) if c == "value" else texts[c]
            self.values[c] = np.array([None, *values], object)

    def _find(self, seqs: np.ndarray) -> np.ndarray:
        return seqs if self.seqs is None else np.searchsorted(self.seqs, seqs)

    def read(self, column: str, seqs: np.ndarray) -> np.ndarray:
        """Read what the edits `seqs` say.

        As objects; None where seq is 0."""
        return self.values[column][self.codes[column][self._find(seqs)]]

    def read_labels(self, seqs: np.ndarray, names: ClassNames) -> np.ndarray:
        """Read the labels of the edits `seqs`, by present class names.

        As objects; None where seq is 0."""
        codes = self.codes["value"][self._find(seqs)]
        return names.find_many(self.values["value"][codes], seqs, codes)

    def test(self, column: str, seqs: np.ndarray, test: Callable[..., bool]) -> np.ndarray:
        """Test what the edits `seqs` say.

        As bool; False where seq is 0."""
        passed = [value is not None and test(value) for value in self.values[column]]
        return np.array(passed)[self.codes[column][self._find(seqs)]]


def _read_some(
    con: duckdb.DuckDBPyConnection, points: np.ndarray, columns: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list[str]]]:
    """Read the edits at `points`.

    Their seqs, and by column their codes from 1, and the texts."""
    pointed = np.sort(points, axis=None)  # np.unique of millions takes 20 times as long
    pointed = pointed[np.append(True, pointed[1:] != pointed[:-1])] if pointed.size else pointed
    register_values(con, "pointed", pointed, "seq")
    cells = ", ".join(f"{c}::varchar" for c in columns)
    found = con.sql(
        f"select seq, {cells} from edits where seq in (select seq from pointed)"
    ).to_arrow_table()
    codes, texts = {}, {}
    for c, said in zip(columns, found.columns[1:]):
        encoded = said.combine_chunks().dictionary_encode()
        codes[c] = encoded.indices.to_numpy() + 1
        texts[c] = encoded.dictionary.to_pylist()
    return found["seq"].to_numpy(), codes, texts


def _read_all(
    con: duckdb.DuckDBPyConnection, points: np.ndarray, columns: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list[str]]]:
    """Read all edits, as _read_some does.

    As codes they leave DuckDB ten times faster than as texts."""
    texts = {}
    for c in columns:
        found = con.execute(
            f"select distinct {c}::varchar from edits where field <> 'proposal'"
        ).fetchall()
        texts[c] = [text for (text,) in found]
        register_values(con, f"names_{c}", texts[c], c)
    numbers = ", ".join(f"names_{c}.n::int as {c}" for c in columns)
    joins = " ".join(f"join names_{c} on names_{c}.{c} = edits.{c}::varchar" for c in columns)
    codes = con.execute(f"select seq, {numbers} from edits {joins}").fetchnumpy()
    return np.asarray(codes["seq"], "i8"), codes, texts
