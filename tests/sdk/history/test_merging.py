"""A history from elsewhere: every event once, every visit in its order, all of it or nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.errors import HistoryDamagedError, HistoryError
from shelfrank.history.merging import latest_times, number_visits
from support.exports import history_of, past_event
from support.histories import RANK, Profile, items_of, new_event

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.history.events import PastEvent
    from shelfrank.history.store import History


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


def layout(history: History) -> list[tuple[str, int, int]]:
    return [(s.event.item_id, s.event.visit, s.event.order) for s in history.stored()]


def test_an_empty_history_takes_everything_over_as_it_was() -> None:
    events = [past_event("b", hours=2, visit=3, order=7), past_event("a", visit=1)]

    history = history_of(events)

    assert layout(history) == [("a", 1, 0), ("b", 3, 7)]


def test_nothing_is_written_for_nothing(profile: Profile) -> None:
    with profile.open() as history:
        assert history.merge([]) == 0

    assert not profile.folder.exists()


def test_an_older_history_goes_before_the_present_one_and_the_open_visit_stays_open(
    profile: Profile,
) -> None:
    with profile.open() as history:
        history.append([new_event("now"), new_event("and-now", minutes=5)])
        profile.clock.advance(minutes=6)

        older, old = past_event("older", hours=-100), past_event("old", hours=-50, visit=1)
        assert history.merge([old, older]) == 2

        assert layout(history) == [("older", 0, 0), ("old", 1, 0), ("now", 2, 0), ("and-now", 2, 1)]
        (event,) = history.append([new_event("next", minutes=6)])
        assert (event.visit, event.order) == (2, 2)


def test_a_newer_history_goes_behind_and_its_visit_is_over(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event("mine")])
        numbers = [stored.seq for stored in history.stored()]

        history.merge([past_event("theirs", hours=1, visit=7)])

        assert layout(history) == [("mine", 0, 0), ("theirs", 1, 0)]
        assert [stored.seq for stored in history.stored()][:1] == numbers
        (event,) = history.append([new_event("next", minutes=61)])
        assert event.visit == 2


def test_visits_interleave_by_time_and_keep_their_order_on_each_side(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event("mine-1"), new_event("mine-2", minutes=300)])

        history.merge([past_event("theirs-1", hours=-1), past_event("theirs-2", hours=2, visit=1)])

        assert [item for item, _, _ in layout(history)] == [
            "theirs-1",
            "mine-1",
            "theirs-2",
            "mine-2",
        ]


def test_renumbering_gives_no_number_twice_and_rotates(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event("mine", minutes=minute) for minute in range(200)])
        before, generation = {stored.seq for stored in history.stored()}, history.generation

        history.merge([past_event("theirs", hours=-1)])

        after = {stored.seq for stored in history.stored()}
        assert len(after) == 201
        assert not before & after
        assert history.generation == generation + 1


def test_what_is_here_is_not_stored_again(profile: Profile) -> None:
    twice = [past_event(order=0), past_event(order=1), past_event("other")]
    with profile.open() as history:
        assert history.merge(twice) == 3
        assert history.merge(twice) == 0
        assert history.merge([*twice, past_event(order=2)]) == 1

        assert len(history) == 4


@pytest.mark.parametrize(
    "other",
    [
        past_event("sku-2"),
        past_event(kind="cart"),
        past_event(hours=1),
        past_event(quantity=2),
    ],
    ids=["item", "kind", "time", "quantity"],
)
def test_what_differs_is_another_event(other: PastEvent) -> None:
    history = history_of([past_event()])

    assert history.merge([other]) == 1


def test_purposes_and_places_do_not_make_an_event_another_one() -> None:
    history = history_of([past_event()])

    assert history.merge([past_event(visit=4, order=3, purposes=("other",))]) == 0
    assert history.stored()[0].purposes == {RANK}


def test_purposes_are_kept_when_events_are_numbered_anew(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event("both", purposes=(RANK, "offers"))])
        history.append([new_event("offers", purposes=("offers",))])

        history.merge([past_event("theirs", hours=-1, purposes=("third",))])

        assert items_of(history) == ["both"]
        assert items_of(history, "offers") == ["both", "offers"]
        assert items_of(history, "third") == ["theirs"]

    with profile.open() as history:
        assert len(history) == 3


def test_after_a_rotation_by_merging_an_older_copy_opens_nothing(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event("mine")])
    before = profile.files()
    with profile.open() as history:
        history.merge([past_event("theirs", hours=-1)])

    profile.database.write_bytes(before["history.db"])
    profile.anchor.write_bytes(before["history.anchor"])

    with pytest.raises(HistoryError, match="destroyed when events were erased"):
        profile.open()


@pytest.mark.parametrize(
    "wrong",
    [
        past_event(visit=-1),
        past_event(visit=2**24),
        past_event(order=2**16),
        past_event(""),
        past_event(purposes=()),
        past_event(quantity=float("inf")),
    ],
    ids=["visit", "high visit", "order", "item", "purposes", "quantity"],
)
def test_one_event_the_format_cannot_hold_and_none_is_stored(
    profile: Profile, wrong: PastEvent
) -> None:
    with profile.open() as history:
        with pytest.raises(ValueError, match=r"wanted|not a finite"):
            history.merge([past_event(), wrong])

        assert len(history) == 0


def test_a_damaged_history_takes_none_in(profile: Profile) -> None:
    with profile.open() as history:
        history.append([new_event("mine", minutes=minute) for minute in range(130)])
        database = history._storage.attach()
        assert database is not None
        with database.writing() as connection:
            connection.execute("UPDATE block SET sealed = zeroblob(length(sealed))")
    with profile.open() as history:
        assert history.damaged
        with pytest.raises(HistoryDamagedError, match="128 events of the history are damaged"):
            history.merge([past_event("theirs", hours=-1)])
        assert len(history) == 2


def test_a_killed_merge_leaves_what_was(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    with profile.open() as history:
        history.append([new_event("mine")])

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("shelfrank.history.merging.append_records", die)
            with pytest.raises(KeyboardInterrupt):
                history.merge([past_event("theirs", hours=-1)])

        assert items_of(history) == ["mine"]

    with profile.open() as history:
        assert items_of(history) == ["mine"]


# Merges one older event, and dies without warning at the named place of the named module.
MERGER = """
import os, sys
from importlib import import_module
from pathlib import Path
from support.exports import past_event
from support.histories import Profile
root, module, name = Path(sys.argv[1]), import_module(sys.argv[2]), sys.argv[3]
with Profile(root).open() as history:
    owner, _, attribute = name.rpartition(".")
    place = getattr(module, owner) if owner else module
    setattr(place, attribute, lambda *_, **__: os._exit(9))
    history.merge([past_event("theirs", hours=-1)])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "place", "after"),
    [
        ("merging", "append_records", ["mine"]),
        ("session", "write_head", ["mine"]),
        ("session", "Session._anchor_commit", ["theirs", "mine"]),
        ("session", "Session.retire_old_keys", ["theirs", "mine"]),
    ],
    ids=["rows erased", "rows written", "committed", "anchored"],
)
def test_a_merge_killed_at_any_step_leaves_the_old_or_the_new_state_and_one_key(
    profile: Profile, tmp_path: Path, module: str, place: str, after: list[str]
) -> None:
    with profile.open() as history:
        history.append([new_event("mine")])
    size = profile.key_path.stat().st_size

    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", MERGER, str(tmp_path), f"shelfrank.history.{module}", place],
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
        timeout=60,
    )

    assert done.returncode == 9
    with profile.open() as history:
        assert items_of(history) == after
        assert (history.damaged, history.lost) == ((), 0)
        history.append([new_event("later", minutes=40)])
        assert items_of(history) == [*after, "later"]
    # A second key, where the old state has it still, goes with the next rotation or opening.
    with profile.open() as history:
        assert items_of(history) == [*after, "later"]
    assert profile.key_path.stat().st_size == size


def test_another_process_sees_what_was_merged(profile: Profile) -> None:
    with profile.open() as history, profile.open() as other:
        history.append([new_event("mine")])
        assert items_of(other) == ["mine"]
        history.merge([past_event("theirs", hours=-1)])

        assert items_of(other) == ["theirs", "mine"]


# --- The numbers of visits ---

visits = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=12).map(latest_times)


@given(visits, visits)
def test_visits_of_two_devices_get_numbers_that_keep_both_orders(
    own: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    mine, theirs = number_visits(own, other)

    assert [mine[visit] for visit, _ in own] == sorted(mine.values())
    assert [theirs[visit] for visit, _ in other] == sorted(theirs.values())
    assert len({*mine.values(), *theirs.values()}) == len(own) + len(other)
    times = {mine[v]: t for v, t in own} | {theirs[v]: t for v, t in other}
    assert [times[number] for number in sorted(times)] == sorted(times.values())


@given(visits)
def test_one_device_alone_keeps_its_numbers(only: list[tuple[int, int]]) -> None:
    same = {visit: visit for visit, _ in only}

    assert number_visits(only, []) == (same, {})
    assert number_visits([], only) == ({}, same)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5))))
def test_times_of_visits_never_fall(events: list[tuple[int, int]]) -> None:
    found = latest_times(events)

    assert [visit for visit, _ in found] == sorted({visit for visit, _ in events})
    assert [time for _, time in found] == sorted(time for _, time in found)
