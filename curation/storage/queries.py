"""A person's query over a bench: asked of a copy, in a process of its own, with a budget of memory, disk, time and answer that ends it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system.scratch import scratch

MEMORY, DISK, ANSWER = 2 << 30, 4 << 30, 256 << 20  # bytes that a query may hold, spill, and answer
START = 60  # seconds for its process to begin
SCRIPT = Path(__file__).with_name("query_process.py")
NARROW = "narrow the query: select fewer columns or rows"

_copies, _copying = {}, threading.Lock()  # {bench's file: (which writing of it, its copy)}


def ask(store, query, limit, seconds):
    """The first `limit` rows of one SELECT over the bench `store` as it is now, a DataFrame. The bench is held for as long as it takes to copy its
    file, and not at all where that did not change since. UserError for what is no SELECT, and for one that exceeds its budget."""
    folder = Path(tempfile.mkdtemp(dir=scratch(), prefix="query-"))
    try:
        os.link(copy_of(store), folder / "bench.duckdb")  # whatever comes of the copy meanwhile
        return frame_of(answer(folder, query, limit, seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_of(store):
    from assay.curation.storage.engine import writing

    with _copying:
        known, copy = _copies.get(store.file, (None, None))
        if copy is None or known != writing(store.file):
            fresh = Path(tempfile.mkstemp(dir=scratch(), prefix="copy-")[1])
            try:
                with store.connect():  # what it holds was looked at
                    pass
                with store.closed():
                    known = writing(store.file)
                    shutil.copyfile(store.file, fresh)
            except BaseException as e:
                fresh.unlink(missing_ok=True)
                if isinstance(e, OSError):
                    hint = "free some space there, or name another folder: export TMPDIR=FOLDER"
                    raise UserError(
                        f"expected room for a copy of the bench in {fresh.parent}, found: {e.strerror}",
                        hint,
                    ) from None
                raise
            if copy:
                copy.unlink(missing_ok=True)
            _copies[store.file] = known, fresh
        return _copies[store.file][1]


def answer(folder, query, limit, seconds):
    """What the process says: the bytes of an Arrow stream."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    memory, cores = min(MEMORY, half), os.cpu_count() or 1
    config = dict(
        memory_limit=f"{memory}B",
        temp_directory=str(folder / "spill"),
        max_temp_directory_size=f"{DISK}B",
    )
    config |= dict(
        autoinstall_known_extensions="false",
        autoload_known_extensions="false",
        python_enable_replacements="false",
    )
    config |= dict(arrow_lossless_conversion="true")
    limits = dict(
        RLIMIT_DATA=memory * 3 // 2 + (1 << 30),
        RLIMIT_CPU=int(seconds + 10) * cores,
        RLIMIT_FSIZE=DISK,
        RLIMIT_CORE=0,
    )
    task = dict(
        file=str(folder / "bench.duckdb"), query=query, limit=limit, config=config, limits=limits
    )
    child = subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    late = threading.Event()

    def end():
        late.set()
        child.kill()

    watch = threading.Timer(START, end)
    watch.start()
    try:
        child.stdin.write(json.dumps(task).encode())
        child.stdin.close()
        begun = child.stdout.read(1)
        watch.cancel()
        watch = threading.Timer(seconds, end)
        watch.start()
        said = child.stdout.read(ANSWER + 2) if begun else b""
    except BrokenPipeError:
        said = b""
    finally:
        watch.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
    if late.is_set():
        raise UserError(
            f"expected an answer within {seconds} s, found none",
            "narrow the query, or raise seconds=",
        )
    if len(said) > ANSWER + 1:
        raise UserError(f"expected an answer of at most {ANSWER >> 20} MB, found more", NARROW)
    if said[:1] == b"A":
        return said[1:]
    refuse(
        *(json.loads(said[1:]) if said[:1] == b"E" else ("memory", "its process ended")),
        query,
        memory,
    )


def refuse(kind, what, query, memory):
    if kind == "syntax":
        raise UserError(f"expected a SELECT, found: {what}", "mend the query")
    if kind == "statement":
        raise UserError(
            f"expected one SELECT, found {what} statement(s): {query[:80]!r}", "send one SELECT"
        )
    if kind == "memory":
        room = f"{memory / (1 << 30):.1f} GB of memory and {DISK >> 30} GB of disk"
        raise UserError(
            f"expected a query that needs at most {room}, found: {what.splitlines()[0]}", NARROW
        )
    raise UserError(
        f"expected a query over the bench alone, found: {what}",
        "tables: samples edits commits runs issues",
    )


def frame_of(stream):
    """An Arrow stream as the DataFrame that DuckDB makes of it."""
    import pyarrow as pa

    from assay.curation.storage.engine import Opened

    table = pa.ipc.open_stream(stream).read_all()
    with Opened.engine().cursor() as con:
        con.register("answer", table)
        return con.execute("select * from answer").df()
