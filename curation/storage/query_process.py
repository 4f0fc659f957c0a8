"""Answer one query of a person's, in a process of its own.

It reads a copy of a bench, reaches nothing else, and has limits that kill it. Started by path (see
queries.py) with the task as JSON on stdin. On stdout: R when it can begin, then A and an Arrow
stream, or E and JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import IO, Any


def main() -> None:
    """Read the task, answer it."""
    task, out = json.load(sys.stdin), sys.stdout.buffer
    for kind, most in task["limits"].items():
        resource.setrlimit(getattr(resource, kind), (most, most))
    os.nice(10)  # who decides meanwhile goes first
    import duckdb
    import pyarrow as pa

    out.write(b"R")
    out.flush()
    try:
        con = _open_copy(task["file"], task["config"])
        try:
            statements = con.extract_statements(task["query"])
        except duckdb.Error as e:
            return send_error(out, "syntax", e)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return send_error(out, "statement", len(statements))
        _send_rows(out, con.sql(statements[0]).to_arrow_reader(2048), task["limit"])
    except (duckdb.OutOfMemoryException, MemoryError) as e:
        send_error(out, "memory", e)
    except (duckdb.Error, pa.ArrowException) as e:
        send_error(out, "memory" if "alloc" in str(e) else "query", e)


def _open_copy(path: str, config: dict):
    import duckdb

    con = duckdb.connect(config=config)
    file = path.replace("'", "''")
    con.execute(f"set allowed_paths = ['{file}', '{file}.wal']")
    con.execute("set enable_external_access = false")
    con.execute(f"attach '{file}' as bench (type duckdb, read_only)")
    con.execute("set search_path = 'system.main,bench.main'")
    con.execute("set lock_configuration = true")
    return con


def _send_rows(out: IO[bytes], reader, limit: int) -> None:
    """Send A and the first `limit` rows.

    Nothing before the first was computed: until then an error may be sent.
    """
    import pyarrow as pa

    stream, left = None, limit
    for batch in reader:
        if stream is None:
            out.write(b"A")
            stream = pa.ipc.new_stream(out, reader.schema)
        stream.write_batch(batch[:left])
        left -= len(batch[:left])
        if left <= 0:
            break
    if stream is None:
        out.write(b"A")
        stream = pa.ipc.new_stream(out, reader.schema)
    stream.close()
    out.flush()


def send_error(out: IO[bytes], kind: str, what: Any) -> None:
    """Send E, and what is wrong."""
    out.write(b"E" + json.dumps([kind, str(what)[:2000]]).encode())
    out.flush()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # what DuckDB holds need not be taken down piece by piece
