"""The review queue of a large bench: no more of its state is read than the queue needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import is_scanned
from assay.curation.issues.disagreements import disagreement_issues, list_contested
from assay.curation.label_quality import live
from assay.curation.label_quality.partitioned_scores import PartitionedScores
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.review.queue import Draws, check_numbers, count_draws, order_queue
from assay.curation.storage.arrays import file_stamp, locate_hashes, map_array
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.sample_draws import RandomRows, find_random_rows
from assay.curation.versioning.state_building import is_large, open_state
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd


def can_build(bench: Bench, version: str) -> bool:
    """Whether the queue is built by parts: of a large bench as it stands, with scores."""
    if version != "HEAD" or not (is_large(bench) and is_scanned(bench)) or task_of(bench).several:
        return False
    upto = LabelScores.position(bench)
    return upto is not None and names_at(bench, upto).renames == names_at(bench).renames


def build_by_parts(bench: Bench, n: int, random: float | None) -> pd.DataFrame:
    """List what to review next: see queue.build_queue.

    Read are the scores, four columns of every part, and whole rows of what is shown alone.
    """
    check_numbers(n, random)
    state, scores = open_state(bench), PartitionedScores.load(bench)
    if scores.upto < state.upto:
        live.note_age(state.upto - scores.upto)
    rated = find_random_rows(state, count_draws(n, random))
    contested = state.locate(list_contested(bench))
    contested = np.sort(contested[contested >= 0])
    disagreements = disagreement_issues(bench, state=state.frame(contested))
    first = state.locate(list(disagreements["sample"]))
    worst = scores.find_worst(state, n)
    rows = np.unique(np.concatenate([first, worst, rated.waiting]))
    frame = state.frame(rows)
    shown = scores.frame(rows, frame)
    draws = Draws(list(state.frame(rated.waiting, ["key"]).index), count_reviews(state, rated))
    near = with_neighbours(bench, state, rows)
    return order_queue(bench, near, shown, disagreements, n, random, draws=draws)


def count_reviews(state: PartitionedState, rated: RandomRows) -> tuple[int, int]:
    """Count the reviews so far: (all, sure ones at random): see queue.count_reviews."""
    asked = ("given_label", "reviewed")
    reviewed = state.find(lambda part: part.flags["reviewed"] & part.has("given_label"), asked)
    verdicts = state.take(rated.stratum, ["verdict"])["verdict"]
    return len(reviewed), int((verdicts != "unsure").sum())


def read_neighbourhood(bench: Bench, sample: str) -> pd.DataFrame:
    """Read a state that holds a sample and its neighbours; of a small bench it is all of it."""
    if not is_large(bench):
        return bench.state()
    state = open_state(bench)
    rows = state.locate([sample])
    return with_neighbours(bench, state, rows[rows >= 0])


def with_neighbours(bench: Bench, state: PartitionedState, rows: np.ndarray) -> pd.DataFrame:
    """Read rows of a state, and those of their nearest neighbours, which are evidence.

    The part of the graph that holds these is remembered as the graph of the frame.
    """
    file = bench.arrays / "graph.npz"
    if not file.exists():
        return state.frame(rows)
    made = file_stamp(file)
    hashes, neighbours = map_array(file, "hashes"), map_array(file, "neighbours")
    asked = np.unique(state.frame(rows, ["content_hash"]).content_hash.to_numpy("S32"))
    at = locate_hashes(hashes, asked)
    near = neighbours[at[at >= 0]]
    nodes = np.union1d(at[at >= 0], near[near >= 0])
    frame = state.frame(np.union1d(rows, find_copies(bench, state, hashes[nodes])))
    places = np.full((len(nodes), near.shape[1]), -1)
    places[np.searchsorted(nodes, at[at >= 0])] = np.where(
        near >= 0, np.searchsorted(nodes, near), -1
    )
    none = np.empty((0, 2), int)
    graph = neighbor_graph.Graph(
        "a part", hashes[nodes], places, np.ones(places.shape), none, np.empty(0),
        np.arange(len(nodes)), none, np.empty(0), 0,
    )  # fmt: skip
    if (at >= 0).all():  # else whoever asks for the graph says what is not scanned
        node = locate_hashes(graph.hashes, frame.content_hash)
        bench.nodes = made, frame.index, graph, node
    return frame


def find_copies(bench: Bench, state: PartitionedState, hashes: np.ndarray) -> np.ndarray:
    """Find the rows of all samples with some contents."""
    with bench.connect() as con:
        register_values(con, "wanted", hashes.astype(str).tolist())
        asked = "select rowid as row from samples where content_hash in (select sample from wanted)"
        rows = con.execute(asked).fetchnumpy()["row"]
    return rows[rows < state.total]
