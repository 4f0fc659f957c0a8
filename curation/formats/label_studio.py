"""Label Studio: exports of projects, and tasks to import there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import UserError
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.json_text import parse_json
from assay.curation.formats.label_sets import explain_task
from assay.curation.formats.label_studio_images import TaskImages
from assay.curation.formats.label_studio_patches import plan_task_patch
from assay.curation.formats.label_studio_tasks import (
    Answer,
    Task,
    TaskFile,
    read_tasks,
)
from assay.curation.formats.label_studio_writer import (
    CONFIG,
    TASKS,
    read_classes,
    takes_several,
    write_tasks,
)
from assay.curation.formats.text_tables import read_text
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1 << 18  # bytes that are looked at
FULL = re.compile(r'"(annotations|completions|predictions)"\s*:\s*\[')
BARE = re.compile(r'\[\s*\{\s*("id"\s*:\s*\d+\s*,\s*)?"data"\s*:\s*\{')
ROWS = ('"annotation_id"', '"annotator"', '"lead_time"')
COLUMNS = ("annotation_id", "annotator", "lead_time")


class LabelStudio:
    """Tasks of Label Studio with their choices (JSON, JSON-MIN, CSV); people's answers are votes."""

    name = "label-studio"
    suffixes = (".json", ".csv")

    def matches(self, path: Path) -> Match:
        if path.is_dir():
            if (path / TASKS).is_file() and (path / CONFIG).is_file():
                return Match("sure", f"{TASKS} and {CONFIG} lie there, as Assay writes them")
        elif path.suffix.lower() in self.suffixes and path.is_file():
            with open(path, "rb") as file:
                head = file.read(HEAD).decode("utf-8-sig", "replace").lstrip()
            if path.suffix.lower() == ".csv":
                first = re.split(r"[,;\t]", head.partition("\n")[0].strip().replace('"', ""))
                if set(COLUMNS) <= set(first):
                    return Match("sure", f"its columns are {', '.join(COLUMNS)} and others")
            elif head.startswith("[") and '"data"' in head and FULL.search(head):
                return Match("sure", "its tasks have data and annotations")
            elif head.startswith("[") and BARE.match(head):
                return Match("maybe", "its rows have data, as tasks have")
            elif head.startswith("[") and all(word in head for word in ROWS):
                return Match("sure", "its rows have annotator, annotation_id and lead_time")
        return Match("no", "expects an export of Label Studio: JSON, JSON-MIN or CSV")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        place = find_file(path)
        file = read_file(place, options)
        exported = is_exported(place)
        images = TaskImages(
            Path(options.images or place.parent).absolute(), bool(options.images), exported
        )
        samples, left_out = list_samples(file, images, options)
        kind = "tasks of Label Studio" if not file.converted else "answers of Label Studio"
        kind += f" ({place.suffix[1:].upper()})"
        classes = read_classes(place.parent / CONFIG) if exported else []
        return Listing(
            self.name,
            kind,
            path.name,
            [samples],
            left_out,
            describe_notes(file),
            describe_roles(file, samples),
            classes=classes,
            task="multilabel" if file.several else "classification",
        )

    def write(self, folder: Path, export: Export) -> None:
        """Write tasks.json with annotations and predictions, and the labelling config.

        Images that lie in other files are taken along, others with `copy` alone.
        """
        write_tasks(folder, export)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the choices that count, and no other byte."""
        place = find_file(source)
        file = read_file(place, options)
        return plan_task_patch(place, "" if place == source else place.name, file, changes)


FORMAT = LabelStudio()


def find_file(path: Path) -> Path:
    return path / TASKS if path.is_dir() else path


def is_exported(path: Path) -> bool:
    """Tell whether Assay wrote the tasks, and the labelling config beside them."""
    return (path.parent / "assay.json").is_file()


def read_file(path: Path, options: ImportOptions) -> TaskFile:
    """Read an export: JSON, or a table of answers."""
    text = read_text(path)
    several = is_exported(path) and takes_several(path.parent / CONFIG)
    if path.suffix.lower() == ".json":
        rows = parse_json(text, path.name)
        if not isinstance(rows, list):
            raise UserError(
                f"expected a list of tasks in {path.name}, found an object",
                "export the project as JSON or JSON-MIN",
            )
        return read_tasks(rows, options, path.name, several)
    try:
        lines = list(read_rows(text))
    except BadCsv as e:
        raise UserError(f"{path.name}, line {e.line}: {e}", "mend it there") from e
    header = [name.strip() for name in lines[0][1]] if lines else []
    return read_tasks([read_cells(header, cells) for _, cells in lines[1:]], options, path.name)


def read_cells(header: list[str], cells: list[str]) -> dict[str, Any]:
    """Read a row of a table; several choices stand there as JSON."""
    row: dict[str, Any] = dict(zip(header, cells))
    for name, cell in row.items():
        if cell.startswith(('{"choices"', "[{")):
            row[name] = parse_json(cell, name)
    return row


def list_samples(
    file: TaskFile, images: TaskImages, options: ImportOptions
) -> tuple[list[dict], list[tuple[str, str]]]:
    """List tasks as samples, and (task, reason) of bad ones."""
    asked = options.columns
    samples: list[dict] = []
    left_out: list[tuple[str, str]] = []
    split, group = asked.get("split", "split"), asked.get("group")
    for task in file.tasks:
        answer, place = task.label_answer, images.locate(task.image)
        label = answer and answer.label
        flaw = find_flaw(task.key, MAX_TEXT) or find_flaw(
            label or "", MAX_TEXT if file.several else MAX_NAME
        )
        wrong = task.wrong or place.wrong or (flaw and f"has a name that {flaw}")
        if wrong:
            left_out.append((task.key, wrong))
            continue
        said = task.data.get(split) if split else None
        sample: dict[str, Any] = dict(
            key=task.key,
            uri=place.uri,
            label=label,
            split=str(said) if said not in (None, "") else None,
            meta=read_metadata(file, task, {file.image, split, group}),
        )
        if group:
            sample["group"] = as_word(task.data.get(group))
        if votes := list_votes(task):
            sample["votes"] = votes
        samples.append(sample)
    return samples, left_out


def as_word(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def read_metadata(file: TaskFile, task: Task, used: set[str | None]) -> dict[str, Any]:
    """Read the other data of a task: text, numbers and truth values."""
    data = {
        name: value
        for name, value in task.data.items()
        if name not in used and isinstance(value, str | int | float) and value != ""
    }
    long = [
        name for name, value in data.items() if isinstance(value, str) and len(value) > MAX_TEXT
    ]
    for name in long:
        del data[name]
        file.counts[f"values of data beyond the limit of {MAX_TEXT:,} were not read"] += 1
    return data | task.predicted


def list_votes(task: Task) -> list[dict]:
    """List what several people answered; [] where it was one."""
    given = [answer for answer in task.answers if answer.label is not None]
    if len({answer.who for answer in given}) < 2:
        return []
    return [as_vote(answer) for answer in sorted(given, key=lambda a: a.ts or "")]


def as_vote(answer: Answer) -> dict:
    return dict(label=answer.label, who=answer.who, ts=answer.ts)


def describe_roles(file: TaskFile, samples: list[dict]) -> dict[str, str]:
    """Say what became what."""
    roles = {"label": f"the choices of {file.control}" if file.control else "none"}
    if file.several:
        roles["task"] = explain_task("a task of its choices may have several")
    roles["image"] = f"the field {file.image}"
    if any(sample["split"] for sample in samples):
        roles["split"] = "the field split"
    meta = dict.fromkeys(name for sample in samples for name in sample["meta"])
    if meta:
        roles["metadata"] = f"{len(meta)} fields: {', '.join(list(meta)[:10])}"
    people = {vote["who"] for sample in samples for vote in sample.get("votes", [])}
    if people:
        roles["votes"] = (
            f"the answers of {format_count(len(people), 'annotator')}, with their times"
        )
    return roles


def describe_notes(file: TaskFile) -> list[str]:
    """Say what was not read, and what was done with several answers."""
    notes = [f"{n:,} {what}" for what, n in file.counts.items()]
    several = [task for task in file.tasks if list_votes(task)]
    differ = sum(len({a.label for a in task.answers}) > 1 for task in several)
    if several:
        notes.append(
            f"{format_count(len(several), 'task', 'has', 'have')} answers of several people,"
            f" of which {differ:,} differ: each is a vote;"
            " the label is the one that was declared the truth, else the latest"
        )
    return notes
