"""A device ranks by the clock on its wall, and by nothing else of where it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from shelfrank import testing
from shelfrank.clock import SystemClock
from shelfrank.ranking.ranker import Ranker
from shelfrank.types import DAYPARTS, LocalClock
from support import corner_shop
from support.corner_shop import BREAD
from support.home import Home, grant, order_of, outcome, policy
from support.publisher import NOW
from support.shopper import SetClock

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.types import Clock, Daypart

AMSTERDAM, KIRITIMATI = ZoneInfo("Europe/Amsterdam"), ZoneInfo("Pacific/Kiritimati")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, bundle_bytes=corner_shop.bundle_bytes(policy=policy(), by_daypart=True))


def clock(hour: int, zone: ZoneInfo | None = AMSTERDAM) -> testing.FixedClock:
    """Return a clock in Amsterdam's summer, two hours ahead of UTC."""
    day = NOW.replace(month=7, day=1, hour=hour, minute=30)
    return testing.FixedClock(day, zone=zone)


def generic_order(daypart: Daypart | None) -> list[str]:
    ranked = Ranker(corner_shop.verified_by_daypart()).rank((), now=NOW, daypart=daypart)
    return [item.item_id for item in ranked]


@pytest.mark.parametrize(
    ("hour", "daypart"),
    [(3, 0), (4, 1), (9, 1), (10, 2), (15, 2), (16, 3), (21, 3), (22, 0)],
)
def test_without_any_consent_the_order_follows_the_local_time_of_day(
    home: Home, hour: int, daypart: int
) -> None:
    with home.open(clock=clock(hour)) as device:
        page = device.rank()

    assert order_of(page) == generic_order(DAYPARTS[daypart])
    assert outcome(page) == ("generic", "no_consent", "popular")
    assert home.files() == {}


def test_the_four_orders_and_the_one_at_no_time_differ() -> None:
    orders = {tuple(generic_order(daypart)) for daypart in (None, *DAYPARTS)}

    assert len(orders) == 5, "else the tests beside this one test nothing"


@pytest.mark.parametrize("unknown", [SetClock(NOW), clock(9, zone=None)])
def test_a_clock_that_knows_no_zone_ranks_at_no_time_of_day(home: Home, unknown: Clock) -> None:
    with home.open(clock=unknown) as device:
        assert order_of(device.rank()) == generic_order(None)


def test_with_a_history_the_popularity_follows_the_time_of_day_too(home: Home) -> None:
    found = {}
    here = clock(7)
    with home.open(clock=here) as device:
        grant(device)
        device.record("purchase", BREAD)
        for hour in (7, 19):
            page = device.rank(k=20)
            found[hour] = next(item for item in page if item.item_id == BREAD).parts
            assert page.mode == "personal"
            here.advance(timedelta(hours=12))

    assert found[7]["popularity"] > found[19]["popularity"]


def test_the_time_of_day_is_never_written(home: Home) -> None:
    kept = []
    for zone in (AMSTERDAM, KIRITIMATI):
        here = Home(home.root / zone.key.split("/")[1], bundle_bytes=home.bundle)
        here.root.mkdir()
        with here.open(clock=clock(9, zone)) as device:
            grant(device)
            device.record("view", BREAD)
            before = {name: len(data) for name, data in here.files().items()}
            device.rank()
        kept.append(before)
        assert {name: len(data) for name, data in here.files().items()} == before

    assert kept[0] == kept[1]


def test_the_time_of_day_is_that_on_the_wall_even_after_the_clock_was_set_back(home: Home) -> None:
    here = clock(20)
    with home.open(clock=here) as device:
        grant(device)
        device.record("view", BREAD)
        here.advance(timedelta(hours=-12))
        assert device.consent.effective_now() > here.now()
        popularity = {item.item_id: item.parts["popularity"] for item in device.rank(k=20)}

    ranked = Ranker(corner_shop.verified_by_daypart()).rank((), now=NOW, k=20, daypart="morning")
    assert popularity == {item.item_id: item.parts["popularity"] for item in ranked}


def test_the_machines_clock_tells_the_time_in_the_machines_own_zone() -> None:
    system = SystemClock()
    assert isinstance(system, LocalClock)
    moment = datetime(2020, 7, 1, 12, tzinfo=UTC)

    local = system.local(moment)

    assert local == moment
    assert local.utcoffset() == moment.astimezone().utcoffset()
    assert system.now().utcoffset() == timedelta(0)
