"""Which edits people meant by changes in FiftyOne."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.curation import text
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task
from assay.curation.versioning.decision_cells import MOVES
from assay.pipelines.fiftyone.samples import SPLIT_TAGS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = "sample field value was stands verdict why".split()


class Difference(NamedTuple):
    """One field of a sample that somebody changed in FiftyOne."""

    sample: str
    field: str  # label, keep, split or tag
    value: Any  # in FiftyOne; of a tag {"name", "on"}
    was: Any  # when it was pushed; None for a tag


def diff_samples(base: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[Difference]:
    """Yield all that differs between what was pushed and FiftyOne.

    `base`: what was pushed (label, split, tags); `theirs`: what FiftyOne has (label, tags), both by sample. A sample
    that is not there was deleted.
    """
    there = {row.Index: row for row in theirs.itertuples()}
    for was in base.itertuples():
        now = there.get(was.Index)
        if now is None:
            yield Difference(was.Index, "keep", False, True)
            continue
        if now.label != was.label:
            yield Difference(was.Index, "label", now.label, was.label)
        splits = [t for t in now.tags if t in SPLIT_TAGS]
        names = {t for t in now.tags if t not in SPLIT_TAGS}
        if splits != [was.split]:
            yield Difference(was.Index, "split", " ".join(sorted(splits)), was.split)
        for name in sorted(names ^ {t for t in was.tags if t not in SPLIT_TAGS}):
            yield Difference(was.Index, "tag", {"name": name, "on": name in names}, None)


def judge_changes(
    base: pd.DataFrame,
    theirs: pd.DataFrame,
    state: pd.DataFrame,
    since: dict[tuple[str, str, str], str],
    classes: set[str],
    task: Task = classification.TASK,
) -> pd.DataFrame:
    """Judge what differs against the bench as it stands.

    `base` and `theirs`: see diff_samples; `since`: see edits_since. Returns sample, field, value, was, stands, verdict,
    why. verdict: apply; conflict (edited on both sides, to different values); refused.
    """
    import pandas as pd

    out = []
    for sample, field, value, was in diff_samples(base, theirs):
        now = state.loc[sample]
        stands = {**now.to_dict(), "tag": field == "tag" and value["name"] in now.tags}[field]
        if stands == (value["on"] if field == "tag" else value):
            continue  # somebody decided the same here
        why = why_refused(base.split[sample], now, field, value, classes, task)
        other = since.get((sample, field, value["name"] if field == "tag" else ""))
        if field == "keep":  # to delete is to judge all that was seen
            other = other or since.get((sample, "label", ""))
        verdict = "refused" if why else "conflict" if other else "apply"
        words = why or (f"{other} edited it here since the push" if other else "")
        out.append((sample, field, value, was, stands, verdict, words))
    return pd.DataFrame(out, columns=COLUMNS)


def why_refused(
    split: str, now: pd.Series, field: str, value: Any, classes: set[str], task: Task
) -> str | None:
    """Say why the bench cannot take a value, or None.

    `split`: the sample's when it was pushed; `now`: the sample as it stands.
    """
    locked = [s for s in (now.split, split) if s in LOCKED]
    if locked:
        return f"the {locked[0]} split is locked"
    if field == "label":
        if not value:
            return "a label was taken away: delete the sample, or give it another label"
        names = task.members(value)
        flaw = next(filter(None, map(text.find_flaw, names)), None)
        unknown = next((name for name in names if name not in classes), None)
        if flaw or unknown is None:
            return flaw
        return f"a class that is new on purpose needs --new-class {unknown!r}"
    if field == "split" and value not in MOVES:
        return f"expected one of the tags {', '.join(MOVES)}, found {value or 'none'}"
    if field == "tag" and (wrong := text.find_flaw(value["name"])):
        return f"its tag {wrong}"
    if field == "tag" and value["name"] != value["name"].strip().removeprefix("-"):
        return "a tag has no - before it, and no blanks around it"
    if field == "tag" and value["name"].startswith("guard:"):
        return "only assay guard gives a tag guard:..."
    return None


def make_decisions(found: pd.DataFrame) -> pd.DataFrame:
    """Make the decisions that Bench.edit takes: one row a change."""
    import pandas as pd

    rows = [
        {"sample": row.sample, row.field: format_value(row.field, row.value)}
        for row in found.itertuples()
    ]
    return pd.DataFrame(rows, columns=["sample", "label", "keep", "split", "tag"], dtype=object)


def format_value(field: str, value: Any) -> str:
    """Format a value as a sheet of decisions has it."""
    if field == "tag":
        return ("" if value["on"] else "-") + value["name"]
    return str(value).lower() if field == "keep" else value


def edits_since(bench: Bench, pushed: pd.Series) -> dict[tuple[str, str, str], str]:
    """Find who edited what since it was pushed.

    `pushed`: by sample the position in the log at which it was shown. Returns {(sample, field, tag or ""): who}.
    """
    if not len(pushed):
        return {}
    found = bench.rows(
        "select sample, field, coalesce(if(field = 'tag', value ->> 'name', ''), ''), who, seq"
        " from edits where seq > ? order by seq",
        [int(pushed.min())],
    )
    at = pushed.to_dict()
    return {
        (sample, field, tag): who
        for sample, field, tag, who, seq in found
        if seq > at.get(sample, seq)
    }
