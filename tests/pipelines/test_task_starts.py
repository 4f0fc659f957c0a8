"""Background tasks of one verb: of those who start it at once, one does."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import assay
from assay.curation.errors import UserError
from assay.pipelines.jobs import tasks
from tests.helpers import digits_bench


@pytest.mark.slow
def test_of_three_who_launch_a_scan_at_once_one_does_and_is_answered_at_once(tmp_path):
    bench = digits_bench(150, tmp_path)
    spent = {}

    def launch(number):
        began = time.monotonic()
        try:
            process = tasks.launch_task(assay.open(bench.path), "scan", "--embedder", "pixels")
        except UserError as e:
            return e
        spent[number] = time.monotonic() - began
        return process

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(launch, range(3)))
    (started,) = [f for f in found if not isinstance(f, UserError)]
    assert "expected no other assay scan" in str(next(f for f in found if f is not started))
    assert started.wait(120) == 0
    assert len(spent) == 1
