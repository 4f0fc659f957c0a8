"""Tools that look at the bench: status, issues, gaps, versions, runs.

Of test and guard samples they tell how many there are, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from assay.curation.errors import NotScanned
from assay.pipelines.agents.agent_bench import AgentBench, Answer, Arguments, to_rows
from assay.pipelines.agents.data_marking import unescape_text

if TYPE_CHECKING:
    import pandas as pd

COUNTED = ("split", "label", "reviewed", "flagged")
RUN_COLUMNS = "key version arch seed n_train seconds accuracy low high n failed ts".split()
LISTED = "relabelled added removed moved tagged".split()


class ListIssues(Arguments):
    """Which issues."""

    kind: str | None = Field(None, description="one kind, as status counts them; all without it")
    limit: int = Field(50, ge=1, le=200)


class ListGaps(Arguments):
    """How many gaps."""

    limit: int = Field(20, ge=1, le=100)


class CompareVersions(Arguments):
    """Two versions."""

    a: str = Field(description="a version, as status lists them")
    b: str = Field("HEAD", description="another; HEAD is the data as they are now")
    limit: int = Field(50, ge=1, le=200, description="rows of each list")


class ListRuns(Arguments):
    """How many runs."""

    limit: int = Field(50, ge=1, le=200)


def show_status(agents: AgentBench, asked: Arguments, agent: str) -> Answer:
    """Summarise the bench; counts by label leave test and guard out."""
    bench = agents.bench
    with agents.open_table() as table:
        facets = table.facets(names=[name for name in COUNTED if name in table.columns])
        samples = len(table)
    commits = bench.commits()
    try:
        kinds = read_issues(agents, None).kind.value_counts()
        issues = {kind: int(n) for kind, n in kinds.items()}
    except NotScanned:
        issues = None
    return Answer(
        dict(
            samples=samples,
            counts={
                f.name: dict(values=f.values, more=f.more, missing=f.missing, not_counted=f.locked)
                for f in facets
            },
            versions=to_rows(
                commits[[c for c in ("name", "message", "who") if c in commits]].tail(20)
            ),
            scanned=issues is not None,
            issues=issues,
            runs=len(bench.runs()),
            log_position=table.upto,
        )
    )


def read_issues(agents: AgentBench, kind: str | None) -> pd.DataFrame:
    """Read the open issues but those of test and guard."""
    found = agents.bench.issues(kind)
    return found[~found["sample"].isin(agents.find_locked())]


def list_issues(agents: AgentBench, asked: ListIssues, agent: str) -> Answer:
    """List the open issues, worst first."""
    rows = read_issues(agents, asked.kind)
    return Answer(dict(found=len(rows), rows=to_rows(rows.head(asked.limit))))


def list_gaps(agents: AgentBench, asked: ListGaps, agent: str) -> Answer:
    """List where data are missing, ranked."""
    from assay.curation.slicing.gaps import find_gaps

    rows = find_gaps(agents.bench)
    return Answer(
        dict(
            found=len(rows),
            judged_on="val, by its labels as given",
            rows=to_rows(rows.head(asked.limit)),
        )
    )


def compare_versions(agents: AgentBench, asked: CompareVersions, agent: str) -> Answer:
    """List what one version has that another has not."""
    a, b = unescape_text(asked.a), unescape_text(asked.b)
    found, locked = agents.bench.diff(a, b), agents.find_locked(a, b)
    parts: dict[str, Any] = {}
    for name in LISTED:
        rows = found[name]
        if name != "moved":  # a split is no secret
            rows = rows[~rows["sample"].isin(locked)]
        parts[name] = dict(n=len(rows), rows=to_rows(rows.head(asked.limit)))
    renamed = to_rows(found["renamed"][["from", "to"]])
    left = "labels, tags, comings and goings of test and guard samples"
    return Answer(dict(a=a, b=b, left_out=left, renamed=renamed) | parts)


def list_runs(agents: AgentBench, asked: ListRuns, agent: str) -> Answer:
    """List finished runs with their accuracy on val."""
    rows = agents.bench.runs("val")
    rows = rows[[c for c in RUN_COLUMNS if c in rows]]
    return Answer(dict(found=len(rows), judged_on="val", rows=to_rows(rows.tail(asked.limit))))
