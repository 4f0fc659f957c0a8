"""DataFrames and arrays as sources, for whoever imports from Python."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats import uploads
from assay.curation.formats.base import ImportOptions, Source
from assay.curation.formats.objects import Held
from assay.curation.formats.read import make_source, read_source
from assay.curation.formats.table_cells import Places, Table
from assay.curation.formats.table_columns import choose_image_column
from assay.curation.formats.table_rows import list_samples
from assay.curation.media.addresses import is_address
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def open_frame(bench: Bench, held: Held, options: ImportOptions) -> Iterator[Source]:
    """Yield what can be imported of a frame or arrays, called options.name.

    Its columns are those of a table: see formats.tables. Images that are arrays, PIL images or bytes are written into
    the bench, as one Parquet file, for they lie nowhere else; what could not be imported goes again.
    """
    import pandas as pd

    frame = held.frame
    if not isinstance(frame.index, pd.RangeIndex) and "id" not in frame:
        frame = frame.reset_index(names="id")
    frame = frame.rename(columns=str)
    pictures = [c for c in frame if is_picture(first_value(frame[c]))]
    frame = frame.assign(**{c: [encode_image(v) for v in frame[c]] for c in pictures})
    if not any(isinstance(first_value(frame[c]), bytes | dict) for c in frame):
        yield replace(list_paths(frame, options), kind=held.kind)
        return
    with io.BytesIO() as file:
        frame.to_parquet(file, index=False)
        path = uploads.receive_upload(bench, file, f"{options.name}.parquet")
    with uploads.open_source(bench, path) as there:
        source = read_source(there, options)
        yield replace(source, kind=held.kind, notes=[*held.notes, *source.notes])


def list_paths(frame: pd.DataFrame, options: ImportOptions) -> Source:
    """List the samples of a frame that holds paths.

    They are relative to the current folder; keys are relative to the folder that holds all of them.
    """
    values = {c: frame[c].astype(object).where(frame[c].notna(), None).tolist() for c in frame}
    categories = {
        c: [str(v) for v in frame[c].cat.categories] for c in frame if hasattr(frame[c], "cat")
    }
    table = Table(values, Places("row", range(len(frame))), categories=categories)
    column = choose_image_column(table, options.columns.get("image"))
    root = Path.cwd()
    if column is not None and not options.images:
        values[column] = [find_file(v) if isinstance(v, str) else v for v in values[column]]
        files = [v for v in values[column] if isinstance(v, str) and os.path.isabs(v)]
        root = Path(os.path.commonpath([os.path.dirname(file) for file in files] or [root]))
    return make_source(list_samples(root / str(options.name), table, options), options)


def find_file(path: str) -> str:
    """Make the path of a file absolute; other texts stay."""
    there = os.path.abspath(os.path.expanduser(path))
    return there if os.path.isfile(there) else path


def absolute_path(path: str) -> str:
    return path if is_address(path) else os.path.abspath(os.path.expanduser(path))


def first_value(column: pd.Series) -> Any:
    """Give the first value of a column that is there, or None."""
    return next((v for v in column if v is not None), None)


def is_picture(value: Any) -> bool:
    """Whether a value is an array of pixels or a PIL image."""
    return isinstance(value, np.ndarray) and value.ndim > 1 or hasattr(value, "tobitmap")


def encode_image(value: Any) -> bytes | None:
    """Encode an image as PNG; bytes and None stay."""
    from PIL import Image

    if value is None or isinstance(value, bytes):
        return value
    if not hasattr(value, "tobitmap"):
        value = np.asarray(value)
        channels = value.shape[2:] in ((), (3,), (4,))
        if value.dtype != np.uint8 or value.ndim not in (2, 3) or not channels or not value.size:
            raise UserError(
                "expected images as uint8 arrays (h, w), (h, w, 3) or (h, w, 4), "
                f"found {value.dtype} of shape {value.shape}",
                "bring them to 0 to 255 first: (images * 255).astype('uint8') for 0 to 1",
            )
        value = Image.fromarray(value)
    out = io.BytesIO()
    value.save(out, "PNG")
    return out.getvalue()
