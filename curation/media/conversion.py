"""How pictures of more than 8 bits, or with transparency, become 8-bit RGB: chosen once for all of a source, and kept with each."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from assay.curation.storage.arrays import Shards

DECODER = 2  # counted up when images.py or damage.py would make something else of the same bytes
GROUNDS = dict(
    white=255, black=0, grey=128
)  # what may lie behind a drawing on transparency, in the order of preference
LEVELS = 32  # of 256: a declared range of which pictures use fewer is too wide for them
FAR = 48  # levels from which on a colour stands out from its ground
DRAWN = 0.25  # of what is drawn must stand out, or the drawing counts as hidden


class Reading(NamedTuple):
    """The values that become black and white, and the ground behind what is transparent. None: to be chosen."""

    low: float | None = None
    high: float | None = None
    ground: str | None = None


OPEN = Reading()
OLD = Reading(0, 65535, "white")  # of Assay before DECODER 2: the high byte, and white


class Look(NamedTuple):
    """What is worth knowing of a picture beside its pixels, as a row of arrays/decoded; all 0 for an ordinary one."""

    missing: float = 0  # share of the picture that its damaged file no longer holds
    damage: float = 0  # which of damage.REASONS
    pages: float = 0  # further pages or frames in its file, which are not read
    deep: float = 0  # more than 8 bits a channel: 1 whole numbers, 2 floating point
    low: float = 0  # the value that .1 % of its pixels lie below, and
    high: float = 0  # above
    clear: float = 0  # 1 for transparency, 2 where nothing else is there
    white: float = 0  # 1 where a white ground would hide what is drawn
    black: float = 0
    grey: float = 0
    read_low: float = 0  # the reading that its pixels were made with
    read_high: float = 0
    ground: float = 0  # its number in GROUNDS

    def reading(self):
        return Reading(
            self.read_low if self.deep else None,
            self.read_high if self.deep else None,
            list(GROUNDS)[int(self.ground)] if self.clear else None,
        )

    def read_with(self, reading):
        """The same, with the reading written in."""
        low, high = (reading.low, reading.high) if self.deep else (0, 0)
        return self._replace(
            read_low=low,
            read_high=high,
            ground=list(GROUNDS).index(reading.ground) if self.clear else 0,
        )


def load_looks(arrays):
    """The looks of the images of a bench, beside their pixels: shards with a row for every image that has something to tell."""
    return Shards(arrays / "decoded" / str(DECODER))


def find_looks(shards, hashes):
    """{hash: Look} of those of `hashes` that have one."""
    hashes = list(hashes)
    at = shards.find(hashes)
    there = np.flatnonzero(at >= 0)
    rows = shards.rows([hashes[i] for i in there])[np.arange(len(there))] if len(there) else []
    return {hashes[i]: Look(*map(float, row)) for i, row in zip(there, rows)}


def choose(looks, before=OPEN):
    """The reading for all of `looks` together; what `before` says already stays."""
    low, high = choose_range([k for k in looks if k.deep]) if before.high is None else before[:2]
    clear = [k for k in looks if k.clear == 1]
    hidden = {ground: sum(getattr(k, ground) for k in clear) for ground in GROUNDS}
    return Reading(low, high, before.ground or min(GROUNDS, key=hidden.get))


def choose_range(looks):
    """(low, high) for all pictures of more than 8 bits alike, so that a dark one stays darker than a bright one: as many bits as they use,
    or the values that they use where these are few of so many. One picture in a hundred may reach beyond."""
    if not looks:
        return 0.0, 65535.0
    low = float(np.percentile([k.low for k in looks], 1, method="lower"))
    high = float(np.percentile([k.high for k in looks], 99, method="higher"))
    floats = any(k.deep == 2 for k in looks)
    tops = ([1.0] if floats else []) + [2.0**bits - 1 for bits in range(8, 33)]
    top = next((t for t in tops if high <= t), None)
    if low >= 0 and top and (high - low >= top * LEVELS / 256 or high == low):
        low, high = 0.0, top
    return float(np.float32(low)), float(np.float32(high)) if high > low else low + 1


def hidden_by(pixels, alpha):
    """(1 or 2, hidden on white, on black, on grey) of pixels (h, w, 3) with alpha (h, w), both uint8."""
    drawn = alpha >= 128 if (alpha >= 128).any() else alpha > 0
    if not drawn.any():
        return 2, 0, 0, 0
    colours = pixels[drawn].astype(int)
    return 1, *(float((abs(colours - g).max(1) >= FAR).mean() < DRAWN) for g in GROUNDS.values())


def before(bench, source, hashes):
    """How pictures of `source`, whose samples have `hashes`, were read until now, so that an addition is read alike."""
    if not len(hashes):
        return OPEN
    if not bench.rows("select 1 from meta where key = ?", [f"decoder {source}"]):
        return OLD
    out = OPEN
    for look in find_looks(load_looks(bench.arrays), dict.fromkeys(hashes)).values():
        out = Reading(
            *(mine if mine is not None else new for mine, new in zip(out, look.reading()))
        )
    return out


def older(bench, state):
    """How many kept samples of `state` an older Assay decoded."""
    known = {
        key.removeprefix("decoder ")
        for (key,) in bench.rows("select key from meta where key like 'decoder %'")
    }
    return int((state.keep & ~state.source.isin(known)).sum())


def notes(looks, reading=OPEN):
    """Lines about the pictures of a source, for whoever imports it: what was chosen, guessed and not read."""
    from assay.curation.media.damage import REASONS

    out = []
    if reading == OLD and any(k.deep or k.clear for k in looks):
        out.append(
            "this source is read on as an older Assay began it, 16 bits by their high byte and transparency on white: "
            "to read it as this one does, import it into a new bench"
        )
    if deep := [k for k in looks if k.deep]:
        (low, high), n = Counter((k.read_low, k.read_high) for k in deep).most_common(1)[0]
        bits = high and low == 0 and float(np.log2(high + 1))
        how = (
            f"as {bits:.0f} bits"
            if bits and bits.is_integer() and bits > 1
            else "from black to white"
        )
        beyond = sum(k.high > k.read_high or k.low < k.read_low for k in deep)
        cut = f"; beyond it, and cut there, reach {beyond:,}" if beyond else ""
        out.append(
            f"pictures of more than 8 bits a channel: {len(deep):,}, read {how}, the range {low:,.7g} to {high:,.7g} of their values{cut}"
        )
    if clear := [k for k in looks if k.clear]:
        ground = list(GROUNDS)[int(Counter(k.ground for k in clear).most_common(1)[0][0])]
        why = (
            f", where white would hide {white:,} of them"
            if ground != "white" and (white := int(sum(k.white for k in clear)))
            else ""
        )
        lost = int(sum(getattr(k, ground) for k in clear))
        empty = sum(k.clear == 2 for k in clear)
        why += f"; hardly to be seen on it: {lost:,}" if lost else ""
        why += f"; wholly transparent: {empty:,}" if empty else ""
        out.append(f"pictures with transparency: {len(clear):,}, read on a {ground} ground{why}")
    if paged := [k for k in looks if k.pages]:
        out.append(
            f"further pages or frames that were not read: {int(sum(k.pages for k in paged)):,} in {len(paged):,} of the files; "
            "the first is the sample, save others as files of their own if they are data"
        )
    if broken := [k for k in looks if k.damage]:
        kinds = Counter(REASONS[int(k.damage)] for k in broken)
        out.append(
            f"broken pictures, read as far as they go: {'; '.join(f'{n:,} {r}' for r, n in kinds.items())}; "
            "after a scan, assay issues --kind truncated lists them"
        )
    return out
