"""Write a version as files that other tools read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UnknownName, UserError
from assay.curation.formats.base import (
    CorrectionsFormat,
    DecodedFormat,
    Export,
    Patch,
    PatchableFormat,
    ReadableFormat,
    WritableFormat,
    list_formats,
)
from assay.curation.formats.changes import count_held_out, list_changes
from assay.curation.formats.in_place import finish_mending, mend_in_place
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.formats.new_places import (
    Listed,
    Touched,
    drop_said,
    follow_images,
    list_places,
    refuse_handed_in,
)
from assay.curation.formats.patches import write_patched
from assay.curation.formats.read import find_asked
from assay.curation.formats.remote_source import fetch_whole
from assay.curation.formats.source_records import SourceRecord, read_records
from assay.curation.media.addresses import is_address
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench
from assay.curation.storage.job_locks import exclusive_lock
from assay.curation.tasks.base import OtherTask, list_members, task_of
from assay.curation.text import format_count, safe_name, write_csv
from assay.curation.versioning import states
from assay.curation.versioning.class_list import numbered_classes
from assay.curation.versioning.expressions import is_expression
from assay.curation.versioning.pointers import find_position

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "source"  # the format of each source itself

OF_ANY_MEDIUM = ("manifest", "cleanlab")  # these name samples, and hold none
# these hold several labels a sample
OF_ANY_TASK = ("manifest", "cleanlab", "huggingface", "label-studio", "webdataset", "torch")


def export_version(
    bench: Bench,
    folder: str | Path,
    version: str = "HEAD",
    format: str = "manifest",
    copy: bool = False,
    side: int | None = None,
) -> dict:
    """Write a version into a new folder, whole or not at all.

    format: the name of a format that can be written, such as `manifest` or `folders`; or `source`: every source
    as it was imported, with nothing changed but what the version says otherwise.
    Images stay where they are, and are named or linked, unless `copy` takes them along. side: of the squares that a
    format of pixels makes of them.
    Returns {version, tree, commit (None where the version is none), samples, folder, format, notes}.
    """
    folder = Path(folder).absolute()
    writers = {f.name: f for f in list_formats(WritableFormat)}
    if format not in (*writers, SOURCE):
        raise UnknownName(
            f"expected a format {', '.join(sorted([*writers, SOURCE]))}, found {format!r}",
            "for example --format manifest",
            format,
            [*writers, SOURCE],
        )
    media = media_of(bench)
    if media.column and format not in (SOURCE, *OF_ANY_MEDIUM):
        raise UserError(
            f"expected a format that holds {media.name}s, found {format}: it is for images",
            f"these can: {', '.join((SOURCE, *OF_ANY_MEDIUM))}",
        )
    task = task_of(bench)
    if task.several and format not in (SOURCE, *OF_ANY_TASK):
        raise OtherTask(
            f"expected a format that holds {task.noun}, found {format}: it holds one",
            f"these can: {', '.join((SOURCE, *OF_ANY_TASK))}",
        )
    writer = writers.get(format)
    if side is not None and not isinstance(writer, DecodedFormat):
        holding = [name for name, f in writers.items() if isinstance(f, DecodedFormat)]
        raise UserError(
            f"expected a format of pixels for --size, found {format}",
            f"leave --size out, or: --format {', '.join(holding)}",
        )
    samples = bench.frame(version).rename_axis("sample_id").reset_index()
    if not len(samples):
        raise UserError(f"expected samples in {version}, found none", "choose another version")
    about = dict(
        version=str(version),
        tree=states.hash_tree(samples.set_index("sample_id")),
        commit=name_commit(bench, version),
        samples=len(samples),
    )
    notes: list[str] = []
    with fill_new_folder(folder, "mend that, or use --format manifest") as partial:
        if format == SOURCE:
            for plan in plan_patches(bench, version):
                target = partial / safe_name(plan.source.name)
                write_patched(plan.source, plan.patch, target, copy)
                notes += plan.notes
        else:
            used = list_members(task, samples.label)
            classes = numbered_classes(bench, used, version)
            several = task.name == "multilabel"
            name = bench.path.name
            export = Export(samples, classes, copy, bench, str(version), name, side, several)
            notes += writers[format].write(partial, export) or []
        (partial / "assay.json").write_text(json.dumps(about, indent=1))
    return about | dict(folder=str(folder), format=format, notes=notes)


def name_commit(bench: Bench, version: str | int) -> str | None:
    """Name the commit that a version is, if it is one.

    HEAD may be the last commit.
    """
    commits = bench.commits()
    if version in set(commits.name):
        return str(version)
    if is_expression(version):
        return None
    same = commits.name[commits.upto == find_position(bench, version)]
    return str(same.iloc[-1]) if len(same) else None


@dataclass(frozen=True)
class PatchPlan:
    """How one source takes over what a version says otherwise."""

    record: SourceRecord
    source: Path
    patch: Patch
    changes: pd.DataFrame  # what the version says otherwise, and the source not yet
    places: list[Listed]  # where the samples lie before
    notes: list[str]


def plan_patches(
    bench: Bench, version: str | int = "HEAD", in_place: bool = False
) -> list[PatchPlan]:
    """Plan the patch of every source; nothing is written.

    UserError where a source lies nowhere, is gone, or has a format that cannot be patched; and, to mend it in place,
    where it lies at an address.
    """
    records = read_records(bench)
    formats = {f.name: f for f in list_formats(PatchableFormat)}
    plans = []
    for name in sorted(bench.frame(version).source.unique()):
        record = require_record(records, name)
        if record.format not in formats:
            raise UserError(
                f"expected sources that can be written again, found {name}: {record.kind}",
                "export another format: --format manifest",
            )
        source, options = find_source(record, in_place), record.import_options()
        places = list_places(formats[record.format], source, options)
        changes = drop_said(list_changes(bench, name, version), places)
        patch = formats[record.format].patch(source, changes, options)
        notes = [f"{name}: {note}" for note in patch.notes]
        if held := count_held_out(bench, name, version):
            notes.append(
                f"{name}: {format_count(held, 'sample', 'stays', 'stay')} in it that a scan holds out of training:"
                " nobody decided that they go"
            )
        plans.append(PatchPlan(record, source, patch, changes, places, notes))
    return plans


def require_record(records: dict[str, SourceRecord], name: str) -> SourceRecord:
    """Return the record of a source that lies somewhere still."""
    record = records.get(name)
    if record is None:
        raise UserError(
            f"expected to know how {name} was read, found no record: an earlier Assay imported it",
            "import it again (that changes nothing else), or use --format manifest",
        )
    if is_address(record.path):
        return record
    if not record.path or not Path(record.path).exists():
        where = f"nothing at {record.path}" if record.path else "that it lies in no file"
        raise UserError(
            f"expected the source {name} to write it again, found {where}",
            "use --format manifest or --format folders",
        )
    return record


def find_source(record: SourceRecord, in_place: bool = False) -> Path:
    """Find a source's files; of one at an address, fetch its file."""
    if not is_address(record.path):
        return Path(record.path)
    if in_place:
        raise UserError(
            f"expected sources on this machine, found {record.name} at {record.path}",
            "nothing is written to addresses: --format source -o FOLDER makes a copy to put there",
        )
    source = fetch_whole(record.path)
    if source.is_dir():
        raise UserError(
            f"expected a source that is one file to write it again, found the folder {record.path}",
            "--format manifest or --format folders; --patch FOLDER writes what changed alone",
        )
    return source


def write_in_place(bench: Bench, version: str | int = "HEAD") -> list[dict]:
    """Mend the sources themselves, each with a backup beside it.

    The bench follows the images that move by that: it needs no import to find them.
    Where that was interrupted, finish it.
    Returns [{source, path, changes, backup (None where nothing changed), notes}].
    """
    with exclusive_lock(bench):  # a scan would read rows that are moving
        if finished := list(finish_sources(bench, version)):
            return finished
        plans = plan_patches(bench, version, in_place=True)
        for plan in plans:
            refuse_handed_in(bench, plan.record.name, plan.source)
        return [mend_source(bench, plan) for plan in plans]


def mend_source(bench: Bench, plan: PatchPlan) -> dict:
    """Mend one source, then tell the bench where its images lie now."""
    backup, notes = mend_in_place(plan.source, plan.patch, len(plan.changes)), plan.notes
    if backup:
        try:
            reader = find_asked(list_formats(ReadableFormat), plan.record.format)
            after = list_places(reader, plan.source, plan.record.import_options())
        except UserError as e:  # such as: no image is left
            after, notes = [], [*notes, f"{plan.record.name} cannot be read any more: {e}"]
        touched = Touched(plan.source, plan.patch, backup)
        name = plan.record.name
        notes = [*notes, *follow_images(bench, name, plan.changes, plan.places, after, touched)]
    return dict(
        source=plan.record.name,
        path=str(plan.source),
        changes=len(plan.changes),
        backup=backup and str(backup),
        notes=notes,
    )


def finish_sources(bench: Bench, version: str | int) -> Iterator[dict]:
    """Finish the sources that an interrupted run left half mended."""
    records = read_records(bench)
    for name in sorted(bench.frame(version).source.unique()):
        path = records[name].path if name in records else ""
        if path and not is_address(path) and (done := finish_mending(Path(path))):
            backup, changes = done
            note = (
                f"{name}: an earlier run was interrupted; this one finished it, and did nothing else."
                " Import it again, so that the bench finds images that moved"
            )
            yield dict(source=name, path=path, changes=changes, backup=str(backup), notes=[note])


def write_corrections(bench: Bench, folder: str | Path, version: str | int = "HEAD") -> list[dict]:
    """Write for each source a small file of its changes alone.

    It is a file of the source's kind. Of a format that has none: a CSV of path, given_label, label,
    split and removed. Returns [{source, file (None where nothing changed), changes}].
    """
    formats = {f.name: f for f in list_formats(CorrectionsFormat)}
    records = read_records(bench)
    out = []
    with fill_new_folder(Path(folder).absolute()) as partial:
        for name in sorted(bench.frame(version).source.unique()):
            changes, record = list_changes(bench, name, version), records.get(name)
            file = None
            if len(changes) and record and record.path and record.format in formats:
                source = find_source(record)
                file = partial / safe_name(source.name)
                options = record.import_options()
                formats[record.format].write_corrections(source, changes, options, file)
            elif len(changes):
                file = partial / f"{safe_name(name)}.csv"
                columns = ["key", "given_label", "label", "split", "removed"]
                write_csv(changes[columns].rename(columns={"key": "path"}), file)
            place = file and str(Path(folder).absolute() / file.name)
            out.append(dict(source=name, file=place, changes=len(changes)))
    return out
