"""The way from a source into shards of pixels, and out as thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image

from assay import UserError
from assay.curation.media import files
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.images import decode_pixels
from assay.curation.media.pixels import Pixels, load_pixels, make_thumbnail
from assay.curation.media.source_decoding import decode_source
from assay.curation.storage.shards import Shards
from tests.pictures import photo, saved, write


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
    hashes, sizes, bad, _ = decode_source(
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
    assert decode_source(source, shards, 32)[:3] == (
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
    hashes, *_ = decode_source(source, Shards(tmp_path / "px"), 16)
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
    hashes, _, bad, _ = decode_source(source, kept, 64)
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
