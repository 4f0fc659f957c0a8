"""A version as manifest.csv, which an import reads again."""

import json
import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.base import as_texts
from assay.curation.formats.copying import blobs, carry
from assay.curation.text import safe, write_csv

MANIFEST = [
    "sample_id",
    "path",
    "label",
    "split",
    "source",
    "key",
    "content_hash",
    "given_label",
    "tags",
    "meta",
]


def manifest(folder, frame, copy):
    """manifest.csv and .parquet of any text, exactly; with `copy` the images lie beside them, so that the folder can go anywhere."""
    path = carry(folder / "images", frame) if copy else frame.uri
    table = frame.assign(path=path, tags=[json.dumps(list(t)) for t in frame.tags])[MANIFEST]
    write_csv(table, folder / "manifest.csv")
    table.to_parquet(folder / "manifest.parquet", index=False)


def table(folder, name, part, copy):
    """A CSV where a CSV was imported, else Parquet, with image bytes where it held them; refused where it would be read as another text."""
    import pandas as pd

    for column in ("label", "key"):
        odd = [
            text
            for text, read in zip(part[column], as_texts(list(part[column]), column))
            if text != read
        ]
        if odd:
            raise UserError(
                f"expected text that stays itself in any table, found the {column} {odd[0]!r}",
                "use --format manifest, which is exact",
            )
    held = not all(map(os.path.isfile, part.uri))
    paths = part.uri if held or not copy else carry(folder / f"{safe(name)}-images", part)
    rows = [
        json.loads(m) | dict(id=k, path=u, label=c, split=s)
        for m, k, u, c, s in zip(part.meta, part.key, paths, part.label, part.split)
    ]
    rows = pd.DataFrame(rows)
    rows = rows[
        [
            "id",
            "path",
            "label",
            "split",
            *(c for c in rows if c not in ("id", "path", "label", "split")),
        ]
    ]
    target = folder / (
        safe(Path(name).stem) + (".csv" if name.endswith((".csv", ".tsv")) else ".parquet")
    )
    if os.path.lexists(target):
        raise UserError(
            f"expected a file for each source, found two that are to be {target.name}",
            "use --format manifest, which holds all",
        )
    if target.suffix == ".csv":
        return write_csv(rows, target)
    if held:
        image = {row.sample_id: blob for row, blob in blobs(part)}
        rows = rows.drop(columns="path").assign(image=[image[s] for s in part.sample_id])
    rows.to_parquet(target, index=False)
