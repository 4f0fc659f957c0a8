"""Label Studio: a project's export as JSON, JSON-MIN and CSV, in the form of its own converter.

The converter cannot be installed beside our pins; test_label_studio.py holds these to it daily.
"""

import csv
import io
import json
from pathlib import Path

from assay.curation.formats.base import ImportOptions
from tests.layouts.base import Layout, pixel_hash

SERVER = ImportOptions(images="/")  # the root of the disk from which Label Studio serves
TIME = "2026-03-01T10:{:02}:00.123456Z"
CONFIG = """<View><Image name="image" value="$image"/><Choices name="choice" toName="image">
<Choice value="ape"/><Choice value="bee"/><Choice value="cow"/></Choices></View>"""


def make_annotation(number, label, who=1, minute=0, **more):
    """An annotation as an export has it."""
    value = dict(choices=[label] if isinstance(label, str) else label)
    result = dict(value=value, id=f"r{number}", from_name="choice", to_name="image", type="choices")
    person = dict(id=who, email=f"ann{who}@example.org", first_name="Ann", last_name=f"N{who}")
    time = TIME.format(minute)
    return (
        dict(
            id=number,
            completed_by=person,
            result=[result | dict(origin="manual")] if label else [],
            was_cancelled=False,
            ground_truth=False,
            created_at=time,
            updated_at=time,
            lead_time=3.25,
            prediction={},
            result_count=1,
        )
        | more
    )


def make_task(number, name, annotations, **data):
    """A task as an export has it."""
    return dict(
        id=number,
        annotations=annotations,
        file_upload=f"{number:08x}-{name}.png",
        drafts=[],
        predictions=[],
        data={"image": f"/data/upload/7/{number:08x}-{name}.png"} | data,
        meta={},
        created_at=TIME.format(0),
        updated_at=TIME.format(1),
        inner_id=number,
        total_annotations=len(annotations),
        project=7,
    )


def make_tasks(folder, pictures):
    """Tasks of images in a folder of the server's disk."""
    folder.mkdir(parents=True)
    tasks = []
    for i, p in enumerate(pictures):
        (folder / f"{p.name}.png").write_bytes(p.png)
        served = f"/data/local-files/?d={str(folder).lstrip('/')}/{p.name}.png"
        answers = [make_annotation(i, p.label)]
        tasks.append(make_task(100 + i, p.name, answers, image=served, site=f"Süd, {i % 2}"))
    return tasks


def write_json(folder, pictures):
    tasks = make_tasks(folder / "media", pictures)
    (folder / "project-7.json").write_text(json.dumps(tasks), encoding="utf-8")
    return folder / "project-7.json"


def convert(task):
    """A row as the converter writes it for each annotation."""
    for a in task["annotations"]:
        choice = a["result"][0]["value"]["choices"]
        yield task["data"] | dict(
            id=task["id"],
            choice=choice[0] if len(choice) == 1 else dict(choices=choice),
            annotator=a["completed_by"]["email"],
            annotation_id=a["id"],
            created_at=a["created_at"],
            updated_at=a["updated_at"],
            lead_time=a["lead_time"],
        )


def write_min(folder, pictures):
    rows = [row for task in make_tasks(folder / "media", pictures) for row in convert(task)]
    text = json.dumps(rows, indent=2, ensure_ascii=False).replace("/", "\\/")
    (folder / "min.json").write_text(text, encoding="utf-8")
    return folder / "min.json"


def write_csv(folder, pictures):
    rows = [row for task in make_tasks(folder / "media", pictures) for row in convert(task)]
    with open(folder / "project.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    return folder / "project.csv"


def hash_served(address):
    return pixel_hash(Path(f"/{address.partition('?d=')[2]}").read_bytes())


def read_json(path):
    tasks = json.loads(Path(path).read_text(encoding="utf-8"))
    return {
        hash_served(t["data"]["image"]): t["annotations"][0]["result"][0]["value"]["choices"][0]
        for t in tasks
    }


def read_rows(path):
    text = Path(path).read_text(encoding="utf-8")
    rows = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(io.StringIO(text)))
    return {hash_served(row["image"]): row["choice"] for row in rows}


LAYOUTS = [
    Layout("label studio json", write_json, read_json, SERVER, {}),
    Layout("label studio json-min", write_min, read_rows, SERVER, {}, text=True),
    Layout("label studio csv", write_csv, read_rows, SERVER, {}, text=True),
]
