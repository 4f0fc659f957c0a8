"""Places of texts change, and no other byte."""

import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.class_folders import FORMAT as FOLDERS
from assay.curation.formats.file_lists import FORMAT as LISTS
from assay.curation.formats.patches import list_all_files, write_patched
from assay.curation.formats.text_spans import read_whole
from tests.layouts.base import make_pictures


def test_marks_and_encodings_stay(tmp_path):
    for blob in ("\ufeffa,b\r\n1,x".encode(), "\ufeffa,b\n1,x\n".encode("utf-16-le"), b"a,b\n1,x"):
        (tmp_path / "a.csv").write_bytes(blob)
        text = read_whole(tmp_path / "a.csv")
        at = text.text.index("x")
        text.edit([])(tmp_path / "same.csv")
        text.edit([(at, at + 1, "y")])(tmp_path / "new.csv")
        assert (tmp_path / "same.csv").read_bytes() == blob
        new = (tmp_path / "new.csv").read_bytes()
        assert len(new) == len(blob) and sum(a != b for a, b in zip(new, blob)) == 1
    (tmp_path / "a.csv").write_bytes(b"\xff\xe4,b")
    with pytest.raises(UserError, match="UTF-8"):
        read_whole(tmp_path / "a.csv")


def changes(*rows):
    columns = ["key", "given_label", "label", "split", "removed"]
    return pd.DataFrame(rows, columns=columns).assign(uri="")


def patched(format, source, rows, out):
    write_patched(source, format.patch(source, changes(*rows), ImportOptions()), out, True)
    return out


def test_lists_lose_a_line_and_take_one_over(tmp_path):
    source = tmp_path / "in"
    for i, p in enumerate(make_pictures(4)):
        source.joinpath("images").mkdir(parents=True, exist_ok=True)
        (source / "images" / f"{i}.png").write_bytes(p.png)
    (source / "train.txt").write_text(
        "images/0.png a\r\nimages/1.png b\r\nimages/2.png a", newline=""
    )
    (source / "test.txt").write_text("images/3.png b", newline="")
    rows = [("images/0.png", "a", "a", None, True), ("images/1.png", "b", "c", "test", False)]
    out = patched(LISTS, source, rows, tmp_path / "out")
    assert (out / "train.txt").read_bytes() == b"images/2.png a"
    assert (out / "test.txt").read_bytes() == b"images/3.png b\nimages/1.png c\n"
    with pytest.raises(UserError, match="import it again"):
        patched(LISTS, source, [("images/0.png", "z", "a", None, False)], tmp_path / "no")


def test_folders_take_over_a_split_a_removal_and_a_lost_label(tmp_path):
    source = tmp_path / "in"
    names = [
        "seg_train/seg_train/a/1.png",
        "seg_train/seg_train/b/2.png",
        "seg_test/seg_test/a/3.png",
    ]
    names += ["seg_train/seg_train/a/4.png", "seg_train/seg_train/a/5.png"]
    for name, p in zip(names, make_pictures(5)):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(p.png)
    rows = [(names[0], "a", "a", "test", False), (names[1], "b", "a", None, False)]
    rows += [(names[3], "a", "a", None, True), (names[4], "a", None, None, False)]
    out = patched(FOLDERS, source, rows, tmp_path / "out")
    assert sorted(list_all_files(out)) == [
        "seg_test/seg_test/a/1.png",
        "seg_test/seg_test/a/3.png",
        "seg_train/seg_train/5.png",
        "seg_train/seg_train/a/2.png",
    ]
