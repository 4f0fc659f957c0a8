"""Read another tool's findings, such as Datalab's, from a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import Question, UserError
from assay.curation.issues.opinions import Opinion, check_name
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import refuse_task
from assay.curation.text import format_count
from assay.curation.versioning.changes import find_known_labels
from assay.curation.versioning.class_names import read_names
from assay.curation.versioning.pointers import find_position
from assay.pipelines.indexing.own_rows import BY_ORDER, ID_NAMES, match_rows

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("given_label", "predicted_label")  # a class's name is no sample's
ISSUE = re.compile("is_(.+)_issue")
FIT = 0.9  # share of the labels that must be those of the samples, where rows go by their order
HOW = (
    "in Python: lab.get_issues('label').assign(path=paths).to_csv('issues.csv'), or bench.add_opinion(that frame); "
    "its columns are is_label_issue and label_score, and so on for each kind"
)


def add_opinion(bench: Bench, source: str | Path | pd.DataFrame, name: str = "datalab") -> dict:
    """Add what another tool found, under its name.

    It replaces an earlier one. source: a frame as Datalab.get_issues() gives it, a CSV, Parquet or Feather file of
    one, or the folder that Datalab.save wrote (of which the pickle is not read). Rows go by a column or index of ids,
    keys or paths, else by their order. Returns {name, rows, issues {kind: flagged}, notes}. UserError before anything
    is written.
    """
    refuse_task(bench, "another tool's findings", "their labels are one class each")
    import pandas as pd

    notes = []
    if isinstance(source, pd.DataFrame):
        frame, where = source, "your frame"
    else:
        path = Path(source)
        if path.is_dir():
            notes.append(
                f"read issues.csv in {path.name}, and not datalab.pkl: a pickle can run anything"
            )
            path = path / "issues.csv"
        frame, where = read_findings(path), str(path)
    issues = [m[1] for c in frame if (m := ISSUE.fullmatch(str(c)))]
    if not issues:
        raise UserError(
            f"expected columns such as is_label_issue in {where}, found {', '.join(map(str, frame.columns[:8]))}",
            HOW,
        )
    check_name(name, issues)
    state = bench.state()
    upto = find_position(bench, "HEAD")
    labels = {c: as_labels(frame[c]) for c in LABELS if c in frame}
    notes += read_former_labels(bench, labels)
    matched, how = match_findings(frame, state, where)
    rows = frame.iloc[matched["row"].to_numpy()].reset_index(drop=True)
    given = labels.get("given_label", [None] * len(frame))
    predicted = labels.get("predicted_label", [None] * len(frame))
    order = matched["row"].to_numpy()
    found = Opinion(
        name=name,
        ids=np.asarray(matched.index, object),
        issues=issues,
        flags=np.column_stack([read_flags(rows[f"is_{i}_issue"], where) for i in issues]),
        scores=np.column_stack([read_scores(rows, i) for i in issues]),
        given=[given[i] for i in order],
        predicted=[predicted[i] for i in order],
        about=f"rows by {how}",
        upto=upto,
    )
    notes.append(found.about)
    notes += check_labels(found, state, how)
    found.save(bench)
    counts = dict(zip(found.kinds(), found.flags.sum(0).tolist()))
    return dict(name=name, rows=len(rows), issues=counts, notes=notes)


def read_findings(path: Path) -> pd.DataFrame:
    """Read a table of findings."""
    import pandas as pd

    ending = path.suffix.lower()
    readers = {
        ".csv": read_csv,
        ".parquet": pd.read_parquet,
        ".feather": pd.read_feather,
    }
    if ending in (".pkl", ".pickle"):
        raise UserError(
            f"expected findings as a table, found the pickle {path}: it can run anything, and is never loaded",
            HOW,
        )
    if ending not in readers:
        raise UserError(
            f"expected findings as {', '.join(readers)}, or Datalab.save's folder, found {path}",
            HOW,
        )
    try:
        return readers[ending](path)
    except (OSError, ValueError, EOFError) as e:
        raise UserError(f"expected a table of findings in {path}, found: {e}", HOW) from None


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV.

    A first column without a name is the index that pandas wrote.
    """
    import pandas as pd

    texts = {c: str for c in pd.read_csv(path, nrows=0) if str(c).lower() in (*ID_NAMES, *LABELS)}
    frame = pd.read_csv(path, dtype=texts)
    return (
        frame.set_index(frame.columns[0]) if str(frame.columns[0]).startswith("Unnamed") else frame
    )


def match_findings(
    frame: pd.DataFrame, state: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, str]:
    """Match rows with samples.

    Returns (frame by sample id with `row`, the row's number; how that is known).
    By a column of ids, else an index of ids, else an index of row numbers, else the order.
    """
    import pandas as pd

    table = pd.DataFrame(dict(row=np.arange(len(frame))))
    column = find_id_column(frame)
    if column is not None:
        table.insert(0, column, frame[column].astype(str).to_numpy())
    elif not pd.api.types.is_integer_dtype(frame.index):
        table.insert(0, "sample", frame.index.astype(str))
    elif not (frame.index == np.arange(len(frame))).all():
        ids = state.index[state.keep]
        if frame.index.max() >= len(ids) or frame.index.min() < 0 or frame.index.has_duplicates:
            raise UserError(
                f"expected an index of ids, or of row numbers of {format_count(len(ids), 'kept sample')}, each once, "
                f"found {frame.index.max():,}",
                "add a column `sample`, `key` or `path`",
            )
        return table.set_index(
            ids[frame.index]
        ), f"{BY_ORDER} (row numbers), which nothing vouches for"
    return match_rows(table, state, where, "issues")


def find_id_column(frame: pd.DataFrame) -> str | None:
    """Find the column that says whose a row is, or None.

    One that is called so, else the first of texts that are all different; never that of a label.
    """
    import pandas as pd

    others = [c for c in frame if c not in LABELS]
    called = [c for name in ID_NAMES for c in others if str(c).lower() == name]
    texts = [
        c
        for c in others
        if not pd.api.types.is_numeric_dtype(frame[c])
        and not frame[c].map(lambda v: isinstance(v, bool | list | np.ndarray)).any()
        and frame[c].is_unique
    ]
    return next(iter([*called, *texts]), None)


def as_labels(column: pd.Series) -> list[str | None]:
    """Write labels as the bench has them: 3 and 3.0 are "3"."""
    from assay.curation.formats.table_columns import as_texts

    return as_texts(column.astype(object).where(column.notna(), None).tolist(), str(column.name))


def read_former_labels(bench: Bench, labels: dict[str, list[str | None]]) -> list[str]:
    """Read renamed classes by their present names, in place.

    labels: by column. Returns notes.
    """
    with bench.connect() as con:
        names = read_names(con)
        former = names.former_names(find_known_labels(bench, con)) if names.renames else {}
    said = sorted({label for column in labels.values() for label in column if label in former})
    for name, column in labels.items():
        labels[name] = [label and former.get(label, label) for label in column]
    return [f"{old!r} was renamed here: it is read as {former[old]!r}" for old in said]


def read_flags(column: pd.Series, where: str) -> np.ndarray:
    """Read a column of yes and no (n,) bool."""
    texts = column.astype(str).str.lower()
    known = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
    if not texts.isin(known).all():
        odd = column[~texts.isin(known)].iloc[0]
        raise UserError(
            f"expected True or False in the column {column.name} of {where}, found {odd!r}",
            "mend the column",
        )
    return texts.map(known).to_numpy(bool)


def read_scores(rows: pd.DataFrame, issue: str) -> np.ndarray:
    """Read the scores of an issue (n,), NaN where there are none."""
    import pandas as pd

    if f"{issue}_score" not in rows:
        return np.full(len(rows), np.nan)
    scores = pd.to_numeric(rows[f"{issue}_score"], errors="coerce").to_numpy("f8")
    if ((scores < 0) | (scores > 1)).any():
        raise UserError(
            f"expected scores from 0 to 1 in the column {issue}_score, "
            f"found {np.nanmin(scores):g} to {np.nanmax(scores):g}",
            "low is bad, as Datalab has it",
        )
    return scores


def check_labels(found: Opinion, state: pd.DataFrame, how: str) -> list[str]:
    """Check that the labels it judged are those of its samples.

    Returns notes. UserError where rows that go by their order are of others.
    """
    notes, part = [], state.loc[found.ids]
    now, first = part.label.to_numpy(object), part.given_label.to_numpy(object)
    known = np.array([g is not None for g in found.given]) & ~part.split.isin(LOCKED).to_numpy()
    same = np.array([g in (a, b) for g, a, b in zip(found.given, now, first)], bool)
    if known.any() and same[known].mean() < FIT and BY_ORDER in how:
        raise Question(
            f"expected rows in the bench's order, found that {same[known].mean():.0%} of "
            f"{format_count(known.sum(), 'given label')} "
            "are those of their samples",
            "add a column `sample`, `key` or `path`",
        )
    stale = known & np.array([g != a for g, a in zip(found.given, now)], bool)
    if stale.any():
        notes.append(
            f"{format_count(stale.sum(), 'row', 'judges', 'judge')} another label than their sample has now: not shown"
        )
    if "label" in found.issues:
        locked = part.split.isin(LOCKED).to_numpy() & found.flags[:, found.issues.index("label")]
        if n := int(locked.sum()):
            notes.append(
                f"findings on labels of test and guard are not shown, for these are locked: {n:,}"
            )
    missing = int((state.keep & ~state.index.isin(found.ids)).sum())
    if missing:
        notes.append(f"{format_count(missing, 'kept sample', 'is', 'are')} in no row")
    return notes
