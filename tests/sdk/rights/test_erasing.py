"""Erasing an event, a day, an item, a purpose: at once, and for good."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from shelfrank import Device, keys
from shelfrank.errors import HistoryRolledBackError, UnknownPurposeError
from shelfrank.types import RANK_PURPOSE
from support.corner_shop import BREAD, MILK, TEA
from support.home import Home, bundle, grant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shelfrank.ranking.page import Page
    from shelfrank.ranking.session import GraphInputs, GraphOutputs

OFFERS = "sort_offers"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, key=keys.file(tmp_path / "key"))


@pytest.fixture
def device(home: Home) -> Iterator[Device]:
    with home.open() as device:
        grant(device)
        grant(device, OFFERS)
        device.record("view", TEA)
        home.clock.turn(days=1)
        device.record("purchase", BREAD)
        device.record("purchase", TEA)
        yield device


def items(device: Device, purpose: str | None = None) -> list[str]:
    return [event.item_id for event in device.history.events(purpose)]


# --- The list ---


def test_the_list_says_what_a_screen_needs(device: Device) -> None:
    first, *_, last = device.history.events()

    assert (first.kind, first.item_id, first.title, first.purposes) == (
        "view",
        TEA,
        "Canary tea",
        {RANK_PURPOSE},
    )
    assert last.purposes == {RANK_PURPOSE, OFFERS}
    assert (first.visit, last.visit, first.quantity) == (0, 1, 1.0)
    assert first.time == datetime(2017, 12, 1, 9, tzinfo=UTC)
    assert not first.day_only
    assert items(device, OFFERS) == [BREAD, TEA]
    assert repr(first) == "<OwnEvent view>"
    assert repr(device.history) == "<OwnHistory>"


def test_without_a_bundle_the_list_has_no_titles(home: Home, device: Device) -> None:
    device.close()
    with home.open(bundle=None, trust=None) as bare:
        assert [event.title for event in bare.history.events()] == [None] * 3
        assert items(bare) == [TEA, BREAD, TEA]


def test_a_handle_survives_reopening_and_is_never_given_again(home: Home, device: Device) -> None:
    before = [event.event_id for event in device.history.events()]
    device.close()
    with home.open() as again:
        assert [event.event_id for event in again.history.events()] == before
        again.history.erase_event(before[2])
        again.record("purchase", MILK)
        later = again.history.events()[-1].event_id
        assert later not in before

        again.erase()
        grant(again)
        for _ in range(4):
            again.record("view", MILK)
        anew = {event.event_id for event in again.history.events()}
        assert not anew & {*before, later}
        assert again.history.erase_event(before[0]) == 0
        assert len(items(again)) == 4


# --- What goes ---


def test_one_event_goes_and_no_other(device: Device) -> None:
    handle = device.history.events()[2].event_id

    assert device.history.erase_event(handle) == 1

    assert items(device) == [TEA, BREAD]
    assert device.history.erase_event(handle) == 0


@pytest.mark.parametrize("handle", ["", "-", "0", "-0", "x-0", "ffffffff-0", "\ud800"])
def test_a_handle_of_nothing_erases_nothing(device: Device, handle: str) -> None:
    assert device.history.erase_event(handle) == 0
    assert len(items(device)) == 3


def test_a_handle_with_a_spelling_of_its_own_is_none(device: Device) -> None:
    tag, _, number = device.history.events()[1].event_id.partition("-")

    for spelling in (
        f"{tag}-0{number}",
        f"{tag}-+{number}",
        f"{tag}- {number}",
        f"{tag}-{number}.0",
    ):
        assert device.history.erase_event(spelling) == 0


def test_an_item_goes_in_every_kind(device: Device) -> None:
    assert device.history.erase_item(TEA) == 2

    assert items(device) == [BREAD]
    assert device.history.erase_item(TEA) == 0


def test_a_day_goes(device: Device) -> None:
    assert device.history.erase_day(date(2017, 12, 2)) == 2

    assert items(device) == [TEA]


def test_a_purpose_goes_and_its_permission_stays(device: Device) -> None:
    assert device.history.erase_purpose(RANK_PURPOSE) == 1

    assert items(device) == [BREAD, TEA]
    assert items(device, RANK_PURPOSE) == []
    assert RANK_PURPOSE in device.consent.given()
    assert device.rank().mode_reason == "no_history"

    device.record("view", MILK)
    assert items(device, RANK_PURPOSE) == [MILK]


def test_a_purpose_nobody_knows_is_a_mistake(device: Device) -> None:
    with pytest.raises(UnknownPurposeError, match="'rank_product'"):
        device.history.erase_purpose("rank_product")


def test_a_purpose_of_the_policy_without_events_is_none(home: Home) -> None:
    with home.open() as device:
        assert device.history.erase_purpose(OFFERS) == 0


def test_without_policy_and_bundle_everything_can_be_erased(home: Home, device: Device) -> None:
    bare_folder = home.folder
    device.close()
    with Device.open(bare_folder, bundle=None, trust=None, key=home.key, clock=home.clock) as bare:
        assert bare.history.erase_purpose(OFFERS) == 0
        assert bare.history.erase_day(date(2017, 12, 1)) == 1
        assert bare.history.erase_event(bare.history.events()[0].event_id) == 1
        assert bare.history.erase_item(TEA) == 1
        assert bare.history.events() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda history: history.erase_event(7),
        lambda history: history.erase_item(7),
        lambda history: history.erase_day("2017-12-01"),
        lambda history: history.erase_day(datetime(2017, 12, 1, tzinfo=UTC)),
        lambda history: history.erase_purpose(None),
    ],
    ids=["event", "item", "day", "moment", "purpose"],
)
def test_the_wrong_type_is_misuse_and_erases_nothing(
    device: Device, wrong: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError, match="wanted"):
        wrong(device.history)

    assert len(items(device)) == 3


# --- Days ---

NEW_YORK = timezone(timedelta(hours=-5))
TOKYO = timezone(timedelta(hours=9))


def days_home(root: Path, granularity: str) -> Home:
    root.mkdir()
    shop = bundle(granularity=granularity)
    return Home(root, bundle_bytes=shop)


@pytest.mark.parametrize(
    ("hour", "zone", "day"),
    [
        (3, UTC, date(2017, 12, 1)),
        (3, NEW_YORK, date(2017, 11, 30)),
        (20, TOKYO, date(2017, 12, 2)),
        (0, NEW_YORK, date(2017, 11, 30)),
        (0, TOKYO, date(2017, 12, 1)),
    ],
)
def test_an_event_kept_by_the_hour_is_of_the_day_where_the_shopper_is(
    tmp_path: Path, hour: int, zone: timezone, day: date
) -> None:
    home = days_home(tmp_path / "hours", "hour")
    home.clock.turn(days=1)
    with home.open() as device:
        grant(device)
        device.record("view", TEA, time=datetime(2017, 12, 1, hour, 20, tzinfo=UTC))
        neighbours = (day - timedelta(days=1), day + timedelta(days=1))

        assert [device.history.erase_day(other, zone=zone) for other in neighbours] == [0, 0]
        assert device.history.erase_day(day, zone=zone) == 1


@pytest.mark.parametrize("zone", [UTC, NEW_YORK, TOKYO])
def test_an_event_kept_by_the_day_is_of_that_day_everywhere(tmp_path: Path, zone: timezone) -> None:
    home = days_home(tmp_path / "days", "day")
    home.clock.turn(days=1)
    with home.open() as device:
        grant(device)
        device.record("view", TEA, time=datetime(2017, 12, 1, 23, 20, tzinfo=UTC))
        assert device.history.events()[0].day_only
        others = (date(2017, 11, 30), date(2017, 12, 2))

        assert [device.history.erase_day(day, zone=zone) for day in others] == [0, 0]
        assert device.history.erase_day(date(2017, 12, 1), zone=zone) == 1


# --- At once ---


class HeldRanking:
    """A ranking that has read the history and waits at the model, in a thread of its own."""

    def __init__(self, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._go_on = threading.Event(), threading.Event()
        self.pages: list[Page] = []
        self.seen: list[int] = []
        ranker = device._ranker
        assert ranker is not None
        score = ranker._session.run

        def held(inputs: GraphInputs) -> GraphOutputs:
            self.seen.append(len(inputs.event_item))
            self.reached.set()
            self._go_on.wait(10)
            return score(inputs)

        monkeypatch.setattr(ranker._session, "run", held)
        self._thread = threading.Thread(target=lambda: self.pages.append(device.rank()))
        self._thread.start()
        assert self.reached.wait(10)

    def finish(self) -> Page:
        self._go_on.set()
        self._thread.join(10)
        return self.pages[0]


def test_the_next_ranking_knows_nothing_of_what_was_erased(device: Device) -> None:
    device.history.erase_item(TEA)

    with_bread = device.rank()
    device.history.erase_item(BREAD)

    assert all(TEA not in item.contributions() for item in with_bread)
    assert device.rank().mode_reason == "no_history"


@pytest.mark.parametrize("erase", ["item", "day", "event", "purpose"])
def test_a_ranking_in_flight_holds_nothing_of_what_was_erased(
    device: Device, monkeypatch: pytest.MonkeyPatch, erase: str
) -> None:
    history = device.history
    calls: dict[str, Callable[[], int]] = {
        "item": lambda: history.erase_item(TEA),
        "day": lambda: history.erase_day(date(2017, 12, 1)),
        "event": lambda: history.erase_event(history.events()[0].event_id),
        "purpose": lambda: history.erase_purpose(RANK_PURPOSE),
    }
    left = {"item": 1, "day": 2, "event": 2, "purpose": 0}[erase]
    ranking = HeldRanking(device, monkeypatch)
    assert ranking.seen == [3]

    assert calls[erase]() >= 1
    page = ranking.finish()

    assert ranking.seen[-1] == left
    assert page.mode == ("personal" if left else "generic")


def test_an_erasure_for_each_try_ends_in_everybodys_ranking(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranker = device._ranker
    assert ranker is not None
    score = ranker._session.run
    waiting = [BREAD, TEA]

    def erasing(inputs: GraphInputs) -> GraphOutputs:
        if waiting:
            device.history.erase_event(device.history.events()[0].event_id)
            waiting.pop()
        return score(inputs)

    monkeypatch.setattr(ranker._session, "run", erasing)

    page = device.rank()

    assert (page.mode, page.mode_reason) == ("generic", "consent_changed")


def test_an_older_copy_opens_nothing_after_an_erasure(home: Home, device: Device) -> None:
    device.close()
    before = {path: path.read_bytes() for path in home.folder.iterdir()}
    with home.open() as again:
        again.history.erase_item(TEA)
    for path, data in before.items():
        path.write_bytes(data)

    with pytest.raises(HistoryRolledBackError):
        home.open()
