"""Limits of what agents write into the log.

An agent names itself, so one that changes its name is another one: what all of them write is limited, too. Both are
counted in the log, whichever server they talk to.
"""

from __future__ import annotations

from datetime import timedelta

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.times import now
from assay.curation.versioning.proposals import list_proposals

OPEN = 20  # proposals of one agent that wait for people
WORDS, ROWS = 300, 50_000  # proposals and comments of all agents in an hour, and changes with them
HOUR = timedelta(hours=1)
WRITTEN = """select count(*) filter (json_exists(value, '$.event')), count(*) from edits
where field = 'proposal' and starts_with(who, 'agent:') and ts > ?"""


def check_open(bench: Bench, agent: str) -> None:
    """Refuse another proposal of an agent of which many wait for people."""
    n = sum(p.status == "open" and p.who == agent for p in list_proposals(bench))
    if n >= OPEN:
        raise UserError(
            f"expected at most {format_count(OPEN, 'open proposal')} of one agent, found {n:,}",
            "wait until people have merged or closed some",
        )


def check_rate(bench: Bench, changes: int = 0) -> None:
    """Refuse what would be more than agents may write in an hour.

    changes: how many it brings."""
    words, rows = bench.rows(WRITTEN, [now() - HOUR])[0]
    if words >= WORDS:
        raise UserError(
            f"expected at most {WORDS:,} proposals and comments of all agents in an hour, found {words:,}",
            "try again in an hour",
        )
    if rows + changes > ROWS:
        raise UserError(
            f"expected at most {format_count(ROWS, 'change')} by all agents in an hour, found {rows:,} and "
            f"{changes:,} more",
            "propose fewer, or try again in an hour",
        )
