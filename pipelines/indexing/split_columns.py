"""Read a column of the metadata, as groups or as times."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UnknownColumn, UserError
from assay.curation.slicing.metadata import format_value

if TYPE_CHECKING:
    import pandas as pd

EXIF = re.compile(r"(\d{4}):(\d\d):(\d\d)(.*)")  # 2024:03:01 12:00:00, as cameras write it
ISO = re.compile(r"\d{4}(-?\d\d){0,2}([T ].*)?")


def read_column(state: pd.DataFrame, column: str, option: str) -> list[Any]:
    """Read a key of each sample's metadata, None where it has none.

    `source` is the source that brought the sample. UserError where no sample has the key.
    """
    metas = [json.loads(meta or "{}") for meta in state.meta]
    known = {key for meta in metas for key in meta}
    if column not in known and column == "source":
        return list(state.source)
    if column not in known:
        names = sorted(known)
        found = ", ".join(names[:12]) + " ..." * (len(names) > 12) if names else "none"
        raise UnknownColumn(
            f"expected a column {column} in the metadata of the samples, found {found}",
            f"{option} takes a column that came with the import, or source; folders have none: "
            "import a table with that column",
            column,
            names,
        )
    return [meta.get(column) for meta in metas]


def as_groups(values: list[Any]) -> list[str | None]:
    """Write values as names of groups; 3 and 3.0 are one."""
    return [
        None
        if v is None or v != v or not str(v).strip()
        else json.dumps(v, sort_keys=True)
        if isinstance(v, list | dict)
        else format_value(v)
        for v in values
    ]


def as_times(values: list[Any], column: str) -> np.ndarray:
    """Read values as times: seconds (n,), or the numbers that they are.

    NaN where there is none. UserError for what is neither a number nor ISO 8601: 03/04/2024 is two days.
    """
    import pandas as pd

    texts = pd.Series(as_groups(values), dtype=object)
    there = texts.notna()
    numbers = pd.to_numeric(texts[there], errors="coerce")
    out = np.full(len(texts), np.nan)
    if (
        numbers.notna().all()
        and not texts[there].map(lambda t: bool(re.fullmatch(r"\d{8}", t))).all()
    ):
        out[there] = numbers
        return out
    plain = texts[there].map(lambda t: EXIF.sub(r"\1-\2-\3\4", t.strip()))
    iso = plain.map(lambda t: bool(ISO.fullmatch(t)))
    times = pd.to_datetime(plain.where(iso), format="ISO8601", errors="coerce", utc=True)
    if (bad := times.isna()).any():
        example = texts[there][bad].iloc[0]
        raise UserError(
            f"expected times in the column {column}, as 2024-03-01, 2024-03-01T12:00 or numbers, "
            f"found {int(bad.sum()):,} others, such as {example!r}",
            "write the year first, or empty the cells: what has no time stays in train",
        )
    out[there] = times.astype("datetime64[ns, UTC]").astype("int64") / 1e9
    return out


def show_time(value: float, values: list[Any], times: np.ndarray) -> str:
    """Show a time as the column writes it."""
    return str(values[int(np.flatnonzero(times == value)[0])])
