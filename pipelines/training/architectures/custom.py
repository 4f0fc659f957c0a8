"""A network that the user wrote: `package.module:function`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.pipelines.training.architectures.base import Recipe, list_architectures
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    from torch import nn

FORM = "package.module:function"
RECIPE = Recipe(FORM, "pixels", lr=1e-3, smoothing=0.1, loss="ce", epochs=0, side=128)


class CustomArchitecture:
    """What the user's function makes of (classes, (3, h, w)). Its part `pretrained` learns ten times slower."""

    def __init__(self, name: str):
        self.recipe = RECIPE._replace(name=name)

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        from assay.pipelines.training.layers import fit_scale, image_network

        h, w = recipe.input_size(*data.rows.shape[1:3])
        net = make_network(recipe.name, data.n_classes, (3, h, w))
        return image_network(fit_scale(data), net)


def make_network(name: str, n_classes: int, shape: tuple[int, int, int]) -> nn.Module:
    """Call the user's function, and try the network on two images."""
    import torch

    try:
        module, function = name.split(":")
        make = getattr(importlib.import_module(module), function)
    except (ValueError, ImportError, AttributeError) as e:
        raise UserError(
            f"expected {known_names()}, found {name!r}", f"is it on PYTHONPATH? ({e})"
        ) from None
    net = make(n_classes, shape)
    found = type(net)
    if isinstance(net, torch.nn.Module):
        with torch.no_grad():
            found = tuple(net.eval()(torch.zeros(2, *shape)).shape)
    if found != (2, n_classes):
        raise UserError(
            f"expected {name} to make a module from (2, 3, h, w) to (2, {n_classes}), found {found}",
            "mend the function",
        )
    return net


def known_names() -> str:
    """Name all that an architecture may be, for a message."""
    return ", ".join([*(a.recipe.name for a in list_architectures()), FORM])
