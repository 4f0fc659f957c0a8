"""How a number on the screen came about, in plain words and with this very sample; the formula comes after."""

import json
from contextlib import suppress

import numpy as np

from curation import suspects
from curation.arrays import load
from curation.errors import UserError


def why(bench, sample, most=8):
    """Why a label is in the queue, or is not: dict sentences, probs (class, out-of-sample probability; the likeliest first), formula."""
    with suppress(UserError):  # of what is not scanned there is none
        suspects.opinion(bench)  # brings what is written down up to date
    kept, state = load(bench.arrays / "opinion.npz"), bench.state()
    at = np.flatnonzero(kept["ids"] == sample.encode()) if kept is not None else []
    if sample not in state.index or not len(at):
        raise UserError("expected a train or val sample that was scanned, found another", f"run: assay scan -b {bench.given}")
    classes, p = json.loads(str(kept["classes"])), kept["pred_probs"][at[0]]
    label, split = state.label[sample], state["split"][sample]
    order = np.argsort(-p, kind="stable")
    best, own = classes[order[0]], classes.index(label) if label in classes else None
    out = [
        f"The model was fitted without this image{' and its copies' * (split == 'train')}, then asked what it shows: {p[order[0]]:.0%} {best}."
    ]
    if own is None:
        out.append("It has no label, or one of which too few are known to judge it.")
    elif kept["few"][own]:
        out.append(f"Too few images are labelled {label} to say whether this is one: it is never called wrong.")
    elif best == label:
        out.append("That is its label, so nothing is doubted.")
    else:
        out.append(f"It is labelled {label}, to which the model gives {p[own]:.0%}: its score. The lowest scores come first in the queue.")
        out.append("A score is no probability of being wrong: only people's decisions on images drawn at random tell how many labels are.")
    h = leverage(bench, sample)
    if h is not None:
        out.append(
            f"Its own label would have pulled the model's answer by a share of {h:.2f}: that much is taken out, for every image, without refitting."
        )
    graph, node = suspects.nodes(bench, state.loc[[sample]])
    _, everyone = suspects.nodes(bench, state)
    usable = (state.keep & state["split"].isin(("train", "val")) & state.label.notna()).to_numpy()
    first = dict(zip(everyone[usable][::-1].tolist(), state.label[usable][::-1]))
    seen = [first[j] for j in graph["neighbours"][node[0]].tolist() if j in first]
    if seen:
        names, counts = np.unique(np.array(seen, object).astype(str), return_counts=True)
        told = ", ".join(f"{n} {name}" for name, n in sorted(zip(names, counts.tolist()), key=lambda t: -t[1]))
        out.append(f"Of its {len(seen)} nearest labelled images: {told}. Copies that are test images are not looked at.")
    formula = "p₋ᵢ = (pᵢ − hᵢ yᵢ) / (1 − hᵢ),  hᵢ = xᵢᵀ (XᵀX + λI)⁻¹ xᵢ"
    return dict(sentences=out, probs=[[classes[c], float(p[c])] for c in order[:most]], label=label, formula=formula)


def leverage(bench, sample):
    """How strongly a train sample pulls the model's answer about itself, 0 to 1; None where it does not take part."""
    kept = load(bench.arrays / "probe.npz", ["ids", "h", "y"])
    at = np.flatnonzero(kept["ids"] == sample.encode()) if kept is not None else []
    return float(kept["h"][at[0]]) if len(at) and kept["y"][at[0]] >= 0 else None
