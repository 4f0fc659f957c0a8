"""Import a source; importing again makes edits."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from assay.curation.errors import UserError, shorten
from assay.curation.formats.base import ImportOptions, Source
from assay.curation.formats.new_places import find_in_backups
from assay.curation.formats.read import read_source
from assay.curation.formats.remote_source import ask_before_fetching
from assay.curation.formats.source_records import SourceRecord, make_record, write_record
from assay.curation.media import conversion
from assay.curation.media.addresses import is_address
from assay.curation.media.base import media_of
from assay.curation.media.rows import COLUMNS, read_column_kinds
from assay.curation.media.stream_decoding import StreamDecoder
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.job_locks import shared_lock
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import OtherTask, explode_labels, find_task, task_of
from assay.curation.text import check_text, format_count
from assay.curation.versioning import class_names
from assay.curation.versioning.changes import find_known_labels
from assay.curation.versioning.class_changes import declare_classes
from assay.curation.versioning.similar_names import DIFFER, group_similar_names
from assay.curation.versioning.state_building import count_kept
from assay.pipelines.indexing.costs import Meter, keep_import_costs
from assay.pipelines.indexing.import_edits import ImportEdits, make_edits
from assay.pipelines.indexing.recognition import Incoming, recognise_rows
from assay.pipelines.indexing.usable_rows import decode_rows


@shared_lock
def ingest(
    bench: Bench,
    source: str | Path | Source,
    who: str,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> dict:
    """Import a source, and return a dict of what happened.

    Images and texts are decoded and stored once, and compared with what the source held before. Raises UserError before
    anything is written.
    """
    with Meter() as meter:
        found = import_source(bench, source, who, options or ImportOptions(), progress)
    keep_import_costs(bench, found["added"], meter.spent)
    return found


def import_source(
    bench: Bench,
    source: str | Path | Source,
    who: str,
    options: ImportOptions,
    progress: Progress | None,
) -> dict:
    """Import a source: see `ingest`."""
    if not isinstance(source, Source):
        source = read_source(source, options, lambda name: StreamDecoder(bench, name, progress))
    if not options.fetch:
        ask_before_fetching(bench, source)
    name = check_text(options.name or source.name, "a source's name")
    check_text(who, "who imports")
    refuse_other_media(bench, source)
    refuse_other_task(bench, source)
    kinds, fit = fit_columns(bench, source), list(describe_fit(bench, source))
    source = read_former_names(bench, source)
    rows = decode_rows(bench, source, name, options, progress)
    incoming = recognise_rows(bench, source, name, rows.frame, options)
    batch = new_batch("import")
    edits = add_class_list(bench, make_edits(bench, incoming, batch, options), source, batch)
    record = make_record(name, source, options)
    write_import(bench, incoming, edits, rows.left_out, batch, who, record, source, kinds)
    notes = [*source.notes, *fit, *rows.notes, *describe_ignored(incoming)]
    return summarise_import(bench, incoming, edits) | dict(
        kind=source.kind,
        format=source.format,
        roles=source.roles,
        unread=[asdict(unread) for unread in source.unread],
        batch=batch if len(edits.frame) else None,
        left_out=len(rows.left_out),
        notes=[*notes, *describe_similar_classes(bench)],
    )


def refuse_other_media(bench: Bench, source: Source) -> None:
    """Refuse texts in a bench of images, and images in one of texts."""
    has = media_of(bench).name
    if source.media != has and bench.rows("select 1 from samples limit 1"):
        raise UserError(
            f"expected {has}s, as this bench holds them, found {source.media}s in {source.name}",
            "import them into a bench of their own: -b ANOTHER",
        )


def refuse_other_task(bench: Bench, source: Source) -> None:
    """Refuse labels of another kind than the bench's: one a sample, or several."""
    has, brings = task_of(bench), find_task(source.task)
    if has.several == brings.several or not source.frame.label.notna().any():
        return
    if bench.rows("select 1 from edits where field = 'label' limit 1"):
        raise OtherTask(
            f"expected {has.noun}, as this bench has, found {brings.noun} in {source.name}",
            "import it into a bench of its own: -b ANOTHER"
            + ("; --multilabel takes one label as a set of one" if has.several else ""),
        )


def fit_columns(bench: Bench, source: Source) -> dict[str, str]:
    """Fit the columns of a source of rows to those of the bench: {column: kind}, the bench's first.

    UserError where none is the bench's.
    """
    known = read_column_kinds(bench)
    if known and source.columns and not known.keys() & source.columns.keys():
        raise UserError(
            f"expected the columns {shorten(', '.join(known), 300)} in {source.name}, found"
            f" {shorten(', '.join(source.columns), 300)}",
            "import it into a bench of its own: -b ANOTHER",
        )
    return source.columns | known


def describe_fit(bench: Bench, source: Source) -> Iterator[str]:
    """Say which columns of a source of rows are not as the bench has them."""
    known, columns = read_column_kinds(bench), source.columns
    if not known or not columns:
        return
    if lost := [name for name in known if name not in columns]:
        yield (
            f"the bench has columns that are not in {source.name}: {shorten(', '.join(lost), 300)};"
            " there they are missing"
        )
    if new := [name for name in columns if name not in known]:
        yield f"columns that the bench had not: {shorten(', '.join(new), 300)}; in earlier rows they are missing"
    for name, kind in columns.items():
        if kind != known.get(name, kind):
            yield f"{name} looks like a column of {kind} here; it stays {known[name]}, as in the first import"


# ---- classes


def read_former_names(bench: Bench, source: Source) -> Source:
    """Read a source's renamed classes by their present names.

    Of labels, of people's votes, and in the class list of the source.
    """
    with bench.connect() as con:
        names = class_names.read_names(con)
        former = names.former_names(find_known_labels(bench, con)) if names.renames else {}
    if not former or "label" not in source.frame:
        return source
    frame, labels = source.frame, source.frame.label
    said = explode_labels(find_task(source.task), labels)
    counts = said[said.isin(list(former))].value_counts()
    notes = [
        f"{format_count(n, 'row', 'says', 'say')} {old!r}, which was renamed here: read as {former[old]!r}"
        f" (assay classes add {shlex.quote(str(old))} first, if it is another class)"
        for old, n in counts.items()
    ]

    def call(label: str | None) -> str | None:
        return label and names.call_cell(label, former)

    frame = frame.assign(label=[call(label) for label in labels])
    if "votes" in frame:
        frame["votes"] = [
            [vote | dict(label=call(vote["label"])) for vote in votes]
            if isinstance(votes, list)
            else votes
            for votes in frame["votes"]
        ]
    classes = [former.get(name, name) for name in source.classes]
    parents = {former.get(a, a): former.get(b, b) for a, b in source.parents.items()}
    return replace(
        source,
        frame=frame,
        notes=[*source.notes, *notes],
        classes=list(dict.fromkeys(classes)),
        parents={name: parent for name, parent in parents.items() if name != parent},
    )


def add_class_list(bench: Bench, edits: ImportEdits, source: Source, batch: str) -> ImportEdits:
    """Add the edits that declare the classes of a source.

    There are none where it has neither a list nor a taxonomy.
    """
    import pandas as pd

    if not (source.classes or source.parents):
        return edits
    for name in (*source.classes, *source.parents, *source.parents.values()):
        check_text(name, "a class name of the source")
    with bench.connect() as con:
        declared = declare_classes(con, source.classes, source.parents)
        values = [json.dumps(value) for value in declared]
    why = f"class list of {source.name}"
    rows = [("", "schema", value, "set", why, batch) for value in values]
    new = pd.DataFrame(rows, columns=edits.frame.columns)
    return edits._replace(frame=pd.concat([new, edits.frame], ignore_index=True))


# ---- write


def write_import(
    bench: Bench,
    incoming: Incoming,
    edits: ImportEdits,
    left_out: list[tuple[str, str]],
    batch: str,
    who: str,
    record: SourceRecord,
    source: Source,
    kinds: dict[str, str],
) -> None:
    """Write an import in one transaction.

    Samples, places, edits, and what was left out.
    """
    import pandas as pd

    name, new, known = incoming.name, incoming.new_rows, incoming.known_rows
    samples = pd.DataFrame(
        dict(
            id=new.index,
            source=name,
            key=new.key.to_numpy(),
            uri=new.uri.to_numpy(),
            content_hash=new.content_hash.to_numpy(),
            width=[s[0] for s in new["size"]],
            height=[s[1] for s in new["size"]],
            meta=[json.dumps(m, ensure_ascii=False) for m in new.meta],
            parent=list(new.parent),
        )
    )
    with bench.transaction() as con:
        if len(samples):
            con.register("new_samples", samples)
            con.execute("insert into samples by name select * from new_samples")
        # where a sample lies is no fact about it: a moved folder is found again
        uris = known.uri.to_dict() | find_removed_images(incoming, record.path)
        if uris:
            con.register("places", pd.DataFrame(dict(id=list(uris), uri=list(uris.values()))))
            con.execute(
                "update samples set uri = places.uri from places"
                " where samples.id = places.id and samples.uri <> places.uri"
            )
        # by who said it, and below the import itself: the next undo takes back both
        for person, votes in edits.votes.groupby("who", sort=True):
            bench.append(con, votes.drop(columns="who"), new_batch("edit"), person)
        if len(edits.frame):
            bench.append(con, edits.frame, batch, who)
        if not len(incoming.old):
            con.execute(
                "insert or replace into meta values (?, ?)",
                [f"decoder {name}", str(conversion.DECODER)],
            )
        con.execute("insert or ignore into meta values ('media', ?)", [source.media])
        if source.frame.label.notna().any():
            con.execute("insert or ignore into meta values ('task', ?)", [source.task])
        if kinds:
            con.execute("insert or replace into meta values (?, ?)", [COLUMNS, json.dumps(kinds)])
        write_record(con, record)
        con.execute("delete from left_out where source = ?", [name])
        if left_out:
            lost = pd.DataFrame(left_out, columns=["key", "reason"])
            con.register("lost", lost.assign(batch=batch, source=name))
            con.execute("insert into left_out by name select * from lost")
    bench.states.clear()  # cached states may have the old places


def find_removed_images(incoming: Incoming, path: str) -> dict[str, str]:
    """Find removed samples' images in the backups of a mended source."""
    old = incoming.old
    removed = old[~old.keep & ~old.index.isin(incoming.frame.index)]
    return find_in_backups(Path(path), removed) if path and not is_address(path) else {}


# ---- say


def summarise_import(bench: Bench, incoming: Incoming, edits: ImportEdits) -> dict:
    """Count what an import changed, and what the bench holds now."""
    kept = count_kept(bench)
    splits = Counter[str]()
    for (split, _), n in kept.items():
        splits[split] += n
    order = ("train", "val", "test", "pool", "guard")
    return dict(
        source=incoming.name,
        added=len(incoming.new_rows),
        removed=len(incoming.gone_samples),
        moved=edits.moved,
        returned=sum(i in incoming.taken_away for i in incoming.known_rows.index),
        relabelled=edits.relabelled,
        left_alone=edits.left_alone,
        votes=len(edits.votes),
        samples=kept.total(),
        classes=len(count_classes(bench, kept)),
        unlabelled=sum(n for (_, label), n in kept.items() if label is None),
        splits={split: splits[split] for split in order if splits[split]},
    )


def describe_ignored(incoming: Incoming) -> Iterator[str]:
    """Describe what the source says and an import does not do."""
    known, old = incoming.known_rows, incoming.old
    was, labelled = old["split"].reindex(known.index), known.label.notna()
    # such a source has val drawn out of its train
    draws_val = not (known.named_split == "val").any()
    other = known.named_split.notna() & labelled & ~known.freed.astype(bool)
    other &= known.named_split != was
    other &= ~(draws_val & (known.named_split == "train") & (was == "val"))
    if other.any():
        yield (
            f"{format_count(other.sum(), 'row', 'names', 'name')} another split than is the sample's:"
            " a sample keeps its split (a column split of assay edit moves it)"
        )
    bare = ~labelled & old.given_label.reindex(known.index).notna()
    if bare.any():
        yield f"{format_count(bare.sum(), 'row', 'has', 'have')} no label any more: what a sample has it keeps"


def describe_similar_classes(bench: Bench) -> Iterator[str]:
    """Describe classes whose names a person would take for one another."""
    for group in group_similar_names(count_classes(bench, count_kept(bench))):
        others = ", ".join(f"{name!r} ({n:,})" for name, n in group.others.items())
        yield (
            f"these classes {DIFFER} alone: {group.name!r} ({group.n:,}), {others}."
            f" If they are one: {group.command(bench.given)}"
        )


def count_classes(bench: Bench, kept: Counter[tuple[str, str | None]]) -> Counter[str]:
    """Count the samples of each class, by how many each split has of each label."""
    task, out = task_of(bench), Counter[str]()
    for (_, label), n in kept.items():
        for name in task.members(label) if label is not None else ():
            out[name] += n
    return +out
