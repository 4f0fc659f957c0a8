"""Architectures from outside, as a user would bring them: one that learns, one that diverges, one that is broken."""

import os
import time

import torch
from torch import nn


def linear(k, shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], k))


class Sometimes(nn.Module):
    """Finds no number where its seed drew a large first weight: about one seed in three."""

    def __init__(self, k, shape):
        super().__init__()
        self.net = linear(k, shape)
        self.lost = bool(torch.rand(()) < 0.34)

    def forward(self, x):
        return self.net(x) * (float("nan") if self.lost and self.training else 1)


def sometimes(k, shape):
    return Sometimes(k, shape)


def broken(k, shape):
    raise KeyError("a layer that is not there")


def dies(k, shape):
    os.kill(os.getpid(), 9)  # as the kernel does when memory is short


class Slow(nn.Module):
    def __init__(self, k, shape):
        super().__init__()
        self.net = linear(k, shape)

    def forward(self, x):
        time.sleep(0.2)
        return self.net(x)


def slow(k, shape):
    return Slow(k, shape)


class Hangs(Slow):
    def forward(self, x):
        while self.training:
            time.sleep(60)
        return self.net(x)


def hangs(k, shape):
    print('{"seconds": 0.0, "failed": null}', flush=True)  # no answer, though it looks like one
    return Hangs(k, shape)


class Crashes(Slow):
    def forward(self, x):
        os.kill(os.getpid(), 11)  # as torch does on some CPUs


def crashes(k, shape):
    return Crashes(k, shape)


def fragile(k, shape):
    return Crashes(k, shape) if "ASSAY_TESTS_CRASH" in os.environ else linear(k, shape)


class Lost(Sometimes):
    def __init__(self, k, shape):
        super().__init__(k, shape)
        self.lost = True


def lost(k, shape):
    return Lost(k, shape)
