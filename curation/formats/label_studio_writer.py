"""Write a version as tasks for Label Studio, with its labelling config."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.base import Export
from assay.curation.formats.copying import choose_suffix, read_originals
from assay.curation.storage.top_probs import find_likeliest
from assay.curation.tasks.multilabel import likely_sets, read_set

if TYPE_CHECKING:
    import pandas as pd

TASKS, CONFIG, IMAGES = "tasks.json", "config.xml", "images"
CONTROL, SHOWN = "label", "image"
MODEL = "assay"  # and the version whose labels it was fitted to
LARGEST = 4 << 20  # bytes of a config that is read


def write_tasks(folder: Path, export: Export) -> None:
    """Write tasks.json and config.xml, and images that have to come along."""
    samples = export.samples
    paths = place_images(folder, samples, export.copy)
    predicted = predict(export)
    with open(folder / TASKS, "w", encoding="utf-8") as file:
        file.write("[")
        for n, row in enumerate(samples.itertuples()):
            task = make_task(n + 1, row, paths[row.sample_id], predicted.get(row.sample_id), export)
            file.write(("," if n else "") + "\n" + json.dumps(task, ensure_ascii=False))
        file.write("\n]\n")
    (folder / CONFIG).write_text(make_config(export.classes, export.several), encoding="utf-8")


def place_images(folder: Path, samples: pd.DataFrame, copy: bool) -> dict[str, str]:
    """Name the address of every image, as Label Studio serves local files.

    Below the folder where they are taken along, else where they lie: from / on.
    """
    lie = [not copy and os.path.isfile(uri) for uri in samples.uri]
    paths = {row.sample_id: address(row.uri.lstrip("/")) for row in samples[lie].itertuples()}
    rest = samples[[not there for there in lie]]
    if not len(rest):
        return paths
    (folder / IMAGES).mkdir()
    names = {}
    for row, blob in read_originals(rest.drop_duplicates("content_hash")):
        name = row.content_hash + choose_suffix(row.uri, blob)
        (folder / IMAGES / name).write_bytes(blob)
        names[row.content_hash] = name
    for row in rest.itertuples():
        paths[row.sample_id] = address(f"{IMAGES}/{names[row.content_hash]}")
    return paths


def address(path: str) -> str:
    return f"/data/local-files/?d={quote(path)}"


def predict(export: Export) -> dict[str, tuple[str, float]]:
    """Look up what the bench predicts: {sample: (label, probability)}.

    Of several labels a sample: the probability of the class that it is least sure of, to be there or not.
    """
    if export.bench is None:
        return {}
    try:
        probs = export.bench.pred_probs(export.version)
    except UserError:  # nothing was scanned: tasks go without predictions
        return {}
    if export.several:
        array = probs.to_numpy()
        sure = np.maximum(array, 1 - array).min(1, initial=1)
        sets = likely_sets(array, list(probs.columns))
        return {i: (label, float(p)) for i, label, p in zip(probs.index, sets, sure)}
    best, score = find_likeliest(probs)
    names = [probs.columns[b] for b in best]
    return {i: (name, float(p)) for i, name, p in zip(probs.index, names, score)}


def make_task(
    number: int, row: Any, path: str, predicted: tuple[str, float] | None, export: Export
) -> dict[str, Any]:
    """Make a task of an image, its label and a prediction."""
    data = {"image": path, "split": row.split, "sample_id": row.sample_id, "key": row.key}
    task: dict[str, Any] = {"id": number, "data": data}
    label = row.label if isinstance(row.label, str) else None
    task["annotations"] = [] if label is None else [{"result": make_results(label, export)}]
    task["predictions"] = []
    if predicted:
        name, score = predicted
        version = f"{MODEL} {export.version}"
        found = dict(
            model_version=version, score=round(score, 6), result=make_results(name, export)
        )
        task["predictions"] = [found]
    return task


def make_results(label: str, export: Export) -> list[dict[str, Any]]:
    """Make the result of a label: its choice or choices; none for the empty set, as people leave it."""
    names = list(read_set(label)) if export.several else [label]
    value = {"choices": names}
    result = {"from_name": CONTROL, "to_name": SHOWN, "type": "choices", "value": value}
    return [result] if names else []


def make_config(classes: list[str], several: bool = False) -> str:
    """Make the labelling config: an image and one choice of the classes, or several."""
    how = "multiple" if several else "single"
    choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in classes)
    return (
        f'<View>\n  <Image name="{SHOWN}" value="$image"/>\n'
        f'  <Choices name="{CONTROL}" toName="{SHOWN}" choice="{how}" showInline="true">\n'
        f"{choices}  </Choices>\n</View>\n"
    )


def read_classes(path: Path) -> list[str]:
    """Read a config's classes; [] where it cannot be read."""
    from xml.etree import ElementTree

    try:
        with open(path, "rb") as file:
            root = ElementTree.fromstring(file.read(LARGEST))
    except (OSError, ElementTree.ParseError):
        return []
    return [str(choice.get("value")) for choice in iter_choices(root)]


def takes_several(path: Path) -> bool:
    """Tell whether a config lets people choose several classes."""
    from xml.etree import ElementTree

    try:
        with open(path, "rb") as file:
            root = ElementTree.fromstring(file.read(LARGEST))
    except (OSError, ElementTree.ParseError):
        return False
    return any(control.get("choice") == "multiple" for control in root.iter("Choices"))


def iter_choices(root: Any) -> Iterator[Any]:
    return (choice for choice in root.iter("Choice") if choice.get("value"))
