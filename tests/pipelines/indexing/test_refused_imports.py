"""A refused import leaves nothing where nothing was before."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from tests.helpers import digits, folders, run_assay


def sources(root):
    """Each a source, as the command line takes it, that is refused for another reason."""
    root.mkdir()
    found = digits(40, wrong=0)
    photos = folders(root / "photos", found)
    (root / "broken" / "a").mkdir(parents=True)
    (root / "broken" / "b").mkdir()
    for name in ("a/1.png", "b/2.png"):
        (root / "broken" / name).write_bytes(b"no image")
    for row in found.head(20).itertuples():  # the header is sound, the pixels are not
        place = root / "cut" / row.label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row.id}.png").write_bytes(row.image[:60])
    found.to_parquet(root / "table.parquet")
    (root / "bad.csv").write_text("image,label\nphotos/none.png,3\n")
    return {
        "a class level too deep": [photos, "--class-level", "7"],
        "no such source": [root / "nothing"],
        "no such column": [root / "table.parquet", "--label-column", "nothing"],
        "no such format": [photos, "--format", "nothing"],
        "images that are none": [root / "broken"],
        "images that are cut off": [root / "cut"],
        "images that are cut off, and left out": [root / "cut", "--skip-bad"],
        "files that are not there": [root / "bad.csv"],
        "shares that are none": [photos, "--split", "80/80/80"],
        "a split map that is none": [photos, "--split-map", "x"],
    }


def test_a_refused_import_leaves_no_folder(tmp_path):
    for why, words in sources(tmp_path / "in").items():
        status, _, said = run_assay("import", *words, "-b", tmp_path / "new" / "bench")
        assert status == 2, (why, said)
        assert not (tmp_path / "new").exists(), why


@pytest.mark.parametrize(
    "given",
    [
        dict(source="nothing"),
        dict(source=np.ones((4, 8, 8)), labels=list("abab")),
        dict(source=np.ones((4, 8, 8), "u1"), labels=list("aba")),
        dict(source=pd.DataFrame(dict(path=["a.png"]))),
        dict(source=pd.DataFrame(dict(path=["a.png"], label=["a"])), split="80/80/80"),
        dict(source=3),
        dict(source=".", labels=["a"]),
        dict(source=".", colums={"label": "x"}),
        dict(source=[object()], labels=["a"]),
    ],
    ids="path floats counts columns shares number labels argument object".split(),
)
def test_a_refused_add_leaves_no_folder(tmp_path, given):
    bench = assay.create(tmp_path / "new" / "bench")
    with pytest.raises(UserError):
        bench.add(**given)
    assert not (tmp_path / "new").exists()


def test_what_was_there_before_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert run_assay("import", tmp_path / "nothing", "-b", tmp_path / "mine")[0] == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_what_was_decoded_for_a_refused_import_is_said(tmp_path):
    photos = folders(tmp_path / "photos", digits(40, wrong=0))
    (photos / "train" / "3" / "broken.png").write_bytes(b"no image")
    status, _, said = run_assay("import", photos, "-b", tmp_path / "bench")
    assert status == 2 and f"decoded stays in {tmp_path / 'bench'} for the next try" in said
    with pytest.raises(UserError, match="decoded stays in .*second for the next try"):
        assay.create(tmp_path / "second").add(photos, progress=False)
    assert run_assay("import", photos, "--skip-bad", "-b", tmp_path / "bench")[0] == 0
