"""Answer one SELECT over the columns of samples.

It is asked of a file that holds nothing else: what is null for test and guard is null there, too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.filtering.columns import SIMILARITY
from assay.curation.storage.queries import TABLES, read_answer, run_process
from assay.curation.system.scratch import scratch_folder
from assay.pipelines.agents.agent_bench import AgentBench

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.filtering.table import SampleTable

SECONDS = 10.0  # that a query may last
_files: dict[str, tuple[tuple, Path]] = {}  # {bench: (what it was made of, the file)}


def query_samples(agents: AgentBench, query: str, limit: int) -> pd.DataFrame:
    """Answer a SELECT over the table `samples`, with its first rows.

    UserError for what is no SELECT, or exceeds its budget: see queries.run_query.
    """
    folder = Path(tempfile.mkdtemp(dir=scratch_folder(), prefix="query-"))
    try:
        with agents.open_table() as table:
            os.link(write_samples(table), folder / "bench.duckdb")
        return read_answer(run_process(folder, query, limit, SECONDS))
    except UserError as e:
        e.reword(lambda text: text.replace(TABLES, "there is one table: samples"))
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_samples(table: SampleTable) -> Path:
    """Write the table as a DuckDB file, unless the last one fits."""
    import duckdb
    import pyarrow as pa

    assert table.snapshot is not None, "a table has read its samples"
    name, stamps = str(table.bench.path), table.snapshot.stamps
    known, file = _files.get(name, (None, None))
    if file is not None and known == stamps:
        return file
    rows = np.arange(len(table))
    ids = pa.array(table.snapshot.state.index[rows], pa.string())
    columns = {c: table.snapshot.pick(c, rows) for c in table.columns if c != SIMILARITY.name}
    fresh = Path(tempfile.mkdtemp(dir=scratch_folder(), prefix="samples-")) / "samples.duckdb"
    with duckdb.connect(str(fresh)) as con:
        con.register("given", pa.table(columns | dict(sample=ids)))
        con.execute("create table samples as select * from given")
    _files[name] = stamps, fresh
    if file is not None:
        shutil.rmtree(file.parent, ignore_errors=True)
    return fresh
