"""The scan: embed, find neighbours, hold out leakage, fit the probe, name the issues; each step resumes and says what it found."""

import json
from hashlib import sha256

import numpy as np

from curation import issues, neighbors, quality, standing, suspects, twins
from curation.arrays import Shards, find, load, save
from curation.errors import UserError
from curation.images import Pixels
from curation.leftovers import at_work
from curation.store import new_batch
from curation.versions import position
from pipelines import gaps
from pipelines.embed import embed
from pipelines.shadow import tripped

GRAPH = "graph 2"  # counted up when neighbors.py or twins.py would make another graph of the same images
FOLDS = {2: 3, 3: 5}  # of the trained network that effort 2 and 3 add


@at_work
def scan(bench, effort=1, embedder="lite0", hold_out=True, who="assay scan", own=None, say=print, progress=None):
    """Scan `bench`. `own` = (probabilities frame or None, embeddings frame or None, out of sample or not) of a person's own model, by sample id.
    `say(line)` gets one line a step. Returns the judgement, as suspects.judge."""
    state = bench.state()
    if not len(state):
        raise UserError("expected samples to scan, found an empty bench", f"run: assay import SOURCE -b {bench.given}")
    own_probs, own_vectors, out_of_sample = own or (None, None, True)
    if own_vectors is None:
        X, new, folder = embed(bench, state.content_hash, embedder, progress)
        say(f"embed       {new:,} of {len(state):,} images were new to {embedder}, {X.shape[1]:,} numbers each")
    else:
        folder = store_own(bench, state, own_vectors)
        say(f"embed       took {own_vectors.shape[1]:,} numbers for each of {len(own_vectors):,} samples from your file")
    if own_probs is None and effort == 1:
        (bench.arrays / "second.npz").unlink(missing_ok=True)
    asked = dict(
        embedder=embedder,
        folder=folder,
        effort=effort,
        probabilities="own" if own_probs is not None else "probe",
        out_of_sample=out_of_sample,
    )
    with bench.transaction() as con:
        con.execute("insert or replace into meta values ('scan', ?)", [json.dumps(asked)])

    graph = neighbours(bench, state, folder)
    say(f"neighbours  {len(graph['hashes']):,} different images, {len(graph['pairs']):,} pairs of near duplicates")
    _, new = quality.measure(bench, state.content_hash, progress)
    say(f"quality     {new:,} of {len(graph['hashes']):,} images were new to CleanVision")
    held = hold_out_leakage(bench, state, graph, who) if hold_out else 0
    if held:
        guarded = (state["split"] == "guard").any()
        what = "samples that (nearly) equal a val, test or guard" if guarded else "train samples that (nearly) equal a val or test"
        say(f"leakage     held out {held:,} {what} sample (keep them: --keep-leakage, or edit keep)")
        state = bench.state()
    if own_probs is not None:
        store_second(bench, suspects.judged(state), own_probs, suspects.targets(suspects.judged(state))[0])
        say(
            f"probs       took yours for {len(own_probs):,} samples; {'out of sample, you say' if out_of_sample else 'NOT out of sample: scores flatter'}"
        )
    elif effort > 1:
        network(bench, state, graph, effort, say, progress)
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
    alike, limit = twins.likeness(pixels, pairs), twins.limit(pixels, near)
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


def hold_out_leakage(bench, state, graph, who):
    """One batch of keep edits for samples that give another split away (see issues.leakage); those that a person restored stay."""
    import pandas as pd

    _, at = suspects.nodes(bench, state)
    leaks = issues.leakage(state, issues.near_pairs(graph), at)
    restored = issues.restored(bench)
    ids, split = state.index, state["split"].to_numpy()
    rows = [(ids[i], f"leakage: like the {split[j]} sample {ids[j]}") for i, (j, _) in leaks.items() if ids[i] not in restored]
    if not rows:
        return 0
    edits = pd.DataFrame(rows, columns=["sample", "why"]).assign(field="keep", value="false")
    with bench.transaction() as con:
        bench.append(con, edits, new_batch("scan"), who)
    return len(rows)


def record_issues(bench, state):
    """Everything but label issues into the table `issues`."""
    found = issues.find(bench, issues.unheld(bench, state))
    with bench.transaction() as con:
        con.execute("delete from issues where kind <> 'label'")
        if len(found):
            con.register("found", found)
            con.execute("insert into issues by name select *, (select coalesce(max(seq), 0) from edits) as upto from found")
    return found


def network(bench, state, graph, effort, say, progress):
    """Out-of-fold probabilities of a trained network, kept by what they were trained on: a second opinion beside the probe."""
    from pipelines import train

    part = suspects.judged(state)
    classes, y = suspects.targets(part)
    rows = np.flatnonzero(y >= 0)
    _, at = suspects.nodes(bench, part)
    key = sha256(json.dumps([effort, list(part.index[rows]), y[rows].tolist()]).encode()).hexdigest()
    kept = load(bench.arrays / "second.npz")
    if kept is not None and str(kept.get("key", "")) == key:
        return say("network     out-of-fold probabilities are there already")
    X = Pixels(Shards(bench.arrays / "pixels"), part.content_hash, side_of(bench, part))
    folds = FOLDS[effort]
    seconds = folds * train.cost("cnn", len(rows) * (folds - 1) // folds, X.shape[1:], len(classes))
    say(f"network     {folds} folds of a small convolutional net on {len(rows):,} images: expect about {seconds / 60:.1f} minutes here")
    probs = np.zeros((len(part), len(classes)), "f4")
    probs[rows] = train.out_of_fold("cnn", X.take(rows), y[rows], graph["groups"][at][rows], len(classes), 0, folds, progress=progress)
    save(
        bench.arrays / "second.npz",
        key=np.array(key),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(part.index[rows], "S32"),
        probs=probs[rows],
    )


def side_of(bench, state):
    """The square that images are trained at: the largest stored side, so that nothing is enlarged beyond its neighbours."""
    index = Shards(bench.arrays / "pixels")
    at = index.find(state.content_hash)
    return int(max(index.index["height"][at].max(), index.index["width"][at].max()))


# ---- a person's own model


def read_own(path, bench, what):
    """Numbers by sample id from a file: Parquet with a column `sample` (or `sample_id`) and number columns, or .npy in the bench's order."""
    import pandas as pd

    state = bench.state()
    try:
        if str(path).endswith(".npy"):
            array = np.load(path, allow_pickle=False)
            if array.ndim != 2 or len(array) != len(state):
                raise UserError(
                    f"expected {len(state):,} rows of {what} (the bench's order, as `assay export` lists it), found shape {array.shape}",
                    "send Parquet with a column `sample` to give them in any order",
                )
            return pd.DataFrame(array, index=state.index)
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as e:
        raise UserError(
            f"expected {what} as .npy or Parquet, found {path}: {e}", "write it with numpy.save or DataFrame.to_parquet"
        ) from None
    ids = next((c for c in ("sample", "sample_id") if c in frame), None)
    if ids is None:
        raise UserError(
            f"expected a column `sample` in {path}, found {', '.join(map(str, frame.columns))}", "add the sample ids of `assay export`"
        )
    frame = frame.set_index(ids)
    unknown = frame.index.difference(state.index)
    if len(unknown) or frame.index.has_duplicates:
        raise UserError(
            f"expected every sample once in {path}, found {len(unknown):,} unknown ids, for example {list(unknown[:1])}",
            "take ids from `assay export`",
        )
    if len(frame.columns) == 1 and len(frame) and np.ndim(frame.iloc[0, 0]) == 1:
        frame = pd.DataFrame(np.stack(frame.iloc[:, 0].to_numpy()), index=frame.index)
    if not np.isfinite(frame.to_numpy("f8")).all():
        raise UserError(f"expected finite numbers in {path}, found NaN or infinity", "mend the file")
    return frame


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


def store_second(bench, part, probs, classes):
    """A person's probabilities, checked: one column a class, in lexicographic order if named, rows that sum to 1."""
    names = [str(c) for c in probs.columns]
    named = not all(n.isdigit() and int(n) == i for i, n in enumerate(names)) or names == classes
    if len(names) != len(classes) or (named and names != classes):
        raise UserError(
            f"expected probabilities of {', '.join(classes)} in this order, found {', '.join(names)}", "order the columns by class name"
        )
    array = probs.to_numpy("f8")
    if (array < 0).any() or (abs(array.sum(1) - 1) > 1e-3).any():
        raise UserError("expected rows of probabilities that sum to 1, found others", "apply a softmax first")
    needed = part.index[part.keep & part.split.isin(("train", "val")) & part.label.notna()]
    missing = needed.difference(probs.index)
    if len(missing):
        raise UserError(f"expected probabilities for {len(needed):,} train and val samples, found none for {len(missing):,}", "add them")
    rows = probs.index.isin(part.index)
    save(
        bench.arrays / "second.npz",
        key=np.array("own"),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(probs.index[rows], "S32"),
        probs=array[rows].astype("f4"),
    )
