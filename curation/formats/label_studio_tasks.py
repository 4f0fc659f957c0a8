"""The tasks of a Label Studio export: who gave which image which choice, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from assay.curation.errors import AmbiguousSource, Reading, UserError, shorten
from assay.curation.formats.base import ImportOptions
from assay.curation.media.images import SUFFIXES

ALONE = "--pictures-only imports the images without labels"
LOOKED_AT = 500  # tasks of which the data show where the images are
SERVED = ("/data/upload/", "/data/local-files/")  # how Label Studio's own addresses begin
IMAGES = ("image", "img", "picture", "photo")
# what a converted row has beside the task's data and its answers
OF_ROWS = (
    "id annotator annotation_id created_at updated_at lead_time agreement annotation_created_at ground_truth".split()
)
# what a result is, by the type that Label Studio gives it
BOXES = ("rectangle", "rectanglelabels", "ellipse", "ellipselabels")
MASKS = "brush brushlabels bitmask bitmasklabels polygon polygonlabels keypoint keypointlabels vector vectorlabels".split()
TEXTS = ("textarea", "labels", "hypertextlabels", "paragraphlabels", "chatmessage")


class Answer(NamedTuple):
    """What one person said about an image."""

    label: str | None
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
    def counted(self) -> Answer | None:
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
    counts: Counter[str] = field(default_factory=Counter)  # of what was not read, in words


def read_tasks(rows: list, options: ImportOptions, name: str, columns: bool = False) -> TaskFile:
    """Read the tasks of a parsed export.

    columns: whether it is a table, where every cell is text. UserError where the answers are not
    one class an image.
    """
    rows = [row if isinstance(row, dict) else {} for row in rows]
    if not rows:
        raise UserError(f"expected tasks in {name}, found none", "export the project again")
    converted = not any(isinstance(row.get("data"), dict) for row in rows)
    datas = [row if converted else as_dict(row.get("data")) for row in rows]
    image = choose_image(datas, options, name)
    if converted:
        control = choose_column(datas, image, options, name)
        file = TaskFile([], True, image, control)
        add_rows(file, rows, options)
    else:
        control, shown = choose_control(rows, options, name)
        file = TaskFile([], False, image, control, shown)
        ids = name_tasks(rows, image)
        for n, (row, data) in enumerate(zip(rows, datas)):
            file.tasks.append(read_task(file, n, ids[n], row, data, name, options))
    return file


def as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list:
    return value if isinstance(value, list) else []


def name_tasks(rows: list[dict], image: str) -> list[str]:
    """Name tasks by their id, else by their image, else by their number."""
    ids = [row.get("id") for row in rows]
    paths = [as_dict(row.get("data")).get(image) for row in rows]
    for names in (ids, paths):
        if None not in names and len(set(map(str, names))) == len(names):
            return list(map(str, names))
    return [f"task {n}" for n in range(len(rows))]


# ---- which field and which question


def choose_image(datas: list[dict], options: ImportOptions, name: str) -> str:
    """Choose the field of the images: the one asked for, or the only one that holds some."""
    asked = options.columns.get("image")
    seen = Counter(
        key for data in datas[:LOOKED_AT] for key, v in data.items() if looks_like_image(v)
    )
    if asked:
        if not any(asked in data for data in datas):
            raise UserError(
                f"expected a field {asked} in the tasks of {name}, found {', '.join(seen) or 'none'}",
                "--image-column takes one of these",
            )
        return asked
    if not seen:
        fields = ", ".join(dict.fromkeys(key for data in datas[:LOOKED_AT] for key in data))
        raise UserError(
            f"expected tasks with images in {name}, found the fields {shorten(fields, 200)}",
            "Assay reads labelled images; --image-column NAME says which field holds them",
        )
    named = [key for key in seen if key.lower() in IMAGES]
    if len(seen) > 1 and len(named) != 1:
        raise AmbiguousSource(
            f"expected one image a task in {name}, found {len(seen)} fields of images",
            [Reading(f"{n:,} images in {key}", f"--image-column {key}") for key, n in seen.items()],
        )
    return (named or list(seen))[0]


def looks_like_image(value: object) -> bool:
    """Whether a field's value is a path or address of an image."""
    if not isinstance(value, str) or len(value) > 5_000:
        return False
    return value.startswith(SERVED) or value.partition("?")[0].lower().endswith(SUFFIXES)


def choose_control(
    rows: list[dict], options: ImportOptions, name: str
) -> tuple[str | None, str]:
    """Choose the choices that are the label, and what they are about.

    UserError where the answers are boxes, masks or texts.
    """
    shown: dict[str, str] = {}
    others: dict[str, str] = {}  # kind of answer -> its name
    for result in list_results(rows):
        control, kind = str(result.get("from_name")), result.get("type")
        if kind == "choices":
            shown.setdefault(control, str(result.get("to_name") or "image"))
        elif kind not in ("relation", None):
            others.setdefault(describe_kind(str(kind)), control)
    asked = options.columns.get("label")
    if options.pictures_only or asked == "none":
        return None, "image"
    if asked:
        if asked not in shown:
            raise UserError(
                f"expected choices called {asked} in {name}, found {', '.join(shown) or 'none'}",
                "--label-column takes one of these",
            )
        return asked, shown[asked]
    if others:
        kind, control = next(iter(others.items()))
        choice = "".join(f"; --label-column {c} reads the choices alone" for c in shown)
        raise refuse(name, f"{kind} ({control})", choice)
    if len(shown) > 1:
        raise AmbiguousSource(
            f"expected one question a task in {name}, found {len(shown)}",
            [Reading(f"the answers to {c} are the labels", f"--label-column {c}") for c in shown],
        )
    return next(iter(shown.items()), (None, "image"))


def list_results(rows: list[dict]) -> Iterator[dict]:
    """List the results of all annotations that were not cancelled."""
    for row in rows:
        for annotation in list_annotations(row):
            if not is_cancelled(annotation):
                yield from map(as_dict, as_list(annotation.get("result")))


def list_annotations(row: dict) -> list[dict]:
    """List the annotations of a task, completions of old."""
    return [as_dict(a) for a in as_list(row.get("annotations", row.get("completions")))]


def is_cancelled(annotation: dict) -> bool:
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def describe_kind(kind: str) -> str:
    """Say what a result is, by its type."""
    for words, kinds in (("boxes", BOXES), ("masks and points", MASKS), ("texts", TEXTS)):
        if kind in kinds:
            return words
    return "ratings" if kind in ("rating", "number") else kind


def refuse(name: str, found: str, more: str = "") -> UserError:
    return UserError(
        f"expected one class for each image of {name}, found {found}",
        f"Assay reads labels that are one class an image; {ALONE}{more}",
    )


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
        if len(choices) > 1 and file.control:
            raise refuse(name, f"several classes a task (task {key}: {shorten(', '.join(choices), 100)})")
        if not choices:
            continue
        ts = annotation.get("updated_at") or annotation.get("created_at")
        who = name_person(annotation.get("completed_by"))
        truth = bool(annotation.get("ground_truth"))
        task.answers.append(Answer(choices[0], who, read_time(ts), truth, n))
    for prediction in map(as_dict, as_list(row.get("predictions"))):
        if choices := list_choices(prediction, file.control):
            score, model = prediction.get("score"), prediction.get("model_version")
            found = dict(predicted=choices[0], predicted_score=score, predicted_by=model)
            task.predicted = {k: v for k, v in found.items() if isinstance(v, str | int | float)}
            file.counts["predictions of models are kept as metadata, not as labels"] += 1
    return task


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
    """Name who annotated: by e-mail or name, else by the number that Label Studio has."""
    if isinstance(person, dict):
        full = " ".join(str(person.get(k) or "") for k in ("first_name", "last_name")).strip()
        named = person.get("email") or person.get("username") or full
        person = named or person.get("id")
    if isinstance(person, str) and person.strip() and not person.strip().isdigit():
        return shorten(person.strip(), 300)
    return "label-studio" if person is None or person == "" else f"label-studio-{person}"


def read_time(text: object) -> str | None:
    """Read a time of Label Studio, which is in UTC where it says nothing else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).isoformat()


# ---- a row an answer


def choose_column(
    rows: list[dict], image: str, options: ImportOptions, name: str
) -> str | None:
    """Choose the column of a converted export that holds the choices."""
    names = dict.fromkeys(key for row in rows for key in row)
    asked = options.columns.get("label")
    if options.pictures_only or asked == "none":
        return None
    if asked:
        if asked not in names:
            raise UserError(
                f"expected a column {asked} in {name}, found {', '.join(names)}",
                "--label-column takes one of these",
            )
        return asked
    last = [key for key in names if key not in (*OF_ROWS, image)]
    for key in last:
        kind = next((describe_region(row.get(key)) for row in rows if row.get(key)), None)
        if kind:
            raise refuse(name, f"{kind} ({key})")
    # the choices are what only answered rows have
    answered = [row.get("annotation_id") not in (None, "") for row in rows]
    given = [key for key in last if not all(row.get(key) in (None, "") for row in rows)]
    only = [
        key
        for key in given
        if not all(answered)
        and not any(row.get(key) not in (None, "") for row, a in zip(rows, answered) if not a)
    ]
    worded = [k for k in given if k.lower() in ("choice", "label", "class", "classes", "category")]
    several = [k for k in given if any(isinstance(row.get(k), dict) for row in rows)]
    could = worded or several or only or [k for k in given if repeats(rows, k)]
    if len(could) > 1:
        raise AmbiguousSource(
            f"expected one column of choices in {name}, found {len(could)}",
            [Reading(f"the labels are in {c}", f"--label-column {c}") for c in could],
        )
    return could[0] if could else None


def repeats(rows: list[dict], key: str) -> bool:
    """Whether the values of a column repeat, as classes do."""
    values = [str(row[key]) for row in rows if row.get(key) not in (None, "")]
    return 1 < len(set(values)) <= len(values) / 2


def describe_region(value: object) -> str | None:
    """Say which regions a converted value holds, None for none."""
    first = as_dict(next(iter(as_list(value)), None))
    kinds = [kind for kind in first if kind in (*BOXES, *MASKS)]
    if kinds:
        return describe_kind(kinds[0])
    return "boxes" if {"x", "y", "width", "height"} <= set(first) else None


def add_rows(file: TaskFile, rows: list[dict], options: ImportOptions) -> None:
    """Group the rows of a converted export by their task."""
    by_key: dict[str, Task] = {}
    for n, row in enumerate(rows):
        id, path = row.get("id"), as_text(row.get(file.image))
        key = str(id) if id not in (None, "") else path or f"row {n}"
        task = by_key.get(key)
        if task is None:
            data = {k: v for k, v in row.items() if k not in (*OF_ROWS, file.control)}
            task = by_key[key] = Task(n, key, path, data)
        value = row.get(file.control) if file.control else None
        choices = as_list(value.get("choices")) if isinstance(value, dict) else [value]
        choices = [str(choice) for choice in choices if choice not in (None, "")]
        if len(choices) > 1:
            raise refuse("it", f"several classes a task (task {key}: {', '.join(choices)[:100]})")
        if choices:
            ts = row.get("updated_at") or row.get("created_at")
            who = name_person(row.get("annotator"))
            task.answers.append(Answer(choices[0], who, read_time(ts), False, n))
    file.tasks = list(by_key.values())
