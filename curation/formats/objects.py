"""Objects of other libraries as frames of images and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Held:
    """What an object holds: a column of images, one of labels, perhaps others."""

    frame: pd.DataFrame
    name: str  # what such a source is called
    kind: str  # what it is, in words
    notes: list[str] = field(default_factory=list)


def read_object(source: Any, labels: Any = None, split: Iterable[str] | str = "") -> Held:
    """Read a frame, arrays, a torch Dataset or a Bunch.

    A torch Dataset that keeps its files or arrays is read from those, without its transforms.
    UserError where it is none of these.
    """
    import pandas as pd

    if is_frame(source):
        if hasattr(source, "collect"):  # polars' LazyFrame
            source = source.collect()
        return Held(
            source if isinstance(source, pd.DataFrame) else source.to_pandas(),
            "frame",
            "a DataFrame",
        )
    if isinstance(source, dict) and "target" in source:
        return read_bunch(source)
    if is_of(source, "torch.utils.data", "torchvision"):
        return Held(read_dataset(source, split), "dataset", "a torch Dataset")
    if not hasattr(source, "__iter__"):
        raise UserError(
            f"expected a path, a frame, images, a torch Dataset or a Bunch, found {type(source)}",
            "bench.add(images, labels=labels) takes arrays",
        )
    return Held(make_frame(source, labels, split), "arrays", "arrays of images")


def is_frame(source: Any) -> bool:
    """Whether an object is a pandas or polars frame or pyarrow Table."""
    import pandas as pd

    others = is_of(source, "polars", "pyarrow") and (
        hasattr(source, "to_pandas") or hasattr(source, "collect_schema")
    )
    return isinstance(source, pd.DataFrame) or others


def is_of(source: Any, *packages: str) -> bool:
    """Whether an object is of a package, without importing it."""
    modules = [kind.__module__ for kind in type(source).__mro__]
    return any(f"{module}.".startswith(f"{p}.") for module in modules for p in packages)


def make_frame(
    images: Iterable[Any], labels: Iterable[Any] | None = None, split: Iterable[str] | str = ""
) -> pd.DataFrame:
    """Make a frame of images and their labels.

    images: uint8 (n, h, w) or (n, h, w, 3), or a list of such arrays, PIL images or files' bytes. labels (n,): text or
    whole numbers; None: a pool. split (n,) or one for all; "": it is drawn.
    """
    import pandas as pd

    images = list(images)
    labels = [None] * len(images) if labels is None else list_labels(labels)
    splits = [split] * len(images) if isinstance(split, str) else list(split)
    for what, values in (("labels", labels), ("splits", splits)):
        if len(values) != len(images):
            raise UserError(
                f"expected {what} for {format_count(len(images), 'image')}, found {len(values):,}",
                "give one for each image",
            )
    frame = pd.DataFrame(dict(image=pd.Series(images, dtype=object), label=labels))
    return frame.assign(split=splits) if any(splits) else frame


def list_labels(labels: Any) -> list:
    """List labels (n,) or (n, 1), of an array of any library."""
    if not hasattr(labels, "shape"):
        return [label.item() if hasattr(label, "item") else label for label in labels]
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:  # as Keras has them
        array = array[:, 0]
    if array.ndim != 1:
        raise UserError(
            f"expected one label for each image, found an array of shape {array.shape}",
            "where one of several columns is set: labels.argmax(axis=1); "
            "several labels for an image are not read yet",
        )
    return array.tolist()


def name_classes(numbers: Sequence[Any], classes: Sequence[Any] | None) -> Any:
    """Name classes by their numbers, as a categorical of all."""
    import pandas as pd

    if classes is None or not len(classes):
        return list(numbers)
    names = [str(name) for name in classes]
    if not all(isinstance(n, int) and 0 <= n < len(names) for n in numbers):
        raise UserError(
            f"expected labels from 0 to {len(names) - 1}, one for each of its classes, "
            f"found {sorted(set(map(str, numbers)))[:10]}",
            "give the arrays instead: bench.add(images, labels=labels)",
        )
    if len(set(names)) < len(names):
        return [names[n] for n in numbers]
    return pd.Categorical.from_codes(numbers, names)


def read_bunch(bunch: dict) -> Held:
    """Read a Bunch of scikit-learn that holds images, such as load_digits()."""
    if bunch.get("images") is None:
        raise UserError(
            f"expected a Bunch with images, found {', '.join(map(str, bunch))}",
            "give its arrays: bench.add(bunch.data.reshape(-1, height, width), labels=bunch.target)",
        )
    images, notes = scale_images(np.asarray(bunch["images"]))
    frame = make_frame(images, bunch["target"])
    names = bunch.get("target_names")
    return Held(
        frame.assign(label=name_classes(list(frame.label), names)), "bunch", "a Bunch", notes
    )


def scale_images(images: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Bring arrays of images to bytes, and say how."""
    if images.dtype == np.uint8 or not images.size:
        return images, []
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 255 or high == 0:
        raise UserError(
            f"expected images from 0 to 255, found values from {low:g} to {high:g}",
            "bring them to 0 to 255 first",
        )
    factor = 1.0
    if high <= 1:
        factor = 255.0
    elif high <= 16:  # as load_digits() counts
        factor = 255 / 16
    notes = [f"the images' values, {low:g} to {high:g}, are multiplied by {factor:g}"]
    return np.rint(images * factor).clip(0, 255).astype(np.uint8), notes


def read_dataset(dataset: Any, split: Iterable[str] | str) -> pd.DataFrame:
    """Read the files or arrays that a torch Dataset keeps."""
    inner, classes = getattr(dataset, "dataset", None), getattr(dataset, "classes", None)
    if inner is not None and hasattr(dataset, "indices"):  # a Subset
        if keeps_images(inner):
            whole = read_dataset(inner, "")
            part = whole.iloc[list(dataset.indices)].reset_index(drop=True)
            return part.assign(split=split) if split else part
        classes = getattr(inner, "classes", None)
    files = getattr(dataset, "samples", None) or getattr(dataset, "imgs", None)
    if is_list_of_files(files):
        images, targets = zip(*files)
        frame = make_frame(images, targets, split).rename(columns={"image": "path"})
    elif keeps_images(dataset):
        data, targets = held_arrays(dataset)
        frame = make_frame(as_pictures(data), targets, split)
    else:
        pairs = [dataset[i] for i in range(len(dataset))]
        if any(not isinstance(p, tuple | list) or len(p) != 2 for p in pairs):
            raise UserError(
                "expected a Dataset of pairs (image, label), found others",
                "give the arrays instead: bench.add(images, labels=labels)",
            )
        frame = make_frame([as_picture(image) for image, _ in pairs], [t for _, t in pairs], split)
    return frame.assign(label=name_classes(list(frame.label), classes))


def is_list_of_files(files: Any) -> bool:
    return isinstance(files, list) and bool(files) and isinstance(files[0][0], str)


def keeps_images(dataset: Any) -> bool:
    files = getattr(dataset, "samples", None) or getattr(dataset, "imgs", None)
    return is_list_of_files(files) or held_arrays(dataset) is not None


def held_arrays(dataset: Any) -> tuple[Any, Any] | None:
    """Find the images and labels that a Dataset keeps in memory."""
    tensors = getattr(dataset, "tensors", None)
    if isinstance(tensors, tuple) and len(tensors) == 2:
        return tensors
    data = getattr(dataset, "data", None)
    targets = getattr(dataset, "targets", getattr(dataset, "labels", None))
    if hasattr(data, "shape") and targets is not None and len(data) == len(targets):
        return data, targets
    return None


def as_pictures(data: Any) -> np.ndarray:
    """Put channels last: (n, h, w) or (n, h, w, c)."""
    array = np.asarray(data)
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3, 4):
        array = array.transpose(0, 2, 3, 1)
    return array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array


def as_picture(image: Any) -> Any:
    """One image: a tensor as an array, others as they are."""
    return as_pictures(np.asarray(image)[None])[0] if is_of(image, "torch") else image
