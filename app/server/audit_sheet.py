"""A blind audit in the browser: images under their numbers alone.

Each answer is on disk before it is acknowledged, and all are read back together.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.review import audit
from assay.curation.review.audit_answers import apply_answers
from assay.curation.review.audit_sheet import start_audit
from assay.curation.system import permissions
from assay.curation.tasks.base import task_of
from assay.curation.versioning.class_changes import add_classes, check_name
from assay.curation.versioning.decision_cells import parse_number

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


def sheet_folder(bench: Bench, name: str) -> Path:
    """The folder of a sheet."""
    return bench.path / "audits" / name


def begin_sheet(bench: Bench, who: str, n: int, split: str = "test") -> str:
    """Draw n samples as a sheet in the bench; returns its name."""
    permissions.make_folder(bench.path / "audits")
    made = bench.path / "audits" / f"new-{os.getpid()}"
    out = start_audit(bench, who, split, n, folder=made)
    made.rename(sheet_folder(bench, out["audit"]))
    return out["audit"]


def list_open_sheets(bench: Bench) -> dict[str, dict]:
    """List the sheets not yet read: {name: rule}, oldest first."""
    read = set(audit.find_audited(bench).audit)
    rules = {
        k.removeprefix("audit:"): r for k, r in bench.rules().items() if k.startswith("audit:")
    }
    return {
        k: r
        for k, r in sorted(rules.items(), key=lambda kv: kv[1]["upto"])
        if k not in read and sheet_folder(bench, k).exists()
    }


def row_images(bench: Bench, name: str) -> dict[int, Path]:
    """Find the file of each row's image, by its number."""
    if not name.isalnum() or len(name) > 64 or not sheet_folder(bench, name).is_dir():
        raise UserError(
            f"expected an audit that was begun here, found {name[:40]!r}",
            "begin one on the page Audit",
        )
    return {
        int(p.stem): p for p in sheet_folder(bench, name).glob("images/*") if p.stem.isdecimal()
    }


def load_answers(bench: Bench, name: str) -> dict[int, dict]:
    """Load the answers, the newest last.

    Returns {row: dict label, verdict, seconds}. Of a row's answers the last one counts, unless it was taken back.
    """
    file, out = sheet_folder(bench, name) / "answers.jsonl", {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            answer = json.loads(line)
        except ValueError:  # the line that a kill cut short was never acknowledged
            continue
        out.pop(row := answer.pop("row"), None)
        if not answer.get("undo"):
            out[row] = answer
    return out


def save_answer(bench: Bench, name: str, answer: dict) -> dict:
    """Store one answer, or take it back (undo=True).

    It is durable when this returns.
    """
    row, label, verdict, seconds = (answer.get(k) for k in ("row", "label", "verdict", "seconds"))
    several = task_of(bench).name == "multilabel"
    new = answer.get("new_class") is True and not several  # a new class of sets is added on Classes
    there = type(row) is int and row in row_images(bench, name)
    if there and answer.get("undo") is True:
        return append_answer(bench, name, dict(row=row, undo=True))
    fine = (
        there
        and (label is None or isinstance(label, str) and (new or is_answer(bench, name, label)))
        and verdict in (None, "unsure")
    )
    try:
        fine = fine and isinstance(seconds, int | float) and parse_number(seconds) is not None
    except ValueError:
        fine = False
    if not fine or (label is None) == (verdict is None):
        raise UserError(
            "expected a row of the sheet with a class or unsure, and seconds, found another answer",
            "reload the page",
        )
    stored = dict(row=row, label=label or "", verdict=verdict or "", seconds=seconds)
    if new and label is not None and label not in list_answers(bench, name):
        check_name(label)
        stored |= dict(new_class=label)
    return append_answer(bench, name, stored)


def is_answer(bench: Bench, name: str, label: str) -> bool:
    """Say whether a label is one of the classes of an audit, or a set of these."""
    try:
        return task_of(bench).parse(label, list_answers(bench, name)) == label
    except ValueError:
        return False


def list_answers(bench: Bench, name: str) -> list[str]:
    """List the classes with which an auditor may answer.

    They are the bench's, and those added in this audit.
    """
    classes = audit.list_classes(bench)
    return [*classes, *(label for label in list_added(bench, name) if label not in classes)]


def list_added(bench: Bench, name: str) -> list[str]:
    """List the classes that somebody added with an answer that still stands."""
    answers = load_answers(bench, name).values()
    return list(dict.fromkeys(a["new_class"] for a in answers if "new_class" in a))


def append_answer(bench: Bench, name: str, answer: dict) -> dict:
    """Write one answer; returns {done: how many rows are answered}."""
    file = sheet_folder(bench, name) / "answers.jsonl"
    torn = file.exists() and file.stat().st_size and not file.read_bytes().endswith(b"\n")
    with open(file, "a", opener=permissions.opener) as f:
        f.write("\n" * bool(torn) + json.dumps(answer) + "\n")
        f.flush()
        os.fsync(f.fileno())
    return dict(done=len(load_answers(bench, name)))


def finish_sheet(bench: Bench, name: str, who: str) -> dict:
    """Read the answers back, as `assay audit FILE` does a filled sheet.

    Classes that were added while judging are declared first, in a batch of their own.
    """
    import pandas as pd

    columns = ["audit", "row", "image", "label", "verdict", "seconds", "why"]
    rows = [
        dict(audit=name, row=str(row), image="", why="")
        | {k: str(v) for k, v in answer.items() if k in columns}
        for row, answer in sorted(load_answers(bench, name).items())
    ]
    known = audit.list_classes(bench)
    if new := [label for label in list_answers(bench, name) if label not in known]:
        add_classes(bench, new, who)
    return apply_answers(bench, pd.DataFrame(rows, columns=columns), who)


def row_picture(bench: Bench, name: str, row: int, side: int) -> bytes | None:
    """Make a JPEG of a row's image; None where there is none."""
    from assay.curation.media.files import BadMedia
    from assay.curation.media.pixels import make_thumbnail
    from assay.curation.media.stored_traits import load_traits

    try:
        file = str(row_images(bench, name)[row])
        return make_thumbnail(file, side, load_traits(bench.arrays))
    except (BadMedia, KeyError):
        return None


def row_text(bench: Bench, name: str, row: int) -> str | None:
    """Read a row's text; None where it is an image, or none."""
    file = row_images(bench, name).get(row)
    return file.read_text() if file is not None and file.suffix == ".txt" else None
