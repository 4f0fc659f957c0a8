"""Train samples that give a val, test or guard sample away."""

import numpy as np

from assay.curation.issues.duplicates import near_pairs
from assay.curation.splits import LOCKED

GIVEN_AWAY = (
    ("train", ("val", "test", "guard")),
    ("val", LOCKED),
    ("pool", ("guard",)),
)  # what each split must not repeat; worst last


def leakage(state, near, at):
    """Kept samples that equal or nearly equal one that they must not give away: train a val, test or guard sample, val a test or guard
    sample, pool a guard sample:
    {row: (row of that one, distance)}. near: (m, 3) pairs of near-duplicate nodes with distances; at (n,): each sample's node."""
    kept, split = state.keep.to_numpy(), state.split.to_numpy()
    out = {}
    for leaky, others in GIVEN_AWAY:
        if not (rows := np.flatnonzero(kept & (split == leaky))).size:
            continue
        held = {
            at[i]: i for s in others for i in np.flatnonzero(kept & (split == s))[::-1]
        }  # of a node's copies the first of the worst split
        close = {}
        for i, j, distance in near:
            for a, b in ((int(i), int(j)), (int(j), int(i))):
                if b in held and (a not in close or distance < close[a][1]):
                    close[a] = (held[b], distance)
        close |= {node: (row, 0.0) for node, row in held.items()}
        out |= {i: close[at[i]] for i in rows if at[i] in close}
    return out


def leaks(state, graph, at):
    """Rows for samples that give another split away."""
    ids, split, out = state.index, state.split.to_numpy(), []
    for i, (j, distance) in leakage(state, near_pairs(graph), at).items():
        how = "equals" if distance == 0 and at[i] == at[j] else "nearly equals"
        out.append(
            ("leakage", ids[i], float(distance), None, f"{how} the {split[j]} sample {ids[j]}")
        )
    return out


def unheld(bench, state):
    """The state as if no leakage were held out yet, so that it stays listed."""
    whole = state.copy()
    held = bench.rows(
        "select sample from edits where field = 'keep' group by sample having arg_max(batch, seq) like 'scan-%'"
    )
    whole.loc[[s for (s,) in held if s in whole.index], "keep"] = True
    return whole


def restored(bench):
    """Samples that a person, or an undo, had the last word on keeping or not: nothing holds these out again."""
    mine = "select sample from edits where field = 'keep' group by sample having arg_max(batch, seq) like 'edit-%' or arg_max(batch, seq) like 'undo-%'"
    return {s for (s,) in bench.rows(mine)}
