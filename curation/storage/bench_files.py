"""What belongs in a bench's folder: nothing leads out of it, and what Assay did not put there is known."""

import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system.permissions import FILE, OURS

ARRAYS = dict.fromkeys(
    ("pixels", "embeddings", "quality", "decoded", "runs", "flagged", "judges", "sessions"),
    (".npy", ".npz", ".tmp"),
)
ARRAYS |= dict(damaged=(), fiftyone=())  # what was set aside, and images: of any name
TOP = (".npz", ".tmp", "contents.json")  # beside those folders; an older Assay wrote the last
# folders of data: links further down are read as data at most
THEIRS = ("uploads", "aside", os.path.join("arrays", "fiftyone"), "fiftyone")


def refuse_links(bench):
    """UserError where something of a bench leads out of it, or is neither file nor folder: what is read, written and deleted there would be another's."""
    for path, is_link in strays(bench):
        name = os.path.relpath(path, bench)
        if not is_link:
            raise UserError(
                f"expected files and folders in {bench}, found {name}, which is neither",
                f"delete it: rm '{path}'",
            )
        target = os.path.realpath(path)
        if not Path(target).is_relative_to(os.path.realpath(bench)):
            hint = f"whoever made it may have meant any file of yours: rm '{path}'; where it is your own, put the whole bench on that disk"
            raise UserError(
                f"expected files of its own in {bench}, found {name}, a link to {target}", hint
            )


def strays(bench):
    """(path, whether it is a link) of what is neither file nor folder among what is of a bench."""
    todo = [str(bench)]
    for folder in todo:
        try:
            found = list(os.scandir(folder))
        except OSError:  # gone meanwhile, or no folder
            continue
        deep = os.path.relpath(folder, bench) not in THEIRS
        for entry in found:
            if folder != str(bench) or ours(entry.name):
                if entry.is_dir(follow_symlinks=False):
                    todo += [entry.path] * deep
                elif not entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.is_symlink()


def ours(name):
    """Is it one of the names that Assay gives in a bench's own folder?"""
    return (
        name in OURS
        or name.startswith((FILE, "plan.json"))
        or (name.startswith("guard-") and name.endswith(".toml"))
    )


def unknown(bench):
    """Files and folders in a bench that no Assay puts there, and that none reads."""
    bench = Path(bench)
    out = [p for p in bench.iterdir() if not ours(p.name)]
    for path in (bench / "arrays").glob("*"):
        if path.name not in ARRAYS:
            out += [path] if path.is_dir() or not path.name.endswith(TOP) else []
        elif endings := ARRAYS[path.name]:
            out += [p for p in path.rglob("*") if not p.is_dir() and not p.name.endswith(endings)]
    return sorted(out)
