"""Check what lies in a bench's folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system.permissions import FILE, OURS

ARRAYS = dict.fromkeys(
    (
        "embeddings",
        "quality",
        "decoded",
        "runs",
        "flagged",
        "judges",
        "sessions",
        "stages",
        "states",
    ),
    (".npy", ".npz", ".tmp"),
)
ARRAYS |= dict(damaged=(), fiftyone=())  # what was set aside, and images: of any name
# beside those folders: what scans took, and what an older Assay wrote
TOP = (".npz", ".tmp", "measured.jsonl", "contents.json")
# folders of data: links further down are read as data at most
DATA_FOLDERS = ("uploads", "aside", os.path.join("arrays", "fiftyone"), "fiftyone")


def refuse_links(bench: Path) -> None:
    """Refuse a bench with links out of it.

    Or with what is neither file nor folder: what is read, written and deleted there would be
    another's. Raises UserError.
    """
    for path, is_link in find_strays(bench):
        name = os.path.relpath(path, bench)
        if not is_link:
            raise UserError(
                f"expected files and folders in {bench}, found {name}, which is neither",
                f"delete it: rm '{path}'",
            )
        target = os.path.realpath(path)
        if not Path(target).is_relative_to(os.path.realpath(bench)):
            raise UserError(
                f"expected files of its own in {bench}, found {name}, a link to {target}",
                f"whoever made it may have meant any file of yours: rm '{path}'; "
                "where it is your own, put the whole bench on that disk",
            )


def find_strays(bench: Path) -> Iterator[tuple[str, bool]]:
    """Find what is neither file nor folder in a bench.

    Yields (path, whether it is a link).
    """
    todo = [str(bench)]
    for folder in todo:
        try:
            found = list(os.scandir(folder))
        except OSError:  # gone meanwhile, or no folder
            continue
        deep = os.path.relpath(folder, bench) not in DATA_FOLDERS
        for entry in found:
            if folder != str(bench) or is_ours(entry.name):
                if entry.is_dir(follow_symlinks=False):
                    todo += [entry.path] * deep
                elif not entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.is_symlink()


def is_ours(name: str) -> bool:
    """Tell whether Assay gives this name in a bench."""
    return (
        name in OURS
        or name.startswith((FILE, "plan.json"))
        or (name.startswith("guard-") and name.endswith(".toml"))
    )


def find_unknown(bench: str | Path, stored: Iterable[str]) -> list[Path]:
    """Find what no Assay writes or reads.

    stored: the folders of arrays/ that hold samples, one of each medium.
    """
    bench, known = Path(bench), ARRAYS | dict.fromkeys(stored, (".npy", ".npz", ".tmp"))
    out = [p for p in bench.iterdir() if not is_ours(p.name)]
    for path in (bench / "arrays").glob("*"):
        if path.name not in known:
            out += [path] if path.is_dir() or not path.name.endswith(TOP) else []
        elif endings := known[path.name]:
            out += [p for p in path.rglob("*") if not p.is_dir() and not p.name.endswith(endings)]
    return sorted(out)


def remove_empty_folders(inside: Path, folders: list[Path]) -> None:
    """Remove the empty folders in a folder, then others, the deepest first."""
    inner = [folder for folder, _, _ in os.walk(inside, topdown=False)]
    for folder in [*inner, *folders]:
        with suppress(OSError):  # what holds something stays
            os.rmdir(folder)
