"""The train labels behind one mistake, as the inspector shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.curation.review.mistake_queue import queue_mistakes

if TYPE_CHECKING:
    from assay.app.server.review_session import ReviewSession

SHOWN = 8
QUEUED = 40  # labels that Review then asks about


def explain_mistake(session: ReviewSession, sample: str) -> dict[str, Any]:
    """Explain the model's mistake on a val sample.

    Returns dict says (which mistake), queue (a name for Review), total, and rows: dicts sample, key,
    label, influence, doubted, the strongest first.
    """
    with session.turn:  # the scores that the session holds, one thread at a time
        found = queue_mistakes(session.bench, [sample], QUEUED, session.scores)
    rows = [
        dict(
            sample=r.sample,
            key=r.source_id,
            label=r.given_label,
            influence=round(r.influence, 3),
            doubted=r.suggested_label != r.given_label,
        )
        for r in found.head(SHOWN).itertuples()
    ]
    name = session.queues.remember(list(found["sample"]), "Browse") if rows else ""
    return dict(says=found.attrs["notes"][0], queue=name, total=len(found), rows=rows)
