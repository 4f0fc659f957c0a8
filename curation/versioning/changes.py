"""Change a bench: edit, undo, redo, revert, and choose whose label stands.

Each appends one batch to the log, or nothing, and brings the scores to the new labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Set
from datetime import datetime
from typing import TYPE_CHECKING

from assay.curation.errors import UserError, suggest_names
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import Task, list_members, read_task
from assay.curation.text import MAX_TEXT, check_text, find_alike
from assay.curation.times import iso_time, to_stored
from assay.curation.versioning import class_list, class_names, edits, later_edits, states, undo
from assay.curation.versioning.decision_cells import DECISIONS, list_unread
from assay.curation.versioning.live_edits import SPOKEN
from assay.curation.versioning.rules import append_rule

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


def apply_decisions(
    bench: Bench,
    decisions: pd.DataFrame,
    who: str,
    why: str = "",
    new_classes: Iterable[str] = (),
    overwrite: bool | None = None,
) -> dict:
    """Apply a frame of decisions as one batch.

    decisions: column sample, and label | keep | split | tag | verdict (confirm, unsure); else why,
    suggested_label, score, rank, random, reason, seconds; given_label, what a confirmation confirms;
    upto, the position in the log at which the row was written.
    new_classes: labels that may be given although no sample has had them. overwrite: whether rows
    change what others have decided after `upto`; None asks, by a Question.
    What the same person has said already is stored no second time, unless there is a new reason.
    Returns {batch, edits, samples, confirmed, restated (confirmations of a label that somebody had
    changed meanwhile), already (samples that were so), newer (samples that others had decided since),
    own_newer (samples that `who` had decided since, and changes back), reasons_left_out (of rows of
    which nothing is stored), unsure, read_as ({a name that was given up: what its class is called
    now}, of the labels that say one), new_classes ({name: names that look like it}), unread_columns
    (of one's own), rescored}. All or nothing: UserError names bad rows.
    """
    if not who:
        raise UserError("expected to know who decides, found nobody", "say --who NAME")
    check_text(why, "a reason", MAX_TEXT)
    batch = new_batch("edit")
    # planned on what stands now, or a confirmation could overwrite somebody's relabelling
    with bench.transaction() as con:
        samples = decisions["sample"] if "sample" in decisions else ()
        before = find_known_labels(bench, con, decisions)
        known = before | set(new_classes)
        decisions, read_as = read_former_names(con, decisions, known)
        standing, task = states.read_current_values(con, samples), read_task(con)
        rows = edits.plan_edits(standing, known, decisions, task)
        if why:
            rows["why"] = rows.why.where(rows.why != "", why)
        rows = later_edits.drop_repeated(con, rows, who)
        later = later_edits.find_newer(con, rows, decisions)
        newer, own = later[later != who], later[later == who]
        own_samples = set(rows["sample"][own.index])
        newer_samples = set(rows["sample"][newer.index])
        if len(newer) and overwrite is None:
            raise later_edits.ask_overwrite(rows, newer)
        if not overwrite:
            rows = rows[~rows["sample"].isin(newer_samples)]
        rows = rows.reset_index(drop=True)
        if len(rows):
            bench.append(con, rows, batch, who)
        left = newer_samples - set(rows["sample"])
        lost = later_edits.count_reasons_left_out(con, decisions, why, left)
    count = rows.verdict.value_counts()
    confirmed = set()
    if "verdict" in decisions:
        confirmed = set(decisions["sample"][decisions["verdict"] == "confirm"])
    relabelled = rows[(rows.field == "label") & (rows.verdict == "set")]
    decided = list_decided(decisions)
    return dict(
        batch=batch if len(rows) else None,
        already=len(decided - set(rows["sample"]) - newer_samples),
        newer=len(newer_samples),
        own_newer=len(own_samples & set(rows["sample"])),
        reasons_left_out=lost,
        restated=int(relabelled["sample"].isin(confirmed).sum()),
        edits=len(rows),
        samples=rows["sample"].nunique(),
        confirmed=int(count.get("confirm", 0)),
        unsure=int(count.get("unsure", 0)),
        read_as=read_as,
        new_classes=list_new(rows, before, task),
        unread_columns=list_unread(decisions.columns, edits.KNOWN)[0],
        rescored=bench.rescore() if len(rows) else False,
    )


def list_decided(decisions: pd.DataFrame) -> set[str]:
    """List the samples about which a frame decides anything."""
    if "sample" not in decisions:
        return set()
    cells = decisions[[c for c in DECISIONS if c in decisions]]
    filled = (cells.notna() & (cells.astype(str) != "")).any(axis=1)
    return set(map(str, decisions["sample"][filled]))


def find_known_labels(
    bench: Bench, con: duckdb.DuckDBPyConnection, decisions: pd.DataFrame | None = None
) -> set[str]:
    """Find every class: declared, or ever the label of a sample.

    As classes are called now. For `decisions` the log is asked only where one has a label that is
    news.
    """
    names, task = class_names.offer_names(con), read_task(con)
    has_labels = decisions is not None and "label" in decisions
    asked = set(map(str, decisions["label"].dropna())) - {""} if has_labels else set()
    # the cells of a sheet say classes only where each says one
    fresh = bench.labels is not None and bench.labels[0] is names and decisions is not None
    fresh = fresh and not task.several
    if not fresh or not asked <= bench.labels[1]:
        found = con.execute(f"""select distinct value ->> '$'
            from {SPOKEN} where field = 'label'""").fetchall()
        labels = set(list_members(task, (label for (label,) in found)))
        bench.labels = names, labels | set(class_list.list_entries(names))
    return bench.labels[1]


def list_new(rows: pd.DataFrame, known: Set[str], task: Task) -> dict[str, list[str]]:
    """List the classes that edits add: {name: similar known names}."""
    labels = (json.loads(value) for value in rows.value[rows.field == "label"].unique())
    said = set(list_members(task, labels))
    near = {name: find_near(name, known) for name in sorted(said - known)}
    return near


def find_near(name: str, known: Set[str]) -> list[str]:
    """Find the known names that may have been meant.

    Those that look the same come first.
    """
    alike = [g for g in find_alike({name, *known}) if name in g]
    same = [other for group in alike for other in group if other != name]
    return list(dict.fromkeys([*same, *suggest_names(name, known)]))


def read_former_names(
    con: duckdb.DuckDBPyConnection, decisions: pd.DataFrame, known: Set[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Replace former class names by those that the classes have now.

    A sheet may have been written before a rename. Returns the decisions, and {old: new} of the
    labels among them.
    """
    names = class_names.read_names(con)
    former = names.former_names(known)
    if not former:
        return decisions, {}
    cells = set(map(str, decisions["label"])) if "label" in decisions else set()
    said = {old for cell in cells for old in former if names.call_cell(cell, {old: ""}) != cell}
    for column in ("label", "given_label", "suggested_label"):
        if column in decisions:
            called = [
                names.call_cell(c, former) if isinstance(c, str) else c for c in decisions[column]
            ]
            decisions = decisions.assign(**{column: called})
    return decisions, {old: new for old, new in former.items() if old in said}


def undo_batch(bench: Bench, batch: str | None = None, who: str = "", rescore: bool = True) -> dict:
    """Undo a batch: restore what stood before it.

    batch: by default the last decision that stands. What somebody edited since is left alone. Undo
    is an edit: undone itself, it is a redo. rescore: whether to bring the scores to what stands
    then, or leave that to the caller.
    Returns {batch, undone, by, restored, left_alone, renames (of classes, that it took back, or
    made again), rescored}.
    """
    with bench.transaction() as con:
        stacks = undo.read_stacks(con)
        names = (
            undo.choose_batches(con, batch)
            if batch
            else [b for b in stacks.done if stacks.kinds[b] in ("edit", "schema")][::-1]
        )
        if not names:
            raise UserError(
                "expected a batch to undo, found none", "`assay log --batches` lists what was done"
            )
        for name in names:  # a batch of which somebody edited every value since is passed over
            if name in stacks.undone:
                kind, plan = "redo", undo.plan_redo(con, name)
            else:
                kind, plan = "undo", undo.plan_undo(con, [name])
            if plan.popped.astype(bool).any():
                break
        out = append_undo(bench, con, plan, kind, f"{kind} of {name}", who)
    rescored = bench.rescore() if out["batch"] and rescore else False
    out["renames"] = describe_renames(plan, kind)
    return out | dict(undone=name, by=stacks.authors[name], rescored=rescored)


def describe_renames(plan: pd.DataFrame, kind: str) -> list[str]:
    """Describe the renames that a plan takes back, or makes again."""
    column = "now" if kind == "undo" else "value"
    rows = plan[(plan.field == "schema") & plan.popped.astype(bool)]
    said = [json.loads(value) for value in rows[column]]
    return [f"{value['from']} -> {value['to']}" for value in said if "from" in value]


def redo_last(bench: Bench, who: str = "") -> dict:
    """Undo the last undo or revert; returns what `undo_batch` returns."""
    with bench.connect() as con:
        undone = undo.read_stacks(con).undone
    if not undone:
        raise UserError(
            "expected a batch to redo, found none", "`assay log --batches` lists what was done"
        )
    return undo_batch(bench, undone[-1], who)


def revert_batches(
    bench: Bench,
    batch: str | None = None,
    of: str | None = None,
    since: datetime | None = None,
    who: str = "",
    dry: bool = False,
    until: datetime | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Revert a batch, or decisions by person or time.

    Later batches may follow them. `of` names a person, `since` and `until` are datetimes with their
    zone, else in local time; all may be given. Values that somebody else edited since are left
    alone. `dry`: only plan. Returns (plan: see undo.plan_undo; what happened: as `undo_batch`).
    """
    start, end = to_stored(since) if since else None, to_stored(until) if until else None
    with bench.connect() if dry else bench.transaction() as con:
        names = undo.choose_batches(con, batch, of, start, end)
        plan = undo.plan_undo(con, names)
        out: dict = dict(batch=None)
        if not dry:
            when = [
                f"since {iso_time(start)}" if start else "",
                f"until {iso_time(end)}" if end else "",
            ]
            why = f"revert of {batch or ' '.join(filter(None, [of, *when]))}"
            out = append_undo(bench, con, plan, "undo", why, who, "revert")
    return plan, out | dict(undone=names, rescored=bench.rescore() if out["batch"] else False)


def append_undo(
    bench: Bench,
    con: duckdb.DuckDBPyConnection,
    plan: pd.DataFrame,
    kind: str,
    why: str,
    who: str,
    name: str | None = None,
    batch: str | None = None,
) -> dict:
    """Append what a plan undoes or redoes as a batch.

    batch: its name, made up by default. Returns {batch (None where it is nothing), restored, left_alone}.
    """
    rows = undo.undo_edits(plan, kind, why)
    batch = (batch or new_batch(name or kind)) if len(rows) else None
    if batch:
        bench.append(con, rows, batch, who)
    return dict(batch=batch, restored=len(rows), left_alone=len(plan) - len(rows))


def set_label_rule(bench: Bench, value: str, who: str) -> dict:
    """Choose whose label stands: the `latest`, or that of the `majority`.

    It holds from here on; older versions stay what they are.
    Returns {batch, changed (labels that change by it), rescored}.
    """
    if value == bench.rule():
        return dict(batch=None, changed=0, rescored=False)
    before = bench.state().label
    batch = append_rule(bench, dict(name="standing", value=value), who)
    after = bench.state().label
    changed = int((after != before.reindex(after.index)).sum())
    return dict(batch=batch, changed=changed, rescored=bench.rescore())
