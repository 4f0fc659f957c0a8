"""Where the images of a source lie: the files of a folder, the paths of a manifest, or wherever their bytes are found again."""

import os

from assay.curation.errors import UserError, short
from assay.curation.media.files import (
    IN_PARQUET,
    BadImage,
    byte_columns,
    content_hash,
    image_column,
    iter_bytes,
)


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
        inside = next(
            (top for top in (f"{root}/", f"{os.path.realpath(root)}/") if uri.startswith(top)), ""
        )
        in_parquet = IN_PARQUET.fullmatch(uri) if ours and not os.path.isfile(uri) else None
        away = not inside and not ours
        gone = not os.path.isfile(in_parquet[1] if in_parquet else uri)
        wrong = "leaves the manifest's folder" if away else "is not there" if gone else ""
        wrong = wrong and f"names {short(path or '', 300)}, which {wrong}"
        yield path and uri.removeprefix(inside), uri, "has no path" if path is None else wrong


def find(places, hashes, folder):
    """The same places, but with every image that lies under `folder` there: known by its bytes, whatever it is called."""
    at = by_bytes(folder)
    for (key, uri, wrong), content in zip(places, hashes, strict=True):
        yield (
            (key, at[content], "")
            if content in at
            else (key, uri, wrong and f"{wrong}, and its bytes are not under {folder}")
        )


def by_bytes(folder, progress=None):
    """{content hash: uri} of whatever lies under `folder`, or in one file; `progress(done, total)` is called now and then."""
    folder, files = (
        (folder, walk(folder))
        if os.path.isdir(folder)
        else (os.path.dirname(folder), [os.path.basename(folder)])
    )
    uris = [
        uri
        for file in files
        if file == file.encode(errors="replace").decode()
        for uri in rows(folder, file)
    ]
    at = {}
    for done, (i, blob) in enumerate(iter_bytes(uris), 1):
        if not isinstance(blob, BadImage):
            at[content_hash(blob)] = uris[i]
        if progress and (done % 100 == 0 or done == len(uris)):
            progress(done, len(uris))
    return at


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
    suffixes = [
        "" if column == image_column(schema) else f"::{column}" for column in byte_columns(schema)
    ]
    return [f"{path}::{i}{suffix}" for suffix in suffixes for i in range(n)]


# ---- where the images of a bench lie now


def there(uri):
    """Is the file of an image, or the Parquet file that holds it, where it was?"""
    return os.path.isfile(uri) or bool(
        (match := IN_PARQUET.fullmatch(uri)) and os.path.isfile(match[1])
    )


def now(bench, sample, uri):
    """Where the image of `sample` lies: at `uri`, as a state read earlier has it, or wherever it was found since."""
    return uri if there(uri) else bench.rows("select uri from samples where id = ?", [sample])[0][0]


def gone(bench, most=200):
    """(how many of up to `most` kept samples, evenly drawn, lie where the bench says no longer, of how many that were looked at, the first path)."""
    state = bench.state()
    kept = state.keep.to_numpy().nonzero()[0]
    looked = state.uri.iloc[kept[:: max(1, -(-len(kept) // most))]]
    lost = [sample for sample, uri in looked.items() if not there(uri)]
    lost = [uri for sample in lost if not there(uri := now(bench, sample, looked[sample]))]
    return len(lost), len(looked), lost[0] if lost else ""


def relocate(bench, folder, progress=None):
    """The images of a bench that lie where it says no longer, but under `folder`: each is known by its bytes, whatever it is called, and from now on
    read there. No edit: where an image lies is no fact about it. Returns {gone, found, left, first (key of the first that was not found)}."""
    import pandas as pd

    folder = os.path.abspath(os.path.expanduser(folder))
    if not os.path.exists(folder):
        raise UserError(
            f"expected the folder where the images are now, found nothing at {folder}",
            "check the path",
        )
    samples = bench.query("select id, key, uri, content_hash from samples order by rowid")
    lost = samples[[not there(uri) for uri in samples.uri]]
    if not len(lost):
        raise UserError(
            f"expected images that have moved, found all {len(samples):,} where they were",
            "there is nothing to do",
        )
    at = by_bytes(folder, progress)
    found = pd.DataFrame(dict(id=lost.id, uri=lost.content_hash.map(at))).dropna()
    if not len(found):
        raise UserError(
            f"expected some of {len(lost):,} images under {folder}, found none by their bytes: {len(at):,} others are there",
            "were they changed, or made smaller? then they are other images: import them as a new source",
        )
    with bench.transaction() as con:
        con.register("places", found)
        con.execute("update samples set uri = places.uri from places where samples.id = places.id")
    bench.states.clear()  # they tell the old places
    left = lost[~lost.id.isin(found.id)]
    return dict(
        gone=len(lost),
        found=len(found),
        left=len(left),
        first=left.key.iloc[0] if len(left) else None,
    )
