"""A multilayer perceptron on embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    from torch import nn


class MLP:
    """One hidden layer of `width` units, half of them dropped."""

    recipe = Recipe(
        "mlp", "embedding", lr=1e-3, smoothing=0.0, loss="ce", epochs=0, width=512, passes=8
    )

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        from torch import nn

        from assay.pipelines.training.layers import fit_scale

        return nn.Sequential(
            fit_scale(data),
            nn.Linear(data.rows.shape[1], recipe.width),
            nn.GELU(),
            nn.Dropout(0.5),
            nn.Linear(recipe.width, data.n_classes),
        )


ARCHITECTURE = MLP()
