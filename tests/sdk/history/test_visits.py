from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shelfrank.history.events import MAX_ORDER
from shelfrank.history.visits import VisitMark, current_visit, place_all, place_next
from support.histories import START


def mark_at(minutes: float, *, visit: int = 3, order: int = 5) -> VisitMark:
    return VisitMark(visit=visit, order=order, last_at=START + timedelta(minutes=minutes))


def test_the_first_event_starts_visit_zero() -> None:
    assert place_next(None, START, new_visit=False) == mark_at(0, visit=0, order=0)


def test_an_event_within_half_an_hour_goes_on_with_the_visit() -> None:
    placed = place_next(mark_at(0), START + timedelta(minutes=29, seconds=59), new_visit=False)

    assert placed is not None
    assert (placed.visit, placed.order) == (3, 6)


def test_half_an_hour_without_an_event_ends_the_visit() -> None:
    placed = place_next(mark_at(0), START + timedelta(minutes=30), new_visit=False)

    assert placed == mark_at(30, visit=4, order=0)


def test_the_app_can_start_a_visit() -> None:
    placed = place_next(mark_at(0), START, new_visit=True)

    assert placed == mark_at(0, visit=4, order=0)


def test_events_of_the_same_moment_are_unordered() -> None:
    assert place_next(mark_at(0), START, new_visit=False) == mark_at(0)


def test_a_clock_that_jitters_backwards_stays_in_the_visit_and_claims_no_order() -> None:
    placed = place_next(mark_at(0), START - timedelta(minutes=29), new_visit=False)

    assert placed == mark_at(0)


def test_an_event_from_before_the_visit_is_not_put_at_the_end() -> None:
    assert place_next(mark_at(0), START - timedelta(minutes=30), new_visit=False) is None


def test_after_the_newest_event_was_erased_the_next_one_starts_a_visit() -> None:
    mark = VisitMark(visit=3, order=5, last_at=None)

    assert place_next(mark, START, new_visit=False) == mark_at(0, visit=4, order=0)


def test_positions_end_where_the_format_ends() -> None:
    placed = place_next(mark_at(0, order=MAX_ORDER), START + timedelta(minutes=1), new_visit=False)

    assert placed is not None
    assert placed.order == MAX_ORDER


def test_the_current_visit_is_the_open_one_or_the_next() -> None:
    later = START + timedelta(minutes=30)

    assert current_visit(None, START, new_visit=False) == 0
    assert current_visit(mark_at(0), START, new_visit=False) == 3
    assert current_visit(mark_at(0), START, new_visit=True) == 4
    assert current_visit(mark_at(0), later, new_visit=False) == 4


@given(st.lists(st.integers(0, 10_000), max_size=50), st.data())
def test_visits_and_positions_grow_with_time(minutes: list[int], data: st.DataObject) -> None:
    mark = None
    places = []

    for minute in sorted(minutes):
        said = data.draw(st.booleans())
        mark = place_next(mark, START + timedelta(minutes=minute), new_visit=said)
        assert mark is not None
        places.append((mark.visit, mark.order))

    assert places == sorted(places)
    visits = [visit for visit, _ in places]
    assert sorted(set(visits)) == list(range(len(set(visits))))


@given(
    st.none() | st.builds(mark_at, st.integers(0, 60), order=st.sampled_from([0, 5, MAX_ORDER])),
    st.lists(st.integers(-50, 100), max_size=30),
    st.booleans(),
)
def test_many_events_are_placed_as_one_after_the_other(
    mark: VisitMark | None, minutes: list[int], new_visit: bool
) -> None:
    times = [START + timedelta(minutes=minute) for minute in sorted(minutes)]
    one, places = mark, []
    for at, time in enumerate(times):
        placed = place_next(one, time, new_visit=new_visit and at == 0)
        one = placed or one
        places.append(None if placed is None else (placed.visit, placed.order))

    assert place_all(mark, times, new_visit=new_visit) == (one, places)
