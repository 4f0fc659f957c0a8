"""EfficientNet-Lite2 features: they see more than lite0's, in half as much time again."""

from __future__ import annotations

from assay.pipelines.embedders.efficientnet_lite0 import LiteEmbedder

EMBEDDER = LiteEmbedder("lite2", (5, 9, 13, 18), 20)
