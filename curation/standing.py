"""The standing opinion: the last scan's probe, kept beside the bench so that an edit re-scores in a moment."""

import json

import numpy as np

from curation import probe as probes
from curation.arrays import Shards, load, save
from curation.suspects import fit, indices, judge, judged, labelled, reasons, settings
from curation.versions import position


class Standing:
    """The probe that the last scan left, in memory: whatever labels its samples get, it judges them in a moment."""

    def __init__(self, bench, folder, classes, ids, hashes, probe):
        self.classes, self.ids, self.probe = classes, ids, probe  # ids (n,): the judged samples, in order
        self.X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
        self.kept = dict(folder=np.array(folder), ids=ids, classes=np.array(json.dumps(classes)))
        second = load(bench.arrays / "second.npz")  # a trained network's out-of-fold probabilities, or a person's own
        self.second = self.of = None
        if second is not None and json.loads(str(second["classes"])) == classes:
            _, mine, theirs = np.intersect1d(ids, second["ids"], return_indices=True)
            self.second = mine, second["probs"][theirs], 0 if settings(bench)["probabilities"] == "own" else 0.5

    def same(self, state):
        """Are the judged samples of a state those that it was made of?"""
        held = state.split.isin(("test", "guard")).to_numpy()
        if self.of is None or not (state.index.is_(self.of[0]) and np.array_equal(held, self.of[1])):
            self.of = (state.index, held) if np.array_equal(self.ids, np.asarray(state.index[~held], "S32")) else None
        return self.of is not None

    def judge(self, state):
        """(what it makes of the labels of a state of the same samples: see judge, the probabilities (n, k) behind it, whether labels had changed);
        None where one of them is of a class that it has never seen."""
        part = judged(state[["label", "keep", "split", "reviewed"]])
        fitted = part.keep.to_numpy() & (part.split == "train").to_numpy()
        y = np.where(fitted, indices(part.label, self.classes), -1)
        if part.label.to_numpy()[fitted & (y < 0)].astype(bool).any():
            return None
        news = not np.array_equal(y, self.probe.y)
        if news:
            self.probe.update(self.X, y)
        probs = self.probe.pred_probs(self.X)
        if self.second is not None:
            rows, theirs, mine = self.second
            probs[rows] = mine * probs[rows] + (1 - mine) * theirs
        return judge(part, self.classes, probs, self.probe.few()), probs, news

    def save(self, bench):
        save(bench.arrays / "probe.npz", **self.kept, **{name: np.asarray(getattr(self.probe, name)) for name in probes.Probe.ARRAYS})


def standing(bench, state):
    """The probe that stands for the samples of a state; None where none does, or samples came, left or changed split: only a scan can tell."""
    kept = load(bench.arrays / "probe.npz")
    if kept is None or str(kept["folder"]) != settings(bench)["folder"]:
        return None  # a scan with another embedder began and has not ended
    part, classes = judged(state), json.loads(str(kept["classes"]))
    if not np.array_equal(kept["ids"], np.asarray(part.index, "S32")):
        return None
    probe = probes.Probe(kept["mean"], kept["scale"], len(classes))
    for name in probes.Probe.ARRAYS:
        setattr(probe, name, kept[name])
    return Standing(bench, str(kept["folder"]), classes, kept["ids"], part.content_hash, probe)


def write_opinion(bench, upto):
    """Fit the probe to the labels at the log position `upto`, and publish what it finds."""
    state = bench.state(upto)
    classes, part, _, probe = fit(bench, state)
    held = Standing(bench, settings(bench)["folder"], classes, np.asarray(part.index, "S32"), part.content_hash, probe)
    held.save(bench)
    return publish(bench, upto, state, held, *held.judge(state)[:2])


def rescore(bench):
    """Bring the standing opinion to the present labels without embedding or fitting anew; None where no scan stands."""
    upto = position(bench, "HEAD")
    state = bench.state(upto)
    held = standing(bench, state)
    if held is None:
        return None
    judged = held.judge(state)
    if judged is None:
        return write_opinion(bench, upto)
    found, probs, news = judged
    if news:
        held.save(bench)
    return publish(bench, upto, state, held, found, probs)


def publish(bench, upto, state, held, found, probs):
    """Write probabilities and scores to arrays/opinion.npz and the flagged labels to `issues`; returns the judgement."""
    flagged = found[found.flagged].sort_values("score", kind="stable")
    rows = flagged.reset_index(names="sample")[["sample", "score", "suggestion"]].assign(
        kind="label", why=reasons(bench, state, flagged), upto=upto
    )
    with bench.transaction() as con:
        con.execute("delete from issues where kind = 'label'")
        con.register("found", rows)
        con.execute("insert into issues by name select * from found")
    save(
        bench.arrays / "opinion.npz",
        upto=np.array(upto),
        classes=np.array(json.dumps(held.classes)),
        ids=held.ids,
        pred_probs=probs.astype("f4"),
        few=held.probe.few(),
        rows=labelled(judged(state), held.classes, held.probe.few())[0],  # of these ids
        score=found.score.to_numpy("f8"),
        suggestion=indices(found.suggestion, held.classes),
        confidence=found.confidence.to_numpy("f8"),
        flagged=found.flagged.to_numpy(bool),
    )
    return found
