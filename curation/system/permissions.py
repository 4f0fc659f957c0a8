"""Say who on this machine may read a bench.

Its owner alone, or its group where it was created so.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = "assay.duckdb"  # its mode says how a bench is shared, and all its other files follow
OURS = {
    FILE,
    f"{FILE}.wal",
    f"{FILE}.tmp",
    ".lock",
    "arrays",
    "aside",
    "audits",
    "backups",
    "experiments",
    "fiftyone",
    "jobs",
    "uploads",
    "mongod.log",
}
# what a bench's folder holds when nobody keeps anything else in it
OURS |= {"report.html", "plan.json"}

_masks: list[int] = []  # of those who limit the mask now
_own_mask = 0  # of this process, when nobody does
_lock = threading.Lock()


def file_mode(path: str | Path) -> int | None:
    """The mode of files in the bench that `path` lies in.

    0o600 or, where its group shares it, 0o660; None outside of any bench.
    """
    for folder in (Path(path), *Path(path).parents):
        with suppress(OSError):
            return 0o660 if os.stat(folder / FILE).st_mode & stat.S_IWGRP else 0o600
    return None


def folder_mode(mode: int) -> int:
    """The mode of folders whose files have `mode`.

    What a group shares stays of that group.
    """
    return 0o2770 if mode & stat.S_IWGRP else 0o700


def opener(path: str | Path, flags: int) -> int:
    """Open a file for `open(opener=)`, for whom its bench is.

    Whatever the umask; outside of any bench it is as its user's umask says.
    """
    mode = file_mode(os.path.abspath(path))
    file = os.open(path, flags, mode or 0o666)
    if mode and flags & os.O_CREAT and stat.S_IMODE(os.fstat(file).st_mode) != mode:
        with suppress(PermissionError):  # another's file
            os.fchmod(file, mode)
    return file


def touch_file(path: Path) -> Path:
    """Make a file that somebody else's code will write."""
    os.close(opener(path, os.O_WRONLY | os.O_CREAT))
    return path


def make_folder(path: str | Path) -> Path:
    """Make a folder, and those above it that are missing.

    In a bench it is for whom the bench is.
    """
    path = Path(path)
    if not path.is_dir():
        mode = file_mode(path.absolute())
        make_folder(path.parent)
        with suppress(FileExistsError):
            path.mkdir(0o777 if mode is None else 0o700)
            if mode is not None:
                path.chmod(folder_mode(mode))
    return path


@contextmanager
def limit_umask(mode: int) -> Iterator[None]:
    """Limit what a library makes meanwhile to `mode`.

    A mask is of the whole process, so those who ask at once get the strictest.
    """
    global _own_mask
    mask = 0o777 & ~folder_mode(mode)
    with _lock:
        before = os.umask(0o077)
        _own_mask = _own_mask if _masks else before
        _masks.append(mask)
        os.umask(max(_masks))
    try:
        yield
    finally:
        with _lock:
            _masks.remove(mask)
            os.umask(max(_masks) if _masks else _own_mask)


def list_bench_paths(path: str | Path) -> Iterator[tuple[str | Path, bool]]:
    """List all that is of a bench.

    Yields (path, whether it is a folder). Its own folder, too, where that holds nothing else.
    """
    path = Path(path)
    names = set(os.listdir(path))
    for name in sorted(names & OURS):
        for place, _, files in os.walk(path / name) if not os.path.islink(path / name) else ():
            yield place, True
            for file in (os.path.join(place, f) for f in files):
                if not os.path.islink(file):
                    yield file, False
        if os.path.isfile(path / name) and not os.path.islink(path / name):
            yield str(path / name), False
    if all(name in OURS or name.startswith("guard-") for name in names):
        yield str(path), True


def set_modes(path: Path, group: bool) -> None:
    """Give everything in a bench its proper mode."""
    mode = 0o660 if group else 0o600
    for place, is_folder in list_bench_paths(path):
        with suppress(PermissionError, FileNotFoundError):
            os.chmod(place, folder_mode(mode) if is_folder else mode)


def close_to_others(path: Path) -> bool:
    """Close a bench of an older Assay to everybody else.

    True where it was open: that Assay left it to the umask. Its group keeps what it could write, and what nobody may
    write stays so.
    """
    with suppress(OSError):
        mode = file_mode(path)
        if os.stat(path / FILE).st_uid == os.geteuid() and excess_bits(path / FILE, mode):
            for place, is_folder in list_bench_paths(path):
                most = folder_mode(mode) if is_folder else mode
                with suppress(PermissionError, FileNotFoundError):
                    now = stat.S_IMODE(os.stat(place).st_mode)
                    os.chmod(place, now & most | most & stat.S_ISGID)
            return True
    return False


def excess_bits(path: str | Path, most: int) -> int:
    """Find a path's mode bits beyond `most`."""
    return stat.S_IMODE(os.lstat(path).st_mode) & 0o777 & ~most


def describe_access(path: Path) -> str:
    """Say who may read a bench."""
    who = "its group" if file_mode(path) == 0o660 else "you"
    return f"{path} can be read by {who} alone"


def find_open_paths(path: Path) -> list[str | Path]:
    """Find what is readable beyond what the bench says."""
    mode = file_mode(path)
    return [
        place
        for place, is_folder in list_bench_paths(path)
        if excess_bits(place, folder_mode(mode) if is_folder else mode)
    ]
