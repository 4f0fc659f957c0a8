"""An agent at work: it looks, asks for work and proposes, over both transports."""

import asyncio
import base64
import io
import time

import pytest
from PIL import Image

from assay.pipelines.agents.tools import TOOLS
from tests.helpers import bench_of, copied, digits
from tests.mcp_clients import converse, data_of, http_server, over_http, over_stdio, run

SUSPECTS = ("find_samples", dict(where="flagged", sort="score", limit=3))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    made = bench_of(digits(300), tmp_path_factory.mktemp("agents"))
    made.scan(embedder="pixels", progress=False)
    return made


def propose(found):
    """Propose what the scan suggests for the first suspect."""
    first = data_of(found[-1])["rows"][0]
    change = dict(sample=first["sample"], label=first["suggestion"], why="it looks like one")
    return "propose_changes", dict(title="One digit", changes=[change])


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_an_agent_looks_and_proposes(scanned, tmp_path, transport):
    bench = copied(scanned, tmp_path)
    before = bench.state()
    calls = SUSPECTS, propose, ("comment_on_proposal", dict(proposal="p1", text="please look"))
    if transport == "stdio":
        found = converse(over_stdio(bench, "Claude Code"), *calls)
    else:
        with http_server(bench) as printed:
            found = converse(over_http(printed, "Claude Code"), *calls)
    first = data_of(found[0])["rows"][0]
    (proposal,) = bench.proposals()
    assert (proposal.who, proposal.status, proposal.n_changes) == ("agent:Claude Code", "open", 1)
    assert [e.text for e in proposal.comments] == ["please look"]
    assert bench.state().equals(before), "nothing counts before it is merged"
    worst = bench.samples("flagged", "score", 1)
    assert (first["sample"], first["score"]) == (worst["sample"][0], worst.score[0])


@pytest.mark.slow
def test_every_tool_that_looks_answers(scanned):
    with_arguments = dict(
        query_samples=dict(query="select split, count(*) from samples group by all order by all"),
        show_sample=dict(sample="d0366"),
        compare_versions=dict(a="v1"),
        show_proposal=dict(proposal="p1"),
    )
    looks = [t.name for t in TOOLS if not t.acts]
    found = dict(
        zip(looks, converse(over_stdio(scanned), *((n, with_arguments.get(n, {})) for n in looks)))
    )
    assert [n for n in looks if found[n].is_error] == ["show_proposal"], "there is none"
    split = scanned.state().split.value_counts()
    assert dict(data_of(found["query_samples"])["rows"]) == split.to_dict()
    counts = data_of(found["show_status"])["counts"]
    assert dict(counts["split"]["values"]) == split.to_dict()
    assert counts["label"]["not_counted"] == split["test"]
    assert data_of(found["list_issues"])["found"] > 10
    picture = found["show_sample"].content[1]
    image = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert (image.format, image.size, picture.mime_type) == ("JPEG", (8, 8), "image/jpeg")


@pytest.mark.slow
def test_tools_say_what_they_do(scanned):
    async def look():
        async with over_stdio(scanned) as client:
            return (await client.list_tools()).tools

    tools = run(look())
    acts = {t.name for t in tools if not t.annotations.read_only_hint}
    assert acts == set(
        "propose_changes comment_on_proposal start_scan start_experiment start_report".split()
    )
    assert not {t.name for t in tools} & {"approve", "merge", "edit", "undo", "import", "close"}
    assert all(t.input_schema["additionalProperties"] is False for t in tools)


@pytest.mark.daily
def test_a_scan_runs_once_and_edits_nothing(scanned, tmp_path):
    bench = copied(scanned, tmp_path)
    before = bench.rows("select max(seq) from edits")

    async def ask():
        async with over_stdio(bench) as client, over_stdio(bench) as other:
            first, second = await asyncio.gather(
                *(c.call_tool("start_scan", dict(effort=0)) for c in (client, other))
            )
            until = time.monotonic() + 60
            while data_of(await client.call_tool("show_jobs", {}))["jobs"]:
                assert time.monotonic() < until
                await asyncio.sleep(0.2)
            return first, second

    assert sorted(r.is_error for r in run(ask())) == [False, True]
    assert bench.rows("select max(seq) from edits") == before
    assert bench.runs().empty


@pytest.mark.daily
def test_an_experiment_that_an_agent_asks_for(scanned, tmp_path):
    bench = copied(scanned, tmp_path)
    plan = dict(versions=["v1", "v1 - flagged"], architectures=["probe"], seeds=2)

    async def ask():
        async with over_stdio(bench) as client:
            own_code = await client.call_tool(
                "start_experiment", dict(architectures=["os.path:join"])
            )
            unknown = await client.call_tool("start_experiment", plan | dict(versions=["v9"]))
            await client.call_tool("start_experiment", plan)
            until = time.monotonic() + 90
            while any(
                j["state"] == "running"
                for j in data_of(await client.call_tool("show_jobs", {}))["jobs"]
            ):
                assert time.monotonic() < until
                await asyncio.sleep(0.3)
            return own_code, unknown, await client.call_tool("list_runs", {})

    own_code, _, runs = run(ask())
    assert own_code.structured_content["code"] == "bad_arguments"
    rows = data_of(runs)["rows"]
    asked = [r for r in rows if r["version"] in plan["versions"]]
    assert len(asked) == 4 and len(rows) == 6, "beside them the random control"
    assert all(0 <= r["low"] <= r["accuracy"] <= r["high"] for r in rows)
    assert (bench.path / "report.html").exists()
