"""Data files that Assay does not read, and what converts each."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Unread

PICKLE = (
    "a pickle runs code when it is loaded, so Assay never loads one",
    "python -c \"import pickle, numpy; d = pickle.load(open('{name}', 'rb')); "
    "numpy.savez('data.npz', x_train=d['data'], y_train=d['labels'])\" with your own keys, "
    "where you trust the file; then import data.npz",
)
TORCH = (
    "a file of torch may be a pickle, which runs code when it is loaded, so Assay never loads one",
    "python -c \"import torch, numpy; x, y = torch.load('{name}', weights_only=True); "
    "numpy.savez('data.npz', x_train=x.numpy(), y_train=y.numpy())\"; then import data.npz",
)
FRAMES = (
    "a video is no image",
    "mkdir frames && ffmpeg -i {file} -vf fps=1 frames/%06d.png takes an image a second; then import frames",
)
RAW = (
    "a camera's raw file is not read",
    "darktable-cli {file} photo.tif",
)
VECTORS = ("a drawing of vectors is no image", "rsvg-convert {file} -o drawing.png")
DICOM = (
    "DICOM is not read: which window shows what matters is for you to say",
    "dcm2img {file} image.png (of DCMTK), or with pydicom in Python",
)
NIFTI = (
    "a volume is no image",
    "med2image -i {file} -d slices -o slice.png makes an image of each slice",
)
ARCHIVE = ("this archive is not opened", "unpack it, for example 7z x {file}, and import it")
WHY: dict[str, tuple[str, str]] = {
    ".tfrecord": (
        "TFRecord is not read",
        'with TensorFlow, and the names that your features have: python -c "import tensorflow as tf; '
        "[tf.io.write_file(f'out/{e['image/class/label'].int64_list.value[0]}/{i}.jpg', "
        "e['image/encoded'].bytes_list.value[0]) for i, e in enumerate(tf.train.Example.FromString(r)"
        ".features.feature for r in tf.data.TFRecordDataset('{name}').as_numpy_iterator())]\"; "
        "then import out",
    ),
    ".pdf": ("a PDF is no image", "pdftoppm -png -r 150 {file} page makes an image of each page"),
    ".psd": ("a Photoshop file is not read", "magick {file} image.png"),
    ".lmdb": ("LMDB is not read", "export its images with the tool that wrote it"),
    ".mdb": ("LMDB is not read", "export its images with the tool that wrote it"),
    ".rec": ("MXNet's RecordIO is not read", "save its images with mxnet.recordio.unpack_img"),
    ".ndpi": ("a slide scan is not read", "vips dzsave {file} tiles makes tiles of it"),
    ".jxl": ("JPEG XL is not read", "djxl {file} image.png"),
    ".exr": ("OpenEXR is not read", "magick {file} image.tif"),
    ".safetensors": ("weights are no images", "import the data that they were trained on"),
}
WHY |= dict.fromkeys((".tfrecords", ".tfrec"), WHY[".tfrecord"])
WHY |= dict.fromkeys((".pkl", ".pickle", ".p", ".joblib", ".dill"), PICKLE)
WHY |= dict.fromkeys((".pt", ".pth", ".ckpt"), TORCH)
WHY |= dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"), FRAMES)
WHY |= dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"), RAW)
WHY |= dict.fromkeys((".svg", ".eps", ".ai"), VECTORS)
WHY |= dict.fromkeys((".dcm", ".dicom"), DICOM)
WHY |= dict.fromkeys((".nii", ".nrrd", ".mha", ".mhd"), NIFTI)
WHY |= dict.fromkeys((".svs", ".mrxs", ".scn"), WHY[".ndpi"])
WHY |= dict.fromkeys((".rar", ".7z"), ARCHIVE)
# data sets whose labels lie in a way of their own: the file that shows it -> (why, what converts it)
DATA_SETS: dict[str, tuple[str, str]] = {
    "imagelabels.mat": (
        "Flowers-102's imagelabels.mat and setid.mat are not read",
        "in the folder: python -c \"import scipy.io as s; y = s.loadmat('imagelabels.mat')['labels'][0]; "
        "k = {i: w for w, n in (('train', 'trnid'), ('val', 'valid'), ('test', 'tstid')) "
        "for i in s.loadmat('setid.mat')[n][0]}; print('image,label,split', *('jpg/image_%05d.jpg,%d,%s' "
        "% (i, c, k[i]) for i, c in enumerate(y, 1)), sep='\\n')\" > labels.csv; then import labels.csv",
    ),
    "cars_test_annos_withlabels.mat": (
        "the annotations of Stanford Cars are not read",
        'in the folder: python -c "import scipy.io as s; '
        "n = s.loadmat('devkit/cars_meta.mat', squeeze_me=True)['class_names']; "
        "p = [('devkit/cars_train_annos.mat', 'cars_train', 'train'), "
        "('cars_test_annos_withlabels.mat', 'cars_test', 'test')]; print('image,label,split', "
        "*('%s/%s,%s,%s' % (d, a['fname'], n[a['class'] - 1], w) for f, d, w in p "
        "for a in s.loadmat(f, squeeze_me=True)['annotations']), sep='\\n')\" > labels.csv; "
        "then import labels.csv",
    ),
    "train_X.bin": (
        "STL-10's binary files are not read",
        "in the folder: python -c \"import numpy as np; r = lambda n: np.fromfile(n, 'u1'); "
        "np.savez('stl10.npz', class_names=open('class_names.txt').read().split(), **{k: v "
        "for s in ('train', 'test') for k, v in ((s + '_images', r(s + '_X.bin').reshape(-1, 3, 96, 96)"
        ".transpose(0, 3, 2, 1)), (s + '_labels', r(s + '_y.bin') - 1))})\"; then import stl10.npz",
    ),
}
STARTS = {b"\x80\x02": ".pkl", b"\x80\x03": ".pkl", b"\x80\x04": ".pkl", b"\x80\x05": ".pkl"}


class Unreadable:
    """What Assay does not read: TFRecord, pickles, DICOM, video, raw files, PDF, STL-10.

    Refused, with the command that converts it. A pickle is never loaded.
    """

    name = "unreadable"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if marker := find_data_set(path):
            return Match("sure", DATA_SETS[marker][0])
        if path.is_file() and (ending := find_reason(path)):
            return Match("maybe", WHY[ending][0])
        return Match("no", "expects what another program converts, such as TFRecord")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        if marker := find_data_set(path):
            raise UserError(
                f"expected folders, a table or arrays in {path.name}, found {marker}: {DATA_SETS[marker][0]}",
                DATA_SETS[marker][1],
            )
        ending = find_reason(path)
        if not ending:
            raise UserError(f"expected data, found {path.name}", "leave --format out")
        raise UserError(
            f"expected images or a table of them, found {path.name}: {WHY[ending][0]}",
            fill_command(WHY[ending][1], path.name),
        )


FORMAT = Unreadable()


def find_data_set(path: Path) -> str | None:
    """Find the file that marks a data set to convert first.

    Another program converts it.
    """
    return next((name for name in DATA_SETS if (path / name).is_file()), None)


def find_reason(path: Path) -> str | None:
    """Find the ending by which a file is not read.

    It is the file's own, or that of files which begin alike. None where it may be read.
    """
    ending = match_ending(path.name)
    if ending or not path.is_file():
        return ending
    with open(path, "rb") as file:
        start = file.read(132)
    if start[128:] == b"DICM":
        return ".dcm"
    # pickles, also without an ending, as CIFAR's data_batch_1
    return next((e for begin, e in STARTS.items() if start.startswith(begin)), None)


def match_ending(name: str) -> str | None:
    """Match a file's name with an ending that Assay does not read.

    train.tfrecord-00000-of-00002 and scan.nii.gz count as their like.
    """
    name = name.lower().removesuffix(".gz")
    ending = os.path.splitext(name)[1]
    if ending.startswith(".tfrecord"):
        return ".tfrecord"
    return ending if ending in WHY else None


def explain_ending(name: str) -> str:
    """Say why a file is not read, and what converts it.

    "" for a file that may be read.
    """
    ending = match_ending(name)
    if not ending:
        return ""
    why, command = WHY[ending]
    return f"{why}; {fill_command(command, os.path.basename(name))}"


def fill_command(command: str, name: str) -> str:
    """Put a file's name into a shell command safely.

    A shell takes the name for nothing else.
    """
    plain = re.fullmatch(r"[\w.+-]+", name, re.ASCII)
    # inside of a program in quotes no quoting is safe: it is for the person to fill in
    inside = name if plain else "FILE"
    return command.replace("{file}", shlex.quote(name)).replace("{name}", inside)


def list_unread(files: Iterable[str], why: str = "") -> list[Unread]:
    """Count the files that no reader took, by their ending."""
    by_ending: dict[str, list[str]] = {}
    for file in files:
        ending = os.path.splitext(file)[1].lower()
        by_ending.setdefault(ending, []).append(file.encode(errors="replace").decode())
    return [
        Unread(ending, len(found), found[0], why or explain_ending(found[0]))
        for ending, found in sorted(by_ending.items())
    ]
