"""Queue the train labels that made the model's mistakes on val."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality import scoring
from assay.curation.label_quality.influence import find_influences, refuse_large
from assay.curation.label_quality.live import LiveScores
from assay.curation.review.queue import COLUMNS
from assay.curation.slicing import slices
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


def queue_mistakes(
    bench: Bench, samples: Sequence[str], n: int = 200, live: LiveScores | None = None
) -> pd.DataFrame:
    """List the train labels that made the model's mistakes on val samples.

    samples: ids or keys of labelled val samples. live: scores at hand. A frame as build_queue, the strongest first, and
    `influence`: the log-odds that the given labels would gain, were this sample not there. Those that speak for a
    mistake and that nobody has reviewed; attrs["left_out"] counts the reviewed, attrs["notes"] says which mistakes,
    attrs["waiting"] what has no room among n. Nothing of it counts as drawn at random.
    """
    import pandas as pd

    if n < 1:
        raise UserError(f"expected n of at least 1, found {n}", "for example: -n 200")
    asked = find_asked(bench, samples)
    found, mistakes, scored = find_influences(bench, asked, live)
    state = scored.state
    blamed = found[found > 0]
    reviewed = state.reviewed[blamed.index].to_numpy(bool)
    todo = blamed[~reviewed]
    shown = todo.head(n)
    rows, taken = scored.found.reindex(shown.index), state.loc[shown.index]
    judged = rows.score.notna().to_numpy()
    why = np.full(len(rows), "too few of its class to judge", object)
    why[judged] = scoring.explain_labels(bench, state, rows[judged])
    out = pd.DataFrame(
        dict(
            sample=shown.index,
            rank=pd.array(range(1, len(shown) + 1), "Int64"),
            source_id=taken.key.to_numpy(),
            path=taken.uri.to_numpy(),
            given_label=taken.label.to_numpy(),
            suggested_label=rows.suggestion.to_numpy(object),
            score=rows.score.to_numpy(float),
            reason=[f"{describe_influence(v)}; {text}" for v, text in zip(shown, why)],
            random=False,
        )
    )[COLUMNS].assign(influence=shown.to_numpy())
    out.attrs = dict(
        made_of=dict(disagreements=0, suspicious=0, random=0, again=0, influential=len(out)),
        left_out=dict(locked=0, dropped=0, reviewed=int(reviewed.sum()), reserved=0),
        waiting=len(todo) - len(out),
        notes=[describe_mistakes(state.key, mistakes, len(asked))],
    )
    return out


def find_asked(bench: Bench, samples: Sequence[str]) -> list[str]:
    """Find the ids of labelled val samples; UserError for what is none."""
    refuse_large(bench)
    state, asked = bench.state(), list(dict.fromkeys(map(str, samples)))
    if not asked or (state.index.get_indexer(asked) < 0).any():  # not all of them ids
        asked = slices.resolve_slices(bench, {"mistakes": asked})["mistakes"]
    for sample in asked:
        if sample not in state.index:
            raise UserError(
                f"expected samples of this version, found {sample}, which it does not have",
                "choose others",
            )
        now = state.loc[sample]
        if now["split"] == "val" and now.keep and isinstance(now.label, str):
            continue
        what = "one that was dropped" if now["split"] == "val" else f"one of {now['split']}"
        what = "one without a label" if now["split"] == "val" and now.keep else what
        locked = " and test is judged by experiments alone" if now["split"] in LOCKED else ""
        raise UserError(
            f"expected labelled samples of val, found {now.key}, {what}",
            f"what the model does with train it was fitted to,{locked or ' and a pool has no labels'}",
        )
    return asked


def describe_influence(value: float) -> str:
    """Say what a train sample's absence would do."""
    return f"without it the val label gains {value:.2g} in log-odds"


def describe_mistakes(keys: pd.Series, mistakes: list[tuple[str, str, str]], asked: int) -> str:
    """Say which mistakes were looked into."""
    sample, given, said = mistakes[0]
    if len(mistakes) == 1 == asked:
        return f"the probe says {said} of {keys[sample]}, which is labelled {given}"
    right = asked - len(mistakes)
    more = f"; {format_count(right, 'sample', 'is', 'are')} predicted as labelled" if right else ""
    return f"{format_count(len(mistakes), 'mistake')}, first {keys[sample]}: {said}, labelled {given}{more}"
