"""Read any source: which format it has, and its samples."""

import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.base import Source, map_splits
from assay.curation.formats.class_folders import _read_folder
from assay.curation.formats.tables import TABLES, _list_table, _read_table


def read_source(
    path, image=None, label=None, split=None, id=None, group=None, split_map=None, images=None
):
    """Read what a folder or manifest lists; no image is opened. `image` ... `group` name columns, "none" says that there is none;
    the images of a manifest that Assay exported are looked for in the folder `images`, by their bytes.

    -> Source: `frame` (pandas) has key, uri, label (or None), split (or None: to be made), meta; group if one is named; id and content_hash
    if Assay exported it. Any other row without a label is in pool, whatever it says. `left_out` [(key, reason)] are bad
    rows, `kind` says what was read, `notes` are worth printing. Raises UserError for what makes the whole source unusable."""
    path = Path(os.path.abspath(Path(path).expanduser()))
    if (path / "assay.json").is_file() and (path / "manifest.csv").is_file():
        path /= "manifest.csv"  # the folder of an export that brings its images along
    asked = {"image": image, "label": label, "split": split, "id": id, "group": group}
    try:
        if path.is_dir():
            kind, rows, left_out, notes = _read_folder(path, asked, split_map or {})
        elif path.is_file() and path.suffix.lower() in TABLES:
            kind, rows, left_out, notes = *_list_table(path, _read_table(path), asked, images), []
        else:
            found = "another kind of file" if path.exists() else "nothing"
            raise UserError(
                f"expected a folder, zip, CSV, TSV or Parquet file, found {found} at {path}",
                "check the path",
            )
    except OSError as e:
        raise UserError(
            f"cannot read {e.filename} ({e.strerror})", "is it still there, and may you read it?"
        ) from e
    if not rows:
        raise UserError(
            f"{path.name}: none of its {len(left_out):,} rows can be used; {left_out[0][0]} {left_out[0][1]}",
            "paths are relative to the manifest's folder; --image-column says which column holds them; --images FOLDER where an export's images are",
        )
    map_splits(rows, split_map or {}, notes)
    classes = {row["label"] for row in rows} - {None}
    if images and "id" not in rows[0]:
        raise UserError(
            f"expected a manifest that Assay exported for --images, found {path.name}",
            "import it without --images",
        )
    if len(classes) == 1 and "id" not in rows[0]:
        raise UserError(
            f"expected at least two classes in {path.name}, found one: {classes.pop()}",
            "are the class folders one level deeper? import that folder; --label-column names another column",
        )
    import pandas as pd

    return Source(pd.DataFrame(rows, dtype=object), left_out, kind, path.name, notes)
