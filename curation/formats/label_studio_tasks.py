"""The tasks of a Label Studio export, and people's answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from assay.curation.errors import UserError, shorten
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.label_sets import BadLabels, join_names
from assay.curation.formats.label_studio_questions import (
    OF_ROWS,
    as_dict,
    as_list,
    choose_column,
    choose_control,
    choose_image,
    is_cancelled,
    list_annotations,
)


class Answer(NamedTuple):
    """What one person said about an image."""

    label: str | None  # of several classes their set, as curation/tasks/multilabel has it
    who: str
    ts: str | None  # ISO 8601
    truth: bool  # whether it was declared the truth
    number: int  # of the annotation in its task, or of the row in a converted file


@dataclass
class Task:
    """An image, and what people and models said about it."""

    number: int  # in the file, from 0
    key: str
    image: str | None
    data: dict[str, Any]
    answers: list[Answer] = field(default_factory=list)
    predicted: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""  # why it cannot be used

    @property
    def label_answer(self) -> Answer | None:
        """The answer that is the label.

        One that was declared the truth, else the latest, as the log of a bench has it.
        """
        given = [answer for answer in self.answers if answer.label is not None]
        return max(given, key=lambda a: (a.truth, a.ts or ""), default=None)


@dataclass
class TaskFile:
    """What an export holds."""

    tasks: list[Task]
    converted: bool  # a row an answer (JSON-MIN, CSV), not a task with its annotations
    image: str  # the field that holds the image
    control: str | None  # the name of the choices that are the label
    shown: str = "image"  # the name of what they are about
    several: bool = False  # whether a task may have several choices
    counts: Counter[str] = field(default_factory=Counter)  # of what was not read, in words


def read_tasks(rows: list, options: ImportOptions, name: str, several: bool = False) -> TaskFile:
    """Read the tasks of a parsed export.

    several: its labelling config lets people choose several classes; so it is, too, where somebody did. UserError where
    the answers are no classes of an image.
    """
    several = several or options.multilabel
    rows = [row if isinstance(row, dict) else {} for row in rows]
    if not rows:
        raise UserError(f"expected tasks in {name}, found none", "export the project again")
    converted = not any(isinstance(row.get("data"), dict) for row in rows)
    datas = [row if converted else as_dict(row.get("data")) for row in rows]
    image = choose_image(datas, options, name)
    if converted:
        control = choose_column(datas, image, options, name)
        several = several or any(len(read_cell(row, control)) > 1 for row in datas)
        file = TaskFile([], True, image, control, several=several)
        add_rows(file, rows, name)
    else:
        control, shown = choose_control(rows, options, name)
        several = several or has_several(rows, control)
        file = TaskFile([], False, image, control, shown, several)
        ids = name_tasks(rows, image)
        for n, (row, data) in enumerate(zip(rows, datas)):
            file.tasks.append(read_task(file, n, ids[n], row, data, name, options))
    return file


def name_tasks(rows: list[dict], image: str) -> list[str]:
    """Name tasks by their id, else image, else number."""
    ids = [row.get("id") for row in rows]
    paths = [as_dict(row.get("data")).get(image) for row in rows]
    for names in (ids, paths):
        there = [name for name in names if name is not None]
        if there and len(set(map(str, there))) == len(there):
            return [f"task {n}" if i is None else str(i) for n, i in enumerate(names)]
    return [f"task {n}" for n in range(len(rows))]


# ---- tasks with their annotations


def read_task(
    file: TaskFile,
    number: int,
    key: str,
    row: dict,
    data: dict,
    name: str,
    options: ImportOptions,
) -> Task:
    """Read one task and its answers."""
    task = Task(number, key, as_text(data.get(file.image)), data)
    if not isinstance(row.get("data"), dict):
        task.wrong = "has no data"
    for n, annotation in enumerate(list_annotations(row)):
        if is_cancelled(annotation):
            file.counts["annotations were skipped by who annotated"] += 1
            continue
        choices = list_choices(annotation, file.control)
        if not choices and file.several and file.control:
            file.counts["annotations chose no class: their label is the empty set"] += 1
        elif not choices:
            continue
        label = name_choices(file, task, choices)
        ts = annotation.get("updated_at") or annotation.get("created_at")
        who = name_person(annotation.get("completed_by"))
        truth = bool(annotation.get("ground_truth"))
        task.answers.append(Answer(label, who, read_time(ts), truth, n))
    for prediction in map(as_dict, as_list(row.get("predictions"))):
        if choices := list_choices(prediction, file.control):
            score, model = prediction.get("score"), prediction.get("model_version")
            said = ", ".join(choices) if file.several else choices[0]
            found = dict(predicted=said, predicted_score=score, predicted_by=model)
            task.predicted = {k: v for k, v in found.items() if isinstance(v, str | int | float)}
            file.counts["predictions of models are kept as metadata, not as labels"] += 1
    return task


def has_several(rows: list[dict], control: str | None) -> bool:
    """Tell whether somebody chose several classes of one task."""
    return control is not None and any(
        len(list_choices(annotation, control)) > 1
        for row in rows
        for annotation in list_annotations(row)
        if not is_cancelled(annotation)
    )


def name_choices(file: TaskFile, task: Task, choices: list[str]) -> str | None:
    """Name the label of an answer: its choice, or the set of its choices.

    None where they make no set; the task says why.
    """
    if not file.several:
        return choices[0]
    try:
        return join_names(choices)
    except BadLabels as e:
        task.wrong = task.wrong or str(e)
        return None


def read_cell(row: dict, control: str | None) -> list[str]:
    """Read the choices in a row of a converted export."""
    value = row.get(control) if control else None
    choices = as_list(value.get("choices")) if isinstance(value, dict) else [value]
    return [str(choice) for choice in choices if choice not in (None, "")]


def list_choices(annotation: dict, control: str | None) -> list[str]:
    """List the choices that an annotation has for a question."""
    found: list[str] = []
    for result in map(as_dict, as_list(annotation.get("result"))):
        if result.get("type") == "choices" and str(result.get("from_name")) == control:
            found += map(str, as_list(as_dict(result.get("value")).get("choices")))
    return found


def as_text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def name_person(person: object) -> str:
    """Name who annotated: by e-mail or name, else number."""
    if isinstance(person, dict):
        full = " ".join(str(person.get(k) or "") for k in ("first_name", "last_name")).strip()
        named = person.get("email") or person.get("username") or full
        person = named or person.get("id")
    if isinstance(person, str) and person.strip() and not person.strip().isdigit():
        return shorten(person.strip(), 300)
    return "label-studio" if person is None or person == "" else f"label-studio-{person}"


def read_time(text: object) -> str | None:
    """Read a time; UTC where it says nothing else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).isoformat()


# ---- a row an answer


def add_rows(file: TaskFile, rows: list[dict], name: str) -> None:
    """Group the rows of a converted export by their task."""
    by_key: dict[str, Task] = {}
    for n, row in enumerate(rows):
        id, path = row.get("id"), as_text(row.get(file.image))
        key = str(id) if id not in (None, "") else path or f"row {n}"
        task = by_key.get(key)
        if task is None:
            data = {k: v for k, v in row.items() if k not in (*OF_ROWS, file.control)}
            task = by_key[key] = Task(n, key, path, data)
        choices = read_cell(row, file.control)
        empty = file.several and file.control and row.get("annotation_id") not in (None, "")
        if choices or empty:
            ts = row.get("updated_at") or row.get("created_at")
            who = name_person(row.get("annotator"))
            label = name_choices(file, task, choices)
            task.answers.append(Answer(label, who, read_time(ts), False, n))
    file.tasks = list(by_key.values())
