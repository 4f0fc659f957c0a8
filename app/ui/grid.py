"""A grid of pictures; one act on those selected is one batch."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from assay.app.server.review_session import open_session
from assay.app.ui.widgets import make_component, propose_name, take_name
from assay.curation.versioning import pointers

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

grid = make_component("grid")


def draw_grid(
    bench: Bench,
    items: list[dict],
    actions: list[dict],
    who: str,
    key: str,
    chosen: dict[str, str | None] | None = None,
) -> None:
    """Draw pictures and what can be done with those selected.

    items: dicts sample, label, suggested_label, name, note, why. actions: dicts name, decision (as
    Bench.edit takes it, without the sample; suggested=True: the label suggested for each).
    who: "" asks with the first decision.
    chosen: {sample: suggested label or None} where more are meant than are shown.
    """
    chosen = {i["sample"]: i["suggested_label"] for i in items} if chosen is None else chosen
    of = sha256("\n".join(chosen).encode()).hexdigest()[:32]
    open_session(bench.path).choices.remember(of, chosen)
    at = f"{of} {[a['name'] for a in actions]} {pointers.find_position(bench, 'HEAD')}"
    about = dict(who=who, proposal=propose_name(), of=of, total=len(chosen))
    grid(
        data=dict(key=at, items=items, actions=actions) | about,
        key=key,
        on_stored_change=lambda: None,
        on_named_change=lambda: take_name(key),
    )
