"""Which columns of a Hugging Face data set hold what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.hf_features import LONGEST_CAPTION, SEQUENCES, Features
from assay.curation.formats.row_columns import DESCRIBING, choose_row_label
from assay.curation.formats.table_cells import Places, Table
from assay.curation.formats.table_labels import LABELS, holds_classes
from assay.curation.formats.text_columns import choose_text_column
from assay.curation.media.base import media_type
from assay.curation.media.row_cells import infer_kind, read_column

if TYPE_CHECKING:
    import pyarrow as pa

ALONE = "--pictures-only imports the images without labels"
SPLITS = ("split",)
MASKS = ("annotation", "mask", "label", "segmentation", "seg", "target", "ground_truth")
CAPTIONS = ("text", "caption", "captions", "prompt", "question", "answer", "answers", "sentence")
SAMPLE_ROWS = 2_000  # of which a column's values are looked at to see whether they are classes


@dataclass(frozen=True)
class Columns:
    """The names of columns by what they hold; None where no column holds it."""

    content: str | None  # the images or the texts; None: each row is a sample itself
    label: str | None
    split: str | None
    id: str | None
    group: str | None
    metadata: tuple[str, ...]
    unread: tuple[str, ...]  # of bytes, lists and structs
    media: str = "image"  # what the rows are
    notes: tuple[str, ...] = ()
    several: bool = False  # whether a row has several labels


def choose_columns(
    features: Features, schema: pa.Schema, first: dict[str, list], options: ImportOptions, name: str
) -> Columns:
    """Choose the columns asked for, and those that features name.

    first: values of the first rows of plain columns. Where there is no image, the texts are the
    samples, and where there are none, the rows that a label and columns describe. UserError where there
    is none of these, or where the labels are boxes, masks or text.
    """
    asked = {role: column for role, column in options.columns.items() if column}
    for role, column in asked.items():
        if column != "none" and column not in features.types:
            known = list(features.types)
            raise UnknownColumn(
                f"expected a column {column} in {name}, found {', '.join(known)}",
                f"--{role}-column takes one of these",
                column,
                known,
            )
    notes: list[str] = []
    text = None if options.media == "row" else choose_text(features, first, asked, name, notes)
    rows = not text and are_rows(features, first, asked, options)
    image = None if rows else text or asked.get("image") or choose_image(features, name)
    if not (text or rows) and image not in features.images:
        raise UserError(
            f"expected images in the column {image} of {name}, found {features.types.get(image)}",
            f"--image-column takes one of {', '.join(features.images) or 'none: there are none'}",
        )
    given = {role: None if column == "none" else column for role, column in asked.items()}
    split = given.get("split") if "split" in given else pick(first, SPLITS)
    id = given.get("id")  # where nobody says it, a row's number is as good, and no id comes twice
    taken = {image, split, id, given.get("group")}
    if options.pictures_only:
        label = None
    elif "label" in given:
        label = given["label"]
        if label and (kind := find_labels_of_another_kind(features, label)):
            raise refuse_labels(name, label, kind)
    elif rows and not (features.classes or list_sets(features)):
        table = Table(first, Places("row", range(len(next(iter(first.values()), [])))))
        label = choose_row_label(table, None, taken, name).column
    else:
        label = choose_label(features, first, taken, None if text else image, name)
    taken.add(label)
    rest = [column for column in schema.names if column not in taken]
    metadata = tuple(column for column in rest if column in first)
    unread = tuple(column for column in rest if column not in first)
    media = "row" if rows else "text" if text else "image"
    if text and options.media and media_type(options.media).in_cell:
        media = options.media
    return Columns(
        image,
        label,
        split,
        id,
        given.get("group"),
        metadata,
        unread,
        media,
        tuple(notes),
        bool(label) and label in list_sets(features),
    )


def are_rows(
    features: Features, first: dict[str, list], asked: dict[str, str], options: ImportOptions
) -> bool:
    """Whether the rows are samples themselves: asked for, or with a label and columns that describe them."""
    if options.media or asked.get("image") or features.images or options.pictures_only:
        return options.media == "row"
    named = [c for c in first if c.lower() in LABELS]
    labels = {asked.get("label"), *features.classes, *named} - {None, "none"}
    describing = (c for c in first if c not in {*labels, *asked.values()})
    kinds = (infer_kind(c, read_column(first[c])).kind for c in describing)
    return bool(labels) and any(kind in DESCRIBING for kind in kinds)


def choose_text(
    features: Features,
    first: dict[str, list],
    asked: dict[str, str],
    name: str,
    notes: list[str],
) -> str | None:
    """Choose the column of texts where these are the samples, else None."""
    text = asked.get("text")
    if text == "none" or not text and (asked.get("image") or features.images):
        return None
    taken = {*asked.values(), *features.classes}
    free = {
        column: values
        for column, values in first.items()
        if column not in taken and column.lower() not in (*LABELS, *SPLITS)
    }
    return choose_text_column(free, text, name, notes)


def pick(columns: dict[str, list], names: Sequence[str]) -> str | None:
    """Pick the first column that is called by one of `names`."""
    return next((c for n in names for c in columns if c.lower() == n), None)


def choose_image(features: Features, name: str) -> str:
    """Choose the only column of images, or the one called so."""
    images = features.images
    if not images:
        found = ", ".join(f"{column} ({kind})" for column, kind in features.types.items())
        raise UserError(
            f"expected a column of images in {name}, found {found}",
            "Assay reads labelled images and texts (--text-column NAME); sound and video are not read yet",
        )
    called = [c for c in images if c.lower() in ("image", "img")]
    if len(images) > 1 and len(called) != 1:
        raise AmbiguousSource(
            f"expected one column of images in {name}, found {len(images)}",
            [Reading(f"the images are in {c}", f"--image-column {c}") for c in images],
        )
    return called[0] if called else images[0]


def choose_label(
    features: Features,
    first: dict[str, list],
    taken: set[str | None],
    image: str | None,
    name: str,
) -> str | None:
    """Choose the column of class names, else one that looks it.

    image: the column of images, of which texts beside may be meant; None where the samples are texts.
    """
    declared = [column for column in features.classes if column not in taken]
    sets = [column for column in list_sets(features) if column not in taken]
    if len(sets) == 1 and not declared:
        return sets[0]
    exact = [c for c in declared if c.lower() == "label"]
    if len(declared) == 1 or len(exact) == 1:
        return (exact or declared)[0]
    free = {c: values for c, values in first.items() if c not in taken}
    by_name = [c for c in free if c.lower() == "label"] or [c for c in free if c.lower() in LABELS]
    could = declared or by_name or [c for c in free if holds_classes(free[c])]
    if not declared and image:
        refuse_other_labels(features, free, image, bool(by_name), name)
    if len(could) > 1:
        raise AmbiguousSource(
            f"expected one column of labels in {name}, found {len(could)}",
            [Reading(f"the labels are in {c}", f"--label-column {c}") for c in could]
            + [Reading("no labels: a pool", "--label-column none")],
        )
    if could and not by_name and not declared and len(free) > 1:
        # a guess by its values alone, beside others that may be meant
        return could[0]
    return could[0] if could else None


def list_sets(features: Features) -> list[str]:
    """List the columns of several classes a row: lists of them, or lists that are called labels."""
    return [
        column
        for column, kind in features.types.items()
        if column in features.several
        or kind in SEQUENCES
        and column.lower() in (*LABELS, "labels", "tags")
        and column not in features.boxes
    ]


def refuse_other_labels(
    features: Features, free: dict[str, list], image: str, labelled: bool, name: str
) -> None:
    """Refuse what is no class a row: several, boxes, masks, texts."""
    for column in features.types:
        kind = find_labels_of_another_kind(features, column)
        if kind and not (labelled and kind == "masks"):
            raise refuse_labels(name, column, kind)
    if labelled:
        return
    for column, values in free.items():
        texts = [value for value in values if isinstance(value, str)]
        long = texts and sum(map(len, texts)) / len(texts) > LONGEST_CAPTION
        if texts and not holds_classes(values) and (column.lower() in CAPTIONS or long):
            raise refuse_labels(name, column, "texts")


def find_labels_of_another_kind(features: Features, column: str) -> str | None:
    """Say which labels a column holds that are no class a row."""
    if column in features.boxes:
        return "boxes"
    kind = features.types.get(column)
    if kind == "Image" and column.lower() in MASKS:
        return "masks"
    return None


def refuse_labels(name: str, column: str, kind: str) -> UserError:
    return UserError(
        f"expected one class for each image of {name}, found {kind} in the column {column}",
        f"Assay reads labels that are one class an image; {ALONE}, --label-column NAME takes another column",
    )
