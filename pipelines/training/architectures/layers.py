"""Layers that several networks share."""

import torch
from torch import nn


def layout(net):
    """The memory layout that a network of images trains in: channels_last (1.5 to 1.7 times faster here), but contiguous where that is not safe."""
    # on a CPU without AVX-512 oneDNN 3 writes past the end in the backward pass of a strided 1 x 1 convolution of 2 to 7 channels: hangs, SIGSEGV
    convs = [
        m
        for m in net.modules()
        if isinstance(m, nn.Conv2d) and set(m.kernel_size) == {1} and max(m.stride) > 1
    ]
    return (
        torch.contiguous_format
        if any(m.in_channels < 8 and m.groups == 1 for m in convs)
        else torch.channels_last
    )


class Scale(nn.Module):
    layout = None  # that of the images after it; None for vectors

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer(
            "std", torch.as_tensor(std + 1e-3 * std.mean() + 1e-6)
        )  # some columns are constant

    def forward(self, x):
        x = (x - self.mean) / self.std
        return x if self.layout is None else x.contiguous(memory_format=self.layout)


def patch_of(h, w):
    """Side of the patches in which an image enters: its longer side becomes 32 to 63."""
    return max(1, max(h, w) // 32)
