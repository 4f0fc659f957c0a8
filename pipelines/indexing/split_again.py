"""Draw train, val and test of a bench anew, as one batch."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import Question, UnknownName, UserError
from assay.curation.formats.split_shares import Shares, parse_shares
from assay.curation.issues.copies import load_copies
from assay.curation.issues.leakage import ignore_leakage_holdout
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.job_locks import shared_lock
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import name_strata, task_of
from assay.curation.text import check_text
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.rules import make_rule_edit
from assay.curation.versioning.states import hash_tree
from assay.pipelines.indexing.split_columns import as_groups, as_times, read_column
from assay.pipelines.indexing.split_notes import describe_plan
from assay.pipelines.indexing.split_options import Drawing, SplitOptions
from assay.pipelines.indexing.split_plan import Rows, SplitPlan, plan_splits
from assay.pipelines.indexing.split_quality import find_leaks, measure_split

if TYPE_CHECKING:
    import pandas as pd


@shared_lock
def split_again(bench: Bench, options: SplitOptions, who: str) -> dict:
    """Draw splits anew and return what changed: see cli/schemas/splits.py.

    Who shares a group, nearly equal pictures or bytes stays in one split. What the scan held out since it gave
    away a sample of another split comes back where it no longer does. UserError before anything is written.
    """
    check_text(who, "who draws them")
    shares = parse_shares(options.shares, options.no_test)
    upto = find_position(bench, "HEAD")
    drawing = read_drawing(bench, options, shares)
    locked = ("guard",) if shares.test else LOCKED
    take = list(drawing.rows)
    rows = Rows(
        ids=list(drawing.whole.index[take]),
        labels=name_strata(task_of(bench), list(drawing.whole.label.iloc[take])),
        splits=list(drawing.whole.split.iloc[take]),
        drawn=drawing.drawn,
        traits=[[t[i] for i in take] for t in (drawing.copies, drawing.groups) if t is not None],
        times=None if drawing.times is None else drawing.times[take],
    )
    plan = plan_splits(rows, shares, options.seed)
    after, back = apply_plan(bench, drawing, plan)
    families = number_families(len(after), take, plan.families)

    def measure(state: pd.DataFrame, whole: pd.DataFrame) -> dict:
        quality = measure_split(bench, state, whole, drawing.groups, families, locked)
        return asdict(quality)

    moved = (after.split != drawing.whole.split) & drawing.whole.keep
    before_after = dict(before=measure(drawing.state, drawing.whole), after=measure(after, after))
    batch = None
    if not options.dry_run:
        batch = write_batch(bench, drawing, after, back, options, who, upto)
    return dict(
        batch=batch,
        shares=str(shares),
        drawn=int(drawing.drawn.sum()),
        moved=int(moved.sum()),
        restored=len(back),
        **before_after,
        notes=list(describe_plan(drawing, rows, plan, shares, options)),
    )


# ---- what is drawn


def read_drawing(bench: Bench, options: SplitOptions, shares: Shares) -> Drawing:
    """Read what is to be drawn; UserError where that may not be."""
    state = bench.state()
    whole = ignore_leakage_holdout(bench, state)
    refuse_frozen(bench, whole, options, shares)
    if options.source is not None and options.source not in set(whole.source):
        known = sorted(set(whole.source))
        raise UnknownName(
            f"expected a source of this bench, found {options.source!r}",
            f"there are {', '.join(known)}",
            options.source,
            known,
        )
    named = ["pool"] if options.pool else ["train", "val", *["test"] * bool(shares.test)]
    ask = (whole.keep & whole.split.isin(named) & whole.label.notna()).to_numpy()
    if options.source is not None:
        ask = ask & (whole.source == options.source).to_numpy()
    if not ask.any():
        where = f" of source {options.source}" if options.source else ""
        raise UserError(
            f"expected labelled samples in {', '.join(named)}{where}, found none",
            "import or label some first; --pool draws those that wait in pool",
        )
    # an unlabelled pool is in no split that could be given away
    play = ask | (whole.keep & whole.split.isin(("train", "val", *LOCKED))).to_numpy()
    groups = times = None
    values: list[Any] = []
    if options.group_column:
        groups = as_groups(read_column(whole, options.group_column, "--group-column"))
    if options.time_column:
        values = read_column(whole, options.time_column, "--time-column")
        times = as_times(values, options.time_column)
    copies, scanned = find_copies(bench, whole, play)
    rows = np.flatnonzero(play)
    return Drawing(state, whole, rows, ask[rows], groups, copies, times, values, scanned)


def refuse_frozen(bench: Bench, whole: pd.DataFrame, options: SplitOptions, shares: Shares) -> None:
    """Refuse to draw a test split where one is frozen, unless asked."""
    n = int((whole.keep & (whole.split == "test")).sum())
    if options.refreeze_test and not shares.test:
        raise UserError(
            "expected one word about the test split, found --refreeze-test and no share for it",
            "leave one of them out: without a share for test, what is in test stays",
        )
    if n and shares.test and not options.refreeze_test:
        raise Question(
            f"expected the frozen test split to stay as it is ({n:,} samples), found a share for test in {shares}",
            "draw train and val alone, as in --no-test with 90/10; or freeze a new test split with "
            "--refreeze-test: reports before and after do not compare, and an audit of the old one no longer counts",
        )


def find_copies(
    bench: Bench, state: pd.DataFrame, play: np.ndarray
) -> tuple[list[str | None], bool]:
    """Name each sample's near-duplicate component (n,).

    Also whether a scan knows them. Whoever is linked to another, through whomever, is in one component: so no pair
    crosses. Equal bytes are one node. Only samples in play (n,) link others.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    try:
        copies = load_copies(bench, state)
    except UserError:
        return list(state.content_hash), False
    node, n = copies.node, len(copies.graph.hashes)
    live = np.zeros(n, bool)
    live[node[play]] = True
    pairs = copies.near[:, :2].astype(int)
    pairs = pairs[live[pairs].all(1)]
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (n, n))
    component = connected_components(links, directed=False)[1]
    return [str(c) for c in component[node]], True


def number_families(n: int, rows: list[int], families: list[list[int]]) -> np.ndarray:
    """Number the family of each sample (n,)."""
    out = np.arange(n)
    for family in families:
        out[[rows[i] for i in family]] = rows[family[0]]
    return out


# ---- what comes of it


def apply_plan(bench: Bench, drawing: Drawing, plan: SplitPlan) -> tuple[pd.DataFrame, list[str]]:
    """Give the state after a plan, and who comes back from hold-out."""
    whole = drawing.whole.copy()
    splits = whole.split.to_numpy(object).copy()
    splits[drawing.rows] = plan.splits
    whole["split"] = splits
    held = whole.keep.to_numpy() & ~drawing.state.keep.to_numpy()
    leaks = find_leaks(bench, whole) if held.any() else {}
    still = np.zeros(len(whole), bool)
    still[list(leaks or {})] = True
    back = held & ~still & np.isin(splits, ("train", "val", "test"))
    whole["keep"] = drawing.state.keep.to_numpy() | back
    return whole, list(whole.index[back])


def write_batch(
    bench: Bench,
    drawing: Drawing,
    after: pd.DataFrame,
    back: list[str],
    options: SplitOptions,
    who: str,
    upto: int,
) -> str | None:
    """Append splits, who comes back, and test's freeze, as one batch."""
    import pandas as pd

    parts = [f"by {c}" for c in (options.group_column, options.time_column) if c]
    why = " ".join(["splits drawn anew", *parts, f"seed {options.seed}"])
    was = drawing.state
    changed = after.index[(after.split != was.split).to_numpy()]
    edits = [(i, "split", json.dumps(after.split[i]), why) for i in changed]
    edits += [(i, "keep", "true", f"{why}: it gives nothing away any more") for i in back]
    test = after[after.keep & (after["split"] == "test")].assign(label=None)
    frozen = bench.rules().get("test")
    rule = dict(name="test", hash=hash_tree(test), n=len(test), audited=False)
    if len(test) and (frozen is None or frozen["hash"] != rule["hash"]):
        edit = make_rule_edit(rule, why)
        edits.append((edit.sample, edit.field, json.dumps(edit.value), edit.why))
    if not edits:
        return None
    batch = new_batch("split")
    frame = pd.DataFrame(edits, columns=["sample", "field", "value", "why"])
    with bench.transaction() as con:
        if con.execute("select coalesce(max(seq), 0) from edits").fetchall() != [(upto,)]:
            raise UserError(
                "expected the bench to stay as it was while splits were drawn, found edits since",
                "run it again",
            )
        bench.append(con, frame, batch, who)
    return batch
