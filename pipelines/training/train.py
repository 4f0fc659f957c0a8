"""Train a network: one loop for every architecture."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.storage.top_probs import MANY, TopProbs, collect_probs
from assay.curation.system.extras import require
from assay.curation.text import format_count
from assay.pipelines.training.architectures.recipes import find_architecture, find_recipe
from assay.pipelines.training.augmentation import may_flip, to_tensor
from assay.pipelines.training.data import LazyRows, TrainingData

if TYPE_CHECKING:
    import torch


AT_ONCE = 256  # rows predicted together
GCE = 0.7  # between 0, cross entropy, and 1, the mean absolute error


class Diverged(RuntimeError):
    """A training whose loss or probabilities are no numbers."""


@dataclass(frozen=True)
class Network:
    """A torch module on its device, and how it sees images."""

    module: torch.nn.Module
    arch: str
    device: torch.device
    flips: bool  # whether images may be mirrored


def fit_predict(
    arch: str,
    data: TrainingData,
    rows: LazyRows,
    seed: int,
    epochs: int | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> np.ndarray | TopProbs:
    """Train on labelled rows, and predict other rows.

    Returns probabilities (m, k), float32; of many classes the likeliest of each row.
    progress(done, text) hears done in 0..1. One seed, one answer on one machine. Raises Diverged.
    """
    recipe = find_recipe(arch)
    architecture = find_architecture(recipe.name)
    if recipe.closed_form:
        return architecture.fit_predict(data, rows)
    with seeded_device(arch, seed) as device:
        flips = may_flip(data)
        network = Network(architecture.build(recipe, data).to(device), arch, device, flips)
        for done, loss in train_steps(network, data, epochs):
            if not np.isfinite(loss):
                raise Diverged(
                    f"diverged: the loss of {arch} (seed {seed}) became {loss} after {done:.0%} of the steps"
                )
            if progress:
                progress(done, f"{arch} loss {loss:.3f}")
        alive = progress and partial(progress, 1.0, f"{arch} loss {loss:.3f}")
        return predict_probs(network, rows, data.n_classes, alive, data.several)


def estimate_seconds(
    arch: str, n: int, shape: tuple[int, ...], n_classes: int, epochs: int | None = None
) -> float:
    """Estimate the seconds of a training, from a few real steps.

    n rows of `shape`, on this machine.
    Predicting n rows comes on top: a third of an epoch, two thirds where images are mirrored.
    """
    recipe = find_recipe(arch)
    architecture = find_architecture(recipe.name)
    if recipe.closed_form:
        return architecture.estimate_seconds(n, shape)
    zero = np.zeros((), "u1" if len(shape) == 3 else "f4")
    rows = np.broadcast_to(zero, (n, *shape))  # n rows that take no memory
    data = TrainingData(rows, np.zeros(n, int), n_classes)
    with seeded_device(arch, 0) as device:
        network = Network(architecture.build(recipe, data).to(device), arch, device, True)
        times = [time.perf_counter()]
        for _ in itertools.islice(train_steps(network, data, epochs), 12):
            times.append(time.perf_counter())
            if len(times) > 4 and times[-1] - times[0] > 2:
                break
    seconds = np.diff(times)
    if len(seconds) > 1:
        seconds = seconds[1:]  # the first step warms up
    return float(np.median(seconds)) * choose_schedule(arch, n, epochs)[1]


def choose_schedule(arch: str, n: int, epochs: int | None = None) -> tuple[int, int]:
    """Choose (batch size, steps) for n rows.

    A small set needs many passes and small batches, or it is over before it has learnt.
    """
    recipe = find_recipe(arch)
    passes = max(2, round(recipe.passes * (1000 / max(n, 250)) ** 0.5))
    epochs = recipe.epochs or epochs or passes
    batch = int(np.clip(2 ** round(np.log2(max(n, 1) / 24)), 16, 128))
    return batch, epochs * max(n, batch) // batch


def train_steps(
    network: Network, data: TrainingData, epochs: int | None
) -> Iterator[tuple[float, float]]:
    """Train, and yield (share done, loss) after every step.

    The caller stops where the loss is no number.
    """
    import torch

    recipe, model, device = find_recipe(network.arch), network.module, network.device
    n = len(data.rows)
    batch, steps = choose_schedule(network.arch, n, epochs)
    # batches span epochs: none is small
    order = torch.cat([torch.randperm(n) for _ in range(steps * batch // n + 1)])
    kind = torch.float32 if data.several else torch.long
    labels = torch.as_tensor(np.array(data.labels), dtype=kind)
    paces = [{"params": [], "lr": recipe.lr}, {"params": [], "lr": recipe.lr / 10}]
    for name, p in model.named_parameters():
        paces["pretrained" in name]["params"] += [p] if p.requires_grad else []
    optimizer = torch.optim.AdamW(paces, weight_decay=0.05, fused=True)
    warm = steps // 5 + 1
    cycle = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm, (steps - s) / (steps - warm + 1))
    )
    bfloat16 = use_bfloat16(device, data.rows)
    model.train()
    for step in range(steps):
        rows = order[step * batch : (step + 1) * batch]
        some = data.rows[rows.numpy()]
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            logits = model(to_tensor(some, recipe, device, moved=True, flips=network.flips))
        each = row_losses(logits.float(), labels[rows].to(device), recipe.loss, recipe.smoothing)
        loss = each.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        yield (step + 1) / steps, loss.item()


def row_losses(
    logits: torch.Tensor, labels: torch.Tensor, loss: str, smoothing: float
) -> torch.Tensor:
    """Compute the loss of every row, (b,).

    logits (b, k), labels (b,), or members (b, k): then it is the mean cross entropy of the k questions.
    ce: cross entropy. gce: generalised cross entropy (1 - p^q) / q with q = 0.7 (Zhang & Sabuncu 2018,
    arXiv:1805.07836), which a row of wrong label pulls less the surer the network is of another class.
    Smoothing gives each of the k classes its share of the row, in both.
    """
    from torch.nn import functional as F

    if labels.ndim == 2:
        soft = labels * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, soft, reduction="none").mean(1)
    if loss == "ce":
        return F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    # p^q by its logarithm: at p = 0 the slope of p^q has no number
    each = (1 - (GCE * logits.log_softmax(1)).exp()) / GCE
    return (1 - smoothing) * each.gather(1, labels[:, None])[:, 0] + smoothing * each.mean(1)


def predict_probs(
    network: Network,
    rows: LazyRows,
    n_classes: int,
    alive: Callable[[], None] | None = None,
    several: bool = False,
) -> np.ndarray | TopProbs:
    """Predict the probabilities (n, k) of rows. Raises Diverged.

    Each row's sum to 1, but where a row may have `several` classes; of many classes the likeliest are kept.
    Where images may be mirrored, the image and its mirror image are averaged. alive() is called at each step.
    """
    if not len(rows):
        return np.zeros((0, n_classes), "f4")
    many = n_classes > MANY and not several
    parts = predict_blocks(network, rows, alive, several)
    return collect_probs(parts) if many else np.concatenate(list(parts))


def predict_blocks(
    network: Network, rows: LazyRows, alive: Callable[[], None] | None, several: bool
) -> Iterator[np.ndarray]:
    """Predict the probabilities (b, k) of some rows after others: see predict_probs."""
    import torch

    recipe, model, device = find_recipe(network.arch), network.module, network.device
    bfloat16 = use_bfloat16(device, rows)
    model.eval()
    for at in range(0, len(rows), AT_ONCE):
        some = rows[np.arange(at, min(at + AT_ONCE, len(rows)))]
        x = to_tensor(some, recipe, device)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=bfloat16),
        ):
            logits = (model(x) + model(x.flip(3))) / 2 if network.flips else model(x)
        logits = logits.float()
        probs = (logits.sigmoid() if several else logits.softmax(1)).cpu().numpy()
        if alive:
            alive()
        lost = np.isnan(probs).any(1)
        if lost.any():
            raise Diverged(
                f"diverged: {network.arch} finds no number for {lost.sum()} of {format_count(len(probs), 'row')}"
            )
        yield probs


@contextmanager
def seeded_device(arch: str, seed: int) -> Iterator[torch.device]:
    """Yield the device, with all draws inside made from `seed`.

    The caller's generators and threads come back as they were.
    """
    require("train", "torch")
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    if find_recipe(arch).input != "pixels":
        # its products are too small to share: beside a busy process, two threads took 8 times as long
        torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(range(torch.cuda.device_count())),
            torch.backends.cudnn.flags(deterministic=True),
        ):
            torch.manual_seed(seed)
            yield device
    finally:
        torch.set_num_threads(threads)


def use_bfloat16(device: torch.device, rows: LazyRows) -> bool:
    """Whether to compute in bfloat16.

    Images alone, and only where the chip does.
    A CPU that emulates it is three times slower than in float32.
    """
    import torch

    if len(rows.shape) == 2 or device.type == "cuda":
        return len(rows.shape) == 4 and torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(unit, False) for unit in ("avx512_bf16", "amx_bf16"))
