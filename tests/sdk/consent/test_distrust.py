"""The clock can only be distrusted: whatever it shows, in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.distrust import JUMP, Times

DAY = timedelta(days=1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = Times(settled=T0, seen=T0)

LOOKS = st.lists(
    st.tuples(
        st.sampled_from(["shown", "shown_in_a_new_session", "signed"]), st.integers(-400, 400)
    ),
    max_size=12,
)


@given(LOOKS)
def test_neither_moment_ever_goes_back_and_seen_is_never_behind(looks) -> None:
    times = FRESH
    for how, days in looks:
        after = getattr(times, how)(T0 + days * DAY)
        assert after.seen >= max(times.seen, T0 + days * DAY)
        assert after.settled >= times.settled
        assert after.seen >= after.settled
        times = after


@given(LOOKS)
def test_one_session_alone_settles_no_jump(looks) -> None:
    times = FRESH
    for _, days in looks:
        before, times = times, times.shown(T0 + days * DAY)
        assert times.settled <= before.settled + JUMP


@pytest.mark.parametrize(("days", "doubted"), [(30, False), (31, True), (-31, False)])
def test_more_than_thirty_days_at_once_are_a_jump(days: int, doubted: bool) -> None:
    times = FRESH.shown(T0 + days * DAY)

    assert (times.doubt is not None) is doubted
    assert times.settled == (T0 if doubted else max(T0, T0 + days * DAY))


def test_a_second_session_that_shows_as_much_settles_it_and_one_that_went_back_does_not() -> None:
    doubted = FRESH.shown(T0 + 100 * DAY)

    assert doubted.shown_in_a_new_session(T0 + 99 * DAY).doubt == T0 + 100 * DAY
    settled = doubted.shown_in_a_new_session(T0 + 100 * DAY)
    assert (settled.doubt, settled.settled) == (None, T0 + 100 * DAY)
    assert doubted.shown_in_a_new_session(T0 + 300 * DAY).settled == T0 + 300 * DAY


def test_a_signed_time_settles_a_doubt_it_comes_near() -> None:
    doubted = FRESH.shown(T0 + 100 * DAY)

    assert doubted.signed(T0 + 69 * DAY).doubt == T0 + 100 * DAY
    settled = doubted.signed(T0 + 70 * DAY)
    assert (settled.doubt, settled.settled) == (None, T0 + 100 * DAY)
    assert doubted.signed(T0 + 200 * DAY).settled == T0 + 200 * DAY
