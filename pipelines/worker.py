"""One cell trained and stored; as a process it does what its standard input asks, line by line, and ends where that ends."""

import math
import sys
import time
import traceback
from functools import lru_cache, partial
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np

import curation
from curation import children, runs, suspects
from curation.arrays import Shards
from curation.errors import Held, UserError
from curation.leftovers import at_work
from pipelines import jobs
from pipelines.architectures import input_of
from pipelines.plan import RECIPE, training_set

HELD = 3600  # seconds that a finished training waits for a bench which somebody else has open


def code_hash():
    """Hash of the code that trains: a report whose cells differ in it says so."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("architectures", "networks", "train", "embed", "worker")]
    return sha256(b"".join(f.read_bytes() for f in (*files, here.parent / "curation" / "probe.py"))).hexdigest()[:12]


def bootstrap(frame, names, seed):
    """Row numbers of a grouped bootstrap: each group of copies is drawn Poisson(1) times, by its name and the seed alone, so that every
    architecture and every version draws the same."""
    lots = {g: int.from_bytes(blake2b(f"{seed}:{g}".encode(), digest_size=7).digest()) / 2**56 for g in set(names)}
    poisson = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(25)])  # chance of at most k
    times = dict(zip(lots, np.searchsorted(poisson, list(lots.values()))))
    rows = np.repeat(np.arange(len(frame)), [times[g] for g in names])
    return rows if len(rows) else np.arange(len(frame))


class Trainer:
    """Trains cells of one bench; what they share, it reads once."""

    def __init__(self, bench):
        self.bench, self.state, self.code = bench, bench.state(), code_hash()
        graph, at = suspects.nodes(bench, self.state)
        self.names = dict(zip(self.state.index, graph["hashes"][graph["groups"][at]].astype(str)))
        self.ids = runs.judged_ids(self.state)
        self.shards = lru_cache(Shards)

    def inputs(self, arch, samples, config):
        """What the architecture sees of some samples: lazy vectors, or lazy pixels."""
        hashes = self.state.content_hash[list(samples)]
        if input_of(arch) == "embedding":
            return self.shards(self.bench.arrays / "embeddings" / config["embedding"]).rows(hashes)
        from curation.images import Pixels
        from pipelines.scan import side_of

        return Pixels(self.shards(self.bench.arrays / "pixels"), hashes, side_of(self.bench, self.state))

    def data(self, cell):
        """(samples, y, classes, groups) that the seed of a cell draws from its version."""
        frame = training_set(self.bench, cell["at"])
        rows = bootstrap(frame, [self.names[s] for s in frame.index], cell["seed"])
        classes = sorted(set(frame.label))
        samples = frame.index.to_numpy()[rows]
        groups = np.unique([self.names[s] for s in samples], return_inverse=True)[1]
        return samples, np.searchsorted(classes, frame.label.to_numpy(dtype=str)[rows]), classes, groups

    @lru_cache(maxsize=1)  # noqa: B019 - as long as its bench
    def drawn(self, at, seed):
        return self.data(dict(at=at, seed=seed))

    @lru_cache  # noqa: B019 - as long as its bench
    def pool(self, n):
        """Samples of the pool that a training on n predicts besides: it costs a few seconds, or a third of an epoch."""
        return runs.pool_ids(self.state, max(n, runs.POOL))

    def predict(self, cell, ids, progress=None):
        """(classes, probs (m, k) of the samples `ids`) of a training of the cell: the same each time, on one machine."""
        from pipelines import train

        samples, y, classes, groups = self.drawn(cell["at"], cell["seed"])
        x, x_new = (self.inputs(cell["arch"], s, cell["config"]) for s in (samples, ids))
        return classes, train.fit_predict(cell["arch"], x, y, x_new, len(classes), cell["seed"], groups, cell["config"]["epochs"], progress)

    def train(self, cell, progress=None):
        """Train one cell and store it. A diverged run is stored as one: named, never averaged away, and not trained again."""
        start, m = time.perf_counter(), len(self.ids)
        pool = self.pool(cell["n_train"])
        said, failed = {}, None
        try:
            classes, probs = self.predict(cell, [*self.ids, *pool], progress)
            said = dict(ids=self.ids, probs=probs[:m], classes=classes, pool=pool, pool_probs=probs[m:])
        except RuntimeError as e:
            if "diverged" not in str(e):
                raise
            failed = str(e)
        seconds = time.perf_counter() - start
        keep = partial(runs.keep, self.bench, cell, RECIPE, self.code, seconds, failed=failed, **said)
        when_free(keep, progress or (lambda share, text: None))  # hours of training are not lost to somebody's query
        return dict(seconds=seconds, failed=failed)

    def cost(self, cell):
        """Seconds that a cell will take here, by a few real steps of it."""
        from pipelines import train

        some = self.inputs(cell["arch"], self.state.index[:1], cell["config"])
        n, k = cell["n_train"], cell["classes"]
        m = len(self.ids) + len(self.pool(n))
        return train.cost(cell["arch"], n, some.shape[1:], k, cell["config"]["epochs"]) * (1 + 0.4 * m / max(n, 1)) + 0.3


@at_work
def answer(bench, trainer, ask, tell):
    """Do what one line asks, and tell how it goes: {"share", "text"} on the way, then {"seconds", "failed"}, or {"error", "hint"}."""
    cell = ask["cell"]
    if ask["what"] == "cost":
        try:
            return tell(seconds=trainer.cost(cell))
        except Exception as e:  # an architecture from anywhere may fail in any way
            return tell(**fault(e))
    about = {k: cell[k] for k in ("key", "version", "at", "arch", "seed")}
    with jobs.claim(bench, cell["key"], **about) as job:
        if job is None:
            return tell(elsewhere=True)

        def step(share, text):
            job.tell(share=round(share, 3), text=text)
            tell(share=share, text=text)

        try:
            if when_free(partial(diverged, bench, trainer, cell), step) or runs.covers(bench, cell["key"], np.array(trainer.ids, "S32")):
                return tell(seconds=0.0, failed=None)  # somebody was faster
            out = trainer.train(cell, step)
        except Exception as e:  # the other cells go on, and `assay runs` shows it
            job.tell(often=False, state="failed", **fault(e), trace=traceback.format_exc()[-4000:])
            return tell(**fault(e))
        tell(**out)


def diverged(bench, trainer, cell):
    """Has it been trained, and found no number? What its training reads of the bench is read here, too."""
    trainer.drawn(cell["at"], cell["seed"])
    return bench.rows("select 1 from runs where key = ? and failed is not null", [cell["key"]])


def fault(e):
    """An exception as dict error, its last line, and hint: what to do, or where to look."""
    if isinstance(e, UserError):
        return dict(error=e.problem, hint=e.hint)
    frames = traceback.extract_tb(e.__traceback__)
    theirs = [f for f in frames if "site-packages" not in f.filename and Path(f.filename).parent != Path(__file__).parent]
    at = e if isinstance(e, SyntaxError) else (theirs or frames)[-1]
    return dict(error=traceback.format_exception_only(e)[-1].strip(), hint=f"look at {at.filename}, line {at.lineno}")


def when_free(work, tell):
    """What work() returns; while somebody else has the bench open, that is told, and it is tried again, for an hour."""
    until = time.monotonic() + HELD
    while True:
        try:
            return work()
        except Held as e:
            if time.monotonic() > until:
                raise
            tell(1.0, f"waits for the bench: {e.problem}")


def main(path):
    """The worker process: each line of standard input is {"what", "cell"}. Who started it is gone when the input ends: then so is it, at once."""
    trainer = None

    def work(ask, tell):
        nonlocal trainer
        try:
            trainer = trainer or when_free(lambda: Trainer(curation.open(path)), lambda share, text: tell(share=share, text=text))
        except Exception as e:
            tell(**fault(e))
        else:
            answer(trainer.bench, trainer, ask, tell)

    children.serve(work)


if __name__ == "__main__":
    main(sys.argv[1])
