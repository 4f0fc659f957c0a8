"""Tables of images and labels: CSV, TSV, JSON lines and Parquet."""

import csv
import io
import json
import re
from collections import Counter, namedtuple

from assay.curation.errors import UserError
from assay.curation.formats.base import as_texts
from assay.curation.media.files import byte_columns, image_column
from assay.curation.media.locations import find, locate
from assay.curation.text import NAME, TEXT, flaw

TABLES = (".csv", ".tsv", ".parquet", ".pq")
PATHS = (
    "path",
    "filepath",
    "image_path",
    "image",
    "img",
    "file",
    "filename",
)  # the first that is there
LABELS = ("label", "class", "target", "category")
SAMPLE_ID = re.compile("[0-9a-f]{32}")
Table = namedtuple(
    "Table", "columns at left_out held guess"
)  # {name: values}, "line 7" ..., columns of bytes, the likely one


def _read_table(path):
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path)
    text = _read_text(path)
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=max(",\t;", key=text.partition("\n")[0].count),
        strict=True,
    )
    rows, start = [], 1
    try:
        for cells in lines:
            rows += [(start, cells)] if cells else []  # blank lines are none
            start = lines.line_num + 1  # a quoted cell may hold line breaks
    except csv.Error as e:
        raise UserError(
            f"{path.name}, line {start}: {e}",
            'close the quote that opens there, write a quote in it as "", and cut what is very long',
        ) from e
    header = [name.strip() for name in rows[0][1]] if rows else []
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise UserError(f"{path.name} has two columns named {twice[0]}", "rename one of them")
    left_out = [
        (f"line {n}", f"has {len(c)} cells, the header {len(header)}")
        for n, c in rows
        if len(c) != len(header)
    ]
    rows = [(n, cells) for n, cells in rows[1:] if len(cells) == len(header)]
    columns = {
        name: [cells[j] or None for _, cells in rows] for j, name in enumerate(header) if name
    }
    return Table(columns, [f"line {n}" for n, _ in rows], left_out, [], None)


def _read_text(path):
    blob = path.read_bytes()
    encoding = "utf-16" if blob[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = blob.decode(encoding)
        if "\0" not in text:
            return text
        bad = blob.index(0)  # UTF-16 without its mark is valid UTF-8, full of zeros
    except UnicodeDecodeError as e:
        bad = e.start
    line = blob[:bad].decode(encoding, "replace").count("\n") + 1
    raise UserError(
        f"expected UTF-8 (or UTF-16 with its mark) in {path.name}, found byte 0x{blob[bad]:02x} on line {line}",
        f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.csv, with the encoding that it has, then import utf8.csv",
    )


def _read_parquet(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            held = byte_columns(file.schema_arrow)
            read = file.read([c for c in file.schema_arrow.names if c not in held])
            at = [
                f"row {i}"
                for i in range(read.num_rows if read.num_columns else file.metadata.num_rows)
            ]
            return Table(
                {c: read[c].to_pylist() for c in read.column_names},
                at,
                [],
                held,
                image_column(file.schema_arrow),
            )
    except (OSError, ValueError, pa.ArrowException) as e:
        raise UserError(
            f"{path.name} cannot be read as Parquet ({str(e).splitlines()[0]})",
            "is the file complete?",
        ) from e


def _column(table, option, asked, words=()):
    """The column that was asked for, else the first that is called one of `words`, else None."""
    names = [*table.columns, *(table.held if option == "image" else [])]
    if asked and asked not in names and asked != "none":
        raise UserError(
            f"expected a column {asked}, found {', '.join(names)}",
            f"--{option}-column takes one of these",
        )
    return next(
        (
            c
            for w in ([asked] if asked else words)
            for c in names
            if w == (c if asked else c.lower())
        ),
        None,
    )


def _image_column(table, asked):
    named = table.guess if table.guess and table.guess.lower() in PATHS else None
    return (
        _column(table, "image", asked)
        or named
        or _column(table, "image", None, PATHS)
        or table.guess
    )


def _label_column(table, asked, taken):
    free = {
        c: [v for v in values if v is not None]
        for c, values in table.columns.items()
        if c not in taken
    }
    exact = [c for c in free if c.lower() == "label"]
    if asked or exact:
        return _column(table, "label", asked or exact[0])
    named = [c for c in free if any(word in c.lower() for word in LABELS)]
    if len(named) == 1 and named[0].lower() in LABELS:
        return named[0]
    few = [
        c
        for c, values in free.items()
        if 2 <= len(set(map(str, values))) <= min(1000, len(values) / 2)
    ]  # twice each, or so
    odd = [
        c
        for c in few
        if any(
            isinstance(v, list | dict) or isinstance(v, float) and not v.is_integer()
            for v in free[c]
        )
    ]
    could = [c for c in free if c in named or c in few and c not in odd]
    if len(could) == 1:
        return could[0]
    found = (
        f"{len(could)} that could be it: {', '.join(could)}"
        if could
        else ", ".join(table.columns) or "none"
    )
    raise UserError(
        f"expected a label column, found {found}",
        "say which: --label-column NAME, or none for a pool",
    )


def _list_table(path, table, asked, images):
    """(kind, rows, left_out) of a manifest."""
    columns, n = table.columns, len(table.at)
    if not n and not table.left_out:
        raise UserError(
            f"expected rows in {path.name}, found {'a header only' if columns else 'nothing'}",
            "add rows",
        )
    image = _image_column(table, asked["image"])
    if image is None:
        raise UserError(
            f"expected a column of image paths or bytes in {path.name}, found {', '.join([*columns, *table.held])}",
            f"--image-column NAME; found without it: {', '.join(PATHS)}, or the only column of bytes",
        )
    ours = next(iter(columns), "") == "sample_id" and any(
        map(SAMPLE_ID.fullmatch, map(str, columns["sample_id"]))
    )
    id = _column(table, "id", asked["id"], ("key", "id") if ours else ("id",))
    split, group = (
        _column(table, "split", asked["split"], ("split",)),
        _column(table, "group", asked["group"]),
    )
    taken = {image, id, split, group, "sample_id" if ours else None}
    label = _label_column(table, asked["label"], taken)
    texts = _as_they_are if ours else as_texts
    labels, splits, ids, groups = (
        texts(columns[c], c) if c else [None] * n for c in (label, split, id, group)
    )
    hashes = columns.pop("content_hash") if ours and "content_hash" in columns else [None] * n
    meta = {c: values for c, values in columns.items() if c not in taken | {label}}
    meta = json.loads(
        json.dumps(meta, default=lambda v: None if isinstance(v, bytes) else str(v)),
        parse_constant=lambda _: None,
    )
    in_rows, suffix = image in table.held, "" if image == table.guess else f"::{image}"
    places = (
        ((str(i), f"{path}::{i}{suffix}", None) for i in range(n))
        if in_rows
        else locate(path.parent, texts(columns[image], image), ours)
    )
    places = find(places, hashes, images) if ours and images else places
    rows, left_out, first = [], table.left_out, {}
    for i, (key, uri, reason) in enumerate(places):
        key, at = ids[i] if id else key, table.at[i]
        row = {"key": key, "uri": uri, "label": labels[i], "split": splits[i]}
        row["meta"] = _unpacked(
            {c: values[i] for c, values in meta.items() if values[i] is not None}, ours
        )
        row |= ({"group": groups[i]} if group else {}) | (
            {"id": columns["sample_id"][i], "content_hash": hashes[i]} if ours else {}
        )
        if ours and ("key", key) in first:  # two sources of one bench may have the same key
            row["key"] = row["id"]
        names = [(c, row[c]) for c in ("key", "id") if c in row]
        wrong = [
            f"{what} that {f}"
            for what, most in (("key", TEXT), ("label", NAME))
            if row[what] and (f := flaw(row[what], most))
        ]
        if key is None or wrong:
            left_out.append((at, f"has {wrong[0]}" if wrong else f"has no {id or image}"))
        elif ours and not SAMPLE_ID.fullmatch(str(row["id"])):
            left_out.append(
                (key, f"has the sample_id {row['id']}, which is not 32 hex digits ({at})")
            )
        elif again := [first[name] for name in names if name in first]:
            left_out.append((key, f"on {at} has the same id as {again[0]}"))
        elif reason:
            left_out.append((key, f"{reason} ({at})"))
        else:
            rows.append(row)
            first |= dict.fromkeys(names, at)
    return f"{path.suffix[1:].lower()} {'of images' if in_rows else 'manifest'}", rows, left_out


def _unpacked(meta, ours):
    """Metadata; where Assay exported them in one cell, they are what they were before, with the export's own columns beside them."""
    try:
        return (
            json.loads(meta["meta"]) | {c: v for c, v in meta.items() if c != "meta"}
            if ours
            else meta
        )
    except (KeyError, ValueError, TypeError, RecursionError):
        return meta


def _as_they_are(values, column):
    """Text that Assay exported: nan is a word there, and so is a blank."""
    return [None if v is None or v == "" or v != v else str(v) for v in values]
