"""Turn rows into tensors; shift, mirror and shrink images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    import torch

PART = 256  # images read at once
ROWS = 4000  # that are asked whether images may be mirrored


def to_tensor(
    rows: np.ndarray,
    recipe: Recipe,
    device: torch.device,
    moved: bool = False,
    flips: bool = False,
) -> torch.Tensor:
    """Turn rows into what the network sees.

    Returns (b, d), or (b, 3, h, w).
    `moved`: each image is shifted by up to a sixteenth and, where it `flips`, mirrored half of the time.
    """
    import torch

    x = torch.as_tensor(rows).to(device)
    if x.ndim == 2:
        return x.float()
    _, h, w, _ = x.shape
    if moved:
        x = move_images(x, flips)
    x = x.permute(0, 3, 1, 2).float()
    size = recipe.input_size(h, w)
    if size == (h, w):
        return x
    return torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)


def move_images(x: torch.Tensor, flips: bool) -> torch.Tensor:
    """Shift and mirror images at random.

    One gather for the whole batch (b, h, w, 3).
    """
    import torch

    b, h, w, _ = x.shape
    rows = torch.arange(h) + torch.randint(-(h // 16), h // 16 + 1, (b, 1))
    cols = torch.arange(w) + torch.randint(-(w // 16), w // 16 + 1, (b, 1))
    # reflected at the border
    rows = h - 1 - (h - 1 - rows.abs()).abs()
    cols = w - 1 - (w - 1 - cols.abs()).abs()
    cols = torch.where(torch.rand(b, 1) < flips / 2, w - 1 - cols, cols)
    images = torch.arange(b, device=x.device)[:, None, None]
    return x[images, rows[:, :, None].to(x.device), cols[:, None, :].to(x.device)]


def may_flip(data: TrainingData) -> bool:
    """Whether images may be mirrored.

    No where a ridge classifier of 8 x 8 thumbnails reads unseen images clearly better than their mirror images (z > 3),
    as with digits (z = 31) and Roman numerals (7), but not CIFAR-10 (-1) or solar cells (0).
    """
    if len(data.rows.shape) == 2:
        return False
    thumbs, labels = sample_thumbnails(data)
    mean, std = thumbs.mean(0), thumbs.std(0) + 1e-3
    plain, mirror = (
        np.c_[((t - mean) / std).reshape(len(t), -1), np.ones(len(t))]
        for t in (thumbs, thumbs[:, :, ::-1])
    )
    better, worse, half = 0, 0, np.arange(len(labels)) % 2 == 0
    for fit, test in ((half, ~half), (~half, half)):
        W = np.linalg.solve(
            plain[fit].T @ plain[fit] + (0.05 * fit.sum() + 1e-3) * np.eye(65),
            plain[fit].T @ labels[fit],
        )
        truth = labels[test].argmax(1)
        hit, mirror_hit = ((t[test] @ W).argmax(1) == truth for t in (plain, mirror))
        better, worse = better + (hit & ~mirror_hit).sum(), worse + (mirror_hit & ~hit).sum()
    return bool(better - worse <= 3 * np.sqrt(better + worse))


def sample_thumbnails(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """Shrink some training images to grey, each different one once.

    Returns thumbnails (m, 8, 8) and labels (m, n_classes), in random order.
    """
    import torch

    rows = np.random.default_rng(0).permutation(len(data.rows))[:ROWS]
    grey = (
        torch.as_tensor(data.rows[part]).float().mean(3)
        for part in np.array_split(rows, len(rows) // PART + 1)
    )
    thumbs = torch.cat([torch.nn.functional.adaptive_avg_pool2d(g, 8) for g in grey]).numpy()
    # a copy in the other half would tell the answer
    thumbs, first = np.unique(thumbs, axis=0, return_index=True)
    mix = np.random.default_rng(0).permutation(len(thumbs))
    labels = np.asarray(data.labels)[rows][first][mix]
    return thumbs[mix], labels if data.several else np.eye(data.n_classes)[labels]
