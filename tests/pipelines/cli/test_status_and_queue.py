"""What status and queue say of their own numbers."""

import re

import pandas as pd

from assay.curation.statistics.sampling import random_order
from tests.helpers import digits, run_assay, scanned_bench


def numbers(line):
    return [int(n) for n in re.findall(r"\d+", line)]


def test_a_queue_says_as_many_as_were_asked_for_and_as_many_flags_as_the_scan(tmp_path):
    bench = scanned_bench(digits(300, wrong=0.2), tmp_path)
    flagged = int(bench.issues("label").shape[0])
    said = run_assay("queue", "-n", 200, "-b", bench.path)[1]
    line = next(line for line in said.splitlines() if " to review: " in line)
    total, worst, drawn, both, flags = numbers(line)
    assert worst == 200 and total == worst + drawn - both == len(bench.queue(200))
    assert flags == flagged > 0, "one number for one thing"
    state = bench.state()
    second, fourth = random_order(state)[[1, 3]]  # the first and third are skipped
    rows = pd.DataFrame(dict(sample=[second, fourth], verdict="confirm", random="true"))
    bench.edit(rows, "ann")
    assert bench.status()["waiting_at_random"] == 2
    said = run_assay("status", "-b", bench.path)[1]
    assert "2 drawn at random are decided, 0 count" in said
    rows = pd.DataFrame(dict(sample=[random_order(state)[0]], verdict="unsure", random="true"))
    bench.edit(rows, "ann")
    assert "3 drawn at random are decided, 2 count" in run_assay("status", "-b", bench.path)[1]
