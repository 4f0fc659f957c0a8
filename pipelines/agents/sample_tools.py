"""Tools that look at samples."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from assay.curation.errors import UnknownSample
from assay.curation.media import relocation
from assay.curation.media.base import read_texts
from assay.curation.splits import LOCKED
from assay.pipelines.agents.agent_bench import AgentBench, Answer, Arguments, to_rows
from assay.pipelines.agents.data_marking import unescape_text
from assay.pipelines.agents.sample_query import query_samples
from assay.pipelines.reports.sample_pictures import load_pictures

SIDE = 512  # pixels of a picture's longer side
MOST_ROWS = 200
MOST_SAMPLE_TEXT = 20_000  # characters of a sample that is a text


class FindSamples(Arguments):
    """A condition, an order and words."""

    where: str = Field("", description="what follows WHERE in SQL, over the columns of samples")
    sort: str = Field("", description="columns to sort by, as in: score, key desc")
    search: str = Field("", description="words that key or metadata hold")
    columns: list[str] | None = Field(None, description="columns of the rows")
    limit: int = Field(50, ge=1, le=MOST_ROWS)


class QuerySamples(Arguments):
    """One SELECT."""

    query: str = Field(description="one SELECT over the table samples", max_length=20_000)
    limit: int = Field(50, ge=1, le=MOST_ROWS)


class ShowSample(Arguments):
    """One sample."""

    sample: str = Field(description="its id or key, as samples are listed")
    picture: bool = Field(True, description="whether its picture comes along")


def list_columns(agents: AgentBench, asked: Arguments, agent: str) -> Answer:
    """List the columns that a condition or a query may ask for."""
    with agents.open_table() as table:
        columns = [
            dict(name=c.name, kind=c.kind, hidden_for_test=c.hidden_for_test, says=c.says)
            for c in table.columns.values()
        ]
    return Answer(dict(columns=columns))


def find_samples(agents: AgentBench, asked: FindSamples, agent: str) -> Answer:
    """Find samples by a condition, sorted."""
    given = asked.model_dump()
    if asked.columns is not None:
        given["columns"] = [unescape_text(name) for name in asked.columns]
    with agents.open_table():
        rows = agents.bench.samples(**given)
    told = {name: rows.attrs[name] for name in ("found", "locked", "notes")}
    return Answer(told | dict(rows=to_rows(rows)))


def run_query(agents: AgentBench, asked: QuerySamples, agent: str) -> Answer:
    """Answer one SELECT over the columns of samples."""
    rows = query_samples(agents, asked.query, asked.limit)
    return Answer(dict(columns=[str(c) for c in rows], rows=rows_as_lists(rows)))


def rows_as_lists(rows: Any) -> list[list]:
    """Write rows as lists: a query may call two columns the same."""
    rows = rows.set_axis([str(n) for n in range(rows.shape[1])], axis=1)
    return [list(row.values()) for row in to_rows(rows)]


def show_sample(agents: AgentBench, asked: ShowSample, agent: str) -> Answer:
    """Show one sample: its columns, its issues, its picture."""
    bench, sample = agents.bench, find_sample(agents, unescape_text(asked.sample))
    state = bench.state(samples=[sample])
    locked = state["split"].iloc[0] in LOCKED
    with agents.open_table() as table:
        at = table.snapshot.state.index.get_indexer([sample])
        row = to_rows(
            table.rows(at, [c for c in table.columns if c not in ("sample", "similarity")])
        )[0]
    data = dict(sample=sample) | {k: v for k, v in row.items() if v is not None}
    data["found_by_scan"] = (
        None if locked else list_issues(agents, sample, bool(row.get("reviewed")))
    )
    texts = read_texts(bench, state.content_hash)
    if texts is not None:
        data["text"] = texts[0]
    jpeg = load_picture(agents, state) if asked.picture and texts is None else None
    data["picture"] = jpeg is not None
    return Answer(data, jpeg, MOST_SAMPLE_TEXT)


def find_sample(agents: AgentBench, name: str) -> str:
    """Find a sample by its id or key."""
    query = "select id from samples where id = ? or key = ? order by id = ? desc limit 1"
    found = agents.bench.rows(query, [name, name, name])
    if (
        not found
        or found[0][0] not in agents.bench.state(columns=["keep"], samples=[found[0][0]]).index
    ):
        raise UnknownSample(
            f"expected a sample of this bench, found {name[:60]!r}",
            "find_samples lists them",
            name,
            (),
        )
    return found[0][0]


def list_issues(agents: AgentBench, sample: str, reviewed: bool) -> list[dict]:
    """List what the scan found about one sample, worst first."""
    query = "select kind, score, suggestion, why from issues where sample = ? order by score"
    rows = to_rows(agents.bench.query(query, [sample]))
    return [row for row in rows if not (reviewed and row["kind"] == "label")]


def load_picture(agents: AgentBench, state: Any) -> bytes | None:
    """Encode a sample's image anew, of SIDE pixels at most.

    None where it cannot be read.
    """
    uri = relocation.current_uri(agents.bench, state.index[0], state.uri.iloc[0])
    frame = state.assign(uri=uri, was="", now="", text="").reset_index(names="sample")
    return load_pictures(frame, agents.bench, SIDE)[0]["jpeg"]
