"""Transactions on one history and the state they see (history-format.md, 10, 11 and 14)."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shelfrank.errors import HistoryDamagedError, HistoryError, HistoryRolledBackError
from shelfrank.history.anchor import check_anchor, read_marks, write_mark
from shelfrank.history.contents import Contents, all_rows, verify_contents
from shelfrank.history.frame import is_still, read_frame, write_head, write_new
from shelfrank.history.head import Head
from shelfrank.history.keys import MarkKeeper
from shelfrank.history.keyset import Keyset
from shelfrank.history.recovery import surviving_rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from shelfrank.history.database import Database
    from shelfrank.history.keys import KeyProvider
    from shelfrank.history.storage import Storage
    from shelfrank.types import Clock

    Change = Callable[[sqlite3.Connection, Contents], Contents]

_log = logging.getLogger(__name__)

MARK_EVERY: Final = 256
"""Commits between two marks at the provider: it must not be asked for every event."""


class Session:
    """One process's way to a history. The caller keeps threads apart.

    Args:
        storage: its files.
        provider: who keeps its key.
        clock: where the time comes from.
    """

    def __init__(self, storage: Storage, provider: KeyProvider, clock: Clock) -> None:
        self._storage = storage
        self._provider = provider
        self._clock = clock
        self._pid = os.getpid()
        self._closed = False
        # Newest commit that this object has seen, and of which history.
        self._seen: tuple[bytes, int] = (b"", 0)
        # Newest commit that the provider is known to remember.
        self._marked = 0
        self.known: Contents | None = None

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Session>"

    def check_usable(self) -> None:
        """Refuse a closed session and one from before a fork.

        Raises:
            HistoryError: POSIX locks and SQLite's state do not survive `os.fork`.
        """
        if os.getpid() != self._pid:
            raise HistoryError(
                "the history was opened by another process, before a fork",
                hint="open it in the process that uses it",
            )
        if self._closed:
            raise HistoryError("the history is closed")

    def read(self) -> Contents | None:
        """Return the present state, or None when there is no history yet."""
        self.check_usable()
        database = self._storage.attach()
        if database is None:
            self.forget()
            return None
        try:
            with database.reading() as connection:
                return self._refresh(connection)
        except HistoryError:
            self.forget()
            raise

    def write(self, change: Change) -> tuple[Contents, Contents]:
        """Run one writing transaction; return the states before and after it, which is durable.

        Args:
            change: takes connection and state, returns the new state; `write_head` follows it.
        """
        self.check_usable()
        database = self._storage.attach() or self._make()
        try:
            with database.writing() as connection:
                before = self._refresh(connection)
                self._secure_anchor(before)
                after = self._number(connection, change(connection, before))
        except BaseException as error:
            self.forget()
            if type(error) is HistoryError:
                # After a failed sync nobody knows what is on the disk: never try again on this
                # handle.
                self._storage.discard_connection()
            raise
        self._accept(after)
        self._anchor_commit(after)
        rotated = after.head.generation != before.head.generation
        if rotated or after.head.version - self._marked >= MARK_EVERY:
            self._mark(after)
        return before, after

    def retire_old_keys(self) -> None:
        """Have the provider drop every key but that of the present state."""
        self.check_usable()
        database = self._storage.attach()
        if database is None:
            return
        # Under the write lock: another process may be about to commit under a key it has just made.
        with database.alone() as connection:
            slot = self._refresh(connection).keyset.slot
            self._provider.retire(slot.wrapped_root, slot.store_id)

    def change_provider(self, provider: KeyProvider) -> None:
        """Take the key from another provider, which has wrapped the present root."""
        self._provider = provider
        self._marked = 0

    def device_keyset(self) -> Keyset | None:
        """Return keys for the consent slot, or None when there is no history yet.

        Without a transaction when they are known: a withdrawal must wait for no lock.
        """
        self.check_usable()
        if self.known is not None and self._storage.is_attached():
            return self.known.keyset
        database = self._storage.attach()
        if database is None:
            return None
        # Only key slot and head: a choice can be read and changed however damaged the events are.
        with database.reading() as connection:
            return read_frame(connection, self._provider, None).keyset

    def declare_newest(self) -> None:
        """Make a new anchor for the history as it is."""
        database = self._storage.attach_without_anchor()
        with database.alone() as connection:
            contents = verify_contents(
                read_frame(connection, self._provider, None), all_rows(connection)
            )
            self._storage.anchor.remove()
            self._storage.anchor.create()
            self._write_mark(contents, durable=True)

    def salvage(self) -> tuple[Contents, bool]:
        """Return what can be read, page by page, and whether the anchor confirms the state.

        Raises:
            HistoryRolledBackError: it is an older state than this device has had.
            HistoryError: there is no history, or neither copy of its frame can be read.
        """
        database = self._storage.attach_without_anchor()
        with database.reading() as connection:
            frame = read_frame(connection, self._provider, None)
            contents = verify_contents(frame, surviving_rows(connection, frame.head.next_seq))
            try:
                content = self._storage.anchor.read()
                anchored = bool(read_marks(content, frame.keyset.device, frame.keyset.store_id))
            except HistoryDamagedError:
                anchored = False
            if anchored:
                self._check_newest(contents)
        return contents, anchored

    def forget(self) -> None:
        """Forget the state, but not which commit was seen."""
        self.known = None

    def forget_history(self) -> None:
        """Forget that there was a history: it was destroyed."""
        self.forget()
        self._seen = (b"", 0)
        self._marked = 0

    def close(self) -> None:
        """Close the files and forget the keys."""
        if self.known and self.known.head.version > self._marked and os.getpid() == self._pid:
            self._mark(self.known)
        self.forget()
        self._storage.detach()
        self._closed = True

    def _make(self) -> Database:
        database = self._storage.make()
        try:
            with database.writing() as connection:
                if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                    database.make_tables(connection)
                    keyset = Keyset.make(self._provider)
                    write_new(connection, keyset)
                    empty = Contents(keyset=keyset, head=Head())
                    self._number(connection, empty)
        except BaseException:
            self._storage.detach()
            raise
        return database

    def _refresh(self, connection: sqlite3.Connection) -> Contents:
        """Return the state that a transaction sees; verified, unless it is already known."""
        known = self.known
        if known and is_still(connection, known.keyset, known.sealed_head):
            return known
        frame = read_frame(connection, self._provider, known.keyset if known else None)
        contents = verify_contents(frame, all_rows(connection))
        self._check_newest(contents)
        self._accept(contents)
        return contents

    def _check_newest(self, contents: Contents) -> None:
        keyset, mark = contents.keyset, contents.anchor_mark
        # Inside the transaction nobody else can commit, so the anchor cannot run ahead meanwhile.
        check_anchor(self._storage.anchor.read(), keyset.device, keyset.store_id, mark)
        if isinstance(self._provider, MarkKeeper):
            self._marked = self._provider.recall(keyset.store_id)
            if mark.version < self._marked:
                raise HistoryRolledBackError(
                    f"history is at commit {mark.version}, its key has already seen {self._marked}",
                    hint="an older copy was put back; bring the newer one or erase the history",
                )
        store_id, version = self._seen
        if store_id == keyset.store_id and mark.version < version:
            raise HistoryRolledBackError(
                f"history is at commit {mark.version}, this process has already seen {version}",
                hint="an older copy was put back; bring the newer one or erase the history",
            )

    def _number(self, connection: sqlite3.Connection, contents: Contents) -> Contents:
        head, sealed = write_head(connection, contents.head, contents.keyset, self._clock.now())
        return replace(contents, head=head, sealed_head=sealed)

    def _accept(self, contents: Contents) -> None:
        self.known = contents
        self._seen = (contents.keyset.store_id, contents.head.version)

    def _secure_anchor(self, contents: Contents) -> None:
        """Make the anchor durable before the second commit: from then on it can be demanded."""
        keyset = contents.keyset
        if contents.head.version == 1 and not read_marks(
            self._storage.anchor.read(), keyset.device, keyset.store_id
        ):
            self._write_mark(contents, durable=True)

    def _anchor_commit(self, contents: Contents) -> None:
        try:
            self._write_mark(contents, durable=False)
        except OSError as error:
            # The commit is durable, so this is no reason to say that it failed.
            _log.warning("the anchor of the history cannot be written: %s", error.strerror)

    def _mark(self, contents: Contents) -> None:
        if not isinstance(self._provider, MarkKeeper):
            return
        try:
            self._provider.remember(contents.keyset.store_id, contents.head.version)
        except HistoryError as error:
            # As with the anchor: what is behind protects less and alarms nobody.
            _log.warning("the commit cannot be remembered: %s", type(error).__name__)
        else:
            self._marked = contents.head.version

    def _write_mark(self, contents: Contents, *, durable: bool) -> None:
        keyset = contents.keyset
        write_mark(
            self._storage.anchor,
            contents.anchor_mark,
            keyset.device,
            keyset.store_id,
            durable=durable,
        )
