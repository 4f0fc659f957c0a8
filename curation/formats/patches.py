"""Bring a patch to a source: to a copy of it, or in place with a backup."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.media.locations import list_files
from assay.curation.system.scratch import atomic_folder


def write_patched(source: Path, patch: Patch, target: Path, copy: bool) -> None:
    """Write a source again at `target`, patched.

    Files that the patch does not rewrite are copied, or linked where `copy` is false.
    """
    if source.is_file():
        if "" in patch.rewritten:
            patch.rewritten[""](target)
        else:
            shutil.copyfile(source, target)
        return
    target.mkdir()
    for folder, _, _ in os.walk(source):  # empty ones too: they may be classes
        (target / os.path.relpath(folder, source)).mkdir(parents=True, exist_ok=True)
    for file in list_all_files(source):
        if file in patch.removed:
            continue
        place = target / patch.moved.get(file, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file in patch.rewritten:
            patch.rewritten[file](place)
        elif copy:
            shutil.copyfile(source / file, place)
        else:
            place.symlink_to(os.path.realpath(source / file))


def mend_in_place(source: Path, patch: Patch) -> Path | None:
    """Bring a patch to the source itself; returns the folder of the backup, None where nothing changed.

    What is rewritten or removed lies in the backup as it was; moves.csv there lists what was moved.
    Everything new is written before the first file is touched.
    """
    touched = [*patch.rewritten, *patch.removed]
    if not touched and not patch.moved:
        return None
    taken = [new for new in patch.moved.values() if os.path.lexists(source / new)]
    taken = [new for new in taken if new not in patch.moved]
    if taken:
        raise UserError(
            f"expected free places for moved files, found {taken[0]} there already",
            "export a copy: --format source -o FOLDER",
        )
    backup = name_backup(source)
    whole = source.is_file()
    fresh: dict[str, Path] = {}
    try:
        with atomic_folder(backup) as partial:
            for file in touched:
                kept = partial / (file or source.name)
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / file if file else source, kept)
            if patch.moved:
                lines = [f"{old}\t{new}\n" for old, new in patch.moved.items()]
                (partial / "moves.tsv").write_text("".join(lines), encoding="utf-8")
            for file, write in patch.rewritten.items():
                place = source if whole else source / file
                fresh[file] = place.with_name(f".{place.name}.assay-new")
                write(fresh[file])
                shutil.copymode(place, fresh[file])
    except BaseException:
        for path in fresh.values():
            path.unlink(missing_ok=True)
        raise
    for file, path in fresh.items():
        os.replace(path, source if whole else source / file)
    move_files(source, patch.moved)
    for file in patch.removed:
        (source / file).unlink()
    return backup


def move_files(root: Path, moved: dict[str, str]) -> None:
    """Move files below `root`, also those that swap places."""
    aside = {old: root / f"{old}.assay-moved" for old in moved if moved[old] in moved}
    for old, path in aside.items():
        os.rename(root / old, path)
    for old, new in moved.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        os.rename(aside.get(old, root / old), root / new)
    for old in moved:  # folders that are empty now stay: a class may have lost its last image
        (root / old).parent.mkdir(exist_ok=True)


def name_backup(source: Path) -> Path:
    """Name a new folder beside the source."""
    n = 1
    while os.path.lexists(source.with_name(f"{source.name}.assay-backup-{n}")):
        n += 1
    return source.with_name(f"{source.name}.assay-backup-{n}")


def list_all_files(folder: Path) -> list[str]:
    """List all files of a folder, hidden ones too, by their relative path."""
    found = []
    for root, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        found += [os.path.relpath(os.path.join(root, f), folder) for f in sorted(files)]
        linked = [f for f in folders if os.path.islink(os.path.join(root, f))]
        for link in linked:
            below = os.path.relpath(os.path.join(root, link), folder)
            found += [f"{below}/{f}" for f in list_files(os.path.join(root, link))]
    return found
