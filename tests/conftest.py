"""What several stories need: where the real data lie, and a small real bench of handwritten digits."""

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # two workers share two cores

# some hundred processes are started, and each would compile all of Assay anew: 0.3 s
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# not its user's; made once for all workers and runs
os.environ["ASSAY_CACHE"] = str(Path(tempfile.gettempdir()) / f"assay-tests-{os.getuid()}")

import pytest  # noqa: E402

from tests.helpers import DATA, bench_of, copied, digits  # noqa: E402


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


@pytest.fixture(scope="session")
def bench_once(tmp_path_factory):
    return bench_of(digits(), tmp_path_factory.mktemp("digits"), audited_test=True)


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
