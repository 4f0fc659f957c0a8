"""A version in the layout of its source."""

import os
from pathlib import Path

from assay.curation.formats.base import SPLITS
from assay.curation.formats.copying import put
from assay.curation.formats.manifest import table
from assay.curation.text import safe


def folders(folder, frame, copy):
    """split/class/name, unlabelled images in the split itself; a class is `safe`, so that nothing leaves `folder` and import can read it."""

    def place(row, end):
        stem = safe(Path(row.key).stem).encode()[:120].decode(errors="ignore")
        return (
            folder
            / row.split
            / (safe(row.label) if row.label is not None else "")
            / f"{stem}-{row.sample_id[:12]}{end}"
        )

    put(frame, place, copy)


def source(folder, frame, copy):
    """What was imported, with the labels of this version: class folders again, or a table id, path or image, label, split, and metadata."""
    for name, part in frame.groupby("source"):
        if part.key.str.contains("/").all() and all(
            os.path.isfile(u) and u.endswith(k) for u, k in zip(part.uri, part.key)
        ):
            refile(folder / safe(name), part, copy)
        else:
            table(folder, name, part, copy)


def refile(root, part, copy):
    """Class folders with every image in the folder of its label; a name that is taken there gets the sample id."""
    root.mkdir()
    (root / "assay.json").write_text("{}")  # says that class folders are `safe` names

    def place(row, _):
        parts = [p for p in Path(row.key).parts if p not in ("/", "..")]
        at = (
            parts.index(row.given_label)
            if row.given_label in parts[:-1]
            else max(0, len(parts) - 2)
        )
        moved = (
            row.label != row.given_label and str(row.label).lower() in SPLITS
        )  # no new folder of a class may look like a split
        parts[at] = (
            f"%{ord(row.label[0]):02x}{row.label[1:]}" if moved else safe(row.label or parts[at])
        )
        target = root / Path(*parts)
        return (
            target.with_name(f"{target.stem}-{row.sample_id[:8]}{target.suffix}")
            if os.path.lexists(target)
            else target
        )

    put(part, place, copy)
