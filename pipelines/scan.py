"""The scan: embed, find neighbours, hold out leakage, fit the probe, name the issues; each step resumes and says what it found."""

import json
from hashlib import sha256

import numpy as np

from curation import issues, neighbors, quality, readings, standing, suspects, twins
from curation.arrays import Shards, find, load, save
from curation.children import PATIENCE, Lost
from curation.errors import UserError
from curation.images import Pixels
from curation.leftovers import at_work
from curation.store import new_batch
from curation.versions import position
from pipelines import apart, gaps
from pipelines.embed import embed, engine
from pipelines.own import of_classes
from pipelines.shadow import tripped

GRAPH = "graph 2"  # counted up when neighbors.py or twins.py would make another graph of the same images
FOLDS, SEEDS = {2: 3, 3: 5}, {2: 1, 3: 3}  # of the trained network that effort 2 and 3 add; seeds are averaged


@at_work
def scan(
    bench, effort=1, embedder="lite0", hold_out=True, who="assay scan", own=None, say=print, progress=None, yes=False, patience=PATIENCE
):
    """Scan `bench`. `own` = (probabilities frame or None, embeddings frame or None, out of sample or not) of a person's own model, by sample id.
    `say(line)` gets one line a step; `yes` holds out leakage even where that takes most of a class; a network that makes no step for `patience`
    seconds is ended. Returns the judgement, as suspects.judge."""
    state = bench.state()
    if not len(state):
        raise UserError("expected samples to scan, found an empty bench", f"run: assay import SOURCE -b {bench.given}")
    own_probs, own_vectors, out_of_sample = own or (None, None, True)
    probs, classes, said = (None, None, "") if own_probs is None else of_classes(own_probs, state)  # refused before anything is done
    if own_vectors is None:
        X, new, folder = embed(bench, state.content_hash, embedder, progress, patience)
        by = engine() if embedder == "lite0" else None
        say(f"embed       {new:,} of {len(state):,} images were new to {embedder}{f' ({by})' if by else ''}, {X.shape[1]:,} numbers each")
    else:
        folder, by = store_own(bench, state, own_vectors), None
        matched = f", rows by {own_vectors.attrs['matched']}" if "matched" in own_vectors.attrs else ""
        say(f"embed       took {own_vectors.shape[1]:,} numbers for each of {len(own_vectors):,} samples from your file{matched}")
    graph = neighbours(bench, state, folder)
    say(f"neighbours  {len(graph['hashes']):,} different images, {len(graph['pairs']):,} pairs of near duplicates")
    leaks = leaking(bench, state, graph) if hold_out else []
    if not yes:
        enough_is_left(bench, state, leaks)
    if own_probs is None and effort == 1:
        (bench.arrays / "second.npz").unlink(missing_ok=True)
    asked = dict(
        embedder=embedder,
        folder=folder,
        engine=by,
        effort=effort,
        probabilities="own" if own_probs is not None else "probe",
        out_of_sample=out_of_sample,
    )
    if own_probs is not None:
        asked["own"] = sha256(probs.tobytes() + "".join(own_probs.index).encode()).hexdigest()[:12]
    with bench.transaction() as con:
        con.execute("insert or replace into meta values ('scan', ?)", [json.dumps(asked)])

    _, new = quality.measure(bench, state.content_hash, progress)
    say(f"quality     {new:,} of {len(graph['hashes']):,} images were new to CleanVision")
    if old := readings.older(bench, state):
        say(
            f"pixels      {old:,} images were decoded by an older Assay, which names no broken ones, takes the high byte of 16 bits and lays "
            "transparency on white: to read them anew, import them into a new bench"
        )
    held = hold_out_leakage(bench, state, leaks, who)
    if held:
        say(f"leakage     held out {held} (keep them: --keep-leakage, or edit keep)")
        state = bench.state()
    if own_probs is not None:
        store_second(bench, own_probs.index, probs, classes)
        sample = "out of sample, you say" if out_of_sample else "NOT out of sample: scores flatter"
        say(f"probs       took yours for {len(own_probs):,} samples; {said}; {sample}")
    elif effort > 1:
        second_opinion(bench, effort, say, progress, patience)
    found = standing.write_opinion(bench, position(bench, "HEAD"))
    few = load(bench.arrays / "opinion.npz")["few"].sum()
    aside = f"; {few} classes have too few samples to judge" if few else ""
    say(f"labels      {found.flagged.sum():,} of {len(found):,} train and val labels look wrong to the model{aside}")
    others = record_issues(bench, state)
    counts = others.kind.value_counts()
    say("issues      " + (", ".join(f"{n:,} {kind}" for kind, n in counts.items()) or "no duplicates, leakage, outliers or bad pictures"))
    say(gaps.line(bench))
    for line in tripped(bench, who)[1]:
        say(f"trigger     {line}")
    if not len(bench.commits()):
        say(
            f"version     {bench.commit('as imported, leakage held out' if held else 'as imported', who)['name']}: the labels as they stand now"
        )
    return found


def neighbours(bench, state, folder):
    """The graph of the bench's images, from arrays/graph.npz where it is of these images and this embedding; from arrays/lists.npz, which holds
    what an extension needs, where it is of most of them."""
    hashes = np.unique(np.asarray(state.content_hash, "S32"))
    key = neighbors.key_of(f"{GRAPH} {folder}", hashes)
    graph = load(bench.arrays / "graph.npz")
    if graph is not None and str(graph["key"]) == key:
        return graph
    X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
    made = lists(bench, hashes, X, f"{GRAPH} {folder}")
    near, far = made["neighbours"], made["distances"]
    pairs, gaps = neighbors.close_pairs(near, far)
    pixels = Pixels(Shards(bench.arrays / "pixels"), hashes, twins.SIDE)
    common = twins.layout(pixels)
    alike, limit = twins.likeness(pixels, pairs, common), twins.limit(pixels, near, common)
    twin = alike >= limit
    out = dict(key=np.array(key), hashes=hashes, neighbours=near.astype("i4"), distances=far.astype("f4"))
    out |= dict(pairs=pairs[twin], gaps=gaps[twin], groups=neighbors.star_groups(len(hashes), pairs[twin]))
    save(bench.arrays / "graph.npz", **out, close=pairs.astype("i4"), alike=alike, limit=np.array(limit))
    return load(bench.arrays / "graph.npz")


def lists(bench, hashes, X, of):
    """The neighbours of X, whose rows are the images `hashes`: extended from those that arrays/lists.npz holds `of` the same, if it can be."""
    file, made = bench.arrays / "lists.npz", None
    kept = load(file)
    if kept is not None and str(kept["of"]) == of:
        was = find(kept["hashes"], hashes)
        made = neighbors.extended(kept, X, was) if neighbors.can_extend(kept, was) else None
    made = made or neighbors.build(X)
    if len(hashes) > neighbors.EXACT:  # a small one is as soon built as read
        save(file, **(made | dict(of=np.array(of), hashes=hashes)))
    return made


def leaking(bench, state, graph):
    """[(row, row of the sample that it gives away)] of what is to be held out (see issues.leakage): what a person restored stays."""
    _, at = suspects.nodes(bench, state)
    restored = issues.restored(bench)
    found = issues.leakage(state, issues.near_pairs(graph), at)
    return [(i, j) for i, (j, _) in found.items() if state.index[i] not in restored]


def enough_is_left(bench, state, leaks):
    """UserError where holding out would take more than half of train, of val or of a class of train: then the splits are to be seen to first."""
    split, label = state["split"].to_numpy(object), state.label.to_numpy(object)
    kept, out = state.keep.to_numpy(bool), np.zeros(len(state), bool)
    out[[i for i, _ in leaks]] = True
    parts = {s: kept & (split == s) for s in ("train", "val")}
    parts |= {f"class {c} of train": parts["train"] & (label == c) for c in sorted({c for c in label[parts["train"]] if c is not None})}
    gone = [f"{(out & part).sum():,} of {part.sum():,} of {name}" for name, part in parts.items() if 2 * (out & part).sum() > part.sum()]
    if gone:
        i, j = leaks[0]
        pair = f"{state.key.iloc[i]} ({split[i]}) and {state.key.iloc[j]} ({split[j]})"
        raise UserError(
            f"expected few samples to (nearly) equal one of a split that they must not know, found {', '.join(gone[:5])}"
            f"{' ...' * (len(gone) > 5)}, for example {pair}; nothing was held out",
            f"see to the splits; or: assay scan -b {bench.given} --keep-leakage trains on them all the same, --yes holds them out",
        )


def hold_out_leakage(bench, state, leaks, who):
    """One batch of keep edits for samples that give another split away. Returns what was held out in words, "" for nothing."""
    import pandas as pd

    if not leaks:
        return ""
    ids, split = state.index, state["split"].to_numpy()
    rows = [(ids[i], f"leakage: like the {split[j]} sample {ids[j]}") for i, j in leaks]
    edits = pd.DataFrame(rows, columns=["sample", "why"]).assign(field="keep", value="false")
    with bench.transaction() as con:
        bench.append(con, edits, new_batch("scan"), who)
    count = {s: sum(split[i] == s for i, _ in leaks) for s in ("train", "val", "pool")}
    like = "val, test or guard" if "guard" in {split[j] for _, j in leaks} else "val or test"
    return " and ".join(f"{n:,} {s}" for s, n in count.items() if n) + f" samples that (nearly) equal a {like} sample"


def record_issues(bench, state):
    """Everything but label issues into the table `issues`."""
    found = issues.find(bench, issues.unheld(bench, state))
    with bench.transaction() as con:
        con.execute("delete from issues where kind <> 'label'")
        if len(found):
            con.register("found", found)
            con.execute("insert into issues by name select *, (select coalesce(max(seq), 0) from edits) as upto from found")
    return found


def second_opinion(bench, effort, say, progress, patience):
    """Train the network of `effort`, in a process of its own; where that fails, the probe judges alone, and that is said."""
    try:
        return apart.do(network_apart, bench, dict(effort=effort), patience, say, progress)
    except Lost as e:
        why = f"its process {e}"
    except UserError as e:
        why = e.problem
    (bench.arrays / "second.npz").unlink(missing_ok=True)  # of another time
    say(f"network     there is no second opinion: {why}; the probe judges alone")


def network_apart(bench, tell, effort):
    """The part of `second_opinion` that has a process of its own."""
    graph = load(bench.arrays / "graph.npz")
    network(bench, bench.state(), graph, effort, lambda line: tell(line=line), lambda *step: tell(step=step))


def network(bench, state, graph, effort, say, progress):
    """Out-of-fold probabilities of a trained network, kept by what they were trained on: a second opinion beside the probe."""
    from pipelines import train

    part = suspects.judged(state)
    classes, y = suspects.targets(part)
    rows, val = np.flatnonzero(y >= 0), np.flatnonzero((part["split"] == "val").to_numpy())
    _, at = suspects.nodes(bench, part)
    folds, seeds = FOLDS[effort], SEEDS[effort]
    made = ["network 2", folds, seeds, list(part.index[rows]), y[rows].tolist(), list(part.index[val])]
    key = sha256(json.dumps(made).encode()).hexdigest()
    kept = load(bench.arrays / "second.npz")
    if kept is not None and str(kept.get("key", "")) == key:
        return say("network     out-of-fold probabilities are there already")
    X = Pixels(Shards(bench.arrays / "pixels"), part.content_hash, side_of(bench, part))
    seconds = seeds * folds * train.cost("cnn", len(rows) * (folds - 1) // folds, X.shape[1:], len(classes))
    times = f"{folds} folds" + (f" by {seeds} seeds, averaged," if seeds > 1 else "")
    say(f"network     {times} of a small convolutional net on {len(rows):,} images: expect about {seconds / 60:.1f} minutes here")
    probs, groups = 0, graph["groups"][at][rows]
    for seed in range(seeds):
        tell = progress and (lambda done, text, seed=seed: progress((seed + done) / seeds, text))
        said = train.out_of_fold("cnn", X.take(rows), y[rows], groups, len(classes), seed, folds, progress=tell, also=X.take(val))
        probs = probs + said / seeds
    save(
        bench.arrays / "second.npz",
        key=np.array(key),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(part.index[np.r_[rows, val]], "S32"),
        labels=np.r_[y[rows], np.full(len(val), -1)],  # what it was trained on, -1 for what it was not
        probs=probs,
    )


def side_of(bench, state):
    """The square that images are trained at: the largest stored side, so that nothing is enlarged beyond its neighbours."""
    index = Shards(bench.arrays / "pixels")
    at = index.find(state.content_hash)
    return int(max(index.index["height"][at].max(), index.index["width"][at].max()))


# ---- a person's own model


def store_own(bench, state, vectors):
    """A person's embeddings as shards of their own; every sample needs one."""
    missing = state.index.difference(vectors.index)
    if len(missing):
        raise UserError(
            f"expected embeddings of all {len(state):,} samples, found none for {len(missing):,}", "add them: the graph needs every image"
        )
    array = vectors.loc[state.index].to_numpy("f4")
    folder = f"own-{sha256(array.tobytes()).hexdigest()[:12]}"
    shards = Shards(bench.arrays / "embeddings" / folder)
    hashes, first = np.unique(np.asarray(state.content_hash, "S32"), return_index=True)
    if (shards.find(hashes) < 0).any():
        shards.append(hashes, array[first])
    return folder


def store_second(bench, ids, probs, classes):
    """A person's probabilities (n, k), as own.of_classes has them, as the second opinion."""
    save(
        bench.arrays / "second.npz",
        key=np.array("own"),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(ids, "S32"),
        probs=probs.astype("f4"),
    )
