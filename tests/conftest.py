"""What several stories need: where the real data lie, and a small real bench of handwritten digits."""

import io
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # two workers share two cores

import numpy as np  # noqa: E402
import pytest  # noqa: E402

ROOT = Path(__file__).parent.parent
os.environ["ASSAY_CACHE"] = str(
    Path(tempfile.gettempdir()) / f"assay-tests-{os.getuid()}"
)  # not its user's; made once for all workers and runs
DATA = Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI nothing is skipped in silence: a story that cannot be told there has failed."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = (
            "failed",
            f"skipped, which CI does not take: {report.longrepr[2]}",
        )
    return report


def pytest_terminal_summary(terminalreporter):
    """How many stories were not told, and why."""
    why = Counter(
        r.longrepr[2].removeprefix("Skipped: ") for r in terminalreporter.stats.get("skipped", [])
    )
    for reason, n in why.most_common():
        terminalreporter.write_line(f"not run: {n} ({reason})")


@pytest.fixture(autouse=True)
def main_module():
    """Streamlit leaves a script of its own as the main module, and a process that another test spawns would look for its file."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def data():
    """The folder of real data sets; skips where it is absent."""
    if not (DATA / "cifar10n.parquet").exists():
        pytest.skip(f"no data sets in {DATA}; say where they are with ASSAY_DATA")
    return DATA


def png(pixels):
    """An image file's bytes: uint8 (h, w) or (h, w, 3)."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, "u1")).save(out, "PNG")
    return out.getvalue()


def digits(n=600, wrong=0.08, seed=0):
    """scikit-learn's handwritten digits as a table id, image, label, split, truth: `wrong` of the train and val labels are planted errors."""
    import pandas as pd
    from sklearn.datasets import load_digits

    found = load_digits()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(found.target))[:n]
    truth = found.target[rows]
    split = np.array(["train", "train", "train", "val", "test"])[np.arange(n) % 5]
    label = truth.copy()
    planted = (rng.random(n) < wrong) & (split != "test")
    label[planted] = (truth[planted] + rng.integers(1, 10, planted.sum())) % 10
    image = [png(found.images[r] * 15.9) for r in rows]
    return pd.DataFrame(
        dict(
            id=[f"d{r:04d}" for r in rows],
            image=image,
            label=label.astype(str),
            split=split,
            truth=truth.astype(str),
        )
    )


def bench_of(table, folder, **options):
    """A bench imported from a table such as `digits()`."""
    import assay
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "digits.parquet"
    table.to_parquet(source)
    bench = assay.create(folder / "bench")
    ingest(bench, source, "tester", ImportOptions(columns=dict(label="label"), **options))
    return bench


@pytest.fixture(scope="session")
def bench_once(tmp_path_factory):
    return bench_of(digits(), tmp_path_factory.mktemp("digits"), audited_test=True)


def copied(bench, folder):
    """A bench of its own for a test, with the file beside it that it was imported from."""
    import assay

    shutil.copytree(bench.path.parent, folder, dirs_exist_ok=True)
    return assay.open(folder / "bench")


@pytest.fixture
def bench(bench_once, tmp_path):
    """600 digits, 8 % of the train and val labels wrong, not scanned."""
    return copied(bench_once, tmp_path)


@pytest.fixture(scope="session")
def scanned_once(bench_once, tmp_path_factory):
    from assay.pipelines.indexing.scan import ScanOptions, scan

    bench = copied(bench_once, tmp_path_factory.mktemp("scanned"))
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


@pytest.fixture
def scanned(scanned_once, tmp_path):
    """The same, scanned with raw pixels; every test gets a copy of its own."""
    return copied(scanned_once, tmp_path / "scanned")


def truth_of(bench):
    """What each sample of a digits bench really shows: its metadata says so, and no score may read metadata."""
    import json

    return bench.state().meta.map(lambda m: json.loads(m)["truth"])
