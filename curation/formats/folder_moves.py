"""Move images between folders, so that these say other classes and splits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.formats.class_names import ClassNames
from assay.curation.formats.folder_levels import WRAPPERS
from assay.curation.formats.folder_plan import Folder, FolderPlan, Placed
from assay.curation.formats.moves import free_place, iter_changes
from assay.curation.formats.split_words import UNLABELLED, guess_split
from assay.curation.text import format_count, safe_name

if TYPE_CHECKING:
    import pandas as pd


def plan_moves(
    name: str,
    changes: pd.DataFrame,
    plan: FolderPlan,
    files: Iterable[str],
    exported: bool,
    names: ClassNames | None = None,
) -> Patch:
    """Plan moves of images into the folders of new labels and splits.

    plan: what the folders of the source are now; files: all that lies there. UserError where an
    image does not have its given label any more. names: of the folders, where they have others.
    """
    names = names or ClassNames()
    notes: list[str] = []
    moved: dict[str, str] = {}
    taken = {f.casefold() for f in files} - {key.casefold() for key in changes.key}
    unsaid: Counter[str] = Counter()
    for row in iter_changes(changes[~changes.removed.astype(bool)]):
        folder = tuple(row.key.split("/")[:-1])
        now = plan.placed.get(folder, Placed())
        label = unquote(now.label) if exported and now.label else now.label
        label = label and names.name(label)
        # a name that no folder can have was written in another way
        if label not in (row.given_label, row.label and name_folder(row.label, exported)):
            raise UserError(
                f"expected {row.key} to be of the class {row.given_label} in {name}, "
                f"found {label or 'no label'}",
                "the source has changed since: import it again",
            )
        target = folder
        if row.label != row.given_label:
            called = row.label and (names.mark(row.label) or names.fresh.get(row.label, row.label))
            target = find_class_folder(plan, folder, called, exported)
            said = unquote(target[-1]) if exported and target else "/".join(target)
            if called and called not in (said, *target):
                notes.append(f"no folder can be called {called!r}: {safe_name(called)!r}")
        if row.split and row.split != guess_split(now.split or ""):
            other = find_split_folder(plan, target, row.split)
            target, unsaid[row.split] = other or target, unsaid[row.split] + (other is None)
        place = "/".join([*target, os.path.basename(row.key)])
        if place == row.key:
            taken.add(place.casefold())
        else:
            moved[row.key] = free_place(PurePath(place), taken)
    notes += [
        f"{format_count(n, 'sample', 'is', 'are')} in {split} now, which no folder there says"
        for split, n in unsaid.items()
        if n
    ]
    return Patch(
        moved=moved,
        removed=list(changes.key[changes.removed.astype(bool)]),
        notes=list(dict.fromkeys(notes)),
    )


def name_folder(label: str, exported: bool) -> str:
    """Name a new folder for a class.

    In an export what no system takes as a name is written as %xx, and % with it. Elsewhere nobody reads
    that back: % stays where it is all there is.
    """
    name = safe_name(label)
    return label if not exported and name.replace("%25", "%") == label else name


def find_class_folder(
    plan: FolderPlan, folder: Folder, label: str | None, exported: bool
) -> Folder:
    """Find the folder of a class nearest to another folder.

    It may be a new one.
    """
    at, split = plan.class_at.get(folder), plan.split_at.get(folder)
    if label is None:
        return folder[:at] if plan.split_at else (*folder[:at], UNLABELLED[0])
    name = name_folder(label, exported)
    # a folder that is there already is named as the class, whatever system made it
    if not exported and any(f[level] == label for f, level in plan.class_at.items()):
        name = label
    if at is None:
        top = folder[: split + 1] if split is not None else ()
        like = [f for f in plan.class_at if f[: len(top)] == top]
        level = min((plan.class_at[f] for f in like), default=len(top))
        return (*(like[0] if like else top)[:level], name)
    here, tail = plan.placed[folder].split, folder[at + 1 :]
    if split is None or split < at:
        # cat/images/1.jpg stays in a folder images, as its readers expect
        tail = tail if set(map(str.lower, tail)) <= set(WRAPPERS) else ()
    known = [
        f[: level + 1]
        for f, level in plan.class_at.items()
        if f[level] == name and plan.placed[f].split == here
    ]
    if known:
        nearest = max(known, key=lambda f: (len(os.path.commonprefix([f, folder])), f))
        return (*nearest, *tail)
    return (*folder[:at], name, *tail)


def find_split_folder(plan: FolderPlan, folder: Folder, split: str) -> Folder | None:
    """Put another split into a folder's path, in the source's word.

    None where the path has no split.
    """
    at = next((at for f, at in plan.split_at.items() if f[: at + 1] == folder[: at + 1]), None)
    if at is None:
        return None
    words = {f[level] for f, level in plan.split_at.items() if plan.placed[f].split == split}
    words |= {f[level] for f, level in plan.split_at.items() if guess_split(f[level]) == split}
    word = min(words) if words else split
    below = folder[at + 1 :]
    # seg_train/seg_train/sea becomes seg_test/seg_test/sea
    below = tuple(word if name == folder[at] else name for name in below[:1]) + below[1:]
    return (*folder[:at], word, *below)


def add_classes(names: ClassNames, changes: pd.DataFrame) -> None:
    """Choose folders for new classes, where a file names the others.

    UserError where only the file's makers could, as with the numbers of WordNet.
    """
    if all(mark == name for mark, name in names.of_mark.items()):
        return  # a new folder says its class
    now = changes[~changes.removed.astype(bool)]
    changed = now[now.label.notna() & (now.label != now.given_label)]
    for label in dict.fromkeys(changed.label):
        if names.mark(label) is None and names.add(label) is None:
            raise UserError(
                f"expected one of the classes that {names.file} names, found {label}, for which nobody"
                f" can tell a folder such as {next(iter(names.of_mark))}",
                f"add both to {names.file} by hand and import it again, or --format manifest",
            )
