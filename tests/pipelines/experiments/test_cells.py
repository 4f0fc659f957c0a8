"""Which versions and seeds a plan's cells have."""

import numpy as np
import pandas as pd
import pytest

from assay.curation.versioning import states
from assay.pipelines.experiments import trainer
from tests.half_wrong import half_wrong


@pytest.mark.slow
def test_counterfactual_versions_are_pure_and_the_random_control_has_the_same_class_mix(tmp_path):
    bench = half_wrong(tmp_path)
    v1 = bench.state("v1")
    flagged = bench.flagged("v1")
    flagged = flagged[v1["split"][flagged.index] == "train"]
    dropped, relabelled = bench.state("v1 - flagged"), bench.state("v1 ~ flagged")
    assert set(v1.index[v1.keep]) - set(dropped.index[dropped.keep]) == set(flagged.index)
    assert (relabelled.label[flagged.index] == flagged.suggestion).all() and (
        relabelled.label.drop(flagged.index) == v1.label.drop(flagged.index)
    ).all()
    n = len(flagged) // 2
    control = bench.state(f"v1 - random({n}, seed=3)")
    lost = v1.label[v1.keep & ~control.keep]
    assert (
        len(lost) == n
        and control.equals(bench.state(f"v1 - random({n}, seed=3)"))
        and not control.equals(bench.state(f"v1 - random({n}, seed=4)"))
    )
    assert set(lost) <= set(flagged.label)
    half = bench.state("half(v1, seed=1)")
    assert (
        abs((half.keep & (half["split"] == "train")).sum() - (v1["split"] == "train").sum() / 2)
        <= 1
    )
    assert (
        len(
            {
                states.hash_tree(bench.state(v))
                for v in ("v1", "v1 - flagged", "v1 ~ flagged", "half(v1)")
            }
        )
        == 4
    )
    assert len(bench.batches()) == 4, "asking for a version writes nothing"


def test_a_seed_draws_the_same_samples_for_every_version_and_architecture():
    frame = pd.DataFrame(index=[f"{i:032x}" for i in range(400)])
    names = [f"g{i // 2}" for i in range(400)]
    rows = trainer.bootstrap_rows(frame, names, 1)
    assert np.array_equal(rows, trainer.bootstrap_rows(frame, names, 1)) and not np.array_equal(
        rows, trainer.bootstrap_rows(frame, names, 2)
    )
    count = np.bincount(rows, minlength=400)
    assert (count[::2] == count[1::2]).all(), "copies are drawn together"
    assert abs(count.mean() - 1) < 0.15 and abs(count.var() - 1) < 0.4, "Poisson(1)"
    fewer = trainer.bootstrap_rows(frame.iloc[:300], names[:300], 1)
    assert np.array_equal(np.bincount(fewer, minlength=300), count[:300]), (
        "a version that lacks samples draws the others as before"
    )
