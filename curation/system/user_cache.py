"""Keep what one user of this machine needs outside of all benches.

A bench may come from anybody; what is here was made here.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.curation.errors import UserError
from assay.curation.system import permissions

MONTHS = 90 * 24 * 3600  # seconds after which what nobody used is deleted


def cache_folder(*names: str) -> Path:
    """The cache folder of these names, made where it is missing.

    Under $ASSAY_CACHE, else $XDG_CACHE_HOME/assay, else ~/.cache/assay. Nobody else can enter it:
    UserError where that cannot be.
    """
    try:
        home = (
            os.environ.get("ASSAY_CACHE")
            or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assay"
        )
        folder = Path(home).absolute().joinpath(*names)
        folder.mkdir(0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{folder} is not a folder of your own")
        folder.chmod(0o700)
    except (OSError, RuntimeError) as e:
        raise UserError(
            f"expected a folder of yours for what Assay keeps outside of benches, found: {e}",
            "name one: export ASSAY_CACHE=FOLDER",
        ) from None
    return folder


def cache_bytes(
    kind: str, name: str, made_of: Iterable[object], make: Callable[[Path], Path]
) -> bytes:
    """Make a file once, and return its bytes.

    It is never believed on its name alone: it is called after what it was `made_of` (words and
    bytes) and after its own bytes, and made again where either differs. make(folder) makes it in a
    folder and returns its path.
    """
    folder = cache_folder(kind)
    source = sha256()
    for part in made_of:
        source.update(sha256(part if isinstance(part, bytes) else str(part).encode()).digest())
    begin = f"{name}-{source.hexdigest()[:24]}-"
    for file in sorted(folder.glob(f"{begin}*")):
        with suppress(OSError):
            found = file.read_bytes()
            if file.name == begin + sha256(found).hexdigest():
                os.utime(file)
                return found
            file.unlink()
    try:
        with TemporaryDirectory(dir=folder) as work:
            made = make(Path(work))
            found = made.read_bytes()
            made.chmod(0o600)
            os.replace(made, folder / (begin + sha256(found).hexdigest()))
        for file in folder.glob(f"{name}-*"):
            if file.stat().st_mtime < time.time() - MONTHS:
                file.unlink()
    except OSError as e:
        raise UserError(
            f"expected to keep {name} in {folder}, found: {e.strerror}",
            "free some space there, or name another folder: export ASSAY_CACHE=FOLDER",
        ) from None
    return found


def is_made_here(folder: Path, trust: bool = False) -> bool:
    """Tell whether a folder was made on this machine by this user.

    It is known by its number on the disk, a word in it and when that was written, of which the
    cache keeps a copy: who sends it back sends another folder, though it may get the same number.
    One that is missing or empty is made, and one that this user trusts is taken for it.
    """
    permissions.make_folder(folder)
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        known, mark = cache_folder("made") / str(os.fstat(held).st_ino), folder / ".made"

        def seen() -> str:
            return f"{mark.read_text()} {mark.stat().st_ctime_ns}"  # no user can set this time

        if trust or not os.listdir(held):
            permissions.touch_file(mark).write_text(secrets.token_hex(16))
            known.write_text(seen())
        with suppress(OSError, UnicodeDecodeError):
            return seen() == known.read_text()
        return False
    finally:
        os.close(held)
