"""Faults that need no campaign: processes at the same instant, short writes, hostile databases."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shelfrank.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    KeyUnavailableError,
    WrongKeyError,
)
from shelfrank.history import contents, keyring, storage
from shelfrank.history.keyring import KeyFile, MemoryKey
from shelfrank.history.providers import HostSecret
from shelfrank.history.storage import Storage
from shelfrank.history.store import History
from support.disks import small_disk
from support.faults.children import Child
from support.faults.guards import without
from support.histories import RANK, Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from shelfrank.history.keys import KeyProvider
    from support.faults.children import Say

SECRET = b"canary-key-4711-0123456789abcdef"
ITEM = "canary-item-4711"

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


def fill(profile: Profile, count: int) -> list[str]:
    with profile.open() as history:
        history.append([new_event(f"sku-{at}", minutes=at) for at in range(count)])
        return items_of(history)


# Processes.


@needs_fork
def test_two_processes_that_create_at_the_same_instant_make_one_history(tmp_path: Path) -> None:
    for number in range(12):
        profile = Profile(tmp_path / str(number))
        children = [
            Child(_append_once(profile, f"item-{name}"), ready=lambda: None) for name in "ab"
        ]
        for child in children:
            child.release()
        for child in children:
            with child:
                assert child.join() == 0, child.all_lines()

        with profile.open() as history:
            assert sorted(items_of(history)) == ["item-a", "item-b"]
            assert history.whole
        # One history, so one key: the one that lost the race has left none behind.
        assert profile.key_path.stat().st_size == 21 + 52 + 32


def _append_once(profile: Profile, item: str) -> Callable[[Say], None]:
    def work(_: Say) -> None:
        with profile.open() as history:
            history.append([new_event(item)])

    return work


@needs_fork
def test_a_key_in_memory_dies_with_its_process_when_that_is_killed(tmp_path: Path) -> None:
    profile = Profile(tmp_path, MemoryKey())

    def work(say: Say) -> None:
        with profile.open() as history:
            history.append([new_event(ITEM)])
            say("acknowledged")
            time.sleep(60)

    with Child(work) as child:
        assert child.some_lines() == ["acknowledged"]
        child.kill()

    assert all(ITEM.encode() not in data for data in profile.files().values())
    with pytest.raises(KeyUnavailableError, match="process that is over"):
        profile.open(MemoryKey())
    others: list[KeyProvider] = [KeyFile(tmp_path / "other"), HostSecret(SECRET)]
    for key in others:
        with pytest.raises(WrongKeyError):
            profile.open(key)


# Errors that somebody keeps.


def test_an_error_that_is_kept_locks_nobody_out(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the frames it came through, and they the rows that were being read."""
    items = fill(profile, 400)
    monkeypatch.setattr(contents, "_open_block", _fail)
    with pytest.raises(AssertionError, match="a mistake") as kept:
        profile.open()
    monkeypatch.undo()

    with profile.open() as history:
        history.append([new_event("after", minutes=500)])
        assert items_of(history) == [*items, "after"]
    assert kept.value.__traceback__ is not None


def _fail(*_: object) -> None:
    raise AssertionError("a mistake of ours")


# Short writes.


def _short(patch: pytest.MonkeyPatch) -> None:
    """Let every write of Python's write three bytes, as a full pipe or a signal may."""
    write, pwrite = os.write, os.pwrite
    patch.setattr(os, "write", lambda handle, data: write(handle, bytes(data)[:3]))
    patch.setattr(os, "pwrite", lambda handle, data, at: pwrite(handle, bytes(data)[:3], at))


def test_short_writes_of_anchor_and_key_file_are_finished(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _short(monkeypatch)
    fill(profile, 3)
    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id == "sku-1")
    monkeypatch.undo()

    with profile.open() as history:
        assert items_of(history) == ["sku-0", "sku-2"]
    assert profile.anchor.stat().st_size == 8192
    assert profile.key_path.stat().st_size == 21 + 52 + 32


def test_short_writes_that_pass_for_whole_ones_would_be_noticed(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _short(monkeypatch)
    with without("whole-writes"), suppress(HistoryError):
        fill(profile, 3)
    monkeypatch.undo()

    with pytest.raises(HistoryError):
        profile.open()


# Full disks.


def append_until_full(history: History) -> list[str]:
    """Append events of many sizes, one at a time; return those that were acknowledged."""
    acknowledged: list[str] = []
    while True:
        item = f"item-{len(acknowledged)}-" + "x" * (len(acknowledged) * 37 % 400)
        try:
            history.append([new_event(item, minutes=len(acknowledged))])
        except HistoryFullError:
            return acknowledged
        acknowledged.append(item)


def test_a_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=416) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(160 * 1024))
        profile = Profile(disk)
        with profile.open() as history:
            acknowledged = append_until_full(history)
            assert len(acknowledged) > 128
            # Full, and readable: by this object and by a new one.
            assert items_of(history) == acknowledged
        with profile.open() as history:
            assert items_of(history) == acknowledged
            assert history.whole
            with suppress(HistoryFullError):
                history.append([new_event("more", minutes=5000)])
                acknowledged.append("more")

            ballast.unlink()
            history.append([new_event("again", minutes=6000)])
            acknowledged.append("again")

        with profile.open() as history:
            assert items_of(history) == acknowledged
            assert history.whole


def test_a_full_disk_that_is_passed_over_would_be_noticed(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", kib=256) as disk,
        without("errors"),
        Profile(disk).open() as history,
    ):
        items = [f"item-{number}-".ljust(400, "x") for number in range(700)]
        for number, item in enumerate(items):
            history.append([new_event(item, minutes=number)])

        assert len(history) < len(items)


# Destroying.


def test_the_key_goes_first_and_a_kill_after_it_leaves_nothing_that_opens(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(profile, 3)
    with profile.open() as history:
        monkeypatch.setattr(Storage, "remove", _killed)
        with pytest.raises(KeyboardInterrupt):
            history.destroy()
        monkeypatch.undo()

    assert profile.database.exists()
    assert not profile.key_path.exists()
    with pytest.raises(KeyUnavailableError):
        profile.open()
    History.destroy_at(profile.folder, profile.key)
    with profile.open() as history:
        assert len(history) == 0


def test_the_database_is_gone_from_the_disk_before_its_anchor_goes(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names may reach the disk in any order: a database that stays without its anchor alarms."""
    fill(profile, 3)
    there: list[tuple[bool, bool]] = []
    monkeypatch.setattr(
        storage,
        "sync_folder",
        lambda _: there.append((profile.database.exists(), profile.anchor.exists())),
    )

    with profile.open() as history:
        history.destroy()

    assert there == [(False, True), (False, False)]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


# The key file while another process replaces it.


def test_a_key_file_that_is_replaced_while_it_is_read_is_read_again(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file is overwritten in place: who has just opened it reads zeros."""
    items = fill(profile, 3)
    check, replaced = keyring._check_mode, []

    def replace_meanwhile(mode: int) -> None:
        check(mode)
        if not replaced:
            replaced.append(True)
            keyring.replace_file(profile.key_path, profile.key_path.read_bytes())

    monkeypatch.setattr(keyring, "_check_mode", replace_meanwhile)

    with profile.open() as history:
        assert items_of(history) == items
    assert replaced


# Canaries.


@needs_fork
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system has no /proc")
def test_the_key_is_in_no_argument_and_no_environment(tmp_path: Path) -> None:
    profile = Profile(tmp_path, HostSecret(SECRET))

    def work(say: Say) -> None:
        with profile.open() as history:
            history.append([new_event(ITEM)])
            shown = [Path(f"/proc/self/{name}").read_bytes() for name in ("environ", "cmdline")]
            shown.append(repr(dict(os.environ)).encode())
            say(b"".join(shown).hex())

    with Child(work) as child:
        (line,) = child.all_lines()
        assert child.join() == 0
    told = bytes.fromhex(line)
    assert b"PATH" in told
    for canary in (SECRET, SECRET.hex().encode(), ITEM.encode()):
        assert canary not in told


# Hostile databases.

HOSTILE = {
    "a generated column": "ALTER TABLE tail ADD COLUMN more AS (abs(seq))",
    "a view in place of a table": (
        "ALTER TABLE tail RENAME TO t; CREATE VIEW tail AS SELECT * FROM t"
    ),
    "a trigger that deletes": (
        "CREATE TRIGGER t AFTER UPDATE ON meta BEGIN DELETE FROM tail; DELETE FROM block; END"
    ),
    "a trigger on a table of ours that writes ours": (
        "CREATE TRIGGER t AFTER INSERT ON tail BEGIN UPDATE meta SET value = x'00'; END"
    ),
    "an index on an expression": "CREATE INDEX i ON tail (hex(sealed))",
    "a partial index": "CREATE INDEX i ON tail (seq) WHERE sealed > ''",
    "a virtual table": "CREATE VIRTUAL TABLE v USING fts5(x)",
    "a table with a check": "CREATE TABLE more (x CHECK (abs(x) > -1))",
    "statistics": "ANALYZE",
    "a name in other letters": "ALTER TABLE tail RENAME TO t; ALTER TABLE t RENAME TO TAIL",
    "a statement in the schema that is none": (
        "PRAGMA writable_schema = ON; "
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE tail (seq, sealed, x)' WHERE name = 'tail'"
    ),
    "a column with a default that calls": (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
        "'CREATE TABLE tail (seq INTEGER PRIMARY KEY, sealed BLOB DEFAULT (randomblob(9)))' "
        "WHERE name = 'tail'"
    ),
    "another application": "PRAGMA application_id = 1",
    "a number that is text": "UPDATE meta SET value = 'text'; UPDATE spare SET value = 'text'",
    "null in a primary key of text": (
        "DELETE FROM meta; DELETE FROM spare; INSERT INTO meta VALUES ('keys', x'00')"
    ),
}
"""What is done to the tables; each must be refused as damage."""


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_database_is_refused_and_nothing_of_it_runs(
    profile: Profile, tmp_path: Path, attack: str
) -> None:
    fill(profile, 200)
    with closing(sqlite3.connect(profile.database, isolation_level=None)) as connection:
        try:
            connection.executescript(HOSTILE[attack])
        except sqlite3.OperationalError as error:
            pytest.skip(f"this SQLite cannot do that: {error}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(HistoryDamagedError):
        profile.open()

    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if "journal" not in path.name} == {
        path: data for path, data in before.items() if "journal" not in path.name
    }


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE tail SET sealed = zeroblob(2000000)",
        "UPDATE block SET sealed = zeroblob(2000000)",
        "UPDATE meta SET value = zeroblob(2000000)",
        "UPDATE meta SET value = zeroblob(2000000); UPDATE spare SET value = zeroblob(2000000)",
        "INSERT INTO block VALUES (9223372036854775807, x'', zeroblob(2000000))",
    ],
)
def test_a_value_without_measure_is_not_read_into_memory(profile: Profile, attack: str) -> None:
    items = fill(profile, 200)
    with closing(sqlite3.connect(profile.database, isolation_level=None)) as connection:
        connection.executescript(attack)

    try:
        with profile.open() as history:
            found, reported = items_of(history), not history.whole
    except HistoryDamagedError:
        return
    assert reported
    assert set(found) <= set(items)


@pytest.mark.parametrize("setting", ["encoding = 'UTF-16le'", "page_size = 512"])
def test_a_database_made_with_other_settings_is_refused_or_read_right(
    profile: Profile, setting: str
) -> None:
    items = fill(profile, 200)
    with closing(sqlite3.connect(profile.database, isolation_level=None)) as connection:
        dump = list(connection.iterdump())
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
    profile.database.unlink()
    with closing(sqlite3.connect(profile.database, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA {setting}")
        connection.executescript("\n".join(dump))
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(f"PRAGMA application_id = {application}")

    try:
        with profile.open() as history:
            found = [event.item_id for event in history.events(RANK)]
    except HistoryDamagedError:
        return
    assert found == items


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"hostile" * 999])
def test_a_hostile_file_beside_the_database_does_no_harm(
    profile: Profile, suffix: str, content: bytes
) -> None:
    items = fill(profile, 200)
    beside = profile.database.with_name(profile.database.name + suffix)
    beside.write_bytes(content)

    with profile.open() as history:
        assert items_of(history) == items
        history.append([new_event("after", minutes=500)])
        assert items_of(history) == [*items, "after"]
