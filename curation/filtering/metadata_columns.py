"""Turn the metadata of samples into columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from assay.curation.filtering.columns import Column, Kind
from assay.curation.filtering.sample_rows import SampleRows

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "DOUBLE")
# a text that is written as a number, and would be written so again: 007 is none
NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"


def read_metadata(
    con: duckdb.DuckDBPyConnection, state: pd.DataFrame | SampleRows, taken: set[str]
) -> tuple[list[Column], dict[str, pa.Array]]:
    """Read every key of the metadata as a column.

    taken: names of other columns, which a key gives way to: `score` becomes `meta.score`. A key whose texts are all
    numbers is a column of numbers, for the numbers of a CSV are texts.
    """
    import pyarrow as pa

    meta = encode_metadata(state)
    texts = pa.table(dict(n=range(len(meta.dictionary)), meta=meta.dictionary))
    with con.cursor() as cursor:
        cursor.register("texts", texts)
        shape = cursor.execute("select json_group_structure(meta::json) from texts").fetchall()[0][
            0
        ]
        shape = json.loads(shape or "{}")
        if not isinstance(shape, dict) or not shape:
            return [], {}
        keys = sorted(shape)
        asked = {f"k{i}": _type_of(shape[key]) for i, key in enumerate(keys)}
        # keys are a person's words: they reach SQL as JSON paths, which are parameters
        cells = ", ".join(f"json_extract(meta::json, ?) as {name}" for name, kind in asked.items())
        paths = [f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys]
        cursor.execute(f"create temp table cells as select n, {cells} from texts order by n", paths)
        columns, arrays = [], {}
        for key, (name, kind) in zip(keys, asked.items()):
            values, kind = _read_values(cursor, name, kind)
            column = _name_column(key, kind, taken | set(arrays))
            columns.append(column)
            arrays[column.name] = _take(values, meta.indices)
    return columns, arrays


def encode_metadata(state: pd.DataFrame | SampleRows) -> pa.DictionaryArray:
    """Encode the metadata of all samples as numbers and the different texts."""
    import pyarrow as pa

    if isinstance(state, SampleRows):
        return state.read_fixed("meta").cast(pa.string()).dictionary_encode()
    return pa.array(state.meta.to_numpy(object), pa.string()).dictionary_encode()


def _type_of(shape: Any) -> Kind:
    if shape in NUMBERS:
        return "number"
    if shape == "BOOLEAN":
        return "bool"
    return "list" if isinstance(shape, list) else "text"


def _read_values(cursor: duckdb.DuckDBPyConnection, name: str, kind: Kind) -> tuple[pa.Array, Kind]:
    """Read the values of a key in every different text."""
    cell = dict(
        number=f"try_cast({name} as double)",
        bool=f"try_cast({name} as boolean)",
        text=f"{name} ->> '$'",
        list=f"from_json({name}, '[\"VARCHAR\"]')",
    )
    if kind == "text":
        text = cell["text"]
        written = f"""select count({text}) > 0 and bool_and({text} is null
            or regexp_matches({text}, '{NUMBER}')) from cells"""
        if cursor.execute(written).fetchall()[0][0]:
            kind, cell["number"] = "number", f"try_cast({text} as double)"
    found = cursor.sql(f"select {cell[kind]} as v from cells order by n").to_arrow_table()
    return found["v"].combine_chunks(), kind


def _name_column(key: str, kind: Kind, taken: set[str]) -> Column:
    name = key if key and key not in taken else f"meta.{key}"
    while name in taken:
        name = f"meta.{name}"
    says = f"{key!r} of its metadata"
    return Column(name, kind, says, source="metadata", bars=kind == "number")


def _take(values: pa.Array, indices: pa.Array) -> pa.Array:
    """Give every sample the values of its text.

    Few different ones stay encoded.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(values.type):
        encoded = values.dictionary_encode()
        codes = pc.take(encoded.indices, indices)
        if 4 * len(encoded.dictionary) < len(indices):
            return pa.DictionaryArray.from_arrays(codes, encoded.dictionary)
    return pc.take(values, indices)
