"""The time of day where the shop is, told without the engine."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.ranking.inputs import daypart_of
from shelfrank.types import DAYPARTS
from shelfrank_training.errors import DataError
from shelfrank_training.zones import daypart_at, find_zone, offsets

START, END = datetime(2009, 1, 1), datetime(2019, 1, 1)  # noqa: DTZ001 - naive times are UTC

ZONES = ("Europe/Amsterdam", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
# Clocks that were changed for Ramadan, four times a year, and for good, by half an hour.
ODD = ("Africa/Casablanca", "Asia/Pyongyang")


@pytest.mark.parametrize("name", [*ZONES, *ODD])
def test_the_list_of_offsets_says_what_pythons_own_clock_says(name: str) -> None:
    zone = ZoneInfo(name)
    listed = offsets(zone, START, END)
    since = [moment for moment, _ in listed]
    assert since == sorted(since)
    assert since[0] == START
    assert name == "UTC" or len(listed) > 1 or name == "Asia/Kolkata"

    # Seven is no divisor of a day, so every time of day is looked at.
    asked = [START + timedelta(hours=7) * n for n in range(12_500)]
    asked += [m + timedelta(seconds=s) for m in since[1:] for s in (-1, 0, 1)]
    for moment in asked:
        ahead = timedelta(seconds=listed[bisect_right(since, moment) - 1][1])
        local = moment.replace(tzinfo=UTC).astimezone(zone)
        assert moment + ahead == local.replace(tzinfo=None)


@given(moment=st.datetimes(timezones=st.just(UTC)), name=st.sampled_from(ZONES))
def test_device_and_training_cut_the_day_alike(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    try:
        local = moment.astimezone(zone)
    except OverflowError:  # The first and the last day of the calendar.
        return

    assert daypart_at(moment, zone) == daypart_of(local)


@pytest.mark.parametrize(
    ("hour", "daypart"),
    [(0, 0), (5, 0), (6, 1), (11, 1), (12, 2), (17, 2), (18, 3), (23, 3)],
)
def test_the_day_has_four_parts_of_six_hours_by_the_clock_on_the_wall(
    hour: int, daypart: int
) -> None:
    local = datetime(2020, 7, 1, hour, 59, 59, tzinfo=ZoneInfo("Europe/Amsterdam"))

    assert daypart_of(local) == DAYPARTS[daypart]
    assert daypart_at(local.astimezone(UTC), ZoneInfo("Europe/Amsterdam")) == DAYPARTS[daypart]
    assert DAYPARTS == ("night", "morning", "afternoon", "evening")


@pytest.mark.parametrize("name", ["Atlantis", "Europe", "", "../passwd", "/etc/passwd", "a\0b"])
def test_a_zone_that_is_none_is_a_clear_error(name: str) -> None:
    with pytest.raises(DataError, match="no time zone") as caught:
        find_zone(name)

    assert "IANA" in str(caught.value.hint)
    assert find_zone("Europe/Amsterdam").key == "Europe/Amsterdam"
