"""Back up the bench's file, and restore it."""

from __future__ import annotations

import os
import shutil
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from assay.curation.errors import NoBench, UnknownName, UserError
from assay.curation.storage.engine import AttachedFile
from assay.curation.storage.interface import Bench
from assay.curation.storage.locks import write_tail
from assay.curation.storage.schema import FILE, LOG_END, find_chain_breaks
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.curation.times import now

KEPT = 3  # so many commits have a copy


@dataclass(frozen=True)
class Backup:
    """A good copy: every block of it can be read, and its hash chain is sound."""

    file: Path
    name: str
    upto: int  # edits in its log
    head: str  # the hash of its log


def keep_backup(bench: Bench, name: str) -> str:
    """Copy the bench's file to backups/NAME.duckdb, whole or not at all.

    Returns the copy's name, or why there is none: the commit stands all the same.
    """
    folder = bench.path / "backups"
    target = folder / f"{name}.duckdb"
    try:
        with bench.hold_closed():
            permissions.make_folder(folder)
            copy_durably(bench.file, target)
    except (OSError, UserError) as e:
        return f"none ({getattr(e, 'problem', e)})"
    for old in list_newest(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return target.name


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all, onto the disk itself."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        shutil.copyfile(source, permissions.touch_file(partial))
        with open(partial, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def list_newest(folder: Path) -> list[Path]:
    """List the copies in a folder, newest first."""
    return sorted(folder.glob("*.duckdb"), key=lambda f: f.stat().st_mtime_ns, reverse=True)


def examine_backup(file: Path) -> Backup | None:
    """Read every block of a copy; None where it is not good.

    UserError where it holds what no bench does.
    """
    tables = "select table_name from duckdb_tables() where database_name = ?"
    try:
        with closing(AttachedFile(file, read_only=True)) as attached, attached.cursor() as con:
            for (table,) in con.execute(tables, [attached.name]).fetchall():
                con.execute(f'select count(hash(t)) from "{table}" t')
            if find_chain_breaks(con):
                return None
            upto, head = con.execute(LOG_END).fetchall()[0]
            return Backup(file, file.stem, upto, head)
    except duckdb.Error:
        AttachedFile.forget(file)
        return None


def try_examine(file: Path) -> Backup | None:
    """Examine a copy; None where it is not good, for any reason."""
    with suppress(UserError):
        return examine_backup(file)
    return None


def is_sound(bench: Bench) -> bool:
    """Tell whether the bench's own file has everything.

    It is good, and nothing of it is lost. Only for whoever holds its turn.
    """
    found = bench.file.exists() and bench.file.stat().st_size and try_examine(bench.file)
    return bool(found) and found.upto >= _count_acknowledged(bench)


def _count_acknowledged(bench: Bench) -> int:
    """Count edits the log must have; 0 where unknown."""
    return (bench.read_tail() or (0, ""))[0]


def find_last_good(bench: Bench) -> Backup | None:
    """Find the newest copy that is good."""
    return next(filter(None, map(try_examine, list_newest(bench.path / "backups"))), None)


def suggest_backup(bench: Bench) -> str:
    """Name the last good backup, as an error's hint."""
    good = find_last_good(bench)
    if good is None:
        return (
            f"there is no good backup in {bench.path / 'backups'} (one is kept at each commit): "
            f"bring back {bench.file} from a copy of your own"
        )
    return (
        f"the last good backup is {good.file.name} ({format_count(good.upto, 'edit')}); "
        f"to go back to it: assay restore -b {bench.given}"
    )


def restore_backup(bench: Bench, name: str | None = None) -> dict:
    """Put a copy in place of the bench's file.

    The last good one, or the one called `name`. What was there is kept beside it. Returns a dict:
    restored, upto, lost (acknowledged edits that the copy does not have), aside. UserError where no
    copy is good.
    """
    good = _choose_backup(bench, name)
    aside = bench.path / "aside" / f"{now():%Y%m%d-%H%M%S-%f}"
    with bench.hold_closed() as turn:
        if turn is None:
            raise UserError(
                f"expected a bench that can be written, found {bench.path} read-only",
                "copy the folder to where you may write",
            )
        if name is None and is_sound(bench):
            raise UserError(
                f"expected a damaged bench, found a sound one with "
                f"{format_count(_count_acknowledged(bench) - good.upto, 'edit')} since {good.name}",
                f"to take decisions back: assay revert --since {good.name}; "
                f"to put the old file in its place all the same: assay restore {good.name}",
            )
        lost = max(0, _count_acknowledged(bench) - good.upto)
        _set_aside(bench, aside)
        _delete_ahead(bench, good.upto)
        copy_durably(good.file, bench.file)
        # last: who is killed before it is told to restore, and loses nothing unseen
        write_tail(turn, good.upto, good.head)
    kept = str(aside) if any(aside.iterdir()) else None
    return dict(restored=good.name, upto=good.upto, lost=lost, aside=kept)


def _choose_backup(bench: Bench, name: str | None) -> Backup:
    folder = bench.path / "backups"
    if not (folder.exists() or bench.file.exists()):
        raise NoBench(f"expected a bench in {bench.path}, found none", "check -b", bench.path, FILE)
    names = [f.stem for f in list_newest(folder)]
    if name is not None and name not in names:
        raise UnknownName(
            f"expected the name of a backup, found {name!r}",
            f"there are {', '.join(names) or 'none'}",
            name,
            names,
        )
    good = find_last_good(bench) if name is None else examine_backup(folder / f"{name}.duckdb")
    if good is None:
        raise UserError(
            f"expected a good backup in {folder}, "
            f"found {'none' if name is None else name + ' damaged'}",
            f"bring back {bench.file} from a copy of your own",
        )
    return good


def _set_aside(bench: Bench, aside: Path) -> None:
    """Keep what is there in its own folder."""
    permissions.make_folder(aside)
    wal = bench.file.with_name(bench.file.name + ".wal")
    if wal.exists():  # first: it must not be replayed over the copy
        os.replace(wal, aside / wal.name)
    if bench.file.exists():
        os.link(bench.file, aside / bench.file.name)


def _delete_ahead(bench: Bench, upto: int) -> None:
    """Delete the scores of vanished log positions."""
    for file in (bench.arrays / "judges").glob("*-*.npz"):
        if int(file.stem.split("-")[1]) > upto:
            file.unlink(missing_ok=True)
    (bench.arrays / "opinion.npz").unlink(missing_ok=True)
