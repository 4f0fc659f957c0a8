"""Pictures of more than eight bits are read by the range that their source uses."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from assay.curation.media import stored_traits
from assay.curation.media.files import content_hash
from assay.curation.media.pixels import make_thumbnail
from tests.pictures import import_of, png, saved


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
