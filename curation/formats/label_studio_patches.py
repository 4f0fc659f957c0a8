"""Change choices in an export of Label Studio, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.formats.json_text import Child, list_children, splice
from assay.curation.formats.label_studio_tasks import Task, TaskFile
from assay.curation.formats.moves import none_of
from assay.curation.tasks.multilabel import read_set
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

Piece = tuple[int, int, str]  # what of a text is replaced: from, to, by what


def plan_task_patch(path: Path, name: str, file: TaskFile, changes: pd.DataFrame) -> Patch:
    """Plan the new text of an export, called `name` in its source."""
    tasks = {task.key: task for task in file.tasks}
    new: list[tuple[Task, str | None]] = []
    gone = [tasks[key] for key in changes.key[changes.removed.astype(bool)] if key in tasks]
    notes = []
    if moved := int((changes["split"].notna() & ~changes.removed).sum()):
        notes.append(
            f"{format_count(moved, 'sample')} changed their split, which tasks do not say:"
            " --format manifest does"
        )
    voted = 0
    for change in changes.itertuples():
        given, label = none_of(change.given_label), none_of(change.label)
        if change.removed or label == given:
            continue
        task = tasks.get(change.key)
        said = task and task.label_answer and task.label_answer.label
        if task is None or said != given:
            found = "no such task" if task is None else f"the answer {said}"
            raise UserError(
                f"expected the answer {given} to task {change.key} of {path.name}, found {found}:"
                " it has changed since",
                "import it again, then export",
            )
        if file.control is None:
            raise UserError(
                f"expected choices in {path.name} to say {label}, found none",
                "use --format label-studio: it writes tasks with a labelling config",
            )
        voted += len(task.answers) > 1
        new.append((task, label))
    if voted:
        notes.append(
            f"{voted:,} tasks have several answers: the one that is the label was changed, the others stay"
        )
    rewritten: dict[str, Callable[[Path], None]] = {}
    if new or gone:
        write = write_csv if path.suffix.lower() == ".csv" else write_json
        rewritten[name] = partial(write, path, file, new, gone)
    return Patch(rewritten, notes=notes)


def list_rows(file: TaskFile, gone: list[Task]) -> set[int]:
    """List the numbers of the rows that hold some tasks.

    Where a file has a row for each answer, a task has several.
    """
    rows = {task.number for task in gone}
    if file.converted:
        rows |= {answer.number for task in gone for answer in task.answers}
    return rows


def cut_rows(rows: list[Child], gone: set[int]) -> list[Piece]:
    """Cut rows out of a list, each with a comma beside it."""
    pieces, kept = [], [i for i in range(len(rows)) if i not in gone]
    if not kept:
        return [(rows[0].start, rows[-1].end, "")]
    if kept[0]:
        pieces.append((rows[0].start, rows[kept[0]].start, ""))
    for i, j in zip(kept, [*kept[1:], len(rows)]):
        if j > i + 1:
            pieces.append((rows[i].end, rows[j - 1].end, ""))
    return pieces


def write_json(
    path: Path,
    file: TaskFile,
    new: list[tuple[Task, str | None]],
    gone: list[Task],
    target: Path,
) -> None:
    """Write the JSON again with new choices, without some tasks."""
    blob = path.read_bytes()
    mark = b"\xef\xbb\xbf" if blob.startswith(b"\xef\xbb\xbf") else b""
    text = blob[len(mark) :].decode("utf-8")
    rows = list_children(text)
    plain = text.isascii()
    pieces = cut_rows(rows, list_rows(file, gone)) if gone else []
    for task, label in new:
        if file.converted:
            answer = task.label_answer
            row = rows[answer.number if answer else task.number]
            pieces += set_choice(text, row, file, label, plain)
        else:
            pieces += set_annotation(text, rows[task.number], file, task, label, plain)
    target.write_bytes(mark + splice(text, pieces).encode("utf-8"))


def write_csv(
    path: Path,
    file: TaskFile,
    new: list[tuple[Task, str | None]],
    gone: list[Task],
    target: Path,
) -> None:
    """Write the table again with new choices, without some tasks."""
    from assay.curation.formats.text_patches import patch_csv, rewrite_text

    def change(text: str) -> str:
        from assay.curation.csv_files import read_rows

        lines = [line for line, _ in read_rows(text)][1:]
        cells: dict[int, dict[str, Any]] = {}
        for task, label in new:
            answer = task.label_answer
            number = answer.number if answer else task.number
            cells[lines[number]] = {file.control or "": write_cell(file, label)}
        return patch_csv(text, cells, {lines[row] for row in list_rows(file, gone)})

    rewrite_text(path, target, change)


def list_names(file: TaskFile, label: str | None) -> list[str]:
    """List the choices that a label is."""
    if label is None:
        return []
    return list(read_set(label)) if file.several else [label]


def write_cell(file: TaskFile, label: str | None) -> str | None:
    """Write a label as a cell of a converted table has it: one choice as a text, several as JSON."""
    if not file.several or label is None:
        return label
    names = list_names(file, label)
    return names[0] if len(names) == 1 else json.dumps({"choices": names}, ensure_ascii=False)


def set_choice(
    text: str, row: Child, file: TaskFile, label: str | None, plain: bool
) -> list[Piece]:
    """Set the choice of a converted row, or its choices."""
    names, control = list_names(file, label), file.control or ""
    one = names[0] if len(names) == 1 else {"choices": names} if file.several and names else None
    members = list_children(text, row.start)
    held = next((child for child in reversed(members) if child.key == control), None)
    if held is None:
        said = f"{json.dumps(control, ensure_ascii=plain)}: {json.dumps(one, ensure_ascii=plain)}"
        return [(members[-1].end, members[-1].end, set_apart(text, members) + said)]
    if isinstance(held.value, dict):
        held = next(c for c in list_children(text, held.start) if c.key == "choices")
        return [replace_choices(text, held, names, plain)]
    return [(held.start, held.end, json.dumps(one, ensure_ascii=plain))]


def set_annotation(
    text: str, row: Child, file: TaskFile, task: Task, label: str | None, plain: bool
) -> list[Piece]:
    """Set the choice of a task's label, or add an annotation."""
    members = {child.key: child for child in list_children(text, row.start)}
    held = members.get("annotations", members.get("completions"))
    answer = task.label_answer
    if held is not None and answer is not None:
        annotation = list_children(text, held.start)[answer.number]
        results = find_member(text, annotation, "result")
        for result in list_children(text, results.start):
            value = result.value
            if value.get("type") == "choices" and str(value.get("from_name")) == file.control:
                choices = find_member(text, find_member(text, result, "value"), "choices")
                return [replace_choices(text, choices, list_names(file, label), plain)]
        if file.several:  # an annotation that chose nothing
            made = make_annotation(file.control, file.shown, list_names(file, label))["result"]
            return [(results.start, results.end, json.dumps(made, ensure_ascii=plain))]
    made = make_annotation(file.control, file.shown, list_names(file, label))
    added = json.dumps(made, ensure_ascii=plain)
    if held is None or not isinstance(held.value, list):
        last = list(members.values())[-1]
        start = set_apart(text, list(members.values()))
        if held is not None:
            return [(held.start, held.end, f"[{added}]")]
        return [(last.end, last.end, f'{start}"annotations": [{added}]')]
    others = list_children(text, held.start)
    if not others:
        return [(held.start, held.end, f"[{added}]")]
    return [(others[-1].end, others[-1].end, f", {added}")]


def make_annotation(control: str | None, shown: str, names: list[str]) -> dict[str, Any]:
    """Make an annotation with its choices."""
    value = {"choices": names}
    result = dict(from_name=control, to_name=shown, type="choices", value=value)
    return {"result": [result]}


def replace_choices(text: str, choices: Child, names: list[str], plain: bool) -> Piece:
    """Replace the choices in a list of them."""
    said = ", ".join(json.dumps(name, ensure_ascii=plain) for name in names)
    inside = list_children(text, choices.start) if isinstance(choices.value, list) else []
    if not inside:
        return (choices.start, choices.end, f"[{said}]")
    return (inside[0].start, inside[-1].end, said)


def find_member(text: str, child: Child, name: str) -> Child:
    return next(c for c in reversed(list_children(text, child.start)) if c.key == name)


def set_apart(text: str, members: list[Child]) -> str:
    """Find the text between two members of an object."""
    if len(members) < 2:
        return ", "
    return text[members[-2].end : members[-1].opens]
