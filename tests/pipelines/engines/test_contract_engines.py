"""What every engine does: it works on shards, one setup a worker, and says what came of each."""

import json
import os
import time
from contextlib import closing

import pytest

import assay
from assay.pipelines.engines.base import Failure, Result, list_engines

ENGINES = list_engines()
SLOW_APART = [pytest.param(e, marks=[pytest.mark.daily] * (e == "ray")) for e in ENGINES]


def open_bench(path, tell):
    """The setup: a state that knows its process."""
    with open(os.path.join(path, "setups"), "a") as file:
        file.write(f"{os.getpid()}\n")
    return dict(bench=assay.open(path), process=os.getpid())


def square(state, tell, n):
    tell(step=[0.5, f"half of {n}"])
    if n == 3:
        raise ValueError("no threes")
    if n == 4:
        os.kill(os.getpid(), 11)
    if n == 5:
        time.sleep(60)
    return [n * n, state["process"], len(state["bench"].state())]


@pytest.fixture
def bench(tmp_path):
    return assay.create(tmp_path / "bench")


@pytest.fixture(params=ENGINES)
def engine(request):
    return ENGINES[request.param]


def test_there_is_a_local_one():
    assert [engine.name for engine in ENGINES.values()] == list(ENGINES) and "local" in ENGINES


@pytest.mark.slow
@pytest.mark.parametrize("engine", SLOW_APART, indirect=True)
def test_each_shard_has_its_result_and_each_worker_one_setup(engine, bench):
    shards, steps = [dict(n=n) for n in (1, 2, 6, 7, 8)], []
    with engine.open_crew(bench, open_bench, len(shards), 2) as crew:
        assert 1 <= crew.size <= 2
        hear = lambda shard, step: steps.append((shard["n"], *step))  # noqa: E731
        out = list(crew.run(shards, square, hear))
        again = list(crew.run([dict(n=9)], square, at_once=1))
    assert all(isinstance(result, Result) for result in out + again)
    assert {r.shard["n"]: r.value[0] for r in out + again} == {n: n * n for n in (1, 2, 6, 7, 8, 9)}
    assert sorted(steps) == [(n, 0.5, f"half of {n}") for n in (1, 2, 6, 7, 8)]
    setups = (bench.path / "setups").read_text().split()
    workers = {str(r.value[1]) for r in out + again}
    assert sorted(setups) == sorted(workers) and len(workers) <= 2
    until = time.monotonic() + 20  # a cluster ends its workers in its own time
    while any(alive := [os.path.exists(f"/proc/{process}") for process in workers]):
        assert time.monotonic() < until, alive
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("engine", SLOW_APART, indirect=True)
def test_a_failure_is_named_and_the_others_go_on(engine, bench):
    shards = [dict(n=n) for n in (3, 4, 5, 6)]
    with engine.open_crew(bench, open_bench, len(shards), 1) as crew:
        patience = lambda shard: 1 if shard["n"] == 5 else 300  # noqa: E731
        out = {r.shard["n"]: r for r in crew.run(shards, square, patience=patience)}
    assert out[6].value[0] == 36
    assert isinstance(out[3], Failure) and out[3].error == "ValueError: no threes" and out[3].hint
    assert "SIGSEGV" in out[4].error and "stuck (no step for 1 s)" in out[5].error
    assert [out[n].lost for n in (3, 4, 5)] == [False, True, True]


@pytest.mark.slow
@pytest.mark.parametrize("engine", SLOW_APART, indirect=True)
def test_who_wants_no_more_stops_the_workers(engine, bench):
    shards = [dict(n=n) for n in (1, 5, 5)]
    began = time.monotonic()
    with engine.open_crew(bench, open_bench, len(shards), 1) as crew:
        with closing(crew.run(shards, square)) as results:
            assert json.dumps(next(results).value[0]) == "1"
    assert time.monotonic() - began < 45
