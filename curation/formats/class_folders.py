"""Images in a folder for each class, or split/class."""

import os
from collections import Counter
from urllib.parse import unquote

from assay.curation.errors import UserError
from assay.curation.formats.base import SPLITS
from assay.curation.formats.tables import TABLES, _image_column, _list_table, _read_table
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import walk
from assay.curation.text import flaw


def _read_folder(root, asked, split_map):
    found, ours = list(walk(root)), (root / "assay.json").is_file()
    images = [f for f in found if f.lower().endswith(SUFFIXES)]
    tops = {f.split("/")[0] for f in images if "/" in f}
    named = {t for t in tops if t in split_map or t.lower() in SPLITS}
    by_split = named and (
        named == tops or any(f.count("/") > 1 and f.split("/")[0] in named for f in images)
    )  # or a class
    rows, left_out = [], []
    for file in images:
        *folders, _ = file.split("/")
        pooled = not by_split and SPLITS.get(file.split("/")[0].lower()) == "pool"
        split, *folders = (
            folders if folders and by_split else ["pool"] if pooled else [None, *folders]
        )
        label = next(map(unquote, folders), None) if ours else next(iter(folders), None)
        if file != (readable := file.encode(errors="replace").decode()):
            left_out.append((readable, "has a name that is not UTF-8: rename it"))
        elif wrong := flaw(label or ""):
            left_out.append((file, f"has a label that {wrong}"))
        else:
            rows.append(
                {"key": file, "uri": f"{root}/{file}", "label": label, "split": split, "meta": {}}
            )
    notes = [
        f"{n:,} images in {top}/ have no label: a folder of this name holds what is unlabelled. If it is a class, rename the folder"
        for top, n in Counter(f.split("/")[0] for f in images if "/" in f).items()
        if not by_split and SPLITS.get(top.lower()) == "pool"
    ]
    tables = [f for f in found if "/" not in f and f.lower().endswith(TABLES)]
    if len(tables) == 1 and not any(row["label"] for row in rows):
        table = _read_table(root / tables[0])
        if not images or _image_column(table, None):
            return *_list_table(root / tables[0], table, asked, None), [
                f"no class folders in {root.name}: read {tables[0]} in it"
            ]
    unread = [f for f in found if not f.lower().endswith(SUFFIXES) and not (ours and "/" not in f)]
    endings = Counter(os.path.splitext(f)[1].lower() or "without an ending" for f in unread)
    named_endings = ", ".join(f"{n:,} {e}" for e, n in endings.most_common(5))
    if not images:
        raise UserError(
            f"expected images in {root.name}, found {named_endings or 'nothing'}",
            f"Assay reads {' '.join(SUFFIXES)}; of several manifests, import one by its path",
        )
    for option in (o for o, column in asked.items() if column):
        raise UserError(
            f"--{option}-column: {root.name} is a folder of images, without columns",
            "pass a CSV or Parquet file",
        )
    if unread:
        notes.append(
            f"files in {root.name} that are no images which Assay reads, and were not imported: {named_endings}"
        )
    kind = "split folders" if by_split else "class folders" if tops else "unlabelled images"
    return kind, rows, left_out, notes
