"""How a folder, a CSV or a Parquet file says which images there are, with which label and split."""

import csv
import io
import json
import os
import re
from collections import Counter, namedtuple
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from curation.errors import UserError
from curation.images import SUFFIXES, byte_columns, image_column
from curation.places import find, locate, walk
from curation.text import NAME, TEXT, flaw

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "pool": "pool",
    "unlabeled": "pool",
    "unlabelled": "pool",
    "guard": "guard",
}
TABLES = (".csv", ".tsv", ".parquet", ".pq")
PATHS = ("path", "filepath", "image_path", "image", "img", "file", "filename")  # the first that is there
LABELS = ("label", "class", "target", "category")
SAMPLE_ID = re.compile("[0-9a-f]{32}")

Source = namedtuple("Source", "frame left_out kind name notes")  # what read_source returns
Table = namedtuple("Table", "columns at left_out held guess")  # {name: values}, "line 7" ..., columns of bytes, the likely one


def read_source(path, image=None, label=None, split=None, id=None, group=None, split_map=None, images=None):
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
            raise UserError(f"expected a folder, zip, CSV, TSV or Parquet file, found {found} at {path}", "check the path")
    except OSError as e:
        raise UserError(f"cannot read {e.filename} ({e.strerror})", "is it still there, and may you read it?") from e
    if not rows:
        raise UserError(
            f"{path.name}: none of its {len(left_out):,} rows can be used; {left_out[0][0]} {left_out[0][1]}",
            "paths are relative to the manifest's folder; --image-column says which column holds them; --images FOLDER where an export's images are",
        )
    map_splits(rows, split_map or {}, notes)
    classes = {row["label"] for row in rows} - {None}
    if images and "id" not in rows[0]:
        raise UserError(f"expected a manifest that Assay exported for --images, found {path.name}", "import it without --images")
    if len(classes) == 1 and "id" not in rows[0]:
        raise UserError(
            f"expected at least two classes in {path.name}, found one: {classes.pop()}",
            "are the class folders one level deeper? import that folder; --label-column names another column",
        )
    import pandas as pd

    return Source(pd.DataFrame(rows, dtype=object), left_out, kind, path.name, notes)


def _read_folder(root, asked, split_map):
    found, ours = list(walk(root)), (root / "assay.json").is_file()
    images = [f for f in found if f.lower().endswith(SUFFIXES)]
    tops = {f.split("/")[0] for f in images if "/" in f}
    named = {t for t in tops if t in split_map or t.lower() in SPLITS}
    by_split = named and (named == tops or any(f.count("/") > 1 and f.split("/")[0] in named for f in images))  # or a class
    rows, left_out = [], []
    for file in images:
        *folders, _ = file.split("/")
        pooled = not by_split and SPLITS.get(file.split("/")[0].lower()) == "pool"
        split, *folders = folders if folders and by_split else ["pool"] if pooled else [None, *folders]
        label = next(map(unquote, folders), None) if ours else next(iter(folders), None)
        if file != (readable := file.encode(errors="replace").decode()):
            left_out.append((readable, "has a name that is not UTF-8: rename it"))
        elif wrong := flaw(label or ""):
            left_out.append((file, f"has a label that {wrong}"))
        else:
            rows.append({"key": file, "uri": f"{root}/{file}", "label": label, "split": split, "meta": {}})
    notes = [
        f"{n:,} images in {top}/ have no label: a folder of this name holds what is unlabelled. If it is a class, rename the folder"
        for top, n in Counter(f.split("/")[0] for f in images if "/" in f).items()
        if not by_split and SPLITS.get(top.lower()) == "pool"
    ]
    tables = [f for f in found if "/" not in f and f.lower().endswith(TABLES)]
    if len(tables) == 1 and not any(row["label"] for row in rows):
        table = _read_table(root / tables[0])
        if not images or _image_column(table, None):
            return *_list_table(root / tables[0], table, asked, None), [f"no class folders in {root.name}: read {tables[0]} in it"]
    unread = [f for f in found if not f.lower().endswith(SUFFIXES) and not (ours and "/" not in f)]
    endings = Counter(os.path.splitext(f)[1].lower() or "without an ending" for f in unread)
    named_endings = ", ".join(f"{n:,} {e}" for e, n in endings.most_common(5))
    if not images:
        raise UserError(
            f"expected images in {root.name}, found {named_endings or 'nothing'}",
            f"Assay reads {' '.join(SUFFIXES)}; of several manifests, import one by its path",
        )
    for option in (o for o, column in asked.items() if column):
        raise UserError(f"--{option}-column: {root.name} is a folder of images, without columns", "pass a CSV or Parquet file")
    if unread:
        notes.append(f"files in {root.name} that are no images which Assay reads, and were not imported: {named_endings}")
    kind = "split folders" if by_split else "class folders" if tops else "unlabelled images"
    return kind, rows, left_out, notes


def _read_table(path):
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path)
    text = _read_text(path)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=text.partition("\n")[0].count), strict=True)
    rows, start = [], 1
    try:
        for cells in lines:
            rows += [(start, cells)] if cells else []  # blank lines are none
            start = lines.line_num + 1  # a quoted cell may hold line breaks
    except csv.Error as e:
        raise UserError(
            f"{path.name}, line {start}: {e}", 'close the quote that opens there, write a quote in it as "", and cut what is very long'
        ) from e
    header = [name.strip() for name in rows[0][1]] if rows else []
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise UserError(f"{path.name} has two columns named {twice[0]}", "rename one of them")
    left_out = [(f"line {n}", f"has {len(c)} cells, the header {len(header)}") for n, c in rows if len(c) != len(header)]
    rows = [(n, cells) for n, cells in rows[1:] if len(cells) == len(header)]
    columns = {name: [cells[j] or None for _, cells in rows] for j, name in enumerate(header) if name}
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
            at = [f"row {i}" for i in range(read.num_rows if read.num_columns else file.metadata.num_rows)]
            return Table({c: read[c].to_pylist() for c in read.column_names}, at, [], held, image_column(file.schema_arrow))
    except (OSError, ValueError, pa.ArrowException) as e:
        raise UserError(f"{path.name} cannot be read as Parquet ({str(e).splitlines()[0]})", "is the file complete?") from e


def _column(table, option, asked, words=()):
    """The column that was asked for, else the first that is called one of `words`, else None."""
    names = [*table.columns, *(table.held if option == "image" else [])]
    if asked and asked not in names and asked != "none":
        raise UserError(f"expected a column {asked}, found {', '.join(names)}", f"--{option}-column takes one of these")
    return next((c for w in ([asked] if asked else words) for c in names if w == (c if asked else c.lower())), None)


def _image_column(table, asked):
    named = table.guess if table.guess and table.guess.lower() in PATHS else None
    return _column(table, "image", asked) or named or _column(table, "image", None, PATHS) or table.guess


def _label_column(table, asked, taken):
    free = {c: [v for v in values if v is not None] for c, values in table.columns.items() if c not in taken}
    exact = [c for c in free if c.lower() == "label"]
    if asked or exact:
        return _column(table, "label", asked or exact[0])
    named = [c for c in free if any(word in c.lower() for word in LABELS)]
    if len(named) == 1 and named[0].lower() in LABELS:
        return named[0]
    few = [c for c, values in free.items() if 2 <= len(set(map(str, values))) <= min(1000, len(values) / 2)]  # twice each, or so
    odd = [c for c in few if any(isinstance(v, list | dict) or isinstance(v, float) and not v.is_integer() for v in free[c])]
    could = [c for c in free if c in named or c in few and c not in odd]
    if len(could) == 1:
        return could[0]
    found = f"{len(could)} that could be it: {', '.join(could)}" if could else ", ".join(table.columns) or "none"
    raise UserError(f"expected a label column, found {found}", "say which: --label-column NAME, or none for a pool")


def _list_table(path, table, asked, images):
    """(kind, rows, left_out) of a manifest."""
    columns, n = table.columns, len(table.at)
    if not n and not table.left_out:
        raise UserError(f"expected rows in {path.name}, found {'a header only' if columns else 'nothing'}", "add rows")
    image = _image_column(table, asked["image"])
    if image is None:
        raise UserError(
            f"expected a column of image paths or bytes in {path.name}, found {', '.join([*columns, *table.held])}",
            f"--image-column NAME; found without it: {', '.join(PATHS)}, or the only column of bytes",
        )
    ours = next(iter(columns), "") == "sample_id" and any(map(SAMPLE_ID.fullmatch, map(str, columns["sample_id"])))
    id = _column(table, "id", asked["id"], ("key", "id") if ours else ("id",))
    split, group = _column(table, "split", asked["split"], ("split",)), _column(table, "group", asked["group"])
    taken = {image, id, split, group, "sample_id" if ours else None}
    label = _label_column(table, asked["label"], taken)
    texts = _as_they_are if ours else as_texts
    labels, splits, ids, groups = (texts(columns[c], c) if c else [None] * n for c in (label, split, id, group))
    hashes = columns.pop("content_hash") if ours and "content_hash" in columns else [None] * n
    meta = {c: values for c, values in columns.items() if c not in taken | {label}}
    meta = json.loads(json.dumps(meta, default=lambda v: None if isinstance(v, bytes) else str(v)), parse_constant=lambda _: None)
    in_rows, suffix = image in table.held, "" if image == table.guess else f"::{image}"
    places = (
        ((str(i), f"{path}::{i}{suffix}", None) for i in range(n)) if in_rows else locate(path.parent, texts(columns[image], image), ours)
    )
    places = find(places, hashes, images) if ours and images else places
    rows, left_out, first = [], table.left_out, {}
    for i, (key, uri, reason) in enumerate(places):
        key, at = ids[i] if id else key, table.at[i]
        row = {"key": key, "uri": uri, "label": labels[i], "split": splits[i]}
        row["meta"] = _unpacked({c: values[i] for c, values in meta.items() if values[i] is not None}, ours)
        row |= ({"group": groups[i]} if group else {}) | ({"id": columns["sample_id"][i], "content_hash": hashes[i]} if ours else {})
        if ours and ("key", key) in first:  # two sources of one bench may have the same key
            row["key"] = row["id"]
        names = [(c, row[c]) for c in ("key", "id") if c in row]
        wrong = [f"{what} that {f}" for what, most in (("key", TEXT), ("label", NAME)) if row[what] and (f := flaw(row[what], most))]
        if key is None or wrong:
            left_out.append((at, f"has {wrong[0]}" if wrong else f"has no {id or image}"))
        elif ours and not SAMPLE_ID.fullmatch(str(row["id"])):
            left_out.append((key, f"has the sample_id {row['id']}, which is not 32 hex digits ({at})"))
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
        return json.loads(meta["meta"]) | {c: v for c, v in meta.items() if c != "meta"} if ours else meta
    except (KeyError, ValueError, TypeError, RecursionError):
        return meta


def _as_they_are(values, column):
    """Text that Assay exported: nan is a word there, and so is a blank."""
    return [None if v is None or v == "" or v != v else str(v) for v in values]


def as_texts(values, column):
    """Labels, ids, ... as text: 3 and 3.0 are "3"; an empty cell, blanks and NaN are None."""
    if any(isinstance(v, list | dict) for v in values):
        raise UserError(f"expected text or numbers in the column {column}, found lists or structs", "name another column")
    texts = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
    texts = [None if v is None or not t.strip() or t.lower() == "nan" else t for v, t in zip(values, texts, strict=True)]
    floats = all(t is None or re.fullmatch(r"-?\d+\.0+", t) for t in texts)  # what pandas makes of whole numbers with a gap
    return [t and t.split(".")[0] for t in texts] if floats else texts


def map_splits(rows, split_map, notes):
    names = Counter(row["split"] for row in rows if row["split"])
    meant = {name: SPLITS.get(split_map.get(name, name).strip().lower()) for name in names}
    if unknown := [name for name in names if meant[name] is None]:
        raise UserError(
            f"expected train, val, test, pool or guard, found {', '.join(f'{u} ({names[u]:,})' for u in unknown)}",
            "say what they are: --split-map " + ",".join(f"{u}=pool" for u in unknown),
        )
    astray = [row for row in rows if row["label"] is None and not (row["split"] and "id" in row)]
    moved = Counter(meant.get(row["split"]) for row in astray)
    for row in rows:
        row["split"] = meant.get(row["split"])
    for row in astray:
        row["split"] = "pool"
    notes += [f"{n:,} unlabelled rows of {split} go to pool" for split, n in moved.items() if split not in (None, "pool")]


def make_splits(frame, content_hash, seed=0, val=0.1, test=0.2):
    """The split of every row, as a list: the source's own, and what is missing drawn by class, from the seed and the keys alone.

    Copies (equal content_hash) and members of a group stay together. Test is drawn if no row has it; val too, out of train if
    need be. Train keeps a sample of every class."""
    keys, labels = list(frame["key"]), list(frame["label"])
    given = [split if isinstance(split, str) and split else None for split in frame["split"]]  # pandas makes NaN of None, which is true
    splits = [split or (None if isinstance(label, str) else "pool") for label, split in zip(labels, given, strict=True)]
    placed = [i for i, split in enumerate(splits) if split != "pool" and isinstance(labels[i], str)]
    families = _families(placed, content_hash, frame.get("group", content_hash))
    named, rest = set(splits), 1
    for family in families:  # a copy of a placed image goes where that one is
        there = next((split for split in ("test", "val", "guard", "train") if any(splits[i] == split for i in family)), None)
        for i in family:
            splits[i] = splits[i] or there
    left = Counter(label for label, split in zip(labels, splits, strict=True) if split in (None, "train"))  # what train keeps
    families.sort(key=lambda family: blake2b(f"{seed} {min(keys[i] for i in family)}".encode()).digest())  # by lot
    families.sort(key=lambda family: Counter(sorted(labels[i] for i in family)).most_common(1)[0][0])  # and by class
    for split, share, out_of in (("test", test, {None}), ("val", val, {None, "train"})):
        if split not in named and share:
            free = [family for family in families if {splits[i] for i in family} <= out_of]
            rate, rest = max(share / rest, 1 / max(1, sum(map(len, free)))), rest - share
            seen = taken = 0
            for family in free:
                classes = Counter(labels[i] for i in family)
                if all(left[c] > n for c, n in classes.items()):
                    seen += len(family)
                    if 2 * (rate * seen - taken) >= len(family):  # taken when due: classes and whole get their share
                        taken += len(family)
                        left.subtract(classes)
                        for i in family:
                            splits[i] = split
    return [split or "train" for split in splits]


def _families(rows, *traits):
    """`rows` in lists: those that share the value of a trait, directly or through others, are together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, families = {}, {}
    links = [(i, first.setdefault((t, v[i]), i)) for t, v in enumerate(map(list, traits)) for i in rows if isinstance(v[i], str)]
    shape = (max(rows, default=0) + 1,) * 2
    graph = coo_array((np.ones(len(links)), np.array(links, int).reshape(-1, 2).T), shape)
    which = connected_components(graph, directed=False)[1]
    for i in rows:
        families.setdefault(which[i], []).append(i)
    return list(families.values())
