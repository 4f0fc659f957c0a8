"""Which field of a task is the image, which question the label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError, shorten
from assay.curation.formats.base import ImportOptions
from assay.curation.media.images import SUFFIXES
from assay.curation.text import format_count

ALONE = "--pictures-only imports the images without labels"
LOOKED_AT = 500  # tasks of which the data show where the images are
SERVED = ("/data/upload/", "/data/local-files/")  # how Label Studio's own addresses begin
IMAGES = ("image", "img", "picture", "photo")
# what a converted row has beside the task's data and its answers
OF_ROWS = (
    "id annotator annotation_id created_at updated_at lead_time agreement annotation_created_at"
    " ground_truth"
).split()
# what a result is, by the type that Label Studio gives it
BOXES = ("rectangle", "rectanglelabels", "ellipse", "ellipselabels")
MASKS = (
    "brush brushlabels bitmask bitmasklabels polygon polygonlabels keypoint keypointlabels vector"
    " vectorlabels"
).split()
TEXTS = ("textarea", "labels", "hypertextlabels", "paragraphlabels", "chatmessage")


def as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list:
    return value if isinstance(value, list) else []


def choose_image(datas: list[dict], options: ImportOptions, name: str) -> str:
    """Choose the field of images: asked for, or the only one."""
    asked = options.columns.get("image")
    seen = Counter(
        key for data in datas[:LOOKED_AT] for key, v in data.items() if looks_like_image(v)
    )
    if asked:
        if not any(asked in data for data in datas):
            raise UnknownColumn(
                f"expected a field {asked} in the tasks of {name}, found {', '.join(seen) or 'none'}",
                "--image-column takes one of these",
                asked,
                seen,
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
            [
                Reading(f"{format_count(n, 'image')} in {key}", f"--image-column {key}")
                for key, n in seen.items()
            ],
        )
    return (named or list(seen))[0]


def looks_like_image(value: object) -> bool:
    """Whether a field's value is a path or address of an image."""
    if not isinstance(value, str) or len(value) > 5_000:
        return False
    return value.startswith(SERVED) or value.partition("?")[0].lower().endswith(SUFFIXES)


def choose_control(rows: list[dict], options: ImportOptions, name: str) -> tuple[str | None, str]:
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
            raise UnknownColumn(
                f"expected choices called {asked} in {name}, found {', '.join(shown) or 'none'}",
                "--label-column takes one of these",
                asked,
                shown,
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


# ---- a row an answer


def choose_column(rows: list[dict], image: str, options: ImportOptions, name: str) -> str | None:
    """Choose the column of a converted export that holds the choices."""
    names = dict.fromkeys(key for row in rows for key in row)
    asked = options.columns.get("label")
    if options.pictures_only or asked == "none":
        return None
    if asked:
        if asked not in names:
            raise UnknownColumn(
                f"expected a column {asked} in {name}, found {', '.join(names)}",
                "--label-column takes one of these",
                asked,
                names,
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
