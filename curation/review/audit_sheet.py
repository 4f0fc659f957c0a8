"""Start an audit: draw samples, write their sheet."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.copying import read_originals, suffix_of_bytes
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.media.base import load_stored, media_of
from assay.curation.review import audit
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.text import format_count, write_csv
from assay.curation.versioning import pointers
from assay.curation.versioning.rules import append_rule

FEW = 20  # samples from which on at least LEAST_REPEATS are shown twice
LEAST_REPEATS = 5


def start_audit(
    bench: Bench,
    who: str,
    split: str = "test",
    n: int = 200,
    repeats: int | None = None,
    folder: str | Path | None = None,
) -> dict:
    """Draw samples of a split, and write their blind sheet.

    They are the next n that nobody audited yet. folder (new or empty): gets worksheet.csv, and images under the
    numbers of its rows. repeats: samples that are shown again; None: a tenth.
    Returns the rule that is logged, with audit, folder, rows, left and the classes to answer with;
    all or nothing.
    """
    upto = pointers.find_position(bench, "HEAD")
    order = audit.list_population(bench, split, upto)
    done = set(audit.find_audited(bench, upto).index)
    left = len([s for s in order if s not in done])
    if repeats is None:
        repeats = max(LEAST_REPEATS, round(n / 10)) if n >= FEW else round(n / 10)
    if not left:
        found = "all of them audited" if order else "none"
        raise UserError(
            f"expected labelled {split} samples to audit, found {found}",
            "choose another with --split, or import some",
        )
    if not 1 <= n <= left:
        raise UserError(
            f"expected -n from 1 to {left:,}, the {split} samples nobody audited yet, found {n:,}",
            f"say -n {min(left, 200)}",
        )
    if not 0 <= repeats <= n or n == 1 and repeats:
        raise UserError(
            f"expected --repeats from 0 to {n if n > 1 else 0}, found {repeats}",
            "a repeat shows a sample of the sheet again",
        )
    name = uuid.uuid4().hex[:12]
    folder = Path(folder or f"audit-{name}").absolute()
    rule = dict(
        name=f"audit:{name}",
        split=split,
        n=n,
        repeats=repeats,
        seed=uuid.uuid4().int % 2**32,
        upto=upto,
        of=len(order),
    )
    rows = audit.draw_sheet(bench, rule)
    rule["hash"] = audit.hash_rows(rows)
    write_sheet(bench, folder, name, rows, lambda: log_rule(bench, rule, who))
    about = dict(audit=name, rows=len(rows), left=left - n, folder=str(folder))
    return rule | about | dict(classes=audit.list_classes(bench))


def log_rule(bench: Bench, rule: dict, who: str) -> None:
    """Log an audit's rule, from which its sheet can be drawn again."""
    append_rule(
        bench, rule, who, f"a blind sheet of {format_count(rule['n'], rule['split'] + ' sample')}"
    )


def write_sheet(
    bench: Bench, folder: Path, name: str, rows: list[str], log: Callable[[], None]
) -> None:
    """Write a sheet as a folder, whole or not at all.

    `log` is called when it is ready, before anybody can see it.
    """
    import pandas as pd

    with fill_new_folder(folder) as partial:
        permissions.make_folder(partial / "images")
        images = copy_blind(bench, partial, rows)
        table = pd.DataFrame(dict(audit=name, row=range(1, len(rows) + 1), image=images))
        table = table.assign(label="", verdict="", why="", seconds="")
        write_csv(table, permissions.touch_file(partial / "worksheet.csv"))
        log()


def copy_blind(bench: Bench, partial: Path, rows: list[str]) -> list[str]:
    """Copy the image or text of every row under its number; returns their paths.

    The bytes are the original's: no name, no class.
    """
    places: dict[str, list[int]] = {}  # sample: its rows
    for row, sample in enumerate(rows):
        places.setdefault(sample, []).append(row)
    paths = [""] * len(rows)
    state = bench.state().loc[list(places)]
    media = media_of(bench)
    if media.column:  # as it is stored: its source may be one table of all
        texts = media.read(load_stored(bench), state.content_hash)
        blobs = [(sample, text.encode(), ".txt") for sample, text in zip(state.index, texts)]
    else:
        blobs = ((s.Index, blob, suffix_of_bytes(blob)) for s, blob in read_originals(state))
    for sample, blob, suffix in blobs:
        for row in places[sample]:
            paths[row] = f"images/{row + 1:04d}{suffix}"
            permissions.touch_file(partial / paths[row]).write_bytes(blob)
    return paths
