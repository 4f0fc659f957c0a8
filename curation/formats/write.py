"""Write a version as files that other tools read."""

from __future__ import annotations

import json
from pathlib import Path

from assay.curation.errors import UnknownName, UserError
from assay.curation.formats.base import WritableFormat, list_formats
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.storage.interface import Bench
from assay.curation.versioning import states


def export_version(
    bench: Bench,
    folder: str | Path,
    version: str = "HEAD",
    format: str = "manifest",
    copy: bool = False,
) -> dict:
    """Write a version into a new folder, whole or not at all.

    format: the name of a format that can be written, such as `manifest`, `folders` or `source`.
    Images stay where they are, and are named or linked, unless `copy` takes them along.
    Returns {version, tree, commit (None where the version is none), samples, folder, format}.
    """
    folder = Path(folder).absolute()
    writers = {f.name: f for f in list_formats(WritableFormat)}
    if format not in writers:
        raise UnknownName(
            f"expected a format {', '.join(writers)}, found {format!r}",
            "for example --format manifest",
            format,
            writers,
        )
    samples = bench.frame(version).rename_axis("sample_id").reset_index()
    if not len(samples):
        raise UserError(f"expected samples in {version}, found none", "choose another version")
    about = dict(
        version=str(version),
        tree=states.hash_tree(samples.set_index("sample_id")),
        commit=version if version in set(bench.commits().name) else None,
        samples=len(samples),
    )
    with fill_new_folder(folder, "mend that, or use --format manifest") as partial:
        writers[format].write(partial, samples, copy)
        (partial / "assay.json").write_text(json.dumps(about, indent=1))
    return about | dict(folder=str(folder), format=format)
