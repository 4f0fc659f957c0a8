"""Import a source; importing again makes edits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from assay.curation.formats.base import ImportOptions, Source
from assay.curation.formats.read import read_source
from assay.curation.formats.remote_source import ask_before_fetching
from assay.curation.formats.source_records import SourceRecord, make_record, write_record
from assay.curation.media import conversion
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.job_locks import shared_lock
from assay.curation.storage.schema import new_batch
from assay.curation.text import check_text, find_alike, format_count
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

    Images are decoded once, and compared with what the source held before. Raises UserError before anything is
    written.
    """
    options = options or ImportOptions()
    source = source if isinstance(source, Source) else read_source(source, options)
    if not options.fetch:
        ask_before_fetching(bench, source)
    name = check_text(options.name or source.name, "a source's name")
    check_text(who, "who imports")
    rows = decode_rows(bench, source, name, options, progress)
    incoming = recognise_rows(bench, source, name, rows.frame, options)
    batch = new_batch("import")
    edits = make_edits(bench, incoming, batch, options)
    record = make_record(name, source, options)
    write_import(bench, incoming, edits, rows.left_out, batch, who, record)
    notes = [*source.notes, *rows.notes, *describe_ignored(incoming)]
    return summarise_import(bench, incoming, edits) | dict(
        kind=source.kind,
        format=source.format,
        roles=source.roles,
        unread=[asdict(unread) for unread in source.unread],
        batch=batch if len(edits.frame) else None,
        left_out=len(rows.left_out),
        notes=[*notes, *describe_similar_classes(bench)],
    )


# ---- write


def write_import(
    bench: Bench,
    incoming: Incoming,
    edits: ImportEdits,
    left_out: list[tuple[str, str]],
    batch: str,
    who: str,
    record: SourceRecord,
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
        if len(known):  # where a sample lies is no fact about it: a moved folder is found again
            con.register("places", pd.DataFrame(dict(id=known.index, uri=known.uri.to_numpy())))
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
        write_record(con, record)
        con.execute("delete from left_out where source = ?", [name])
        if left_out:
            lost = pd.DataFrame(left_out, columns=["key", "reason"])
            con.register("lost", lost.assign(batch=batch, source=name))
            con.execute("insert into left_out by name select * from lost")
    bench.states.clear()  # they may tell the old places


# ---- say


def summarise_import(bench: Bench, incoming: Incoming, edits: ImportEdits) -> dict:
    """Count what an import changed, and what the bench holds now."""
    kept = bench.frame()
    counts = kept["split"].value_counts()
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
        samples=len(kept),
        classes=int(kept.label.nunique()),
        unlabelled=int(kept.label.isna().sum()),
        splits={split: int(counts[split]) for split in order if split in counts},
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
    """Describe classes that differ in capitals or blanks alone."""
    counts = bench.frame().label.dropna().value_counts()
    for group in find_alike(counts.index):
        names = ", ".join(f"{name!r} ({counts[name]:,})" for name in group)
        yield (
            f"these classes differ in capitals or blanks alone: {names}."
            " If they are one, mend the source and import it again"
        )
