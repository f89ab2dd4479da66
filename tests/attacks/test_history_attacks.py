"""What somebody who has the files, but not the key, can do to a history.

Each test: a good history → an attack → refused, or reported with the rest intact.
"""

from __future__ import annotations

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
    HistoryVersionError,
    WrongKeyError,
)
from shelfrank.history.contents import row_place
from shelfrank.history.envelope import Place, SealKey, open_sealed
from shelfrank.history.keyset import Keyset
from shelfrank.history.providers import HostSecret
from shelfrank.history.store import History
from shelfrank.types import KINDS
from support.histories import RANK, Profile, StandingClock, items_of, new_event

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider

CANARY = "canary-4711-geheim"
SECRET = b"k" * 32


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """A profile whose key the host keeps: an attacker may have any older copy of the files."""
    return Profile(tmp_path, HostSecret(SECRET))


def fill(profile: Profile, count: int, start: int = 0) -> list[str]:
    """Append events one at a time or in one go; return the items in order."""
    items = [f"sku-{number}" for number in range(start, start + count)]
    with profile.open() as history:
        history.append([new_event(item, minutes=start + at) for at, item in enumerate(items)])
        return items_of(history)


def tamper(profile: Profile, *statements: str) -> None:
    """Change the database behind the history's back; what is said of `meta`, in its copy too."""
    with closing(sqlite3.connect(profile.database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
            if " meta" in statement:
                connection.execute(statement.replace("meta", "spare"))


def rows(profile: Profile, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(profile.database)) as connection:
        return connection.execute(query).fetchall()


def snapshot(profile: Profile, to: Path) -> Path:
    shutil.copytree(profile.folder, to)
    return to


def put_back(profile: Profile, copy: Path, *names: str) -> None:
    for name in names:
        shutil.copy(copy / name, profile.folder / name)


# Flipped bits.


def outcome(profile: Profile) -> tuple[list[str], bool] | HistoryError:
    """Open and read; return the items and whether damage is reported, or the error."""
    try:
        with profile.open() as history:
            return items_of(history), not history.whole
    except HistoryError as error:
        return error


def check_flip(profile: Profile, whole: bytes, bit: int, items: list[str]) -> bool:
    """Flip one bit of the database; return whether it was noticed. Silent loss fails."""
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    profile.database.write_bytes(data)
    result = outcome(profile)
    if isinstance(result, HistoryError):
        assert not isinstance(result, WrongKeyError), f"bit {bit} passes for a wrong key"
        return True
    found, reported = result
    assert set(found) <= set(items), f"bit {bit} brings in an event that never was"
    assert reported or found == items, f"bit {bit} loses events in silence"
    return reported


def test_no_flipped_bit_of_a_small_history_is_silent(profile: Profile) -> None:
    items = fill(profile, 130)
    whole = profile.database.read_bytes()

    # Another bit of every 29th byte: 29 is prime to the page size, so all offsets get their turn.
    noticed = sum(
        check_flip(profile, whole, byte * 8 + byte % 8, items) for byte in range(0, len(whole), 29)
    )

    assert noticed > 100
    profile.database.write_bytes(whole)
    assert outcome(profile) == (items, False)


def test_every_byte_of_what_is_sealed_counts(profile: Profile) -> None:
    items = fill(profile, 3)
    whole = profile.database.read_bytes()
    sealed = [
        value
        for (value,) in rows(profile, "SELECT sealed FROM tail UNION ALL SELECT value FROM meta")
        if isinstance(value, bytes)
    ]
    assert len(sealed) == 5
    starts = [whole.find(value[:64]) for value in sealed]
    assert min(starts) > 0

    for start, value in zip(starts, sealed, strict=True):
        for byte in range(start, start + len(value), 5):
            assert check_flip(profile, whole, byte * 8 + byte % 8, items), f"byte {byte} is free"


def test_a_flipped_bit_of_the_anchor_is_noticed_or_the_other_slot_holds(profile: Profile) -> None:
    items = fill(profile, 3)
    whole = profile.anchor.read_bytes()

    for byte in (*range(0, 90, 3), *range(4096, 4186, 3)):
        data = bytearray(whole)
        data[byte] ^= 1 << byte % 8
        profile.anchor.write_bytes(data)
        assert outcome(profile) == (items, False)


def test_an_anchor_without_a_good_slot_is_refused(profile: Profile) -> None:
    fill(profile, 3)
    data = bytearray(profile.anchor.read_bytes())
    data[20] ^= 1
    data[4096 + 20] ^= 1
    profile.anchor.write_bytes(data)

    with pytest.raises(HistoryDamagedError, match="anchor"):
        profile.open()


# Rows removed, moved, repeated.


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM tail WHERE seq = (SELECT max(seq) FROM tail)",
        "DELETE FROM tail WHERE seq = (SELECT min(seq) FROM tail)",
        "DELETE FROM tail WHERE seq = 300",
        "DELETE FROM tail",
        "DELETE FROM block WHERE first_seq = 0",
        "DELETE FROM block WHERE first_seq = 128",
        "DELETE FROM block",
        "UPDATE block SET first_seq = first_seq + 1000 WHERE first_seq = 0",
        "UPDATE tail SET seq = seq + 1000 WHERE seq = 300",
        "INSERT INTO tail SELECT seq + 1000, sealed FROM tail WHERE seq = 300",
        "INSERT INTO block SELECT first_seq + 1000, wrapped_key, sealed FROM block",
        "UPDATE tail SET sealed = (SELECT sealed FROM tail WHERE seq = 301) WHERE seq = 300",
        "UPDATE block SET sealed = (SELECT sealed FROM block WHERE first_seq = 0)",
        "UPDATE block SET wrapped_key = (SELECT wrapped_key FROM block WHERE first_seq = 0)",
        "UPDATE tail SET sealed = zeroblob(200) WHERE seq = 300",
        "UPDATE tail SET sealed = '' WHERE seq = 300",
        "UPDATE tail SET sealed = 17 WHERE seq = 300",
        "UPDATE block SET sealed = 'text' WHERE first_seq = 0",
        "UPDATE block SET wrapped_key = 1.5 WHERE first_seq = 0",
        "UPDATE block SET first_seq = -5 WHERE first_seq = 0",
        "INSERT INTO tail VALUES (-1, x'00')",
    ],
)
def test_rows_removed_moved_or_repeated_are_reported_and_the_rest_is_read(
    profile: Profile, attack: str
) -> None:
    items = fill(profile, 310)

    tamper(profile, attack)

    with profile.open() as history:
        found = items_of(history)
        assert history.damaged
        assert set(found) <= set(items)
        assert len(found) == len(set(found))
        assert history.lost == len(items) - len(found)


def test_two_tail_rows_swapped_are_reported(profile: Profile) -> None:
    fill(profile, 5)

    tamper(
        profile,
        "UPDATE tail SET seq = -1 WHERE seq = 1",
        "UPDATE tail SET seq = 1 WHERE seq = 2",
        "UPDATE tail SET seq = 2 WHERE seq = -1",
    )

    with profile.open() as history:
        assert items_of(history) == ["sku-0", "sku-3", "sku-4"]
        assert history.damaged


def test_rows_of_before_a_block_do_not_count_twice(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 100)
    snapshot(profile, tmp_path / "copy")
    items = fill(profile, 40, start=100)

    tamper(
        profile,
        f"ATTACH '{tmp_path / 'copy' / 'history.db'}' AS copy",
        "INSERT INTO tail SELECT * FROM copy.tail",
    )

    with profile.open() as history:
        assert items_of(history) == items
        assert history.damaged
        history.append([new_event("more", minutes=500)])
        assert items_of(history) == [*items, "more"]


@pytest.mark.parametrize("number", [6, 3946, 2**40])
def test_a_block_whose_number_is_changed_loses_only_itself(profile: Profile, number: int) -> None:
    items = fill(profile, 310)
    tamper(profile, f"UPDATE block SET first_seq = {number} WHERE first_seq = 128")  # noqa: S608

    with profile.open() as history:
        assert items_of(history) == items[:128] + items[256:]
        assert history.lost == 128


def test_one_damaged_block_loses_only_itself(profile: Profile) -> None:
    items = fill(profile, 400)
    tamper(profile, "UPDATE block SET sealed = zeroblob(3000) WHERE first_seq = 128")
    before = profile.database.read_bytes()

    with profile.open() as history:
        assert items_of(history) == items[:128] + items[256:]
        assert [(r.first, r.last) for r in history.damaged] == [(128, 255)]
        assert history.lost == 128
    assert profile.database.read_bytes() == before

    with profile.open() as history:
        history.append([new_event("more", minutes=500)])
        assert items_of(history)[-1] == "more"
        assert history.lost == 128


@pytest.mark.parametrize(
    "attack",
    ["UPDATE tail SET sealed = zeroblob(200) WHERE seq = 2", "DELETE FROM tail WHERE seq = 2"],
)
def test_events_are_added_behind_a_damaged_one_until_an_erasure_leaves_it_behind(
    profile: Profile, attack: str
) -> None:
    items = fill(profile, 5)
    tamper(profile, attack)
    more = [f"more-{number}" for number in range(200)]

    with profile.open() as history:
        history.append([new_event(item, minutes=500 + at) for at, item in enumerate(more)])
    with profile.open() as history:
        assert items_of(history) == [*items[:2], *items[3:], *more]
        assert history.damaged
        assert history.lost == 1

        assert history.erase(lambda stored: stored.event.item_id == "sku-0") == 1
        assert (history.damaged, history.lost) == ((), 1)
        history.append([new_event("last", minutes=999)])
    with profile.open() as history:
        assert items_of(history) == ["sku-1", "sku-3", "sku-4", *more, "last"]
        assert (history.whole, history.lost) == (True, 1)


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM meta",
        "DELETE FROM meta WHERE name = 'head'",
        "DELETE FROM meta WHERE name = 'keys'",
        "UPDATE meta SET value = zeroblob(300)",
        "UPDATE meta SET value = zeroblob(546) WHERE name = 'head'",
        "UPDATE meta SET value = 'text' WHERE name = 'head'",
        "UPDATE meta SET value = 7 WHERE name = 'keys'",
        "UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'keys')",
        "DROP TABLE tail",
        "CREATE TABLE more (x)",
        "CREATE VIEW more AS SELECT * FROM tail",
        "CREATE INDEX more ON tail (sealed)",
        "CREATE TRIGGER more AFTER INSERT ON tail BEGIN DELETE FROM tail; END",
        "ALTER TABLE tail ADD COLUMN more",
        "PRAGMA application_id = 1",
        "PRAGMA journal_mode = WAL",
    ],
)
def test_a_history_whose_frame_is_tampered_with_is_refused(profile: Profile, attack: str) -> None:
    fill(profile, 5)

    tamper(profile, attack)
    before = None if "WAL" in attack else profile.database.read_bytes()

    if before is None:
        # SQLite turns the mode back at opening: then nothing is different.
        with profile.open() as history:
            assert len(history) == 5
        return
    with pytest.raises(HistoryDamagedError):
        profile.open()
    assert profile.database.read_bytes() == before


def test_a_format_of_the_future_is_named_as_such(profile: Profile) -> None:
    fill(profile, 5)

    tamper(profile, "PRAGMA user_version = 7")

    with pytest.raises(HistoryVersionError, match="format 7"):
        profile.open()


def test_a_file_cut_at_any_page_is_refused_or_reported(profile: Profile) -> None:
    items = fill(profile, 300)
    whole = profile.database.read_bytes()
    assert len(whole) >= 8 * 4096

    for size in range(0, len(whole), 4096):
        profile.database.write_bytes(whole[:size])
        result = outcome(profile)
        assert isinstance(result, HistoryError) or result[1]
        assert not isinstance(result, WrongKeyError)

    profile.database.write_bytes(whole)
    assert outcome(profile) == (items, False)


# Older states put back.


def test_an_older_database_is_refused_and_the_newer_one_still_opens(
    profile: Profile, tmp_path: Path
) -> None:
    fill(profile, 3)
    copy = snapshot(profile, tmp_path / "copy")
    items = fill(profile, 1, start=3)
    newest = snapshot(profile, tmp_path / "newest")

    put_back(profile, copy, "history.db")

    with pytest.raises(HistoryRolledBackError, match=r"commit 2, .* 3"):
        profile.open()
    put_back(profile, newest, "history.db")
    assert outcome(profile) == (items, False)


def test_an_older_head_with_the_newer_rows_removed_is_refused(
    profile: Profile, tmp_path: Path
) -> None:
    fill(profile, 3)
    snapshot(profile, tmp_path / "copy")
    fill(profile, 1, start=3)

    tamper(
        profile,
        f"ATTACH '{tmp_path / 'copy' / 'history.db'}' AS copy",
        "UPDATE meta SET value = (SELECT value FROM copy.meta WHERE name = 'head') "
        "WHERE name = 'head'",
        "DELETE FROM tail WHERE seq = 3",
    )

    with pytest.raises(HistoryRolledBackError):
        profile.open()


def test_a_database_put_back_under_a_running_process_is_refused(
    profile: Profile, tmp_path: Path
) -> None:
    fill(profile, 3)
    copy = snapshot(profile, tmp_path / "copy")
    with profile.open() as history:
        history.append([new_event("newer", minutes=9)])
        # With its anchor, so that only what this process remembers can tell.
        profile.database.unlink()
        put_back(profile, copy, "history.db", "history.anchor")

        with pytest.raises(HistoryRolledBackError, match="this process"):
            history.events(RANK)
        with pytest.raises(HistoryRolledBackError):
            history.append([new_event()])


def test_a_copy_that_went_another_way_is_refused(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 3)
    fork = Profile(tmp_path / "fork", HostSecret(SECRET))
    shutil.copytree(profile.folder, fork.folder)
    fill(fork, 1, start=100)
    fill(profile, 1, start=3)

    put_back(profile, fork.folder, "history.db")

    with pytest.raises(HistoryRolledBackError, match="another commit 3"):
        profile.open()


def test_a_missing_or_blank_anchor_is_refused_until_the_operator_says_so(profile: Profile) -> None:
    items = fill(profile, 3)

    for attack in (profile.anchor.unlink, lambda: profile.anchor.write_bytes(bytes(8192))):
        attack()
        with pytest.raises(HistoryRolledBackError, match="anchor"):
            profile.open()
        History.reanchor(profile.folder, profile.key, clock=StandingClock())
        assert outcome(profile) == (items, False)


def test_an_anchor_of_another_history_is_refused(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 3)
    other = Profile(tmp_path / "other", HostSecret(SECRET))
    fill(other, 9)

    put_back(profile, other.folder, "history.anchor")

    with pytest.raises(HistoryDamagedError, match="anchor"):
        profile.open()


def test_a_database_that_is_gone_is_refused_and_not_made_anew(profile: Profile) -> None:
    fill(profile, 3)
    profile.database.unlink()

    with pytest.raises(HistoryRolledBackError, match="gone"):
        profile.open()
    assert not profile.database.exists()


def test_a_whole_folder_put_back_is_not_noticed_where_the_host_keeps_the_key(
    profile: Profile, tmp_path: Path
) -> None:
    # The limit that the format page states (section 15), pinned: nothing inside a folder can tell.
    items = fill(profile, 3)
    copy = snapshot(profile, tmp_path / "copy")
    fill(profile, 1, start=3)

    put_back(profile, copy, "history.db", "history.anchor")

    assert outcome(profile) == (items, False)


def test_a_history_destroyed_and_put_back_from_a_copy_is_refused(
    profile: Profile, tmp_path: Path
) -> None:
    fill(profile, 3)
    copy = snapshot(profile, tmp_path / "copy")
    with profile.open() as history:
        history.destroy()

    put_back(profile, copy, "history.db")

    with pytest.raises(HistoryRolledBackError):
        profile.open()


def test_killing_a_destruction_leaves_nothing_that_alarms_or_opens(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(profile, 3)
    with profile.open() as history:
        monkeypatch.setattr("pathlib.Path.unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            history.destroy()
        monkeypatch.undo()
    assert profile.database.exists()

    with profile.open() as history:
        assert len(history) == 0
    assert list(profile.folder.iterdir()) == []


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


# Erasing.


def value_of(connection: sqlite3.Connection, name: str) -> bytes:
    (value,) = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    assert isinstance(value, bytes)
    return value


def copied_keyset(folder: Path, key: KeyProvider) -> Keyset:
    with closing(sqlite3.connect(folder / "history.db")) as connection:
        return Keyset.open(value_of(connection, "keys"), key)


def test_no_ciphertext_from_before_an_erasure_opens_under_the_new_root(
    profile: Profile, tmp_path: Path
) -> None:
    fill(profile, 200)
    copy = snapshot(profile, tmp_path / "copy")
    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id == "sku-7")
    old, new = (
        copied_keyset(copy, profile.key),
        copied_keyset(profile.folder, profile.key),
    )
    with closing(sqlite3.connect(copy / "history.db")) as connection:
        tail = connection.execute("SELECT seq, sealed FROM tail").fetchall()
        blocks = connection.execute("SELECT first_seq, wrapped_key FROM block").fetchall()
        head = value_of(connection, "head")
    assert tail
    assert blocks

    for seq, sealed in tail:
        place = row_place(new, "tail", seq)
        assert open_sealed(old.root.tail, sealed, place)
        with pytest.raises(HistoryDamagedError):
            open_sealed(new.root.tail, sealed, place)
    for first_seq, wrapped in blocks:
        place = row_place(new, "block-key", first_seq)
        assert len(open_sealed(old.root.kek, wrapped, place)) == 32
        with pytest.raises(HistoryDamagedError):
            open_sealed(new.root.kek, wrapped, place)
    with pytest.raises(HistoryDamagedError):
        open_sealed(new.root.head, head, Place(store_id=new.store_id, kind="head"))


def test_nothing_of_an_erased_event_is_left_in_any_file(profile: Profile) -> None:
    fill(profile, 200)
    old = rows(
        profile,
        "SELECT sealed FROM tail UNION ALL SELECT sealed FROM block WHERE first_seq = 0 "
        "UNION ALL SELECT wrapped_key FROM block UNION ALL SELECT value FROM meta",
    )

    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id in {"sku-7", "sku-190"})

    for name, data in profile.files().items():
        for (sealed,) in old:
            assert isinstance(sealed, bytes)
            # In pieces, as long values lie in several pages.
            for at in range(0, len(sealed) - 32, 512):
                assert sealed[at : at + 32] not in data, f"old ciphertext in {name}"


def test_an_erased_block_does_not_come_back_by_its_row(profile: Profile, tmp_path: Path) -> None:
    fill(profile, 200)
    snapshot(profile, tmp_path / "copy")
    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id == "sku-7")

    tamper(
        profile,
        f"ATTACH '{tmp_path / 'copy' / 'history.db'}' AS copy",
        "DELETE FROM block",
        "INSERT INTO block SELECT * FROM copy.block",
    )

    with profile.open() as history:
        assert "sku-7" not in items_of(history)
        assert history.damaged


def test_an_older_copy_opens_with_nothing_that_a_key_file_still_holds(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    fill(profile, 5)
    copy = snapshot(profile, tmp_path / "copy")
    with profile.open() as history:
        history.erase(lambda stored: stored.event.item_id == "sku-3")

    # The whole folder, anchor included: here even that is noticed.
    put_back(profile, copy, "history.db", "history.anchor")

    with pytest.raises(HistoryRolledBackError, match="destroyed"):
        profile.open()


def test_keys_left_by_a_kill_between_rotation_and_retirement_go_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = Profile(tmp_path)
    fill(profile, 5)
    copy = snapshot(profile, tmp_path / "copy")
    with profile.open() as history:
        monkeypatch.setattr(history._session, "retire_old_keys", _killed)
        with pytest.raises(KeyboardInterrupt):
            history.erase(lambda stored: stored.event.item_id == "sku-3")
    with profile.open() as history:
        assert items_of(history) == ["sku-0", "sku-1", "sku-2", "sku-4"]

    put_back(profile, copy, "history.db", "history.anchor")

    with pytest.raises(HistoryRolledBackError, match="destroyed"):
        profile.open()


def test_a_history_that_cannot_be_opened_can_be_destroyed(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    fill(profile, 5)
    profile.database.write_bytes(b"no database at all")
    with pytest.raises(HistoryDamagedError):
        profile.open()

    History.destroy_at(profile.folder, profile.key)

    assert profile.files() == {}


# Full disks.


def test_a_full_disk_is_said_and_loses_nothing_that_was_acknowledged(profile: Profile) -> None:
    fill(profile, 3)
    with profile.open() as history:
        connection = history._storage.attach().connection  # type: ignore[union-attr] # it is open
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {used + 4}")
        slot = history.sealer.seal(b"given", b"slot")
        acknowledged = items_of(history)

        with pytest.raises(HistoryFullError):  # noqa: PT012 one of them does not fit any more
            for number in range(1000):
                item = f"more-{number}"
                history.append([new_event(item, minutes=number + 5)])
                acknowledged.append(item)

        assert items_of(history) == acknowledged
        # A withdrawal needs no space.
        assert history.sealer.open(history.sealer.seal(b"no", b"slot"), b"slot") == b"no"
        assert history.sealer.open(slot, b"slot") == b"given"
        connection.execute("PRAGMA max_page_count = 100000")
        history.append([new_event("again", minutes=2000)])
        acknowledged.append("again")
    assert outcome(profile) == (acknowledged, False)


def test_an_erasure_that_fails_half_way_leaves_all_as_it_was(profile: Profile) -> None:
    items = fill(profile, 60)
    with profile.open() as history:
        connection = history._storage.attach().connection  # type: ignore[union-attr] # it is open
        generation = history.generation
        connection.set_authorizer(_no_inserts)

        with pytest.raises(HistoryError):
            history.erase(lambda stored: stored.event.item_id == "sku-3")

        assert (items_of(history), history.generation) == (items, generation)


def _no_inserts(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_INSERT else sqlite3.SQLITE_OK


# Nothing leaks.


def test_plain_text_is_in_no_file(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event(CANARY, minutes=at, purposes=(CANARY,)) for at in range(200)])
        history.sealer.seal(CANARY.encode(), b"")

    for name, data in profile.files().items():
        assert CANARY.encode() not in data, name


@pytest.mark.parametrize("minutes", [0, 3])
def test_the_sizes_of_the_files_do_not_tell_one_event_from_another(
    tmp_path: Path, minutes: int
) -> None:
    sizes: set[tuple[int, ...]] = set()
    for kind in KINDS:
        for item in ("1", "4006381333931"):
            profile = Profile(tmp_path / kind / item, HostSecret(SECRET))
            with profile.open() as history:
                events = [new_event(item, kind=kind, minutes=minutes * at) for at in range(140)]
                history.append(events)
            lengths = rows(
                profile,
                "SELECT length(sealed) FROM tail UNION ALL SELECT length(sealed) FROM block "
                "UNION ALL SELECT length(value) FROM meta",
            )
            sizes.add(tuple(length for (length,) in lengths if isinstance(length, int)))

    assert len(sizes) == 1


def test_a_key_of_one_block_opens_no_other(profile: Profile) -> None:
    fill(profile, 300)
    keyset = copied_keyset(profile.folder, profile.key)
    found = rows(profile, "SELECT first_seq, wrapped_key, sealed FROM block ORDER BY first_seq")
    (first, wrapped, _), (other, _, sealed) = found
    assert isinstance(first, int)
    assert isinstance(other, int)
    assert isinstance(wrapped, bytes)
    assert isinstance(sealed, bytes)
    key = SealKey(open_sealed(keyset.root.kek, wrapped, row_place(keyset, "block-key", first)))

    with pytest.raises(HistoryDamagedError):
        open_sealed(key, sealed, row_place(keyset, "block", other))
