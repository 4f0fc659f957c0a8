"""The list of architectures, and what each must offer.

Modules of this package import torch inside functions: a plan is read, and a probe fitted, without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from assay.curation.plugins import discover
from assay.pipelines.training.data import LazyRows, TrainingData

if TYPE_CHECKING:
    from torch import nn


class Recipe(NamedTuple):
    """What a name stands for. A field that is None is no option of that network."""

    name: str
    input: (
        str  # embedding, pixels, words, row: the columns of a table, or sample: as a person sees it
    )
    lr: float | None = None  # peak of the one-cycle schedule of AdamW
    smoothing: float | None = None  # of the labels
    loss: str | None = None  # ce or gce
    epochs: int | None = None  # 0: so many passes as the number of rows asks for
    side: int | None = None  # larger images are shrunk to it
    width: int | None = None  # channels of the first group of blocks, or units of the hidden layer
    depth: int | None = None  # layers with weights
    passes: int = 30  # epochs over 1,000 rows; more rows take fewer, by the square root
    square: bool = False  # images become squares of `side`, as the pretrained weights are used to
    function: str | None = None  # of rules: package.module:function

    @property
    def media(self) -> str | None:
        """What its samples must be: "image", "text" or "row"; None where vectors of anything do."""
        return {"pixels": "image", "words": "text", "row": "row"}.get(self.input)

    @property
    def is_rules(self) -> bool:
        """Whether a person's function answers, and nothing is trained."""
        return self.function is not None

    @property
    def closed_form(self) -> bool:
        """Whether there is nothing to train and nothing random."""
        return self.lr is None

    def input_size(self, h: int, w: int) -> tuple[int, int]:
        """Return (height, width) at which an image enters the network."""
        if self.square:
            return self.side, self.side
        shrink = min(1, self.side / max(h, w))
        return max(1, round(h * shrink)), max(1, round(w * shrink))


class Architecture(Protocol):
    """A network that `train` trains. A module of this package offers one as `ARCHITECTURE`.

    Parameters with `pretrained` in their name learn ten times slower.
    """

    recipe: Recipe

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        """Build the untrained network, with the normalisation of its rows.

        It takes float rows (b, d), or (b, 3, h, w) with values 0 to 255, and returns logits (b, n_classes).
        Rows of words are their hashes, as `word_rows` makes them.
        """


class ClosedForm(Protocol):
    """A classifier that is fitted at once; its recipe has no learning rate."""

    recipe: Recipe

    def fit_predict(self, data: TrainingData, rows: LazyRows) -> np.ndarray:
        """Return the probabilities (m, n_classes) of `rows`, float32."""

    def estimate_seconds(self, n: int, shape: tuple[int, ...]) -> float:
        """Estimate the seconds that fitting n rows of `shape` takes."""


def list_architectures() -> list[Architecture | ClosedForm]:
    """List the architectures that come with Assay or are installed beside it."""
    modules = discover("assay.pipelines.training.architectures")
    return [module.ARCHITECTURE for module in modules if hasattr(module, "ARCHITECTURE")]
