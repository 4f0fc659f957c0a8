"""Read and write times.

Stored in UTC without a zone, shown and read as local time with its offset.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from assay.curation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = (
    "for example '2026-11-24 15:00' (your local time), 15:00 today, '2026-11-24 15:00+01:00', "
    "2h, 30m, 3d, or a version such as v1"
)
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def now() -> datetime:
    """The time as it is stored."""
    return datetime.now(UTC).replace(tzinfo=None)


def to_local(ts: datetime) -> datetime:
    """Turn a stored time into an aware one of the local zone."""
    return datetime.combine(ts.date(), ts.time(), UTC).astimezone()


def show_time(ts: datetime) -> str:
    """Write a stored time as people read it: `2026-11-24 15:00+01:00`."""
    return to_local(ts).isoformat(" ", "minutes")


def iso_time(ts: datetime) -> str:
    """Write a stored time in ISO 8601 with its offset, for JSON."""
    return to_local(ts).isoformat()


def localize(frame: pd.DataFrame, write: Callable[[datetime], str] = iso_time) -> pd.DataFrame:
    """Write the stored times of a frame as local times.

    Texts with their offset.
    """
    import pandas as pd

    columns = frame.select_dtypes("datetime").columns
    return frame.assign(
        **{c: [None if pd.isna(t) else write(t) for t in frame[c]] for c in columns}
    )


def to_stored(when: datetime) -> datetime:
    """Turn a time into a stored one.

    An aware time, or a naive one in local time. UserError where the local clock showed it twice, or never.
    """
    readings = [when.replace(fold=fold).astimezone() for fold in (0, 1)]
    if readings[0] != readings[1]:
        both = " or ".join(t.isoformat(" ", "minutes") for t in readings)
        raise UserError(
            f"expected a time that the clock showed once, found {when:%Y-%m-%d %H:%M}: "
            f"it may be {both}",
            "write the offset, too",
        )
    return readings[0].astimezone(UTC).replace(tzinfo=None)


def parse_time(text: str, versions: Mapping[str, datetime] | None = None) -> datetime:
    """Read a time that a person wrote, as it is stored.

    Local time (of today where no day is said), ISO 8601 with an offset, `2h`, `30m` or `3d` ago,
    or the name of a version: when it was committed. UserError for anything else.

    versions  # {name: stored time}
    """
    if text in (versions or {}):
        return versions[text]
    try:
        if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
            return now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        today = re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text)
        full = f"{datetime.now():%Y-%m-%d} {text.zfill(5)}" if today else text
        return to_stored(datetime.fromisoformat(full))
    except (ValueError, OverflowError):
        raise UserError(f"expected a time, found {text!r}", EXAMPLE) from None
