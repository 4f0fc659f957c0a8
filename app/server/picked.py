"""Samples that a page picked out, such as a selection.

Others are those in view of the map, and the one under the pointer.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.app.server.browse_view import Order

if TYPE_CHECKING:
    from assay.app.server.browse_view import BrowseView


def pick_samples(view: BrowseView, chosen: dict) -> dict[str, Any]:
    """Make an order of picked samples, to ask for their pictures.

    chosen: as BrowseView.chosen_positions takes it; their order stays. Returns dict of (the order's digest), total,
    seq, and ids and rows of its first tiles, as BrowseView.read_tiles gives them.
    """
    with view.lock:
        table = view.refresh()
        positions = np.ascontiguousarray(view.chosen_positions(chosen), "<i4")
        told = blake2b(positions.tobytes() + view.stamp.encode(), digest_size=12).hexdigest()
        view.picked[told] = Order(told, positions, table.upto)
    return dict(of=told, total=len(positions)) | view.read_tiles(told, 0)
