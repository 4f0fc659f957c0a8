"""The written scores of a large bench, read a part of its state at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, map_array
from assay.curation.storage.interface import Bench
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.state_building import open_state

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("rows", "score", "suggestion", "confidence", "flagged")


@dataclass(frozen=True)
class PartitionedScores:
    """The scores of arrays/opinion.npz, mapped: see score_files.StoredScores."""

    upto: int  # the position of the log that they are of
    classes: list[str]
    arrays: dict[str, np.ndarray]  # by name of COLUMNS, (m,) each
    starts: np.ndarray  # (parts + 1,) samples before each part that are neither test nor guard
    state: PartitionedState  # at `upto`

    @classmethod
    def load(cls, bench: Bench) -> PartitionedScores:
        """Map the scores; what they are of is counted from the parts."""
        file = bench.arrays / "opinion.npz"
        about = load_arrays(file, ["upto", "classes"])
        assert about is not None, "there was a scan"
        state = open_state(bench, int(about["upto"]))
        sizes = [len(free) for _, free in find_free(state)]
        return cls(
            state.upto,
            json.loads(str(about["classes"])),
            {name: map_array(file, name) for name in COLUMNS},
            np.append(0, np.cumsum(sizes)).astype("i8"),
            state,
        )

    def scan(self) -> Iterator[tuple[np.ndarray, slice]]:
        """Go through the parts: (rows (m,) of the state that are scored, where their scores are)."""
        for number, (first, free) in enumerate(find_free(self.state)):
            ends = self.starts[number : number + 2]
            low, high = np.searchsorted(self.arrays["rows"], ends)
            yield first + free[self.arrays["rows"][low:high] - ends[0]], slice(low, high)

    def find_worst(self, now: PartitionedState, n: int) -> np.ndarray:
        """Find the rows of the n worst scores of labels that nobody has reviewed, worst first.

        now: the newest state. What was edited since the scores were made has none.
        """
        rows, scores = [np.empty(0, "i8")], [np.empty(0)]
        since = find_edited_rows(self.state, now)
        for number, (here, at) in enumerate(self.scan()):
            part = now.load(number, ("reviewed",))
            free = ~part.flags["reviewed"][here - number * now.each] & ~np.isin(here, since)
            score = np.asarray(self.arrays["score"][at])[free]
            least = find_least(score, n)
            rows.append(here[free][least])
            scores.append(score[least])
        return np.concatenate(rows)[find_least(np.concatenate(scores), n)]

    def count_contradicted(self, now: PartitionedState) -> tuple[int, int]:
        """Count the scored labels that nobody has reviewed: (all, those the model contradicts)."""
        judged = contradicted = 0
        numbers = {name: number for number, name in enumerate(self.classes)}
        for number, (here, at) in enumerate(self.scan()):
            part = now.load(number, ("label", "reviewed"))
            local = here - number * now.each
            free = ~part.flags["reviewed"][local]
            named = np.array([-1, *(numbers.get(name, -1) for name in part.values["label"])])
            label = named[part.codes["label"][local[free]]]
            judged += int(free.sum())
            contradicted += int((np.asarray(self.arrays["suggestion"][at])[free] != label).sum())
        return judged, contradicted

    def ranks(self, rows: np.ndarray) -> np.ndarray:
        """Find the places (m,) of rows among the samples that are neither test nor guard, or -1."""
        out = np.full(len(rows), -1)
        for number in np.unique(rows // self.state.each).tolist():
            here = np.flatnonzero(rows // self.state.each == number)
            if number < len(self.state.names):
                free = is_free(self.state.load(number, ("split", "known")))
                local = rows[here] - number * self.state.each
                inside = local < len(free)
                local = np.where(inside, local, 0)
                rank = self.starts[number] + np.cumsum(free)[local] - 1
                out[here] = np.where(inside & free[local], rank, -1)
        return out

    def frame(self, rows: np.ndarray, state: pd.DataFrame) -> pd.DataFrame:
        """Give a frame as score_labels makes it, of those of some rows that are scored.

        state: the same samples.
        """
        import pandas as pd

        ranks = self.ranks(rows)
        scored = self.arrays["rows"]
        at = np.searchsorted(scored, ranks).clip(max=len(scored) - 1)
        at = np.where((ranks >= 0) & (scored[at] == ranks), at, -1)
        there = at >= 0
        found = {name: np.asarray(self.arrays[name][at[there]]) for name in COLUMNS}
        part = state[there]
        return pd.DataFrame(
            dict(
                label=part.label.to_numpy(object),
                reviewed=part.reviewed.to_numpy(bool),
                score=found["score"],
                suggestion=np.array(self.classes, object)[found["suggestion"]],
                confidence=found["confidence"],
                flagged=found["flagged"] & ~part.reviewed.to_numpy(bool),
            ),
            part.index,
        )


def is_free(part) -> np.ndarray:
    """Mark the samples (n,) that are neither test nor guard."""
    return ~part.isin("split", LOCKED) & part.flags["known"]


def find_free(state: PartitionedState) -> Iterator[tuple[int, np.ndarray]]:
    """Go through the parts: (its first row, places (m,) in it that are neither test nor guard)."""
    for first, part in state.scan(("split", "known")):
        yield first, np.flatnonzero(is_free(part))


def find_edited_rows(then: PartitionedState, now: PartitionedState) -> np.ndarray:
    """Find the rows (m,) of the samples that were edited between two states."""
    if then.upto == now.upto:
        return np.empty(0, "i8")
    asked = """select distinct s.rowid as row from edits e join samples s on e.sample = s.id
        where e.seq > ? and e.seq <= ?"""
    with now.bench.connect() as con:
        return np.sort(con.execute(asked, [then.upto, now.upto]).fetchnumpy()["row"])


def find_least(scores: np.ndarray, n: int) -> np.ndarray:
    """Find the places of the n least scores, in order; of equal ones the first, and NaN last."""
    if len(scores) > n:
        limit = np.partition(scores, n - 1)[n - 1]
        low = np.flatnonzero(~(scores > limit)) if limit == limit else np.arange(len(scores))
    else:
        low = np.arange(len(scores))
    return low[np.argsort(scores[low], kind="stable")[:n]]
