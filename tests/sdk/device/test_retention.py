"""Nothing is kept or used for longer than the policy says, whatever the clock shows (P7)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shelfrank import Stored
from shelfrank.errors import HistoryFullError
from shelfrank.history.store import History
from shelfrank.types import RANK_PURPOSE
from support.corner_shop import MILK, TEA
from support.home import Home, bundle, days_pass, grant, outcome, policy

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank import Device

DAYS = 180


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    return home


def kept(device: Device) -> list[str]:
    return [event.item_id for event in device._history.events(RANK_PURPOSE)]


def test_opening_erases_what_is_too_old_and_not_an_hour_before(home: Home) -> None:
    home.clock.time = home.clock.time.replace(minute=0, second=0) + timedelta(days=DAYS)
    home.clock.turn(seconds=-1)
    home.confirm_the_clock()
    with home.open() as device:
        assert (kept(device), device.rank().mode) == ([TEA], "personal")

    home.clock.turn(seconds=1)
    with home.open() as device:
        assert (kept(device), device.rank().mode_reason) == ([], "no_history")


def test_writing_erases_what_is_too_old(home: Home) -> None:
    with home.open() as device:
        days_pass(device, home.clock, DAYS)
        assert kept(device) == [TEA]
        device.record("purchase", MILK)
        assert kept(device) == [MILK]


def test_an_event_that_is_stored_is_said_to_be_although_nothing_could_be_erased(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise HistoryFullError("no space left on the disk")

    with home.open() as device:
        days_pass(device, home.clock, DAYS)
        with monkeypatch.context() as patch:
            patch.setattr(History, "drop_older", fail)
            assert device.record("purchase", MILK) == Stored()
        assert kept(device) == [TEA, MILK]
        assert list(device.rank()[0].contributions()) == [MILK]
        device.record("view", MILK)
        assert kept(device) == [MILK, MILK]


def test_ranking_does_not_use_what_is_too_old_although_nobody_erased_it_yet(home: Home) -> None:
    with home.open() as device:
        days_pass(device, home.clock, DAYS)
        page = device.rank()

        assert kept(device) == [TEA]
        assert outcome(page) == ("generic", "no_history", "popular")


def test_a_clock_set_back_prolongs_nothing(home: Home) -> None:
    with home.open() as device:
        days_pass(device, home.clock, 100)
        device.record("purchase", MILK)
        days_pass(device, home.clock, 80)
        assert device.rank().mode == "personal"

        home.clock.turn(days=-170)
        assert MILK in device.rank()[0].contributions()
        assert TEA not in device.rank()[0].contributions()


def test_a_clock_set_back_before_a_restart_prolongs_nothing(home: Home) -> None:
    home.clock.turn(days=DAYS)
    home.confirm_the_clock()
    with home.open() as device:
        device.consent.keep_house()
    home.clock.turn(days=-170)

    with home.open() as device:
        assert kept(device) == []
        assert device.consent.effective_now() > home.clock.now() + timedelta(days=160)


def test_a_clock_set_back_before_a_restart_revives_no_grant(home: Home) -> None:
    home.clock.turn(days=364)
    home.confirm_the_clock()
    with home.open() as device:
        assert RANK_PURPOSE in device.consent.given()
    home.clock.turn(days=2)
    with home.open() as device:
        assert device.consent.given() == frozenset()

    home.clock.turn(days=-300)
    with home.open() as device:
        assert device.consent.given() == frozenset()
        assert device.rank().mode_reason == "no_consent"


def test_no_time_before_the_newest_event_or_the_bundles_issue_is_believed(home: Home) -> None:
    with home.open() as device:
        home.clock.turn(hours=20)
        device.record("purchase", MILK)
        newest = home.clock.now()

    home.clock.turn(hours=-20)
    with home.open() as device:
        assert device.consent.effective_now() == newest
    home.clock.turn(days=-300)
    new = Home(home.root / "new")
    new.clock.turn(days=-300)
    with new.open() as device:
        assert device.bundle is not None
        assert device.consent.effective_now() == device.bundle.manifest.issued_at


def test_the_stricter_of_two_policies_rules(tmp_path: Path) -> None:
    short = policy(retention="P30D", kinds=["purchase"])
    both = Home(tmp_path / "both", bundle_bytes=bundle())
    with both.open(policy=short) as device:
        assert device.policy is not None
        purpose = device.policy.purpose(RANK_PURPOSE)
        assert (purpose.retention_days, purpose.kinds) == (30, ("purchase",))
        grant(device)
        device.record("purchase", TEA)
        days_pass(device, both.clock, 31)
        assert device.rank().mode_reason == "no_history"

    # The other way round it is the same: the bundle may be the stricter.
    other = Home(tmp_path / "other", bundle_bytes=bundle(retention="P30D"))
    with other.open(policy=policy()) as device:
        assert device.policy is not None
        assert device.policy.purpose(RANK_PURPOSE).retention_days == 30
