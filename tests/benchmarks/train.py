"""An epoch of ours against the plain loop that a user would write (DataLoader with two workers, PIL decoding, fp32, channels first), with
the same network, start, batches, moves, optimizer and schedule: seconds as a ratio, and accuracy on test images under their true labels.

They take turns, an epoch each, so that whatever else the machine does slows all. Ours has one thread, as where a plan trains a cell on
every core. The plain loop runs in a process of its own, twice: with the threads that torch takes, which spin while they wait, and with
one. Names of architectures may follow."""

import io
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from assay.curation.statistics import contrasts
from assay.pipelines.training import layers, train
from assay.pipelines.training.architectures.recipes import find_architecture, find_recipe
from assay.pipelines.training.data import TrainingData
from assay.pipelines.training.train import seeded_device
from tests.benchmarks.tools import clock, need

torch = layers.torch  # by way of pipelines, which first says how threads wait
RUNS = {
    "cnn": (10_000, 3, 2, 10_000),
    "finetune": (384, 2, 2, 1_000),
}  # images, epochs, seeds, test images
CPU = torch.device("cpu")


def data(arch, seed):
    """(JPEG bytes and label indices of the training images that a seed draws, those of the test images)."""
    frame = pd.read_parquet(need("cifar10n.parquet"), columns=["split", "image", "true_label"])
    frame["y"] = frame.true_label.astype("category").cat.codes.astype("i8")
    seen, test = (frame[frame["split"] == split] for split in ("train", "test"))
    seen, test = seen.sample(RUNS[arch][0], random_state=seed), test.head(RUNS[arch][3])
    return (seen.image.to_list(), seen.y.to_numpy()), (test.image.to_list(), test.y.to_numpy())


def decode(jpeg):
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


class Photographs(torch.utils.data.Dataset):
    """JPEG bytes to a moved image, one at a time, as torchvision's transforms would do it."""

    def __init__(self, jpegs, y, side):
        self.jpegs, self.y, self.side = jpegs, y, side

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        wide = np.pad(np.asarray(decode(self.jpegs[i])), ((2, 2), (2, 2), (0, 0)), mode="reflect")
        row, col = torch.randint(0, 5, (2,)).tolist()
        image = Image.fromarray(wide[row : row + 32, col : col + 32])
        if torch.rand(()) < 0.5:
            image = ImageOps.mirror(image)
        if image.size != self.side:
            image = image.resize(self.side, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float(), self.y[i]


def plain(arch, seed, file):
    """The user's loop: an epoch for every line of standard input, a line of standard output after each; then the weights into `file`."""
    (jpegs, y), _ = data(arch, seed)
    r, (batch, steps) = find_recipe(arch), train.choose_schedule(arch, len(y), RUNS[arch][1])
    torch.manual_seed(seed)
    images = TrainingData(np.stack([np.asarray(decode(b)) for b in jpegs]), y, 10)
    model = find_architecture(r.name).build(r, images).to(memory_format=torch.contiguous_format)
    photographs = Photographs(jpegs, y, r.input_size(32, 32))
    loader = torch.utils.data.DataLoader(
        photographs, batch, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True
    )
    slow, fast = (
        [
            p
            for name, p in model.named_parameters()
            if p.requires_grad and ("pretrained" in name) is s
        ]
        for s in (True, False)
    )
    optimizer = torch.optim.AdamW(
        [dict(params=fast, lr=r.lr), dict(params=slow, lr=r.lr / 10)], weight_decay=0.05
    )
    warm = steps // 5 + 1
    cycle = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm, (steps - s) / (steps - warm + 1))
    )
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=r.smoothing)
    model.train()
    print("ready", flush=True)
    before = cpu_seconds()
    for _ in range(RUNS[arch][1]):
        sys.stdin.readline()
        for images, labels in loader:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
        print("epoch", flush=True)
    del loader  # its workers end, and their seconds count
    torch.save(model.state_dict(), file)
    print(cpu_seconds() - before, flush=True)


def cpu_seconds():
    """CPU seconds of this process and of those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class Plain:
    """The plain loop in a process of its own, which works when asked for an epoch."""

    def __init__(self, arch, seed, way):
        self.file = tempfile.NamedTemporaryFile()
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.train",
            "plain",
            arch,
            str(seed),
            self.file.name,
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | way
        )
        assert self.process.stdout.readline() == "ready\n"

    def epoch(self):
        print(file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "epoch\n"

    def end(self):
        """CPU seconds, and the weights."""
        used = float(self.process.stdout.readline())
        assert self.process.wait() == 0
        return used, torch.load(self.file.name)


WAYS = {  # of running the plain loop; so long GNU OpenMP spins where nobody set a policy
    "plain": dict(GOMP_SPINCOUNT="300000"),
    "plain, 1 thread": dict(OMP_NUM_THREADS="1"),
}


def compare(arch):
    images, epochs, seeds, tests = RUNS[arch]
    wall, cpu, right = ({who: [] for who in ("ours", *WAYS)} for _ in range(3))
    for seed in range(seeds):
        (jpegs, y), (unseen, truth) = data(arch, seed)
        x, x_test = (np.stack([np.asarray(decode(b)) for b in part]) for part in (jpegs, unseen))
        with seeded_device(arch, seed):
            torch.set_num_threads(1)
            others = {who: Plain(arch, seed, way) for who, way in WAYS.items()}
            images, r = TrainingData(x, y, 10), find_recipe(arch)
            model = find_architecture(r.name).build(r, images)
            network = train.Network(model, arch, CPU, flips=True)
            steps = train.choose_schedule(arch, len(y), epochs)[1]
            loop, used = train.train_steps(network, images, epochs), 0.0
            for epoch in range(epochs):
                start, before = time.perf_counter(), time.process_time()
                for _ in range(steps * epoch // epochs, steps * (epoch + 1) // epochs):
                    next(loop)
                wall["ours"].append(time.perf_counter() - start)
                used += time.process_time() - before
                for who, other in others.items():
                    start = time.perf_counter()
                    other.epoch()
                    wall[who].append(time.perf_counter() - start)
            cpu["ours"].append(used)
            right["ours"].append(train.predict_probs(network, x_test, 10).argmax(1) == truth)
            for who, other in others.items():
                used, weights = other.end()
                cpu[who].append(used)
                model.load_state_dict(weights)
                right[who].append(train.predict_probs(network, x_test, 10).argmax(1) == truth)
    load, ours = os.getloadavg()[0], np.array(right["ours"])
    print(
        f"{arch}: {images:,} images, {epochs} epochs, {seeds} seeds, {tests:,} test images; load {load:.1f} on {os.cpu_count()} cores"
    )
    print(
        f"    ours            {np.median(wall['ours']):6.1f} s an epoch, accuracy {ours.mean():.3f}"
    )
    for who in WAYS:
        ratio, gap = (
            np.divide(wall[who], wall["ours"]),
            contrasts.contrast([ours, np.array(right[who])], contrasts.PAIR),
        )
        print(
            f"    {who:<15} {np.median(wall[who]):6.1f} s an epoch, accuracy {np.mean(right[who]):.3f}"
        )
        print(
            f"        times as long: {np.median(ratio):.1f} (median of {len(ratio)}, {ratio.min():.1f} to {ratio.max():.1f});",
            end=" ",
        )
        print(f"in CPU seconds: {sum(cpu[who]) / sum(cpu['ours']):.1f}")
        print(
            f"        accuracy of ours less its: {100 * gap.estimate:+.1f} points [{100 * gap.low:.1f}, {100 * gap.high:.1f}]",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["plain"]:
        plain(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        for arch in sys.argv[1:] or RUNS:
            with clock(f"{arch} in all"):
                compare(arch)
