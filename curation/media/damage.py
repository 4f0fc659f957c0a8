"""Pictures that decode without an error although part of their data is gone: a copy that broke off, an end that was put back."""

import io
import re
import zlib

import numpy as np

ZEROS = bytes(64)  # no encoder writes so many in compressed data, but for a flat picture: see below
FLAT = 0.004  # bytes a pixel: of a flat picture, WebP and AVIF write fewer, and zeros among them
FILLED, ENDED, SCANS, SUMS = 1, 2, 3, 4
REASONS = {
    FILLED: "have zeros in place of data",
    ENDED: "end before their last row",
    SCANS: "lack the last scans of a progressive JPEG",
    SUMS: "fail the checksums in their file",
}
WHY = {
    FILLED: "about {:.0%} of its data are zeros: a copy that broke off?",
    ENDED: "its data end early: the last {:.0%} of it are an even grey",
    SCANS: "a progressive JPEG without its last scans: about {:.0%} of its detail is missing",
    SUMS: "about {:.0%} of its data fail the checksums in their file",
}
MARKER = re.compile(
    b"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL
)  # within entropy-coded data: stuffing, restarts and fill bytes are none
NOISE = bytes(range(1, 200))


def find_damage(blob, image):
    """(share missing, which of REASONS) of a picture that `image`, loaded by Pillow, gives without an error; (0, 0) for a whole one."""
    if image.format in ("JPEG", "MPO"):
        return damage_of_jpeg(blob, image)
    if image.format == "PNG":
        return damage_of_png(blob)
    if image.format in ("WEBP", "AVIF", "HEIF"):
        run = zeros_at_end(blob[: length(blob)])
        return (
            (run / len(blob), FILLED)
            if run > max(0.01 * len(blob), FLAT * image.width * image.height)
            else (0, 0)
        )
    return 0, 0


def damage_of_png(blob):
    """Pillow stops when it has all rows, and does not compare the checksums of what they were made of."""
    at, bad, whole = 8, 0, 1
    while at + 12 <= len(blob):
        size, kind = int.from_bytes(blob[at : at + 4], "big"), blob[at + 4 : at + 8]
        if kind == b"IDAT":
            whole += size
            bad += size * (
                zlib.crc32(memoryview(blob)[at + 4 : at + 8 + size])
                != int.from_bytes(blob[at + 8 + size : at + 12 + size], "big")
            )
        at += 12 + size
    return (min(1.0, bad / whole), SUMS) if bad else (0, 0)


def length(blob):
    """Where a WebP says that it ends: what comes after is none of it."""
    return 8 + int.from_bytes(blob[4:8], "little") if blob[:4] == b"RIFF" else len(blob)


def zeros_at_end(blob):
    """The length of the longest run of zeros that at most 16 other bytes follow."""
    ends = [
        n
        for n in range(max(1, len(blob) - 16), len(blob) + 1)
        if not blob[n - 1] and (n == len(blob) or blob[n])
    ]
    return max((n - len(blob[:n].rstrip(b"\0")) for n in ends), default=0)


def damage_of_jpeg(blob, image):
    corner = np.asarray(image.getpixel((image.width - 1, image.height - 1)))
    grey = ((corner >= 127) & (corner <= 129)).all()  # what libjpeg draws where it has no more data
    progressive = image.info.get("progressive")
    if not (grey or progressive or ZEROS in blob):
        return 0, 0
    scans = list(read_scans(blob))
    if not scans:
        return 0, 0
    for scan in scans:
        if (run := longest_zeros(blob[scan["start"] : scan["end"]])) and means_nothing(
            blob, image, scan, grey, run
        ):
            return (run[1] - run[0]) / sum(s["end"] - s["start"] for s in scans), FILLED
    if missing := progressive and detail_missing(scans):
        return missing, SCANS
    if grey or progressive:
        more = shown(blob[: scans[-1]["end"]] + NOISE + blob[scans[-1]["end"] :], image.size)
        if (
            more.tobytes() != image.tobytes()
        ):  # what was put behind its data is drawn: they did not reach to the end
            return (
                (0.5 * rows_that_differ(image, more), SCANS)
                if progressive
                else (max(grey_rows(image), 1 / image.height), ENDED)
            )
    return 0, 0


def read_scans(blob):
    """Each scan of the first picture of a JPEG: {components, ss, ah, al, start, end of its data, flat: do zeros mean a flat area, all: components
    of the frame}."""
    at, tables, frame = 2, {}, []
    while at + 4 <= len(blob) and blob[at] == 0xFF:
        kind, size = blob[at + 1], int.from_bytes(blob[at + 2 : at + 4], "big")
        body = blob[at + 4 : at + 2 + size]
        if kind == 0xFF:
            at += 1
            continue
        if kind == 0xD9:
            return
        if kind == 0xC4:
            tables |= first_symbols(body)
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
            frame = [body[6 + 3 * i] for i in range(body[5]) if 6 + 3 * i < len(body)]
        at += 2 + size
        if kind == 0xDA and body and len(body) >= 4 + 2 * body[0]:
            end = found.start() if (found := MARKER.search(blob, at)) else len(blob)
            used = [body[2 + 2 * i] for i in range(body[0])]
            flat = all(tables.get(t) == 0 for u in used for t in (u >> 4, 16 + (u & 15)))
            ss, se, a = body[-3:]
            parts = [body[1 + 2 * i] for i in range(body[0])]
            yield dict(
                parts=parts,
                ss=ss,
                se=se,
                ah=a >> 4,
                al=a & 15,
                start=at,
                end=end,
                flat=flat,
                all=frame,
            )
            at = end


def first_symbols(body):
    """{table: the symbol of its code that is all zeros} of a DHT segment; table 0 to 3 for DC, 16 to 19 for AC."""
    out = {}
    while len(body) > 17:
        n = sum(body[1:17])
        out[body[0]] = body[17] if len(body) > 17 else None
        body = body[17 + n :]
    return out


def longest_zeros(data):
    """(start, end) of the longest run of at least 64 zero bytes, or None."""
    runs = [m.span() for m in re.finditer(rb"\0{64,}", data)] if ZEROS in data else []
    return max(runs, key=lambda r: r[1] - r[0], default=None)


def means_nothing(blob, image, scan, grey, run):
    """Did no encoder write these zeros? Where they could stand for a flat area, they mean something if the picture is another without them;
    a grey one would not be."""
    if image.info.get("progressive"):
        return (
            scan["ss"] > 0
        )  # a flat area is one code there; the scan of the means may well be zeros
    end = scan["start"] + run[1]
    return (
        not scan["flat"]
        or not grey
        and shown(blob[: end - 32] + blob[end:], image.size).tobytes() == image.tobytes()
    )


def detail_missing(scans):
    """The share of a progressive picture's coefficients that its scans do not bring to their last bit."""
    left = {part: np.full(64, 99) for part in scans[0]["all"]}
    for s in scans:
        for part in s["parts"]:
            if part in left:
                left[part][s["ss"] : s["se"] + 1] = s["al"]
    return float(np.mean([(bits > 0).mean() for bits in left.values()])) if left else 0.0


def shown(blob, size):
    """A JPEG as Pillow decodes it for that size."""
    from PIL import Image

    image = Image.open(io.BytesIO(blob), formats=["JPEG"])
    image.draft(None, size)
    return image


def rows_that_differ(image, other):
    """The share of rows from the first one that differs between two pictures of one size."""
    first = (np.asarray(image) != np.asarray(other)).reshape(image.height, -1).any(1).argmax()
    return 1 - float(first) / image.height


def grey_rows(image):
    """The share of rows, from the last one up, that are an even grey."""
    even = (abs(np.asarray(image).reshape(image.height, -1).astype(int) - 128) <= 1).all(1)[::-1]
    return float(even.argmin() if not even.all() else len(even)) / len(even)
