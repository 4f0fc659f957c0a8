"""Exact and near duplicates, and copies with different labels."""

import numpy as np

from assay.curation.splits import LOCKED

# ---- one sample and others like it


def copies(state, groups):
    """{group: row numbers} of kept samples that share a group, two or more; `groups` (n,) numbers or hashes."""
    rows = {}
    for i, (keep, group) in enumerate(zip(state.keep, groups)):
        if keep:
            rows.setdefault(group, []).append(i)
    return {group: members for group, members in rows.items() if len(members) > 1}


def exact(state):
    """Rows for samples with the same bytes."""
    split, out = state.split.to_numpy(), []
    for members in copies(state, state.content_hash).values():
        mix = ", ".join(
            f"{(split[members] == s).sum()} in {s}" for s in dict.fromkeys(split[members])
        )
        why = f"{len(members)} samples with the same bytes: {mix}"
        out += [("exact_duplicates", state.index[i], 0.0, None, why) for i in members]
    return out


def near_pairs(graph):
    """(m, 3): pairs of near-duplicate nodes with their distances."""
    return (
        np.column_stack([graph["pairs"], graph["gaps"]])
        if len(graph["pairs"])
        else np.empty((0, 3))
    )


def near(state, graph, at, likeness=None):
    """Rows for samples that have a near duplicate: 1 - likeness is the score; worst and nearest first. likeness: from which on, else the scan's."""
    pairs, alike = (
        graph.get("close", graph["pairs"]),
        graph.get("alike", 1 - graph["gaps"]),
    )  # an older graph has no others
    seen = alike >= (float(graph.get("limit", -1)) if likeness is None else likeness)
    on_node, ids, split, out = {}, state.index, state.split.to_numpy(), {}
    for i in np.flatnonzero(state.keep):
        on_node.setdefault(at[i], i)
    for (a, b), same in sorted(
        zip(pairs[seen].tolist(), alike[seen].tolist()), key=lambda pair: -pair[1]
    ):
        if a in on_node and b in on_node:
            for i, j in ((on_node[a], on_node[b]), (on_node[b], on_node[a])):
                out.setdefault(
                    ids[i],
                    (
                        "near_duplicate",
                        ids[i],
                        max(0.0, 1 - same),
                        None,
                        f"{same:.0%} like {ids[j]} ({split[j]})",
                    ),
                )
    return list(out.values())


def representatives(state, groups):
    """{sample: the sample that stands for it} of kept samples that their group can do without: in each, what is of test, guard, val, train, pool, in
    this order, then the largest, stands for the others; nothing of test or guard is done without. groups (n,): numbers or hashes."""
    order = {split: rank for rank, split in enumerate(("test", "guard", "val", "train", "pool"))}
    size, ids, split, out = (
        (state.width * state.height).to_numpy(),
        state.index,
        state.split.to_numpy(),
        {},
    )
    for members in copies(state, groups).values():
        first, *others = sorted(members, key=lambda i: (order[split[i]], -size[i], ids[i]))
        out |= {ids[i]: ids[first] for i in others if split[i] not in LOCKED}
    return out


def contradictions(state, graph, at):
    """Rows for samples whose copies are labelled otherwise."""
    label = np.where(np.isin(state.split, LOCKED), None, state.label)  # what a reason may say
    out = []
    for members in copies(state, graph["groups"][at]).values():
        for i in members:
            others = sorted({label[j] for j in members if label[j] not in (None, label[i])})
            if label[i] is not None and others:
                why = f"labelled {label[i]}, a copy of it {' and '.join(others)}"
                out.append(("conflicting_duplicates", state.index[i], 0.0, others[0], why))
    return out
