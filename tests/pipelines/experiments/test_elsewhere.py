"""An experiment on a cluster: its runs predict what the same runs predict here."""

import numpy as np
import pytest

from assay.curation.storage.arrays import load_arrays
from assay.pipelines.experiments import run
from assay.pipelines.experiments.plan import check_plan
from tests.helpers import copied

silent = lambda line: None  # noqa: E731


@pytest.mark.daily
def test_runs_on_a_cluster_are_those_that_are_trained_here(scanned, tmp_path):
    plan = check_plan(dict(versions=["v1"], architectures=["probe"], seeds=2, question="?"))
    other = copied(scanned, tmp_path / "other")
    for bench, engine in ((scanned, "local"), (other, "ray")):
        assert run.run_plan(bench, plan, silent, most=2, engine=engine) == 2
    runs = [bench.arrays / "runs" for bench in (scanned, other)]
    names = [sorted(file.name for file in folder.glob("*.npz")) for folder in runs]
    assert names[0] == names[1] and len(names[0]) == 2
    for name in names[0]:  # to the last byte where a worker here has one core, too
        one, other_one = (load_arrays(folder / name) for folder in runs)
        assert (one["ids"] == other_one["ids"]).all()
        assert np.allclose(one["probs"], other_one["probs"], atol=2e-3)
    assert run.run_plan(other, plan, silent, engine="ray") == 0
