"""One query of a person's, answered in a process of its own: it reads a copy of a bench, reaches nothing else, and has limits that kill it.

Started by path (see curation.asking) with the task as JSON on stdin. On stdout: R when it can begin, then A and an Arrow stream, or E and JSON."""

import json
import os
import resource
import sys


def main():
    task, out = json.load(sys.stdin), sys.stdout.buffer
    for kind, most in task["limits"].items():
        resource.setrlimit(getattr(resource, kind), (most, most))
    os.nice(10)  # who decides meanwhile goes first
    import duckdb
    import pyarrow as pa

    out.write(b"R")
    out.flush()
    try:
        con = duckdb.connect(config=task["config"])
        file = task["file"].replace("'", "''")
        con.execute(f"set allowed_paths = ['{file}', '{file}.wal']")
        con.execute("set enable_external_access = false")
        con.execute(f"attach '{file}' as bench (type duckdb, read_only)")
        con.execute("set search_path = 'system.main,bench.main'")
        con.execute("set lock_configuration = true")
        try:
            statements = con.extract_statements(task["query"])
        except duckdb.Error as e:
            return tell(out, "syntax", e)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return tell(out, "statement", len(statements))
        reader = con.sql(statements[0]).to_arrow_reader(2048)
        left, began = task["limit"], False
        for batch in reader:
            if not began:
                out.write(b"A")
                stream, began = pa.ipc.new_stream(out, reader.schema), True
            stream.write_batch(batch[:left])
            left -= len(batch[:left])
            if left <= 0:
                break
        if not began:
            out.write(b"A")
            stream = pa.ipc.new_stream(out, reader.schema)
        stream.close()
        out.flush()
    except (duckdb.OutOfMemoryException, MemoryError) as e:
        tell(out, "memory", e)
    except (duckdb.Error, pa.ArrowException) as e:
        tell(out, "memory" if "alloc" in str(e) else "query", e)


def tell(out, kind, what):
    out.write(b"E" + json.dumps([kind, str(what)[:2000]]).encode())
    out.flush()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # what DuckDB holds need not be taken down piece by piece
