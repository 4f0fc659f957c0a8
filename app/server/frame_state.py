"""What the bar above all pages shows: jobs, people and work.

Work is what waits for a review or a commit, and what is assigned.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assay.app.server.people import People
from assay.app.server.running_jobs import list_running
from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.filtering.assignments import list_assignments
from assay.curation.storage.schema import PERSON_KINDS
from assay.curation.times import to_stored
from assay.curation.versioning.commits import next_name
from assay.curation.versioning.history import EDITS_SINCE_COMMIT

if TYPE_CHECKING:
    from assay.app.server.review_session import ReviewSession

FRESH = 0.5  # seconds for which an answer serves everybody who asks
FIRST = 3.0  # seconds in which the first page is drawn, and nothing is scored
TODAY = f"""select who, count(distinct sample) from edits
    where ts >= ? and kind in {PERSON_KINDS} and sample <> '' group by who"""


class FrameState:
    """The state that all open windows of a bench are told.

    It is read when somebody asks, and at most every FRESH seconds; the log is opened only where it moved on.
    """

    def __init__(self, session: Callable[[], ReviewSession]) -> None:
        self.session, self.people, self.lock = session, People(), threading.Lock()
        self.begun = time.monotonic()
        self.closed = False  # the server ends: so do the streams
        self.at, self.told, self.stamp, self.log = 0.0, {}, (), {}  # type: ignore[var-annotated]

    def read(self) -> dict[str, Any]:
        """Read all: dict seq, edits, runs, next, today, waits, assigned, jobs, people."""
        with self.lock:
            if time.monotonic() - self.at > FRESH:
                review = self.session()
                if (
                    review.seq < 0
                    and time.monotonic() - self.begun > FIRST
                    and is_scanned(review.bench)
                ):
                    review.request_rescore()  # while nobody waits, so that the first act need not
                self.refresh_log(review)
                jobs, people = list_running(review.bench), self.people.list_present()
                waits = dict(review=count_waiting(review))
                self.told = self.log | dict(jobs=jobs, people=people, waits=waits)
                self.at = time.monotonic()
            return self.told

    def refresh_log(self, review: ReviewSession) -> None:
        """Read the log again if it or the day has changed."""
        bench, day = review.bench, datetime.now().astimezone().replace(hour=0, minute=0, second=0)
        stamp = (day.date(), review.seq, *read_stamp(review))
        if stamp == self.stamp:
            return
        with bench.connect() as con:
            [(seq,)] = con.execute("select coalesce(max(seq), 0) from edits").fetchall()
            [(edits,)] = con.execute(EDITS_SINCE_COMMIT).fetchall()
            [(runs,)] = con.execute("select count(*) from runs").fetchall()
            names = {name for (name,) in con.execute("select name from commits").fetchall()}
            today = dict(con.execute(TODAY, [to_stored(day)]).fetchall())
        # as of the last re-scoring, which is a moment ago, where there is one
        assigned = list_assignments(bench, state=review.whole and review.whole.state)
        about = assigned[["name", "to", "samples", "reviewed"]].to_dict("records")
        self.log = dict(seq=seq, edits=edits, runs=runs, next=next_name(names))
        self.log |= dict(today=today, assigned=about)
        self.stamp = stamp

    def close(self) -> None:
        """Let the streams end, as the server does."""
        self.closed = True


def read_stamp(review: ReviewSession) -> tuple:
    """Read what changes whenever the log or the commits do.

    The bench is not opened.
    """
    out: list = [review.bench.read_tail()]
    for name in (review.bench.file, review.bench.file.with_name(f"{review.bench.file.name}.wal")):
        with suppress(OSError):
            at = name.stat()
            out.append((name.name, at.st_mtime_ns, at.st_size))
    return tuple(out)


def count_waiting(review: ReviewSession) -> int | None:
    """Count the doubted labels that wait for a review.

    None before they are known.
    """
    with review.lock:
        return None if review.seq < 0 else review.count_doubted()


def read_calmly(state: FrameState) -> dict[str, Any]:
    """Read the state; what was told last where the bench is busy."""
    try:
        return state.read()
    except UserError as e:
        return state.told | dict(error=e.problem)
