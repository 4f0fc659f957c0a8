"""Layouts in which people keep labelled images, each as its real writer writes it.

One file a family, with a list LAYOUTS; test_layouts.py holds each to the same: it is read as it was
meant, comes back to the byte where nobody changed anything, and differs in the changes alone where
somebody did, as the writer's own reader reads it.
"""

from __future__ import annotations

import io
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image

from assay.curation.formats.base import ImportOptions

CLASSES = ["ape", "bee", "cow"]


@dataclass(frozen=True)
class Picture:
    name: str  # without an ending
    png: bytes
    label: str | None
    split: str


@dataclass(frozen=True)
class Layout:
    name: str
    write: Callable[[Path, list[Picture]], Path]  # into an empty folder; returns what to import
    # what the tool's own reader sees: {pixel_hash: label}
    read_back: Callable[[Path], dict[str, str | None]]
    options: ImportOptions = field(default_factory=ImportOptions)
    splits: dict[str, str] = field(
        default_factory=lambda: {"train": "train", "val": "val", "test": "test"}
    )  # the picture's split -> what Assay must say; {} where the layout tells none
    unread: tuple[str, ...] = ()  # endings of what is not read
    needs: str = ""  # a module that the writer needs beyond the tests' extra
    numbers: bool = False  # classes are 0, 1, 2: the layout has no names
    size: tuple[int, int] = (12, 10)  # (height, width) of the pictures that it can hold
    grey: bool = False
    text: bool = False  # one line a sample: changes may touch as many lines as there are changes


def make_pictures(
    n: int = 30,
    seed: int = 0,
    size: tuple[int, int] = (12, 10),
    grey: bool = False,
    numbers: bool = False,
) -> list[Picture]:
    """Small PNGs of noise, no two alike, in three classes and three splits."""
    rng = np.random.default_rng(seed)
    pictures = []
    for i in range(n):
        pixels = rng.integers(0, 256, size if grey else (*size, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        split = ("train", "train", "val", "test", "train")[i % 5]
        number = (i * 7 + i // 5) % 3
        label = str(number) if numbers else CLASSES[number]
        pictures.append(Picture(f"pic_{i:03}", file.getvalue(), label, split))
    return pictures


def pictures_of(layout: Layout) -> list[Picture]:
    return make_pictures(size=layout.size, grey=layout.grey, numbers=layout.numbers)


def pixel_hash(image: bytes | Image.Image | np.ndarray) -> str:
    """The same for the same RGB pixels, however they are kept."""
    if isinstance(image, np.ndarray) and image.ndim == 2:
        image = Image.fromarray(image)
    if isinstance(image, bytes):
        image = Image.open(io.BytesIO(image))
    if isinstance(image, Image.Image):
        image = np.asarray(image.convert("RGB"))
    return sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


def list_layouts() -> list[Layout]:
    modules = [
        import_module(f"tests.layouts.{found.name}")
        for found in pkgutil.iter_modules([str(Path(__file__).parent)])
    ]
    return [layout for module in modules for layout in getattr(module, "LAYOUTS", [])]
