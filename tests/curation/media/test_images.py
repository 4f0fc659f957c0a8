"""Stories about images: every kind of file against numpy's own pixels, hostile files, the way from a source into shards."""

import io
import os
import shutil
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import assay
from assay import UserError
from assay.curation.media import conversion, decoding, files, images, import_notes, stored_traits
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.images import decode_pixels
from assay.curation.media.originals import iter_bytes, read_bytes
from assay.curation.media.pixels import Pixels, load_pixels, make_thumbnail
from assay.curation.media.source_decoding import decode_source
from assay.curation.storage.arrays import locate_hashes
from assay.curation.storage.shards import Shards
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import DATA

rng = np.random.default_rng(0)
COLOUR = rng.integers(0, 256, (6, 9, 3)).astype("u1")  # 9 wide, 6 high, no symmetry
GREY = COLOUR[..., 0]


def saved(array, kind="PNG", mode=None, **options):
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, kind, **options)
    return out.getvalue()


def photo(width=40, height=30, seed=0):
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype("u1")
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def original_size(blob):
    found = images.MEDIA_TYPE.decode(blob, 64, stored=True)
    assert found.array is None
    return found.size


def refused(blob, word):
    with pytest.raises(BadMedia, match=word):
        decode_pixels(blob, 64)


# --- every kind of file


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_lossless_files_give_their_own_pixels(kind):
    blob = saved(COLOUR, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert (decode_pixels(blob) == COLOUR).all() and decode_pixels(blob).dtype == np.uint8
    assert original_size(blob) == (9, 6)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_grey_files(kind):
    assert (decode_pixels(saved(GREY, kind)) == GREY[..., None]).all()


def test_lossy_files_are_close():
    scene = photo(160, 120)
    for kind, mode in [
        ("JPEG", None),
        ("WEBP", None),
        ("JPEG", "CMYK"),
        ("AVIF", None),
        ("HEIF", None),
    ]:
        blob = saved(scene, kind, mode, quality=95)
        assert np.abs(decode_pixels(blob).astype(int) - scene).mean() < 6


def test_sixteen_bits_give_the_high_byte():
    deep = (GREY.astype("u2") << 8) + 200
    for kind in ("PNG", "TIFF", "PPM"):
        assert (decode_pixels(saved(deep, kind)) == GREY[..., None]).all(), kind
    assert decode_pixels(saved(np.repeat(np.repeat(deep, 9, 0), 9, 1)), 8).shape == (8, 8, 3)


def import_of(folder, blobs, **options):
    """The pictures of a new source, in order, and what its import says of them."""
    source, shards = write(folder / "in", blobs), Shards(folder / "arrays" / "pixels")
    hashes, _, bad = decode_source(source, shards, 128, **options)
    assert bad == []
    looks = stored_traits.find_traits(
        stored_traits.load_traits(folder / "arrays"), dict.fromkeys(hashes)
    )
    return Pixels(Shards(shards.folder), hashes, 64), " ".join(
        import_notes.describe_traits([looks[h] for h in hashes if h in looks])
    )


def deep_png(values, alpha=None):
    """A PNG of 16 bits with as many channels as `values` has; Pillow writes grey ones alone."""
    planes = values[..., None] if values.ndim == 2 else values
    planes = planes if alpha is None else np.dstack([planes, alpha])
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[planes.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in planes)
    return png(*values.shape[1::-1], (b"IDAT", zlib.compress(rows)), bits=16, kind=kind)


def deep_file(kind, scene):
    """A scene of 8 bits as the 12 that a camera or scanner has in 16, or in other units."""
    deep, opaque = scene.astype("u2") * 16 + 7, np.full((64, 64), 65535, "u2")
    if kind == "colour PNG":
        return deep_png(deep)
    if kind.endswith("alpha"):
        return deep_png(deep if "colour" in kind else deep[..., 0], opaque)
    if kind == "big-endian TIFF":
        return saved(
            Image.frombytes("I;16B", (64, 64), deep[..., 0].astype(">u2").tobytes()), "TIFF"
        )
    if kind == "floats":
        return saved(scene[..., 0].astype("f4") / 255, "TIFF")
    if kind == "Kelvin":
        return saved(scene[..., 0].astype("u2") + 29_000)
    return saved(deep[..., 0], kind[5:])


DEEP = [
    "grey PNG",
    "grey TIFF",
    "big-endian TIFF",
    "colour PNG",
    "grey and alpha",
    "colour and alpha",
    "floats",
    "Kelvin",
]


@pytest.mark.parametrize("kind", DEEP)
def test_deep_pictures_are_read_by_the_range_that_their_source_uses(tmp_path, kind):
    """Two scenes, one at half the light, beside the same in 8 bits."""
    scenes = [
        bright := np.random.default_rng(3).integers(0, 256, (64, 64, 3)).astype("u1"),
        bright // 2,
    ]
    read, said = import_of(
        tmp_path, {f"{i}.x": deep_file(kind, scene) for i, scene in enumerate(scenes)}
    )
    truth = np.stack(scenes) if "colour" in kind else np.stack(scenes)[..., :1]
    assert abs(read[:].astype(int) - truth).max() <= 1, "the dark one stays at half the light"
    assert (
        "more than 8 bits" in said
        and {"floats": "0 to 1", "Kelvin": "29,000 to 29,25"}.get(kind, "12 bits") in said
    )


def test_colour_of_sixteen_bits_in_a_tiff_keeps_its_low_bytes(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    scene = np.random.default_rng(3).integers(0, 4096, (64, 64, 3)).astype("u2")
    blobs = {}
    for order in "<>":
        for compression in (None, "deflate"):
            tifffile.imwrite(
                out := io.BytesIO(),
                scene,
                byteorder=order,
                compression=compression,
                photometric="rgb",
            )
            blobs[f"{order}{compression}".replace("<", "l").replace(">", "b")] = out.getvalue()
    read, said = import_of(tmp_path, blobs)
    assert (read[:] == (scene >> 4)).all() and "12 bits" in said


def test_an_addition_is_read_as_its_source_was(tmp_path):
    twelve = saved(np.full((8, 8), 2048, "u2") + np.arange(8, dtype="u2") * 250)
    brighter = saved(np.full((8, 8), 60_000, "u2"))
    first, _ = import_of(tmp_path, {"a.png": twelve})
    kept = stored_traits.find_traits(
        stored_traits.load_traits(tmp_path / "arrays"), [content_hash(twelve)]
    )[content_hash(twelve)].conversion()
    both, said = import_of(tmp_path, {"a.png": twelve, "b.png": brighter}, conversion=kept)
    assert (
        (both[0] == first[0]).all()
        and (both[1] == 255).all()
        and "beyond it, and cut there, reach 1" in said
    )
    apart, _ = import_of(tmp_path / "other", {"a.png": twelve, "b.png": brighter})
    assert apart[1].mean() > 230 and apart[0].mean() < 20, (
        "in a source of both, each is what it is to the other"
    )
    shown = np.asarray(
        Image.open(
            io.BytesIO(
                make_thumbnail(
                    f"{tmp_path}/in/a.png", 64, stored_traits.load_traits(tmp_path / "arrays")
                )
            )
        )
    )
    assert (
        abs(shown.astype(int) - np.asarray(Image.fromarray(first[0]).resize((8, 8)))).max() < 30
    ), "a picture looks as what is trained on"


def icon(colour, side=64):
    disc = np.hypot(*np.mgrid[-side // 2 : side // 2, -side // 2 : side // 2]) < side / 4
    return np.dstack(
        [np.broadcast_to(np.array(colour, "u1"), (side, side, 3)), 255 * disc.astype("u1")]
    )


@pytest.mark.parametrize(
    ("colours", "ground"),
    [([255], "black"), ([0], "white"), ([255, 0], "grey"), ([128, 255], "black"), ([200], "white")],
)
def test_what_is_drawn_on_transparency_stays_visible(tmp_path, colours, ground):
    blobs = {f"{c}.png": saved(icon([c] * 3)) for c in colours} | {
        f"{c}.webp": saved(icon([c] * 3), "WEBP", lossless=True) for c in colours
    }
    read, said = import_of(tmp_path, blobs)
    assert f"on a {ground} ground" in said
    assert (
        all(np.ptp(picture) >= 48 for picture in read[:])
        and len({tuple(p[0, 0]) for p in read[:]}) == 1
    ), "one ground for all of them"
    for name in blobs:
        shown = Image.open(
            io.BytesIO(
                make_thumbnail(
                    f"{tmp_path}/in/{name}", 48, stored_traits.load_traits(tmp_path / "arrays")
                )
            )
        )
        assert abs(np.asarray(shown)[0, 0].astype(int) - conversion.BACKGROUNDS[ground]).max() < 6


def test_an_opaque_picture_with_an_alpha_channel_is_an_ordinary_one(tmp_path):
    read, said = import_of(
        tmp_path, {"a.png": saved(np.dstack([photo(64, 64), np.full((64, 64), 255, "u1")]))}
    )
    assert said == "" and (read[0] == photo(64, 64)).all()


def test_palette_and_transparency_on_white():
    flat = Image.new("P", (2, 1))
    flat.putpalette([10, 20, 30, 200, 100, 50])
    flat.putpixel((1, 0), 1)
    assert decode_pixels(saved(flat)).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert decode_pixels(saved(flat, transparency=0)).tolist() == [
        [[255, 255, 255], [200, 100, 50]]
    ]
    half = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [200, 0, 100, 128]]], "u1")
    alpha = half[..., 3:] / 255
    expected = half[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decode_pixels(saved(half)) - expected).max() <= 1
    assert decode_pixels(saved(np.array([[[7, 0], [7, 255]]], "u1"))).tolist() == [
        [[255] * 3, [7] * 3]
    ]  # grey with alpha
    assert (
        decode_pixels(saved(GREY > 128)).tolist()
        == ((GREY > 128)[..., None] * np.full(3, 255)).tolist()
    )  # one bit


def test_the_first_frame_of_an_animation():
    frames = [Image.fromarray(np.full((4, 5, 3), v, "u1")) for v in (0, 255)]
    for kind in ("GIF", "WEBP", "TIFF", "PNG", "MPO", "AVIF", "HEIF"):
        found = images.MEDIA_TYPE.decode(
            saved(frames[0], kind, save_all=True, append_images=frames[1:]), 64
        )
        assert found.array.max() < 20 and found.traits.pages == 1, (
            f"{kind}: what was not read is counted"
        )


TURNED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF", "HEIF"])
def test_exif_rotation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossy = kind in ("JPEG", "AVIF", "HEIF")
    scene = photo() if lossy else COLOUR
    exif = exif.tobytes() if kind == "HEIF" else exif  # there the encoder turns the picture
    blob = saved(
        scene,
        kind,
        exif=exif,
        **({"lossless": True} if kind == "WEBP" else {"quality": 95} if lossy else {}),
    )
    upright = TURNED[orientation](scene)
    assert np.abs(decode_pixels(blob).astype(int) - upright).mean() < (6 if lossy else 1e-9)
    assert original_size(blob) == upright.shape[1::-1]
    assert decode_pixels(blob, 4).shape == (4, 4, 3) and decode_pixels(blob, 8).shape == (
        min(8, upright.shape[0]),
        min(8, upright.shape[1]),
        3,
    )


def test_damaged_metadata_do_not_spoil_a_picture():
    blob = saved(photo(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff\xff\xff")
    assert decode_pixels(blob).shape == (30, 40, 3)


def test_each_axis_is_reduced_and_none_enlarged():
    for width, height in [(900, 700), (100, 20), (20, 100), (1, 1), (64, 64)]:
        for kind in ("PNG", "JPEG"):
            blob = saved(photo(width, height), kind)
            assert decode_pixels(blob, 64).shape == (min(height, 64), min(width, 64), 3)
            assert original_size(blob) == (width, height)
    bright = photo(1200, 900)
    small = np.asarray(Image.fromarray(bright).resize((64, 64), Image.Resampling.LANCZOS)).astype(
        int
    )
    assert np.abs(decode_pixels(saved(bright, "JPEG", quality=95), 64) - small).mean() < 3


# --- hostile files


def png(width, height, *chunks, bits=8, kind=2):
    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*c) for c in chunks) + chunk(b"IEND", b"")


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


# --- where the bytes are


def test_bytes_of_files_and_of_parquet_rows(tmp_path):
    blobs = [saved(photo(seed=i)) for i in range(700)]
    pq.write_table(
        pa.table({"image": blobs, "thumb": blobs[::-1]}), tmp_path / "a.parquet", row_group_size=300
    )
    hugging = [{"bytes": b, "path": "x"} for b in blobs[:2]] + [{"bytes": None, "path": "x"}, None]
    pq.write_table(pa.table({"img": hugging}), tmp_path / "b.parquet")
    (tmp_path / "c.png").write_bytes(blobs[5])
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    uris = [
        f"{a}::699",
        f"{tmp_path}/c.png",
        f"{a}::0",
        f"{b}::1",
        f"{a}::0",
        f"{a}::3::thumb",
        f"{a}::301",
    ]
    assert dict(iter_bytes(uris)) == dict(enumerate(blobs[i] for i in (699, 5, 0, 1, 0, 696, 301)))
    assert [read_bytes(uri) for uri in uris[:3]] == [blobs[699], blobs[5], blobs[0]]
    missing = [
        f"{b}::2",
        f"{b}::3",
        f"{a}::700",
        f"{a}::0::label",
        f"{tmp_path}/no.parquet::0",
        f"{tmp_path}/no.png",
        "/",
    ]
    assert all(isinstance(blob, BadMedia) and str(blob) for _, blob in iter_bytes(missing))
    with pytest.raises(BadMedia, match="no such file"):
        read_bytes(f"{tmp_path}/none.png")
    (tmp_path / "cut.parquet").write_bytes(a.read_bytes()[:2000])
    assert "cannot be read" in str(dict(iter_bytes([f"{tmp_path}/cut.parquet::0"]))[0])


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(tmp_path / "wait.png")
    assert "no such file" in str(dict(iter_bytes([f"{tmp_path}/wait.png"]))[0])  # and did not wait


def test_the_column_of_bytes():
    b, t = pa.binary(), pa.string()
    assert files.image_column(pa.schema({"pic": b, "path": t})) == "pic"
    assert (
        files.image_column(pa.schema({"mask": b, "Image": pa.struct({"bytes": b, "path": t})}))
        == "Image"
    )
    assert (
        files.image_column(pa.schema({"mask": b, "photo": b})) is None
        and files.image_column(pa.schema({"path": t})) is None
    )


# --- from a source into shards


def write(folder, blobs):
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, blob in blobs.items():
        (folder / name).write_bytes(blob)
        rows.append({"key": name, "uri": str(folder / name)})
    return pd.DataFrame(rows)


def test_a_source_is_decoded_once(tmp_path):
    big, small = photo(100, 50), photo(10, 20)
    blobs = {
        "big.png": saved(big),
        "small.png": saved(small),
        "copy.png": saved(big),
        "cut.png": saved(big)[:200],
        "no.png": b"",
    }
    source = write(tmp_path / "in", blobs | {"gone.png": b"x"})
    (tmp_path / "in" / "gone.png").unlink()
    told = []
    hashes, sizes, bad = decode_source(
        source, Shards(tmp_path / "px"), 32, lambda done, total: told.append((done, total))
    )
    assert hashes == [
        content_hash(saved(big)),
        content_hash(saved(small)),
        content_hash(saved(big)),
        None,
        None,
        None,
    ]
    assert sizes == [(100, 50), (10, 20), (100, 50), None, None, None] and told[-1] == (6, 6)
    assert [key for key, _ in bad] == ["cut.png", "no.png", "gone.png"] and "empty" in dict(bad)[
        "no.png"
    ]
    shards = Shards(tmp_path / "px")
    assert sum(map(len, shards.arrays)) == 3 * (32 * 32 + 10 * 20)  # the copy is stored once
    assert (load_pixels(shards, hashes[1:2])[0] == small).all()
    assert (load_pixels(shards, hashes[:1])[0] == decode_pixels(saved(big), 32)).all()
    assert decode_source(source, shards, 32) == (
        hashes,
        sizes,
        bad,
    )  # again: sizes from the headers, nothing stored
    assert len(Shards(tmp_path / "px").arrays) == len(shards.arrays)


@pytest.mark.slow
def test_one_new_image_costs_one_image(tmp_path):
    blobs = {f"{i}.png": saved(photo(seed=i)) for i in range(5)}
    decode_source(write(tmp_path / "in", blobs), Shards(tmp_path / "px"), 16)
    source = write(tmp_path / "in", blobs | {"new.png": saved(photo(seed=9))})
    hashes, _, _ = decode_source(source, Shards(tmp_path / "px"), 16)
    shards = Shards(tmp_path / "px")
    assert (
        sorted(map(len, shards.arrays)) == [16 * 16 * 3, 5 * 16 * 16 * 3]
        and (shards.find(hashes) >= 0).all()
    )


def test_a_killed_import_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 40_000)  # 16 images of 30 x 40
    source = write(tmp_path / "in", {f"{i}.png": saved(photo(seed=i)) for i in range(60)})

    def killed(done, total):
        if done > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_source(source, Shards(tmp_path / "px"), 64, killed)
    kept = Shards(tmp_path / "px")
    assert 10 < len(kept.index) < 60
    hashes, _, bad = decode_source(source, kept, 64)
    whole = Shards(tmp_path / "px")
    assert bad == [] and len(whole.index) == 60 == len(set(whole.index["hash"]))
    assert all((load_pixels(whole, [h])[0] == photo(seed=i)).all() for i, h in enumerate(hashes))


def test_pixels_of_many_shapes(tmp_path):
    scenes = [photo(w, h, seed=w) for w, h in [(8, 8), (8, 8), (5, 8), (20, 3), (8, 8)]]
    hashes = []
    for part in (scenes[:3], scenes[3:]):
        source = write(
            tmp_path / f"in{len(hashes)}",
            {f"{i}.png": saved(np.ascontiguousarray(s)) for i, s in enumerate(part)},
        )
        hashes += decode_source(source, Shards(tmp_path / "px"), 32)[0]
    shards = Shards(tmp_path / "px")
    some = load_pixels(shards, hashes, 8)
    assert some.shape == (5, 8, 8, 3) and some.dtype == np.uint8
    for got, scene in zip(some, scenes, strict=True):
        assert (
            got == np.asarray(Image.fromarray(scene).resize((8, 8), Image.Resampling.BILINEAR))
        ).all()
    lazy = Pixels(shards, hashes, 8)
    order = np.array([4, 0, 3, 3, 2])
    assert lazy.shape == (5, 8, 8, 3) and len(lazy) == 5 and (np.asarray(lazy) == some).all()
    assert (
        (lazy[order] == some[order]).all()
        and (lazy[2] == some[2]).all()
        and (lazy[order > 2] == some[order > 2]).all()
    )
    assert (lazy.take(order)[1:3] == some[order[1:3]]).all() and lazy.take(order > 2).shape == (
        3,
        8,
        8,
        3,
    )
    assert lazy[[]].shape == (0, 8, 8, 3) and load_pixels(shards, [], 8).shape == (0, 8, 8, 3)
    assert (load_pixels(shards, [hashes[0], hashes[4]]) == np.stack([scenes[0], scenes[4]])).all()
    with pytest.raises(AssertionError, match="3 shapes"):
        load_pixels(shards, hashes)
    with pytest.raises(UserError, match="1 of 2"):
        load_pixels(shards, [hashes[0], "0" * 32])


def test_thumbnails_are_bounded_upright_and_bare(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "secret camera"
    (tmp_path / "a.jpg").write_bytes(saved(photo(800, 400), "JPEG", exif=exif))
    shown = Image.open(io.BytesIO(make_thumbnail(f"{tmp_path}/a.jpg")))
    assert (
        shown.format == "JPEG"
        and shown.size == (80, 160)
        and b"secret" not in make_thumbnail(f"{tmp_path}/a.jpg")
    )
    (tmp_path / "b.png").write_bytes(saved(photo(5000, 2)))
    assert Image.open(io.BytesIO(make_thumbnail(f"{tmp_path}/b.png"))).size == (160, 1)
    (tmp_path / "c.png").write_bytes(saved(photo(20, 10)))
    assert Image.open(io.BytesIO(make_thumbnail(f"{tmp_path}/c.png"))).size == (
        20,
        10,
    )  # never enlarged
    with pytest.raises(BadMedia):
        make_thumbnail(f"{tmp_path}/none.png")


# --- into a bench


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


# --- real data


@pytest.mark.parametrize(
    ("name", "size"), [("cifar10n", 32), ("coco_crops64", 64), ("roman_numerals", None)]
)
def test_real_images(tmp_path, name, size):
    name += ".parquet"
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}: set ASSAY_DATA")
    rows = np.random.default_rng(0).permutation(pq.ParquetFile(DATA / name).metadata.num_rows)[:300]
    source = pd.DataFrame(
        {"key": [str(r) for r in rows], "uri": [f"{DATA / name}::{r}" for r in rows]}
    )
    hashes, sizes, bad = decode_source(source, Shards(tmp_path), 64)
    assert bad == []
    column = pq.read_table(DATA / name, columns=["image"])["image"].take(rows).to_pylist()
    for row, blob in enumerate(column):
        truth = Image.open(io.BytesIO(blob))
        assert hashes[row] == content_hash(blob) and sizes[row] == truth.size
    if size:
        stacked = np.stack(
            [np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")) for blob in column]
        )
        assert (load_pixels(Shards(tmp_path), hashes) == stacked).all() and stacked.shape[1:] == (
            size,
            size,
            3,
        )
    else:
        assert load_pixels(Shards(tmp_path), hashes, 64).shape == (300, 64, 64, 3)


def test_hashes_are_found_as_a_dictionary_finds_them():
    """Few beginnings for many hashes, so that those which are the same in their first eight digits are told apart."""
    rng = np.random.default_rng(0)
    every = [f"{rng.integers(0, 300):08x}{rng.integers(0, 4):024x}" for _ in range(4000)]
    known = sorted(set(every[:2000]))
    at = {h: i for i, h in enumerate(known)}
    for asked in (every, every[:50], known, [], ["0" * 32, "f" * 32]):
        assert locate_hashes(np.array(known, "S32"), asked).tolist() == [
            at.get(h, -1) for h in asked
        ]
    assert locate_hashes(np.empty(0, "S32"), every[:2]).tolist() == [-1, -1]
