"""Files that are no image, half an image, or a bomb."""

import shutil
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from PIL import Image

import assay
from assay.curation.media import conversion, decoding, images, stored_traits
from assay.curation.media.files import BadMedia
from assay.curation.media.images import decode_pixels
from assay.curation.media.pixels import load_pixels
from assay.curation.storage.shards import Shards
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.pictures import COLOUR, GREY, original_size, photo, png, rng, saved, write


def refused(blob, word):
    with pytest.raises(BadMedia, match=word):
        decode_pixels(blob, 64)


def test_files_that_are_no_image():
    refused(b"", "empty")
    refused(b"<html>404</html>", "not an image")
    refused(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"
    )  # never handed to ghostscript
    refused(saved(COLOUR)[:12], "not an image")
    refused(np.zeros(500, "u1").tobytes(), "not an image")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_truncated_files(kind):
    blob = saved(rng.integers(0, 256, (200, 200, 3)).astype("u1"), kind)
    for part in (0.3, 0.6, 0.9):
        refused(blob[: int(part * len(blob))], "truncated|cut short|header")


def test_bombs_are_refused_from_the_header():
    data = zlib.compress(bytes(1 << 20))
    refused(png(20_000, 20_000, (b"IDAT", data)), "megapixels")
    refused(png(10_001, 10_000, (b"IDAT", data)), "10001 x 10000 pixels, more than 100 megapixels")
    refused(png(2**31 - 1, 2**31 - 1, (b"IDAT", data)), "megapixels|damaged|header")
    with pytest.raises(BadMedia, match="megapixels"):
        original_size(png(50_000, 50_000))
    text = zlib.compress(bytes(80 << 20), 9)
    refused(
        png(4, 4, (b"zTXt", b"k\0\0" + text), (b"IDAT", zlib.compress(bytes(4 * 13)))), "damaged"
    )
    assert decode_pixels(png(4, 4, (b"IDAT", zlib.compress(bytes(4 * 13))))).shape == (
        4,
        4,
        3,
    )  # the same without the bomb


BROKEN = [
    *[
        ("JPEG", o)
        for o in ({}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1})
    ],
    *[("WEBP", {}), ("WEBP", {"lossless": True}), ("AVIF", {}), ("PNG", {})],
]


@pytest.mark.parametrize(("kind", "options"), BROKEN)
def test_half_a_file_is_refused_or_named_as_broken(kind, options):
    """Copies that broke off: cut, cut with the end mark put back, the rest zeros, a hole of zeros."""
    scene = np.clip(
        photo(320, 240).astype(int) + rng.integers(-10, 10, (240, 320, 3)), 0, 255
    ).astype("u1")
    blob = saved(scene, kind, **options)
    assert not images.MEDIA_TYPE.decode(blob, 64).traits.damage
    for part in (0.3, 0.6, 0.85):
        at = int(part * len(blob))
        rest = len(blob) - at - 2
        for broken in (
            blob[:at],
            blob[:at] + blob[-2:],
            blob[:at] + bytes(rest) + blob[-2:],
            blob[:at] + bytes(rest + 2),
        ):
            with suppress(BadMedia):  # refused is well, too
                traits = images.MEDIA_TYPE.decode(broken, 64).traits
                assert traits.damage and traits.missing > 0.02, (part, len(broken))


def test_flat_pictures_are_not_broken_whatever_zeros_they_hold():
    assert not images.MEDIA_TYPE.decode(
        saved(np.full((900, 1200, 3), 255, "u1"), "WEBP"), 64
    ).traits.damage
    for value in (128, 255):
        flat = np.full((300, 400, 3), value, "u1")
        half = flat.copy()
        half[:40] = rng.integers(0, 256, (40, 400, 3))
        for scene in (flat, half):
            for kind, options in BROKEN:
                assert not images.MEDIA_TYPE.decode(
                    saved(scene, kind, **options), 64
                ).traits.damage, (
                    value,
                    kind,
                    options,
                )
    padded = saved(photo(), "JPEG") + bytes(4096)
    assert not images.MEDIA_TYPE.decode(padded, 64).traits.damage, (
        "what follows the end is none of it"
    )


def test_many_bombs_at_once_take_no_more_room_than_one(monkeypatch):
    """A thread waits while others hold the room; a picture that is larger than all of it goes alone."""
    monkeypatch.setattr(decoding, "BUDGET", 750_000)
    blobs, most, take = (
        [saved(photo(300, 250, seed=i)) for i in range(12)],
        [],
        decoding.reserve_memory,
    )

    @contextmanager
    def watched(size):
        with take(size):
            most.append(decoding._held[0])
            yield

    monkeypatch.setattr(decoding, "reserve_memory", watched)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda blob: images.MEDIA_TYPE.decode(blob, 64), blobs))
    assert (
        all(f.size == (300, 250) for f in found) and max(most) <= 750_000 and decoding._held[0] == 0
    )
    assert (
        images.MEDIA_TYPE.decode(saved(photo(600, 450)), 64).size == (600, 450)
        and decoding._held[0] == 0
    )
    with pytest.raises(BadMedia):
        decode_pixels(blobs[0][:3000], 64)
    assert decoding._held[0] == 0, "a failure frees its room"


def test_no_other_exception_and_no_word_on_stderr(capfd):
    exif = Image.Exif()
    exif[0x0112] = 6
    scene = photo(24, 16)
    blobs = [saved(scene, kind, exif=exif) for kind in ("PNG", "JPEG", "WEBP", "TIFF")]
    blobs += [saved(scene, kind) for kind in ("BMP", "GIF", "PPM")] + [
        saved(scene, "GIF", transparency=0)
    ]
    blobs += [
        saved(scene, "TIFF", compression=c)
        for c in ("tiff_lzw", "jpeg", "tiff_deflate", "packbits")
    ]
    blobs += [
        saved(scene, "JPEG", "CMYK"),
        saved(scene, "JPEG", progressive=True),
        saved(scene, "PNG", "P"),
    ]
    blobs += [saved(GREY.astype("u2")), saved(scene, "PNG", "RGBA")]
    draw, good, bad = np.random.default_rng(7), 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for blob in blobs:
            for trial in range(60):
                spoilt = bytearray(blob)
                for _ in range(draw.integers(1, 6)):
                    where = draw.integers(
                        0, min(len(blob), 120) if trial % 2 else len(blob)
                    )  # headers are where the danger is
                    spoilt[where] = draw.integers(0, 256)
                spoilt = bytes(
                    spoilt[: draw.integers(1, len(blob) + 1)] if trial % 3 == 0 else spoilt
                )
                try:
                    assert decode_pixels(spoilt, 8).shape[2] == 3
                    good += 1
                except BadMedia as e:
                    assert str(e)
                    bad += 1
    assert good > 100 and bad > 100
    said = capfd.readouterr()
    assert said.err == "" and said.out == ""


def half_zeros(blob):
    at = len(blob) // 2
    return blob[:at] + bytes(len(blob) - at - 2) + blob[-2:]


@pytest.mark.slow
def test_a_bench_names_what_is_broken_and_goes_on_as_it_began(tmp_path):
    """Twelve bits in 16, and two JPEGs of which half is gone; then four brighter pictures come, and then a copy of the bench takes them in."""
    for label, low in (("dim", 0), ("lit", 2000)):
        blobs = {
            f"{i}.png": saved(rng.integers(low, low + 2000, (48, 48)).astype("u2"))
            for i in range(12)
        }
        write(
            tmp_path / "in" / label,
            blobs
            | {
                "half.jpg": half_zeros(
                    saved(photo(480, 360), "JPEG", quality=92) + bytes([0xFF, 0xD9])
                )
            },
        )
    (tmp_path / "in" / "lit" / "x.svg").write_text("<svg/>")
    bench = assay.create(tmp_path / "bench")
    out = ingest(bench, tmp_path / "in", "ann")
    assert out["samples"] == 26
    assert [(unread["ending"], unread["count"]) for unread in out["unread"]] == [(".svg", 1)]
    assert (
        "24, read as 12 bits" in out["notes"][0]
        and "2 have zeros in place of data" in out["notes"][1]
    )
    said = []
    scan(bench, ScanOptions(embedder="pixels"), say=said.append)
    found = bench.issues("truncated")
    assert (
        sorted(found.source_id) == ["dim/half.jpg", "lit/half.jpg"]
        and found.score.between(0.3, 0.7).all()
    )
    assert "zeros" in found.why.iloc[0] and not any("older Assay" in line for line in said)

    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "bench", copy)
    write(
        tmp_path / "in" / "lit",
        {f"new{i}.png": saved(rng.integers(0, 65_000, (48, 48)).astype("u2")) for i in range(4)},
    )
    out = ingest(bench, tmp_path / "in", "ann")
    assert (
        out["added"] == 4
        and "read as 12 bits, the range 0 to 4,095 of their values; beyond it, and cut there, reach 4"
        in str(out["notes"])
    )
    merged = assay.open(copy)
    merged.merge(bench.path, "bob")
    assert (
        stored_traits.earlier_conversion(merged, "in", merged.state().content_hash)
        == conversion.Conversion(0, 4095, None)
        and stored_traits.count_legacy_images(merged, merged.state()) == 0
    )

    with bench.transaction() as con:  # as an Assay before this one left it
        con.execute("delete from meta where key like 'decoder %'")
    shutil.rmtree(bench.arrays / "decoded")
    write(tmp_path / "in" / "dim", {"last.png": saved(np.full((48, 48), 0x4021, "u2"))})
    out = ingest(bench, tmp_path / "in", "ann")
    assert "as an older Assay began it" in str(out["notes"])
    (last,) = bench.state().query("key == 'dim/last.png'").content_hash
    assert (load_pixels(Shards(bench.arrays / "pixels"), [last]) == 0x40).all(), (
        "its high byte, as of all others of its source"
    )
    assert stored_traits.count_legacy_images(bench, bench.state()) == 31
