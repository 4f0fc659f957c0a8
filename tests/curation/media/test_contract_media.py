"""What every media type must do: decode, show and compare; and an example of each."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from assay.curation.media.base import media_type, media_types
from assay.curation.media.files import BadMedia
from assay.curation.media.source_decoding import store_decoded
from assay.curation.media.texts import append_texts
from assay.curation.storage.shards import Shards


def scene(seed):
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype("u1")
    return np.asarray(Image.fromarray(small).resize((90, 60), Image.Resampling.BICUBIC))


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


# of each media type: files of different samples, of which the second nearly equals the first
WORDS = "rain falls on the old harbour while gulls follow a late ferry to its pier again".split()


def sentence(seed):
    return " ".join(np.random.default_rng(seed).permutation(WORDS))


EXAMPLES = {
    "image": [png(scene(0)), png(scene(0)[:, ::-1]), *(png(scene(seed)) for seed in range(1, 80))],
    "text": [
        t.encode() for t in (sentence(0), sentence(0).upper() + "!", *map(sentence, range(1, 80)))
    ],
}
EXAMPLES["row"] = [
    json.dumps(dict(age=seed, city=f"Bonn {seed}", income=1000.00004 + seed)).encode()
    for seed in range(81)
]
EXAMPLES["row"][1] = b'{"income": 1000.0001, "city": "BONN 0", "age": 0, "gone": null}'
BROKEN = {
    "row": (b"", b"no such row", b"[1, 2]", b'{"a": null}'),
    "image": (b"", b"no such file", EXAMPLES["image"][0][:20]),
    "text": (b"", b"a\0b", "caf\u00e9".encode("latin-1"), b"\xff\xfea"),
}


def store(media, shards, raws):
    """Store files by made-up hashes, as the media type stores."""
    decoded = {f"{i:032x}": media.decode(raw, 64) for i, raw in enumerate(raws)}
    if media.name == "image":
        store_decoded(shards, decoded)
    else:
        append_texts(shards, {h: found.array.tobytes() for h, found in decoded.items()})
    return np.array(list(decoded), "S32")


@pytest.fixture(params=media_types().values(), ids=lambda member: member.name)
def media(request):
    return request.param


def test_it_goes_by_its_name_and_has_an_example(media):
    assert media_type(media.name) is media
    assert EXAMPLES[media.name], "write a few files into EXAMPLES"


def test_it_decodes_to_bytes_of_bounded_size(media):
    for raw in EXAMPLES[media.name][:3]:
        found = media.decode(raw, 32)
        assert found.array.dtype == np.uint8
        assert max(found.array.shape[:2]) <= (32 if media.name == "image" else len(raw))
        assert (media.decode(raw, 32).array == found.array).all(), "the same again"
        asked = media.decode(raw, 32, stored=True)
        assert asked.size == found.size and asked.array is None


def test_what_is_no_such_file_is_refused_in_plain_words(media):
    for raw in BROKEN[media.name]:
        for use in (media.decode, media.preview):
            with pytest.raises(BadMedia) as e:
                use(raw, 32)
            assert str(e.value) and "Traceback" not in str(e.value)


def test_its_preview_is_a_small_jpeg(media):
    shown = Image.open(io.BytesIO(media.preview(EXAMPLES[media.name][0], 40)))
    assert shown.format == "JPEG" and max(shown.size) <= 40


def test_what_is_stored_comes_back(media, tmp_path):
    raws = EXAMPLES[media.name][:5]
    hashes = store(media, Shards(tmp_path / media.folder), raws)
    read = media.read(Shards(tmp_path / media.folder), hashes, 32)
    first = media.decode(raws[0], 32).array
    assert len(read) == 5 and len(read[[1, 0]]) == 2
    assert read[0] == first.tobytes().decode() if media.column else read[0].shape == (32, 32, 3)


def test_near_copies_are_more_alike_than_others(media, tmp_path):
    raws = EXAMPLES[media.name]
    hashes = store(media, Shards(tmp_path / media.folder), raws)
    pairs = np.array([[0, 1], *([0, i] for i in range(2, 40))])
    far = np.roll(np.arange(len(raws)), 7)[:, None]  # as if this were the nearest of each
    found = media.similarity(Shards(tmp_path / media.folder), hashes, pairs, far)
    assert found.of_pairs.shape == (len(pairs),)
    assert found.of_pairs[0] >= found.limit > found.of_pairs[1:].max()
