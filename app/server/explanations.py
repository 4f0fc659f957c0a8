"""How a number on the screen came about, in plain words and with this very sample; the formula comes after."""

import json
from contextlib import suppress

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.label_quality import live
from assay.curation.review import rates
from assay.curation.storage.arrays import load


def why(bench, sample, most=8):
    """Why a label is in the queue, or is not: dict sentences, probs (class, out-of-sample probability; the likeliest first), formula."""
    with suppress(UserError):  # of what is not scanned there is none
        live.brought(bench)
    kept, state = load(bench.arrays / "opinion.npz"), bench.state()
    at = np.flatnonzero(kept["ids"] == sample.encode()) if kept is not None else []
    if sample not in state.index or not len(at):
        raise UserError(
            "expected a train or val sample that was scanned, found another",
            f"run: assay scan -b {bench.given}",
        )
    classes, p = json.loads(str(kept["classes"])), kept["pred_probs"][at[0]]
    label, split = state.label[sample], state["split"][sample]
    order = np.argsort(-p, kind="stable")
    best, own = classes[order[0]], classes.index(label) if label in classes else None
    out = [
        f"The model was fitted without this image{' and its copies' * (split == 'train')}, then asked what it shows: {p[order[0]]:.0%} {best}."
    ]
    if own is None:
        out.append("It has no label that train has, so nothing is doubted.")
    elif kept["few"][own]:
        out.append(
            f"Too few images are labelled {label} to say whether this is one: it is never called wrong."
        )
    elif best == label:
        out.append("That is its label, so nothing is doubted.")
    else:
        out.append(
            f"It is labelled {label}, to which the model gives {p[own]:.0%}: its score. The lowest scores come first in the queue."
        )
        decided = (
            "It was flagged until somebody decided about it:"
            if state.reviewed[sample]
            else "It is flagged because"
        )
        out.append(f"{decided} {best} is likelier than {label}; no threshold was chosen.")
        out.append(
            "A score is no probability of being wrong: only people's decisions on images drawn at random tell how many labels are."
        )
    h = leverage(bench, sample)
    if h is not None:
        out.append(
            f"Its own label would have pulled the model's answer by a share of {h:.2f}: that much is taken out, for every image, without refitting."
        )
    graph, node = neighbor_graph.nodes(bench, state.loc[[sample]])
    _, everyone = neighbor_graph.nodes(bench, state)
    usable = (state.keep & state["split"].isin(("train", "val")) & state.label.notna()).to_numpy()
    first = dict(zip(everyone[usable][::-1].tolist(), state.label[usable][::-1]))
    seen = [first[j] for j in graph["neighbours"][node[0]].tolist() if j in first]
    if seen:
        names, counts = np.unique(np.array(seen, object).astype(str), return_counts=True)
        told = ", ".join(
            f"{n} {name}" for name, n in sorted(zip(names, counts.tolist()), key=lambda t: -t[1])
        )
        out.append(
            f"Of its {len(seen)} nearest labelled images: {told}. Copies that are test images are not looked at."
        )
    alone = (
        f"here h = {h:.2f}"
        if h is not None
        else "nothing to take out: it was predicted, not fitted"
    )
    formula = "p₋ᵢ = (pᵢ − hᵢ yᵢ) / (1 − hᵢ),  hᵢ = xᵢᵀ (XᵀX + λI)⁻¹ xᵢ;  " + alone
    return dict(
        sentences=out,
        probs=[[classes[c], float(p[c])] for c in order[:most]],
        label=label,
        formula=formula,
    )


def leverage(bench, sample):
    """How strongly a train sample pulls the model's answer about itself, 0 to 1; None where it does not take part."""
    kept = load(bench.arrays / "probe.npz", ["ids", "h", "y"])
    at = np.flatnonzero(kept["ids"] == sample.encode()) if kept is not None else []
    return float(kept["h"][at[0]]) if len(at) and kept["y"][at[0]] >= 0 else None


def left(review):
    """How many errors are left, or why nobody can say yet; `review` as queue.progress has it."""
    looks, hits, unsure, of, found = (
        review[k] for k in ("looks", "hits", "unsure_looks", "population", "wrong")
    )
    out = [
        f"Of {of:,} labels {looks + unsure:,} were drawn at random and judged by a person; {hits:,} of these were wrong."
    ]
    if unsure:
        out.append(
            f"Of {unsure:,} nobody was sure: they count as right at one end and as wrong at the other."
        )
    if review["errors_left"] is None:
        return dict(
            sentences=[*out, "Fewer than 30 such looks say too little, so no number is shown."],
            formula="",
        )
    share = f"{hits / (looks + unsure):.1%}" + (
        f" to {(hits + unsure) / (looks + unsure):.1%}" if unsure else ""
    )
    out += [
        f"So {share} of all {of:,} would have come wrong.",
        f"What people found, {found:,}, is no longer left: {rates.left_words(review)}.",
        "The range holds at every look of a session together (95 %), so it is wider than one for a single look.",
        "The queue's own hits say nothing here: it looks where errors are.",
    ]
    formula = f"low to high: all numbers w of wrong labels among {of:,} with P({looks + unsure:,} looks | w) > 0.05 P(looks), P(looks) over all w"
    return dict(
        sentences=out,
        formula=formula + " (a martingale in the looks: Waudby-Smith and Ramdas 2020)",
    )


def audited(noise):
    """What an audit says of the test labels; `noise` as audit.noise has it."""
    wrong, n, of, unsure = (noise[k] for k in ("wrong", "n", "of", "unsure"))
    out = [
        f"Of {of:,} test labels {n + unsure:,} were drawn at random and judged by a person who saw neither label nor prediction.",
        f"{wrong:,} of these answers contradict the label.",
    ]
    if noise["share"] is None:
        return dict(
            sentences=[*out, "Fewer than 30 such looks say too little, so no rate is shown."],
            formula="",
        )
    (share, low, high), between = noise["share"], noise["share_between"]
    share = f"{share:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    if unsure:
        out.append(
            f"Of {unsure:,} nobody was sure: they count as right at one end and as wrong at the other."
        )
    out.append(
        f"So about {share} of all are wrong; the answers fit anything from {low:.1%} to {high:.1%} (95 %)."
    )
    return dict(sentences=out, formula=exact(wrong, n + unsure, of))


def exact(hits, looks, of):
    return f"low to high: all numbers of wrong labels among {of:,} with P(≥ {hits}) > 0.025, P(≤ {hits}) > 0.025 in {looks:,} draws (hypergeometric)"


def gap(row):
    """Why a region is called a gap; `row` of gaps.find."""
    row, out = (
        {k: None if v != v else v for k, v in row.items()},
        [],
    )  # a frame's empty cell is not a number, and not itself
    if row["val"]:
        rest = row["rest"] or 0
        out.append(
            f"The model, asked without having seen them, is wrong about {row['errors']:,} of its {row['val']:,} validation images."
        )
        out.append(
            f"A true rate from {row['low']:.0%} to {row['high']:.0%} fits such a count: 95 of 100 such intervals hold the truth."
        )
        out.append(
            f"Elsewhere it is wrong about {rest:.0%} of {row['n_rest']:,}. At that rate {rest * row['val']:.0f} would be wrong here. What is beyond, "
            f"compared class by class and counted in one gap alone, is what it explains: {max(0, row['explains']):.0f} "
            f"[{max(0, row['explains_low']):.0f}, {max(0, row['explains_high']):.0f}]."
        )
    if row["ratio"] is not None and row["ratio_low"] is not None:
        out.append(
            f"Train has {row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}] times the share of it that {row['against']} has; "
            "1 would be an even share."
        )
    if row["p"] is not None and row["q"] is not None:
        out.append(
            f"Were this chance, so much would be seen with probability {row['p']:.1g}. Many regions were asked, so that is {row['q']:.1g} now."
        )
    out.append("No label or prediction of a test image enters.")
    return dict(
        sentences=out,
        formula="Fisher's exact test; Benjamini and Hochberg at 5 %; Wilson's interval of a rate",
    )
