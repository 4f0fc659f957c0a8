"""Who on this machine may read a bench: its owner alone, or its group where it was created so."""

import os
import stat
import threading
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
    "fiftyone",
    "jobs",
    "uploads",
    "mongod.log",
}
OURS |= {
    "report.html",
    "plan.json",
}  # what a bench's folder holds when nobody keeps anything else in it
masks, own, lock = [], 0, threading.Lock()


def bits(path):
    """The mode of files in the bench that `path` lies in, 0o600 or, where its group shares it, 0o660; None outside of any bench."""
    for folder in (Path(path), *Path(path).parents):
        with suppress(OSError):
            return 0o660 if os.stat(folder / FILE).st_mode & stat.S_IWGRP else 0o600
    return None


def of_folder(mode):
    """The mode of folders whose files have `mode`; what a group shares stays of that group."""
    return 0o2770 if mode & stat.S_IWGRP else 0o700


def opener(path, flags):
    """For open(): a file of a bench is for whom the bench is, whatever the umask; any other is as its user's umask says."""
    mode = bits(os.path.abspath(path))
    file = os.open(path, flags, mode or 0o666)
    if mode and flags & os.O_CREAT and stat.S_IMODE(os.fstat(file).st_mode) != mode:
        with suppress(PermissionError):  # another's file
            os.fchmod(file, mode)
    return file


def touch(path):
    """Make a file that somebody else's code will write."""
    os.close(opener(path, os.O_WRONLY | os.O_CREAT))
    return path


def folder(path):
    """Make a folder, and those above it that are missing; in a bench it is for whom the bench is."""
    path = Path(path)
    if not path.is_dir():
        mode = bits(path.absolute())
        folder(path.parent)
        with suppress(FileExistsError):
            path.mkdir(0o777 if mode is None else 0o700)
            if mode is not None:
                path.chmod(of_folder(mode))
    return path


@contextmanager
def masked(mode):
    """What a library makes meanwhile is at most of `mode`. A mask is of the whole process, so those who ask at once get the strictest."""
    global own
    mask = 0o777 & ~of_folder(mode)
    with lock:
        before = os.umask(0o077)
        own = own if masks else before
        masks.append(mask)
        os.umask(max(masks))
    try:
        yield
    finally:
        with lock:
            masks.remove(mask)
            os.umask(max(masks) if masks else own)


def ours(path):
    """(path, whether it is a folder) of all that is of a bench; its own folder, too, where that holds nothing else."""
    names = set(os.listdir(path))
    for name in sorted(names & OURS):
        for place, _, files in os.walk(path / name) if not os.path.islink(path / name) else ():
            yield place, True
            yield from (
                (p, False) for p in (os.path.join(place, f) for f in files) if not os.path.islink(p)
            )
        if os.path.isfile(path / name) and not os.path.islink(path / name):
            yield str(path / name), False
    if all(name in OURS or name.startswith("guard-") for name in names):
        yield str(path), True


def share(path, group):
    """Give all of a bench the modes that it shall have."""
    mode = 0o660 if group else 0o600
    for place, is_folder in ours(path):
        with suppress(PermissionError, FileNotFoundError):
            os.chmod(place, of_folder(mode) if is_folder else mode)


def close(path):
    """Close a bench of an older Assay, which left it to the umask, to everybody else; True where it was open. Its group keeps what it could write,
    and what nobody may write stays so."""
    with suppress(OSError):
        if os.stat(path / FILE).st_uid == os.geteuid() and excess(path / FILE, bits(path)):
            for place, is_folder in ours(path):
                most = of_folder(bits(path)) if is_folder else bits(path)
                with suppress(PermissionError, FileNotFoundError):
                    os.chmod(
                        place, stat.S_IMODE(os.stat(place).st_mode) & most | most & stat.S_ISGID
                    )
            return True
    return False


def excess(path, most):
    return stat.S_IMODE(os.lstat(path).st_mode) & 0o777 & ~most


def words(path):
    """Who may read a bench, as a person says it."""
    return f"{path} can be read by {'its group' if bits(path) == 0o660 else 'you'} alone"


def loose(path):
    """Files and folders of a bench that more people may read than the bench says."""
    return [
        place
        for place, is_folder in ours(path)
        if excess(place, of_folder(bits(path)) if is_folder else bits(path))
    ]
