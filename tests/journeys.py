"""How many files a reader enters on three journeys: `python -m tests.journeys`.

Each journey is run on real digits, and every file whose functions are called is counted.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import assay
from assay.app.server.review_session import ReviewSession
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.experiments.trainer import Trainer
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import ROOT, bench_of, digits


def entered(journey: Callable[[], None]) -> list[str]:
    """The files of ours whose functions a journey calls, in all threads that it starts."""
    found = set()

    def look(frame, event, _):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(str(ROOT)) and ".venv" not in file:
            found.add(os.path.relpath(file, ROOT))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        journey()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(f for f in found if not f.startswith("tests"))


def main() -> None:
    os.environ["ASSAY_CACHE"] = tempfile.mkdtemp()
    bench = bench_of(digits(), Path(tempfile.mkdtemp()), audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    bench.commit("as imported", "ann")
    worst = bench.queue(n=2, random=0)["sample"].tolist()
    session = ReviewSession(assay.open(bench.path))
    session.keep_fresh()
    plan = check_plan(dict(versions=["v1"], architectures=["cnn"], seeds=1, epochs=1))

    def labels_to_queue():
        bench.edit(bench.queue(n=1, random=0)[["sample"]].assign(label="3"), "ann")
        bench.queue(n=20)

    def key_press_to_effect():
        decision = dict(sample=worst[1], label="3", seconds=1.0)
        session.store_decisions([dict(batch="edit-" + "0" * 12, decision=decision)], "ann")
        session.rescore()
        session.live_effect("0" * 16, 0)

    def cell():
        trainer = Trainer(assay.open(bench.path))
        trainer.train(list_cells(trainer.bench, plan)[0])

    for journey in (labels_to_queue, key_press_to_effect, cell):
        files = entered(journey)
        print(f"{journey.__name__}: {len(files)} files")
        print("  " + " ".join(files))


if __name__ == "__main__":
    main()
