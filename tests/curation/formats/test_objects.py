"""Stories about data that lies in memory: frames of other libraries, Datasets and Bunches."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.utils import Bunch
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

import assay
from assay import UserError
from assay.curation.formats.source_records import read_records
from assay.curation.media.originals import read_bytes
from tests.layouts.base import CLASSES, make_pictures, pixel_hash

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 12, 10, 3), dtype=np.uint8)
TARGETS = [i % 3 for i in range(20)]
WANT = {pixel_hash(image): CLASSES[t] for image, t in zip(IMAGES, TARGETS)}
NUMBERS = {pixel_hash(image): str(t) for image, t in zip(IMAGES, TARGETS)}


def bench_with(folder, *source, **options):
    return assay.create(folder / "bench").add(*source, progress=False, who="ann", **options)


def labels_of(bench):
    frame = bench.frame()
    return {pixel_hash(read_bytes(uri)): label for uri, label in zip(frame.uri, frame.label)}


class InMemory(Dataset):
    """As torchvision's CIFAR10 keeps its images; with the transforms that a training uses."""

    classes = CLASSES

    def __init__(self):
        self.data, self.targets = IMAGES, TARGETS

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        return torch.from_numpy(self.data[i]).permute(2, 0, 1).float() / 255, self.targets[i]


class ByFiles(InMemory):
    """As torchvision's ImageFolder keeps its files."""

    def __init__(self, folder):
        self.samples = []
        for i, (image, target) in enumerate(zip(IMAGES, TARGETS)):
            Image.fromarray(image).save(folder / f"{i}.png")
            self.samples.append((str(folder / f"{i}.png"), target))


class Lazy(InMemory):
    """One that makes its images when asked."""

    def __init__(self):
        self.pictures = [Image.fromarray(image) for image in IMAGES]

    def __len__(self):
        return 20

    def __getitem__(self, i):
        return self.pictures[i], torch.tensor(TARGETS[i])


@pytest.mark.parametrize("kind", [InMemory, ByFiles, Lazy])
def test_a_torch_dataset_is_read_from_what_it_keeps(kind, tmp_path):
    (tmp_path / "files").mkdir()
    dataset = kind(tmp_path / "files") if kind is ByFiles else kind()
    bench = bench_with(tmp_path, dataset)
    assert labels_of(bench) == WANT
    part = bench_with(tmp_path / "part", Subset(dataset, range(3, 12)), split="train")
    assert labels_of(part) == dict(list(WANT.items())[3:12])
    if kind is not ByFiles:
        assert read_records(bench)["dataset"].classes == CLASSES


def test_tensors_with_channels_first_are_images(tmp_path):
    tensors = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    dataset = TensorDataset(tensors, torch.tensor(TARGETS))
    assert labels_of(bench_with(tmp_path, dataset)) == NUMBERS
    both = ConcatDataset([Subset(dataset, range(10)), Subset(dataset, range(10, 20))])
    assert labels_of(bench_with(tmp_path / "both", both)) == NUMBERS


def test_a_bunch_of_scikit_learn(tmp_path):
    digits = load_digits()
    few = Bunch(
        images=digits.images[:50], target=digits.target[:50], target_names=digits.target_names
    )
    bench = bench_with(tmp_path, few)
    want = {
        pixel_hash(Image.fromarray(np.rint(image * 255 / 16).astype("u1"))): str(t)
        for image, t in zip(few.images, few.target)
    }
    assert labels_of(bench) == want
    record = read_records(bench)["bunch"]
    assert "multiplied by 15.9375" in record.notes[0] and record.classes == [*"0123456789"]
    with pytest.raises(UserError, match="expected a Bunch with images"):
        bench.add(Bunch(data=digits.data, target=digits.target))


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, lambda c: pl.DataFrame(c).lazy()])
def test_frames_of_other_libraries(make, tmp_path):
    pictures = make_pictures(10)
    columns = dict(image=[p.png for p in pictures], label=[p.label for p in pictures])
    bench = bench_with(tmp_path, make(columns))
    assert labels_of(bench) == {pixel_hash(p.png): p.label for p in pictures}


def test_labels_in_a_column_as_keras_has_them(tmp_path):
    bench = bench_with(tmp_path, IMAGES, np.array(TARGETS)[:, None])
    assert labels_of(bench) == NUMBERS
    with pytest.raises(UserError, match=r"shape \(20, 3\)"):
        bench_with(tmp_path / "hot", IMAGES, np.eye(3)[TARGETS])
    with pytest.raises(UserError, match="expected a path, a frame"):
        bench_with(tmp_path / "odd", 7)
