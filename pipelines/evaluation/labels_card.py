"""Describe the labels of a version to whoever receives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.media.base import media_of
from assay.curation.review import label_noise, progress
from assay.curation.review.labeller_rates import describe_error, measure_labellers
from assay.curation.review.reviewers import count_reviewers
from assay.curation.review.status import summarize_bench
from assay.curation.slicing import gap_text, gaps
from assay.curation.statistics.errors_left import FEWEST
from assay.curation.statistics.wording import format_share
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.times import iso_time, localize, now
from assay.curation.versioning import pointers
from assay.curation.versioning.class_list import tabulate_classes
from assay.curation.versioning.states import hash_tree

if TYPE_CHECKING:
    import pandas as pd

CLASS_COLUMNS = "name n train val test pool guard guideline parent".split()
COMMIT_COLUMNS = "name tree parent message who ts".split()
MOST_GAPS = 10  # that are named


def describe_labels(bench: Bench, version: str = "HEAD") -> dict:
    """Describe the labels of a version, as plain values.

    Returns dict bench, version, called (the committed version of these contents, or None), tree, made, medium, task,
    samples, dropped, splits, classes, sources, left_out, review, errors_left, audit, test, reviewers, errors,
    agreement, issues, gaps, versions, verify (a command) and unknown: sentences about what nobody measured. What is
    not known is None, and said there. Labels of test samples are counted by class, and enter nothing else.
    """
    status, state = summarize_bench(bench, version), bench.state(version)
    tree, commits = hash_tree(state), bench.commits()
    same = list(commits.name[commits.tree == tree])
    review, audit = status["review"], status["audit"]
    people, agreement = describe_reviewers(bench, version)
    errors, not_measured = describe_errors(bench)
    found_gaps, no_gaps = describe_gaps(bench, version)
    out = dict(
        bench=bench.path.name,
        version=str(version),
        called=same[-1] if same else None,
        tree=tree,
        made=iso_time(now()),
        medium=media_of(bench).name,
        task=task_of(bench).noun,
        samples=status["samples"],
        dropped=status["dropped"],
        splits=status["splits"],
        classes=to_rows(tabulate_classes(bench, version)[CLASS_COLUMNS]),
        sources=[{k: s[k] for k in ("name", "format", "kind")} for s in status["sources"]],
        left_out=len(status["left_out"]),
        review={k: review[k] for k in ("reviewed", "wrong", "unsure", "population")},
        random_rate=progress.describe_random_rate(review) if count_random(review) else None,
        errors_left=progress.describe_errors_left(review),
        audit=audit and audit["n"] + audit["unsure"] and label_noise.describe_noise(audit, "test"),
        test=status["test"],
        reviewers=people,
        errors=errors,
        agreement=agreement,
        issues=status["issues"],
        gaps=found_gaps,
        versions=to_rows(localize(commits[COMMIT_COLUMNS])),
        verify=f"assay check --tree {tree} -b BENCH",
    )
    out["audit"] = out["audit"] or None  # nobody looked
    return out | dict(unknown=list_unknown(out, review, no_gaps, not_measured))


def to_rows(frame: pd.DataFrame) -> list[dict]:
    """Write a frame as plain rows."""
    return json.loads(frame.to_json(orient="records", date_format="iso"))


def count_random(review: dict) -> int:
    """Count the samples that were reviewed at random."""
    return review["sure_at_random"] + review["unsure_at_random"]


def describe_reviewers(bench: Bench, version: str) -> tuple[list[dict], list[str]]:
    """Describe who reviewed how much, and how often two people agree."""
    people, pairs = count_reviewers(bench, version)
    names = "who samples relabelled confirmed unsure dropped".split()
    agreement = [
        f"{p.a} and {p.b} agree on {p.agree:,} of {p.n:,}, {format_share(p.agreement, p.low, p.high)}"
        for p in pairs.itertuples()
    ]
    return to_rows(people[names]), agreement


def describe_errors(bench: Bench) -> tuple[list[str], str]:
    """Say how often each labeller errs: ([], why nobody knows) or (sentences, "")."""
    try:
        table = measure_labellers(bench).labellers
    except UserError as e:
        return [], e.problem
    # how right the given labels are stands above
    table = table[(table.kind != "given") & (table.measured + table.unsure > 0)]
    said = [
        f"{row['labeller']}: {describe_error(row)}, by others' looks at random"
        for row in table.to_dict("records")
    ]
    return (
        said,
        "" if said else "nobody else decided the same samples, drawn at random (assay labellers)",
    )


def describe_gaps(bench: Bench, version: str) -> tuple[list[str] | None, str]:
    """Name the gaps of a version: (the largest ones, ""), or (None, why nobody knows)."""
    try:
        if pointers.is_head(bench, version):
            table, since = gaps.load_recent_gaps(bench)
        else:
            table, since = gaps.find_gaps(bench, version), 0
    except UserError as e:
        return None, e.problem
    named = [
        f"{row.gap}: {gap_text.describe_evidence(row._asdict())}"
        for row in table.head(MOST_GAPS).itertuples()
    ]
    if len(table) > MOST_GAPS:
        named.append(f"and {format_count(len(table) - MOST_GAPS, 'smaller one')}")
    old = f"the gaps are of {format_count(since, 'edit')} ago" if since else ""
    return named, old


def list_unknown(card: dict, review: dict, no_gaps: str, not_measured: str) -> list[str]:
    """List what nobody measured, each with what would measure it."""
    at_random, out = count_random(review), []
    if not at_random:
        out.append(
            "how many labels are wrong: nobody reviewed at random (assay queue mixes some in)"
        )
    elif card["errors_left"] is None:
        few = f"{at_random} of the {FEWEST} reviewed at random that an estimate takes"
        out.append(f"how many labels are wrong: {few}")
    if "test" not in card["splits"]:
        out.append("how wrong test labels are: there is no test split")
    elif card["audit"] is None:
        declared = (card["test"] or {}).get("audited")
        said = (
            "they were declared audited at import, without figures"
            if declared
            else "nobody audited them blind (assay audit)"
        )
        out.append(f"how wrong test labels are: {said}")
    if not card["reviewers"]:
        out.append("how often a reviewer errs: nobody reviewed")
    elif not card["errors"]:
        out.append(f"how often a reviewer errs: {not_measured}; agreement is no accuracy")
    if card["issues"] is None:
        out.append("which samples look wrong: the bench was not scanned (assay scan)")
    if no_gaps:
        out.append(f"where data are missing: {no_gaps}" if card["gaps"] is None else no_gaps)
    silent = [c["name"] for c in card["classes"] if not c["guideline"]]
    if silent:
        some = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
        out.append(f"what belongs to a class: no guideline for {some} (assay classes edit)")
    if not card["sources"]:
        out.append("where the samples come from: no source was recorded")
    if card["called"] is None:
        out.append(
            f"which version this is: {card['version']} has edits that no version names (assay commit)"
        )
    out.append("who may use the data, and for what: a bench records no licence")
    return out
