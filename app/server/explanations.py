"""Explain the numbers on the screen in plain words, formulas last."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import is_scanned
from assay.curation.label_quality import live
from assay.curation.label_quality.flagging import flag_labels
from assay.curation.label_quality.partitioned_scores import PartitionedScores
from assay.curation.label_quality.score_files import LabelScores, read_cuts, read_leverage
from assay.curation.review import progress
from assay.curation.review.partitioned_queue import read_neighbourhood
from assay.curation.review.partitioned_status import load_judged
from assay.curation.tasks.base import refuse_task
from assay.curation.text import format_count
from assay.curation.versioning.state_building import is_large, open_state

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench


def explain_score(bench: Bench, sample: str, most: int = 8) -> dict:
    """Explain why a label is in the queue, or is not.

    Returns dict sentences, probs (pairs of class and out-of-sample probability, the likeliest
    first), label, formula. UserError for a sample that has no score.
    """
    refuse_task(
        bench, "an explanation", "the reason beside the picture says which class is doubted"
    )
    with suppress(UserError):  # of what is not scanned there is none
        live.refresh_scores(bench)
    kept, h, state = read_scored(bench, sample)
    at = np.flatnonzero(kept.ids == sample.encode()) if kept is not None else []
    if sample not in state.index or not len(at):
        raise NotScanned(
            "expected a train or val sample that was scanned, found another",
            f"run: assay scan -b {bench.given}",
        )
    classes, p = kept.classes, kept.pred_probs[at[0]]
    label = state.label[sample]
    order = np.argsort(-p, kind="stable")
    best, own = classes[order[0]], classes.index(label) if label in classes else None
    copies = " and its copies" if state["split"][sample] == "train" else ""
    sentences = [
        f"The model was fitted without this sample{copies}, then asked what it shows: "
        f"{p[order[0]]:.0%} {best}."
    ]
    if own is None:
        sentences.append("It has no label that train has, so nothing is doubted.")
    elif kept.few[own]:
        sentences.append(
            f"Too few samples are labelled {label} to say whether this is one: "
            "it is never called wrong."
        )
    elif best == label:
        sentences.append("That is its label, so nothing is doubted.")
    else:
        cuts = read_cuts(bench, len(classes))
        judged = np.where(kept.few, 0, p)[None]  # classes too small are no answer
        flagged = bool(flag_labels(np.array([own]), judged / (judged.sum() + 1 - p.sum()), cuts)[0])
        sentences += doubt_sentences(label, best, p[own], flagged, state.reviewed[sample])
    if h is not None:
        sentences.append(
            f"Its own label would have pulled the model's answer by a share of {h:.2f}: "
            "that much is taken out, for every sample, without refitting."
        )
    return dict(
        sentences=[*sentences, *neighbour_sentences(bench, sample, state)],
        probs=[[classes[c], float(p[c])] for c in order[:most]],
        label=label,
        formula=score_formula(h),
    )


def read_scored(bench: Bench, sample: str) -> tuple[LabelScores | None, float | None, pd.DataFrame]:
    """Read the scores, a sample's leverage, and a state: of a large bench those of the sample alone."""
    state = read_neighbourhood(bench, sample)
    if not is_large(bench) or not is_scanned(bench):
        return LabelScores.load(bench), read_leverage(bench, sample), state
    scores, now = PartitionedScores.load(bench), open_state(bench)
    rows = now.locate([sample])
    kept = load_judged(bench, now, scores, rows)
    rank = int(scores.ranks(rows)[0])
    return kept, read_leverage(bench, sample, rank) if rank >= 0 else None, state


def doubt_sentences(
    label: str, best: str, score: float, flagged: bool, reviewed: bool
) -> list[str]:
    """Say why a label is flagged or not, and what its score is not."""
    if flagged:
        it = "It was flagged until somebody decided about it" if reviewed else "It is flagged"
        why = "and of the labels that the model contradicts it is among the least trusted"
    else:
        it = "It is not flagged"
        why = "but no more labels are flagged than are likely to be wrong, and others are trusted less"
    return [
        f"It is labelled {label}, to which the model gives {score:.0%}: its score. "
        "The lowest scores come first in the queue.",
        f"{it}: {best} is likelier than {label}, {why}.",
        "A score is no probability of being wrong: only people's decisions on samples drawn at "
        "random tell how many labels are.",
    ]


def neighbour_sentences(bench: Bench, sample: str, state: pd.DataFrame) -> list[str]:
    """Say how the nearest labelled samples are labelled."""
    graph, node = neighbor_graph.load_nodes(bench, state)
    usable = neighbor_graph.labelled_rows(state)
    evidence = neighbor_graph.rows_on_nodes(graph, node, usable)
    near = neighbor_graph.neighbour_rows(graph, node[state.index.get_loc(sample)], evidence)
    seen = state.label.to_numpy(object)[near[near >= 0]]
    if not len(seen):
        return []
    names, counts = np.unique(seen.astype(str), return_counts=True)
    ranked = sorted(zip(names, counts.tolist()), key=lambda pair: -pair[1])
    listed = ", ".join(f"{n} {name}" for name, n in ranked)
    return [
        f"Of its {len(seen)} nearest labelled samples: {listed}. "
        "Copies that are test samples are not looked at."
    ]


def score_formula(h: float | None) -> str:
    """Write how a prediction without the sample follows from one with it."""
    here = "nothing to take out: it was predicted, not fitted" if h is None else f"here h = {h:.2f}"
    return f"p₋ᵢ = (pᵢ − hᵢ yᵢ) / (1 − hᵢ),  hᵢ = xᵢᵀ (XᵀX + λI)⁻¹ xᵢ;  {here}"


def explain_errors_left(review: dict) -> dict:
    """Explain how many errors are left, or why nobody can say yet.

    review: see progress.summarize_reviews. Returns dict sentences, formula.
    """
    hits, unsure, of = review["hits"], review["unsure_at_random"], review["population"]
    drawn = review["sure_at_random"] + unsure
    sentences = [
        f"Of {format_count(of, 'label')} {drawn:,} were drawn at random and judged by a person; "
        f"{hits:,} of these were wrong.",
        *unsure_sentences(unsure),
    ]
    if review["errors_left"] is None:
        few = "Fewer than 30 such reviews say too little, so no number is shown."
        return dict(sentences=[*sentences, few], formula="")
    share = f"{hits / drawn:.1%}" + (f" to {(hits + unsure) / drawn:.1%}" if unsure else "")
    sentences += [
        f"So {share} of all {of:,} would have come wrong.",
        f"What people found, {review['wrong']:,}, is no longer left: {progress.describe_errors_left(review)}.",
        "The range holds at every look of a session together (95 %), so it is wider than one for "
        "a single look.",
        "The queue's own hits say nothing here: it looks where errors are.",
    ]
    formula = (
        f"low to high: all numbers w of wrong labels among {of:,} with "
        f"P({drawn:,} drawn | w) > 0.05 P(drawn), P(drawn) over all w "
        "(a martingale in what was drawn: Waudby-Smith and Ramdas 2020)"
    )
    return dict(sentences=sentences, formula=formula)


def unsure_sentences(unsure: int) -> list[str]:
    """Say how answers that nobody was sure of count."""
    if not unsure:
        return []
    return [
        f"Of {unsure:,} nobody was sure: they count as right at one end and as wrong at the other."
    ]


def explain_audit(noise: dict) -> dict:
    """Explain what an audit says of the test labels.

    noise: see label_noise.estimate_noise. Returns dict sentences, formula.
    """
    wrong, of, unsure = (noise[k] for k in ("wrong", "of", "unsure"))
    n = noise["n"] + unsure
    sentences = [
        f"Of {format_count(of, 'test label')} {n:,} were drawn at random and judged by a person who saw neither "
        "label nor prediction.",
        f"{wrong:,} of these answers contradict the label.",
    ]
    if noise["share"] is None:
        few = "Fewer than 30 such reviews say too little, so no rate is shown."
        return dict(sentences=[*sentences, few], formula="")
    (share, low, high), between = noise["share"], noise["share_between"]
    about = f"{share:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    sentences += [
        *unsure_sentences(unsure),
        f"So about {about} of all are wrong; "
        f"the answers fit anything from {low:.1%} to {high:.1%} (95 %).",
    ]
    return dict(sentences=sentences, formula=audit_formula(wrong, n, of))


def audit_formula(hits: int, n: int, of: int) -> str:
    """Write which numbers of wrong labels an audit does not rule out."""
    return (
        f"low to high: all numbers of wrong labels among {of:,} with P(≥ {hits}) > 0.025, "
        f"P(≤ {hits}) > 0.025 in {format_count(n, 'draw')} (hypergeometric)"
    )


def explain_gap(row: dict) -> dict:
    """Explain why a region is called a gap.

    row: one of gaps.find_gaps. Returns dict sentences, formula.
    """
    # a frame's empty cell is not a number, and not itself
    row = {k: None if v != v else v for k, v in row.items()}
    sentences = gap_error_sentences(row) if row["val"] else []
    if row["ratio"] is not None and row["ratio_low"] is not None:
        ratio = f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
        sentences.append(
            f"Train has {ratio} times the share of it that {row['against']} has; "
            "1 would be an even share."
        )
    if row["p"] is not None and row["q"] is not None:
        sentences.append(
            f"Were this chance, so much would be seen with probability {row['p']:.1g}. "
            f"Many regions were asked, so that is {row['q']:.1g} now."
        )
    sentences.append("No label or prediction of a test image enters.")
    formula = "Fisher's exact test; Benjamini and Hochberg at 5 %; Wilson's interval of a rate"
    return dict(sentences=sentences, formula=formula)


def gap_error_sentences(row: dict) -> list[str]:
    """Say how often the model is wrong here, and how often elsewhere."""
    rest = row["rest"] or 0
    low, high = max(0, row["explains_low"]), max(0, row["explains_high"])
    several = row["unit"] == "label"
    of = f"of its {row['val']:,} validation images."
    if several:
        judged, val = format_count(row["judged"], "label"), format_count(row["val"], "sample")
        of = f"of {judged} of its {val} in validation."
    return [
        f"The model, asked without having seen them, is wrong about {row['errors']:,} {of}",
        *(
            ["A label is a class that the given label or the model names: right where both do."]
            * several
        ),
        f"A true rate from {row['low']:.0%} to {row['high']:.0%} fits such a count: "
        "95 of 100 such intervals hold the truth.",
        f"Elsewhere it is wrong about {rest:.0%} of {row['n_rest']:,}. "
        f"At that rate {rest * row['judged']:.0f} would be wrong here. What is beyond, compared class "
        "by class and counted in one gap alone, is what it explains: "
        f"{max(0, row['explains']):.0f} [{low:.0f}, {high:.0f}].",
    ]
