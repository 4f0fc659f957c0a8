"""The database server that FiftyOne needs.

Each bench has one of its own, which runs while somebody uses it and is gone with the process that began it.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system import permissions
from assay.curation.system.extras import require

PATIENCE = 180  # seconds that it may take to start on a busy machine
INSTALL = "pip install 'assay[fiftyone]'; or name a mongod: export ASSAY_MONGOD=/usr/bin/mongod"


def find_binary() -> str:
    """Find the program mongod.

    $ASSAY_MONGOD, else the one that came with FiftyOne, else one on the PATH. UserError where it, or FiftyOne, is
    missing.
    """
    require("fiftyone", "fiftyone")
    package = importlib.util.find_spec("fiftyone")
    named = os.environ.get("ASSAY_MONGOD")
    known = [named]
    if not named:
        known = [Path(package.origin).parent / "db" / "bin" / "mongod", shutil.which("mongod")]
    for path in known:
        if path and os.access(path, os.X_OK) and os.path.isfile(path):
            return str(path)
    where = f"at {named} ($ASSAY_MONGOD)" if named else "with FiftyOne or on the PATH"
    raise UserError(f"expected mongod, the database of FiftyOne, found none {where}", INSTALL)


def join_or_start(folder: str | Path) -> tuple[int, bool]:
    """Join the mongod whose data are in `folder`, or start it.

    Returns (port, whether it was started here). One that is started stops when this process ends, and is stopped by the
    kernel where that is killed. Loopback alone; UserError, with its own words, where it does not start.
    """
    folder = Path(folder).absolute()
    program, log = find_binary(), folder.parent / "mongod.log"
    try:
        permissions.make_folder(folder)
        with start_lock(folder.parent):
            if port := running_port(folder):
                return port, False
            log.unlink(missing_ok=True)  # of the last time
            return start_server(program, folder, log), True
    except OSError as e:
        raise UserError(
            f"expected to start {program} in {folder}, found: {e.strerror}",
            "it needs a folder of its own there",
        ) from None


def start_server(program: str, folder: Path, log: Path) -> int:
    """Start a mongod, and return its port.

    UserError where it does not listen within PATIENCE seconds.
    """
    process = subprocess.Popen(
        [
            program,
            "--dbpath",
            str(folder),
            "--logpath",
            str(log),
            "--port",
            "0",
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        umask=0o777 & ~permissions.folder_mode(permissions.file_mode(folder) or 0o600),
        start_new_session=True,  # Ctrl-C is ours: what is being written is written first
        preexec_fn=die_with_parent,
    )
    atexit.register(stop_server, process)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if port := running_port(folder):
            return port
        time.sleep(0.1)
    ended = process.poll()
    stop_server(process)
    silence = f"nothing within {PATIENCE} seconds"
    said = last_error(log)
    if "DBPathInUse" in said:
        raise UserError(
            f"expected the FiftyOne database of this bench free, found another mongod at work on {folder}",
            "end the FiftyOne that has it open (of this bench under another path, or of another "
            "person or machine), then run it again",
        )
    words = said or (silence if ended is None else f"its end with status {ended}")
    raise UserError(
        f"expected mongod to start, found: {words}", f"{log} says more; its data are in {folder}"
    )


@contextmanager
def start_lock(folder: Path) -> Iterator[None]:
    """Hold the lock under which a mongod starts.

    Who comes second waits until the first one's database listens, and joins it.
    """
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def die_with_parent() -> None:
    # Linux alone; elsewhere a killed process leaves it running, and the next one joins it
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def stop_server(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    if process.poll() is None:
        process.kill()


def running_port(folder: Path) -> int | None:
    """Find the port on which a mongod serves `folder` now, or None."""
    import psutil

    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((folder / "mongod.lock").read_text()))
        if str(folder) in process.cmdline():
            connections = process.net_connections("tcp")
            ports = [c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN]
            return ports[0] if ports else None
    return None


def last_error(log: Path) -> str:
    """Read why it did not start, in its own words.

    "" where it said nothing.
    """
    import json

    said = []
    with suppress(OSError):
        for line in log.read_text(errors="replace").splitlines()[-200:]:
            with suppress(ValueError, AttributeError):
                entry = json.loads(line)
                if entry.get("s") in ("E", "F"):
                    said.append(f"{entry.get('msg')} {json.dumps(entry.get('attr', {}))}")
    return said[-1][:500] if said else ""
