"""Who judges the labels of which version: the last scan's probe, kept beside the bench so that an edit re-scores in a moment, and the
judges that scans left, so that a version is judged later as it was when it was the newest."""

import json
from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.neighbor_graph import nodes
from assay.curation.features.scan_settings import settings
from assay.curation.label_quality import probe
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.scoring import indices, judged, targets
from assay.curation.storage.arrays import Shards, load, save
from assay.curation.versioning.expressions import root
from assay.curation.versioning.versions import position

FIXED = (
    "mean",
    "scale",
    "lam",
    "slope",
    "offset",
)  # of a probe: what an edit leaves as it was fitted

# ---- the judge of a version


def judge_file(bench, version="HEAD"):
    """The file of the judge that a version has: among those that scans with the last scan's settings left, the newest that is no newer than the
    version, so that no later edit or scan changes what is flagged in it, else the oldest; None where there is none."""
    files = judge_files(bench)
    upto = position(bench, root(version)) if files else 0
    return next(
        (f for f in reversed(files) if int(f.stem.split("-")[1]) <= upto),
        files[0] if files else None,
    )


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
    return (
        kept
        and sha256(
            b"".join(np.ascontiguousarray(kept[name]).tobytes() for name in FIXED)
        ).hexdigest()[:12]
    )


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
    save(
        bench.arrays / "judges" / f"{settings_key(bench)}-{upto:012}.npz",
        classes=np.array(json.dumps(classes)),
        **fixed,
        **second_of(bench),
    )


def second_of(bench):
    """The second opinion of the last scan as second_classes, second_ids, second_probs, second_weight (its share beside the probe), second_labels
    where they are known (what it was trained on); {} where the probe judges alone."""
    kept = load(bench.arrays / "second.npz")
    if kept is None:
        return {}
    weight = 1.0 if settings(bench)["probabilities"] == "own" else 0.5
    return {
        f"second_{name}": kept[name]
        for name in ("classes", "ids", "probs", "labels")
        if name in kept
    } | dict(second_weight=np.array(weight))


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
    return dict(
        trained=len(trained),
        changed=changed,
        new=int((~np.isin(np.asarray(now.index, "S32"), trained)).sum()),
    )


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
        raise UserError(
            f"expected at least two classes among the kept train samples, found {len(here)}",
            "label or restore samples first",
        )
    else:
        graph, at = nodes(bench, part)
        X = Shards(bench.arrays / "embeddings" / settings(bench)["folder"]).rows(part.content_hash)
        probe = probes.Probe(kept["mean"], kept["scale"], len(classes))
        probe.lam, probe.slope, probe.offset = kept["lam"], kept["slope"], kept["offset"]
        probe.refit(X, targets(part, classes)[1], graph["groups"][at])
    probs = second_beside(kept, classes, np.asarray(part.index, "S32"), probe.pred_probs(X), part)
    return part, classes, probs, probe.few()


def fit(bench, state):
    """(classes, the judged part of the state, X, a probe fitted to it)."""
    part = judged(state)
    classes, y = targets(part)
    if len(classes) < 2:
        raise UserError(
            f"expected at least two classes among the kept train samples, found {len(classes)}",
            "label or restore samples first",
        )
    graph, at = nodes(bench, part)
    X = Shards(bench.arrays / "embeddings" / settings(bench)["folder"]).rows(part.content_hash)
    return classes, part, X, probe.fit(X, y, graph["groups"][at], len(classes))
