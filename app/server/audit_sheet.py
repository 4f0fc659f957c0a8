"""A blind audit in the browser: the sheet's images under their numbers alone, each answer on disk before it is answered, and the whole read back."""

import json
import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.review import audit
from assay.curation.system import permissions
from assay.curation.versioning.edits import number


def folder_of(bench, name):
    return bench.path / "audits" / name


def begin(bench, who, n, split="test"):
    """Draw a sheet, and keep it in the bench. Returns its name."""
    permissions.folder(bench.path / "audits")
    made = bench.path / "audits" / f"new-{os.getpid()}"
    out = audit.start(bench, who, split, n, folder=made)
    made.rename(folder_of(bench, out["audit"]))
    return out["audit"]


def open_ones(bench):
    """{name: rule} of the sheets that were drawn here and not yet read, oldest first."""
    read = set(audit.audited(bench).audit)
    rules = {
        k.removeprefix("audit:"): r for k, r in bench.rules().items() if k.startswith("audit:")
    }
    return {
        k: r
        for k, r in sorted(rules.items(), key=lambda kv: kv[1]["upto"])
        if k not in read and folder_of(bench, k).exists()
    }


def rows(bench, name):
    """The file of each row's image, by its number."""
    if not name.isalnum() or len(name) > 64 or not folder_of(bench, name).is_dir():
        raise UserError(
            f"expected an audit that was begun here, found {name[:40]!r}",
            "begin one on the page Audit",
        )
    return {int(p.stem): p for p in folder_of(bench, name).glob("images/*") if p.stem.isdecimal()}


def answers(bench, name):
    """What has been answered, the newest last: {row: dict label, verdict, seconds}; of a row's answers the last one counts, unless it was taken back."""
    file, out = folder_of(bench, name) / "answers.jsonl", {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            said = json.loads(line)
        except ValueError:  # the line that a kill cut short was never acknowledged
            continue
        out.pop(row := said.pop("row"), None)
        if not said.get("undo"):
            out[row] = said
    return out


def answer(bench, name, said):
    """Keep one answer, or take it back (undo=True); that is durable when this returns."""
    if (
        said.get("undo") is True
        and type(said.get("row")) is int
        and said["row"] in rows(bench, name)
    ):
        return keep(bench, name, dict(row=said["row"], undo=True))
    row, label, verdict, seconds = (said.get(k) for k in ("row", "label", "verdict", "seconds"))
    fine = (
        type(row) is int
        and row in rows(bench, name)
        and (label is None or isinstance(label, str) and label in audit.classes(bench))
        and verdict in (None, "unsure")
    )
    try:
        fine = fine and isinstance(seconds, int | float) and number(seconds) is not None
    except ValueError:
        fine = False
    if not fine or (label is None) == (verdict is None):
        raise UserError(
            "expected a row of the sheet with a class or unsure, and seconds, found another answer",
            "reload the page",
        )
    return keep(
        bench, name, dict(row=row, label=label or "", verdict=verdict or "", seconds=seconds)
    )


def keep(bench, name, said):
    """Write a line of the sheet's answers; {done: rows that are answered}."""
    file = folder_of(bench, name) / "answers.jsonl"
    torn = file.exists() and file.stat().st_size and not file.read_bytes().endswith(b"\n")
    with open(file, "a", opener=permissions.opener) as f:
        f.write("\n" * bool(torn) + json.dumps(said) + "\n")
        f.flush()
        os.fsync(f.fileno())
    return dict(done=len(answers(bench, name)))


def finish(bench, name, who):
    """Read the answers back as `assay audit FILE` does a filled sheet. Returns what it says of them."""
    import pandas as pd

    said = answers(bench, name)
    table = [
        dict(audit=name, row=str(r), image="", **{k: str(v) for k, v in a.items()}, why="")
        for r, a in sorted(said.items())
    ]
    return audit.apply(
        bench,
        pd.DataFrame(
            table, columns=["audit", "row", "image", "label", "verdict", "seconds", "why"]
        ),
        who,
    )


def picture(bench, name, row, side):
    """A JPEG of a row's image."""
    from assay.curation.media.conversion import load_looks
    from assay.curation.media.files import BadImage
    from assay.curation.media.pixels import thumbnail

    try:
        return thumbnail(str(Path(rows(bench, name)[row])), side, load_looks(bench.arrays))
    except (BadImage, KeyError):
        return None
