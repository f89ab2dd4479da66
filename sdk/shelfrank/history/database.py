"""The SQLite file of a history (history-format.md, sections 1 and 10). Input and output only.

Nothing else may open this file while a process has it open: closing any other descriptor of it
drops all POSIX locks that the process holds on it (sqlite.org, howtocorrupt, section 2.2).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from shelfrank.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryLockedError,
    HistoryVersionError,
)
from shelfrank.history.envelope import FORMAT
from shelfrank.history.files import file_error, full_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID: Final = int.from_bytes(b"SHFR", "big")

BUSY_SECONDS: Final = 5.0
"""How long to wait for another process: a commit takes milliseconds, a rotation 0.1 s."""

MAX_VALUE_BYTES: Final = 1024 * 1024
"""A block has at most 70 KB; a hostile file must not make SQLite allocate more for a value."""

# Fixed for every connection (security reasons in section 10). TRUNCATE and not WAL: in WAL mode one
# flipped bit silently drops every later commit. FULL: below it, a power cut takes acknowledged
# events.
PRAGMAS: Final = (
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "mmap_size=0",
    "temp_store=MEMORY",
    "secure_delete=ON",
    "synchronous=FULL",
    "fullfsync=1",
    "checkpoint_fullfsync=1",
)

SCHEMA: Final = {
    "block": (
        "CREATE TABLE block (first_seq INTEGER PRIMARY KEY, wrapped_key BLOB NOT NULL, "
        "sealed BLOB NOT NULL)"
    ),
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "spare": "CREATE TABLE spare (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "tail": "CREATE TABLE tail (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
}

_DAMAGED_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_ERROR,  # A table that is not there, or is not what it says.
    }
)


class Database:
    """One connection, with transactions that raise the SDK's errors.

    Args:
        path: of an existing file, or None for one in memory.

    Raises:
        HistoryError: see `typed_errors`.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with typed_errors():
            self._inode = None if path is None else path.stat().st_ino
            self._connection = _connect(path)

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Database>"

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection itself, for tests that simulate faults."""
        return self._connection

    def is_current(self) -> bool:
        """Say whether the file is still the one that was opened: others may have erased it."""
        if self._path is None:
            return True
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def is_made(self) -> bool:
        """Say whether the tables are there; False for the empty file of a creation that was cut.

        Raises:
            HistoryDamagedError: there are other tables, or views, triggers, indices.
            HistoryVersionError: another format number.
        """
        with self.reading() as connection:
            return _check_schema(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that sees one state and writes nothing."""
        with typed_errors(), self._transaction("BEGIN", "ROLLBACK") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction alone; what it wrote is durable after it, or nothing was written."""
        with typed_errors(), self._transaction("BEGIN IMMEDIATE", "COMMIT") as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that keeps other writers out and writes nothing."""
        with typed_errors(), self._transaction("BEGIN IMMEDIATE", "ROLLBACK") as connection:
            yield connection

    def make_tables(self, connection: sqlite3.Connection) -> None:
        """Make the tables, inside a writing transaction."""
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        for statement in SCHEMA.values():
            connection.execute(statement)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _transaction(self, begin: str, end: str) -> Iterator[sqlite3.Connection]:
        self._refuse_nesting()
        self._connection.execute(begin)
        try:
            yield self._connection
            self._connection.execute(end)
        except BaseException:
            self._connection.end_reading()
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise

    def _refuse_nesting(self) -> None:
        if self._connection.in_transaction:
            raise HistoryError("the history was called from inside a call of its own")


@contextmanager
def typed_errors() -> Iterator[None]:
    """Turn the errors of SQLite and of the system into the SDK's.

    Raises:
        HistoryLockedError: another process held the lock for over 5 seconds.
        HistoryFullError: no space.
        HistoryDamagedError: not a database, or its pages contradict each other.
        HistoryError: the disk refuses to read or write.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _typed(error) from error
    except UnicodeDecodeError:
        # SQLite quotes the damaged schema, and Python cannot decode what it says.
        raise _damaged() from None
    except OSError as error:
        raise file_error(error) from error


def is_corrupt(error: sqlite3.DatabaseError) -> bool:
    """Say whether SQLite found a page that contradicts itself: other pages may still be read."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def create_file(path: Path) -> None:
    """Make the empty file with mode 0600, which SQLite's journal inherits, unless it is there."""
    with suppress(FileExistsError):
        # Exclusively: if it is there, somebody may have it open, and closing would drop locks.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


class _Connection(sqlite3.Connection):
    """A connection that can end what it still reads.

    An error keeps the frames it came through, and a cursor in one of them keeps SQLite's lock, even
    when the connection is closed: whoever kept the error would lock everybody out.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def execute(self, *args: Any) -> sqlite3.Cursor:
        cursor = super().execute(*args)
        self._cursors.add(cursor)
        return cursor

    def end_reading(self) -> None:
        for cursor in self._cursors:
            cursor.close()


def _connect(path: Path | None) -> _Connection:
    # mode=rw never makes a file, and reads one on a read-only disk.
    target = ":memory:" if path is None else f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        target,
        uri=path is not None,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # The history holds a lock of its own.
        factory=_Connection,
    )
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _set_journal_mode(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal_mode(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()[0]
    if mode not in {"truncate", "memory"}:
        raise HistoryDamagedError(f"history has journal mode {mode}, wanted truncate")


def _check_schema(connection: sqlite3.Connection) -> bool:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    found = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
    if not found and application == 0:
        return False
    if application != APPLICATION_ID:
        raise HistoryDamagedError("the file is not a history of this SDK")
    if version != FORMAT:
        raise HistoryVersionError(f"history has format {version}, this SDK reads {FORMAT}")
    if found != [("table", name, sql) for name, sql in SCHEMA.items()]:
        raise HistoryDamagedError("the tables of the history are not those of its format")
    return True


def _damaged() -> HistoryDamagedError:
    return HistoryDamagedError(
        "the file of the history is damaged",
        hint="Device.recover_at saves what can be read; nothing was changed",
    )


def _typed(error: sqlite3.Error) -> HistoryError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return HistoryLockedError(
            f"another process held the history for over {BUSY_SECONDS:.0f} seconds",
            hint="try again; nothing was changed",
        )
    if code == sqlite3.SQLITE_FULL:
        return full_error()
    if code in _DAMAGED_CODES or (code == 0 and isinstance(error, sqlite3.OperationalError)):
        return _damaged()
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return HistoryError(f"the history cannot be read or written: {name}")
