"""Proposals: changes that stand beside the data until somebody merges them.

A proposal lies in the log as edits of the field `proposal`, which name no sample: nothing that reads states, votes,
history or undo counts them. One row is an event (open, comment, approve, reject, check, merge, close); the batch that
opens it has a row for each change, too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.curation.errors import UnknownName, UserError
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import read_task
from assay.curation.text import MAX_NAME, MAX_TEXT, check_text
from assay.curation.versioning import edits, states
from assay.curation.versioning.changes import find_known_labels, read_former_names
from assay.curation.versioning.class_names import ClassNames, offer_names

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

KIND = "proposal"
EVENTS = """select seq, ts, who, why, value::varchar from edits
where field = 'proposal' and json_exists(value, '$.event') order by seq"""
CHANGES = """select seq, value ->> 'sample' as sample, value ->> 'field' as field,
    (value -> 'value')::varchar as value, (value -> 'was')::varchar as was, verdict, why,
    suggested::varchar as suggested, seconds, who
from edits where field = 'proposal' and value ->> 'proposal' = ? and json_exists(value, '$.sample') order by seq"""


class UnknownProposal(UnknownName):
    """A proposal that the log has not."""

    code = "unknown_proposal"


class Event(NamedTuple):
    """What somebody said or did about a proposal."""

    seq: int  # its position in the log
    ts: datetime
    who: str
    text: str
    about: dict[str, Any]  # its value in the log: event, samples, ...


@dataclass(frozen=True)
class Proposal:
    """A proposal as it stands, without its changes."""

    name: str  # p1, p2, ...: by their order in this log
    uid: str  # the same in every copy of the bench
    title: str
    who: str
    labeller: str  # the rule, model or agent whose changes they are; "" for the person's own
    source: str
    status: str  # open, merged or closed
    n_changes: int
    n_samples: int
    opened: datetime
    upto: int  # the position in the log at which it was opened
    draw: str  # names the random order of its samples: the same for the same changes
    events: tuple[Event, ...] = ()  # all since, oldest first

    def select_events(self, *kinds: str) -> list[Event]:
        """Select its events of some kinds, oldest first."""
        return [e for e in self.events if e.about["event"] in kinds]

    @property
    def author(self) -> str:
        """Whose changes they are: their own approval does not count."""
        return self.labeller or self.who

    @property
    def comments(self) -> list[Event]:
        """What was said about it."""
        return self.select_events("comment")

    @property
    def approvals(self) -> list[str]:
        """Who has approved it or some of its samples, and not rejected it as a whole since."""
        last = {e.who: e for e in self.select_events("approve", "reject") if whole(e)}
        some = {e.who for e in self.select_events("approve")}
        return sorted(w for w in some if w not in last or last[w].about["event"] == "approve")

    @property
    def rejections(self) -> list[str]:
        """Who has rejected it as a whole, and not approved it since."""
        last = {e.who: e for e in self.select_events("approve", "reject") if whole(e)}
        return sorted(who for who, e in last.items() if e.about["event"] == "reject")

    @property
    def checks(self) -> list[Event]:
        """The measurements that were made of it."""
        return self.select_events("check")

    @property
    def batch(self) -> str | None:
        """The batch that merged it."""
        return next((e.about["batch"] for e in self.select_events("merge")), None)


def whole(event: Event) -> bool:
    """Tell whether an approval or rejection speaks of all samples."""
    return event.about.get("samples") is None


def open_proposal(
    bench: Bench,
    title: str,
    changes: pd.DataFrame,
    who: str,
    labeller: str = "",
    source: str = "",
    new_classes: Iterable[str] = (),
) -> Proposal:
    """Open a proposal; nothing of the data changes.

    changes: a frame of decisions (see changes.apply_decisions), checked against what stands now. labeller: the rule,
    model or agent whose they are. source: where they come from, for whoever reads. new_classes: labels that no sample
    has had. UserError names every bad row, locked samples too, and nothing is stored.
    """
    check_person(who)
    for text, noun in ((title, "a title"), (labeller, "a labeller"), (source, "a source")):
        check_text(text, noun, MAX_NAME if noun == "a labeller" else MAX_TEXT)
    if not title.strip():
        raise UserError("expected a title of the proposal, found none", 'say --title "..."')
    uid = uuid.uuid4().hex
    with bench.transaction() as con:
        rows = plan_changes(bench, con, changes, new_classes)
        opened = dict(
            proposal=uid, event="open", title=title, labeller=labeller, source=source,
            changes=len(rows), samples=rows["sample"].nunique(), draw=hash_changes(rows),
        )  # fmt: skip
        append_rows(bench, con, opened, who, rows=rows)
    return next(p for p in list_proposals(bench) if p.uid == uid)


def plan_changes(
    bench: Bench,
    con: duckdb.DuckDBPyConnection,
    decisions: pd.DataFrame,
    new_classes: Iterable[str],
) -> pd.DataFrame:
    """Plan what a frame of decisions would change: edits, and what `was` (JSON)."""
    known = find_known_labels(bench, con, decisions) | set(new_classes)
    decisions, _ = read_former_names(con, decisions, known)
    standing = states.read_current_values(con, decisions["sample"] if "sample" in decisions else ())
    rows = edits.plan_edits(standing, known, decisions, read_task(con))
    if not len(rows):
        raise UserError(
            "expected changes to propose, found none: all of it stands already",
            "propose what differs from what stands",
        )
    return rows.assign(was=[json.dumps(v) for v in read_slots(standing, rows)])


def hash_changes(rows: pd.DataFrame) -> str:
    """Hash what changes ask for, in no order.

    Whoever opens the same changes again gets the same random sample to look at."""
    asked = sorted(map(" ".join, zip(rows["sample"], rows.field, rows.value)))
    return sha256("\n".join(asked).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_slots(standing: pd.DataFrame, rows: pd.DataFrame) -> list[Any]:
    """Read what stands where the changes `rows` would go.

    standing: what stands for their samples. A tag's is a bool."""
    at = standing.index.get_indexer(rows["sample"])
    columns = {name: standing[name].tolist() for name in ("label", "keep", "split", "tags")}
    found = []
    for i, field, value in zip(at, rows.field, rows.value):
        if field == "tag":
            found.append(json.loads(value)["name"] in columns["tags"][i])
        else:
            value = columns[field][i]
            found.append(bool(value) if field == "keep" else value)
    return found


def append_rows(
    bench: Bench,
    con: duckdb.DuckDBPyConnection,
    event: dict[str, Any],
    who: str,
    text: str = "",
    rows: pd.DataFrame | None = None,
) -> None:
    """Append an event, and the changes that it opens with, as one batch."""
    import pandas as pd

    frame = pd.DataFrame(
        dict(value=[json.dumps(event)], verdict="set", why=text, suggested=None, seconds=None)
    )
    if rows is not None:
        begin = f'{{"proposal": "{event["proposal"]}", "sample": '
        value = [
            f'{begin}{json.dumps(sample)}, "field": "{field}", "value": {value}, "was": {was}}}'
            for sample, field, value, was in zip(rows["sample"], rows.field, rows.value, rows.was)
        ]
        columns = rows[["verdict", "why", "suggested", "seconds"]]
        frame = pd.concat([frame.astype(dict(seconds="f8")), columns.assign(value=value)])
    bench.append(con, frame.assign(sample="", field=KIND), new_batch(KIND), who)


def list_proposals(bench: Bench) -> list[Proposal]:
    """List every proposal of the log, oldest first."""
    with bench.connect() as con:
        return find_proposals(con)


def find_proposals(con: duckdb.DuckDBPyConnection) -> list[Proposal]:
    """Read every proposal from the log, oldest first."""
    found: dict[str, Proposal] = {}
    later: dict[str, list[Event]] = {}
    for seq, ts, who, why, value in con.execute(EVENTS).fetchall():
        about = json.loads(value)
        uid = about["proposal"]
        if about["event"] != "open":
            later.setdefault(uid, []).append(Event(seq, ts, who, why, about))
        elif uid not in found:
            found[uid] = Proposal(
                f"p{len(found) + 1}", uid, about["title"], who, about["labeller"], about["source"],
                "open", about["changes"], about["samples"], ts, seq - 1, about.get("draw", uid),
            )  # fmt: skip
    return [_end(replace(p, events=tuple(later.get(p.uid, ())))) for p in found.values()]


def _end(proposal: Proposal) -> Proposal:
    ends = proposal.select_events("merge", "close")
    said = dict(merge="merged", close="closed")
    return replace(proposal, status=said[ends[0].about["event"]]) if ends else proposal


def read_proposal(bench: Bench, name: str) -> Proposal:
    """Read one proposal by its name, p1, or the beginning of its uid."""
    with bench.connect() as con:
        return find_proposal(con, name)


def find_proposal(con: duckdb.DuckDBPyConnection, name: str, is_open: bool = False) -> Proposal:
    """Find a proposal; UserError where there is none, or with `is_open` where it has ended."""
    known = find_proposals(con)
    said = str(name)
    found = [p for p in known if p.name == said or (len(said) >= 8 and p.uid.startswith(said))]
    if len(found) != 1:
        names = [p.name for p in known]
        raise UnknownProposal(
            f"expected a proposal of this bench, found {said!r:.60}",
            "`assay proposal list` lists them",
            said,
            names,
        )
    if is_open and found[0].status != "open":
        raise UserError(
            f"expected an open proposal, found {found[0].name} {found[0].status}",
            "open another: assay proposal open",
        )
    return found[0]


def read_changes(bench: Bench, name: str) -> pd.DataFrame:
    """Read the changes of a proposal.

    A frame seq, sample, field, value, was (JSON: what stood when it was opened), verdict, why, suggested (JSON),
    seconds, who; in their order. Labels are called as their classes are called now.
    """
    with bench.connect() as con:
        return find_changes(con, find_proposal(con, name))


def find_changes(con: duckdb.DuckDBPyConnection, proposal: Proposal) -> pd.DataFrame:
    """Read the changes of a proposal from the log."""
    names = offer_names(con)
    frame = con.execute(CHANGES, [proposal.uid]).df()
    for column in ("sample", "field", "value", "was", "verdict", "why", "who"):
        frame[column] = frame[column].astype(object)  # texts of Arrow are slow to go through
    if names.renames:
        is_label = frame.field == "label"
        for column in ("value", "was"):
            called = _call(names, frame.loc[is_label, column], frame.seq[is_label])
            frame.loc[is_label, column] = called
    return frame


def _call(names: ClassNames, values: pd.Series, seqs: pd.Series) -> list[str]:
    found = zip(map(json.loads, values), map(int, seqs))
    return [json.dumps(v if v is None else names.find_label(v, seq)) for v, seq in found]


def say_about(
    bench: Bench, name: str, event: str, who: str, text: str = "", **about: Any
) -> Proposal:
    """Append an event to an open proposal.

    event: comment, approve, reject, check or close. text: in words."""
    check_person(who)
    check_text(text, "a comment", MAX_TEXT)
    with bench.transaction() as con:
        proposal = find_proposal(con, name, is_open=True)
        append_rows(bench, con, dict(proposal=proposal.uid, event=event, **about), who, text)
        return find_proposal(con, proposal.name)


def comment_proposal(bench: Bench, name: str, text: str, who: str) -> Proposal:
    """Say something about an open proposal."""
    if not text.strip():
        raise UserError(
            "expected a comment, found no text", 'as in: assay proposal comment p1 "..."'
        )
    return say_about(bench, name, "comment", who, text)


def close_proposal(bench: Bench, name: str, who: str, text: str = "") -> Proposal:
    """End a proposal without merging it."""
    return say_about(bench, name, "close", who, text)


def check_person(who: str) -> None:
    """Refuse nobody as the one who says something."""
    if not who:
        raise UserError("expected to know who it is, found nobody", "say --who NAME")
