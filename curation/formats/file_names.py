"""Labels at the beginning of files' names: cat.0.jpg, dog_12.png."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, note_lost_splits
from assay.curation.formats.folder_levels import show_names
from assay.curation.formats.moves import free_place, iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw, format_count, safe_name

if TYPE_CHECKING:
    import pandas as pd

# letters, then what counts the images of that class
NAME = re.compile(r"(?P<label>[^\W\d].*?)(?P<rest>(?:[\s._(-]*\(?\d+(?!\d)\)?)+)$")
# what cameras and programs call every image
NO_LABELS = set(
    "img image images dsc dscn dscf pxl p photo photos picture pic frame file sample scan sdc mvimg "
    "screenshot gopr dji whatsapp vid im train test val i".split()
)


class FileNames:
    """Images whose files' names begin with their class: cat.0.jpg.

    Read where --format file-names says so alone.
    """

    name = "file-names"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        return Match("no", "is read where it is asked for: --format file-names")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List images; the folder above may be the split."""
        if not path.is_dir():
            raise UserError(f"expected a folder, found {path.name}", "leave --format out")
        files = list(list_files(str(path)))
        images = [f for f in files if f.lower().endswith(SUFFIXES)]
        samples, left_out, unnamed = [], [], []
        for file in images:
            label = read_label(file)
            top = file.split("/")[0] if "/" in file else ""
            split = (top if top in options.split_map else guess_split(top)) if top else None
            readable = file.encode(errors="replace").decode()
            if file != readable or find_flaw(label or ""):
                left_out.append((readable, "has a name that is no plain text: rename it"))
                continue
            unnamed += [file] if label is None else []
            samples.append(
                {"key": file, "uri": f"{path}/{file}", "label": label, "split": split, "meta": {}}
            )
        counts = Counter(s["label"] for s in samples if s["label"])
        if not counts:
            raise UserError(
                f"expected names such as cat.0.jpg in {path.name}, found {images[:1] or 'none'}",
                "leave --format out",
            )
        notes = [
            f"{format_count(len(unnamed), 'image', 'has', 'have')} no label, since their names "
            f"begin with none, first {one}"
            for one in unnamed[:1]
        ]
        roles = {"label": f"the beginning of the file's name: {show_names(counts)}"}
        if any(s["split"] for s in samples):
            roles["split"] = "the top folder"
        unread = list_unread(f for f in files if not f.lower().endswith(SUFFIXES))
        return Listing(
            self.name, "images named by class", path.name, [samples], left_out, notes, roles, unread
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Rename images to the class that they now have.

        A name that is taken gets another number.
        """
        notes = []
        moved: dict[str, str] = {}
        taken = {f.casefold() for f in list_files(str(source))} - set(
            map(str.casefold, changes.key)
        )
        for row in iter_changes(changes[~changes.removed.astype(bool)]):
            found = NAME.fullmatch(Path(row.key).stem)
            if (read_label(row.key) or None) != row.given_label or found is None:
                notes.append(f"{row.key} begins with no class: it stays as it is called")
                continue
            if row.label is None:
                notes.append(f"{row.key} has no label any more, which no name can say")
                continue
            if row.label == row.given_label:
                continue
            name = f"{safe_name(row.label)}{found['rest']}{Path(row.key).suffix}"
            if read_label(name) != row.label:
                notes.append(f"{row.key}: no name of a file can say {row.label}")
                continue
            moved[row.key] = free_place(Path(row.key).with_name(name), taken)
        notes += note_lost_splits(changes, "names")
        return Patch(
            moved=moved, removed=list(changes.key[changes.removed.astype(bool)]), notes=notes
        )


FORMAT = FileNames()


def read_label(file: str) -> str | None:
    """Read the class at the beginning of a file's name."""
    found = NAME.fullmatch(os.path.splitext(os.path.basename(file))[0])
    return found["label"] if found else None


def ask_about_names(name: str, images: list[str]) -> None:
    """Ask whether names that begin with a few words say the classes."""
    labels = Counter(read_label(file) for file in images)
    unnamed = labels.pop(None, 0)
    known = {label for label in labels if label.lower().strip(" _-.") in NO_LABELS}
    if len(labels) < 2 or known or unnamed > len(images) / 2 or len(labels) > len(images) / 3:
        return
    raise AmbiguousSource(
        f"expected folders of classes in {name}, found images whose names begin alike",
        [
            Reading(
                f"their names begin with the class: {show_names(labels)}", "--format file-names"
            ),
            Reading("they have no labels", "--pictures-only"),
        ],
    )
