"""Read predictions or labels as columns, from whatever a person has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assay.curation.errors import UserError, require_file
from assay.curation.formats.table_files import TABLES, read_table
from assay.curation.text import format_count
from assay.pipelines.indexing import own_files

ARRAYS = (".npy", ".npz")
ENDINGS = (*TABLES, *ARRAYS)
WRITE = "write a table with a column id, and a column label or one of probabilities for each class"


@dataclass(frozen=True)
class Columns:
    """The columns of a file, frame or array, by name, each of n values."""

    name: str  # of the file, for messages
    cells: dict[str, Sequence[Any]]
    n: int
    # columns that no header names: those of an array, and an array's single one
    unnamed: bool = False
    notes: list[str] = field(default_factory=list)


def read_source(source: Any, what: str) -> Columns:
    """Read a path, frame, series or array; `what` it is called in messages.

    Raises UserError for what is empty or can't be read.
    """
    if isinstance(source, str | Path):
        columns = read_path(Path(source).expanduser(), what)
    else:
        columns = read_object(source, what)
    if not columns.n or not columns.cells:
        raise UserError(f"expected {what} in {columns.name}, found no rows", WRITE)
    return columns


def read_path(path: Path, what: str) -> Columns:
    """Read a file of one of ENDINGS."""
    require_file(path, what, f"give a file of {', '.join(ENDINGS)}")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix not in ENDINGS:
        raise UserError(f"expected {what} as {', '.join(ENDINGS)}, found {path}", WRITE)
    if suffix in ARRAYS:
        return read_array(path, what)
    try:
        table = read_table(path)
    except (OSError, ValueError, EOFError) as e:  # pyarrow's own are ValueErrors
        raise UserError(f"expected {what} in {path.name}, found: {e}", WRITE) from None
    notes = list(table.notes)
    if table.left_out:
        place, why = table.left_out[0]
        rows = format_count(len(table.left_out), "row", "was", "were")
        notes.append(f"{path.name}: {rows} not read, first {place}, which {why}")
    return Columns(path.name, table.columns, len(table.places), notes=notes)


def read_array(path: Path, what: str) -> Columns:
    """Read an .npy or .npz file: probabilities (n, k), or labels (n,)."""
    if path.suffix.lower() == ".npz":
        try:
            frame = own_files.read_arrays(path, what)
        except (OSError, ValueError, EOFError) as e:
            raise UserError(f"expected {what} in {path.name}, found: {e}", WRITE) from None
        named = [c for c in frame if isinstance(c, str) and c != "sample"]
        return read_frame(frame, path.name, unnamed=not named)
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # numpy's own words advise to load a pickle
        raise UserError(
            f"expected {what} in {path.name}, found no array of numbers or texts",
            "write it with numpy.save; pickles are never loaded",
        ) from None
    return list_array(array, path.name)


def list_array(array: np.ndarray, name: str) -> Columns:
    """List the columns of an array: labels (n,) or probabilities (n, k)."""
    if array.ndim == 1:
        return Columns(name, {"label": array.tolist()}, len(array), unnamed=True)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise UserError(
            f"expected labels (n,) or probabilities (n, k) in {name}, found {array.dtype} of shape {array.shape}",
            "one row a sample",
        )
    return Columns(name, {str(j): array[:, j] for j in range(array.shape[1])}, len(array), True)


def read_object(source: Any, what: str) -> Columns:
    """Read a frame, a series, an array, or a list of labels."""
    import pandas as pd

    name = f"the {what}"
    if isinstance(source, pd.Series) and isinstance(source.index, pd.RangeIndex):
        source = source.to_numpy()
    if isinstance(source, pd.Series):
        source = source.rename(source.name or "label").to_frame()
    if isinstance(source, pd.DataFrame):
        several = isinstance(source.index, pd.MultiIndex)
        source = source.reset_index() if several else own_files.name_index(source)
        return read_frame(source, name)
    try:
        array = np.asarray(source)
    except ValueError:  # rows of different lengths
        array = np.zeros((0, 0, 0))
    return list_array(array, name)


def read_frame(frame: Any, name: str, unnamed: bool = False) -> Columns:
    """List the columns of a frame."""
    if len({str(c) for c in frame.columns}) < len(frame.columns):
        raise UserError(f"expected each column of {name} once, found two of one name", "rename one")
    cells = {str(c): read_column(frame[c]) for c in frame.columns}
    return Columns(name, cells, len(frame), unnamed)


def read_column(column: Any) -> Sequence[Any]:
    """The values of a frame's column; numbers stay an array."""
    if column.dtype.kind == "f":
        return column.to_numpy()
    return column.astype(object).where(column.notna(), None).tolist()
