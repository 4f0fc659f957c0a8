"""What is said of the shards of a Hugging Face data set."""

from __future__ import annotations

from assay.curation.formats.base import Listing, Unread
from assay.curation.formats.hf_rows import Shard, ShardRows
from assay.curation.formats.label_sets import count_sets, explain_task
from assay.curation.formats.row_columns import describe_columns
from assay.curation.formats.table_words import describe_names
from assay.curation.text import MAX_TEXT, format_count


def make_listing(
    format: str, kind: str, name: str, shards: list[Shard], rows: ShardRows, unread: list[Unread]
) -> Listing:
    """Make the listing of what shards hold."""
    columns = rows.columns
    label = columns.label
    named = f", {format_count(len(rows.classes), 'declared class')}" if rows.classes else ""
    roles = {"label": f"the column {label}{named}" if label else "none"}
    if columns.several:
        roles["label"] += f", {count_sets(sample['label'] for sample in rows.samples)}"
        roles["task"] = explain_task(f"the column {label} holds lists")
    described = rows.described
    roles[columns.media] = (
        describe_columns(described) if described else f"the column {columns.content}"
    )
    splits = {shard.split: None for shard in shards if shard.split}
    if columns.split:
        roles["split"] = f"the column {columns.split}"
    elif splits:
        roles["split"] = f"the files' names ({', '.join(splits)})"
    if columns.id:
        roles["id"] = f"the column {columns.id}"
    if columns.metadata and not described:
        roles["metadata"] = describe_names(list(columns.metadata))
    notes = list(rows.notes)
    notes += [
        f"not read: {n:,} texts of the column {column} that are longer than {format_count(MAX_TEXT, 'character')}"
        for column, n in rows.too_long.items()
    ]
    if list(splits) == ["train"] and not columns.split:
        notes.append(
            "train is the only split: no test is drawn from it; --split-column none draws val and test"
        )
    return Listing(
        format,
        kind,
        name,
        [rows.samples],
        rows.left_out,
        notes,
        roles,
        unread,
        rows.classes,
        media=columns.media,
        columns={n: of.kind for n, of in described.kinds.items()} if described else {},
        task="multilabel" if columns.several else "classification",
    )
