"""Run a person's query over a bench.

It is asked of a copy, in a process of its own, with a budget of memory, disk, time and answer that
ends it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from assay.curation.errors import UserError
from assay.curation.storage.engine import AttachedFile, file_version
from assay.curation.storage.interface import Bench
from assay.curation.system.scratch import scratch_folder

if TYPE_CHECKING:
    import pandas as pd

MEMORY, DISK, ANSWER = 2 << 30, 4 << 30, 256 << 20  # bytes that a query may hold, spill, and answer
START = 60  # seconds for its process to begin
SCRIPT = Path(__file__).with_name("query_process.py")
TABLES = "tables: samples edits commits runs issues"
NARROW = "narrow the query: select fewer columns or rows"

_copies, _copying = {}, threading.Lock()  # {bench's file: (which version of it, its copy)}


def run_query(bench: Bench, query: str, limit: int, seconds: float) -> pd.DataFrame:
    """Answer one SELECT over the present bench.

    With its first `limit` rows. The bench is held for as long as it takes to copy its file, and not
    at all where that did not change since. UserError for what is no SELECT, and for one that
    exceeds its budget.
    """
    folder = Path(tempfile.mkdtemp(dir=scratch_folder(), prefix="query-"))
    try:
        # whatever comes of the copy meanwhile
        os.link(copy_bench(bench), folder / "bench.duckdb")
        return read_answer(run_process(folder, query, limit, seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_bench(bench: Bench) -> Path:
    """Copy the bench's file, unless the copy fits."""
    with _copying:
        known, copy = _copies.get(bench.file, (None, None))
        if copy is None or known != file_version(bench.file):
            fresh = Path(tempfile.mkstemp(dir=scratch_folder(), prefix="copy-")[1])
            try:
                with bench.connect():  # what it holds was looked at
                    pass
                with bench.hold_closed():
                    known = file_version(bench.file)
                    shutil.copyfile(bench.file, fresh)
            except BaseException as e:
                fresh.unlink(missing_ok=True)
                if isinstance(e, OSError):
                    raise UserError(
                        f"expected room for a copy of the bench in {fresh.parent}, "
                        f"found: {e.strerror}",
                        "free some space there, or name another folder: export TMPDIR=FOLDER",
                    ) from None
                raise
            if copy:
                copy.unlink(missing_ok=True)
            _copies[bench.file] = known, fresh
        return _copies[bench.file][1]


def run_process(folder: Path, query: str, limit: int, seconds: float) -> bytes:
    """Run the query in its process; returns an Arrow stream."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    memory = min(MEMORY, half)
    answer, is_late = _talk(_describe_task(folder, query, limit, seconds, memory), seconds)
    if is_late:
        raise UserError(
            f"expected an answer within {seconds} s, found none",
            "narrow the query, or raise seconds=",
        )
    if len(answer) > ANSWER + 1:
        raise UserError(f"expected an answer of at most {ANSWER >> 20} MB, found more", NARROW)
    if answer[:1] == b"A":
        return answer[1:]
    known = answer[:1] == b"E"
    kind, what = json.loads(answer[1:]) if known else ("memory", "its process ended")
    raise_refusal(kind, what, query, memory)


def _describe_task(folder: Path, query: str, limit: int, seconds: float, memory: int) -> dict:
    """Describe the process's task: file, query and budget."""
    file = folder / "bench.duckdb"
    config = dict(
        memory_limit=f"{memory}B",
        temp_directory=str(folder / "spill"),
        max_temp_directory_size=f"{DISK}B",
        autoinstall_known_extensions="false",
        autoload_known_extensions="false",
        python_enable_replacements="false",
        arrow_lossless_conversion="true",
    )
    limits = dict(
        RLIMIT_DATA=memory * 3 // 2 + (1 << 30),
        RLIMIT_CPU=int(seconds + 10) * (os.cpu_count() or 1),
        RLIMIT_FSIZE=DISK,
        RLIMIT_CORE=0,
    )
    return dict(file=str(file), query=query, limit=limit, config=config, limits=limits)


def _talk(task: dict, seconds: float) -> tuple[bytes, bool]:
    """What the process answers, and whether it was killed for being late."""
    child = subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(task["file"]).parent,
    )
    late = threading.Event()

    def end() -> None:
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
        answer = child.stdout.read(ANSWER + 2) if begun else b""
    except BrokenPipeError:
        answer = b""
    finally:
        watch.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
    return answer, late.is_set()


def raise_refusal(kind: str, what: str, query: str, memory: int) -> NoReturn:
    """Raise the UserError for what the process refused."""
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
        TABLES,
    )


def read_answer(stream: bytes) -> pd.DataFrame:
    """Turn an Arrow stream into the DataFrame that DuckDB makes of it."""
    import pyarrow as pa

    table = pa.ipc.open_stream(stream).read_all()
    with AttachedFile.engine().cursor() as con:
        con.register("answer", table)
        return con.execute("select * from answer").df()
