"""Data sets in the user's own FiftyOne: export and import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from assay.curation import Bench, text
from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count

if TYPE_CHECKING:
    import numpy as np

    from assay.curation.formats.base import Source


def connect_own() -> Any:
    """Load FiftyOne with the user's own database."""
    from assay.pipelines.fiftyone import mongod
    from assay.pipelines.fiftyone.dataset import QUIET

    if not os.environ.get("FIFTYONE_DATABASE_URI"):
        mongod.find_binary()
    os.environ.update({name: QUIET[name] for name in list(QUIET)[:3]})
    try:
        import fiftyone as fo

        fo.list_datasets()
        return fo
    except Exception as e:  # whatever keeps FiftyOne from its database
        why = (str(e) or type(e).__name__).splitlines()[0]
        raise UserError(
            f"expected to reach your FiftyOne database, found: {why}", mongod.INSTALL
        ) from None


def export_dataset(bench: Bench, name: str, chosen: np.ndarray | None) -> tuple[int, list]:
    """Export the kept samples, or `chosen` ones, as a data set.

    Its name must be new. Returns how many, and the images that are gone: [(key, why)].
    """
    from assay.pipelines.fiftyone import samples
    from assay.pipelines.fiftyone.dataset import create_dataset, write_samples
    from assay.pipelines.fiftyone.sync import push_embeddings

    frame = samples.sample_rows(bench, chosen)
    files, lost = samples.locate_files(bench, frame)
    fo = connect_own()
    if name in fo.list_datasets():
        raise UserError(
            f"expected a new name for the data set, found {name!r} taken",
            "choose another, or delete that one in FiftyOne",
        )
    dataset = create_dataset(fo, name, task_of(bench).several)
    try:
        added, _ = write_samples(fo, dataset, frame, files)
        push_embeddings(bench, dataset)
    except BaseException:
        dataset.delete()  # nothing half-made stays
        raise
    return added, lost


def read_dataset(given: str, field: str | None, split_map: dict[str, str]) -> Source | None:
    """Read fiftyone:NAME as a source to import.

    None where something else is given. `field` holds the labels: by default ground_truth, or the
    only field of classifications.
    """
    prefix, _, name = given.partition(":")
    if prefix != "fiftyone" or os.path.exists(given):
        return None
    from assay.pipelines.fiftyone.dataset import read_classifications

    fo = connect_own()
    if name not in fo.list_datasets():
        known = ", ".join(fo.list_datasets()[:12]) or "none"
        raise UserError(f"expected a FiftyOne data set {name!r}, found {known}", "check its name")
    dataset = fo.load_dataset(name)
    chosen = field_of_labels(fo, name, dataset, field)
    several = chosen != "none" and is_several(fo, dataset, chosen)
    path = chosen if several else f"{chosen}.label"
    labels = [None] * len(dataset) if chosen == "none" else dataset.values(path)
    if several:
        labels = [read_classifications(found) for found in labels]
    rows = zip(*dataset.values(["id", "filepath", "tags"]), labels)
    found = [dict(id=i, filepath=f, tags=t or [], label=x) for i, f, t, x in rows]
    return make_source(name, found, split_map, several)


def field_of_labels(fo: Any, name: str, dataset: Any, field: str | None) -> str:
    """The field that holds the labels, "none" for none.

    UserError where that is not clear.
    """
    kinds = fo.Classification, fo.Classifications
    fields = [f for kind in kinds for f in dataset.get_field_schema(embedded_doc_type=kind)]
    only = fields[0] if len(fields) == 1 else None
    chosen = field or ("ground_truth" if "ground_truth" in fields else only)
    if dataset.media_type not in ("image", None):
        raise UserError(
            f"expected a data set of images in {name!r}, found one of {dataset.media_type}s",
            "export its images from FiftyOne",
        )
    if chosen in (*fields, "none"):
        return chosen
    if len(fields) > 1 and not field:
        readings = [Reading(count_labels(fo, dataset, f), f"--label-column {f}") for f in fields]
        raise AmbiguousSource(
            f"expected one field of classifications in {name!r}, found {len(fields)}: {', '.join(fields)}",
            [*readings, Reading("no labels", "--label-column none")],
        )
    others = [f for f in dataset.get_field_schema(embedded_doc_type=fo.Label) if f not in fields]
    found = ", ".join(fields) or ", ".join(f"{f} (no classifications)" for f in others) or "none"
    raise UserError(
        f"expected images with one field of classifications in {name!r}, found {found}",
        "boxes and masks are not read yet; --label-column FIELD, or none",
    )


def is_several(fo: Any, dataset: Any, field: str) -> bool:
    """Tell whether a field holds several labels a sample."""
    return field in dataset.get_field_schema(embedded_doc_type=fo.Classifications)


def count_labels(fo: Any, dataset: Any, field: str) -> str:
    """Count the classes of a field in words."""
    inside = ".classifications" if is_several(fo, dataset, field) else ""
    counts = dataset.count_values(f"{field}{inside}.label")
    some = ", ".join(f"{label} {n:,}" for label, n in list(counts.items())[:3] if label)
    return f"{format_count(sum(bool(label) for label in counts), 'class')}: {some}"


def make_source(
    name: str, samples: list[dict], split_map: dict[str, str], several: bool = False
) -> Source:
    """Make a source of a FiftyOne data set.

    `samples`: dicts id, filepath, label (of several a list), tags. Its ids are the keys, since files move; a tag that
    names a split is one, the others are metadata.
    """
    import pandas as pd

    from assay.curation.formats.base import Source
    from assay.curation.formats.label_sets import BadLabels, join_names
    from assay.curation.formats.split_words import SPLITS, map_splits

    out, left_out, notes = [], [], []
    for s in samples:
        splits = sorted({t for t in s["tags"] if t in split_map or t.lower() in SPLITS})
        label, wrong = s["label"], None
        if several and label is not None:
            try:
                label = join_names(label)
            except BadLabels as e:
                left_out.append((s["id"], str(e)))
                continue
        else:
            wrong = text.find_flaw(label or "")
        if len(splits) > 1 or wrong:
            several = f"has several splits: {', '.join(splits)}"
            left_out.append((s["id"], f"has a label that {wrong}" if wrong else several))
            continue
        tags = [t for t in s["tags"] if t not in splits]
        row = {
            "key": s["id"],
            "uri": s["filepath"],
            "label": label,
            "split": next(iter(splits), None),
        }
        out.append(row | {"meta": {"tags": tags} if tags else {}})
    if not out:
        raise UserError(
            f"expected samples in the FiftyOne data set {name!r}, found none of {len(samples):,} usable",
            "is it the right one?",
        )
    map_splits(out, split_map, notes)
    task = "multilabel" if several else "classification"
    frame = pd.DataFrame(out, dtype=object)
    return Source(frame, left_out, "FiftyOne data set", name, notes, task=task)
