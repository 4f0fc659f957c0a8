"""fastText (Joulin et al. 2016, arXiv:1607.01759): the mean of learnt vectors of words and pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    from torch import nn


class FastText:
    """A vector of `width` numbers for each of the first 256 words and pairs; their mean goes to a linear layer."""

    recipe = Recipe("fasttext", "words", lr=2e-2, smoothing=0.0, loss="ce", epochs=0, width=32)

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        from torch import nn

        from assay.pipelines.training.layers import WordMean
        from assay.pipelines.training.word_rows import BUCKETS

        return nn.Sequential(
            WordMean(BUCKETS, recipe.width),
            nn.Dropout(0.5),
            nn.Linear(recipe.width, data.n_classes),
        )


ARCHITECTURE = FastText()
