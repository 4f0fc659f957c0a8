"""Image traits, stored beside the pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.media.conversion import DECODER, LEGACY, UNDECIDED, Conversion, ImageTraits
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd


def load_traits(arrays: Path) -> Shards:
    """Open the shards of traits in a bench's folder of arrays.

    They have a row for every image that has something to tell."""
    return Shards(arrays / "decoded" / str(DECODER))


def find_traits(shards: Shards, hashes: Iterable[str]) -> dict[str, ImageTraits]:
    """Find the traits of `hashes`, where there are any."""
    hashes = list(hashes)
    at = shards.find(hashes)
    there = np.flatnonzero(at >= 0)
    rows = shards.rows([hashes[i] for i in there])[np.arange(len(there))] if len(there) else []
    return {hashes[i]: ImageTraits(*map(float, row)) for i, row in zip(there, rows)}


def earlier_conversion(bench: Bench, source: str, hashes: Iterable[str]) -> Conversion:
    """Find how images of a source were converted until now.

    An addition to it is converted alike. hashes: of the source's samples."""
    if not len(hashes):
        return UNDECIDED
    if not bench.rows("select 1 from meta where key = ?", [f"decoder {source}"]):
        return LEGACY
    out = UNDECIDED
    for traits in find_traits(load_traits(bench.arrays), dict.fromkeys(hashes)).values():
        known = zip(out, traits.conversion())
        out = Conversion(*(mine if mine is not None else new for mine, new in known))
    return out


def count_legacy_images(bench: Bench, state: pd.DataFrame) -> int:
    """Count the kept samples that an older Assay decoded."""
    known = {
        key.removeprefix("decoder ")
        for (key,) in bench.rows("select key from meta where key like 'decoder %'")
    }
    return int((state.keep & ~state.source.isin(known)).sum())
