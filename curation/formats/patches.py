"""Bring a patch to a copy of a source."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from assay.curation.formats.base import Patch
from assay.curation.media.locations import list_files


def write_patched(source: Path, patch: Patch, target: Path, copy: bool) -> None:
    """Write a source again at `target`, patched.

    Files that the patch does not rewrite are copied, or linked where `copy` is false.
    """
    if source.is_file():
        if "" in patch.rewritten:
            patch.rewritten[""](target)
        else:
            shutil.copyfile(source, target)
        return
    target.mkdir()
    for folder, _, _ in os.walk(source):  # empty ones too: they may be classes
        (target / os.path.relpath(folder, source)).mkdir(parents=True, exist_ok=True)
    for file in list_all_files(source):
        if file in patch.removed:
            continue
        place = target / patch.moved.get(file, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file in patch.rewritten:
            patch.rewritten[file](place)
        elif not os.path.exists(source / file):  # a link that leads nowhere
            place.symlink_to(os.readlink(source / file))
        elif copy:
            shutil.copyfile(source / file, place)
        else:
            place.symlink_to(os.path.realpath(source / file))


def list_all_files(folder: Path) -> list[str]:
    """List all files of a folder, hidden too, by relative path."""
    found = []
    for root, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        found += [os.path.relpath(os.path.join(root, f), folder) for f in sorted(files)]
        linked = [f for f in folders if os.path.islink(os.path.join(root, f))]
        for link in linked:
            below = os.path.relpath(os.path.join(root, link), folder)
            found += [f"{below}/{f}" for f in list_files(os.path.join(root, link))]
    return found
