"""A bench with a known effect, and a plan of one architecture."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.reviewer import true_decisions
from tests.helpers import bench_of, digits, open_copy, silent, truth_of


def half_wrong(folder):
    """A bench in which a third of the train labels are wrong in v1, and none in v2: an effect that no test could miss."""
    shutil.copytree(half_wrong_once(), folder / "bench")
    return open_copy(folder / "bench")


@cache
def half_wrong_once():
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    bench = bench_of(digits(700, wrong=0.35), folder, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    state = bench.state()
    bench.edit(true_decisions(state.index[state["split"] != "test"], truth_of(bench)), "expert")
    bench.commit("clean", "expert")
    return bench.path


def one(architecture, **more):
    return check_plan(dict(versions=["v1"], architectures=[architecture], epochs=2, seeds=2) | more)
