"""Who counts, what is history and what is a target."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shelfrank.types import ItemId
from shelfrank_training.evaluate.histories import SourceEvent, keep_all, record
from shelfrank_training.evaluate.protocol import Asked, Universe, ask

if TYPE_CHECKING:
    import numpy as np

    from shelfrank.types import Kind
    from shelfrank_training.evaluate.protocol import ProtocolName

CUTOFF = datetime(2017, 12, 1, tzinfo=UTC)
UNIVERSE = Universe.of({ItemId(name): 100 - at for at, name in enumerate("abcdef")})


def day(item: str, days: float, kind: Kind = "purchase") -> SourceEvent:
    return SourceEvent(time=CUTOFF + timedelta(days=days), item_id=ItemId(item), kind=kind)


def asked(source: list[SourceEvent], protocol: ProtocolName = "future") -> Asked:
    recording = record(source, keep_all())
    return ask(source, recording, UNIVERSE, cutoff=CUTOFF, protocol=protocol)


def names(rows: np.ndarray) -> str:
    return "".join(UNIVERSE.item_ids[row] for row in rows)


def test_the_universe_stands_in_order_of_popularity_then_of_the_id() -> None:
    universe = Universe.of({ItemId("b"): 3, ItemId("a"): 3, ItemId("c"): 9})

    assert universe.item_ids == ("c", "a", "b")
    assert universe.weight.tolist() == [9, 3, 3]
    assert universe.rows([ItemId("b"), ItemId("x"), ItemId("c"), ItemId("b")]).tolist() == [0, 2]


def test_future_asks_once_for_everything_from_the_cutoff_on() -> None:
    (moment,) = asked([day("a", -2), day("b", -1), day("c", 0), day("a", 3), day("a", 4)]).moments

    assert moment.now == CUTOFF
    assert [event.item_id for event in moment.history] == ["a", "b"]
    assert names(moment.targets) == "ac"
    assert moment.together


def test_next_asks_before_each_later_time_with_all_that_came_before_it() -> None:
    source = [day("a", -1), day("b", 1), day("c", 2), day("d", 2)]

    first, second = asked(source, "next").moments

    assert [event.item_id for event in first.history] == ["a"]
    assert names(first.targets) == "b"
    assert [event.item_id for event in second.history] == ["a", "b"]
    assert names(second.targets) == "cd"
    assert not second.together


def test_next_asks_a_visit_after_the_cutoff_from_its_second_event_on() -> None:
    (moment,) = asked([day("a", 1), day("b", 1.001)], "next").moments

    assert [event.item_id for event in moment.history] == ["a"]
    assert names(moment.targets) == "b"
    assert moment.in_visit


def test_a_shopper_without_an_event_before_does_not_count() -> None:
    result = asked([day("a", 0), day("b", 1)])

    assert (result.moments, result.had_history, result.had_targets) == ((), False, True)


def test_a_shopper_with_nothing_from_the_cutoff_on_does_not_count() -> None:
    result = asked([day("a", -3), day("b", -2)])

    assert (result.moments, result.had_targets) == ((), False)


def test_targets_outside_the_universe_are_counted_and_never_asked_for() -> None:
    result = asked([day("a", -1), day("x", 1), day("b", 1), day("y", 2), day("x", 3)])

    assert result.outside == 2
    assert names(result.moments[0].targets) == "b"
    assert asked([day("a", -1), day("x", 1)]).moments == ()


def test_a_shopper_counts_by_what_happened_though_the_device_kept_nothing_of_it() -> None:
    source = [day("a", -1), day("b", 1)]
    nothing = record(source, replace(keep_all(), records=lambda _kind, _item: False))

    result = ask(source, nothing, UNIVERSE, cutoff=CUTOFF, protocol="future")

    assert [len(moment.history) for moment in result.moments] == [0]


def test_a_dislike_is_never_a_target() -> None:
    for protocol in ("future", "next"):
        source = [day("a", -1), day("b", 1, "dislike"), day("c", 2)]
        assert [names(moment.targets) for moment in asked(source, protocol).moments] == ["c"]
