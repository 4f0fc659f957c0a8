"""Sources that mean harm or were damaged, in every format: a clear word, no hang, and nothing half-written."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.formats.base import ReadableFormat, WritableFormat, list_formats
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version
from assay.pipelines.indexing.ingest import ingest
from tests.helpers import ROOT, png
from tests.layouts.base import make_pictures
from tests.layouts.folders import write_class_folders


def write_fiftyone(folder, samples, about=None):
    """A data set as FiftyOne exports it, of 12 pictures."""
    (folder / "data").mkdir(parents=True)
    for n, picture in enumerate(make_pictures(12)):
        (folder / "data" / f"{n}.png").write_bytes(picture.png)
    about = about or dict(sample_fields=[], media_type="image")
    (folder / "metadata.json").write_text(json.dumps(about))
    text = samples if isinstance(samples, str) else json.dumps(dict(samples=samples))
    (folder / "samples.json").write_text(text)
    return folder


def sample(n, **more):
    label = dict(_cls="Classification", label="ab"[n % 2])
    return dict(filepath=f"data/{n}.png", tags=["train"], ground_truth=label) | more


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.parquet"))
        for path in (tmp_path / "pipe.csv", tmp_path / "socket.parquet", "/dev/zero"):
            with pytest.raises(UserError, match="expected a folder or a file"):
                read_source(path)
    (tmp_path / "only").mkdir()
    os.mkfifo(tmp_path / "only" / "t.csv")
    with pytest.raises(UserError, match="expected images"):
        read_source(tmp_path / "only")
    photos = write_class_folders(tmp_path, make_pictures())
    beside = "classes.txt t.csv metadata.jsonl labels.json ape/in.txt data.yaml words.txt wnids.txt"
    for name in [*beside.split(), "ape/0.txt", "x_validation_ground_truth.txt", "meta.mat"]:
        os.mkfifo(photos / name)
    assert len(read_source(photos).frame) == 30


NAMES = [
    "'; drop table samples; --",
    "<script>alert(1)<",
    "a'b\"c",
    "..",
    "%2e%2e",
    "\\..\\x",
    "$(id)",
]


def test_names_are_text_and_nothing_else(tmp_path):
    labels = [NAMES[n % len(NAMES)] for n in range(12)]
    rows = [
        sample(n, ground_truth=dict(_cls="Classification", label=label), site=label)
        for n, label in enumerate(labels)
    ]
    bench = assay.create(tmp_path / "bench").add(
        write_fiftyone(tmp_path / "fo", rows), who="<b>ann", progress=False
    )
    assert sorted(bench.state().label) == sorted(labels)
    readers = {f.name for f in list_formats(ReadableFormat)}
    writers = [f for f in list_formats(WritableFormat) if f.name in readers]
    for written in writers:
        out = tmp_path / "out" / written.name
        out.parent.mkdir(exist_ok=True)
        export_version(bench, out, format=written.name, copy=True)
        again = assay.create(tmp_path / f"again {written.name}").add(out, who="ann", progress=False)
        assert sorted(again.state().label) == sorted(labels), written.name
    beside = {"bench", "fo", "out", *(f"again {f.name}" for f in writers)}
    assert set(os.listdir(tmp_path)) == beside, "nothing left its folder"


@pytest.mark.parametrize(
    "samples, about, word",
    [
        (
            [sample(n, filepath="../" * 9 + "etc/passwd") for n in range(12)],
            None,
            "leaves the folder",
        ),
        ("[" * 100_000, None, "JSON"),
        ('{"samples": [{"filepath": "a.png"', None, "JSON"),
        ([sample(n) for n in range(12)], ["sample_fields"], None),
        ([sample(n // 2) for n in range(12)], None, "twice"),
        (
            [
                sample(0, tags="train"),
                sample(1, tags=[1, None]),
                sample(2, filepath=3),
                sample(3, ground_truth="x"),
            ],
            None,
            "no filepath",
        ),
        ([sample(n, x=float("nan")) for n in range(12)], None, None),
        (
            [
                sample(n, ground_truth=dict(_cls="Classification", label="z" * 10_000_000))
                for n in range(2)
            ],
            None,
            "label that",
        ),
        ([sample(n) for n in range(12)], dict(sample_fields=[], media_type="video"), "video"),
        ([], None, "found none"),
    ],
)
def test_damaged_fiftyone_data_sets(samples, about, word, tmp_path):
    path = write_fiftyone(tmp_path / "fo", samples, about)
    bench = assay.create(tmp_path / "bench")
    if word is None:
        assert len(bench.add(path, who="ann", progress=False).state()) == 12
        assert bench.query("select count(*) n from samples where json_valid(meta)").n[0] == 12
        return
    with pytest.raises(UserError, match=word):
        bench.add(path, who="ann", progress=False)
    assert not bench.file.exists(), "nothing stays"


def test_a_source_that_changes_while_it_is_read(tmp_path):
    photos = write_class_folders(tmp_path, make_pictures())
    source = read_source(photos)
    (photos / "ape" / "pic_000.png").unlink()
    bench = assay.create(tmp_path / "bench")
    with pytest.raises(UserError, match="pic_000.png: there is no such file"):
        ingest(bench, source, "ann")
    table = pd.DataFrame(dict(image=[p.png for p in make_pictures()], label=["a", "b"] * 15))
    table.to_parquet(tmp_path / "t.parquet")
    source = read_source(tmp_path / "t.parquet")
    table.iloc[:7].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match="no such row"):
        ingest(bench, source, "ann")
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:2000])
    with pytest.raises(UserError, match="cannot be read"):
        ingest(bench, source, "ann")
    assert len(bench.state()) == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A bench of 6 pictures of 500 KB each."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    for n in range(6):
        (folder / "photos" / "ab"[n % 2]).mkdir(parents=True, exist_ok=True)
        picture = png(rng.integers(0, 256, (400, 400, 3)))
        (folder / "photos" / "ab"[n % 2] / f"{n}.png").write_bytes(picture)
    return assay.create(folder / "bench").add(folder / "photos", who="ann", progress=False)


# torch writes outside of Python, and Datalab's columns need a scan
COPYING = [f.name for f in list_formats(WritableFormat) if f.name not in ("cleanlab", "torch")]


@pytest.mark.parametrize("format", ["source", *COPYING])
def test_a_full_disk_leaves_no_half_export(format, large, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, limits[1]))
    try:
        with pytest.raises(UserError, match="expected to write"):
            export_version(large, tmp_path / "out", format=format, copy=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []
    export_version(large, tmp_path / "out", format=format, copy=True)


@pytest.mark.parametrize("format", ["source", "folders", "fiftyone"])
def test_a_killed_export_leaves_no_half_folder(format, large, tmp_path):
    story = (
        "import os, sys, signal; from assay.pipelines.cli.main import main; replace = os.replace\n"
        "def deadly(a, b):\n"
        " return os.kill(os.getpid(), signal.SIGKILL) if str(b).endswith('/out') else replace(a, b)\n"
        "os.replace = deadly; main(sys.argv[1:])"
    )
    command = ["export", "-b", str(large.path), "-o", str(tmp_path / "out"), "--format", format]
    killed = subprocess.run([sys.executable, "-c", story, *command, "--copy"], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "out").exists()
    export_version(large, tmp_path / "out", format=format, copy=True)
    assert os.listdir(tmp_path) == ["out"]
