"""What else may be wrong with a dataset, read from hashes and the neighbour graph: copies, leakage, contradictions, outliers."""

import numpy as np

OUTLIER = 4  # robust z-scores above the median distance to its neighbours
COLUMNS = ["kind", "sample", "score", "suggestion", "why"]


def copies(state, groups):
    """{group: row numbers} of kept samples that share a group, two or more; `groups` (n,) numbers or hashes."""
    rows = {}
    for i, (keep, group) in enumerate(zip(state.keep, groups)):
        if keep:
            rows.setdefault(group, []).append(i)
    return {group: members for group, members in rows.items() if len(members) > 1}


GIVEN_AWAY = (("train", ("val", "test", "guard")), ("val", ("guard",)), ("pool", ("guard",)))  # what each split must not repeat; worst last


def leakage(state, near, at):
    """Kept samples that equal or nearly equal one that they must not give away: train a val, test or guard sample, val and pool a guard sample:
    {row: (row of that one, distance)}. near: (m, 3) pairs of near-duplicate nodes with distances; at (n,): each sample's node."""
    kept, split = state.keep.to_numpy(), state.split.to_numpy()
    out = {}
    for leaky, others in GIVEN_AWAY:
        if not (rows := np.flatnonzero(kept & (split == leaky))).size:
            continue
        held = {at[i]: i for s in others for i in np.flatnonzero(kept & (split == s))[::-1]}  # of a node's copies the first of the worst split
        close = {}
        for i, j, distance in near:
            for a, b in ((int(i), int(j)), (int(j), int(i))):
                if b in held and (a not in close or distance < close[a][1]):
                    close[a] = (held[b], distance)
        close |= {node: (row, 0.0) for node, row in held.items()}
        out |= {i: close[at[i]] for i in rows if at[i] in close}
    return out


def unheld(bench, state):
    """The state as if no leakage were held out yet, so that it stays listed."""
    whole = state.copy()
    held = bench.rows("select sample from edits where field = 'keep' group by sample having arg_max(batch, seq) like 'scan-%'")
    whole.loc[[s for (s,) in held if s in whole.index], "keep"] = True
    return whole


def find(state, graph, at):
    """All issues but `label`, as a frame kind, sample, score (0 to 1, low is bad), suggestion, why. Test labels are never read."""
    import pandas as pd

    from curation.neighbors import isolation

    near = np.column_stack([graph["pairs"], graph["gaps"]]) if len(graph["pairs"]) else np.empty((0, 3))
    ids, split = state.index.to_numpy(), state.split.to_numpy()
    label = np.where(np.isin(split, ("test", "guard")), None, state.label)  # what a reason may say
    out = []
    for members in copies(state, state.content_hash).values():
        mix = ", ".join(f"{(split[members] == s).sum()} in {s}" for s in pd.unique(split[members]))
        out += [("exact_duplicates", ids[i], 0.0, None, f"{len(members)} samples with the same bytes: {mix}") for i in members]
    for i, (j, distance) in leakage(state, near, at).items():
        how = "equals" if distance == 0 and at[i] == at[j] else "nearly equals"
        out.append(("leakage", ids[i], float(distance), None, f"{how} the {split[j]} sample {ids[j]}"))
    on_node = {}
    for i in np.flatnonzero(state.keep):
        on_node.setdefault(at[i], []).append(i)
    for a, b, distance in near:
        for i in on_node.get(int(a), [])[:1]:
            for j in on_node.get(int(b), [])[:1]:
                out.append(("near_duplicate", ids[i], float(distance), None, f"distance {distance:.3f} to {ids[j]} ({split[j]})"))
                out.append(("near_duplicate", ids[j], float(distance), None, f"distance {distance:.3f} to {ids[i]} ({split[i]})"))
    for members in copies(state, graph["groups"][at]).values():
        labels = {label[i] for i in members} - {None}
        if len(labels) > 1:
            for i in members:
                others = sorted({label[j] for j in members if label[j] not in (None, label[i])})
                if label[i] is not None and others:
                    out.append(
                        ("conflicting_duplicates", ids[i], 0.0, others[0], f"labelled {label[i]}, a copy of it {' and '.join(others)}")
                    )
    mean, z = isolation(graph["distances"])
    for i in np.flatnonzero(state.keep & ~state.split.isin(("test", "guard"))):
        if z[at[i]] > OUTLIER:
            why = f"mean distance {mean[at[i]]:.2f} to its nearest neighbours, {z[at[i]]:.1f} robust deviations above the median"
            out.append(("outlier", ids[i], float(np.exp(-z[at[i]] / OUTLIER)), None, why))
    found = pd.DataFrame(out, columns=COLUMNS)
    return found.sort_values(["kind", "score", "sample"], kind="stable").drop_duplicates(["kind", "sample"])
