"""Summarise a bench in one dict."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.formats.source_records import SourceRecord, read_records
from assay.curation.issues import finders, listing
from assay.curation.issues.opinions import opinion_kinds
from assay.curation.label_quality import judges, live
from assay.curation.label_quality.live import LiveProbe
from assay.curation.label_quality.model_trust import warn_of_weak_model
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.media.rows import read_column_kinds
from assay.curation.review import label_noise, next_step, progress
from assay.curation.review.next_gain import Outlook, foresee_gain
from assay.curation.review.next_hundred import expect_next, fit_rates, read_written
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import Task, explode_labels, list_members, task_of
from assay.curation.versioning import pointers
from assay.curation.versioning.class_list import order_classes
from assay.curation.versioning.history import EDITS_SINCE_COMMIT

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = "select source, key, reason from left_out order by source, key"


def describe_record(record: SourceRecord) -> dict:
    """Describe how a source was read."""
    named = asdict(record)
    return {name: named[name] for name in ("name", "path", "format", "kind", "roles", "unread")}


def summarize_bench(bench: Bench, version: str = "HEAD") -> dict:
    """Summarise a version: samples, issues, reviews, and what to do next.

    Without `advice` where the version is not the newest. `issues` is None where they cannot be listed
    yet, and `advice` says why.
    """
    state, task = bench.state(version), task_of(bench)
    keep = state.keep.to_numpy(bool)
    sizes = state.split[keep].value_counts()
    out = begin_summary(bench, version, sizes.to_dict(), int((~keep).sum()))
    out["classes"] = order_counts(bench, count_labels(state, task), version)
    out["classes_only_in_test"] = list_only_in_test(bench, state, version)
    out["review"] = progress.summarize_reviews(bench, state)
    out["waiting_at_random"] = progress.count_waiting(bench, state)
    found = waits = None  # the open issues, or why there are none yet
    try:
        every = listing.load_issues(bench, version=version, columns=("kind", "sample", "score"))
        found = count_issues(bench, out, state, every)
        if scan_settings.is_scanned(bench):
            out["network"] = judges.second_opinion_age(bench, state)
            scores = live.label_scores(bench, version, scan_needed=False)
            out["weak_model"] = warn_of_weak_model(bench, scores)
            looks = progress.judge_stratum(bench, state, LabelScores.load(bench))
            count_looks(bench, out, looks)
            if pointers.is_head(bench, version):
                out |= look_ahead(bench, state)
    except UserError as e:
        waits = e
    if pointers.is_head(bench, version):
        advise(bench, out, state, found, waits)
    else:
        out["next"] = f"assay diff '{version}' HEAD -b {bench.given}"
    return out


def begin_summary(bench: Bench, version: str, sizes: dict[str, int], dropped: int) -> dict:
    """Begin a summary with what no sample need be read for; the rest is None or empty.

    sizes: kept samples by split.
    """
    with bench.connect() as con:  # once: an opening takes 2 ms
        commits = con.execute("select name from commits order by upto, ts").fetchall()
        lost = con.execute(LEFT_OUT).fetchall()
        ((open_edits,),) = con.execute(EDITS_SINCE_COMMIT).fetchall()
        ((runs,),) = con.execute("select count(*) from runs").fetchall()
    return dict(
        bench=str(bench.path),
        of=str(version),
        samples=int(sum(sizes.values())),
        dropped=dropped,
        splits={s: int(sizes[s]) for s in ("train", "val", "test", "pool", "guard") if s in sizes},
        classes={},
        classes_only_in_test=[],
        test=bench.rules(version).get("test"),
        audit=label_noise.estimate_noise(bench, "test", version) if "test" in sizes else None,
        left_out=[dict(source=s, key=k, reason=r) for s, k, r in lost],
        columns=read_column_kinds(bench),
        version=commits[-1][0] if commits else None,
        open_edits=open_edits,
        runs=runs,
        arrays=bench.arrays_address,
        sources=[describe_record(record) for record in read_records(bench).values()],
        issues=None,
        worst={},
        review={},
        waiting_at_random=0,
        classes_reviewed=[],
        flags=None,
        flags_words=None,
        network=None,
        weak_model=None,
        next_labels=None,
        outlook=None,
    )


def count_issues(bench: Bench, out: dict, state: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Count the open issues of all that were found, into a summary; returns the open ones."""
    found, rows = listing.open_issues(state, every)
    out["worst"] = list_worst(state, found, rows)
    counts = found.kind.value_counts()
    kinds = [*finders.list_kinds(), *opinion_kinds(bench)]
    out["issues"] = {k: int(counts[k]) for k in kinds if k in counts}
    return found


def count_looks(bench: Bench, out: dict, looks: pd.DataFrame | None) -> None:
    """Count what reviews at random say of classes and flags, into a summary."""
    out["classes_reviewed"] = progress.summarize_classes(bench, looks)
    if flags := progress.measure_flags(looks):
        out["flags"], out["flags_words"] = flags._asdict(), flags.describe()


def advise(
    bench: Bench,
    out: dict,
    state: pd.DataFrame,
    found: pd.DataFrame | None,
    waits: UserError | None,
) -> None:
    """Add to a summary what to do next."""
    out["advice"] = next_step.suggest_step(bench, out, state, found, waits)
    out["next"] = out["advice"]["command"]


def look_ahead(bench: Bench, state: pd.DataFrame) -> dict:
    """Say what the next labels of the queue hold, and what they gain.

    By the scores on disk. Dict next_labels (see NextHundred), outlook (see Outlook.to_json); None each where nobody
    can say.
    """
    scored = read_written(bench, state)
    if scored is None:
        return {}
    rates = fit_rates(bench, scored)
    coming = expect_next(scored, rates)
    live = None if rates is None else LiveProbe.load(bench, state)
    outlook: Outlook = foresee_gain(bench, scored, rates, live)
    return dict(next_labels=coming and coming._asdict(), outlook=outlook.to_json())


def list_worst(
    state: pd.DataFrame, found: pd.DataFrame, rows: np.ndarray, most: int = 4
) -> dict[str, list[str]]:
    """List the worst samples of each kind of issue: {kind: ids}.

    None is of test or guard. found, rows: as listing.open_issues gives them.
    """
    locked = np.append(state["split"].isin(LOCKED).to_numpy(), True)[rows]
    shown = found.loc[~locked, ["kind", "sample", "score"]]
    shown = shown.sort_values("score", kind="stable").groupby("kind").head(most)
    return {str(kind): list(part["sample"]) for kind, part in shown.groupby("kind")}


def order_counts(bench: Bench, counts: pd.Series, version: str) -> dict[str, int]:
    """Put the counts of classes in the order of the class list."""
    return {name: int(counts[name]) for name in order_classes(bench, counts.index, version)}


def list_only_in_test(bench: Bench, state: pd.DataFrame, version: str) -> list[str]:
    """List the classes that samples of test alone have.

    No model can learn them; often they are other names for a class that train has.
    """
    kept = state[state.keep & state.label.notna()]
    here, there = (
        list_members(task_of(bench), kept.label[test])
        for test in (kept.split == "test", kept.split != "test")
    )
    only = set(here) - set(there)
    return order_classes(bench, only, version)


def count_labels(state: pd.DataFrame, task: Task) -> pd.Series:
    """Count each class's kept samples, without test and guard."""
    kept = state.label[state.keep.to_numpy(bool) & ~state.split.isin(LOCKED)]
    return explode_labels(task, kept).value_counts().sort_index()
