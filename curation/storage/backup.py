"""Copies of the bench's file as it was at its last commits: which of them are good, and the way back to one."""

import os
import shutil
from contextlib import closing, suppress

import duckdb

from assay.curation.errors import UserError
from assay.curation.storage.engine import Opened
from assay.curation.storage.locks import testify
from assay.curation.storage.schema import chain_breaks
from assay.curation.system import permissions
from assay.curation.times import now

KEPT = 3  # so many commits have a copy


def keep(bench, name):
    """Copy the bench's file to backups/NAME.duckdb, whole or not at all. Returns the copy's name, or why there is none: the commit stands
    all the same."""
    folder = bench.path / "backups"
    target = folder / f"{name}.duckdb"
    try:
        with bench.closed():
            permissions.folder(folder)
            copy(bench.file, target)
    except (OSError, UserError) as e:
        return f"none ({getattr(e, 'problem', e)})"
    for old in newest(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return target.name


def copy(source, target):
    partial = target.with_name(f"{target.name}.partial")
    try:
        shutil.copyfile(source, permissions.touch(partial))
        with open(partial, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def newest(folder):
    return sorted(folder.glob("*.duckdb"), key=lambda f: f.stat().st_mtime_ns, reverse=True)


def examine(file):
    """What a copy holds, dict(file, name, upto, head), if every block of it can be read and its hash chain is sound; else None. UserError where it
    holds what no bench does."""
    try:
        with closing(Opened(file, read_only=True)) as opened, opened.cursor() as con:
            for (table,) in con.execute(
                "select table_name from duckdb_tables() where database_name = ?", [opened.name]
            ).fetchall():
                con.execute(f'select count(hash(t)) from "{table}" t')
            if chain_breaks(con):
                return None
            upto, head = con.execute(
                "select (select coalesce(max(seq), 0) from edits), value from meta where key = 'head'"
            ).fetchall()[0]
            return dict(file=file, name=file.stem, upto=upto, head=head)
    except duckdb.Error:
        Opened.forget(file)
        return None


def examined(file):
    """As examine, and None for one that holds what no bench does, too."""
    with suppress(UserError):
        return examine(file)


def sound(bench):
    """Is the bench's own file good, and nothing of it lost? Only for whoever holds its turn."""
    found = bench.file.exists() and bench.file.stat().st_size and examined(bench.file)
    return bool(found) and found["upto"] >= (bench.witness() or (0,))[0]


def last_good(bench):
    """The newest copy that is good, as examine() has it, or None."""
    return next(filter(None, map(examined, newest(bench.path / "backups"))), None)


def restore(bench, name=None):
    """Make the last good copy, or the one called `name`, the bench's file again; what stood there is kept beside it. Returns a dict: restored,
    upto, lost (acknowledged edits that the copy does not have), aside. Raises UserError where no copy is good."""
    names = [f.stem for f in newest(bench.path / "backups")]
    if name is not None and name not in names:
        raise UserError(
            f"expected the name of a backup, found {name!r}",
            f"there are {', '.join(names) or 'none'}",
        )
    good = last_good(bench) if name is None else examine(bench.path / "backups" / f"{name}.duckdb")
    if good is None:
        raise UserError(
            f"expected a good backup in {bench.path / 'backups'}, found {'none' if name is None else name + ' damaged'}",
            f"bring back {bench.file} from a copy of your own",
        )
    aside = bench.path / "aside" / f"{now():%Y%m%d-%H%M%S-%f}"
    with bench.closed() as turn:
        if turn is None:
            raise UserError(
                f"expected a bench that can be written, found {bench.path} read-only",
                "copy the folder to where you may write",
            )
        if name is None and sound(bench):
            since, good = (bench.witness() or (0,))[0] - good["upto"], good["name"]
            raise UserError(
                f"expected a damaged bench, found a sound one with {since:,} edits since {good}",
                f"to take decisions back: assay revert --since {good}; to put the old file in its place all the same: assay restore {good}",
            )
        lost = max(0, (bench.witness() or (0,))[0] - good["upto"])
        permissions.folder(aside)
        wal = bench.file.with_name(bench.file.name + ".wal")
        if wal.exists():  # first: it must not be replayed over the copy
            os.replace(wal, aside / wal.name)
        if bench.file.exists():
            os.link(bench.file, aside / bench.file.name)
        ahead = [
            f
            for f in (bench.arrays / "judges").glob("*-*.npz")
            if int(f.stem.split("-")[1]) > good["upto"]
        ]
        for file in (
            bench.arrays / "opinion.npz",
            *ahead,
        ):  # before: each speaks of a position in the log that then may mean something else
            file.unlink(missing_ok=True)
        copy(good["file"], bench.file)
        testify(
            turn, good["upto"], good["head"]
        )  # after: who is killed between the two is told to restore, and loses nothing unseen
    return dict(
        restored=good["name"],
        upto=good["upto"],
        lost=lost,
        aside=str(aside) if any(aside.iterdir()) else None,
    )
