"""Torch modules that the networks are made of."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from assay.pipelines.training.data import TrainingData

SAMPLE = 2000  # rows of which mean and spread are taken


class Scale(nn.Module):
    """Subtract the mean and divide by the spread; images also get their memory layout."""

    layout = None  # that of the images after it; None for vectors

    def __init__(self, mean: np.ndarray, std: np.ndarray):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean))
        # some columns are constant
        self.register_buffer("std", torch.as_tensor(std + 1e-3 * std.mean() + 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean) / self.std
        return x if self.layout is None else x.contiguous(memory_format=self.layout)


def fit_scale(data: TrainingData) -> Scale:
    """Fit the normalisation to the training rows.

    One mean and spread for each column of vectors, or channel of images.
    """
    n = len(data.rows)
    keep = np.sort(np.random.default_rng(0).permutation(n)[:SAMPLE])
    some = data.rows[keep].astype("f4")
    if some.ndim == 2:
        return Scale(some.mean(0), some.std(0))
    axes = (0, 1, 2)
    return Scale(some.mean(axes)[:, None, None], some.std(axes)[:, None, None])


def image_network(scale: Scale, net: nn.Module) -> nn.Sequential:
    """Put the normalisation before a network of images.

    Both get the fastest safe memory layout.
    """
    scale.layout = choose_layout(net)
    return nn.Sequential(scale, net).to(memory_format=scale.layout)


def choose_layout(net: nn.Module) -> torch.memory_format:
    """Choose the memory layout of a network.

    channels_last is 1.5 to 1.7 times faster here; contiguous where that is not safe.
    """
    # on a CPU without AVX-512 oneDNN 3 writes past the end in the backward pass of a strided
    # 1 x 1 convolution of 2 to 7 channels: hangs, SIGSEGV
    convs = [
        m
        for m in net.modules()
        if isinstance(m, nn.Conv2d) and set(m.kernel_size) == {1} and max(m.stride) > 1
    ]
    unsafe = any(m.in_channels < 8 and m.groups == 1 for m in convs)
    return torch.contiguous_format if unsafe else torch.channels_last


def patch_side(h: int, w: int) -> int:
    """Return the side of the patches in which images enter.

    The longer side of the image becomes 32 to 63 patches.
    """
    return max(1, max(h, w) // 32)


class Residual(nn.Module):
    """Layers, and a shortcut beside them."""

    def __init__(self, body: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class FineTuned(nn.Module):
    """A pretrained network with a new head: `frozen` stays, `pretrained` learns slowly, `head` fast."""

    def __init__(self, frozen: nn.Module, pretrained: nn.Module, head: nn.Module):
        super().__init__()
        self.frozen = frozen.requires_grad_(False)
        self.pretrained = pretrained
        self.head = head

    def train(self, on: bool = True) -> FineTuned:
        # the rest keeps the batch statistics of ImageNet: those of a few hundred images were worse
        self.head.train(on)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # what 16 images become stays in the cache of a CPU: half the time of 128 at once
        few = 16 if x.device.type == "cpu" else len(x)
        with torch.no_grad():
            x = torch.cat([self.frozen(part) for part in x.split(few)])
        return self.head(self.pretrained(x).mean((2, 3)))


def fuse_batch_norms(block: nn.Module) -> None:
    """Fuse the batch norms of an EfficientNet block into its convolutions.

    Their statistics are fixed: one pass over the images less.
    """
    pairs = ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")
    for conv, norm in pairs:
        if hasattr(block, conv):
            fused = torch.nn.utils.fusion.fuse_conv_bn_eval(
                getattr(block, conv), getattr(block, norm)
            )
            setattr(block, conv, fused)
            setattr(block, norm, nn.Identity())


class InFloat32(nn.Module):
    """A depthwise convolution in float32.

    oneDNN has no fast backward pass of a 5 x 5 one in bfloat16 (205 ms for 128 images, here 33).
    """

    def __init__(self, conv: nn.Module):
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.conv(x.float())


class WordMean(nn.Module):
    """Average the vectors of the pieces of each text: (b, pieces) to (b, width); 0 is no piece."""

    def __init__(self, pieces: int, width: int):
        super().__init__()
        self.vectors = nn.EmbeddingBag(pieces, width, mode="mean", padding_idx=0)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.vectors(rows.long())
