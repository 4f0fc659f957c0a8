"""How much CPU `import assay.curation` and `assay status` take, user and system, of 15 processes each, in turn.

The limits: `import assay.curation` beside `import numpy, duckdb`, which it cannot do without; `assay status` on 600
scanned digits in under 1 s, beside `import pandas, duckdb`.

    python -m tests.benchmarks.startup [15]
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.helpers import digits, scanned_bench

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 15


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


with tempfile.TemporaryDirectory() as folder:
    bench = scanned_bench(digits(600), Path(folder) / "digits")
    codes = ("pass", "import numpy, duckdb", "import assay.curation", "import pandas, duckdb")
    commands = {code: [sys.executable, "-c", code] for code in codes}
    status = [sys.executable, "-P", "-m", "assay", "status", "-b", str(bench.path)]
    commands["assay status"] = status
    used = {name: [] for name in commands}
    for run in range(RUNS + 1):  # the first fills the disk's cache
        for name, command in commands.items():
            used[name] += [cpu_seconds(command)] * (run > 0)
    for name, runs in used.items():
        print(
            f"{name:<24} {statistics.median(runs):.3f} s of CPU in the median of {RUNS},"
            f" {min(runs):.3f} to {max(runs):.3f}"
        )
