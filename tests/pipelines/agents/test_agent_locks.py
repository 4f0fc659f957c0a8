"""No way past the proposals, and none to the labels of test."""

import asyncio
import json
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from assay.pipelines.agents import write_limits
from assay.pipelines.agents.agent_bench import AgentBench
from assay.pipelines.agents.tools import TOOLS, call_tool
from assay.pipelines.agents.write_limits import OPEN
from tests.helpers import audit_of, bench_of, copied, digits
from tests.mcp_clients import data_of, http_server, over_http, over_stdio, run

QUERIES = [
    "select split, label, suggestion, score, issues, reviewed, count(*) n from samples group by all order by all",
    "select count(*) from samples where locked and label = '3'",
    "select sum(hash(s)) from (select * exclude (path) from samples) s where locked",
]
LOOKS = [
    ("show_status", {}),
    ("list_columns", {}),
    ("find_samples", dict(limit=200)),
    ("find_samples", dict(where="locked and label = '3'")),
    ("find_samples", dict(where="locked", sort="label, score desc, key", limit=200)),
    ("find_samples", dict(where="locked and predicted('probe', '3')")),
    ("find_samples", dict(where="locked and (label < '5') is null and not flagged")),
    ("list_issues", dict(limit=200)),
    ("list_gaps", dict(limit=100)),
    ("compare_versions", dict(a="v1", limit=200)),
    ("compare_versions", dict(a="v1", b="v1 ~ flagged", limit=200)),
    ("list_runs", {}),
    *(("query_samples", dict(query=q, limit=200)) for q in QUERIES),
]
WRITES = [
    "copy samples to '{place}/x.csv'",
    "copy (select 1) to '{place}/x.csv'; select 1",
    "attach '{place}/x.db' as other",
    "attach '{bench}' as other; select * from other.edits",
    "select * from read_csv('/etc/passwd', header=false, sep='|')",
    "select * from '{bench}'",
    "select * from read_text('{bench}')",
    "select * from glob('/etc/*')",
    "select 1; drop table samples",
    "insert into samples select * from samples",
    "delete from samples",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "pragma database_list",
    "select * from edits",
    "export database '{place}/out'",
    "create table t as select 1",
    "with recursive t as (select 1 i union all select i + 1 from t) select count(*) from t",
]


def make(table, folder):
    made = bench_of(table, folder)
    made.scan(embedder="pixels", progress=False)
    return made


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    return make(digits(300), tmp_path_factory.mktemp("locks"))


def permute_test_labels(found):
    """The same table, its test labels in another order."""
    rows = found.index[found["split"] == "test"]
    mixed = np.random.default_rng(0).permutation(found.loc[rows, "label"])
    assert (mixed != found.loc[rows, "label"]).mean() > 0.5
    found.loc[rows, "label"] = mixed
    return found


@pytest.mark.slow
def test_permuted_test_labels_change_no_answer(scanned, tmp_path):
    other = make(permute_test_labels(digits(300)), tmp_path)
    for one in (scanned, other):
        one.edit(one.queue(3)[["sample"]].assign(label="0"), "ann")
    said = []
    for bench in (scanned, other):
        agents = AgentBench(bench)
        told = [call_tool(agents, name, given, "agent:x") for name, given in LOOKS]
        for sample in bench.state().query("split == 'test'").index:
            told.append(call_tool(agents, "show_sample", dict(sample=sample), "agent:x"))
        text = json.dumps([reply.told for reply in told]), [reply.jpeg for reply in told]
        said.append((text[0].replace(str(bench.path.parent), "HERE"), text[1]))
    assert said[0] == said[1]


@pytest.mark.slow
def test_what_an_audit_changed_is_in_no_comparison(tmp_path):
    bench = bench_of(permute_test_labels(digits(300)), tmp_path / "made")
    bench.commit("before", "ann")
    first = bench.commits().name.iloc[0]
    audit_of(bench, tmp_path / "sheet", 30)
    assert len(bench.diff(first)["relabelled"]) > 10
    told = call_tool(AgentBench(bench), "compare_versions", dict(a=first), "agent:x").told["data"]
    assert told["relabelled"] == dict(n=0, rows=[]) and "test" in told["left_out"]


def test_a_locked_sample_is_refused_whatever_is_proposed(scanned):
    state, agents = scanned.state(), AgentBench(scanned)
    sample = state.index[state["split"] == "test"][0]
    said = set()
    others = (
        dict(keep=True),
        dict(keep=False),
        dict(split="train"),
        dict(tag="t"),
        dict(verdict="confirm"),
    )
    for change in (*(dict(label=str(n)) for n in range(10)), *others):
        reply = call_tool(
            agents, "propose_changes", dict(title="t", changes=[dict(sample=sample) | change]), "a"
        )
        assert reply.failed
        said.add(json.dumps(reply.told))
    assert len(said) == 1 and not scanned.proposals(), "the label that stands is told by no answer"


@pytest.mark.slow
def test_no_query_reads_or_writes_anything_else(scanned, tmp_path):
    agents, before = AgentBench(scanned), list_files(tmp_path)
    log = scanned.rows("select max(seq), count(*) from edits")
    for query in WRITES[:-1]:
        query = query.format(place=tmp_path, bench=scanned.file)
        reply = call_tool(agents, "query_samples", dict(query=query), "agent:x")
        if query.startswith("pragma"):
            continue  # it is a SELECT to DuckDB, and names what is attached
        assert reply.failed, query
        assert "root:" not in json.dumps(reply.told)
    assert list_files(tmp_path) == before
    assert scanned.rows("select max(seq), count(*) from edits") == log


@pytest.mark.daily
def test_a_query_without_end_is_ended(scanned):
    began = time.monotonic()
    assert call_tool(AgentBench(scanned), "query_samples", dict(query=WRITES[-1]), "a").failed
    assert time.monotonic() - began < 40


def list_files(folder):
    return sorted(str(p) for p in Path(folder).rglob("*"))


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "'; drop table edits; --",
    "x' or '1'='1",
    "--output=/tmp/pwned",
    "-o",
    "$(touch /tmp/pwned)",
    "\x00",
    "\ud800",
    "\x1b]0;pwned\x07",
    "</data>{}",
    "a" * 1_000_000,
    "",
]


@pytest.mark.slow
def test_hostile_arguments_change_nothing(scanned, tmp_path):
    """Every text of every tool, one hostile value after the other."""
    bench = copied(scanned, tmp_path / "copy")
    agents, before = AgentBench(bench), list_files(tmp_path)
    log = bench.rows("select max(seq) from edits")
    for tool in TOOLS:
        fields = tool.takes.model_fields
        for value in HOSTILE:
            for name in fields:
                given = dict(extra=1) if tool.name in ("start_scan", "start_report") else {}
                given |= dict(a="v1") if tool.name == "compare_versions" else {}
                given |= dict(proposal="p1") if tool.name == "show_proposal" else {}
                wrong = [value] if name in ("columns", "versions", "architectures") else value
                reply = call_tool(agents, tool.name, given | {name: wrong}, "agent:x")
                assert len(json.dumps(reply.told)) < 200_000
                assert reply.told.get("code") != "broken", (tool.name, name, value[:40])
    made = {f for f in list_files(tmp_path) if f not in before} - {str(bench.path / "jobs")}
    assert not {f for f in made if "/arrays" not in f}
    assert bench.rows("select max(seq) from edits") == log
    assert not Path("/tmp/pwned").exists()


@pytest.mark.slow
def test_hostile_changes_are_refused_whole(scanned, tmp_path):
    bench = copied(scanned, tmp_path)
    agents, state = AgentBench(bench), bench.state()
    good = state.index[state["split"] == "train"][0]
    for bad in (
        dict(sample="no such"),
        dict(sample=good, label="no such class"),
        dict(sample=good, split="test"),
        dict(sample=good, keep="false"),
        dict(sample=good, label="\x00"),
        dict(sample=good, who="ann"),
        dict(sample=good, field="rule"),
        dict(sample=good, place="/etc/passwd"),
        dict(sample=""),
    ):
        changes = [dict(sample=good, keep=False), bad]
        given = dict(title="t", changes=changes)
        assert call_tool(agents, "propose_changes", given, "agent:x").failed, bad
    assert not bench.proposals() and bench.state().equals(state)


async def propose_in_turns(client, number, train):
    """Look and propose three times in one client's name."""
    for turn in range(3):
        found = await client.call_tool("find_samples", dict(where="flagged", limit=5))
        assert not found.is_error
        change = dict(sample=train[3 * number + turn], keep=False)
        answer = await client.call_tool(
            "propose_changes", dict(title=f"{number}.{turn}", changes=[change])
        )
        assert data_of(answer)["proposal"]["title"] == f"{number}.{turn}"


def run_ten(bench, connect):
    """Ten clients at once; their proposals are all there, each in its client's name."""
    state = bench.state()
    train = state.index[state["split"] == "train"]

    async def work(number):
        async with connect(f"client {number}") as client:
            await propose_in_turns(client, number, train)

    async def all_of_them():
        await asyncio.gather(*(work(n) for n in range(10)))

    run(all_of_them())
    found = bench.proposals()
    assert sorted(p.title for p in found) == sorted(f"{n}.{t}" for n in range(10) for t in range(3))
    assert {(p.who, p.title[0]) for p in found} == {
        (f"agent:client {n}", str(n)) for n in range(10)
    }
    assert bench.state().equals(state) and not bench.check()


@pytest.mark.slow
def test_ten_clients_at_once_lose_no_proposal(scanned, tmp_path):
    bench = copied(scanned, tmp_path)
    with http_server(bench) as printed:
        run_ten(bench, lambda name: over_http(printed, name))


@pytest.mark.daily
@pytest.mark.slow
def test_ten_clients_with_a_server_each_lose_no_proposal(scanned, tmp_path):
    bench = copied(scanned, tmp_path)
    run_ten(bench, lambda name: over_stdio(bench, name, read_timeout_seconds=120))


def test_an_agent_leaves_no_more_open_proposals_than_people_can_read(scanned, tmp_path):
    bench = copied(scanned, tmp_path)
    agents, train = AgentBench(bench), bench.frame(split="train").index

    def propose(agent, n=1):
        changes = [dict(sample=sample, keep=False) for sample in train[:n]]
        return call_tool(agents, "propose_changes", dict(title="t", changes=changes), agent)

    assert not any(propose("agent:x").failed for _ in range(OPEN))
    before = bench.rows("select max(seq) from edits")
    refused = propose("agent:x")
    assert refused.failed and "20 open proposals" in refused.told["data"]["problem"]
    assert bench.rows("select max(seq) from edits") == before
    assert not propose("agent:y").failed, "of one agent"
    bench.close_proposal("p1", "ann")
    assert not propose("agent:x").failed


def test_all_agents_together_write_so_much_in_an_hour(scanned, tmp_path, monkeypatch):
    """An agent calls itself as it likes: another name is no way around."""
    bench = copied(scanned, tmp_path)
    agents, train = AgentBench(bench), bench.frame(split="train").index
    changes = [dict(sample=sample, keep=False) for sample in train[:5]]
    given = dict(title="t", changes=changes)
    assert not call_tool(agents, "propose_changes", given, "agent:0").failed
    monkeypatch.setattr(write_limits, "ROWS", 10)
    refused = call_tool(agents, "propose_changes", given, "agent:1")
    assert refused.failed and "6 and 5 more" in refused.told["data"]["problem"]
    monkeypatch.setattr(write_limits, "WORDS", 3)
    comment = dict(proposal="p1", text="why?")
    said = [call_tool(agents, "comment_on_proposal", comment, f"agent:{n}") for n in range(3)]
    assert [reply.failed for reply in said] == [False, False, True]
    bench.comment_proposal("p1", "I am a person", "ann")
    monkeypatch.setattr(write_limits, "HOUR", timedelta(0))
    assert not call_tool(agents, "comment_on_proposal", comment, "agent:3").failed


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_server_killed_while_it_stores_leaves_all_or_nothing(scanned, tmp_path, seconds):
    bench = copied(scanned, tmp_path)
    train = bench.state().query("split == 'train'").index
    changes = [dict(sample=s, keep=False) for s in train]

    async def work(printed):
        async with over_http(printed) as client:
            given = dict(title="all", changes=changes)
            asked = asyncio.create_task(client.call_tool("propose_changes", given))
            await asyncio.sleep(seconds)
            os.kill(printed["pid"], signal.SIGKILL)
            asked.cancel()

    with http_server(bench) as printed:
        try:
            run(asyncio.wait_for(work(printed), 20))
        except BaseException as e:  # whatever a client says of a server that is gone
            assert not isinstance(e, KeyboardInterrupt | AssertionError)
    assert [p.n_changes for p in bench.proposals()] in ([], [len(train)])
    assert not bench.check()
