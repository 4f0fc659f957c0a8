"""Data that Assay does not read is named, with what converts it; pickles are never loaded."""

import os
import pickle
import shlex

import pytest
from PIL import Image

from assay.curation.errors import UserError
from assay.curation.formats.read import read_source
from assay.curation.formats.unreadable import WHY, explain_ending, find_reason
from assay.curation.media.images import SUFFIXES

NAMES = {
    "train.tfrecord-00000-of-00004": "TFRecord",
    "data.tfrecord": "TFRecord",
    "train.tfrec": "TFRecord",
    "data_batch_1.pkl": "pickle",
    "model.pt": "torch",
    "scan.dcm": "DICOM",
    "brain.nii.gz": "volume",
    "film.MP4": "video",
    "photo.CR2": "raw",
    "logo.svg": "vectors",
    "layers.psd": "Photoshop",
    "paper.pdf": "PDF",
    "old.rar": "archive",
}


class Evil:
    def __reduce__(self):
        return (os.mkdir, (os.environ["EVIL"],))


@pytest.mark.parametrize("name", NAMES)
def test_as_a_source_of_its_own(name, tmp_path):
    (tmp_path / name).write_bytes(b"any")
    with pytest.raises(UserError) as caught:
        read_source(tmp_path / name)
    assert NAMES[name] in caught.value.problem and name in caught.value.problem
    command = caught.value.hint
    assert "{" not in command.replace("{i}", "").replace("{e[", "") and len(command) > 15


@pytest.mark.parametrize("name", NAMES)
def test_inside_a_folder(name, tmp_path):
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / kind / "1.png")
    (tmp_path / "a" / name).write_bytes(b"any")
    (unread,) = read_source(tmp_path).unread
    assert unread.first == f"a/{name}" and NAMES[name] in unread.why
    assert read_source(tmp_path).frame.key.tolist() == ["a/1.png", "b/1.png"]


def test_a_pickle_is_never_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    for name in ("data.pkl", "data_batch_1", "x.p", "model.pth"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(UserError, match="pickle.* never load"):
            read_source(tmp_path / name)
    with pytest.raises(UserError, match="pickle"):
        read_source(tmp_path)
    assert not (tmp_path / "evil").exists()
    pickle.loads((tmp_path / "data.pkl").read_bytes())
    assert (tmp_path / "evil").exists(), "it would have done harm"


def test_a_name_cannot_speak_in_the_command(tmp_path):
    (tmp_path / "a'; rm -rf ~ #.mp4").write_bytes(b"any")
    with pytest.raises(UserError) as caught:
        read_source(tmp_path / "a'; rm -rf ~ #.mp4")
    words = shlex.split(caught.value.hint.split(" takes an image")[0])
    assert "a'; rm -rf ~ #.mp4" in words and "rm" not in words


def test_dicom_is_known_without_an_ending(tmp_path):
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + b"\0" * 10)
    assert find_reason(tmp_path / "IM0001") == ".dcm"


def test_no_image_is_called_unreadable():
    assert not set(WHY) & set(SUFFIXES) and all(not explain_ending(f"x{s}") for s in SUFFIXES)
