"""Read the parts of a bench that columns come from.

Or bring them forward by a few edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.filtering import column_arrays
from assay.curation.filtering.column_arrays import ScoreReader, replace_rows
from assay.curation.filtering.columns import read_model
from assay.curation.filtering.likeness import Embed
from assay.curation.filtering.row_columns import read_open_issues, read_scores
from assay.curation.filtering.sample_rows import SampleRows
from assay.curation.label_quality.live import label_scores
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Arrays = dict[str, "pa.Array"]
FEW = 20_000  # edited samples up to which columns are brought forward
# samples that edits between two positions touched, and "" for a rule or a rename
TOUCHED = "select distinct sample from edits where seq > ? and seq <= ? limit ?"
# columns of the state that no decision changes: a moved file makes another state
FIXED = ("sample", "key", "path", "source", "width", "height")


@dataclass(frozen=True)
class Moment:
    """A bench at a position of its log."""

    bench: Bench
    state: pd.DataFrame | SampleRows
    upto: int
    scored: pd.DataFrame | None  # as score_labels, where a session has it in memory
    placing: ScoreReader
    embed: Embed | None = None  # makes vectors of pictures from outside


def read_part(moment: Moment, source: str) -> Arrays:
    """Read a part as a whole.

    UserError where the bench cannot say it.
    """
    bench, state = moment.bench, moment.state
    if isinstance(state, SampleRows) and source in ("scores", "issues"):
        return read_scores(state) if source == "scores" else read_open_issues(state)
    if source == "scores":
        found = label_scores(bench) if moment.scored is None else moment.scored
        return moment.placing.read(found, state)
    if source == "issues":
        return column_arrays.read_issues(bench, state, flagged_rows(moment))
    if (model := read_model(source)) is not None:
        return {source: column_arrays.read_model_predictions(bench, state, model)}
    if source.startswith("opinion "):
        return column_arrays.read_opinion(bench, state, source.split(" ", 1)[1])
    return column_arrays.PARTS[source](bench, state)


def flagged_rows(moment: Moment) -> np.ndarray | None:
    """Mark the rows (n,) whose label a session flags.

    None without a session.
    """
    if moment.scored is None:
        return None
    rows, flagged = (
        moment.placing.find_rows(moment.scored, moment.state),
        np.zeros(len(moment.state), bool),
    )
    flagged[rows[rows >= 0]] = moment.scored.flagged.to_numpy(bool)[rows >= 0]
    return flagged


def find_touched(before: Moment, moment: Moment) -> np.ndarray | None:
    """Find the rows that were edited between two moments.

    None where many were, or all may have been.
    """
    if not moment.state.index.is_(before.state.index):
        return None
    with moment.bench.connect() as con:
        asked = [before.upto, moment.upto, FEW + 1]
        found = con.execute(TOUCHED, asked).fetchnumpy()["sample"]
    rows = moment.state.index.get_indexer(found)
    return None if len(rows) > FEW or (rows < 0).any() else np.sort(rows)


def bring_forward(moment: Moment, source: str, arrays: Arrays, rows: np.ndarray) -> Arrays:
    """Bring a part forward by the rows that were edited."""
    if not len(rows):
        return arrays
    part = moment.state.iloc[rows]
    if source == "state":
        new = column_arrays.read_state(moment.bench, part)
    else:
        new = column_arrays.read_reviewers(moment.bench, part, of_some=True)
    return {
        name: array if name in FIXED else replace_rows(array, rows, new[name])
        for name, array in arrays.items()
    }


def read_or_explain(moment: Moment, source: str) -> tuple[Arrays, str]:
    """Read a part; returns also why it is empty, or ""."""
    try:
        return read_part(moment, source), ""
    except UserError as e:
        return {}, f"{e.problem}; {e.hint}"
