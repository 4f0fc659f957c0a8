"""A network that the user wrote."""

import importlib

import torch
from torch import nn

from assay.curation.errors import UserError
from assay.pipelines.training.architectures.recipes import CUSTOM, KNOWN


def custom(name, k, shape):
    """The network that package.module:function makes of (classes, (3, h, w)). Its part `pretrained` learns ten times slower."""
    try:
        module, function = name.split(":")
        make = getattr(importlib.import_module(module), function)
    except (ValueError, ImportError, AttributeError) as e:
        known = ", ".join((*KNOWN, CUSTOM.name))
        raise UserError(
            f"expected {known}, found {name!r}", f"is it on PYTHONPATH? ({e})"
        ) from None
    net = make(k, shape)
    with torch.no_grad():
        found = (
            tuple(net.eval()(torch.zeros(2, *shape)).shape)
            if isinstance(net, nn.Module)
            else type(net)
        )
    if found != (2, k):
        raise UserError(
            f"expected {name} to make a module from (2, 3, h, w) to (2, {k}), found {found}",
            "mend the function",
        )
    return net
