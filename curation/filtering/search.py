"""Search for words in texts, keys and metadata.

Without regard to capitals and accents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.curation.media.base import load_stored, media_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from assay.curation.storage.interface import Bench

FOLD = "nfc_normalize(strip_accents(lower({text})))"


def fold_words(con: duckdb.DuckDBPyConnection, search: str) -> list[str]:
    """Split what is searched for into words, folded as `fold_texts` does."""
    if not search.strip():
        return []
    with con.cursor() as cursor:
        folded = cursor.execute(f"select {FOLD.format(text='?')}", [search]).fetchall()
    return folded[0][0].split()


def read_texts(bench: Bench, hashes: Sequence[str]) -> pa.Array:
    """Read the whole text of each sample, by its content hash."""
    import pyarrow as pa

    return pa.array(media_of(bench).read(load_stored(bench), hashes), pa.large_string())


def fold_texts(con: duckdb.DuckDBPyConnection, columns: Sequence[pa.Array]) -> pa.Array:
    """Join columns to one text for each sample, without capitals and accents."""
    import pyarrow as pa

    arrays = {f"c{i}": array for i, array in enumerate(columns)}
    cells = ", ".join(f"{name}::varchar" for name in arrays)
    text = FOLD.format(text=f"concat_ws(' ', {cells})")
    with con.cursor() as cursor:
        cursor.register("cells", pa.table(arrays))
        found = cursor.sql(f"select {text} as words from cells").to_arrow_table()
    return found["words"].combine_chunks()
