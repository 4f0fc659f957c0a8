"""Arrays as NumPy, idx2numpy, SciPy and h5py write them, read back by the same."""

import gzip
import io

import h5py
import idx2numpy
import numpy as np
import scipy.io
from PIL import Image

from tests.layouts.base import CLASSES, Layout, pixel_hash

NO_VAL = {"train": "train", "val": "train", "test": "test"}


def stack(pictures):
    return np.stack([np.asarray(Image.open(io.BytesIO(p.png))) for p in pictures])


def of_split(pictures, *splits):
    return [p for p in pictures if p.split in splits]


def hashes(images, labels):
    return {pixel_hash(image): label for image, label in zip(images, labels, strict=True)}


def write_keras(folder, pictures):
    """mnist.npz of Keras: x_train, y_train, x_test, y_test."""
    train, test = of_split(pictures, "train", "val"), of_split(pictures, "test")
    np.savez(
        folder / "zoo.npz",
        x_train=stack(train),
        y_train=np.array([int(p.label) for p in train], "u1"),
        x_test=stack(test),
        y_test=np.array([int(p.label) for p in test], "u1"),
    )
    return folder / "zoo.npz"


def read_keras(path):
    with np.load(path) as f:
        assert f["y_train"].dtype == np.uint8
        return hashes(f["x_train"], map(str, f["y_train"])) | hashes(
            f["x_test"], map(str, f["y_test"])
        )


def write_medmnist(folder, pictures):
    """As MedMNIST's files are: labels (n, 1), no names."""
    arrays = {}
    for split in ("train", "val", "test"):
        rows = of_split(pictures, split)
        arrays[f"{split}_images"] = stack(rows)
        arrays[f"{split}_labels"] = np.array([[int(p.label)] for p in rows], "u1")
    np.savez_compressed(folder / "zoomnist.npz", **arrays)
    return folder / "zoomnist.npz"


def read_medmnist(path):
    found = {}
    with np.load(path) as f:
        for split in ("train", "val", "test"):
            labels = f[f"{split}_labels"]
            assert labels.shape[1:] == (1,)
            found |= hashes(f[f"{split}_images"], map(str, labels[:, 0]))
    return found


def write_named(folder, pictures):
    """Images with channels first, numbers, and an array of names."""
    images = stack(pictures).transpose(0, 3, 1, 2)
    labels = np.array([CLASSES.index(p.label) for p in pictures])
    np.savez(
        folder / "x.npz", images=np.ascontiguousarray(images), labels=labels, class_names=CLASSES
    )
    return folder / "x.npz"


def read_named(path):
    with np.load(path) as f:
        names = f["class_names"]
        return hashes(
            f["images"].transpose(0, 2, 3, 1), [str(names[label]) for label in f["labels"]]
        )


def write_npy(folder, pictures):
    """X.npy and y.npy of texts in a folder."""
    np.save(folder / "X.npy", stack(pictures))
    np.save(folder / "y.npy", np.array([p.label for p in pictures]))
    return folder


def read_npy(path):
    return hashes(np.load(path / "X.npy"), map(str, np.load(path / "y.npy")))


def write_mnist(folder, pictures):
    """MNIST's four files, gzipped."""
    root = folder / "mnist"
    root.mkdir()
    for word, splits in (("train", ("train", "val")), ("t10k", ("test",))):
        rows = of_split(pictures, *splits)
        for name, array in (
            ("images-idx3", stack(rows)),
            ("labels-idx1", np.array([int(p.label) for p in rows], "u1")),
        ):
            with gzip.open(root / f"{word}-{name}-ubyte.gz", "wb") as file:
                file.write(idx2numpy.convert_to_string(array))
    return root


def read_mnist(path):
    found = {}
    for word in ("train", "t10k"):
        images, labels = (
            idx2numpy.convert_from_string(
                gzip.decompress((path / f"{word}-{n}-ubyte.gz").read_bytes())
            )
            for n in ("images-idx3", "labels-idx1")
        )
        found |= hashes([Image.fromarray(i) for i in images], map(str, labels))
    return found


def write_cifar(folder, pictures):
    """As CIFAR's page says: a byte of the label, then 32 x 32 red, green and blue ones."""
    root = folder / "cifar-10-batches-bin"
    root.mkdir()
    for file, splits in (("data_batch_1", ("train", "val")), ("test_batch", ("test",))):
        rows = of_split(pictures, *splits)
        planes = stack(rows).transpose(0, 3, 1, 2).reshape(len(rows), -1)
        labels = np.array([[CLASSES.index(p.label)] for p in rows], "u1")
        (root / f"{file}.bin").write_bytes(np.hstack([labels, planes]).tobytes())
    (root / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")
    return root


def read_cifar(path):
    """As torch's and TensorFlow's tutorials read it."""
    found = {}
    for file in path.glob("*.bin"):
        records = np.frombuffer(file.read_bytes(), "u1").reshape(-1, 3073)
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        names = (path / "batches.meta.txt").read_text().split()
        found |= hashes(images, [names[i] for i in records[:, 0]])
    return found


def write_svhn(folder, pictures):
    """As SVHN's cropped digits: X (h, w, 3, n) and y (n, 1)."""
    root = folder / "svhn"
    root.mkdir()
    for word, splits in (("train", ("train", "val")), ("test", ("test",))):
        rows = of_split(pictures, *splits)
        labels = np.array([[int(p.label)] for p in rows], "u1")
        scipy.io.savemat(
            root / f"{word}_32x32.mat",
            dict(X=stack(rows).transpose(1, 2, 3, 0), y=labels),
            do_compression=True,
        )
    return root


def read_svhn(path):
    found = {}
    for file in path.glob("*.mat"):
        arrays = scipy.io.loadmat(file)
        assert arrays["y"].dtype == np.uint8 and arrays["y"].shape[1] == 1
        found |= hashes(arrays["X"].transpose(3, 0, 1, 2), map(str, arrays["y"][:, 0]))
    return found


def write_hdf5(folder, pictures):
    """As PatchCamelyon: a file for the images and one for the labels of each split."""
    root = folder / "zoo"
    root.mkdir()
    for split in ("train", "valid", "test"):
        rows = of_split(pictures, "val" if split == "valid" else split)
        labels = np.array([int(p.label) for p in rows], "u1").reshape(-1, 1, 1, 1)
        for name, array in (("x", stack(rows)), ("y", labels)):
            with h5py.File(root / f"zoo_split_{split}_{name}.h5", "w") as file:
                file.create_dataset(name, data=array, chunks=True, compression="gzip")
                file.attrs["made by"] = "ann"
    return root


def read_hdf5(path):
    found = {}
    for file in path.glob("*_x.h5"):
        labels = path / file.name.replace("_x.h5", "_y.h5")
        with h5py.File(file) as x, h5py.File(labels) as y:
            assert y["y"].shape[1:] == (1, 1, 1) and y.attrs["made by"] == "ann"
            found |= hashes(x["x"][:], map(str, y["y"][:].ravel()))
    return found


def write_quickdraw(folder, pictures):
    """A .npy for each class, of rows of pixels."""
    root = folder / "quickdraw"
    root.mkdir()
    for name in CLASSES:
        rows = stack([p for p in pictures if p.label == name])
        np.save(root / f"{name}.npy", rows.reshape(len(rows), -1))
    return root


def read_quickdraw(path):
    """As the recipes of the data set read it: 28 x 28, the class is the file."""
    return {
        pixel_hash(row.reshape(28, 28)): file.stem
        for file in path.glob("*.npy")
        for row in np.load(file)
    }


LAYOUTS = [
    Layout("QuickDraw's npy", write_quickdraw, read_quickdraw, splits={}, size=(28, 28), grey=True),
    Layout("npz of Keras", write_keras, read_keras, splits=NO_VAL, numbers=True, grey=True),
    Layout("npz of MedMNIST", write_medmnist, read_medmnist, numbers=True),
    Layout("npz with names", write_named, read_named, splits={}),
    Layout("npy in a folder", write_npy, read_npy, splits={}),
    Layout("MNIST's IDX", write_mnist, read_mnist, splits=NO_VAL, numbers=True, grey=True),
    Layout("CIFAR's binary", write_cifar, read_cifar, splits=NO_VAL, size=(32, 32)),
    Layout("SVHN's mat", write_svhn, read_svhn, splits=NO_VAL, numbers=True),
    Layout("HDF5 of PatchCamelyon", write_hdf5, read_hdf5, numbers=True),
]
