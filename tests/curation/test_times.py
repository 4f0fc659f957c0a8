"""Times are shown and read in local time with their offset, wherever somebody sits."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.times import iso_time, now, parse_time, show_time
from tests.helpers import run_assay


@pytest.fixture(params=["America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def decided(tmp_path):
    """A bench of three labels, one confirmed by ann just now."""
    from tests.helpers import bench_of, digits

    bench = bench_of(digits(20), tmp_path)
    state = bench.state()
    bench.edit(
        pd.DataFrame([dict(sample=state.index[state.split == "train"][0], verdict="confirm")]),
        "ann",
    )
    return bench


def there(zone, minutes):
    """A time so many minutes from now, as a clock on the wall there shows it."""
    return f"{datetime.now(zone) + timedelta(minutes=minutes):%Y-%m-%d %H:%M}"


def test_since_is_a_time_on_the_wall(decided, zone):
    status, _, err = run_assay("revert", "--since", there(zone, 2), "--dry-run", "-b", decided.path)
    assert status == 2 and "found none" in err and f"{datetime.now(zone):%z}"[:3] in err
    before = there(zone, -2)
    status, out, _ = run_assay("revert", "--since", before, "--dry-run", "-b", decided.path)
    in_utc = datetime.fromisoformat(before).replace(tzinfo=zone).astimezone(UTC)
    assert status == 0 and "1 value goes back" in out and f"{in_utc:%H:%M} UTC" in out


def test_a_time_without_a_day_is_of_today(zone):
    today = datetime.now(zone)
    assert parse_time("0:05") == datetime(*today.timetuple()[:3], 0, 5, tzinfo=zone).astimezone(
        UTC
    ).replace(tzinfo=None)
    assert parse_time("13:04:59") == datetime(
        *today.timetuple()[:3], 13, 4, 59, tzinfo=zone
    ).astimezone(UTC).replace(tzinfo=None)
    for text in ("25:00", "12:60", "1:2", "12"):
        with pytest.raises(UserError, match="expected a time"):
            parse_time(text)


@pytest.mark.daily
@pytest.mark.slow
def test_every_time_that_is_shown_has_its_offset(decided, zone):
    decided.commit("first", "ann")
    offset = f"{datetime.now(zone):%z}"
    offset = f"{offset[:3]}:{offset[3:]}"
    sample = decided.state().index[0]
    for verb in (
        ["log"],
        ["log", "--batches"],
        ["blame", sample],
        ["reviewers"],
        ["runs"],
        ["status"],
    ):
        for form in ([], ["--json"]):
            out = run_assay(*verb, *form, "-b", decided.path)[1]
            times = re.findall(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^\s\",]*", out)
            assert all(t.endswith(offset) for t in times), (verb, form, times)
            assert times or verb[0] in ("runs", "status"), (
                "a pattern that finds nothing proves nothing"
            )
    said = json.loads(run_assay("log", "--batches", "--json", "-b", decided.path)[1])["rows"]
    assert all(
        abs(datetime.fromisoformat(r["ts"]) - datetime.now(UTC)) < timedelta(minutes=5)
        for r in said
    )


def test_what_was_stored_comes_back(zone):
    moment = now()
    assert parse_time(iso_time(moment)) == moment
    assert parse_time(show_time(moment)) == moment.replace(second=0, microsecond=0)
    assert parse_time("v1", dict(v1=moment)) == moment


@pytest.mark.parametrize("text", ["2026-11-01 01:30", "2026-03-08 02:30"])
def test_an_hour_that_the_clock_showed_twice_or_never_is_asked_about(text, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        with pytest.raises(UserError, match="-04:00 or .*-05:00|-05:00 or .*-04:00"):
            parse_time(text)
        assert parse_time(f"{text}-05:00") == datetime.fromisoformat(text) + timedelta(hours=5)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "-2h",
        "9999999999999d",
        "0001-01-01 00:00",
        "9999-12-31 23:59",
        "999999d",
    ],
)
def test_no_time_is_an_error_in_words(text):
    with pytest.raises(UserError, match="expected a time"):
        parse_time(text)


@pytest.mark.slow
def test_a_script_may_say_a_datetime(decided, zone):
    later = datetime.now() + timedelta(minutes=1)
    with pytest.raises(UserError, match="found none"):
        assay.open(decided.path).revert(since=later, who="bob", dry=True)
    plan, _ = decided.revert(since=datetime.now(UTC) - timedelta(minutes=5), who="bob", dry=True)
    assert len(plan) == 1
