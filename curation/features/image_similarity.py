"""Whether two images show one picture: resized, recompressed, mirrored or cropped a little, it is the same; the same kind of thing is not."""

import numpy as np

SIDE, CELLS = 32, 16  # pixels that are looked at, and cells of the grid of their slopes
TWIN = 0.9  # correlation of slopes from which on two images may be near duplicates,
ABOVE, SURE = (
    8,
    0.995,
)  # if it is this many robust deviations above what is usual between look-alikes here, or beyond doubt
SPARSE, DOUBT = (
    25,
    0.8,
)  # slopes in fewer cells than this, such as strokes on paper, agree by chance: that much less on Fisher's scale
SAME = 1 - 1e-6
SHARED = 16  # directions of what all images share
HOPEFUL = 0.2  # of two whole images, below which no cropping is tried
CROP = 0.06  # of a side
PLAIN = 1e-3  # mean slope of an image that shows nothing, as a share of black to white
VIEWS = (
    (0, 0, 1, 1),
    *(
        (y, x, y + 1 - CROP, x + 1 - CROP)
        for y, x in ((CROP / 2, CROP / 2), (0, 0), (0, CROP), (CROP, 0), (CROP, CROP))
    ),
)


def likeness(pixels, pairs, common=None):
    """(m,) of pairs (m, 2) of rows of `pixels` (n, 32, 32, 3) uint8, read as they are needed: the correlation of the slopes of brightness on
    a 16 x 16 grid, the best over the whole image and crops of 6 % in the middle and at each corner, either way round, mirrored or not. Slopes
    and not brightness, for that correlates between any two birds in a blue sky. `common`: layout(pixels), where it is known."""
    seen, at = np.unique(pairs, return_inverse=True)
    at, out, common = (
        at.reshape(-1, 2),
        np.zeros(len(pairs)),
        layout(pixels) if common is None else common,
    )
    whole = np.concatenate(
        [
            np.empty((0, 1, CELLS, CELLS), "f4"),
            *(views(pixels[rows], VIEWS[:1]) for rows in parts(seen)),
        ]
    )
    for some in parts(np.arange(len(pairs))):
        out[some] = correlated(*(whole[at[some, side]] for side in (0, 1)), common)
    for some in parts(np.flatnonzero((out >= HOPEFUL) & (out < SAME))):
        rows, here = np.unique(at[some], return_inverse=True)
        all_views = views(pixels[seen[rows]], VIEWS)
        out[some] = correlated(*(all_views[side] for side in here.reshape(-1, 2).T), common)
    doubtful = (spread(whole) < SPARSE)[at].any(1) & (out < SAME)
    out[doubtful] = np.tanh(np.arctanh(out[doubtful]) - DOUBT)
    return out


def layout(pixels, sample=500):
    """(views, 450, r): the directions in which slopes of all these images lie most, mirrored or not, for each view; r is 16, or less for few images.
    Solar cells have their wires, scans their margins: what all share says nothing about two."""
    from scipy.linalg import eigh

    rank, rows = (
        min(SHARED, len(pixels) // 50),
        np.random.default_rng(0).permutation(len(pixels))[:sample],
    )
    grids = views(pixels[np.sort(rows)], VIEWS)
    found = np.concatenate([slopes(grids), slopes(grids[..., ::-1])]).swapaxes(
        0, 1
    )  # (views, 2n, 450)
    d = found.shape[2]
    if not rank:
        return np.empty((len(found), d, 0), "f4")
    return np.stack([eigh(one.T @ one, subset_by_index=[d - rank, d - 1])[1] for one in found])


def parts(rows, size=2048):
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def spread(grids):
    """In how many of 225 cells the slopes of grids (n, 1, 16, 16) are, as a participation ratio (n,)."""
    energy = slopes(grids[:, 0]) ** 2
    energy = energy[:, :225] + energy[:, 225:]
    return 1 / np.maximum((energy**2).sum(1), 1e-9)  # they sum to 1


def limit(pixels, neighbours, common=None, sample=2_000):
    """The likeness from which on two images are near duplicates. Digits, or cells of one make, are all drawn alike, so it is measured what
    an image has in common with its farthest listed neighbour, which is hardly ever a copy: the limit lies far above that."""
    rows = np.random.default_rng(0).permutation(len(neighbours))[:sample]
    if not neighbours.shape[1]:
        return TWIN
    usual = np.arctanh(
        np.clip(likeness(pixels, np.stack([rows, neighbours[rows, -1]], 1), common), -0.99, 0.9999)
    )  # Fisher's scale
    middle = np.median(usual)
    return float(
        np.clip(np.tanh(middle + ABOVE * 1.4826 * np.median(abs(usual - middle))), TWIN, SURE)
    )


def views(images, boxes):
    """The brightness of each box of images (n, 32, 32, 3) on a grid: (n, boxes, 16, 16), 0 to 1."""
    grey = images.astype("f4") @ np.array([0.299, 0.587, 0.114], "f4") / 255
    return np.stack([averages(y, b) @ grey @ averages(x, r).T for y, x, b, r in boxes], 1)


def averages(low, high):
    """The (16, 32) matrix that averages a side of 32 pixels over 16 cells between the shares low and high of it."""
    edges = np.linspace(low * SIDE, high * SIDE, CELLS + 1)
    covered = np.minimum(edges[1:, None], np.arange(1, SIDE + 1)) - np.maximum(
        edges[:-1, None], np.arange(SIDE)
    )
    return (np.maximum(covered, 0) / (edges[1] - edges[0])).astype("f4")


def correlated(one, other, common):
    """(m,) of two lots of views (m, v, 16, 16): the best of each one's whole against the other's views, as they are and mirrored, when what is
    `common` to all is taken out."""
    best, theirs = np.full(len(one), -1.0), own(slopes(other), common)
    for mine in (own(slopes(one), common), own(slopes(one[..., ::-1]), common)):
        best = np.maximum(best, np.einsum("if,ivf->iv", mine[:, 0], theirs).max(1))
        best = np.maximum(best, np.einsum("ivf,if->iv", mine, theirs[:, 0]).max(1))
    plain = (slope_size(one[:, :1]) < PLAIN) & (slope_size(other[:, :1]) < PLAIN)
    return np.where(
        plain[:, 0], abs(one[:, 0].mean((1, 2)) - other[:, 0].mean((1, 2))) < 4 * PLAIN, best
    )


def own(found, common):
    """Slopes (m, v, 450) without what all images share, as unit vectors."""
    by_view = found.swapaxes(0, 1)
    common = common[: len(by_view)]
    rest = (by_view - by_view @ common @ common.swapaxes(1, 2)).swapaxes(0, 1)
    return rest / np.maximum(np.linalg.norm(rest, axis=-1, keepdims=True), 1e-9)


def slopes(grids):
    """Differences to the right and downwards of grids (..., 16, 16), as unit vectors (..., 450)."""
    both = np.stack(
        [np.diff(grids, axis=-1)[..., :-1, :], np.diff(grids, axis=-2)[..., :-1]], -3
    ).reshape(*grids.shape[:-2], -1)
    return both / np.maximum(np.linalg.norm(both, axis=-1, keepdims=True), 1e-9)


def slope_size(grids):
    """Mean absolute difference between neighbouring cells."""
    return abs(np.diff(grids, axis=-1)).mean((-1, -2)) + abs(np.diff(grids, axis=-2)).mean((-1, -2))
