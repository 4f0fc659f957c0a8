"""Where the images of a source lie: the files of a folder, the paths of a manifest, or wherever their bytes are found again."""

import os

from curation.errors import short
from curation.images import IN_PARQUET, BadImage, byte_columns, content_hash, image_column, iter_bytes


def walk(folder, prefix="", above=()):
    """Relative path of every file, sorted; links are followed (exported class folders are links), but not in a circle."""
    here = os.path.realpath(folder)
    for entry in sorted(os.scandir(folder), key=lambda e: e.name) if here not in above else ():
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX")):
            yield from walk(entry.path, f"{prefix}{entry.name}/", (*above, here))
        elif not entry.is_dir() and not entry.name.startswith("."):
            yield prefix + entry.name


def locate(root, paths, ours):
    """(key, uri, what is wrong with it) of every path. Only Assay's own exports may leave the folder."""
    for path in paths:
        uri = os.path.normpath(os.path.join(root, path or ""))
        inside = next((top for top in (f"{root}/", f"{os.path.realpath(root)}/") if uri.startswith(top)), "")
        in_parquet = IN_PARQUET.fullmatch(uri) if ours and not os.path.isfile(uri) else None
        away = not inside and not ours
        gone = not os.path.isfile(in_parquet[1] if in_parquet else uri)
        wrong = "leaves the manifest's folder" if away else "is not there" if gone else ""
        wrong = wrong and f"names {short(path or '', 300)}, which {wrong}"
        yield path and uri.removeprefix(inside), uri, "has no path" if path is None else wrong


def find(places, hashes, folder):
    """The same places, but with every image that lies under `folder` there: known by its bytes, whatever it is called."""
    uris = [uri for file in walk(folder) if file == file.encode(errors="replace").decode() for uri in rows(folder, file)]
    at = {content_hash(blob): uris[i] for i, blob in iter_bytes(uris) if not isinstance(blob, BadImage)}
    for (key, uri, wrong), content in zip(places, hashes, strict=True):
        yield (key, at[content], "") if content in at else (key, uri, wrong and f"{wrong}, and its bytes are not under {folder}")


def rows(folder, file):
    """The uris that a file holds: of every cell of image bytes in a Parquet file, else its own."""
    path = os.path.join(os.path.abspath(folder), file)
    if not file.lower().endswith((".parquet", ".pq")):
        return [path]
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            schema, n = table.schema_arrow, table.metadata.num_rows
    except (OSError, ValueError, pa.ArrowException):
        return []
    suffixes = ["" if column == image_column(schema) else f"::{column}" for column in byte_columns(schema)]
    return [f"{path}::{i}{suffix}" for suffix in suffixes for i in range(n)]
