"""A damaged history gives back what can be read, and stays as it is."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from shelfrank.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryRolledBackError,
    WrongKeyError,
)
from shelfrank.history.providers import HostSecret
from shelfrank.history.store import History, Recovered
from support.disks import fill as fill_disk
from support.disks import small_disk
from support.histories import RANK, Profile, items_of, new_event

if TYPE_CHECKING:
    from pathlib import Path

KEY = HostSecret(b"k" * 32)
PAGE = 4096


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path, KEY)


def fill(profile: Profile, count: int) -> list[str]:
    items = [f"sku-{number}" for number in range(count)]
    with profile.open() as history:
        history.append(
            [
                new_event(item, minutes=at, purposes=(RANK, "measure") if at % 3 else (RANK,))
                for at, item in enumerate(items)
            ]
        )
    return items


def recover(profile: Profile, into: Path) -> Recovered:
    return History.recover(profile.folder, profile.key, into=into, clock=profile.clock)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def tamper(profile: Profile, *statements: str) -> None:
    with closing(sqlite3.connect(profile.database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def overwrite_page_of(profile: Profile, marker: bytes) -> None:
    """Fill the page that holds some bytes, as a sector of the disk would be lost."""
    data = bytearray(profile.database.read_bytes())
    start = data.index(marker) // PAGE * PAGE
    data[start : start + PAGE] = b"\xa5" * PAGE
    profile.database.write_bytes(data)


def value(profile: Profile, query: str) -> bytes:
    with closing(sqlite3.connect(profile.database)) as connection:
        (found,) = connection.execute(query).fetchone()
    assert isinstance(found, bytes)
    return found


def test_what_can_be_read_is_in_a_clean_history_and_the_damaged_one_is_untouched(
    profile: Profile, tmp_path: Path
) -> None:
    items = fill(profile, 400)
    tamper(
        profile,
        "UPDATE block SET sealed = zeroblob(3000) WHERE first_seq = 128",
        "UPDATE tail SET sealed = zeroblob(200) WHERE seq = 390",
    )
    before = digests(profile.folder)

    saved = recover(profile, tmp_path / "clean")

    assert (saved.kept, saved.lost, saved.anchored) == (271, 129, True)
    assert [(r.first, r.last) for r in saved.damaged] == [(128, 255), (390, 390)]
    assert digests(profile.folder) == before
    kept = items[:128] + items[256:390] + items[391:]
    with profile.open() as old, History.open(tmp_path / "clean", KEY, clock=profile.clock) as new:
        assert new.events(RANK) == old.events(RANK)
        assert new.events("measure") == old.events("measure")
        assert items_of(new) == kept
        assert (new.whole, new.lost, new.damaged) == (True, 129, ())
        new.append([new_event("more", minutes=500)])
        assert items_of(new) == [*kept, "more"]


def test_numbers_of_events_are_not_given_out_again(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 5)
    tamper(profile, "DELETE FROM tail WHERE seq = 4")

    recover(profile, tmp_path / "clean")

    with History.open(tmp_path / "clean", KEY, clock=profile.clock) as new:
        new.append([new_event("more", minutes=9)])
        assert [r.seq for r in new._session.read().tail] == [0, 1, 2, 3, 5]  # type: ignore[union-attr] # it is not empty


@pytest.mark.parametrize("table", ["meta", "spare"])
def test_a_lost_page_with_key_slot_and_head_costs_no_event(
    profile: Profile, tmp_path: Path, table: str
) -> None:
    items = fill(profile, 300)
    pages = profile.database.read_bytes()
    slot = value(profile, f"SELECT value FROM {table} WHERE name = 'keys'")  # noqa: S608
    assert pages.count(slot) == 2
    at = pages.index(slot) if table == "meta" else pages.rindex(slot)
    start = at // PAGE * PAGE
    profile.database.write_bytes(pages[:start] + b"\xa5" * PAGE + pages[start + PAGE :])

    with profile.open() as history:
        assert items_of(history) == items
        assert (history.whole, history.lost) == (False, 0)
    saved = recover(profile, tmp_path / "clean")

    assert (saved.kept, saved.lost) == (300, 0)
    with History.open(tmp_path / "clean", KEY, clock=profile.clock) as new:
        assert items_of(new) == items
        assert new.whole


def test_a_lost_page_inside_a_block_costs_that_block(profile: Profile, tmp_path: Path) -> None:
    items = fill(profile, 1000)
    sealed = value(profile, "SELECT sealed FROM block WHERE first_seq = 256")
    overwrite_page_of(profile, sealed[-1000:-900])

    saved = recover(profile, tmp_path / "clean")

    assert saved.kept == 1000 - 128
    with History.open(tmp_path / "clean", KEY, clock=profile.clock) as new:
        assert items_of(new) == items[:256] + items[384:]


def test_every_lost_page_costs_what_lies_on_it_and_is_counted(
    profile: Profile, tmp_path: Path
) -> None:
    items = fill(profile, 700)
    whole = profile.database.read_bytes()
    unsalvageable, losses = 0, []

    for number, start in enumerate(range(0, len(whole), PAGE)):
        profile.database.write_bytes(whole[:start] + b"\xa5" * PAGE + whole[start + PAGE :])
        into = tmp_path / f"clean-{number}"
        try:
            saved = recover(profile, into)
        except HistoryDamagedError:
            unsalvageable += 1
            assert not into.exists() or not any(into.iterdir())
            continue
        with History.open(into, KEY, clock=profile.clock) as new:
            found = items_of(new)
        assert found == [item for item in items if item in set(found)]
        assert saved.kept == len(found)
        assert saved.kept + saved.lost == 700
        losses.append(saved.lost)

    # Without the page that holds the schema nothing can be read; one page leads to all blocks, and
    # one may hold the beginnings of several; the others hold a part of one block or of the tail, or
    # a copy of key slot and head.
    assert unsalvageable == 1
    assert sum(lost > 128 for lost in losses) <= 2
    assert losses.count(0) >= 2
    assert losses.count(128) >= 5


@pytest.mark.parametrize("damage", ["missing", "blank", "noise"])
def test_a_history_whose_anchor_is_lost_is_recovered_and_says_so(
    profile: Profile, tmp_path: Path, damage: str
) -> None:
    items = fill(profile, 3)
    fill(profile, 0)
    with profile.open() as history:
        history.append([new_event("more", minutes=5)])
    if damage == "missing":
        profile.anchor.unlink()
    else:
        profile.anchor.write_bytes((b"\x00" if damage == "blank" else b"\x5a") * 8192)
    with pytest.raises(HistoryError):
        profile.open()

    saved = recover(profile, tmp_path / "clean")

    assert (saved.kept, saved.lost, saved.anchored) == (4, 0, False)
    with History.open(tmp_path / "clean", KEY, clock=profile.clock) as new:
        assert items_of(new) == [*items, "more"]


def test_an_older_copy_is_not_recovered(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 3)
    shutil.copy(profile.database, tmp_path / "older.db")
    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id == "sku-1")
    shutil.copy(tmp_path / "older.db", profile.database)

    with pytest.raises(HistoryRolledBackError):
        recover(profile, tmp_path / "clean")

    assert not (tmp_path / "clean").exists()


def test_recovering_needs_the_key_and_an_empty_folder(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 3)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()

    with pytest.raises(ValueError, match="not empty"):
        recover(profile, taken)
    with pytest.raises(WrongKeyError):
        History.recover(
            profile.folder, HostSecret(b"x" * 32), into=tmp_path / "clean", clock=profile.clock
        )
    with pytest.raises(HistoryError, match="no history"):
        History.recover(tmp_path / "nowhere", KEY, into=tmp_path / "clean", clock=profile.clock)

    assert not (tmp_path / "clean").exists()
    assert [path.name for path in taken.iterdir()] == ["file"]


def test_a_recovery_onto_a_full_disk_leaves_nothing_and_the_old_as_it_was(
    profile: Profile, tmp_path: Path
) -> None:
    fill(profile, 2000)
    before = digests(profile.folder)

    with small_disk(tmp_path / "disk", kib=96) as disk:
        with pytest.raises(HistoryFullError):
            recover(profile, disk / "clean")
        assert not (disk / "clean").exists() or not any((disk / "clean").iterdir())
        fill_disk(disk)

    assert digests(profile.folder) == before


def test_the_two_histories_have_keys_of_their_own(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    items = fill(profile, 200)

    recover(profile, tmp_path / "clean")

    with profile.open() as old:
        assert items_of(old) == items
        old.erase(lambda stored: stored.event.item_id == "sku-1")
    with History.open(tmp_path / "clean", profile.key, clock=profile.clock) as new:
        assert items_of(new) == items
