"""What benchmarks share: the data, a clock, and the peak memory of this process."""

import os
import resource
import sys
import time
from contextlib import contextmanager
from pathlib import Path

DATA = Path(os.environ.get("ASSAY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def need(file):
    """The path of a data file; ends the benchmark with a reason where it is absent."""
    if not (DATA / file).exists():
        sys.exit(print(f"skipped: no {file} in {DATA}; say where it is with ASSAY_DATA"))
    return DATA / file


def peak():
    """Peak resident memory of this process so far, GB (mapped files count as far as they were read)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "linux" else 1e9
    )


@contextmanager
def clock(text):
    """Print how long a block took; yields a list that holds the seconds afterwards."""
    seconds, start = [], time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)
    print(f"{text:<64} {seconds[0]:8.2f} s   peak {peak():5.2f} GB", flush=True)
