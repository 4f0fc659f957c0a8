"""Four people decide at a key a second, while a script edits and an experiment runs: nothing is lost or doubled, and nobody waits long.

    python -m tests.benchmarks.soak [MINUTES] [BENCH]      10 minutes by default; of a ready, scanned bench, which is copied, or of one that is made

Each browser is a process's thread of its own. What a person pressed is counted here, what their page sent is read off the wire, and both are held
against the log: a batch for each deciding key, each there once, on the sample that it was sent for, by whoever sent it; and one undo for each that was
taken back. Limit: the next picture and the decision's receipt within 1 s, each time. Ends with 1 where anything of it does not hold.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.pipelines.experiments.run import detach_run
from assay.pipelines.jobs import job_files
from tests.benchmarks.app import KEYS, build, memory
from tests.browser import Workbench, browser, look, stored

PEOPLE, PAUSE, LIMIT = 4, 1.0, 1000  # browsers; seconds between two keys; ms


class Person:
    """Somebody in a browser: what they pressed, and what their page sent."""

    def __init__(self, who):
        self.who, self.pressed, self.sent, self.back, self.times = who, 0, {}, set(), {}

    def hear(self, request):
        """Read the decisions that a page sends; what is sent again is the same batch."""
        if request.method == "POST" and request.url.endswith("/assay/decisions"):
            for one in json.loads(request.post_data)["sent"]:
                if "decision" in one:
                    self.sent[one["batch"]] = one["decision"]["sample"]
                else:
                    self.back.add(one["batch"])

    def work(self, server, until):
        """Decide, a key a second, until a time."""
        with browser() as chrome:
            page = server.page(chrome, f"/review?who={self.who}")
            page.on("request", self.hear)
            turn = 0
            while time.monotonic() < until:
                start = time.monotonic()
                look(page)
                page.keyboard.press(KEYS[turn % len(KEYS)])
                self.pressed += KEYS[turn % len(KEYS)] != "u"
                turn += 1
                page.wait_for_timeout(max(0, 1000 * (start + PAUSE - time.monotonic())))
            stored(page)
            for name in ("painted", "stored"):
                self.times[name] = np.array(
                    page.evaluate(
                        f"performance.getEntriesByName('assay:{name}').map(e => e.duration)"
                    )
                )
            assert not page.failed, page.failed

    def check(self, bench):
        """What does not hold, in words; prints how it was."""
        log = bench.rows(
            "select batch, sample, count(*), count(distinct field) from edits where who = ? and batch like 'edit-%' group by all",
            [self.who],
        )
        found = bench.rows(
            "select suggested::varchar from edits where who = ? and kind = 'undo'", [self.who]
        )
        undone = [b for (text,) in found for b in np.atleast_1d(json.loads(text)["undo"])]
        kept = {batch: sample for batch, sample, *_ in log}
        waits = {
            name: (np.median(t), np.quantile(t, 0.95), t.max()) for name, t in self.times.items()
        }
        told = "; ".join(
            f"{n} median {a:.0f}, p95 {b:.0f}, worst {c:.0f} ms" for n, (a, b, c) in waits.items()
        )
        print(
            f"    {self.who}: {self.pressed} keys, {len(self.sent)} batches sent, {len(kept)} in the log, "
            f"{len(self.back)} taken back; {told}",
            flush=True,
        )
        wrong = []
        if len(self.sent) != self.pressed:
            wrong.append(f"{self.pressed} keys decided, {len(self.sent)} batches were sent")
        if kept != self.sent or len(log) != len(kept):
            wrong.append(
                f"{len(set(self.sent) - set(kept))} batches lost, {len(set(kept) - set(self.sent))} of nobody"
            )
        if any(n != fields for *_, n, fields in log):
            wrong.append("a batch is in the log twice")
        if set(undone) != self.back:
            wrong.append(f"{len(self.back)} were taken back, {len(undone)} are")
        wrong += [f"{n} took {c:.0f} ms once" for n, (*_, c) in waits.items() if c > LIMIT]
        return [f"{self.who}: {words}" for words in wrong]


def edit_on(bench, until, took):
    """A batch script: one sample after another is tagged, by a process that knows nothing of the workbench."""
    ids = bench.state().query("split == 'train'").index
    while time.monotonic() < until:
        start = time.perf_counter()
        at = len(took) % len(ids)
        rows = pd.DataFrame(dict(sample=ids[at : at + 1], tag="soaked"))
        assay.open(bench.path).edit(rows, "script")
        took.append(time.perf_counter() - start)
        time.sleep(0.5)


def experiment_on(bench):
    """An experiment long enough for any soak; its process."""
    version = bench.commit("before the soak", "soak")["name"]
    plan = bench.path / "plan.toml"
    plan.write_text(f'versions = ["{version}"]\narchitectures = ["probe", "mlp"]\nseeds = 1000\n')
    return detach_run(bench, plan, ["-o", bench.path / "report.html"])[0]


def soak(bench, minutes):
    """Run it; gives what did not hold."""
    server, experiment = Workbench(bench.path).start(), experiment_on(bench)
    people, took = [Person(f"p{i}") for i in range(PEOPLE)], []
    try:
        until = time.monotonic() + 60 * minutes
        work = [threading.Thread(target=p.work, args=(server, until)) for p in people]
        work.append(threading.Thread(target=edit_on, args=(bench, until, took)))
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        wrong = [words for person in people for words in person.check(bench)]
        tags = bench.rows("select count(*) from edits where who = 'script' and field = 'tag'")
        if tags[0][0] != len(took):
            wrong.append(f"script: {len(took)} edits made, {tags[0][0]} are in the log")
        if bench.chain_breaks():
            wrong.append("the log's chain is broken")
        print(
            f"    script: {len(took)} edits, median {np.median(took):.1f} s, worst {max(took):.1f}; server {memory(server):.2f} GB; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        return wrong
    finally:
        if any(job["state"] == "running" for job in job_files.list_jobs(bench) if "runs" in job):
            os.kill(experiment, signal.SIGINT)
        server.kill()


def main(minutes="10", given=None):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "bench"
        bench = assay.open(shutil.copytree(given, copy)) if given else build(Path(folder))
        print(f"{len(bench.state()):,} samples, {minutes} minutes", flush=True)
        wrong = soak(bench, float(minutes))
    print("\n".join(wrong) or "nothing was lost or doubled, and nobody waited longer than 1 s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
