"""Order the queue by what correcting each label is worth to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality.expected_gain import find_values
from assay.curation.label_quality.influence import score_now
from assay.curation.label_quality.live import LiveProbe, LiveScores, ScoredState
from assay.curation.label_quality.scoring import class_indices, without_locked
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30  # val labels, below which nothing is known to be worth more than another
MOST = 5_000  # val labels that are asked: a session orders anew after every decision
# doubt, 1 - score, counts to this power: 1 and 4 were tried on 4 splits of CIFAR-10N, and others confirmed 4
POWER = 4
NOTE = (
    "the order is doubt times what the correction gains on val: fewer of the first are wrong than by score, "
    "and correcting them gains more; val labels come last, since they teach the model nothing"
)


def score_worth(scored: ScoredState, live: LiveProbe) -> pd.DataFrame:
    """Add to the scores what each correction is worth: column `worth`.

    By doubt and by what the suggestion, in place of the label, takes off the mean log-loss on val. UserError for fewer
    than 30 val labels.
    """
    part, found = without_locked(scored.state), scored.found
    rows, classes = part.index.get_indexer(found.index), list(scored.classes)
    given = np.full(len(part), -1)
    given[rows] = class_indices(found.label, classes)
    probs = np.where(scored.few, 0, scored.probs)
    probs[rows, given[rows]] = -1
    val = rows[(part["split"].iloc[rows] == "val").to_numpy()]
    if len(val) < FEWEST:
        raise UserError(
            f"expected at least {FEWEST} val labels to say what a correction gains, found {len(val)}",
            "leave --by value out, or label more of val",
        )
    val = val[:: -(-len(val) // MOST)]
    values = find_values(live.probe, live.X, given, probs.argmax(1), val, given[val])[rows]
    doubt = 1 - found.score.to_numpy("f8")
    return found.assign(worth=doubt**POWER * values.clip(0))


def read_worth(bench: Bench) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the newest state, with `worth`: (its samples, their scores)."""
    scored, live = score_now(bench, LiveScores(bench))
    return scored.state, score_worth(scored, live)
