"""Make the edits of an import.

They say what is new, changed, moved, back or gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import Question
from assay.curation.formats.base import ImportOptions
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END, PERSON_KINDS
from assay.curation.text import format_count
from assay.curation.times import now, to_stored
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE, VOTE
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.rules import make_rule_edit
from assay.curation.versioning.states import hash_tree
from assay.pipelines.indexing.recognition import Incoming

if TYPE_CHECKING:
    import pandas as pd


class Relabelled(NamedTuple):
    """A row whose label is not what its source gave before."""

    row: tuple  # of the frame, by itertuples
    stands: dict  # split, label, verdict, who and reviewed of its sample
    decided: str  # the batch in which a person decided about the label, or ""


class ImportEdits(NamedTuple):
    """The edits of an import, and how many samples they concern."""

    frame: pd.DataFrame  # sample, field, value (JSON), verdict, why, origin
    votes: (
        pd.DataFrame
    )  # the same and who, ts: what people said elsewhere; below the frame in the log
    moved: int
    relabelled: int
    left_alone: int  # the source has another label than the person who decided


def make_edits(bench: Bench, incoming: Incoming, batch: str, options: ImportOptions) -> ImportEdits:
    """Make the edits that an import appends.

    They bring a source's samples to what it says now.
    Raises UserError where too much is gone, or locked labels or the frozen test split would change unasked.
    """
    import pandas as pd

    refuse_loss(incoming, options)
    votes = make_votes(bench, incoming, batch)
    found = find_relabelled(bench, incoming, set(votes["sample"]))
    given = incoming.old.given_label
    changes = [change for change in found if change.row.label != given[change.row.Index]]
    answered = [change for change in found if change.row.label == given[change.row.Index]]
    # a source that says by now what people decided here changes nothing
    locked = [
        change
        for change in changes
        if change.stands["split"] in LOCKED and change.row.label != change.stands["label"]
    ]
    if locked and not options.refreeze_test:
        raise refuse_locked(incoming, locked)
    of = f"import of {incoming.name}"
    edits = [
        *edit_new(incoming, of, batch),
        *edit_relabelled(changes, f"{of}: the source changed it", of, batch),
        *edit_relabelled(answered, f"{of}: votes came", of, batch),
        *edit_known(incoming, of, batch),
        *(
            (i, "keep", False, "set", f"{of}: it is gone", batch)
            for i in incoming.gone_samples.index
        ),
    ]
    rule = freeze_test_split(bench, incoming, options, bool(locked))
    if rule:
        why = of + (": test labels declared audited" if options.audited_test else "")
        edit = make_rule_edit(rule, why)
        edits.append((edit.sample, edit.field, edit.value, "set", edit.why, batch))
    frame = pd.DataFrame(edits, columns=["sample", "field", "value", "verdict", "why", "origin"])
    frame["value"] = [json.dumps(value) for value in frame["value"]]
    left_alone = sum(bool(c.decided) and c.row.label != c.stands["label"] for c in changes)
    moved = int((frame.field == "place").sum())
    return ImportEdits(frame, votes, moved, len(changes) - left_alone, left_alone)


def edit_new(incoming: Incoming, of: str, batch: str) -> Iterator[tuple]:
    """Yield the label, keep and split of new samples.

    A reviewed label outlives changed bytes.
    """
    old = incoming.old
    for row in incoming.new_rows.itertuples():
        i, before = row.Index, row.parent
        if row.label is not None:
            yield i, "label", row.label, "set", of, batch
        yield i, "keep", True, "set", of, batch
        yield i, "split", row.split, "set", of, batch
        if before and old.label[before] not in (None, row.label) and old.reviewed[before]:
            why = f"carried over from {before}, whose bytes changed: unconfirmed"
            yield i, "label", old.label[before], "set", why, batch


def edit_relabelled(changes: list[Relabelled], reason: str, of: str, batch: str) -> Iterator[tuple]:
    """Yield labels that the source changed, or says over new votes.

    After each comes the label that a person decided, if one did.
    """
    for row, stands, decided in changes:
        yield row.Index, "label", row.label, "set", reason, batch
        if decided:  # both are in the log, and the person's stands
            why = f"{of}: {stands['who']}'s stands; the source says {row.label}"
            yield row.Index, "label", stands["label"], stands["verdict"], why, decided


def edit_known(incoming: Incoming, of: str, batch: str) -> Iterator[tuple]:
    """Yield what happened to known samples.

    They moved, are back, or got a label in the pool.
    """
    old = incoming.old
    for row in incoming.known_rows.itertuples():
        i = row.Index
        if row.key != old.key[i] and "id" not in incoming.frame:
            place = dict(key=row.key, uri=row.uri, was=old.key[i])
            yield i, "place", place, "set", f"{of}: it has moved", batch
        if i in incoming.taken_away:
            yield i, "keep", True, "set", f"{of}: it is back", batch
        if row.freed and row.split != old["split"][i]:
            yield i, "split", row.split, "set", f"{of}: it has a label now", batch


def find_relabelled(bench: Bench, incoming: Incoming, voted: set[str]) -> list[Relabelled]:
    """Find rows with another label than before, and the `voted`."""
    old = incoming.old
    given = old.given_label.to_dict()
    rows = [
        row
        for row in incoming.known_rows.itertuples()
        if row.label is not None and (row.label != given[row.Index] or row.Index in voted)
    ]
    if not rows:
        return []
    columns = ["split", "label", "verdict", "who", "reviewed"]
    stands = dict(zip(old.index, old[columns].to_dict("records")))
    with bench.connect() as con:
        register_values(con, "asked", [row.Index for row in rows])
        last = """select sample, arg_max(origin, seq), arg_max(origin_kind, seq) from edits
            where field = 'label' and sample in (select sample from asked) group by 1"""
        origins = con.execute(last).fetchall()
    decided = {
        i: origin
        for i, origin, kind in origins
        if kind in PERSON_KINDS or stands[i]["verdict"] != "set"
    }
    return [Relabelled(row, stands[row.Index], decided.get(row.Index, "")) for row in rows]


def make_votes(bench: Bench, incoming: Incoming, batch: str) -> pd.DataFrame:
    """Make edits of people's answers that the log has not yet.

    They lie below the import's own label, which stands, and go with the import.
    """
    import pandas as pd

    rows = incoming.frame
    lists = rows["votes"] if "votes" in rows else pd.Series(None, rows.index, object)
    said = [(i, vote) for i, votes in lists.items() if isinstance(votes, list) for vote in votes]
    known = read_votes(bench) if said and len(incoming.old) else set()
    columns = ["sample", "field", "value", "verdict", "why", "origin", "who", "ts"]
    edits = []
    for i, vote in said:
        ts = vote["ts"] and to_stored(datetime.fromisoformat(vote["ts"]))
        if (i, vote["who"], ts) in known or (
            ts is None and (i, vote["who"], vote["label"]) in known
        ):
            continue
        why = f"import of {incoming.name}: {vote['who']}'s answer there"
        value = json.dumps(vote["label"])
        edits.append((i, "label", value, "set", why, batch, vote["who"], ts or now()))
    return pd.DataFrame(edits, columns=columns).drop_duplicates(["sample", "who", "ts", "value"])


def read_votes(bench: Bench) -> set[tuple]:
    """Read the votes that imports brought.

    (sample, who, time) and (sample, who, label) of each, labels as they are called now."""
    query = (
        f"with {ALIVE.format(only=f'and {VOTE}')} select sample, who, ts, value ->> '$' from alive"
    )
    with bench.connect() as con:
        offer_names(con)
        rows = con.execute(query, dict(upto=END)).fetchall()
    return {(i, who, ts) for i, who, ts, _ in rows} | {(i, who, label) for i, who, _, label in rows}


# ---- what is refused


def refuse_loss(incoming: Incoming, options: ImportOptions) -> None:
    """Refuse an import that takes away a tenth of its source.

    Unless `yes`.
    """
    gone, kept = incoming.gone_samples, int(incoming.old.keep.sum())
    replaced = int((gone.index.get_indexer(incoming.new_rows.parent) >= 0).sum())
    if len(gone) - replaced > kept / 10 and not options.yes:
        raise Question(
            f"expected most samples of source {incoming.name} to be there still,"
            f" found {len(gone):,} of {kept:,} gone",
            "if that is meant, pass --yes; to add another source beside this one, pass --as NAME",
        )


def refuse_locked(incoming: Incoming, locked: list[Relabelled]) -> Question:
    """Say which label of a locked split the source has changed."""
    old, first = incoming.old, locked[0].row.Index
    return Question(
        f"expected the labels of locked samples to stay, found "
        f"{format_count(len(locked), 'label')} of the {old['split'][first]} split"
        f" that {incoming.name} has changed, first"
        f" {old.key[first]}: {old.label[first]} -> {incoming.frame.label[first]}",
        "if the source is right, pass --refreeze-test: reports before and after do not compare",
    )


def freeze_test_split(
    bench: Bench, incoming: Incoming, options: ImportOptions, relabelled: bool
) -> dict | None:
    """Make the rule that freezes the test split, or None.

    Its membership is frozen, not its labels. Labels that the source changed (`relabelled`) are no longer those that
    somebody audited. Raises Question where a frozen split would change unasked.
    """
    after = state_after(incoming)
    test = after[after.keep & (after["split"] == "test")].assign(label=None)
    there = bench.rows("select 1 from samples limit 1")
    frozen = bench.rules().get("test") if there else None
    tree = hash_tree(test)
    still_audited = frozen and frozen["audited"] and frozen["hash"] == tree and not relabelled
    audited = options.audited_test or bool(still_audited)
    rule = dict(name="test", hash=tree, n=len(test), audited=audited)
    if frozen and frozen["hash"] != tree and not options.refreeze_test:
        raise Question(
            f"expected the frozen test split to stay as it is ({format_count(frozen['n'], 'sample')}),"
            f" found {len(test):,} after this import",
            "draw none (--no-test), send new rows elsewhere (--split-map test=pool), or freeze a new"
            " test split with --refreeze-test: reports before and after do not compare",
        )
    return rule if len(test) and rule != frozen else None


def state_after(incoming: Incoming) -> pd.DataFrame:
    """Return the state after the import of what it may touch.

    Of labels it says nothing.
    """
    import pandas as pd

    state, known = incoming.state, incoming.known_rows
    after = pd.concat(
        [
            state[incoming.gone_samples.index.get_indexer(state.index) < 0],
            incoming.new_rows.assign(keep=True),
        ]
    )
    after.loc[[i for i in known.index if i in incoming.taken_away], "keep"] = True
    labelled = known.index[known.freed.astype(bool)]
    after.loc[labelled, "split"] = known["split"][labelled]
    return after
