"""Small benches that several stories of the log, of candidates and of gaps begin with."""

import shutil

import pandas as pd
import pytest

import assay
from assay.pipelines.experiments import run
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.gapped import PLAN
from tests.helpers import bench_of, copied, digits, open_copy, silent, table


@pytest.fixture(scope="session")
def small_once(tmp_path_factory):
    return bench_of(digits(60), tmp_path_factory.mktemp("small"), audited_test=True)


@pytest.fixture
def small(small_once, tmp_path):
    return copied(small_once, tmp_path)


@pytest.fixture(scope="session")
def gapped_once(tmp_path_factory):
    bench = bench_of(table(), tmp_path_factory.mktemp("gapped"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.fixture
def gapped(gapped_once, tmp_path):
    shutil.copytree(gapped_once.path, tmp_path / "bench")
    return open_copy(tmp_path / "bench")


@pytest.fixture(scope="session")
def compared_once(gapped_once, tmp_path_factory):
    """Two versions: in `broken` the sevens of train are called nines; two seeds of the probe and of a small network on each."""
    folder = tmp_path_factory.mktemp("compared") / "bench"
    shutil.copytree(gapped_once.path, folder)
    bench = assay.open(folder)
    bench.commit("", "ann", "good")
    state = bench.state()
    bench.edit(
        pd.DataFrame(
            dict(sample=state.index[(state["split"] == "train") & (state.label == "7")], label="9")
        ),
        "vandal",
    )
    bench.commit("", "vandal", "broken")
    run.run_plan(
        bench,
        check_plan(PLAN | dict(versions=["broken", "good"], architectures=["probe", "mlp"])),
        silent,
        most=1,
    )
    return bench


@pytest.fixture
def compared(compared_once, tmp_path):
    shutil.copytree(compared_once.path, tmp_path / "bench")
    return open_copy(tmp_path / "bench")
