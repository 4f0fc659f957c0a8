"""Memory that is freed is there for the next array, without the kernel."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys
import numpy as np
from assay.curation.system.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
for i in range(20):
    np.ones(10_000_000)
    if i == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone")
def test_an_array_takes_the_place_of_one_that_was_freed():
    faults = [
        int(subprocess.run([sys.executable, "-c", CODE, how], capture_output=True).stdout)
        for how in ("keep", "plain")
    ]
    assert faults[0] < faults[1] / 10
