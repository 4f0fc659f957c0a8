"""Approvals of a proposal: by change, and void where what stands changed since."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownSample, UserError
from assay.curation.splits import LOCKED
from assay.curation.statistics.sampling import shuffle_samples
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.versioning import proposals, states
from assay.curation.versioning.live_edits import SLOT
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.proposals import Event, Proposal

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# the last edit of each slot that a proposal would change
LAST = f"""select sample, {SLOT} as slot, max(seq) as seq, max(ts) as ts, arg_max(who, seq) as who
from edits semi join wanted using (sample) where field in ('label', 'keep', 'split', 'tag') group by all"""


def approve_proposal(
    bench: Bench, name: str, who: str, samples: Iterable[str] | None = None, text: str = ""
) -> Proposal:
    """Approve an open proposal, or some of its samples.

    It holds until somebody changes what stands there. UserError for samples that it does not change."""
    return _vote(bench, name, "approve", who, samples, text)


def reject_proposal(
    bench: Bench, name: str, who: str, samples: Iterable[str] | None = None, text: str = ""
) -> Proposal:
    """Reject an open proposal, or some of its samples: they are not merged."""
    return _vote(bench, name, "reject", who, samples, text)


def _vote(
    bench: Bench, name: str, event: str, who: str, samples: Iterable[str] | None, text: str
) -> Proposal:
    if samples is None:
        return proposals.say_about(bench, name, event, who, text)
    asked = sorted(set(map(str, samples)))
    known = set(proposals.read_changes(bench, name)["sample"])
    if odd := [s for s in asked if s not in known]:
        raise UnknownSample(
            f"expected samples that {name} changes, found {format_count(len(odd), 'other')}, first {odd[0][:40]}",
            f"`assay proposal show {name}` lists them",
            odd[0],
            (),
        )
    if not asked:
        raise UserError(
            f"expected samples of {name}, found none", "leave the choice out to speak of all of it"
        )
    return proposals.say_about(bench, name, event, who, text, samples=asked)


def judge_changes(bench: Bench, name: str, needed: int = 1) -> pd.DataFrame:
    """Say of each change of a proposal what a merge would do with it.

    needed: how many people must approve. A frame as read_changes, and slot, stands (JSON: now), last_who (who edited
    it last), approved_by and rejected_by (tuples of people), void (approvals that a later edit made void), status:
    conflict (somebody edited it since), locked, rejected, approved or waiting.
    """
    with bench.connect() as con:
        return find_judged(con, proposals.find_proposal(con, name), needed)


def find_judged(
    con: duckdb.DuckDBPyConnection, proposal: Proposal, needed: int = 1
) -> pd.DataFrame:
    """Judge the changes of a proposal: see judge_changes."""
    import pandas as pd

    frame = proposals.find_changes(con, proposal)
    standing = states.read_current_values(con, frame["sample"].unique())
    at = standing.index.get_indexer(frame["sample"])
    there = at >= 0
    frame["slot"] = [
        f if f != "tag" else f"tag:{json.loads(v)['name']}"
        for f, v in zip(frame.field, frame.value)
    ]
    found = proposals.read_slots(standing, frame[there])
    written = {value: json.dumps(value) for value in set(found)}
    stands = pd.Series(None, frame.index, object)
    stands[there] = [written[value] for value in found]
    register_values(con, "wanted", frame["sample"].unique().tolist())
    last = con.execute(LAST).df().set_index(["sample", "slot"])
    last = last.reindex(pd.MultiIndex.from_frame(frame[["sample", "slot"]]))
    seq, ts = last.seq.fillna(0).to_numpy("i8"), last.ts.to_numpy("M8[us]")
    voted = count_votes(proposal, frame["sample"].to_numpy(object), seq, ts)
    frame["stands"], frame["last_who"] = stands, last.who.to_numpy(object)
    frame["approved_by"], frame["rejected_by"], frame["void"] = voted
    edited = is_later(seq, ts, proposal.upto, proposal.opened) | (stands != frame.was).to_numpy()
    locked = standing.split.isin(LOCKED).to_numpy()[at] & there
    counts = {by: len(set(by) - {proposal.author}) >= needed for by in set(voted[0])}
    enough = np.array([counts[by] for by in voted[0]], bool)
    frame["status"] = np.select(
        [locked, ~there | edited, [bool(by) for by in voted[1]], enough],
        ["locked", "conflict", "rejected", "approved"],
        "waiting",
    )
    # it came into test since: what an audit said of it there, nobody is shown
    frame.loc[locked, ["stands", "last_who"]] = None
    return frame


def is_later(seq: np.ndarray, ts: np.ndarray, upto: int, when: datetime) -> np.ndarray:
    """Tell which edits came after a position and a time, (n,) bool.

    By time, too: what a merge of copies brings comes late in the log."""
    return (seq > upto) | (ts > np.datetime64(when, "us"))


def count_votes(
    proposal: Proposal, samples: np.ndarray, seq: np.ndarray, ts: np.ndarray
) -> tuple[list[tuple], list[tuple], np.ndarray]:
    """Count who approves and who rejects each change.

    samples, seq, ts (n,): of the changes, and of the last edit there. Each person's last word counts. Returns
    (approved by, rejected by, void approvals (n,)).
    """
    n = len(samples)
    said: dict[str, np.ndarray] = {}  # by person: 1 approved, -1 rejected, 2 approved, and void
    for event in proposal.select_events("approve", "reject"):
        rows = select_rows(event, samples)
        void = is_later(seq, ts, event.seq, event.ts)
        word = said.setdefault(event.who, np.zeros(n, "i1"))
        word[rows] = np.where(void, 2, 1)[rows] if event.about["event"] == "approve" else -1
    people = sorted(said)
    table = np.array([said[who] for who in people], "i1").reshape(len(people), n)
    return _name(table == 1, people), _name(table == -1, people), (table == 2).sum(0)


def _name(table: np.ndarray, people: list[str]) -> list[tuple]:
    """Name the people of each column: (p, n) bool -> n tuples."""
    kinds, which = np.unique(table, axis=1, return_inverse=True)
    named = [tuple(w for w, yes in zip(people, kind) if yes) for kind in kinds.T]
    return [named[i] for i in np.ravel(which)] if len(people) else [()] * table.shape[1]


def select_rows(event: Event, samples: np.ndarray) -> np.ndarray:
    """Select the changes of which an approval or rejection speaks, (n,) bool."""
    chosen: Collection[str] | None = event.about.get("samples")
    if chosen is None:
        return np.ones(len(samples), bool)
    chosen = set(chosen)
    return np.array([s in chosen for s in samples], bool)


def draw_first_looks(proposal: Proposal, samples: Iterable[str], n: int) -> list[str]:
    """Draw the samples of a proposal to look at first, at random.

    The draw has a name of its own, so it is drawn for nothing else. It is that of the changes: who closes a proposal
    and opens it again does not get another sample."""
    return shuffle_samples(dict.fromkeys(samples), f"proposal {proposal.draw}")[:n]


def count_looks(proposal: Proposal, samples: Iterable[str], n: int) -> tuple[list[str], int, int]:
    """Count what people said of the first n random samples of a proposal.

    Returns (these samples, how many were looked at, and found wrong). Only who names a sample has looked at it, and
    never the author. What anybody rejected is wrong.
    """
    drawn = draw_first_looks(proposal, samples, n)
    said: dict[tuple[str, str], bool] = {}
    for event in proposal.select_events("approve", "reject"):
        for sample in event.about.get("samples") or ():
            said[sample, event.who] = event.about["event"] == "reject"
    words: dict[str, list[bool]] = {}
    for (sample, who), wrong in said.items():
        if who != proposal.author:
            words.setdefault(sample, []).append(wrong)
    looked = [any(words[s]) for s in drawn if s in words]
    return drawn, len(looked), sum(looked)
