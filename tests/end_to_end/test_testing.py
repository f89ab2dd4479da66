"""What integrators are given works as its documentation says."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shelfrank import Dropped, Stored, testing
from shelfrank.consent.engine import Status


def test_a_demo_device_has_not_asked_anybody() -> None:
    with testing.demo_device() as device:
        assert device.consent.status("rank_products") is Status.UNKNOWN
        assert device.record("view", "espresso-machine") == Dropped("no_consent")

        page = device.rank()

    assert (page.mode, page.mode_reason, len(page)) == ("generic", "no_consent", 12)


def test_a_granted_device_ranks_what_follows_first() -> None:
    with testing.granted_device() as device:
        assert device.record("view", "espresso-machine") == Stored()

        page = device.rank(k=3)

        assert (page.mode, page.rung) == ("personal", "visit")
        assert [(item.item_id, item.why("en")) for item in page[:2]] == [
            ("espresso-machine", "You looked at this one or chose it before."),
            ("tamper", "Often follows “Espresso machine”."),
        ]


def test_two_demo_devices_know_nothing_of_each_other() -> None:
    with testing.granted_device() as first, testing.granted_device() as second:
        first.record("view", "espresso-machine")

        assert second.rank().mode_reason == "no_history"


def test_the_clock_moves_a_device_through_visits_and_retention() -> None:
    clock = testing.FixedClock()
    with testing.granted_device(clock) as device:
        device.record("view", "teapot")

        clock.advance(timedelta(minutes=29))
        assert device.rank().rung == "visit"
        clock.advance(timedelta(minutes=1))
        assert device.rank().rung == "history"
        for _ in range(182):  # At once, it would be a clock that jumped.
            clock.advance(timedelta(days=1))
            device.rank()
        assert device.rank().mode_reason == "no_history"


def test_the_policy_names_one_purpose_in_three_languages() -> None:
    with testing.demo_device() as device:
        titles = {
            device.consent.notice("rank_products", language=language).title
            for language in ("de", "nl", "en")
        }

    assert len(titles) == 3
    assert b'id = "rank_products"' in testing.demo_policy()


def test_a_fixed_clock_stands_still_in_utc_until_it_is_moved() -> None:
    berlin = timezone(timedelta(hours=1))
    clock = testing.FixedClock(datetime(2026, 5, 1, 12, tzinfo=berlin))

    assert clock.now() == clock.now() == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    clock.advance(timedelta(days=-1))
    assert clock.now() == datetime(2026, 4, 30, 11, tzinfo=UTC)


def test_a_fixed_clock_without_a_zone_is_misuse() -> None:
    with pytest.raises(ValueError, match="naive"):
        testing.FixedClock(datetime(2026, 5, 1))  # noqa: DTZ001 - that is what is refused


def test_importing_it_is_as_light_as_importing_shelfrank() -> None:
    look = (
        "import shelfrank.testing, sys; "
        "print(sorted({'numpy', 'onnxruntime', 'cryptography'} & set(sys.modules)))"
    )

    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
