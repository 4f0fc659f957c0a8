"""Turn an act on many samples into one batch of decisions.

Test and guard samples are locked, so they are left out and counted.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.app.server.guard_act import freeze_selection
from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.splits import LOCKED
from assay.curation.tasks.base import refuse_task, task_of
from assay.curation.tasks.multilabel import make_set, read_set

if TYPE_CHECKING:
    import pandas as pd

    from assay.app.server.browse_view import BrowseView
    from assay.app.server.review_session import ReviewSession
    from assay.curation.storage.interface import Bench

PAINTED = 0.3  # seconds until a page has painted its act: scoring sooner would slow it
ACTS = (
    "label",
    "add_label",
    "remove_label",
    "new_class",
    "suggested",
    "verdict",
    "keep",
    "split",
    "tag",
    "guard",
)


def act(view: BrowseView, session: ReviewSession, asked: dict, who: str) -> dict[str, Any]:
    """Carry out an act, or take one back.

    asked: dict batch (its name, chosen by the page: sent twice it is stored once), and undo=True, or
    decision and the samples (see BrowseView.chosen_positions). Returns dict batch (what undoes it:
    its name), seq, samples, skipped (why -> how many).
    """
    batch = asked.get("batch")
    if not isinstance(batch, str):
        raise UserError("expected the name of a batch, found none", "reload the page")
    if asked.get("undo") is True:
        out = store(view, session, dict(batch=batch), who)
        return settle(out, batch, samples=0, skipped={})
    decision = asked.get("decision")
    if not isinstance(decision, dict) or not decision or set(decision) - set(ACTS):
        raise UserError(
            f"expected a decision of {', '.join(ACTS)}, found another value", "reload the page"
        )
    refuse_one_label(view.bench, decision)
    with view.lock:
        table = view.refresh()
        positions = view.chosen_positions(asked)
        rows = table.rows(positions, ["split", "label", "suggestion"])
    fit, skipped = leave_out(rows, decision)
    samples = rows[fit]
    if not len(samples):
        return dict(batch=None, seq=table.upto, samples=0, skipped=skipped)
    if "guard" in decision:
        return freeze(view, session, samples.index, decision["guard"], who, skipped)
    sent = dict(batch=batch, decision=make_rows(samples, decision))
    out = store(view, session, sent, who)
    return settle(out, batch, len(samples), skipped)


def freeze(
    view: BrowseView,
    session: ReviewSession,
    samples: pd.Index,
    asked: dict,
    who: str,
    skipped: dict[str, int],
) -> dict[str, Any]:
    """Freeze samples as a regression set: a batch of its own kind.

    Frozen twice they change nothing, so that an answer that was lost does no harm.
    """
    out = freeze_selection(session.bench, samples, asked, who)
    seq = view.refresh().upto
    if is_scanned(session.bench):
        session.request_rescore(seq)
    return out | dict(seq=seq, skipped=skipped | out["skipped"])


def store(view: BrowseView, session: ReviewSession, sent: dict, who: str) -> dict:
    """Store a batch, and read the samples as they are now.

    Then the scores follow. The page waits for the samples, and nobody for the scores.
    """
    out = session.append_decisions([sent], who)
    view.refresh()
    if is_scanned(session.bench):
        later = threading.Timer(PAINTED, session.request_rescore, [out["seq"]])
        later.daemon = True
        later.start()
    return out


def refuse_one_label(bench: Bench, decision: dict) -> None:
    """Refuse one label for many samples that have several."""
    if "label" in decision:
        refuse_task(
            bench,
            "the label of a selection",
            "their other classes would be lost: add a label to them, or take one away with a minus before it",
        )
    elif changed_class(decision) and task_of(bench).name == "classification":
        raise UserError(
            "expected one label for samples that have one each, found a label to add or to take away",
            "reload the page",
        )


def changed_class(decision: dict) -> str:
    """Name the class that an act adds to label sets, or takes away from them; "" for none."""
    name = decision.get("add_label") or decision.get("remove_label") or ""
    return name if isinstance(name, str) else ""


def leave_out(rows: pd.DataFrame, decision: dict) -> tuple[np.ndarray, dict[str, int]]:
    """Mark the rows (n,) that a decision can be about.

    The others are counted by reason.
    """
    locked = rows["split"].isin(LOCKED).to_numpy()
    lacking = np.zeros(len(rows), bool)
    why = ""
    if decision.get("verdict") in ("confirm", "unsure"):
        lacking, why = rows.label.isna().to_numpy(), "without a label"
    elif decision.get("suggested") is True:
        lacking, why = rows.suggestion.isna().to_numpy(), "without a suggestion"
    elif name := changed_class(decision):
        has = np.array([isinstance(v, str) and name in read_set(v) for v in rows.label], bool)
        adds = "add_label" in decision
        lacking, why = (has, "with it already") if adds else (~has, "without it")
    lacking = lacking & ~locked
    counts = {"locked": int(locked.sum()), why: int(lacking.sum())}
    return ~locked & ~lacking, {k: n for k, n in counts.items() if n}


def make_rows(samples: pd.DataFrame, decision: dict) -> list[dict]:
    """Make the decision on each sample."""
    apart = ("suggested", "add_label", "remove_label")
    plain = {k: v for k, v in decision.items() if k not in apart}
    hints = samples.suggestion.astype(object).where(samples.suggestion.notna(), None)
    if decision.get("suggested") is True:
        return [
            plain | dict(sample=s, suggested_label=label, label=label)
            for s, label in zip(samples.index, hints)
        ]
    if name := changed_class(decision):
        given = samples.label.astype(object).where(samples.label.notna(), "[]")
        added = {name} if "add_label" in decision else set()
        sets = [make_set({*read_set(was)} - {name} | added) for was in given]
        return [
            plain | dict(sample=s, suggested_label=hint, label=label)
            for s, hint, label in zip(samples.index, hints, sets)
        ]
    if decision.get("verdict") == "confirm":
        # a confirmation is of the label that was on the screen
        return [
            plain | dict(sample=s, suggested_label=hint, given_label=seen)
            for s, hint, seen in zip(samples.index, hints, samples.label)
        ]
    return [plain | dict(sample=s, suggested_label=h) for s, h in zip(samples.index, hints)]


def settle(out: dict, batch: str, samples: int, skipped: dict[str, int]) -> dict[str, Any]:
    """Say what came of a batch; UserError where it was refused."""
    if why := out["refused"].get(batch):
        problem = why.partition("\n  ")
        raise UserError(problem[2] or problem[0], "nothing was stored")
    return dict(batch=batch, seq=out["seq"], samples=samples, skipped=skipped)
