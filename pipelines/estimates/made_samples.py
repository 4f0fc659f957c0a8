"""Made samples, to measure this machine by: texts with vectors, and pictures."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CLASSES, POCKETS, AXES = 10, 400, 12  # a pocket is a part of a class, which spreads along its axes
WRONG, COPIES, VAL = (
    0.05,
    100,
    20,
)  # share of the labels; one sample of so many is a near copy, is in val
WORDS = "stone river cloud grain amber light north field water metal paper glass smoke linen cedar".split()
GRAIN = 8  # levels of noise in a picture, which makes a JPEG about as large as that of a photograph


def make_texts(n: int, numbers: int) -> pd.DataFrame:
    """Make n texts with a label and a split; each begins with what embed_texts makes a vector of.

    numbers: of a vector.
    """
    import pandas as pd

    rng = np.random.default_rng(0)
    i = np.arange(n)
    copy = (i % COPIES == 1) & (i > 0)
    number = np.where(copy, i - 1, i)
    words = np.array(WORDS)[rng.integers(0, len(WORDS), (n, 10))]
    words[copy] = words[number[copy]]
    right = pocket_of(number) % CLASSES
    label = np.where(rng.random(n) < WRONG, rng.integers(0, CLASSES, n), right)
    text = [
        f"{a} {numbers} {' '.join(row)}{' again' if twin else ''}"
        for a, row, twin in zip(number, words, copy)
    ]
    split = np.where(i % VAL == 0, "val", "train")
    return pd.DataFrame(dict(id=i.astype(str), text=text, label=label.astype(str), split=split))


def pocket_of(number: np.ndarray) -> np.ndarray:
    """The pocket of samples by their numbers (n,)."""
    return number * 7919 % POCKETS


@cache
def draw_pockets(numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the centres (POCKETS, numbers) and axes (POCKETS, AXES, numbers) of pockets."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(POCKETS, numbers)).astype("f4")
    return centres, rng.normal(size=(POCKETS, AXES, numbers)).astype("f4") / AXES**0.5


def embed_texts(texts: list[str]) -> np.ndarray:
    """Make the vectors of made texts (b, numbers): an embedder that costs next to nothing."""
    out = []
    for text in texts:
        number, numbers, *words = text.split()
        centres, axes = draw_pockets(int(numbers))
        pocket, rng = pocket_of(np.int64(number)), np.random.default_rng(int(number))
        vector = centres[pocket] + rng.normal(size=AXES) @ axes[pocket]
        vector += 0.35 * rng.standard_normal(int(numbers), "f4")
        if words[-1] == "again":
            vector += 0.01 * rng.standard_normal(int(numbers), "f4")
        out.append(vector)
    return np.array(out, "f4")


embed_texts.batch = 4096  # type: ignore[attr-defined]


def make_pictures(n: int, side: int) -> Any:
    """Make a frame of n JPEGs of a side in pixels, as bytes, with a label and a split."""
    import pandas as pd
    from PIL import Image

    rng, i = np.random.default_rng(2), np.arange(n)
    files = []
    for _ in i:
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), "u1"))
        smooth = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), "i2")
        noisy = smooth + rng.integers(-GRAIN, GRAIN + 1, smooth.shape)
        out = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype("u1")).save(out, "JPEG", quality=90)
        files.append(out.getvalue())
    label, split = (i % CLASSES).astype(str), np.where(i % VAL == 0, "val", "train")
    return pd.DataFrame(dict(id=i.astype(str), image=files, label=label, split=split))
