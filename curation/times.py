"""Times: stored in UTC without a zone, shown and read as local time with its offset."""

import re
from datetime import UTC, datetime, timedelta

from assay.curation.errors import UserError

EXAMPLE = "for example '2026-11-24 15:00' (your local time), 15:00 today, '2026-11-24 15:00+01:00', 2h, 30m, 3d, or a version such as v1"


def now():
    return datetime.now(UTC).replace(tzinfo=None)


def local(ts):
    """A stored time as an aware datetime of the local zone."""
    return datetime.combine(ts.date(), ts.time(), UTC).astimezone()


def show_time(ts):
    """A stored time as people read it: `2026-11-24 15:00+01:00`."""
    return local(ts).isoformat(" ", "minutes")


def iso_time(ts):
    """A stored time in ISO 8601 with its offset, for JSON."""
    return local(ts).isoformat()


def localize(frame, write=iso_time):
    """A frame whose stored times are texts in local time with their offset."""
    import pandas as pd

    columns = frame.select_dtypes("datetime").columns
    return frame.assign(
        **{c: [None if pd.isna(t) else write(t) for t in frame[c]] for c in columns}
    )


def stored(when):
    """An aware datetime, or a naive one in local time, as it is stored. UserError where the local clock showed it twice, or never."""
    readings = [when.replace(fold=fold).astimezone() for fold in (0, 1)]
    if readings[0] != readings[1]:
        both = " or ".join(t.isoformat(" ", "minutes") for t in readings)
        raise UserError(
            f"expected a time that the clock showed once, found {when:%Y-%m-%d %H:%M}: it may be {both}",
            "write the offset, too",
        )
    return readings[0].astimezone(UTC).replace(tzinfo=None)


def parse_time(text, versions=None):
    """A time as it is stored, from local time (of today where no day is said), ISO 8601 with an offset, `2h`, `30m` or `3d` ago, or a version:
    when it was committed.

    versions  # {name: stored time}"""
    if text in (versions or {}):
        return versions[text]
    try:
        if m := re.fullmatch(r"(\d{1,6})([mhd])", text):
            return now() - timedelta(**{dict(m="minutes", h="hours", d="days")[m[2]]: int(m[1])})
        today = f"{datetime.now():%Y-%m-%d} " if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text) else ""
        return stored(datetime.fromisoformat(today + text.zfill(5) if today else text))
    except (ValueError, OverflowError):
        raise UserError(f"expected a time, found {text!r}", EXAMPLE) from None
