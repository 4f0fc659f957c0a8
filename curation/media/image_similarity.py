"""Whether two images show one picture.

Resized, recompressed, mirrored or cropped a little, it is the same; the same kind of thing is not.
"""

from __future__ import annotations

import numpy as np

from assay.curation.media.pixels import Pixels

SIDE, CELLS = 32, 16  # pixels that are looked at, and cells of the grid of their slopes
NEAR_DUPLICATE = 0.9  # correlation of slopes from which on two images may be near duplicates,
# if it is this many robust deviations above what is usual between look-alikes here, or beyond doubt
ABOVE, SURE = 8, 0.995
# slopes in fewer cells than this, such as strokes on paper, agree by chance: that much less on Fisher's scale
SPARSE, DOUBT = 25, 0.8
SAME = 1 - 1e-6
SAMPLE = 2_000  # images by which is told what is usual between look-alikes
SHARED = 16  # directions of what all images share
HOPEFUL = 0.2  # of two whole images, below which no cropping is tried
CROP = 0.06  # of a side
PLAIN = 1e-3  # mean slope of an image that shows nothing, as a share of black to white
CORNERS = ((CROP / 2, CROP / 2), (0, 0), (0, CROP), (CROP, 0), (CROP, CROP))
VIEWS = ((0, 0, 1, 1), *((y, x, y + 1 - CROP, x + 1 - CROP) for y, x in CORNERS))


def compare_pairs(
    pixels: Pixels | np.ndarray, pairs: np.ndarray, common: np.ndarray | None = None
) -> np.ndarray:
    """Compare pairs of images by their brightness slopes.

    pairs (m, 2): rows of `pixels` (n, 32, 32, 3) uint8, which are read as they are needed. common:
    common_slopes(pixels), where it is known. Returns (m,): the correlation of the slopes on a 16 x 16 grid, the best
    over the whole image and crops of 6 % in the middle and at each corner, either way round, mirrored or not. Slopes
    and not brightness, for that correlates between any two birds in a blue sky."""
    if not len(pairs):  # a bench of one picture has none
        return np.zeros(0)
    common = common_slopes(pixels) if common is None else common
    seen, at = np.unique(pairs, return_inverse=True)
    at, out = at.reshape(-1, 2), np.zeros(len(pairs))
    none = np.empty((0, 1, CELLS, CELLS), "f4")
    whole = np.concatenate(
        [none, *(view_brightness(pixels[rows], VIEWS[:1]) for rows in split_rows(seen))]
    )
    for some in split_rows(np.arange(len(pairs))):
        out[some] = correlate_views(whole[at[some, 0]], whole[at[some, 1]], common)
    for some in split_rows(np.flatnonzero((out >= HOPEFUL) & (out < SAME))):
        rows, here = np.unique(at[some], return_inverse=True)
        views = view_brightness(pixels[seen[rows]], VIEWS)
        out[some] = correlate_views(*(views[side] for side in here.reshape(-1, 2).T), common)
    doubtful = (count_sloping_cells(whole) < SPARSE)[at].any(1) & (out < SAME)
    out[doubtful] = np.tanh(np.arctanh(out[doubtful]) - DOUBT)
    return out


def common_slopes(pixels: Pixels | np.ndarray, sample: int = 500) -> np.ndarray:
    """Find the directions in which most slopes of these images lie.

    Returns (views, 450, r), mirrored or not, for each view; r is 16, or less for few images. Solar cells have their
    wires, scans their margins: what all share says nothing about two."""
    from scipy.linalg import eigh

    rank = min(SHARED, len(pixels) // 50)
    rows = np.random.default_rng(0).permutation(len(pixels))[:sample]
    grids = view_brightness(pixels[np.sort(rows)], VIEWS)
    both = np.concatenate([compute_slopes(grids), compute_slopes(grids[..., ::-1])])
    by_view = both.swapaxes(0, 1)  # (views, 2n, 450)
    d = by_view.shape[2]
    if not rank:
        return np.empty((len(by_view), d, 0), "f4")
    return np.stack([eigh(one.T @ one, subset_by_index=[d - rank, d - 1])[1] for one in by_view])


def split_rows(rows: np.ndarray, size: int = 2048) -> list[np.ndarray]:
    """Split rows into blocks that fit in memory."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def count_sloping_cells(grids: np.ndarray) -> np.ndarray:
    """Count the cells in which an image has slopes.

    grids (n, 1, 16, 16) -> (n,), of 225 cells, as a participation ratio."""
    energy = compute_slopes(grids[:, 0]) ** 2
    energy = energy[:, :225] + energy[:, 225:]
    return 1 / np.maximum((energy**2).sum(1), 1e-9)  # they sum to 1


def duplicate_limit(
    pixels: Pixels | np.ndarray,
    neighbours: np.ndarray,
    common: np.ndarray | None = None,
    sample: int = SAMPLE,
) -> float:
    """Find the similarity from which images are near duplicates.

    Digits, or cells of one make, are all drawn alike, so it is measured what an image has in common with its
    farthest listed neighbour (neighbours (n, k)), which is hardly ever a copy: the limit lies far above that."""
    rows = np.random.default_rng(0).permutation(len(neighbours))[:sample]
    if not neighbours.shape[1]:
        return NEAR_DUPLICATE
    usual = compare_pairs(pixels, np.stack([rows, neighbours[rows, -1]], 1), common)
    usual = np.arctanh(np.clip(usual, -0.99, 0.9999))  # Fisher's scale
    middle = np.median(usual)
    far = np.tanh(middle + ABOVE * 1.4826 * np.median(abs(usual - middle)))
    return float(np.clip(far, NEAR_DUPLICATE, SURE))


def view_brightness(images: np.ndarray, boxes: tuple) -> np.ndarray:
    """Average images' brightness in each box of a grid.

    images (n, 32, 32, 3) -> (n, boxes, 16, 16), 0 to 1."""
    grey = images.astype("f4") @ np.array([0.299, 0.587, 0.114], "f4") / 255
    return np.stack(
        [averaging_matrix(y, b) @ grey @ averaging_matrix(x, r).T for y, x, b, r in boxes], 1
    )


def averaging_matrix(low: float, high: float) -> np.ndarray:
    """Make the (16, 32) matrix that averages 32 pixels over 16 cells.

    The cells lie between the shares low and high of the side."""
    edges = np.linspace(low * SIDE, high * SIDE, CELLS + 1)
    ends = np.minimum(edges[1:, None], np.arange(1, SIDE + 1))
    covered = ends - np.maximum(edges[:-1, None], np.arange(SIDE))
    return (np.maximum(covered, 0) / (edges[1] - edges[0])).astype("f4")


def correlate_views(one: np.ndarray, other: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Correlate two lots of images, pair by pair.

    one, other (m, v, 16, 16): their views. Returns (m,): the best of each one's whole against the other's
    views, as they are and mirrored, when what is `common` to all is taken out."""
    best, theirs = np.full(len(one), -1.0), remove_common(compute_slopes(other), common)
    for way in (one, one[..., ::-1]):
        mine = remove_common(compute_slopes(way), common)
        best = np.maximum(best, np.einsum("if,ivf->iv", mine[:, 0], theirs).max(1))
        best = np.maximum(best, np.einsum("ivf,if->iv", mine, theirs[:, 0]).max(1))
    plain = (mean_slope(one[:, :1]) < PLAIN) & (mean_slope(other[:, :1]) < PLAIN)
    equal = abs(one[:, 0].mean((1, 2)) - other[:, 0].mean((1, 2))) < 4 * PLAIN
    return np.where(plain[:, 0], equal, best)


def remove_common(slopes: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Take what all images share out of slopes (m, v, 450).

    Returns unit vectors."""
    by_view = slopes.swapaxes(0, 1)
    common = common[: len(by_view)]
    rest = (by_view - by_view @ common @ common.swapaxes(1, 2)).swapaxes(0, 1)
    return rest / np.maximum(np.linalg.norm(rest, axis=-1, keepdims=True), 1e-9)


def compute_slopes(grids: np.ndarray) -> np.ndarray:
    """Compute differences to the right and downwards of grids (..., 16, 16).

    As unit vectors (..., 450)."""
    right, down = np.diff(grids, axis=-1)[..., :-1, :], np.diff(grids, axis=-2)[..., :-1]
    both = np.stack([right, down], -3).reshape(*grids.shape[:-2], -1)
    return both / np.maximum(np.linalg.norm(both, axis=-1, keepdims=True), 1e-9)


def mean_slope(grids: np.ndarray) -> np.ndarray:
    """Average the absolute difference between neighbouring cells."""
    return abs(np.diff(grids, axis=-1)).mean((-1, -2)) + abs(np.diff(grids, axis=-2)).mean((-1, -2))
