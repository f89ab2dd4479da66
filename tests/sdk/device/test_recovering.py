"""A damaged device is taken over into a clean one, with what the shopper chose."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shelfrank import Device, keys
from shelfrank.errors import HistoryFullError, WrongKeyError
from shelfrank.types import RANK_PURPOSE
from support.corner_shop import MILK, TEA
from support.disks import small_disk
from support.histories import new_event
from support.home import Home, grant

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        # What fills a block, in one go; the rest as an app would.
        bought = new_event(TEA, kind="purchase")
        fresh = replace(bought, time=home.clock.time, stored_time=home.clock.time)
        device._history.append([fresh] * 128)
        for _ in range(2):
            home.clock.turn(seconds=60)
            device.record("purchase", MILK)
    return home


def damage(home: Home) -> None:
    database = home.folder / "history.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE block SET sealed = zeroblob(2000)")


def kept(device: Device) -> list[str]:
    return [event.item_id for event in device._history.events(RANK_PURPOSE)]


def test_events_choices_and_the_remembered_bundle_go_along(home: Home, tmp_path: Path) -> None:
    damage(home)

    saved = Device.recover_at(home.folder, key=home.key, into=tmp_path / "clean", clock=home.clock)

    assert (saved.kept, saved.lost) == (2, 128)
    for name in ("history.db", "history.anchor", "choices", "journal", "bundle"):
        assert (home.folder / name).exists()
        assert (tmp_path / "clean" / name).stat().st_mode & 0o777 == 0o600
    home.folder = tmp_path / "clean"
    with home.open() as device:
        assert kept(device) == [MILK, MILK]
        assert RANK_PURPOSE in device.consent.given()
        assert device.rank().mode == "personal"
        assert [receipt.event for receipt in device.consent.receipts()] == ["granted"]
        assert device.consent.journal_state == "whole"


def test_a_recovery_whose_choices_find_no_room_leaves_nothing_behind(
    home: Home, tmp_path: Path
) -> None:
    # Room for the history and its anchor, not for the record of choices beside them.
    with small_disk(tmp_path / "disk", kib=100) as disk:
        with pytest.raises(HistoryFullError):
            Device.recover_at(home.folder, key=home.key, into=disk / "clean", clock=home.clock)
        assert not (disk / "clean").exists() or not any((disk / "clean").iterdir())

    with home.open() as device:
        assert len(kept(device)) == 130


def test_without_readable_choices_nothing_is_permitted(home: Home, tmp_path: Path) -> None:
    damage(home)
    (home.folder / "choices").write_bytes(b"\x5a" * 65536)

    Device.recover_at(home.folder, key=home.key, into=tmp_path / "clean", clock=home.clock)

    home.folder = tmp_path / "clean"
    with home.open() as device:
        assert device.consent.given() == frozenset()
        assert device.rank().mode == "generic"


def test_a_choice_can_be_withdrawn_however_damaged_the_events_are(home: Home) -> None:
    database = home.folder / "history.db"
    with home.open() as device:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("DELETE FROM block")
            connection.execute("DELETE FROM tail")
        device.consent.withdraw(RANK_PURPOSE)

    with home.open() as device:
        assert device.consent.given() == frozenset()
        assert kept(device) == []


def test_an_app_sees_damage_without_looking_inside(home: Home) -> None:
    with home.open() as device:
        assert (device.history.unreadable, device.history.whole) == (0, True)
    damage(home)

    with home.open() as device:
        assert (device.history.unreadable, device.history.whole) == (128, False)


def test_a_device_takes_a_new_key_and_keeps_events_and_choices(home: Home) -> None:
    new_key = keys.host(b"another-secret-of-32-bytes-length")
    with home.open() as device:
        device.rotate(new_key)
        assert len(kept(device)) == 130

    with pytest.raises(WrongKeyError):
        home.open()
    home.key = new_key
    with home.open() as device:
        assert len(kept(device)) == 130
        assert RANK_PURPOSE in device.consent.given()
