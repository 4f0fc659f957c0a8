"""A small convolutional network, after airbench94 (Keller Jordan)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    from torch import nn


class CNN:
    """A stem and three groups of two convolutions; the first group has `width` channels."""

    recipe = Recipe("cnn", "pixels", lr=5e-3, smoothing=0.1, loss="ce", epochs=0, side=64, width=32)

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        from torch import nn

        from assay.pipelines.training.layers import fit_scale, image_network, patch_side

        patch = patch_side(*recipe.input_size(*data.rows.shape[1:3]))
        wide = 4 * recipe.width
        net = nn.Sequential(
            nn.Conv2d(3, 24, 2 * patch, patch, padding=patch // 2),
            nn.GELU(),
            build_group(24, recipe.width),
            build_group(recipe.width, wide),
            build_group(wide, wide),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(wide, data.n_classes),
        )
        return image_network(fit_scale(data), net)


def build_group(before: int, after: int) -> nn.Module:
    """Build two convolutions with a pooling between them.

    `before` and `after` are numbers of channels.
    """
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.MaxPool2d(2, ceil_mode=True),  # ceil: one pixel stays one pixel
        nn.BatchNorm2d(after, momentum=0.3),
        nn.GELU(),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after, momentum=0.3),
        nn.GELU(),
    )


ARCHITECTURE = CNN()
