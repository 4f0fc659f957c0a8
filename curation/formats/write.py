"""A version as files that other tools read: a manifest, class folders, or the layout it was imported from with its labels corrected."""

import json
import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.manifest import manifest
from assay.curation.formats.source_layout import folders, source
from assay.curation.system.scratch import whole
from assay.curation.versioning import versions


def export(bench, folder, version="HEAD", format="manifest", copy=False):
    """Write a version into `folder` (new or empty), as `manifest`, `folders` (split/class/image) or `source` (one manifest or class-folder tree
    for each source, in its own layout). Images stay where they are, and are named or linked, unless `copy` takes them along.
    Returns {files, samples, tree, commit}; all or nothing."""
    folder = Path(folder).absolute()
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"expected a new or empty folder, found files in {folder}", "choose another with -o"
        )
    writers = dict(manifest=manifest, folders=folders, source=source)
    if format not in writers:
        raise UserError(
            f"expected a format {', '.join(writers)}, found {format!r}",
            "for example --format manifest",
        )
    frame = bench.frame(version).rename_axis("sample_id").reset_index()
    if not len(frame):
        raise UserError(f"expected samples in {version}, found none", "choose another version")
    upto = (
        bench.commits().query("name == @version").upto
        if version in set(bench.commits().name)
        else None
    )
    about = dict(
        version=str(version),
        tree=versions.tree(frame.set_index("sample_id")),
        commit=version if upto is not None else None,
        samples=len(frame),
    )
    try:
        with whole(folder) as partial:
            writers[format](partial, frame, copy)
            (partial / "assay.json").write_text(json.dumps(about, indent=1))
    except OSError as e:  # a full disk, or a label that is too long for a folder's name
        raise UserError(
            f"expected to write {folder}, found: {e.strerror} ({e.filename})",
            "mend that, or use --format manifest",
        ) from None
    return about | dict(folder=str(folder), format=format)
