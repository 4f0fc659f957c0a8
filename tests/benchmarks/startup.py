"""How long `import assay.curation` takes beside `import numpy, duckdb`, which it cannot do without: median of seven processes each, in turn.

Then the CPU of `assay status` on 600 digits, asked under 1 s, beside `import pandas, duckdb`: the least and the median of nine.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers import bench_of, digits, table


def seconds(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


taken = {code: [] for code in ("pass", "import numpy, duckdb", "import assay.curation")}
for _ in range(7):
    for code, runs in taken.items():
        runs.append(seconds(code))
bare = statistics.median(taken["pass"])
for code, runs in taken.items():
    print(
        f"{code:<24} {statistics.median(runs) - bare:.3f} s over python itself ({min(runs) - bare:.3f} to {max(runs) - bare:.3f})"
    )


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


with tempfile.TemporaryDirectory() as folder:
    place = Path(folder)
    bench = bench_of(place / "bench", table(digits(600), place))
    commands = {
        "assay status": [sys.executable, "-P", "-m", "assay", "status", "-b", str(bench.path)],
        "import pandas, duckdb": [sys.executable, "-c", "import pandas, duckdb"],
    }
    used = {name: [] for name in commands}
    for _ in range(10):
        for name, command in commands.items():
            used[name].append(cpu_seconds(command))
    for name, runs in used.items():
        print(
            f"{name:<24} {min(runs[1:]):.3f} s of CPU at least, {statistics.median(runs[1:]):.3f} median"
        )
