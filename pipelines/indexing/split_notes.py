"""Say what a drawing of splits assumed, and could not do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from assay.curation.formats.split_shares import Shares
from assay.curation.text import format_count
from assay.pipelines.indexing.split_columns import show_time
from assay.pipelines.indexing.split_options import Drawing, SplitOptions
from assay.pipelines.indexing.split_plan import Rows, SplitPlan

MOST_NAMED = 5  # classes that a note names


def describe_plan(
    drawing: Drawing, rows: Rows, plan: SplitPlan, shares: Shares, options: SplitOptions
) -> Iterator[str]:
    """Describe what was assumed, and where that is not as asked."""
    if not drawing.scanned:
        yield (
            "not every image is scanned: only samples of equal bytes stay together. After assay scan, draw again: "
            "near duplicates stay together then"
        )
    drawn = rows.drawn
    n = int(drawn.sum())
    got = Counter(split for split, asked in zip(plan.splits, drawn) if asked)
    families = [[i for i in family if drawn[i]] for family in plan.families]
    largest = max(map(len, families), default=0)
    free = n - plan.bound
    for split, share in (("val", shares.val), ("test", shares.test)):
        if share and abs(got[split] - share * n) >= 1.5:
            yield (
                f"{split} has {got[split]:,} of {format_count(n, 'drawn sample')} "
                f"({got[split] / n:.1%}), where {share:.1%} was"
                f" asked: groups stay whole (the largest is {largest:,}), and train keeps a sample of every class"
            )
    if plan.bound:
        yield (
            f"{format_count(plan.bound, 'sample', 'belongs', 'belong')} to one that stays in test "
            f"or guard (a group, or nearly equal pictures): "
            f"they go to pool, where nothing is trained on them; {free:,} were drawn"
        )
    if options.group_column and drawing.groups is not None:
        alone = sum(drawing.groups[i] is None for i in drawing.rows[drawn])
        if alone:
            yield f"{format_count(alone, 'sample', 'has', 'have')} no {options.group_column}: each was drawn by itself"
    if drawing.times is not None:
        yield from describe_times(drawing, rows, plan, options)
    for split in [s for s, share in (("val", shares.val), ("test", shares.test)) if share]:
        classes = {rows.labels[i] for i in np.flatnonzero(drawn)}
        seen = {rows.labels[i] for i in np.flatnonzero(drawn) if plan.splits[i] == split}
        if lost := sorted(classes - seen):
            yield f"{split} has no sample of {name_some(lost)}"
    waiting = drawing.whole.keep & (drawing.whole.split == "pool") & drawing.whole.label.notna()
    if not options.pool and waiting.any():
        yield f"{format_count(int(waiting.sum()), 'labelled sample', 'stays', 'stay')} in pool: --pool draws them"


def describe_times(
    drawing: Drawing, rows: Rows, plan: SplitPlan, options: SplitOptions
) -> Iterator[str]:
    """Describe where the splits are cut in time, and what has none."""
    times = rows.times
    for split, cut in plan.cut.items():
        yield f"{split} begins at {options.time_column} {show_time(cut, drawing.values, drawing.times)}"
        here = [s for s, t in zip(plan.splits, times) if t == cut]
        if len(set(here)) > 1:
            yield (
                f"{format_count(len(here), 'sample', 'has', 'have')} just that time: a lot "
                f"decided which of them are in {split}"
            )
    lost = int(np.isnan(times[rows.drawn]).sum())
    if lost:
        yield (
            f"{format_count(lost, 'sample', 'has', 'have')} no {options.time_column}: they count as the oldest,"
            " but for those of a dated group"
        )
    if plan.late:
        yield (
            f"{format_count(sum(plan.late.values()), 'sample', 'is', 'are')} new and stay in train, "
            f"or it would have none of "
            f"{name_some(sorted(plan.late))}"
        )


def name_some(names: list[str]) -> str:
    """Name the first of some classes."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
