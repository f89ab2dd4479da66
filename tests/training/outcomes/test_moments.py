"""Which moments are asked about, and what competes there: keyed, bounded, unbiased."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shelfrank.types import ItemId, Kind
from shelfrank_training.evaluate.histories import SourceEvent, keep_all, record
from shelfrank_training.outcomes.moments import (
    MAX_CANDIDATES,
    MOMENTS,
    SLOTS,
    TAKEN,
    Question,
    questions,
    sampling_rate,
)

START = datetime(2017, 11, 1, 9, tzinfo=UTC)
N_ITEMS = 40


def event(item: int, *, day: int = 0, minute: float = 0, kind: Kind = "purchase") -> SourceEvent:
    return SourceEvent(
        time=START + timedelta(days=day, minutes=minute),
        item_id=ItemId(f"item {item}"),
        kind=kind,
        visit_id=str(day),
    )


def row_of(item_id: ItemId) -> int | None:
    number = int(item_id.split()[1])
    return number if number < N_ITEMS else None


def ask(source: list[SourceEvent], shopper: str = "s") -> list[Question]:
    return questions(
        shopper, source, record(source, keep_all()), row_of, n_items=N_ITEMS, salt="salt"
    )


def taken(question: Question) -> list[int]:
    return [int(row) for row in question.candidates[question.bought]]


def others(question: Question) -> list[int]:
    return [int(row) for row in question.candidates[~question.bought]]


def test_the_start_of_a_visit_is_asked_with_all_before_it_and_nothing_of_it() -> None:
    source = [event(1), event(2, day=1), event(3, day=1), event(4, day=2)]

    found = ask(source)

    assert [question.now for question in found] == [source[1].time, source[3].time]
    assert [taken(question) for question in found] == [[2, 3], [4]]
    assert [[e.item_id for e in question.history] for question in found] == [
        ["item 1"],
        ["item 1", "item 2", "item 3"],
    ]
    assert not any(question.in_visit for question in found)


def test_a_shopper_seen_for_the_first_time_is_not_asked() -> None:
    assert ask([event(1), event(2)]) == []


def test_inside_a_visit_only_what_is_still_to_come_is_taken() -> None:
    found = ask([event(1), event(2, minute=5), event(3, minute=9)])

    assert len(found) == 1
    minutes = (found[0].now - START) / timedelta(minutes=1)
    assert found[0].in_visit
    assert taken(found[0]) == {5: [2, 3], 9: [3]}[int(minutes)]
    assert len(found[0].history) == {5: 1, 9: 2}[int(minutes)]


def test_half_of_the_visits_that_go_on_are_asked_at_their_start() -> None:
    source = [event(1), event(2, day=1), event(3, day=1, minute=5), event(4, day=1, minute=9)]
    minutes = [
        int((question.now - source[1].time) / timedelta(minutes=1))
        for shopper in range(400)
        for question in ask(source, str(shopper))
    ]

    assert len(minutes) == 400
    assert 160 < minutes.count(0) < 240  # 200 ± 4 standard deviations
    assert 60 < minutes.count(5) < 140  # 100 ± 4.6
    assert set(minutes) == {0, 5, 9}


def test_each_visit_is_chosen_as_often_as_any_other() -> None:
    source = [event(day % N_ITEMS, day=day) for day in range(26)]
    chosen: list[int] = []
    for shopper in range(400):
        days = [(question.now - START).days for question in ask(source, str(shopper))]
        assert len(days) == len(set(days)) == MOMENTS
        chosen += days

    counts = np.bincount(chosen, minlength=26)
    assert counts[0] == 0
    assert counts[1:].min() > 160 - 45  # 25 visits, 10 of them: 160 ± 9.8 each
    assert counts[1:].max() < 160 + 45


def test_one_moment_is_bounded_whatever_the_shopper_takes() -> None:
    source = [event(0), *(event(item, day=1) for item in range(N_ITEMS))]

    (found,) = ask(source)

    assert len(taken(found)) == TAKEN
    assert others(found) == [], "what was taken and does not count is no other item"
    assert MAX_CANDIDATES == TAKEN + SLOTS
    assert taken(found) != list(range(TAKEN)), "the choice is keyed, not the first ones"


def test_a_dislike_and_an_item_outside_the_model_take_nothing() -> None:
    source = [
        event(1),
        event(2, day=1, kind="dislike"),
        event(N_ITEMS, day=1),
        event(3, day=2),
        event(4, day=2, kind="dislike"),
        event(N_ITEMS + 1, day=2),
    ]

    found = ask(source)

    assert [(question.now, taken(question)) for question in found] == [(source[3].time, [3])]


def test_rows_at_equal_times_may_come_in_any_order() -> None:
    source = [event(1), *(event(item, day=1) for item in range(2, 12))]
    turned = [source[0], *reversed(source[1:])]

    one, other = ask(source)[0], ask(turned)[0]

    assert one.candidates.tolist() == other.candidates.tolist()
    assert one.bought.tolist() == other.bought.tolist()


@pytest.mark.parametrize("n_items", [3, 40, 1000])
def test_every_item_not_taken_competes_with_the_stated_chance(n_items: int) -> None:
    source = [event(1), event(2, day=1)]
    recording = record(source, keep_all())
    drawn = np.zeros(n_items)
    sizes = []
    for shopper in range(2000):
        (found,) = questions(str(shopper), source, recording, row_of, n_items=n_items, salt="salt")
        drawn[others(found)] += 1
        sizes.append(len(others(found)))

    rate = sampling_rate(n_items)
    assert drawn[2] == 0, "it was taken"
    spread = np.sqrt(rate * (1 - rate) / 2000)
    rest = np.delete(drawn, 2) / 2000
    assert np.abs(rest - rate).max() < 5 * spread
    assert abs(rest.mean() - rate) < 5 * spread / np.sqrt(n_items - 1)
    assert max(sizes) <= min(SLOTS, n_items)
    # With a fixed number, what a suppressed row holds would follow from the published ones.
    assert len(set(sizes)) >= 3


def test_the_choice_does_not_change_between_versions() -> None:
    source = [event(day % 7, day=day, minute=minute) for day in range(14) for minute in (0, 3)]

    found = ask(source)

    assert [(question.now - START).days for question in found] == [*(0, 1, 2, 3, 4, 6, 7, 8, 9, 13)]
    assert found[0].candidates.tolist() == [
        *(0, 1, 2, 3, 4, 7, 9, 11, 14, 15, 16, 18, 21, 22, 25, 26, 32, 36, 38)
    ]
