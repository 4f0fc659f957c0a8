"""What an agent waits for: each tool that looks, a proposal, ten clients at once, and a server that is killed meanwhile.

    python -m tests.benchmarks.agents [N]

A bench of N samples (60,000) as `filtering` makes it, and a real client over HTTP. The first call reads the samples; the
second is the usual one. Kills: 20 servers, each ended at a moment drawn at random while it stores 2,000 changes.
"""

import asyncio
import collections
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.filtering import build
from tests.mcp_clients import http_server, over_http

CALLS = [
    ("show_status", {}),
    ("find_samples", dict(where="split = 'train' and score < 0.2", sort="score")),
    ("query_samples", dict(query="select label, count(*) from samples group by label")),
    ("list_issues", {}),
    ("compare_versions", dict(a="HEAD")),
    ("list_proposals", {}),
    ("show_jobs", {}),
]


async def time_calls(printed):
    """Seconds of the first and the second call of each tool."""
    async with over_http(printed) as client:
        for name, given in CALLS:
            spent = []
            for _ in range(2):
                began = time.perf_counter()
                answer = await client.call_tool(name, given)
                spent.append(time.perf_counter() - began)
            note = answer.structured_content.get("code", "")
            print(f"{name:<18} {spent[0]:6.2f} s {spent[1]:6.2f} s  {note}", flush=True)


async def propose(printed, samples, name, turns, size):
    """Propose to drop `size` samples, so many times; the seconds of each."""
    spent = []
    async with over_http(printed, name) as client:
        for turn in range(turns):
            changes = [dict(sample=s, keep=False) for s in samples[turn * size : (turn + 1) * size]]
            began = time.perf_counter()
            given = dict(title=f"{name} {turn}", changes=changes)
            answer = await client.call_tool("propose_changes", given)
            assert not answer.is_error, answer.structured_content
            spent.append(time.perf_counter() - began)
    return spent


async def propose_together(printed, samples):
    works = [propose(printed, samples[100 * n :], f"c{n}", 5, 10) for n in range(10)]
    return sum(await asyncio.gather(*works), [])


def kill(bench, samples, seconds):
    """How a server ends that is killed while it stores a proposal: nothing or all of it."""
    before = len(bench.proposals())

    async def work(printed):
        await propose(printed, samples, "before", 1, 10)  # a server that has read the bench
        asked = asyncio.create_task(propose(printed, samples, "killed", 1, 2000))
        await asyncio.sleep(seconds)
        os.kill(printed["pid"], signal.SIGKILL)
        await asyncio.wait([asked], timeout=5)

    with http_server(bench) as printed:
        try:
            asyncio.run(work(printed))
        except BaseException as e:  # whatever a client says of a server that is gone
            assert not isinstance(e, KeyboardInterrupt)
    made = bench.proposals()[before + 1 :]
    assert [p.n_changes for p in made] in ([], [2000]), "half a proposal"
    return "all" if made else "nothing"


def main(n):
    with tempfile.TemporaryDirectory() as folder:
        bench = build(Path(folder) / "bench", n)
        state = bench.state(columns=["split"])
        train = list(state.index[state["split"] == "train"])
        with http_server(bench) as printed:
            asyncio.run(time_calls(printed))
            (first, second) = asyncio.run(propose(printed, train, "one", 2, 2000))
            print(f"propose 2,000      {first:6.2f} s {second:6.2f} s", flush=True)
            spent = sorted(asyncio.run(propose_together(printed, train)))
            made = [p for p in bench.proposals() if p.title.startswith("c")]
            assert len(made) == 50, "one was lost"
            print(f"10 clients, 50 proposals: median {spent[25]:.2f} s, longest {spent[-1]:.2f} s")
        moments = random.Random(0)
        ends = collections.Counter(
            kill(bench, train, moments.uniform(0, 1.3 * second)) for _ in range(20)
        )
        without = ("pixels", "unscanned")  # it was made without
        breaks = [f for f in bench.check() if f["kind"] not in without]
        print(f"20 kills: {dict(ends)}; check: {breaks or 'sound'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60_000)
