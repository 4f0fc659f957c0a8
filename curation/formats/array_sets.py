"""Arrays of images and labels: which belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError
from assay.curation.formats.array_names import (
    IMAGES,
    LABELS,
    MASKS,
    NAMES,
    ArrayInfo,
    role_words,
    split_of,
)
from assay.curation.formats.base import ImportOptions, Listing, Unread
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.containers.stacks import find_shape, has_planes, join
from assay.curation.text import find_flaw

MOST_BYTES = 1 << 30  # of an array of labels, which is loaded whole
PLAIN = "numpy.savez('plain.npz', **{name: array.astype('uint8') or labels.astype('int64')})"


@dataclass
class Pair:
    """An array of images and that of their labels."""

    split: str | None
    images: ArrayInfo
    labels: ArrayInfo | None
    values: np.ndarray | None = None  # of the labels, loaded


def pair_arrays(
    arrays: list[ArrayInfo], options: ImportOptions, file: str
) -> tuple[list[Pair], list[ArrayInfo]]:
    """Pair images with labels, split by split.

    Returns also the arrays that are neither.

    UserError where no array holds images; AmbiguousSource where several could.
    """
    for option in ("split", "id", "group"):
        if options.columns.get(option):
            raise UserError(
                f"--{option}-column: {file} holds arrays, without columns",
                "a table (CSV, Parquet) can say more of each image",
            )
    asked = options.columns.get("image")
    refuse_objects(arrays, file)
    deep = [a for a in arrays if len(a.shape) in (3, 4) and a.shape[0] > 0]
    named = [a for a in deep if role_words(a) & IMAGES] or [
        a for a in deep if not role_words(a) & (MASKS | LABELS)
    ]
    if asked:
        named = [a for a in deep if a.name == asked or asked.lower() in a.words]
    if not named:
        found = ", ".join(f"{a.name or file} {a.dtype} {a.shape}" for a in arrays[:12])
        problem = (
            "expected an array of images, (n, h, w) or (n, h, w, 3) of uint8, found"
            f" {found or 'none of numbers: structs, cells or text'}"
        )
        hint = "name another with --image-column, or reshape it: images.reshape(n, h, w)"
        names = [a.name for a in arrays]
        if asked and asked not in names:
            raise UnknownColumn(f"{problem}, and none called {asked}", hint, asked, names)
        raise UserError(problem, hint)
    by_split: dict[str | None, list[ArrayInfo]] = {}
    for array in named:
        check_images(array, file)
        by_split.setdefault(split_of(array, options.split_map), []).append(array)
    for split, several in by_split.items():
        if len(several) > 1:
            raise AmbiguousSource(
                f"expected one array of images{' for ' + split if split else ''}, found several",
                [Reading(f"{a.shape}", f"--image-column {a.name}") for a in several],
            )
    pairs = [
        Pair(split, images, choose_label_array(arrays, images, split, options))
        for split, (images,) in by_split.items()
    ]
    used = {a.name for pair in pairs for a in (pair.images, pair.labels) if a}
    return pairs, [a for a in arrays if a.name not in used]


def refuse_objects(arrays: list[ArrayInfo], file: str) -> None:
    """Refuse Python objects in the place of images or labels.

    Elsewhere they are left alone.
    """
    for array in arrays:
        if (
            array.dtype.hasobject
            and role_words(array) & (IMAGES | LABELS)
            and array.shape[:1] > (1,)
        ):
            raise UserError(
                f"expected plain arrays in {file}, found Python objects in {array.name}, which are"
                " never loaded",
                f"where you trust it: {PLAIN}",
            )


def check_images(array: ArrayInfo, file: str) -> None:
    """Refuse what only a person can make images of."""
    what = f"{array.name or file}: {array.dtype} {array.shape}"
    if array.dtype != np.uint8:
        kind = array.dtype.kind
        hint = "images.astype('uint8') for 0 to 255"
        hint += ", (images * 255).astype('uint8') for 0 to 1" if kind == "f" else ""
        raise UserError(f"expected images of uint8, found {what}", f"save them again: {hint}")
    if find_shape(array.shape) is None:
        raise UserError(
            f"expected images (n, h, w), (n, h, w, 3) or (n, 3, h, w), found {what}",
            "of four channels: images[..., :3]; of flat pixels: images.reshape(n, h, w); of volumes: slices",
        )


def choose_label_array(
    arrays: list[ArrayInfo], images: ArrayInfo, split: str | None, options: ImportOptions
) -> ArrayInfo | None:
    """Choose the array that has a label for each of some images."""
    asked = options.columns.get("label")
    if asked == "none" or options.pictures_only:
        return None
    could = [
        a
        for a in arrays
        if a is not images
        and a.shape[:1] == images.shape[:1]
        and len(a.shape) <= 2
        and not a.dtype.hasobject
        and split_of(a, options.split_map) == split
    ]
    if asked:
        could = [a for a in could if a.name == asked or asked.lower() in a.words]
        if not could:
            raise UnknownColumn(
                f"expected an array {asked} with a label for each of {images.name}, found none",
                f"found {', '.join(a.name for a in arrays)}",
                asked,
                [a.name for a in arrays],
            )
    named = [a for a in could if role_words(a) & LABELS] or could
    if len(named) > 1:
        raise AmbiguousSource(
            f"expected one array of labels for {images.name}, found several",
            [Reading(f"{a.dtype} {a.shape}", f"--label-column {a.name}") for a in named],
        )
    if not named:
        others = [a for a in arrays if role_words(a) & LABELS and not role_words(a) & IMAGES]
        for a in others:
            if split_of(a, options.split_map) == split:
                raise UserError(
                    f"expected a label for each of {images.name} {images.shape}, found"
                    f" {a.name} {a.shape}",
                    "is the file complete? --label-column none imports without labels",
                )
        return None
    return named[0]


def load_labels(array: ArrayInfo) -> np.ndarray:
    """Load an array of labels; UserError where one image has several."""
    if int(np.prod(array.shape)) * array.dtype.itemsize > MOST_BYTES:
        raise UserError(
            f"expected labels of at most {MOST_BYTES >> 30} GB, found {array.name} {array.shape}",
            "--label-column names another array",
        )
    values = array.load()
    if values.ndim == 2 and values.shape[1] > 1:
        one_hot = values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all()
        if not one_hot or not (values.sum(1) == 1).all():
            raise UserError(
                f"expected one label for each image, found {array.name} {values.shape}",
                "several labels an image are not read yet: --pictures-only imports without them",
            )
    elif values.dtype.kind == "f" and not (np.isnan(values) | (values == np.round(values))).all():
        raise UserError(
            f"expected classes, found numbers such as {values.ravel()[0]} in {array.name}",
            "a measure is no class: --pictures-only imports without it",
        )
    elif values.dtype.kind not in "biufSU":
        raise UserError(
            f"expected labels as numbers or text, found {array.name} of {array.dtype}",
            f"save them again: {PLAIN}",
        )
    return values


def read_values(values: np.ndarray, names: list[str]) -> list[str | None]:
    """Read labels as text; -1, NaN and blanks are none."""
    if values.ndim == 2 and values.shape[1] > 1:
        numbers = values.argmax(1).tolist()
    elif values.dtype.kind in "SU":
        texts = [
            v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values.ravel()
        ]
        return [str(text).strip() or None for text in texts]
    else:
        numbers = [None if v != v else int(v) for v in values.ravel().tolist()]
    return [
        None if n is None or n == -1 else names[n] if 0 <= n < len(names) else str(n)
        for n in numbers
    ]


def read_names(others: list[ArrayInfo], highest: int) -> tuple[list[str], ArrayInfo | None]:
    """Read the class names that an array lists.

    Nothing where it has none for some number.
    """
    for array in others:
        last = array.words[-1:] + ["_".join(array.words[-2:])]
        if NAMES & set(last) and len(array.shape) == 1 and array.dtype.kind in "SU":
            values = [v.decode() if isinstance(v, bytes) else str(v) for v in array.load()]
            names = [value.strip() for value in values]
            if len(set(names)) == len(names) > highest and all(names):
                return names, array
    return [], None


def list_arrays(
    path: Path, arrays: list[ArrayInfo], options: ImportOptions, format: str, kind: str
) -> Listing:
    """List the samples of a source of arrays."""
    pairs, others = pair_arrays(arrays, options, path.name)
    names, named_by = load_pairs(pairs, others)
    left_out: list[tuple[str, str]] = []
    samples = []
    for pair in pairs:
        count = pair.images.shape[0]
        labels = [None] * count if pair.values is None else read_values(pair.values, names)
        for i, label in enumerate(labels):
            key = join(pair.images.name, i)
            if wrong := find_flaw(label or ""):
                left_out.append((key, f"has a label that {wrong}"))
                continue
            uri = f"{pair.images.uri}{i}"
            samples.append(dict(key=key, uri=uri, label=label, split=pair.split, meta={}))
    notes = describe_pairs(pairs, names)
    unread = [a for a in others if a is not named_by]
    told = [Unread("", len(unread), unread[0].name, "arrays of another kind")] if unread else []
    if path.is_dir():
        read = {array.uri.partition("::")[0] for array in arrays}
        beside = sorted(str(f.relative_to(path)) for f in path.rglob("*") if f.is_file())
        told += list_unread(f for f in beside if str(path / f) not in read)
    return Listing(
        format, kind, path.name, [samples], left_out, notes, roles_of(pairs, named_by), told, names
    )


def load_pairs(pairs: list[Pair], others: list[ArrayInfo]) -> tuple[list[str], ArrayInfo | None]:
    """Load the labels of all pairs, and the names of their numbers."""
    highest = -1
    for pair in pairs:
        if pair.labels:
            pair.values = load_labels(pair.labels)
            numbers = read_values(pair.values, [])
            if pair.values.dtype.kind not in "SU":
                highest = max([highest, *(int(n) for n in set(numbers) if n is not None)])
    return read_names(others, highest) if highest >= 0 else ([], None)


def describe_pairs(pairs: list[Pair], names: list[str]) -> list[str]:
    """Say what was guessed."""
    notes = []
    if any(has_planes(find_shape(pair.images.shape) or ()) for pair in pairs):
        notes.append("channels come first, as the shape says: (n, channels, height, width)")
    values = [pair.values for pair in pairs if pair.values is not None]
    if any(v.ndim == 2 and v.shape[1] > 1 for v in values):
        notes.append("labels are rows of one 1 (one-hot): the class is its column")
    if values and not names and any(v.dtype.kind not in "SU" for v in values):
        notes.append("classes are numbers: the file has no names for them")
    return notes


def roles_of(pairs: list[Pair], named_by: ArrayInfo | None) -> dict[str, str]:
    """Say which arrays became images, labels and splits."""
    roles = {"image": ", ".join(f"{p.images.name} {p.images.shape}".strip() for p in pairs)}
    labelled = [p.labels for p in pairs if p.labels]
    named = f", named by {named_by.name}" if named_by else ""
    roles["label"] = ", ".join(f"{a.name} {a.shape}".strip() for a in labelled) or "none"
    roles["label"] += named
    if any(pair.split for pair in pairs):
        found = ", ".join(f"{p.split or 'none'} {p.images.shape[0]:,}" for p in pairs)
        roles["split"] = f"the arrays' names ({found})"
    return roles
