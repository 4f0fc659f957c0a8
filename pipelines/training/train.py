"""How a network is trained: one loop, from rows and labels to the class probabilities of other rows, for every architecture."""

import itertools
import time
import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np

from assay.pipelines.training.architectures.recipes import recipe, size

LOOK = 256  # rows predicted at once
GCE = 0.7  # between 0, cross entropy, and 1, the mean absolute error


def fit_predict(arch, x, y, x_new, k, seed, groups=None, epochs=None, progress=None):
    """Train `arch` on the rows x with labels y (n,) in 0..k-1; return the probabilities of the rows x_new, (m, k) float32.

    x, x_new: uint8 (n, h, w, 3) or float (n, d), anything with len, shape and x[rows], so that it may stay on disk.
    progress(done, text) hears done in 0..1. One seed, one answer on one machine. Raises RuntimeError("diverged ...")."""
    if recipe(arch).name == "probe":  # the closed form: nothing to train, nothing random, no torch
        from assay.curation.label_quality import probe

        return probe.fit(x, y, groups, k).predict(x_new).astype("f4")
    from assay.pipelines.training.architectures.build import build

    with seeded(arch, seed) as device:
        flips = may_flip(x, y, k)
        model = build(arch, x, k).to(device)
        for done, loss in train(model, arch, x, y, flips, epochs, device):
            if not np.isfinite(loss):
                raise RuntimeError(
                    f"diverged: the loss of {arch} (seed {seed}) became {loss} after {done:.0%} of the steps"
                )
            if progress:
                progress(done, f"{arch} loss {loss:.3f}")
        return predict(
            model,
            arch,
            x_new,
            k,
            flips,
            device,
            progress and partial(progress, 1.0, f"{arch} loss {loss:.3f}"),
        )


def out_of_fold(arch, x, y, groups, k, seed, folds=3, epochs=None, progress=None, also=None):
    """Probabilities (n, k) of every row by a network that saw neither it nor a row of its group: copies share a fold, or the
    network has seen the answer. Folds have one class mix as far as groups allow. `also`: m more rows, which no fold trains on; the mean of
    what all folds say of them comes after the others, (n + m, k)."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    y, groups = np.asarray(y), np.asarray(groups)
    folds = min(folds, len(np.unique(groups)))
    assert folds > 1, "one group cannot be predicted from the others: there are none"
    split = (
        StratifiedGroupKFold if np.bincount(y).max() >= folds else GroupKFold
    )  # one sample a class: no mix to keep
    more = 0 if also is None else len(also)
    probs = np.zeros((len(y) + more, k), "f4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class smaller than the number of folds
        parts = list(split(folds, shuffle=True, random_state=seed).split(y, y, groups))
    for fold, (seen, unseen) in enumerate(parts):

        def tell(done, text, fold=fold):
            progress((fold + done) / folds, f"fold {fold + 1} of {folds}: {text}")

        ours, theirs = Part(x, seen), Part(x, unseen) if not more else Both(Part(x, unseen), also)
        said = fit_predict(
            arch, ours, y[seen], theirs, k, seed, groups[seen], epochs, progress and tell
        )
        probs[unseen] = said[: len(unseen)]
        probs[len(y) :] += said[len(unseen) :] / len(parts)
    return probs


def cost(arch, n, shape, k, epochs=None):
    """Seconds to expect here for training on n rows of `shape`, from a few real steps. Predicting n rows comes on top: a third of
    an epoch, two thirds where images are mirrored."""
    if recipe(arch).name == "probe":
        return n * shape[0] ** 2 / 1.6e10  # 5 s for 50,000 x 1,280 on two cores
    from assay.pipelines.training.architectures.build import build

    x = np.broadcast_to(
        np.zeros((), "u1" if len(shape) == 3 else "f4"), (n, *shape)
    )  # n rows that take no memory
    with seeded(arch, 0) as device:
        model = build(arch, x, k).to(device)
        times = [time.perf_counter()]
        for _ in itertools.islice(
            train(model, arch, x, np.zeros(n, int), True, epochs, device), 12
        ):
            times.append(time.perf_counter())
            if len(times) > 4 and times[-1] - times[0] > 2:
                break
    seconds = np.diff(times)  # the first step warms up
    return (
        float(np.median(seconds[1:] if len(seconds) > 1 else seconds))
        * schedule(arch, n, epochs)[1]
    )


def schedule(arch, n, epochs=None):
    """(batch, steps) for n rows: a small set needs many passes and small batches, or it is over before it has learnt."""
    r = recipe(arch)
    epochs = r.epochs or epochs or max(2, round(r.passes * (1000 / max(n, 250)) ** 0.5))
    batch = int(np.clip(2 ** round(np.log2(max(n, 1) / 24)), 16, 128))
    return batch, epochs * max(n, batch) // batch


def train(model, arch, x, y, flips, epochs, device):
    """The loop. Yields (share done, loss) after every step; the caller stops where the loss is no number."""
    import torch

    r = recipe(arch)
    batch, steps = schedule(arch, len(x), epochs)
    order = torch.cat(
        [torch.randperm(len(x)) for _ in range(steps * batch // len(x) + 1)]
    )  # batches span epochs: none is small
    y = torch.as_tensor(np.array(y), dtype=torch.long)
    paces = [{"params": [], "lr": r.lr}, {"params": [], "lr": r.lr / 10}]
    for name, p in model.named_parameters():
        paces["pretrained" in name]["params"] += [p] if p.requires_grad else []
    optimizer = torch.optim.AdamW(paces, weight_decay=0.05, fused=True)
    warm = steps // 5 + 1
    cycle = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm, (steps - s) / (steps - warm + 1))
    )
    model.train()
    for step in range(steps):
        rows = order[step * batch : (step + 1) * batch]
        with torch.autocast(device.type, torch.bfloat16, enabled=likes_bf16(device, x)):
            logits = model(tensor(x[rows.numpy()], arch, device, moved=True, flips=flips))
        loss = losses(logits.float(), y[rows].to(device), r.loss, r.smoothing).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        yield (step + 1) / steps, loss.item()


def losses(logits, y, loss, smoothing):
    """The loss of every row, (b,). logits (b, k), y (b,). ce: cross entropy. gce: generalised cross entropy (1 - p^q) / q with q = 0.7
    (Zhang & Sabuncu 2018, arXiv:1805.07836), which a row of wrong label pulls less the surer the network is of another class.
    Smoothing gives each of the k classes its share of the row, in both."""
    from torch.nn import functional as F

    if loss == "ce":
        return F.cross_entropy(logits, y, label_smoothing=smoothing, reduction="none")
    each = (
        1 - (GCE * logits.log_softmax(1)).exp()
    ) / GCE  # p^q by its logarithm: at p = 0 the slope of p^q has no number
    return (1 - smoothing) * each.gather(1, y[:, None])[:, 0] + smoothing * each.mean(1)


def predict(model, arch, x, k, flips, device, alive=None):
    """Probabilities (n, k) of the rows x; of an image and its mirror image together where images may be mirrored. alive() is called at each step."""
    import torch

    model.eval()
    probs = np.zeros((len(x), k), "f4")
    for at in range(0, len(x), LOOK):
        look = tensor(x[np.arange(at, min(at + LOOK, len(x)))], arch, device)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=likes_bf16(device, x)),
        ):
            logits = (model(look) + model(look.flip(3))) / 2 if flips else model(look)
        probs[at : at + LOOK] = logits.float().softmax(1).cpu()
        if alive:
            alive()
    if np.isnan(probs).any():
        raise RuntimeError(
            f"diverged: {arch} finds no number for {np.isnan(probs).any(1).sum()} of {len(x)} rows"
        )
    return probs


def tensor(x, arch, device, moved=False, flips=False):
    """Rows as the network sees them: (b, d), or (b, 3, h, w).
    `moved`: each image shifted by up to a sixteenth and perhaps mirrored, in one gather for the whole batch."""
    import torch

    x = torch.as_tensor(x).to(device)
    if x.ndim == 2:
        return x.float()
    b, h, w, _ = x.shape
    if moved:
        rows = torch.arange(h) + torch.randint(-(h // 16), h // 16 + 1, (b, 1))
        cols = torch.arange(w) + torch.randint(-(w // 16), w // 16 + 1, (b, 1))
        rows, cols = (
            h - 1 - (h - 1 - rows.abs()).abs(),
            w - 1 - (w - 1 - cols.abs()).abs(),
        )  # reflected at the border
        cols = torch.where(torch.rand(b, 1) < flips / 2, w - 1 - cols, cols)
        x = x[
            torch.arange(b, device=device)[:, None, None],
            rows[:, :, None].to(device),
            cols[:, None, :].to(device),
        ]
    x = x.permute(0, 3, 1, 2).float()
    shape = size(recipe(arch), h, w)
    return (
        x
        if shape == (h, w)
        else torch.nn.functional.interpolate(x, shape, mode="bilinear", antialias=True)
    )


def may_flip(x, y, k):
    """May an image be mirrored? No where a ridge classifier of 8 x 8 thumbnails reads unseen images clearly better than their
    mirror images (z > 3), as with digits (z = 31) and Roman numerals (7), but not CIFAR-10 (-1) or solar cells (0)."""
    if len(x.shape) == 2:
        return False
    import torch

    rows = np.random.default_rng(0).permutation(len(x))[:4000]
    grey = (
        torch.as_tensor(x[part]).float().mean(3)
        for part in np.array_split(rows, len(rows) // LOOK + 1)
    )
    thumbs, first = np.unique(
        torch.cat([torch.nn.functional.adaptive_avg_pool2d(g, 8) for g in grey]).numpy(),
        axis=0,
        return_index=True,
    )
    mix = np.random.default_rng(0).permutation(
        len(thumbs)
    )  # unique: a copy in the other half would tell the answer
    thumbs, Y = thumbs[mix], np.eye(k)[np.asarray(y)[rows][first][mix]]
    mean, std = thumbs.mean(0), thumbs.std(0) + 1e-3
    plain, mirror = (
        np.c_[((t - mean) / std).reshape(len(t), -1), np.ones(len(t))]
        for t in (thumbs, thumbs[:, :, ::-1])
    )
    better, worse, half = 0, 0, np.arange(len(Y)) % 2 == 0
    for fit, test in ((half, ~half), (~half, half)):
        W = np.linalg.solve(
            plain[fit].T @ plain[fit] + (0.05 * fit.sum() + 1e-3) * np.eye(65),
            plain[fit].T @ Y[fit],
        )
        hit, mirror_hit = ((t[test] @ W).argmax(1) == Y[test].argmax(1) for t in (plain, mirror))
        better, worse = better + (hit & ~mirror_hit).sum(), worse + (mirror_hit & ~hit).sum()
    return bool(better - worse <= 3 * np.sqrt(better + worse))


@contextmanager
def seeded(arch, seed):
    """The device to train on, all draws inside made from `seed`; the caller's generators and threads come back as they were."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    if recipe(arch).name == "mlp":
        torch.set_num_threads(
            1
        )  # its products are too small to share: beside a busy process, two threads took 8 times as long
    try:
        with (
            torch.random.fork_rng(range(torch.cuda.device_count())),
            torch.backends.cudnn.flags(deterministic=True),
        ):
            torch.manual_seed(seed)
            yield device
    finally:
        torch.set_num_threads(threads)


def likes_bf16(device, x):
    """Images in bfloat16 only where the chip computes in it: a CPU that emulates it is three times slower than in float32."""
    import torch

    if len(x.shape) == 2 or device.type == "cuda":
        return len(x.shape) == 4 and torch.cuda.is_bf16_supported(including_emulation=False)
    return any(
        torch.cpu.get_capabilities().get(unit, False) for unit in ("avx512_bf16", "amx_bf16")
    )


class Part:
    """Some rows of an array that may lie on disk, read when asked for."""

    def __init__(self, x, rows):
        self.x, self.rows, self.shape = x, rows, (len(rows), *x.shape[1:])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        return self.x[self.rows[rows]]


class Both:
    """The rows of one array and then those of another, read when asked for."""

    def __init__(self, a, b):
        self.a, self.b, self.shape = a, b, (len(a) + len(b), *a.shape[1:])

    def __len__(self):
        return len(self.a) + len(self.b)

    def __getitem__(self, rows):
        first = rows < len(self.a)
        if first.all() or not first.any():
            return self.a[rows] if first.all() else self.b[rows - len(self.a)]
        found = np.concatenate([self.a[rows[first]], self.b[rows[~first] - len(self.a)]])
        return found[np.argsort(np.argsort(~first, kind="stable"))]
