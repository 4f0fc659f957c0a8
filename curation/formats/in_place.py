"""Mend a source in place, with a backup; finish what was interrupted.

First a backup is written whole, with the new files and the plan in it. Only then is the source touched,
in steps of which each can be done again, so that whoever comes after a crash can finish.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.system.scratch import atomic_folder

PLAN = "unfinished.json"  # in a backup: what is still to be done, for as long as it is
NEW = "new files of assay"  # in a backup: what will take the old ones' place
MOVES = "moves of assay.csv"  # in a backup: old and new path of what was moved
COPY = "export a copy: --format source -o FOLDER"


def mend_in_place(source: Path, patch: Patch, changes: int = 0) -> Path | None:
    """Bring a patch to the source itself.

    Returns the folder of the backup, None where nothing changed.
    What is rewritten or removed lies in the backup as it was. UserError where nothing was touched; and
    where the disk failed midway, in which case finish_mending can go on. changes: how many are told of.
    """
    if not (patch.rewritten or patch.removed or patch.moved):
        return None
    check_files(source, patch)
    backup = name_backup(source)
    try:
        with atomic_folder(backup) as partial:
            write_backup(source, patch, partial, changes)
    except OSError as e:
        raise UserError(
            f"expected to write the backup {backup}, found: {e.strerror}",
            f"{source} is as it was; free some space, or {COPY}",
        ) from None
    finish_plan(source, backup)
    return backup


def find_unfinished(source: Path) -> Path | None:
    """Find the backup of a mending that was interrupted."""
    for backup in list_backups(source):
        if (backup / PLAN).is_file():
            return backup
    return None


def finish_mending(source: Path) -> tuple[Path, int] | None:
    """Finish what was interrupted.

    Returns (its backup, how many changes), None where nothing was.
    """
    backup = find_unfinished(source)
    if backup is None:
        return None
    changes = json.loads((backup / PLAN).read_text("utf-8"))["changes"]
    finish_plan(source, backup)
    return backup, changes


# ---- before anything is touched


def check_files(source: Path, patch: Patch) -> None:
    """Check that all files are there, and their new places free."""
    named = [*patch.rewritten, *patch.removed, *patch.moved]
    lost = [file for file in named if not os.path.lexists(place_of(source, file))]
    if lost:
        raise UserError(
            f"expected {lost[0]} in {source}, found no such file",
            "import it again: it has changed since",
        )
    twice = [new for new, n in Counter(patch.moved.values()).items() if n > 1]
    leaving = {*patch.moved, *patch.removed}
    taken = [
        new for new in patch.moved.values() if os.path.lexists(source / new) and new not in leaving
    ]
    if taken or twice:
        raise UserError(
            f"expected free places for moved files, found {(taken or twice)[0]} taken", COPY
        )
    outside = [
        f for f in (*named, *patch.moved.values()) if os.path.normpath(f).startswith(("../", "/"))
    ]
    assert not outside, f"{outside[0]} lies outside of the source"
    for folder in sorted({place_of(source, file).parent for file in named}):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"expected to write in {folder}, found no permission", COPY)


def place_of(source: Path, file: str) -> Path:
    """Place a file of a source; "" is the source itself."""
    return source / file if file else source


def write_backup(source: Path, patch: Patch, folder: Path, changes: int) -> None:
    """Write the old files, the new ones, and the plan."""
    new, fresh = folder / NEW, {}
    new.mkdir()
    for n, (file, write) in enumerate(patch.rewritten.items()):
        write(new / str(n))
        shutil.copymode(place_of(source, file), new / str(n))
        sync_file(new / str(n))
        fresh[str(n)] = file
    for file in dict.fromkeys((*patch.rewritten, *patch.removed)):
        kept = folder / (file or source.name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        keep_file(place_of(source, file), kept)
    if patch.moved:
        with open(
            folder / MOVES, "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as out:
            csv.writer(out).writerows([("old", "new"), *patch.moved.items()])
    plan = dict(
        fresh=fresh, removed=patch.removed, moved=list(patch.moved.items()), changes=changes
    )
    write_plan(folder, plan | dict(step=0))


def keep_file(place: Path, kept: Path) -> None:
    """Keep a file by a second name; another takes its place."""
    place = Path(os.path.realpath(place))
    try:
        os.link(place, kept)
    except OSError:  # of another disk, or one without such names
        shutil.copy2(place, kept)
        sync_file(kept)


def write_plan(folder: Path, plan: dict) -> None:
    """Write a plan over the last, whole or not at all."""
    draft = folder / f"{PLAN}.tmp"
    draft.write_text(json.dumps(plan), "utf-8")
    sync_file(draft)
    os.replace(draft, folder / PLAN)


def sync_file(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


# ---- the source


def finish_plan(source: Path, backup: Path) -> None:
    """Do what is left of a plan.

    Each step can be done twice.
    """
    plan = json.loads((backup / PLAN).read_text("utf-8"))
    steps = (replace_files, remove_files, put_aside, put_down)
    try:
        for n, step in enumerate(steps):
            if plan["step"] <= n:
                step(source, backup, plan)
                write_plan(backup, plan | dict(step=n + 1))
        (backup / PLAN).unlink()
        shutil.rmtree(backup / NEW, ignore_errors=True)
    except OSError as e:
        raise UserError(
            f"expected to mend {source}, found: {e.strerror} ({e.filename})",
            f"the backup {backup} is whole; mend that and do the same again, which finishes it",
        ) from None


def replace_files(source: Path, backup: Path, plan: dict) -> None:
    """Put new files in the place of old ones; links stay."""
    for n, file in plan["fresh"].items():
        new, place = backup / NEW / n, Path(os.path.realpath(place_of(source, file)))
        if not new.exists():
            continue
        try:
            os.replace(new, place)
        except OSError:  # on another disk
            near = place.with_name(f".{place.name[:200]}.assay-new")
            shutil.copy2(new, near)
            os.replace(near, place)
            new.unlink()


def remove_files(source: Path, backup: Path, plan: dict) -> None:
    for file in plan["removed"]:
        (source / file).unlink(missing_ok=True)


def put_aside(source: Path, backup: Path, plan: dict) -> None:
    """Give moving files temporary names that no other file has."""
    for aside, old, _ in list_moves(source, plan):
        if os.path.lexists(old) and not os.path.lexists(aside):
            os.rename(old, aside)


def put_down(source: Path, backup: Path, plan: dict) -> None:
    """Give moving files their new place.

    Folders that are empty now stay: they may be classes.
    """
    for aside, old, new in list_moves(source, plan):
        if not os.path.lexists(aside):
            continue
        new.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(aside) and not os.path.isabs(os.readlink(aside)):
            goal = os.path.normpath(old.parent / os.readlink(aside))
            with suppress(FileExistsError):
                new.symlink_to(os.path.relpath(goal, os.path.realpath(new.parent)))
            aside.unlink()
        else:
            os.rename(aside, new)


def list_moves(source: Path, plan: dict) -> Iterator[tuple[Path, Path, Path]]:
    """List what moves: its name meanwhile, the old, the new."""
    for n, (old, new) in enumerate(plan["moved"]):
        place = source / old
        yield place.with_name(f".assay-moving-{n}"), place, source / new


# ---- backups


def name_backup(source: Path) -> Path:
    """Name a new folder beside the source."""
    n = 1
    while os.path.lexists(backup_of(source, n)):
        n += 1
    return backup_of(source, n)


def backup_of(source: Path, n: int) -> Path:
    return source.with_name(f"{source.name}.assay-backup-{n}")


def list_backups(source: Path) -> Iterator[Path]:
    """List the backups of a source, oldest first."""
    n = 1
    while os.path.lexists(backup_of(source, n)):
        yield backup_of(source, n)
        n += 1
