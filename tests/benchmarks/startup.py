"""How long `import curation` takes beside `import numpy, duckdb`, which it cannot do without: median of seven processes each, in turn."""

import statistics
import subprocess
import sys
import time


def seconds(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


taken = {code: [] for code in ("pass", "import numpy, duckdb", "import curation")}
for _ in range(7):
    for code, runs in taken.items():
        runs.append(seconds(code))
bare = statistics.median(taken["pass"])
for code, runs in taken.items():
    print(
        f"{code:<24} {statistics.median(runs) - bare:.3f} s over python itself ({min(runs) - bare:.3f} to {max(runs) - bare:.3f})"
    )
