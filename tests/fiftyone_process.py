"""A real FiftyOne in a process of its own, with a database of its own: it writes and reads data sets on disk.

Each line of its input is one thing to do, in JSON; each line of its output is the answer."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
_running = {}


def ask_fiftyone(**what):
    """Let FiftyOne do something; returns its answer."""
    process = _running.get(os.getpid())
    if process is None or process.poll() is not None:
        command = [sys.executable, "-m", "tests.fiftyone_process"]
        process = _running[os.getpid()] = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(process.kill)
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert "error" not in answer, answer["error"]
    return answer["out"]


def write_dataset(fo, rows, out, kind, field="ground_truth", **options):
    """rows: [file, label or None, tags]; kind: the name of a type of fo.types."""
    dataset = fo.Dataset()
    samples = [
        fo.Sample(file, tags=tags, **{field: label and fo.Classification(label=label)})
        for file, label, tags in rows
    ]
    dataset.add_samples(samples)
    if kind != "FiftyOneDataset":
        options["label_field"] = field
    dataset.export(out, dataset_type=getattr(fo.types, kind), **options)
    dataset.delete()


def write_rich(fo, rows, out):
    """The same with two fields of classifications, one of boxes, and others."""
    dataset = fo.Dataset()
    for n, (file, label, tags) in enumerate(rows):
        box = fo.Detection(label="nose", bounding_box=[0.1, 0.1, 0.2, 0.2])
        dataset.add_sample(
            fo.Sample(
                file,
                tags=tags,
                first=fo.Classification(label=label),
                second=fo.Classification(label="q", confidence=0.5),
                boxes=fo.Detections(detections=[box]),
                site=f"zoo {n % 3}",
            )
        )
    dataset.default_classes = ["cow", "bee", "ape"]
    dataset.export(out, dataset_type=fo.types.FiftyOneDataset)
    dataset.delete()


def read_dataset(fo, path, kind, field="ground_truth", **options):
    """-> [file, label or None, tags]"""
    dataset = fo.Dataset.from_dir(path, dataset_type=getattr(fo.types, kind), **options)
    field = field if field in dataset.get_field_schema() else "ground_truth"
    rows = [
        [sample.filepath, sample[field] and sample[field].label, list(sample.tags)]
        for sample in dataset
    ]
    dataset.delete()
    return rows


def choose_field(fo, fields, asked=None):
    """The field that `assay import fiftyone:NAME` takes of these, {name: type}, or what it says."""
    from assay import UserError
    from assay.pipelines.cli.fiftyone_datasets import field_of_labels

    dataset = fo.Dataset()
    for name, kind in fields.items():
        found = getattr(fo, kind)
        dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=found)
    try:
        return field_of_labels(fo, "mine", dataset, asked)
    except UserError as e:
        return str(e)
    finally:
        dataset.delete()


def main():
    from assay.pipelines.fiftyone import mongod
    from assay.pipelines.fiftyone.dataset import QUIET

    with tempfile.TemporaryDirectory() as folder:
        out, sys.stdout = sys.stdout, sys.stderr
        port, _ = mongod.join_or_start(Path(folder) / "db")
        os.environ.update(QUIET | dict(FIFTYONE_DATABASE_URI=f"mongodb://127.0.0.1:{port}/"))
        import fiftyone as fo

        jobs = dict(write=write_dataset, rich=write_rich, read=read_dataset, choose=choose_field)
        for line in sys.stdin:
            what = json.loads(line)
            try:
                answer = dict(out=jobs[what.pop("do")](fo, **what))
            except Exception as e:
                answer = dict(error=f"{type(e).__name__}: {e}")
            print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
