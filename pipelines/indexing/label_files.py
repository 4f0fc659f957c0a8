"""Read a file of predictions as a labeller's votes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError, require_file
from assay.curation.formats.table_columns import as_texts
from assay.curation.formats.table_files import TABLES, read_table
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.indexing.label_answers import Answer, read_answers
from assay.pipelines.indexing.own_rows import match_rows

if TYPE_CHECKING:
    import pandas as pd

LABELS = "label prediction predicted_label predicted pred predicted_class class".split()
SURE = "confidence probability prob".split()
HINT = "columns: sample (or key, path), and label, or one of probabilities for each class"


def read_label_file(
    bench: Bench, source: str | Path | pd.DataFrame, ids: pd.Index, classes: Collection[str]
) -> tuple[dict[str, Answer | None], list[str]]:
    """Read predictions of the samples `ids`: ({sample: answer}, notes).

    source: a CSV, Parquet, JSON, ... or a frame: a column of ids, keys or paths, and one of labels (an empty cell
    abstains), with `confidence` where it has one; or a column of probabilities for each class. UserError for what is no
    label of the bench.
    """
    frame, where = load_frame(source)
    matched, how = match_rows(frame, bench.state(), where, "predictions")
    notes = [f"rows by {how}"]
    part = matched[matched.index.isin(ids)]
    if others := len(matched) - len(part):
        notes.append(
            f"{format_count(others, 'row')} on samples that were not asked for, or are locked or dropped"
        )
    labels, sure, read = read_columns(part, classes, where)
    notes.append(read)
    answer = labels if sure is None else (labels, sure)
    answers = read_answers(answer, list(part.index), classes, where) if len(part) else []
    return dict(zip(part.index, answers)), notes


def load_frame(source: str | Path | pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Load a table, and name it."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        named = (
            source
            if isinstance(source.index, pd.RangeIndex)
            else source.reset_index(names="sample")
        )
        return named, "your frame"
    path = Path(source)
    require_file(path, "predictions as a table", HINT)
    if path.suffix.lower() not in TABLES:
        raise UserError(f"expected predictions as {' '.join(TABLES)}, found {path}", HINT)
    table = read_table(path)
    return pd.DataFrame(
        {name: pd.Series(c, dtype=object) for name, c in table.columns.items()}
    ), str(path)


def read_columns(
    frame: pd.DataFrame, classes: Collection[str], where: str
) -> tuple[list[str | None], np.ndarray | None, str]:
    """Read labels (n,), how sure each is (n,) or None, and what was read, in words."""
    import pandas as pd

    by_name = {str(c).lower(): c for c in reversed(list(frame.columns))}
    column = next((by_name[name] for name in LABELS if name in by_name), None)
    if column is not None:
        labels = as_texts(
            frame[column].astype(object).where(frame[column].notna(), None).tolist(), str(column)
        )
        own = next((by_name[name] for name in SURE if name in by_name), None)
        if own is None:
            return labels, None, f"labels of the column {column}"
        sure = pd.to_numeric(frame[own], errors="coerce").to_numpy("f8")
        return labels, sure, f"labels of the column {column}, and {own} as how sure it is"
    columns = [c for c in frame if str(c) in classes]
    if len(columns) < 2:
        found = ", ".join(map(str, frame.columns[:8]))
        raise UserError(f"expected a column of labels in {where}, found {found}", HINT)
    values = frame[columns].apply(pd.to_numeric, errors="coerce").to_numpy("f8")
    if len(odd := np.flatnonzero(~np.isfinite(values).all(1))):
        raise UserError(
            f"expected finite probabilities in {where}, found others of sample {frame.index[odd[0]]}",
            "mend the file; nothing was stored",
        )
    best = values.argmax(1)
    labels = [str(columns[i]) for i in best]
    missing = len(classes) - len(columns)
    note = f"the likeliest of {format_count(len(columns), 'class')}"
    return labels, values.max(1), note + (f"; {missing:,} have no column" if missing else "")
