"""What else may be wrong with a dataset than labels: copies, leakage, contradictions, outliers, bad pictures, and what only the whole shows."""

import numpy as np

from curation import damage, drift, quality, readings, shortcuts, suspects, twins
from curation.arrays import Shards
from curation.errors import UserError

OUTLIER = 4  # robust z-scores above the median distance to its neighbours
SHORTCUT = 0.7  # a property that goes 30 % of the way from chance to certainty (cleanlab: 70 %)
RARE = 0.1  # of an even share of the samples, as cleanlab has it
PREVALENT = 0.5  # what more than half of the images are, dark or grey, is how this dataset is: CleanVision says nothing of it either
ONE_EACH = dict(outlier=float(np.exp(-1)), **quality.THRESHOLDS, near_duplicate=1 - twins.TWIN)  # kinds with a score for every sample
WHOLE = dict(class_imbalance=RARE, spurious_correlations=SHORTCUT, drift=1 - drift.FAR)  # kinds about the whole: their rows name no sample
WORDS = dict(
    dark="its brightest pixels (99th percentile) reach {0:.0%} of full brightness",
    light="its darkest pixels (5th percentile) have {1:.0%} of full brightness",
    blurry="edges are faint: blurriness score {0:.2f}",
    low_information="few different pixels: entropy score {0:.2f}",
    grayscale="all three channels are the same",
    odd_aspect_ratio="its shorter side is {0:.0%} of the longer",
    odd_size="its size is far from that of most",
)


def find(bench, state):
    """All issues but `label`, as a frame kind, sample, score (0 to 1, low is bad), suggestion, why. Test labels are never read."""
    import pandas as pd

    graph, at = suspects.nodes(bench, state)
    found = [*exact(state), *truncated(bench, state), *leaks(state, graph, at), *near(state, graph, at), *contradictions(state, graph, at)]
    for kind, (score, why) in scores(bench, state, graph, at).items():
        low = np.flatnonzero(score < ONE_EACH[kind])
        if kind == "outlier" or len(low) <= PREVALENT * np.isfinite(score).sum():
            found += [(kind, state.index[i], score[i], None, why(i)) for i in low]
    found += [row for row, shown in whole(bench, state, graph, at) if shown]
    frame = pd.DataFrame(found, columns=list(suspects.COLUMNS))
    one_each = frame["sample"].isna() | ~frame.duplicated(["kind", "sample"])
    return frame[one_each].sort_values(["kind", "score", "sample"], kind="stable")


def below(bench, state, kind, threshold):
    """What `find` would say of one kind at another threshold: everything whose score is below it. Nothing is computed again but what is cheap."""
    import pandas as pd

    if kind not in (*ONE_EACH, *WHOLE):
        raise UserError(
            f"expected a kind whose threshold can be moved, found {kind!r}", f"these can: label, {', '.join((*ONE_EACH, *WHOLE))}"
        )
    graph, at = suspects.nodes(bench, state)
    if kind in WHOLE:
        rows = [row for row, _ in whole(bench, state, graph, at, only=kind) if row[2] < threshold]
    elif kind == "near_duplicate":
        rows = near(state, graph, at, 1 - threshold)
    else:
        score, why = scores(bench, state, graph, at)[kind]
        rows = [(kind, state.index[i], score[i], None, why(i)) for i in np.flatnonzero(score < threshold)]
    return pd.DataFrame(rows, columns=list(suspects.COLUMNS)).sort_values(["score", "sample"], kind="stable")


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
        mix = ", ".join(f"{(split[members] == s).sum()} in {s}" for s in dict.fromkeys(split[members]))
        why = f"{len(members)} samples with the same bytes: {mix}"
        out += [("exact_duplicates", state.index[i], 0.0, None, why) for i in members]
    return out


def truncated(bench, state):
    """Rows for samples whose file is broken, and was read as far as it goes; the score is the share of the picture that is there."""
    rows, out = state[state.keep], []
    looks = readings.find_looks(readings.load_looks(bench.arrays), dict.fromkeys(rows.content_hash))
    for sample, h in rows.content_hash.items():
        if h in looks and looks[h].damage:
            missing = looks[h].missing
            out.append(("truncated", sample, 1 - missing, None, damage.WHY[int(looks[h].damage)].format(missing)))
    return out


GIVEN_AWAY = (("train", ("val", "test", "guard")), ("val", ("test", "guard")), ("pool", ("guard",)))  # what each split must not repeat; worst last


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
        out.append(("leakage", ids[i], float(distance), None, f"{how} the {split[j]} sample {ids[j]}"))
    return out


def near_pairs(graph):
    """(m, 3): pairs of near-duplicate nodes with their distances."""
    return np.column_stack([graph["pairs"], graph["gaps"]]) if len(graph["pairs"]) else np.empty((0, 3))


def near(state, graph, at, likeness=None):
    """Rows for samples that have a near duplicate: 1 - likeness is the score; worst and nearest first. likeness: from which on, else the scan's."""
    pairs, alike = graph.get("close", graph["pairs"]), graph.get("alike", 1 - graph["gaps"])  # an older graph has no others
    seen = alike >= (float(graph.get("limit", -1)) if likeness is None else likeness)
    on_node, ids, split, out = {}, state.index, state.split.to_numpy(), {}
    for i in np.flatnonzero(state.keep):
        on_node.setdefault(at[i], i)
    for (a, b), same in sorted(zip(pairs[seen].tolist(), alike[seen].tolist()), key=lambda pair: -pair[1]):
        if a in on_node and b in on_node:
            for i, j in ((on_node[a], on_node[b]), (on_node[b], on_node[a])):
                out.setdefault(ids[i], ("near_duplicate", ids[i], max(0.0, 1 - same), None, f"{same:.0%} like {ids[j]} ({split[j]})"))
    return list(out.values())


def representatives(state, groups):
    """{sample: the sample that stands for it} of kept samples that their group can do without: in each, what is of test, guard, val, train, pool, in
    this order, then the largest, stands for the others; nothing of test or guard is done without. groups (n,): numbers or hashes."""
    order = {split: rank for rank, split in enumerate(("test", "guard", "val", "train", "pool"))}
    size, ids, split, out = (state.width * state.height).to_numpy(), state.index, state.split.to_numpy(), {}
    for members in copies(state, groups).values():
        first, *others = sorted(members, key=lambda i: (order[split[i]], -size[i], ids[i]))
        out |= {ids[i]: ids[first] for i in others if split[i] not in ("test", "guard")}
    return out


def contradictions(state, graph, at):
    """Rows for samples whose copies are labelled otherwise."""
    label = np.where(np.isin(state.split, ("test", "guard")), None, state.label)  # what a reason may say
    out = []
    for members in copies(state, graph["groups"][at]).values():
        for i in members:
            others = sorted({label[j] for j in members if label[j] not in (None, label[i])})
            if label[i] is not None and others:
                why = f"labelled {label[i]}, a copy of it {' and '.join(others)}"
                out.append(("conflicting_duplicates", state.index[i], 0.0, others[0], why))
    return out


# ---- one picture


def scores(bench, state, graph, at):
    """{kind: (score (n,), NaN for what is locked or out; a function from a row to the reason)}, of outlier and the kinds of CleanVision."""
    from curation.neighbors import isolation

    judged = (state.keep & ~state.split.isin(("test", "guard"))).to_numpy()
    mean, z = (of[at] for of in isolation(graph["distances"]))
    said = "mean distance {:.2f} to its nearest neighbours, {:.1f} robust deviations above the median"
    out = dict(outlier=(np.where(judged, np.exp(-np.maximum(z, 0) / OUTLIER), np.nan), lambda i: said.format(mean[i], z[i])))
    if (looks := looked(bench, state)) is None:
        return out
    for kind, score in quality.scores(looks, state.width.to_numpy("f8"), state.height.to_numpy("f8")).items():
        tell = lambda i, kind=kind, score=score: WORDS[kind].format(score[i], 1 - score[i])  # noqa: E731
        out[kind] = (np.where(judged, score, np.nan), tell)
    return out


def looked(bench, state):
    """What quality.measure said of the images of `state`, (n, 7), or None before a scan that did."""
    shards = Shards(bench.arrays / "quality" / quality.FOLDER)
    at = shards.find(state.content_hash)
    return None if not len(at) or (at < 0).any() else shards.rows(state.content_hash)[np.arange(len(at))]


# ---- the whole


def whole(bench, state, graph, at, only=None):
    """((kind, None, score, name, why), whether it is to be shown) of every class, property and pair of groups; spurious_correlations and drift
    are shown where they are large, and certain by Benjamini and Hochberg. Labels are those of kept train and val samples."""
    kept = state.keep.to_numpy()
    fitted = kept & state.split.isin(("train", "val")).to_numpy() & state.label.notna().to_numpy()
    names, y = np.unique(state.label.to_numpy(dtype=object)[fitted].astype(str), return_inverse=True)
    if only in (None, "class_imbalance"):
        yield from rare(names, y)
    looks = looked(bench, state)
    seen = {} if looks is None else dict(zip(quality.COLUMNS, looks.T))
    seen |= {"width": state.width.to_numpy("f8"), "height": state.height.to_numpy("f8")}
    if only in (None, "spurious_correlations") and len(names) > 1:
        told = {name: values[fitted] for name, values in seen.items()} | shortcuts.metadata(state[fitted])
        yield from certain("spurious_correlations", shortcuts.find(told, y, len(names)))
    if only in (None, "drift"):
        came = dict(bench.rows("select sample, arg_min(batch, seq) from edits where batch like 'import-%' group by sample"))
        groupings = {"split": state.split[kept].tolist(), "import": [came.get(s) for s in state.index[kept]]}
        properties = {name: values[kept] for name, values in seen.items() if len(np.unique(values[kept])) > 1}
        yield from certain("drift", drift.find(graph["neighbours"], at[kept], groupings, properties))


def rare(names, y):
    """A row for each class: its share of an even share."""
    for name, n in zip(names, np.bincount(y, minlength=len(names))):
        share = n * len(names) / len(y)
        why = f"{name}: {n:,} of {len(y):,} kept, labelled train and val samples, {share:.1%} of an even share of {len(names)} classes"
        yield ("class_imbalance", None, min(1.0, share), None, why), share < RARE


def certain(kind, rows):
    """Rows (score, p, why) as issues, and which of them are found."""
    found = drift.discoveries([p for _, p, _ in rows]) if rows else []
    return [((kind, None, score, None, why), score < WHOLE[kind] and sure) for (score, _, why), sure in zip(rows, found)]


def unheld(bench, state):
    """The state as if no leakage were held out yet, so that it stays listed."""
    whole = state.copy()
    held = bench.rows("select sample from edits where field = 'keep' group by sample having arg_max(batch, seq) like 'scan-%'")
    whole.loc[[s for (s,) in held if s in whole.index], "keep"] = True
    return whole


def restored(bench):
    """Samples that a person, or an undo, had the last word on keeping or not: nothing holds these out again."""
    mine = "select sample from edits where field = 'keep' group by sample having arg_max(batch, seq) like 'edit-%' or arg_max(batch, seq) like 'undo-%'"
    return {s for (s,) in bench.rows(mine)}
