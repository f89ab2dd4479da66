"""Key slot and head as they lie in the database, twice (history-format.md, sections 5 and 6).

Without them nothing can be read, and they lie on the page that is written most often. So every
transaction writes them to two tables, which SQLite keeps on different pages: a page that fails
takes one copy.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shelfrank.errors import HistoryDamagedError
from shelfrank.history.database import is_corrupt
from shelfrank.history.head import Head
from shelfrank.history.keyset import Keyset

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank.history.keys import KeyProvider

KEYS_ROW: Final = "keys"
HEAD_ROW: Final = "head"
COPIES: Final = ("meta", "spare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a history says of itself.

    Attributes:
        keyset: its keys.
        head: its head.
        sealed_head: as it stands in the database.
        whole: whether both copies of key slot and head say the same.
    """

    keyset: Keyset
    head: Head
    sealed_head: bytes
    whole: bool

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Frame>"


def is_still(connection: sqlite3.Connection, keyset: Keyset, sealed_head: bytes) -> bool:
    """Say whether the database holds just this; two small reads, of the first copies."""
    table = COPIES[0]
    return (
        _copy(connection, table, HEAD_ROW) == sealed_head
        and _copy(connection, table, KEYS_ROW) == keyset.slot_bytes
    )


def read_frame(
    connection: sqlite3.Connection, provider: KeyProvider, known: Keyset | None
) -> Frame:
    """Read key slot and head; of copies that differ, the newest head that opens counts.

    Args:
        connection: inside a transaction.
        provider: who keeps the key.
        known: the keys so far, which save unwrapping when the slot is still the same.

    Raises:
        HistoryDamagedError: no copy can be read.
        KeyUnavailableError: the provider cannot give its key now.
        WrongKeyError: it has another one.
        HistoryRolledBackError: it has retired the key of this state.
    """
    slots, heads = _copies(connection, KEYS_ROW), _copies(connection, HEAD_ROW)
    keyset = known if known and known.slot_bytes in slots[:1] else _open_keys(slots, provider)
    head, sealed_head = _open_head(heads, keyset)
    whole = [slots, heads] == [[keyset.slot_bytes] * len(COPIES), [sealed_head] * len(COPIES)]
    return Frame(keyset=keyset, head=head, sealed_head=sealed_head, whole=whole)


def write_new(connection: sqlite3.Connection, keyset: Keyset) -> None:
    """Write the rows of an empty history into empty tables."""
    write_keys(connection, keyset)
    _write(connection, HEAD_ROW, b"")


def write_keys(connection: sqlite3.Connection, keyset: Keyset) -> None:
    """Write the key slot."""
    _write(connection, KEYS_ROW, keyset.slot_bytes)


def write_head(
    connection: sqlite3.Connection, head: Head, keyset: Keyset, now: datetime
) -> tuple[Head, bytes]:
    """Number the commit and write its head: the last step of every writing transaction.

    Returns:
        The head as written, and sealed.
    """
    newest = max(now, head.newest_time or now)
    head = replace(head, version=head.version + 1, newest_time=newest)
    sealed = head.seal(keyset.root, keyset.store_id)
    _write(connection, HEAD_ROW, sealed)
    return head, sealed


def _open_keys(slots: list[bytes], provider: KeyProvider) -> Keyset:
    for slot in slots[:-1]:
        try:
            return Keyset.open(slot, provider)
        except HistoryDamagedError:
            continue
    if not slots:
        raise HistoryDamagedError("the key slot of the history is missing")
    return Keyset.open(slots[-1], provider)


def _open_head(heads: list[bytes], keyset: Keyset) -> tuple[Head, bytes]:
    opened = []
    for sealed in dict.fromkeys(heads):
        try:
            opened.append((Head.open(sealed, keyset.root, keyset.store_id), sealed))
        except HistoryDamagedError:
            continue
    if not opened:
        raise HistoryDamagedError("the head of the history is damaged or missing")
    return max(opened, key=lambda pair: pair[0].version)


def _copies(connection: sqlite3.Connection, name: str) -> list[bytes]:
    """Return the copies of a row that can be read, in the order of `COPIES`."""
    copies = [_copy(connection, table, name) for table in COPIES]
    return [copy for copy in copies if copy is not None]


def _copy(connection: sqlite3.Connection, table: str, name: str) -> bytes | None:
    try:
        row = connection.execute(
            f"SELECT value FROM {table} WHERE name = ?",  # noqa: S608 - a name of ours
            (name,),
        ).fetchone()
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            raise
        return None
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def _write(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    for table in COPIES:
        changed = connection.execute(
            f"UPDATE {table} SET value = ? WHERE name = ?",  # noqa: S608 - a name of ours
            (value, name),
        ).rowcount
        if not changed:
            connection.execute(
                f"INSERT INTO {table} VALUES (?, ?)",  # noqa: S608 - a name of ours
                (name, value),
            )
