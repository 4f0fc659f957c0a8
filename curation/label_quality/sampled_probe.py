"""The probe of a large bench, with some of its samples at hand.

It is fitted to all of them: its weights are sums over rows, to which an edit adds its own row. Only who is judged anew
after an edit is limited.
"""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality.kernel_columns import judged_folder
from assay.curation.label_quality.partitioned_scores import PartitionedScores, find_free
from assay.curation.label_quality.probe import Probe
from assay.curation.label_quality.score_files import StoredProbe
from assay.curation.storage.arrays import load_arrays, locate_hashes, map_array, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.versioning.state_rows import read_fixed

SMALL = tuple("mean scale lam inverse XtY knots heights stretch vote sizes offset".split())
FOLDER = "live"  # of arrays/states


class SampledProbe(Probe):
    """A probe of all samples, of which it judges some rows.

    Its rows hold every copy of those that it is fitted on, or leaving a group out would not be what it is for all.
    """

    def __init__(self, mean: np.ndarray, scale: np.ndarray, k: int) -> None:
        super().__init__(mean, scale, k)
        self.ranks = np.empty(0, "i8")  # (n,) its rows among all that a scan judges, ascending
        self.voting = np.empty(0, "i8")  # (v,) who votes on its rows, likewise
        self.votes = np.empty(0, "i8")  # (v,) class indices that they vote for, -1 for none
        self.elsewhere: np.ndarray | int = 0  # (k,) groups of each class without a row here

    def count_groups(self) -> None:
        super().count_groups()
        self.sizes = self.sizes + self.elsewhere

    def voters(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        return self.near[rows], self.votes

    def find_voters(self, rows: np.ndarray) -> np.ndarray:
        at, there = find_sorted(self.voting, self.ranks[rows])
        return np.where(there, at, len(self.voting) + np.arange(len(rows)))

    def update(self, X: np.ndarray, y: np.ndarray) -> None:
        """Bring it to new class indices y (n,) of its rows: see Probe.update."""
        changed = np.flatnonzero(self.y != y)
        at, there = find_sorted(self.voting, self.ranks[changed])
        self.votes[at[there]] = y[changed[there]]
        self.top = None  # of many classes what was said of few rows is soon said anew
        super().update(X, y)


def find_sorted(known: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find values (m,) among known ones, ascending: (their places, whether they are there)."""
    at = np.searchsorted(known, values).clip(max=max(0, len(known) - 1))
    there = known[at] == values if len(known) else np.zeros(len(values), bool)
    return at, there


def load_sampled_probe(
    bench: Bench, scores: PartitionedScores, ranks: np.ndarray, hashes: np.ndarray
) -> StoredProbe | None:
    """Load the last scan's probe with some of its rows; None where a scan has begun and not ended.

    scores: of that scan. ranks (n,): ascending, among all that it judges, with their copies: see add_copies. hashes
    (n,): their contents.
    """
    file = bench.arrays / "probe.npz"
    kept = load_arrays(file, (*SMALL, "folder", "classes", "cuts"))
    if kept is None or str(kept["folder"]) != judged_folder(read_settings(bench)):
        return None
    classes = json.loads(str(kept["classes"]))
    probe = SampledProbe(kept["mean"], kept["scale"], len(classes))
    for name in SMALL:
        setattr(probe, name, kept[name])
    probe.ranks = ranks
    y, groups = map_array(file, "y"), map_array(file, "groups")
    probe.y, probe.groups = np.array(y[ranks]), np.array(groups[ranks])
    probe.h = np.array(map_array(file, "h")[ranks])
    probe.count_groups()
    probe.elsewhere = kept["sizes"] - probe.sizes
    probe.sizes = kept["sizes"]
    if probe.vote:
        near = find_near(bench, scores, hashes)
        near[(near >= 0) & (groups[near] == probe.groups[:, None])] = -1  # no copy on its copy
        probe.voting = np.unique(near[near >= 0])
        probe.votes = np.array(y[probe.voting])
        probe.near = np.where(near < 0, -1, np.searchsorted(probe.voting, near)).astype("i4")
    ids = np.empty(0, "S32")  # of all: nobody asks
    return StoredProbe(str(kept["folder"]), ids, classes, probe, kept.get("cuts"))


def add_copies(bench: Bench, ranks: np.ndarray) -> np.ndarray:
    """Add the copies of rows (m,) that may be fitted: those that are left out with them."""
    groups = map_array(bench.arrays / "probe.npz", "groups")
    copies = np.flatnonzero(np.isin(groups, np.unique(groups[ranks]), kind="table"))
    return np.union1d(ranks, copies)


def find_near(bench: Bench, scores: PartitionedScores, hashes: np.ndarray) -> np.ndarray:
    """Find the train samples nearest to some contents (n,): ranks (n, j), -1 for none.

    As neighbor_votes.find_voters has them for all samples.
    """
    file = bench.arrays / "graph.npz"
    standing = load_voters(bench, scores)
    node = locate_hashes(map_array(file, "hashes"), hashes)
    assert (node >= 0).all(), "a scan judges what is in its graph"
    near = map_array(file, "neighbours")[node]
    return np.where(near >= 0, standing[near], -1)


def load_voters(bench: Bench, scores: PartitionedScores) -> np.ndarray:
    """Load which train sample stands on each node of the graph: ranks (nodes,), -1 for none.

    Of copies the first. It is found once a scan: ten million contents are looked up.
    """
    made = json.dumps([neighbor_graph.load_key(bench), scores.upto, len(scores.arrays["rows"])])
    name = f"voters-{sha256(made.encode()).hexdigest()[:16]}.npz"
    file = bench.arrays / "states" / FOLDER / name
    if (kept := load_arrays(file)) is not None:
        return kept["standing"]
    hashes = map_array(bench.arrays / "graph.npz", "hashes")
    standing, state = np.full(len(hashes), -1, "i8"), scores.state
    for number, (first, free) in enumerate(find_free(state)):
        train = state.load(number, ("split",)).isin("split", ("train",))[free]
        rows, rank = first + free[train], scores.starts[number] + np.flatnonzero(train)
        with bench.connect() as con:
            found = read_fixed(con, rows, 0, ["content_hash"])["content_hash"].to_numpy()
        node = locate_hashes(hashes, found)
        new = (node >= 0) & (standing[node] < 0)
        standing[node[new][::-1]] = rank[new][::-1]
    for old in file.parent.glob("voters-*.npz"):
        old.unlink(missing_ok=True)
    save_arrays(file, standing=standing)
    return standing
