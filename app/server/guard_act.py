"""The act guard: make selected samples a regression set.

They are kept out of all that trains or guides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.curation import text
from assay.curation.config import check_config
from assay.curation.errors import UserError
from assay.curation.slicing.regression_sets import (
    freeze_sets,
    frozen_sets,
    without_test_copies,
)
from assay.curation.slicing.set_definitions import EXAMPLE, RegressionSet

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench


def freeze_selection(bench: Bench, samples: pd.Index, asked: Any, who: str) -> dict[str, Any]:
    """Freeze samples into a set: a new one, or one that grows.

    asked: dict name, and score, the accuracy that is required on a new one. Returns dict batch, samples, skipped
    (why -> how many), moved (near copies that left their split, too).
    """
    if not isinstance(asked, dict) or not isinstance(asked.get("name"), str):
        raise UserError("expected the name of a regression set, found none", "name it")
    name, state = asked["name"].strip(), bench.state()
    text.check_text(name, "the name of a set")
    there = frozen_sets(bench, state).get(name)
    score = there["score"] if there else asked.get("score")
    if not name or score is None:
        raise UserError(
            "expected a name and a required accuracy of the set, found one missing",
            "an accuracy is a share, as in 0.9",
        )
    usable = samples[(state.keep[samples] & state.label[samples].notna()).to_numpy()]
    fit = without_test_copies(bench, state, usable)
    counts = {
        "dropped or without a label": len(samples) - len(usable),
        "nearly equal to a test sample": len(usable) - len(fit),
    }
    skipped = {why: n for why, n in counts.items() if n}
    if not len(fit):
        return dict(batch=None, samples=0, skipped=skipped)
    every = sorted({*fit, *(there["samples"] if there else ())})
    wanted = dict(score=float(score), samples=every)
    check_config(RegressionSet, wanted, f"the set {name!r}", EXAMPLE)
    out = freeze_sets(bench, {name: dict(score=float(score), asked=every)}, who)
    new = next(one["new"] for one in out["sets"])
    moved = sum(out["moved"].values()) - new
    return dict(batch=out["batch"], samples=new, skipped=skipped, copies=max(0, moved))


def list_sets(bench: Bench) -> list[dict[str, Any]]:
    """List the frozen sets: dicts name, score, n."""
    found = frozen_sets(bench, bench.state())
    return [dict(name=name, score=one["score"], n=one["n"]) for name, one in found.items()]
