"""The networks: a recipe and some training rows in, an untrained torch module out, normalisation and all."""

import numpy as np
from torch import nn

from assay.pipelines.training.architectures.cnn import cnn
from assay.pipelines.training.architectures.custom import custom
from assay.pipelines.training.architectures.finetune import Finetune
from assay.pipelines.training.architectures.layers import Scale, layout, patch_of
from assay.pipelines.training.architectures.recipes import recipe, size
from assay.pipelines.training.architectures.resnet import BLOCKS, ResNet


def build(arch, x, k):
    """The untrained network, with the normalisation that its training rows ask for."""
    r = recipe(arch)
    some = x[np.sort(np.random.default_rng(0).permutation(len(x))[:2000])].astype("f4")
    if r.name == "mlp":
        scale = Scale(some.mean(0), some.std(0))
        return nn.Sequential(
            scale, nn.Linear(x.shape[1], r.width), nn.GELU(), nn.Dropout(0.5), nn.Linear(r.width, k)
        )
    scale = Scale(some.mean((0, 1, 2))[:, None, None], some.std((0, 1, 2))[:, None, None])
    h, w = size(r, *x.shape[1:3])
    if r.name == "cnn":
        net = cnn(k, patch_of(h, w), r.width)
    elif r.name == "resnet":
        net = ResNet(k, patch_of(h, w), r.width, BLOCKS[r.depth])
    elif r.name == "finetune":
        scale, net = Scale(np.float32(127), np.float32(128)), Finetune(k, r.side)
    else:
        net = custom(r.name, k, (3, h, w))
    scale.layout = layout(net)
    return nn.Sequential(scale, net).to(memory_format=scale.layout)
