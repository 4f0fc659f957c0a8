"""Bring the probe's scores to the labels as they are now."""

import json
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import settings
from assay.curation.label_quality import probe
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.judges import Second, fit, judge_of, keep_judge
from assay.curation.label_quality.reasons import explain_labels
from assay.curation.label_quality.scoring import indices, judge, judged, packed
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import Shards, load, save
from assay.curation.versioning import versions
from assay.curation.versioning.versions import position

# ---- the judge of the labels as they stand now


class Standing:
    """The probe that the last scan left, in memory: whatever labels its samples get, it judges them in a moment."""

    def __init__(self, bench, folder, classes, ids, hashes, probe):
        self.classes, self.ids, self.probe = (
            classes,
            ids,
            probe,
        )  # ids (n,): the judged samples, in order
        self.X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
        self.kept = dict(folder=np.array(folder), ids=ids, classes=np.array(json.dumps(classes)))
        kept = judge_of(bench) or {}
        self.second = Second(kept, classes, ids) if "second_ids" in kept else None
        self.of = None

    def same(self, state):
        """Are the judged samples of a state those that it was made of?"""
        held = state.split.isin(LOCKED).to_numpy()
        if self.of is None or not (
            state.index.is_(self.of[0]) and np.array_equal(held, self.of[1])
        ):
            self.of = (
                (state.index, held)
                if np.array_equal(self.ids, np.asarray(state.index[~held], "S32"))
                else None
            )
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
        save(
            bench.arrays / "probe.npz",
            **self.kept,
            **{name: np.asarray(getattr(self.probe, name)) for name in probes.Probe.ARRAYS},
        )


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
    held = Standing(
        bench,
        settings(bench)["folder"],
        classes,
        np.asarray(part.index, "S32"),
        part.content_hash,
        probe,
    )
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
        kind="label", why=explain_labels(bench, state, flagged), upto=upto
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


def suspects(bench, version):
    """The flagged labels of any version: frame sample -> label, suggestion; worst first."""
    found = opinion(bench, version, scan_needed=False)
    return found[found.flagged].sort_values("score", kind="stable")[["label", "suggestion"]]


def judge_key(bench, version="HEAD"):
    """A hash of what decides which labels of a version are doubted: its judge, the graph (copies leave the probe together), the code."""
    from assay.curation.label_quality import judges

    graph = load(bench.arrays / "graph.npz", ["key"])  # alone: the rest is large
    code = b"".join(
        Path(module.__file__).read_bytes() for module in (probe, judges, sys.modules[__name__])
    )
    made = [settings(bench), judges.judge_name(bench, version), graph and str(graph["key"])]
    return sha256(json.dumps(made).encode() + code).hexdigest()[:16]


def opinion(bench, version="HEAD", scan_needed=True):
    """The judgement of any version as a frame (see judge), the one that says what is flagged. At the end of the log it is the standing one, brought
    up to date first if edits came since it was written; where samples came, left or changed split, that needs a scan, or (scan_needed
    False) they are judged as those of any other version."""
    if versions.is_head(bench, version):
        try:
            found = brought(bench)
            return (
                told(bench.state(), load(bench.arrays / "opinion.npz")) if found is None else found
            )
        except UserError:
            if scan_needed:
                raise
    return judgement(bench, version)


def judgement(bench, version):
    """The judgement of a version by the judge it has (see standing.judge_file). Kept in arrays/flagged, by what the version holds and what judges
    it, so that `v1 - flagged` refits once and not at every look."""
    from assay.curation.label_quality.judges import of_version

    state = bench.state(version)
    file = bench.arrays / "flagged" / f"{versions.tree(state)}-{judge_key(bench, version)}.npz"
    kept = load(file)
    if kept is None:
        part, classes, probs, few = of_version(bench, version)
        found = judge(part, classes, probs, few)
        found["flagged"] = (found.suggestion != found.label).to_numpy(
            bool
        )  # who has decided is no part of the tree: `told` adds it
        kept = packed(part, classes, few, found)
        with suppress(OSError):  # a full disk costs the next look a fit, not this one its answer
            save(file, **kept)
    return told(state, kept)


def told(state, kept):
    """The judgement of a state as arrays/opinion.npz holds it."""
    import pandas as pd

    classes = np.array(json.loads(str(kept["classes"])), dtype=object)
    rows = np.flatnonzero(~state.split.isin(LOCKED))[kept["rows"]]
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
    found = rescore(bench)
    if found is None:
        came = "samples that came, left or moved to another split since"
        raise UserError(
            f"expected a scan of the samples as they are, found {came}",
            f"run: assay scan -b {bench.given}",
        )
    return found
