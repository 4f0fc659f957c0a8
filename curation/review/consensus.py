"""Join the votes of all labellers into one label a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownName, UserError
from assay.curation.label_quality.live import predict_classes
from assay.curation.review.labeller_rates import bound_difference, summarize_looks
from assay.curation.review.labeller_votes import CONSENSUS, DROPPED, Votes, read_votes
from assay.curation.statistics import crowds, sampling
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.versioning.proposals import Proposal, open_proposal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Matrix:
    """The votes of m labellers on n samples."""

    samples: pd.Index  # (n,)
    labellers: list[str]  # (m,)
    classes: list[str]  # (k,)
    votes: np.ndarray  # (n, m) int: a class, -1 for none
    latest: np.ndarray  # (n,) int: the class that was said last
    probs: np.ndarray | None  # (n, k) of the probe, out of sample; None: not asked for
    left_out: list[str]  # what of the votes is not in it, and why


def find_consensus(bench: Bench, method: str, votes: Votes | None = None) -> pd.DataFrame:
    """Find the consensus label of every sample that somebody labelled.

    method: latest, majority (on a tie the latest), dawid-skene, or crowdlab, which takes a scan. Frame by sample:
    label, quality (probability that it is right, by the method itself; NaN where it has none), votes, standing.
    `attrs`: left_out, what was not counted and why.
    """
    import pandas as pd

    votes = votes or read_votes(bench)
    matrix = make_matrix(votes, probe_of(bench, method))
    at, quality = join_votes(matrix, method)
    label = np.asarray(matrix.classes, object)[at]
    counted = (matrix.votes >= 0).sum(1)
    found = pd.DataFrame(dict(label=label, quality=quality, votes=counted), matrix.samples)
    found["standing"] = votes.state.label.reindex(found.index)
    found.attrs["left_out"] = matrix.left_out
    return found


def probe_of(bench: Bench, method: str) -> pd.DataFrame | None:
    """Give the probabilities that a method needs, or None; NotScanned before a scan."""
    if method not in crowds.METHODS:
        some = ", ".join(crowds.METHODS)
        raise UnknownName(
            f"expected a consensus, found {method!r}", f"there are {some}", method, crowds.METHODS
        )
    return predict_classes(bench) if method == "crowdlab" else None


def make_matrix(votes: Votes, probs: pd.DataFrame | None = None) -> Matrix:
    """Make the matrix of the votes, without those of a consensus.

    probs: of the probe, by sample; votes on samples and classes that it has not are left out, and counted.
    UserError where no vote is left.
    """
    kept, left = votes.votes[votes.votes.kind != CONSENSUS], []
    asked = {"on no class, to drop a sample": kept.label != DROPPED}
    if probs is not None:
        asked["on samples that the scan has not seen"] = kept["sample"].isin(probs.index)
        asked["on classes that the probe does not know"] = kept.label.isin(probs.columns)
    wanted = np.logical_and.reduce([mask.to_numpy(bool) for mask in asked.values()])
    for why, mask in asked.items():
        if n := int((~mask).sum()):
            left.append(f"{format_count(n, 'vote')} {why}")
    kept = kept[wanted]
    if not len(kept):
        raise UserError(
            "expected votes of labellers, found none",
            "assay label --with package.module:function, or decide: assay queue",
        )
    classes = sorted(set(kept.label)) if probs is None else list(map(str, probs.columns))
    kept = kept.assign(code=kept.label.map({name: i for i, name in enumerate(classes)}))
    table = kept.pivot(index="sample", columns="labeller", values="code")
    last = kept.sort_values("upto").drop_duplicates("sample", keep="last").set_index("sample").code
    known = None if probs is None else np.asarray(probs.loc[table.index], "f8")
    return Matrix(
        table.index,
        list(table.columns),
        classes,
        table.fillna(-1).to_numpy(int),
        last[table.index].to_numpy(int),
        known,
        left,
    )


def join_votes(matrix: Matrix, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Join votes by a method: (classes (n,) int, quality (n,), NaN where it has none)."""
    none, k = np.full(len(matrix.votes), np.nan), len(matrix.classes)
    if method == "latest":
        return matrix.latest, none
    if method == "majority":
        most = crowds.find_majority(matrix.votes, k)
        return np.where(most >= 0, most, matrix.latest), none
    if method == "dawid-skene":
        probs = crowds.estimate_crowd(matrix.votes, k).probs
        return probs.argmax(1), probs.max(1)
    return run_crowdlab(matrix.votes, matrix.probs)


def run_crowdlab(votes: np.ndarray, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ask cleanlab's CROWDLAB: (classes (n,), quality (n,)).

    votes (n, m), -1 for none; probs (n, k), out of sample. [Goh et al. 2022, "CROWDLAB"] UserError where it cannot
    judge these votes.
    """
    from cleanlab.multiannotator import get_label_quality_multiannotator

    try:
        found = get_label_quality_multiannotator(
            np.where(votes < 0, np.nan, votes), probs, verbose=False
        )["label_quality"]
    except (ValueError, AssertionError) as e:
        raise UserError(
            f"expected votes that CROWDLAB can join, found: {e}",
            "it takes two labellers who saw the same samples",
        ) from None
    return (
        found["consensus_label"].to_numpy(int),
        found["consensus_quality_score"].to_numpy("f8"),
    )


def compare_methods(bench: Bench, method: str, votes: Votes | None = None) -> pd.DataFrame:
    """Judge `method` beside latest and majority, on samples drawn at random.

    Who tells the truth of a sample has no vote on it here. Frame method, measured, wrong, unsure, error, low, high as
    measure_labellers; gain, gain_low, gain_high: accuracy more than the majority's, at all looks together (None under
    30 looks); alone, majority_alone: looks that only it, or only the majority, got right.
    """
    import pandas as pd

    votes = votes or read_votes(bench)
    truth = votes.find_truth(set())
    teller = truth.teller.reindex(votes.votes["sample"]).to_numpy(object)
    open_votes = Votes(
        votes.state,
        votes.votes[votes.votes.labeller.to_numpy(object) != teller],
        votes.words,
        votes.drawn,
    )
    matrix = make_matrix(open_votes, probe_of(bench, method))
    population = len(set(sampling.random_order(votes.state)).intersection(matrix.samples))
    names, said = np.asarray(matrix.classes, object), {}
    for name in dict.fromkeys(("latest", "majority", method)):
        said[name] = pd.Series(names[join_votes(matrix, name)[0]], matrix.samples, name="said")
    rows = []
    for name, labels in said.items():
        looks = truth.join(labels, how="inner")
        looks = looks.assign(earlier=False, confidence=np.nan)
        looks["wrong"] = (looks.said != looks.label) & ~looks.unsure
        most = said["majority"][looks.index]
        sure, right = ~looks.unsure, looks.said == looks.label
        alone = int((sure & right & (most != looks.label)).sum())
        theirs = int((sure & ~right & (most == looks.label)).sum())
        unsure = int((looks.unsure & (looks.said != most)).sum())
        gain = bound_difference(alone, theirs, unsure, int(sure.sum()), len(looks))
        row = dict(method=name) | summarize_looks(looks, population)
        row |= dict(gain=gain["estimate"], gain_low=gain["low"], gain_high=gain["high"])
        rows.append(row | dict(alone=alone, majority_alone=theirs))
    return pd.DataFrame(rows)[COMPARED]


COMPARED = "method measured wrong unsure error low high least most gain gain_low gain_high alone majority_alone".split()


def propose_consensus(bench: Bench, method: str, who: str) -> Proposal:
    """Open a proposal of the consensus labels that differ from what stands.

    UserError where none does.
    """
    found = find_consensus(bench, method)
    changed = found[found.label != found.standing]
    if not len(changed):
        raise UserError(
            f"expected consensus labels that differ from what stands, found none of {len(found):,}",
            "there is nothing to propose",
        )
    rows = changed.reset_index(names="sample")[["sample", "label"]]
    rows["score"] = changed.quality.to_numpy()
    rows["reason"] = [f"{method} of {format_count(n, 'vote')}" for n in changed.votes]
    title = f"{method} consensus: {format_count(len(rows), 'label')} that differ from what stands"
    return open_proposal(bench, title, rows, who, f"{method} consensus", CONSENSUS)
