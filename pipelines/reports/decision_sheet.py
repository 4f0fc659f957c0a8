"""The queue as one page to decide from, without a server."""

from __future__ import annotations

import base64
import hashlib
import json
import string
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.splits import LOCKED
from assay.curation.versioning.class_list import list_choices
from assay.pipelines.reports.sample_pictures import load_pictures
from assay.pipelines.reports.templates import FOLDER, render, write_page

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import Task, task_of

TAKEN = "sgnduev"  # keys of other acts, here or in the workbench
SIDE = 224  # pixels of a picture's longer side
FIELDS = (
    "sample given_label suggested_label score rank random reason upto".split()
)  # kept with a decision


def write_decision_sheet(bench: Bench, rows: pd.DataFrame, path: str | Path, then: str) -> Path:
    """Write the rows of a queue as a page to decide from.

    rows: as bench.queue has them. Keys or clicks choose; a button saves the decisions as a CSV that
    `assay edit` reads. The page holds its pictures, asks no server for anything and runs one script,
    which its policy names by its hash. then: the command that reads the decisions back.
    """
    state, task = bench.state(), task_of(bench)
    kept = state.label[state.keep & ~state.split.isin(LOCKED)]
    frame = rows.assign(key=rows.source_id, uri=rows.path, was="", now="", text="")
    pictures = load_pictures(frame, bench, SIDE, len(frame))
    cards = [
        row
        | dict(jpeg=picture["jpeg"], name=row["source_id"], fields=list_fields(row))
        | {
            f"shown_{name}": show_cell(task, row[f"{name}_label"])
            for name in ("given", "suggested")
        }
        for row, picture in zip(rows.to_dict("records"), pictures)
    ]
    classes = list_choices(bench, kept.dropna())
    script = (FOLDER / "decision_sheet.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = render(
        "decision_sheet.html",
        dict(
            title=f"What to review in {bench.path.name}",
            css=Markup((FOLDER / "decision_sheet.css").read_text("utf-8")),
            script=Markup(script),
            digest=digest,
            cards=cards,
            classes=classes,
            keys=choose_keys(classes),
            then=then,
            several=task.name == "multilabel",
            sheet=name_sheet(bench, cards),
        ),
    )
    return write_page(page.encode("utf-8", "replace"), path)


def name_sheet(bench: Bench, cards: list[dict]) -> str:
    """Name a sheet by what is on it.

    The same queue, written again, is the same sheet.
    """
    shown = [[card["fields"]["sample"], card["fields"].get("upto")] for card in cards]
    text = json.dumps([str(bench.path.absolute()), shown])
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]


def choose_keys(classes: list[str]) -> list[str]:
    """Choose the key of each class, as the workbench does.

    Its own where all are digits; else 1 to 9, 0, and the letters that mean nothing else there. Classes
    beyond these have none.
    """
    if all(len(name) == 1 and name in string.digits for name in classes):
        return classes
    letters = [c for c in string.ascii_lowercase if c not in TAKEN]
    return [*"1234567890", *letters][: len(classes)]


def show_cell(task: Task, label: object) -> str:
    """Show a label of a queue as people read it; "" for none."""
    return task.show(label) if isinstance(label, str) else ""


def list_fields(row: dict) -> dict[str, str]:
    """List what is stored with a decision, as cells of a CSV."""
    import pandas as pd

    cells = {n: "" if pd.isna(row[n]) else str(row[n]) for n in FIELDS if n in row}
    return cells | dict(random=str(bool(row["random"])).lower())
