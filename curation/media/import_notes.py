"""What an import says about its images."""

from __future__ import annotations

from collections import Counter

import numpy as np

from assay.curation.media.conversion import (
    BACKGROUNDS,
    LEGACY,
    UNDECIDED,
    Conversion,
    ImageTraits,
)
from assay.curation.media.jpeg_damage import REASONS


def describe_traits(traits: list[ImageTraits], conversion: Conversion = UNDECIDED) -> list[str]:
    """Say what was chosen, guessed and not read, a line each."""
    deep, clear = [t for t in traits if t.deep], [t for t in traits if t.clear]
    paged, broken = [t for t in traits if t.pages], [t for t in traits if t.damage]
    out = []
    if conversion == LEGACY and (deep or clear):
        out.append(
            "this source is read on as an older Assay began it, 16 bits by their high byte and transparency on white: "
            "to read it as this one does, import it into a new bench"
        )
    if deep:
        out.append(_describe_range(deep))
    if clear:
        out.append(_describe_background(clear))
    if paged:
        n = int(sum(t.pages for t in paged))
        out.append(
            f"further pages or frames that were not read: {n:,} in {len(paged):,} of the files; "
            "the first is the sample, save others as files of their own if they are data"
        )
    if broken:
        kinds = Counter(REASONS[int(t.damage)] for t in broken)
        out.append(
            f"broken pictures, read as far as they go: {'; '.join(f'{n:,} {r}' for r, n in kinds.items())}; "
            "after a scan, assay issues --kind truncated lists them"
        )
    return out


def _describe_range(deep: list[ImageTraits]) -> str:
    (low, high), n = Counter((t.read_low, t.read_high) for t in deep).most_common(1)[0]
    bits = high and low == 0 and float(np.log2(high + 1))
    whole = bits and bits.is_integer() and bits > 1
    how = f"as {bits:.0f} bits" if whole else "from black to white"
    beyond = sum(t.high > t.read_high or t.low < t.read_low for t in deep)
    cut = f"; beyond it, and cut there, reach {beyond:,}" if beyond else ""
    return (
        f"pictures of more than 8 bits a channel: {len(deep):,}, "
        f"read {how}, the range {low:,.7g} to {high:,.7g} of their values{cut}"
    )


def _describe_background(clear: list[ImageTraits]) -> str:
    number = Counter(t.background for t in clear).most_common(1)[0][0]
    background = list(BACKGROUNDS)[int(number)]
    white, hidden = (int(sum(getattr(t, name) for t in clear)) for name in ("white", background))
    empty = sum(t.clear == 2 for t in clear)
    avoided = background != "white" and white
    why = f", where white would hide {white:,} of them" if avoided else ""
    why += f"; hardly to be seen on it: {hidden:,}" if hidden else ""
    why += f"; wholly transparent: {empty:,}" if empty else ""
    return f"pictures with transparency: {len(clear):,}, read on a {background} ground{why}"
