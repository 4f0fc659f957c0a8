"""Who judges the labels of which version: the last scan's probe, kept beside the bench so that an edit re-scores in a moment, and the
judges that scans left, so that a version is judged later as it was when it was the newest."""

import json
from hashlib import sha256

import numpy as np

from curation import probe as probes
from curation.arrays import Shards, load, save
from curation.errors import UserError
from curation.suspects import fit, indices, judge, judged, nodes, packed, reasons, settings, targets
from curation.versions import position, root

FIXED = ("mean", "scale", "lam", "slope", "offset")  # of a probe: what an edit leaves as it was fitted

# ---- the judge of a version


def judge_file(bench, version="HEAD"):
    """The file of the judge that a version has: among those that scans with the last scan's settings left, the newest that is no newer than the
    version, so that no later edit or scan changes what is flagged in it, else the oldest; None where there is none."""
    files = judge_files(bench)
    upto = position(bench, root(version)) if files else 0
    return next((f for f in reversed(files) if int(f.stem.split("-")[1]) <= upto), files[0] if files else None)


def judge_files(bench):
    """The judges that scans with the last scan's settings left, oldest first."""
    return sorted((bench.arrays / "judges").glob(f"{settings_key(bench)}-*.npz"))


def settings_key(bench):
    return sha256(json.dumps(settings(bench), sort_keys=True).encode()).hexdigest()[:12]


def judge_name(bench, version="HEAD"):
    """What tells one judge from another: the name of its file; of a bench that an older Assay scanned, the calibration of its probe."""
    if file := judge_file(bench, version):
        return file.stem
    kept = load(bench.arrays / "probe.npz", FIXED)
    return kept and sha256(b"".join(np.ascontiguousarray(kept[name]).tobytes() for name in FIXED)).hexdigest()[:12]


def judge_of(bench, version="HEAD"):
    """The judge of a version as arrays: classes, what is FIXED of its probe, and where there is a second opinion second_* (see keep_judge);
    None where no scan ended."""
    if file := judge_file(bench, version):
        return load(file)
    kept = load(bench.arrays / "probe.npz", (*FIXED, "folder", "classes"))
    if kept is None or str(kept["folder"]) != settings(bench)["folder"]:
        return None
    return kept | second_of(bench)


def keep_judge(bench, upto, classes, probe):
    """Leave a judge for the versions from the log position `upto` on."""
    fixed = {name: np.asarray(getattr(probe, name)) for name in FIXED}
    save(bench.arrays / "judges" / f"{settings_key(bench)}-{upto:012}.npz", classes=np.array(json.dumps(classes)), **fixed, **second_of(bench))


def second_of(bench):
    """The second opinion of the last scan as second_classes, second_ids, second_probs, second_weight (its share beside the probe), second_labels
    where they are known (what it was trained on); {} where the probe judges alone."""
    kept = load(bench.arrays / "second.npz")
    if kept is None:
        return {}
    weight = 1.0 if settings(bench)["probabilities"] == "own" else 0.5
    return {f"second_{name}": kept[name] for name in ("classes", "ids", "probs", "labels") if name in kept} | dict(
        second_weight=np.array(weight)
    )


class Second:
    """Another model's out-of-sample probabilities beside the probe's: a trained network's, or a person's own."""

    def __init__(self, kept, classes, ids):
        """kept: as judge_of; ids (n,): the judged samples, of which `classes` are asked."""
        theirs = json.loads(str(kept["second_classes"]))
        self.known = np.isin(np.array(classes, object).astype(str), theirs)
        at = [theirs.index(c) if c in theirs else 0 for c in classes]
        _, self.rows, mine = np.intersect1d(ids, kept["second_ids"], return_indices=True)
        probs = kept["second_probs"][mine][:, at] * self.known
        some = probs.sum(1) > 0  # else all it says is of classes that have gone
        self.rows, self.probs = self.rows[some], probs[some] / probs[some].sum(1, keepdims=True)
        self.weight = float(kept["second_weight"])

    def beside(self, probs, y):
        """probs (n, k) with this opinion in it; y (n,): class indices of the labels. One of a class that it has never heard of is the probe's to judge."""
        heard = (y[self.rows] < 0) | self.known[y[self.rows]]
        rows = self.rows[heard]
        probs[rows] = (1 - self.weight) * probs[rows] + self.weight * self.probs[heard]
        return probs


def second_beside(kept, classes, ids, probs, part):
    """Probabilities (n, k) of the rows of `part` with the second opinion of a judge in them, where it has one."""
    if "second_ids" not in (kept or {}):
        return probs
    return Second(kept, classes, ids).beside(probs, indices(part.label, classes))


def second_age(bench, state):
    """How the labels of a state differ from those that the second opinion's network was trained on, as a dict: trained (labels), changed (of these
    relabelled, dropped or moved since), new (labels it has not been trained on). None where no network gave a second opinion."""
    kept = judge_of(bench) or {}
    if "second_labels" not in kept:
        return None
    theirs, was = json.loads(str(kept["second_classes"])), kept["second_labels"]
    trained = kept["second_ids"][was >= 0]
    now = state.loc[state.keep & (state.split == "train") & state.label.notna(), "label"]
    y = now.reindex(trained.astype(str))
    changed = int((indices(y, theirs) != was[was >= 0]).sum())
    return dict(trained=len(trained), changed=changed, new=int((~np.isin(np.asarray(now.index, "S32"), trained)).sum()))


def of_version(bench, version):
    """(the judged part of a version's state, classes, out-of-sample probabilities (n, k) of its rows, which classes are too few (k,)), by the judge
    that the version has: its standardisation, lambda and calibration, on the labels of this version."""
    state, kept = bench.state(version), judge_of(bench, version)
    part = judged(state)
    here = targets(part)[0]
    classes = json.loads(str(kept["classes"])) if kept else []
    if not set(here) <= set(classes):  # a class that no judge knows, or no judge at all
        classes, part, X, probe = fit(bench, state)
    elif len(here) < 2:
        raise UserError(f"expected at least two classes among the kept train samples, found {len(here)}", "label or restore samples first")
    else:
        graph, at = nodes(bench, part)
        X = Shards(bench.arrays / "embeddings" / settings(bench)["folder"]).rows(part.content_hash)
        probe = probes.Probe(kept["mean"], kept["scale"], len(classes))
        probe.lam, probe.slope, probe.offset = kept["lam"], kept["slope"], kept["offset"]
        probe.refit(X, targets(part, classes)[1], graph["groups"][at])
    probs = second_beside(kept, classes, np.asarray(part.index, "S32"), probe.pred_probs(X), part)
    return part, classes, probs, probe.few()


# ---- the judge of the labels as they stand now


class Standing:
    """The probe that the last scan left, in memory: whatever labels its samples get, it judges them in a moment."""

    def __init__(self, bench, folder, classes, ids, hashes, probe):
        self.classes, self.ids, self.probe = classes, ids, probe  # ids (n,): the judged samples, in order
        self.X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
        self.kept = dict(folder=np.array(folder), ids=ids, classes=np.array(json.dumps(classes)))
        kept = judge_of(bench) or {}
        self.second = Second(kept, classes, ids) if "second_ids" in kept else None
        self.of = None

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
            probs = self.second.beside(probs, indices(part.label, self.classes))
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
    keep_judge(bench, upto, classes, probe)
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
        ids=held.ids,
        pred_probs=probs.astype("f4"),
        few=held.probe.few(),
        **packed(judged(state), held.classes, held.probe.few(), found),  # rows: of these ids
    )
    return found
