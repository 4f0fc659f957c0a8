"""List the issues of a version, worst first."""

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import scanned
from assay.curation.issues import base
from assay.curation.issues.base import COLUMNS
from assay.curation.issues.disagreements import of_people
from assay.curation.label_quality import live, reasons
from assay.curation.label_quality.live import brought, opinion
from assay.curation.label_quality.reasons import explain_labels
from assay.curation.splits import LOCKED
from assay.curation.versioning import versions


def issues(bench, kind=None, version="HEAD", threshold=None):
    """Standing issues of a version as a frame kind, sample, source_id, path, split, label, score, suggestion, why; worst first. Issues of samples
    that are out, and label issues of reviewed ones, have been dealt with and are left out. What is about the whole names no sample. `threshold`:
    of one kind, whatever scores below it, in place of what the scan's own threshold found."""
    if threshold is not None:
        return located(bench, below(bench, kind, version, threshold), version)
    found = standing(bench, kind, version).sort_values(["kind", "score", "sample"], kind="stable")
    return located(bench, found, version)


def standing(bench, kind=None, version="HEAD", columns=base.COLUMNS):
    """As `issues`, in no order, those that have been dealt with, too, and without where each sample is from: some of the columns."""
    import pandas as pd

    found = of_people(bench, version)[list(columns)]
    if scanned(bench) or found.empty and kind not in PEOPLE:  # else there is nothing to wait for
        scan = scan_issues(bench, version, columns)
        found = pd.concat([scan, found], ignore_index=True) if len(found) else scan
    if kind is not None and kind not in KINDS and kind not in set(found.kind):
        raise UserError(f"expected an issue kind, found {kind!r}", f"there are {', '.join(KINDS)}")
    return found[(found.kind == kind).to_numpy() if kind else slice(None)]


def below(bench, kind, version, threshold):
    """Whatever of one kind scores below a threshold, as suspects.issues has it."""
    import pandas as pd

    from assay.curation.issues.finders import below
    from assay.curation.issues.leakage import unheld

    if kind is None or not 0 <= threshold <= 1:
        raise UserError(
            f"expected one kind and a threshold from 0 to 1, found {kind} and {threshold}",
            "for example: --kind outlier --threshold 0.3",
        )
    state = bench.state(version)
    if kind != "label":
        return below(bench, unheld(bench, state), kind, threshold)
    found = live.opinion(bench, version)
    found = found[found.score < threshold].sort_values("score", kind="stable")
    rows = dict(
        kind="label",
        sample=found.index,
        score=found.score.to_numpy(),
        suggestion=found.suggestion.to_numpy(object),
    )
    return pd.DataFrame(rows | dict(why=reasons.explain_labels(bench, state, found)))


def undecided(state, found):
    """Issues (frame kind, sample, ...) without those that have been dealt with, and where in the state each one's sample is, -1 for none."""
    rows = state.index.get_indexer(found["sample"])
    keep, reviewed = (
        np.append(state[column].to_numpy(bool), False)[rows] for column in ("keep", "reviewed")
    )
    open_ = keep & ~(reviewed & (found.kind == "label").to_numpy())
    open_ |= found.kind.isin(
        ("leakage", *PEOPLE, *WHOLE)
    ).to_numpy()  # some are out because they leak, others because somebody dropped them
    return found[open_], rows[open_]


def located(bench, found, version):
    """Issues with where each sample is from, without those that have been dealt with."""
    state = bench.state(version)
    found, rows = undecided(state, found)
    said = {
        c: np.append(state[c].to_numpy(object), None)[rows]
        for c in ("key", "uri", "split", "label")
    }
    said["label"][np.isin(said["split"], LOCKED)] = None
    found = found.assign(
        source_id=said["key"], path=said["uri"], split=said["split"], label=said["label"]
    )
    return found[
        ["kind", "sample", "source_id", "path", "split", "label", "score", "suggestion", "why"]
    ].reset_index(drop=True)


PEOPLE = ("merge_conflict", "reviewer_disagreement")
COPIES = ("conflicting_duplicates", "exact_duplicates", "near_duplicate", "leakage")
PICTURES = (
    "truncated",
    "dark",
    "light",
    "blurry",
    "low_information",
    "grayscale",
    "odd_size",
    "odd_aspect_ratio",
)
WHOLE = ("class_imbalance", "spurious_correlations", "drift")
KINDS = (*PEOPLE, "label", *COPIES, "outlier", *PICTURES, *WHOLE)


def scan_issues(bench, version="HEAD", columns=COLUMNS):
    """What the last scan found, or what it would have found in another version: a frame of the columns."""
    import pandas as pd

    from assay.curation.issues.finders import find
    from assay.curation.issues.leakage import unheld

    if versions.is_head(bench, version):
        brought(bench)
        return bench.query(f"select {', '.join(columns)} from issues")
    state, found = bench.state(version), opinion(bench, version)
    flagged = found[found.flagged].sort_values("score", kind="stable")
    rows = flagged.reset_index(names="sample")[["sample", "score", "suggestion"]].assign(
        kind="label", why=explain_labels(bench, state, flagged)
    )
    return pd.concat([rows, find(bench, unheld(bench, state))])[list(columns)]
