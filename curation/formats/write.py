"""Write a version as files that other tools read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.curation.errors import UnknownName, UserError
from assay.curation.formats.base import DecodedFormat, JudgedFormat, WritableFormat, list_formats
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.storage.interface import Bench
from assay.curation.versioning import states


def export_version(
    bench: Bench,
    folder: str | Path,
    version: str = "HEAD",
    format: str = "manifest",
    copy: bool = False,
    side: int | None = None,
) -> dict:
    """Write a version into a new folder, whole or not at all.

    format: the name of a format that can be written, such as `manifest`, `folders` or `source`.
    Images stay where they are, and are named or linked, unless `copy` takes them along. side: of the squares that a
    format of pixels makes of them. Returns {version, tree, commit (None where the version is none), samples, folder,
    format}, and of a format of pixels files.
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
    writer = writers[format]
    if side is not None and not isinstance(writer, DecodedFormat):
        holding = [name for name, f in writers.items() if isinstance(f, DecodedFormat)]
        raise UserError(
            f"expected a format of pixels for --size, found {format}",
            f"leave --size out, or: --format {', '.join(holding)}",
        )
    samples = bench.frame(version).rename_axis("sample_id").reset_index()
    if not len(samples):
        raise UserError(f"expected samples in {version}, found none", "choose another version")
    about: dict[str, Any] = dict(
        version=str(version),
        tree=states.hash_tree(samples.set_index("sample_id")),
        commit=version if version in set(bench.commits().name) else None,
        samples=len(samples),
    )
    with fill_new_folder(folder, "mend that, or use --format manifest") as partial:
        if isinstance(writer, DecodedFormat):
            about["files"] = writer.write_images(partial, bench, samples, side)
        elif isinstance(writer, JudgedFormat):
            writer.write_judged(partial, samples, bench.findings(version), copy)
        else:
            writer.write(partial, samples, copy)
        (partial / "assay.json").write_text(json.dumps(about, indent=1))
    return about | dict(folder=str(folder), format=format)
