"""Every kind of file against numpy's own pixels."""

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assay.curation.media import conversion, images, stored_traits
from assay.curation.media.files import content_hash
from assay.curation.media.images import decode_pixels
from assay.curation.media.pixels import load_pixels, make_thumbnail
from assay.curation.media.source_decoding import decode_source
from assay.curation.storage.shards import Shards
from tests.helpers import DATA
from tests.pictures import COLOUR, GREY, import_of, original_size, photo, saved


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
    hashes, sizes, bad, _ = decode_source(source, Shards(tmp_path), 64)
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
