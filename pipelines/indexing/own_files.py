"""Read the numbers of a person's own model from a file.

npy, npz, CSV, Parquet or Feather; its rows are matched to samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError, require_file
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.indexing.own_rows import ID_NAMES, is_id_name, match_rows

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".npy", ".npz", ".csv", ".parquet", ".feather")
HINT = "write it with numpy.save, numpy.savez or DataFrame.to_parquet"


def read_own_file(path: str | Path, bench: Bench, what: str) -> pd.DataFrame:
    """Read the numbers of a file, a frame by sample id.

    Rows are keyed by id, key or path, or in the bench's order. `what`: what they are, in words. `attrs` of the frame:
    matched, by what the rows were. Raises UserError where rows come twice or are unknown, or for no finite numbers.
    """
    return match_frame(read_table(path, what), bench, path, what)


def read_own_values(
    values: np.ndarray | pd.DataFrame | str | Path,
    bench: Bench,
    what: str,
    ids: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Read numbers from an array, frame or file, by sample id.

    values: (n, k), a row a sample. ids (n,): their ids, keys or paths; else a frame's index or column of such, else
    the rows are in the bench's order. See read_own_file.
    """
    import pandas as pd

    if isinstance(values, str | Path):
        return read_own_file(values, bench, what)
    where = f"your {what}"
    if not isinstance(values, pd.DataFrame):
        values = np.asarray(values)
        if values.ndim != 2:
            raise UserError(
                f"expected {what} as an array (samples, numbers), found shape {values.shape}",
                "one row a sample",
            )
        values = pd.DataFrame(values)
    elif ids is None:
        values = name_index(values)
    frame = unpack_lists(values)
    if ids is not None:
        ids = list(ids)
        if len(ids) != len(frame):
            raise UserError(
                f"expected an id for each of {format_count(len(frame), 'row')} of {what}, found {len(ids):,}",
                "one id a row",
            )
        frame = frame.reset_index(drop=True)
        frame.insert(0, "sample", [str(i) for i in ids])
    return match_frame(frame, bench, where, what)


def match_frame(frame: pd.DataFrame, bench: Bench, path: str | Path, what: str) -> pd.DataFrame:
    """Match the rows of a table to samples, and check its numbers."""
    frame, how = match_rows(frame, bench.state(), path, what)
    check_numbers(frame, path, what)
    frame.attrs["matched"] = how
    return frame


def name_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Make a column of an index that says whose a row is."""
    import pandas as pd

    if isinstance(frame.index, pd.RangeIndex):
        return frame
    return frame.reset_index(names=frame.index.name or "key")


def read_table(path: str | Path, what: str) -> pd.DataFrame:
    """Read what a file holds as a frame."""
    import pandas as pd

    ending = Path(path).suffix.lower()
    readers = {
        ".npy": read_matrix,
        ".npz": read_arrays,
        ".csv": read_csv,
        ".parquet": lambda path, what: pd.read_parquet(path),
        ".feather": lambda path, what: pd.read_feather(path),
    }
    if ending not in readers:
        raise UserError(f"expected {what} as {', '.join(ENDINGS)}, found {path}", HINT)
    require_file(path, f"{what} as {', '.join(ENDINGS)}", HINT)
    try:
        frame = readers[ending](path, what)
    except UserError:
        raise
    except (OSError, ValueError, EOFError) as e:  # pyarrow's and pandas' own are ValueErrors
        raise UserError(
            f"expected {what} as {', '.join(ENDINGS)}, found {path}: {e}", HINT
        ) from None
    return unpack_lists(name_index(frame))


def read_csv(path: str | Path, what: str) -> pd.DataFrame:
    """Read a CSV file; ids stay text, for 007 is no 7."""
    import pandas as pd

    ids = {column: str for column in pd.read_csv(path, nrows=0) if is_id_name(column)}
    frame = pd.read_csv(path, dtype=ids)
    first = str(frame.columns[0])
    if not first.startswith("Unnamed"):
        return frame
    # pandas wrote its index: ids, or a count of rows
    if frame.iloc[:, 0].tolist() == [str(i) for i in range(len(frame))]:
        return frame.iloc[:, 1:]
    return frame.rename(columns={first: "key"})


def read_matrix(path: str | Path, what: str) -> pd.DataFrame:
    """Read the matrix of an .npy file."""
    import pandas as pd

    array = np.load(path, allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise UserError(
            f"expected {what} as rows of numbers in {path}, found {array.dtype} of shape {array.shape}",
            "one row a sample",
        )
    return pd.DataFrame(array)


def read_arrays(path: str | Path, what: str) -> pd.DataFrame:
    """Read the one matrix of an .npz file.

    An array of as many texts names its columns, one of as many ids its rows.
    """
    import pandas as pd

    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    tables = {name: a for name, a in arrays.items() if a.ndim == 2 and a.dtype.kind in "fiu"}
    if len(tables) != 1:
        found = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise UserError(
            f"expected one array of {what}, (samples, numbers), in {path}, found {found}",
            "leave the others out",
        )
    table = next(iter(tables.values()))
    n, k = table.shape
    lists = {name: a for name, a in arrays.items() if a.ndim == 1}
    texts = {name: a for name, a in lists.items() if a.dtype.kind in "US"}
    called = [name for name in (*ID_NAMES, *(f"{name}s" for name in ID_NAMES)) if name in lists]
    by_name = [name for name in called if len(lists[name]) == n]
    by_size = [name for name, a in texts.items() if len(a) == n != k]
    ids = next(iter([*by_name, *by_size]), None)
    names = next((a for name, a in texts.items() if name != ids and len(a) == k), None)
    frame = pd.DataFrame(table, columns=None if names is None else names.astype(str))
    if ids is not None:
        frame.insert(0, "sample", lists[ids].astype(str) if ids in texts else lists[ids])
    return frame


def unpack_lists(frame: pd.DataFrame) -> pd.DataFrame:
    """Unpack a column of lists into columns of numbers.

    All lists have one length.
    """
    import pandas as pd

    lists = [c for c in frame if len(frame) and np.ndim(frame[c].iloc[0]) == 1]
    if len(lists) != 1:
        return frame
    try:
        wide = pd.DataFrame(np.stack(frame[lists[0]].to_numpy()), index=frame.index)
    except ValueError:
        raise UserError(
            f"expected lists of one length in the column {lists[0]}, found others",
            "one number for each class or dimension",
        ) from None
    return pd.concat([frame.drop(columns=lists), wide], axis=1)


def check_numbers(frame: pd.DataFrame, path: str | Path, what: str) -> None:
    """Refuse a frame that is not all finite numbers."""
    import pandas as pd

    if not len(frame) or not len(frame.columns):
        raise UserError(
            f"expected rows and columns of {what} in {path}, found {frame.shape[0]} and {frame.shape[1]}",
            "one row a sample",
        )
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise UserError(
            f"expected each column of {path} once, found {twice[0]!r} twice", "leave one out"
        )
    odd = [
        c
        for c in frame
        if not pd.api.types.is_numeric_dtype(frame[c]) or frame[c].dtype.kind in "bc"
    ]
    if odd:
        raise UserError(
            f"expected columns of numbers in {path} beside the one that names samples,"
            f" found {', '.join(map(str, odd[:5]))}",
            "leave it out",
        )
    finite = np.isfinite(frame.to_numpy("f8", na_value=np.nan))
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        at = f"first in row {row}, column {frame.columns[column]}"
        array = (
            "fill or leave out these rows of the array, as in: values[np.isfinite(values).all(1)]"
        )
        raise UserError(
            f"expected finite numbers in {path}, found {(~finite).sum():,} NaN or infinite ones, {at}",
            array if str(path).startswith("your ") else "mend the file",
        )
