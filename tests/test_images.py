"""Stories about images: every kind of file against numpy's own pixels, hostile files, the way from a source into shards."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation import UserError, images
from curation.arrays import Shards, find
from curation.images import BadImage, Pixels, content_hash, decode, decode_source, iter_bytes, pixels, read_bytes, thumbnail

DATA = Path(os.environ.get("ASSAY_DATA", Path(__file__).parents[2] / "shared" / "data"))
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
    size, decoded = images.measure(blob, 64, stored=True)
    assert decoded is None
    return size


def refused(blob, word):
    with pytest.raises(BadImage, match=word):
        decode(blob, 64)


# --- every kind of file


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_lossless_files_give_their_own_pixels(kind):
    blob = saved(COLOUR, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert (decode(blob) == COLOUR).all() and decode(blob).dtype == np.uint8
    assert original_size(blob) == (9, 6)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_grey_files(kind):
    assert (decode(saved(GREY, kind)) == GREY[..., None]).all()


def test_lossy_files_are_close():
    scene = photo(160, 120)
    for kind, mode in [("JPEG", None), ("WEBP", None), ("JPEG", "CMYK")]:
        blob = saved(scene, kind, mode, quality=95)
        assert np.abs(decode(blob).astype(int) - scene).mean() < 6


def test_sixteen_bits_give_the_high_byte():
    deep = (GREY.astype("u2") << 8) + 200
    for kind in ("PNG", "TIFF", "PPM"):
        assert (decode(saved(deep, kind)) == GREY[..., None]).all(), kind
    dark = np.full((6, 9), 300, "u2")
    assert (decode(saved(dark)) == 1).all()  # dark stays dark: no stretching
    assert decode(saved(np.repeat(np.repeat(deep, 9, 0), 9, 1)), 8).shape == (8, 8, 3)


def test_palette_and_transparency_on_white():
    flat = Image.new("P", (2, 1))
    flat.putpalette([10, 20, 30, 200, 100, 50])
    flat.putpixel((1, 0), 1)
    assert decode(saved(flat)).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert decode(saved(flat, transparency=0)).tolist() == [[[255, 255, 255], [200, 100, 50]]]
    half = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [200, 0, 100, 128]]], "u1")
    alpha = half[..., 3:] / 255
    expected = half[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decode(saved(half)) - expected).max() <= 1
    assert decode(saved(np.array([[[7, 0], [7, 255]]], "u1"))).tolist() == [[[255] * 3, [7] * 3]]  # grey with alpha
    assert decode(saved(GREY > 128)).tolist() == ((GREY > 128)[..., None] * np.full(3, 255)).tolist()  # one bit


def test_the_first_frame_of_an_animation():
    frames = [Image.fromarray(np.full((4, 5, 3), v, "u1")) for v in (0, 255)]
    for kind in ("GIF", "WEBP", "TIFF", "PNG", "MPO"):
        assert decode(saved(frames[0], kind, save_all=True, append_images=frames[1:])).max() < 10, kind


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
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_rotation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene = COLOUR if kind != "JPEG" else photo()
    blob = saved(scene, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}))
    upright = TURNED[orientation](scene)
    assert np.abs(decode(blob).astype(int) - upright).mean() < (6 if kind == "JPEG" else 1e-9)
    assert original_size(blob) == upright.shape[1::-1]
    assert decode(blob, 4).shape == (4, 4, 3) and decode(blob, 8).shape == (min(8, upright.shape[0]), min(8, upright.shape[1]), 3)


def test_damaged_metadata_do_not_spoil_a_picture():
    blob = saved(photo(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff\xff\xff")
    assert decode(blob).shape == (30, 40, 3)


def test_each_axis_is_reduced_and_none_enlarged():
    for width, height in [(900, 700), (100, 20), (20, 100), (1, 1), (64, 64)]:
        for kind in ("PNG", "JPEG"):
            blob = saved(photo(width, height), kind)
            assert decode(blob, 64).shape == (min(height, 64), min(width, 64), 3)
            assert original_size(blob) == (width, height)
    bright = photo(1200, 900)
    small = np.asarray(Image.fromarray(bright).resize((64, 64), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(decode(saved(bright, "JPEG", quality=95), 64) - small).mean() < 3


# --- hostile files


def png(width, height, *chunks):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*c) for c in chunks) + chunk(b"IEND", b"")


def test_files_that_are_no_image():
    refused(b"", "empty")
    refused(b"<html>404</html>", "not an image")
    refused(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image")  # never handed to ghostscript
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
    assert "megapixels" in str(original_size(png(50_000, 50_000)))
    text = zlib.compress(bytes(80 << 20), 9)
    refused(png(4, 4, (b"zTXt", b"k\0\0" + text), (b"IDAT", zlib.compress(bytes(4 * 13)))), "damaged")
    assert decode(png(4, 4, (b"IDAT", zlib.compress(bytes(4 * 13))))).shape == (4, 4, 3)  # the same without the bomb


def test_pixels_of_unknown_range():
    refused(saved(np.zeros((3, 3), "f4"), "TIFF"), "32-bit")
    refused(saved(np.zeros((3, 3), "i4"), "TIFF"), "32-bit")


def test_no_other_exception_and_no_word_on_stderr(capfd):
    exif = Image.Exif()
    exif[0x0112] = 6
    scene = photo(24, 16)
    blobs = [saved(scene, kind, exif=exif) for kind in ("PNG", "JPEG", "WEBP", "TIFF")]
    blobs += [saved(scene, kind) for kind in ("BMP", "GIF", "PPM")] + [saved(scene, "GIF", transparency=0)]
    blobs += [saved(scene, "TIFF", compression=c) for c in ("tiff_lzw", "jpeg", "tiff_deflate", "packbits")]
    blobs += [saved(scene, "JPEG", "CMYK"), saved(scene, "JPEG", progressive=True), saved(scene, "PNG", "P")]
    blobs += [saved(GREY.astype("u2")), saved(scene, "PNG", "RGBA")]
    draw, good, bad = np.random.default_rng(7), 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for blob in blobs:
            for trial in range(60):
                spoilt = bytearray(blob)
                for _ in range(draw.integers(1, 6)):
                    where = draw.integers(0, min(len(blob), 120) if trial % 2 else len(blob))  # headers are where the danger is
                    spoilt[where] = draw.integers(0, 256)
                spoilt = bytes(spoilt[: draw.integers(1, len(blob) + 1)] if trial % 3 == 0 else spoilt)
                try:
                    assert decode(spoilt, 8).shape[2] == 3
                    good += 1
                except BadImage as e:
                    assert str(e)
                    bad += 1
    assert good > 100 and bad > 100
    said = capfd.readouterr()
    assert said.err == "" and said.out == ""


# --- where the bytes are


def test_bytes_of_files_and_of_parquet_rows(tmp_path):
    blobs = [saved(photo(seed=i)) for i in range(700)]
    pq.write_table(pa.table({"image": blobs, "thumb": blobs[::-1]}), tmp_path / "a.parquet", row_group_size=300)
    hugging = [{"bytes": b, "path": "x"} for b in blobs[:2]] + [{"bytes": None, "path": "x"}, None]
    pq.write_table(pa.table({"img": hugging}), tmp_path / "b.parquet")
    (tmp_path / "c.png").write_bytes(blobs[5])
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    uris = [f"{a}::699", f"{tmp_path}/c.png", f"{a}::0", f"{b}::1", f"{a}::0", f"{a}::3::thumb", f"{a}::301"]
    assert dict(iter_bytes(uris)) == dict(enumerate(blobs[i] for i in (699, 5, 0, 1, 0, 696, 301)))
    assert [read_bytes(uri) for uri in uris[:3]] == [blobs[699], blobs[5], blobs[0]]
    missing = [f"{b}::2", f"{b}::3", f"{a}::700", f"{a}::0::label", f"{tmp_path}/no.parquet::0", f"{tmp_path}/no.png", "/"]
    assert all(isinstance(blob, BadImage) and str(blob) for _, blob in iter_bytes(missing))
    with pytest.raises(BadImage, match="no such file"):
        read_bytes(f"{tmp_path}/none.png")
    (tmp_path / "cut.parquet").write_bytes(a.read_bytes()[:2000])
    assert "cannot be read" in str(dict(iter_bytes([f"{tmp_path}/cut.parquet::0"]))[0])


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(tmp_path / "wait.png")
    assert "no such file" in str(dict(iter_bytes([f"{tmp_path}/wait.png"]))[0])  # and did not wait


def test_the_column_of_bytes():
    b, t = pa.binary(), pa.string()
    assert images.image_column(pa.schema({"pic": b, "path": t})) == "pic"
    assert images.image_column(pa.schema({"mask": b, "Image": pa.struct({"bytes": b, "path": t})})) == "Image"
    assert images.image_column(pa.schema({"mask": b, "photo": b})) is None and images.image_column(pa.schema({"path": t})) is None


# --- from a source into shards


def write(folder, blobs):
    folder.mkdir(exist_ok=True)
    rows = []
    for name, blob in blobs.items():
        (folder / name).write_bytes(blob)
        rows.append({"key": name, "uri": str(folder / name)})
    return pd.DataFrame(rows)


def test_a_source_is_decoded_once(tmp_path):
    big, small = photo(100, 50), photo(10, 20)
    blobs = {"big.png": saved(big), "small.png": saved(small), "copy.png": saved(big), "cut.png": saved(big)[:200], "no.png": b""}
    source = write(tmp_path / "in", blobs | {"gone.png": b"x"})
    (tmp_path / "in" / "gone.png").unlink()
    told = []
    hashes, sizes, bad = decode_source(source, Shards(tmp_path / "px"), 32, lambda done, total: told.append((done, total)))
    assert hashes == [content_hash(saved(big)), content_hash(saved(small)), content_hash(saved(big)), None, None, None]
    assert sizes == [(100, 50), (10, 20), (100, 50), None, None, None] and told[-1] == (6, 6)
    assert [key for key, _ in bad] == ["cut.png", "no.png", "gone.png"] and "empty" in dict(bad)["no.png"]
    shards = Shards(tmp_path / "px")
    assert sum(map(len, shards.arrays)) == 3 * (32 * 32 + 10 * 20)  # the copy is stored once
    assert (pixels(shards, hashes[1:2])[0] == small).all()
    assert (pixels(shards, hashes[:1])[0] == decode(saved(big), 32)).all()
    assert decode_source(source, shards, 32) == (hashes, sizes, bad)  # again: sizes from the headers, nothing stored
    assert len(Shards(tmp_path / "px").arrays) == len(shards.arrays)


def test_one_new_image_costs_one_image(tmp_path):
    blobs = {f"{i}.png": saved(photo(seed=i)) for i in range(5)}
    decode_source(write(tmp_path / "in", blobs), Shards(tmp_path / "px"), 16)
    source = write(tmp_path / "in", blobs | {"new.png": saved(photo(seed=9))})
    hashes, _, _ = decode_source(source, Shards(tmp_path / "px"), 16)
    shards = Shards(tmp_path / "px")
    assert sorted(map(len, shards.arrays)) == [16 * 16 * 3, 5 * 16 * 16 * 3] and (shards.find(hashes) >= 0).all()


def test_a_killed_import_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "CHUNK", 40_000)  # 16 images of 30 x 40
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
    assert all((pixels(whole, [h])[0] == photo(seed=i)).all() for i, h in enumerate(hashes))


def test_pixels_of_many_shapes(tmp_path):
    scenes = [photo(w, h, seed=w) for w, h in [(8, 8), (8, 8), (5, 8), (20, 3), (8, 8)]]
    hashes = []
    for part in (scenes[:3], scenes[3:]):
        source = write(tmp_path / f"in{len(hashes)}", {f"{i}.png": saved(np.ascontiguousarray(s)) for i, s in enumerate(part)})
        hashes += decode_source(source, Shards(tmp_path / "px"), 32)[0]
    shards = Shards(tmp_path / "px")
    some = pixels(shards, hashes, 8)
    assert some.shape == (5, 8, 8, 3) and some.dtype == np.uint8
    for got, scene in zip(some, scenes, strict=True):
        assert (got == np.asarray(Image.fromarray(scene).resize((8, 8), Image.Resampling.BILINEAR))).all()
    lazy = Pixels(shards, hashes, 8)
    order = np.array([4, 0, 3, 3, 2])
    assert lazy.shape == (5, 8, 8, 3) and len(lazy) == 5 and (np.asarray(lazy) == some).all()
    assert (lazy[order] == some[order]).all() and (lazy[2] == some[2]).all() and (lazy[order > 2] == some[order > 2]).all()
    assert (lazy.take(order)[1:3] == some[order[1:3]]).all() and lazy.take(order > 2).shape == (3, 8, 8, 3)
    assert lazy[[]].shape == (0, 8, 8, 3) and pixels(shards, [], 8).shape == (0, 8, 8, 3)
    assert (pixels(shards, [hashes[0], hashes[4]]) == np.stack([scenes[0], scenes[4]])).all()
    with pytest.raises(AssertionError, match="3 shapes"):
        pixels(shards, hashes)
    with pytest.raises(UserError, match="1 of 2"):
        pixels(shards, [hashes[0], "0" * 32])


def test_thumbnails_are_bounded_upright_and_bare(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "secret camera"
    (tmp_path / "a.jpg").write_bytes(saved(photo(800, 400), "JPEG", exif=exif))
    shown = Image.open(io.BytesIO(thumbnail(f"{tmp_path}/a.jpg")))
    assert shown.format == "JPEG" and shown.size == (80, 160) and b"secret" not in thumbnail(f"{tmp_path}/a.jpg")
    (tmp_path / "b.png").write_bytes(saved(photo(5000, 2)))
    assert Image.open(io.BytesIO(thumbnail(f"{tmp_path}/b.png"))).size == (160, 1)
    (tmp_path / "c.png").write_bytes(saved(photo(20, 10)))
    assert Image.open(io.BytesIO(thumbnail(f"{tmp_path}/c.png"))).size == (20, 10)  # never enlarged
    with pytest.raises(BadImage):
        thumbnail(f"{tmp_path}/none.png")


# --- real data


@pytest.mark.parametrize(("name", "size"), [("cifar10n", 32), ("coco_crops64", 64), ("roman_numerals", None)])
def test_real_images(tmp_path, name, size):
    name += ".parquet"
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}: set ASSAY_DATA")
    rows = np.random.default_rng(0).permutation(pq.ParquetFile(DATA / name).metadata.num_rows)[:300]
    source = pd.DataFrame({"key": [str(r) for r in rows], "uri": [f"{DATA / name}::{r}" for r in rows]})
    hashes, sizes, bad = decode_source(source, Shards(tmp_path), 64)
    assert bad == []
    column = pq.read_table(DATA / name, columns=["image"])["image"].take(rows).to_pylist()
    for row, blob in enumerate(column):
        truth = Image.open(io.BytesIO(blob))
        assert hashes[row] == content_hash(blob) and sizes[row] == truth.size
    if size:
        stacked = np.stack([np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")) for blob in column])
        assert (pixels(Shards(tmp_path), hashes) == stacked).all() and stacked.shape[1:] == (size, size, 3)
    else:
        assert pixels(Shards(tmp_path), hashes, 64).shape == (300, 64, 64, 3)


def test_hashes_are_found_as_a_dictionary_finds_them():
    """Few beginnings for many hashes, so that those which are the same in their first eight digits are told apart."""
    rng = np.random.default_rng(0)
    every = [f"{rng.integers(0, 300):08x}{rng.integers(0, 4):024x}" for _ in range(4000)]
    known = sorted(set(every[:2000]))
    at = {h: i for i, h in enumerate(known)}
    for asked in (every, every[:50], known, [], ["0" * 32, "f" * 32]):
        assert find(np.array(known, "S32"), asked).tolist() == [at.get(h, -1) for h in asked]
    assert find(np.empty(0, "S32"), every[:2]).tolist() == [-1, -1]
