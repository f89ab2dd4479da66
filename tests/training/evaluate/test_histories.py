"""A shopper's rows become the history that a device would hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shelfrank.types import ItemId
from shelfrank_training.evaluate.histories import SourceEvent, keep_all, record

START = datetime(2017, 11, 1, 9, 12, 30, tzinfo=UTC)


def row(item: str, minutes: float, *, visit_id: str | None = None, **more: object) -> SourceEvent:
    event = SourceEvent(
        time=START + timedelta(minutes=minutes), item_id=ItemId(item), visit_id=visit_id
    )
    return replace(event, **more)  # type: ignore[arg-type]  # fields of SourceEvent


def test_thirty_minutes_without_an_event_start_a_visit() -> None:
    events = record([row("a", 0), row("b", 29), row("c", 59), row("d", 60)], keep_all()).events

    assert [(event.visit, event.order) for event in events] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_visit_id_decides_where_there_is_one() -> None:
    source = [row("a", 0, visit_id="1"), row("b", 300, visit_id="1"), row("c", 301, visit_id="2")]

    assert [event.visit for event in record(source, keep_all()).events] == [0, 0, 1]


def test_events_at_one_time_have_no_order_among_them() -> None:
    events = record([row("a", 0), row("b", 0), row("c", 5)], keep_all()).events

    assert [event.order for event in events] == [0, 0, 1]


def test_what_is_not_stored_neither_appears_nor_prolongs_a_visit() -> None:
    rules = replace(keep_all(), records=lambda kind, item_id: item_id != "beer" and kind != "view")
    source = [row("a", 0), row("beer", 20), row("b", 25, kind="view"), row("c", 40)]

    recording = record(source, rules)

    assert [event.item_id for event in recording.events] == ["a", "c"]
    assert [event.visit for event in recording.events] == [0, 1]


def test_times_are_coarsened_after_visits_and_order_were_found() -> None:
    rules = replace(keep_all(), coarsen=lambda time: time.replace(hour=0, minute=0, second=0))

    events = record([row("a", 0), row("b", 2), row("c", 50)], rules).events

    assert {event.time for event in events} == {datetime(2017, 11, 1, tzinfo=UTC)}
    assert [(event.visit, event.order) for event in events] == [(0, 0), (0, 1), (1, 0)]


def test_only_earlier_events_within_the_retention_are_ranked_with() -> None:
    rules = replace(keep_all(), keeps=lambda time, now: now - time < timedelta(minutes=30))
    recording = record([row(item, at) for item, at in (("a", 0), ("b", 10), ("c", 35))], rules)

    def before(minutes: float) -> list[str]:
        return [event.item_id for event in recording.before(START + timedelta(minutes=minutes))]

    assert before(0) == []
    assert before(35) == ["b"]
    assert before(36) == ["b", "c"]
    assert before(500) == []


def test_quantities_are_one_where_the_policy_does_not_keep_them() -> None:
    source = [row("a", 0, quantity=4.0)]

    assert record(source, keep_all()).events[0].quantity == 4
    assert record(source, replace(keep_all(), counts=False)).events[0].quantity == 1


def test_the_last_visit_lasts_half_an_hour_unless_another_one_has_begun() -> None:
    recording = record([row("a", 0, visit_id="1"), row("b", 10, visit_id="1")], keep_all())

    def lasts(minutes: float, visit_id: str | None = None) -> bool:
        return recording.in_visit(START + timedelta(minutes=minutes), visit_id=visit_id)

    assert lasts(39)
    assert lasts(39, "1")
    assert not lasts(39, "2")
    assert not lasts(40)
    assert not lasts(0)
