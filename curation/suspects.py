"""What the probe makes of a version's labels: out-of-sample probabilities, which labels they doubt, and why in words."""

import json
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np

from curation import neighbors, versions
from curation import probe as probes
from curation.arrays import Shards, find, load, save, written
from curation.errors import UserError
from curation.versions import position


def settings(bench):
    """What the last scan was asked for: {embedder, folder, effort, probabilities}; UserError where there was none."""
    found = bench.rows("select value from meta where key = 'scan'")
    if not found:
        raise UserError("expected a scanned bench, found none of its images judged", f"run: assay scan -b {bench.given}")
    return json.loads(found[0][0])


def judged(state):
    """The samples that are fitted or predicted: all but test and guard, which no score may read."""
    return state[~state.split.isin(("test", "guard"))]


def targets(state, classes=None):
    """(classes, y): the lexicographic classes of kept, labelled train samples, and each row's class index, -1 unless it is one of those."""
    fitted = (state.keep & (state.split == "train") & state.label.notna()).to_numpy()
    classes = sorted(set(state.label[fitted])) if classes is None else classes
    return classes, np.where(fitted, indices(state.label, classes), -1)


def indices(labels, classes):
    """The class index (n,) of every label, -1 where it is none of the classes."""
    import pandas as pd

    return pd.Index(classes, dtype=object).get_indexer(np.asarray(labels, object))


def nodes(bench, state):
    """(graph arrays, each sample's node in the graph): equal images share a node. What was asked for last is remembered: nobody writes into it."""
    made, last = written(bench.arrays / "graph.npz"), bench.nodes  # which another thread may replace meanwhile
    if last and last[0] == made and state.index.is_(last[1]):
        return last[2:]
    graph = load(bench.arrays / "graph.npz")
    if graph is None:
        raise UserError("expected the neighbours of every image, found none", f"run: assay scan -b {bench.given}")
    at = find(graph["hashes"], state.content_hash)
    if (at < 0).any():
        raise UserError("expected every image scanned, found some imported since", f"run: assay scan -b {bench.given}")
    bench.nodes = made, state.index, graph, at
    return graph, at


def vectors(bench, graph):
    """The unit vectors (n, <=128) of the graph's nodes, as the graph itself compared them: those that the scan kept, in half precision, of a small
    bench made anew, in single."""
    kept = load(bench.arrays / "lists.npz", ["of", "hashes", "vectors"])
    if kept is not None and neighbors.key_of(str(kept["of"]), kept["hashes"]) == str(graph["key"]):
        return kept["vectors"]
    return neighbors.reduced(Shards(bench.arrays / "embeddings" / settings(bench)["folder"]).rows(graph["hashes"]))


def fit(bench, state):
    """(classes, the judged part of the state, X, a probe fitted to it)."""
    part = judged(state)
    classes, y = targets(part)
    if len(classes) < 2:
        raise UserError(
            f"expected at least two classes among the kept train samples, found {len(classes)}", "label or restore samples first"
        )
    graph, at = nodes(bench, part)
    X = Shards(bench.arrays / "embeddings" / settings(bench)["folder"]).rows(part.content_hash)
    return classes, part, X, probes.fit(X, y, graph["groups"][at], len(classes))


def labelled(state, classes, few):
    """(rows (m,) of a state whose labels are judged, the class index of every row (n,))."""
    y = indices(state.label, classes)
    use = (y >= 0) & ~np.asarray(few)[y] & state.keep.to_numpy() & state.split.isin(("train", "val")).to_numpy()
    return np.flatnonzero(use), y


def judge(state, classes, probs, few):
    """Every labelled, kept train and val sample against `probs` (n, k) of the rows of `state`: frame label, reviewed, score (probability of the
    label it has, low is bad), suggestion, confidence (probability of that), flagged (another class is likelier, and nobody has decided about the
    label); through cleanlab. Classes that are `few` are not judged."""
    import pandas as pd
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    rows, y = labelled(state, classes, few)
    out = pd.DataFrame(index=state.index[rows])
    out["label"], out["reviewed"] = state.label.iloc[rows], state.reviewed.iloc[rows]
    if not len(rows):
        return out.assign(score=0.0, suggestion="", confidence=0.0, flagged=False)
    p = np.ascontiguousarray(probs[rows], "f8")
    p[:, few] = 0  # too few to judge is too few to suggest
    p /= p.sum(1, keepdims=True)
    best = p.argmax(1)
    seen = np.unique(np.r_[y[rows], best])  # cleanlab wants labels 0..k-1 that occur
    narrow = np.searchsorted(seen, y[rows])
    out["score"] = get_label_quality_scores(narrow, p[:, seen], method="self_confidence") if len(seen) > 1 else 1.0
    out["suggestion"] = np.array(classes, dtype=object)[best]
    out["confidence"] = p[np.arange(len(rows)), best]
    differs = find_label_issues(narrow, p[:, seen], filter_by="predicted_neq_given", n_jobs=1) if len(seen) > 1 else np.zeros(len(rows), bool)
    out["flagged"] = differs & ~out.reviewed.to_numpy(bool)
    return out


def suspects(bench, version):
    """The flagged labels of any version: frame sample -> label, suggestion; worst first."""
    found = opinion(bench, version, scan_needed=False)
    return found[found.flagged].sort_values("score", kind="stable")[["label", "suggestion"]]


def judge_key(bench, version="HEAD"):
    """A hash of what decides which labels of a version are doubted: its judge, the graph (copies leave the probe together), the code."""
    from curation import standing

    graph = load(bench.arrays / "graph.npz", ["key"])  # alone: the rest is large
    code = b"".join(Path(module.__file__).read_bytes() for module in (probes, standing, sys.modules[__name__]))
    made = [settings(bench), standing.judge_name(bench, version), graph and str(graph["key"])]
    return sha256(json.dumps(made).encode() + code).hexdigest()[:16]


def opinion(bench, version="HEAD", scan_needed=True):
    """The judgement of any version as a frame (see judge), the one that says what is flagged. At the end of the log it is the standing one, brought
    up to date first if edits came since it was written; where samples came, left or changed split, that needs a scan, or (scan_needed
    False) they are judged as those of any other version."""
    if versions.is_head(bench, version):
        try:
            found = brought(bench)
            return told(bench.state(), load(bench.arrays / "opinion.npz")) if found is None else found
        except UserError:
            if scan_needed:
                raise
    return judgement(bench, version)


def judgement(bench, version):
    """The judgement of a version by the judge it has (see standing.judge_file). Kept in arrays/flagged, by what the version holds and what judges
    it, so that `v1 - flagged` refits once and not at every look."""
    from curation.standing import of_version

    state = bench.state(version)
    file = bench.arrays / "flagged" / f"{versions.tree(state)}-{judge_key(bench, version)}.npz"
    kept = load(file)
    if kept is None:
        part, classes, probs, few = of_version(bench, version)
        found = judge(part, classes, probs, few)
        found["flagged"] = (found.suggestion != found.label).to_numpy(bool)  # who has decided is no part of the tree: `told` adds it
        kept = packed(part, classes, few, found)
        with suppress(OSError):  # a full disk costs the next look a fit, not this one its answer
            save(file, **kept)
    return told(state, kept)


def packed(part, classes, few, found):
    """A judgement `found` of the rows of `part` as arrays, from which `told` makes it again."""
    return dict(
        classes=np.array(json.dumps(classes)),
        rows=labelled(part, classes, few)[0],
        score=found.score.to_numpy("f8"),
        suggestion=indices(found.suggestion, classes),
        confidence=found.confidence.to_numpy("f8"),
        flagged=found.flagged.to_numpy(bool),
    )


def told(state, kept):
    """The judgement of a state as arrays/opinion.npz holds it."""
    import pandas as pd

    classes = np.array(json.loads(str(kept["classes"])), dtype=object)
    rows = np.flatnonzero(~state.split.isin(("test", "guard")))[kept["rows"]]
    reviewed = state.reviewed.to_numpy(bool)[rows]
    return pd.DataFrame(
        dict(
            label=state.label.to_numpy(object)[rows],
            reviewed=reviewed,
            score=kept["score"],
            suggestion=classes[kept["suggestion"]],
            confidence=kept["confidence"],
            flagged=kept["flagged"] & ~reviewed,
        ),
        index=state.index[rows],
    )


def brought(bench):
    """Bring arrays/opinion.npz and the label issues to the end of the log. Returns the judgement, or None where both are there already."""
    kept = load(bench.arrays / "opinion.npz", ["upto", "rows"])
    settings(bench)
    if kept is not None and "rows" in kept and int(kept["upto"]) == position(bench, "HEAD"):
        return None
    from curation.standing import rescore

    found = rescore(bench)
    if found is None:
        came = "samples that came, left or moved to another split since"
        raise UserError(f"expected a scan of the samples as they are, found {came}", f"run: assay scan -b {bench.given}")
    return found


COLUMNS = ("kind", "sample", "score", "suggestion", "why")


def issues(bench, version="HEAD", columns=COLUMNS):
    """What the last scan found, or what it would have found in another version: a frame of the columns."""
    import pandas as pd

    from curation.issues import find, unheld

    if versions.is_head(bench, version):
        brought(bench)
        return bench.query(f"select {', '.join(columns)} from issues")
    state, found = bench.state(version), opinion(bench, version)
    flagged = found[found.flagged].sort_values("score", kind="stable")
    rows = flagged.reset_index(names="sample")[["sample", "score", "suggestion"]].assign(kind="label", why=reasons(bench, state, flagged))
    return pd.concat([rows, find(bench, unheld(bench, state))])[list(columns)]


def reasons(bench, state, rows):
    """A sentence for each row of a judgement: what the model says without having seen it, and what its nearest neighbours are labelled."""
    if not len(rows):
        return []
    import pandas as pd

    graph, at = nodes(bench, state)
    usable = (state.keep & state.split.isin(("train", "val")) & state.label.notna()).to_numpy()  # never a test label
    codes, names = pd.factorize(state.label.to_numpy()[usable], sort=True)
    label_of = np.full(len(graph["hashes"]), -1)
    label_of[at[usable][::-1]] = codes[::-1]  # of copies, the first
    near = graph["neighbours"][at[state.index.get_indexer(rows.index)]]  # (m, k)
    seen = np.where(near >= 0, label_of[near], -1)
    said = indices(rows.suggestion, names)
    theirs = (seen == np.where(said < 0, -2, said)[:, None]).sum(1)
    total = (seen >= 0).sum(1)
    return [
        f"{p:.0%} {s} out of sample, {q:.0%} {g}; {a} of {n} nearest neighbours labelled {s}"
        if s != g
        else f"{p:.0%} {s} out of sample, as labelled; {a} of {n} nearest neighbours labelled {s}"
        for p, s, q, g, a, n in zip(rows.confidence, rows.suggestion, rows.score, rows.label, theirs, total)
    ]
