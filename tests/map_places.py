"""Where the samples of a map lie on the screen."""

import numpy as np
from matplotlib.path import Path

from assay.app.server import map_data
from assay.app.server.browse_view import BrowseView
from assay.app.server.review_session import ReviewSession


def read_places(bench):
    """Where each row of the table lies, (n, 2)."""
    packed = map_data.pack_places(BrowseView(ReviewSession(bench)))
    start = 4 + int(np.frombuffer(packed, "<u4", 1)[0])
    return np.frombuffer(packed, "<f4", offset=start).reshape(-1, 2)


def drawn_at(page, xy):
    """Where places of the map (n, 2) are on the screen."""
    box = page.locator(".chart").bounding_box()
    x, y, scale = map(float, page.locator(".assay-map").get_attribute("data-view").split())
    across = box["x"] + box["width"] / 2 + (xy[:, 0] - x) * scale
    return np.c_[across, box["y"] + box["height"] / 2 + (y - xy[:, 1]) * scale].astype(float)


def around(spots, want):
    """Corners of a rectangle around some spots."""
    (x0, y0), (x1, y1) = (spots[want].min(0) - 3).tolist(), (spots[want].max(0) + 3).tolist()
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def inside(spots, corners):
    """Which spots a polygon holds, (n,) bool: as matplotlib says."""
    return Path(np.array(corners)).contains_points(spots)
