"""The record of choices in memory and in its store, and what happens when the two cannot agree.

A yes must be on the disk before it counts. A no counts at once; the disk is asked to follow, and if
it cannot take the record, to drop it. Another process may write too: whoever asks first looks
whether one did.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shelfrank.consent.record import decode, encode
from shelfrank.consent.rules import Record
from shelfrank.errors import ConsentError, ShelfrankError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from shelfrank.consent.store import ChoiceStore

NOTHING: Final = Record(generation=0, clock=datetime(1970, 1, 1, tzinfo=UTC), choices={})


class Ledger:
    """Holds the record; writes only when told.

    Attributes:
        record: what holds in this process.
        readable: whether the store could be read; if not, `record` is empty and nothing is
            permitted.
        durable: whether the store is known to hold what `record` says.
        generation: grows with every change of what holds here, also with one that is nowhere
            written.
    """

    def __init__(self, store: ChoiceStore) -> None:
        self._store = store
        self._stamp: bytes | None = None
        self.record = NOTHING
        self.readable = True
        self.durable = True
        self.generation = 0
        self.refresh()

    def refresh(self) -> None:
        """Take over what another process wrote since. A no that only this one knows stays."""
        stamp = self._stamp_now()
        if stamp is not None and stamp == self._stamp:
            return
        before, self._stamp = self.record, stamp
        try:
            data = self._store.read()
            found = NOTHING if data is None else decode(data)
            self.readable = True
        except (ShelfrankError, OSError):
            found, self.readable = NOTHING, False
        if self.durable:
            self.durable = self.readable
        else:
            merged = found.with_the_noes_of(before)
            self.durable = self.readable and merged == found
            found = merged
        self._let_hold(found)

    def exclusive(self) -> AbstractContextManager[bool]:
        """Keep other processes from writing meanwhile; whether that worked."""
        return self._store.exclusive()

    def changed(self) -> None:
        """Note that what is permitted changed although no choice did."""
        self.generation += 1

    def keep_or_raise(self, record: Record) -> None:
        """Put a yes on the disk, then let it hold.

        Raises:
            ConsentError: it cannot be kept; nothing changed.
        """
        if not self.readable:
            raise ConsentError(
                "the record of choices on this device cannot be read, and is not overwritten",
                hint="withdrawing makes it void; then the shopper can choose anew",
            )
        try:
            self._store.write(encode(record))
        except (OSError, ShelfrankError) as error:
            raise ConsentError(f"the choice cannot be kept, so nothing changed: {error}") from error
        self._let_hold(record)
        self._stamp = self._stamp_now()
        self.durable = True

    def keep(self, record: Record) -> bool:
        """Put a record that permits no more than the present one on the disk; whether it is."""
        try:
            self.keep_or_raise(record)
        except ConsentError:
            return False
        return True

    def hold(self, record: Record, *, or_void: bool = True) -> bool:
        """Let a no hold at once; return whether it will hold after a restart too.

        Args:
            record: permits no more than the present one.
            or_void: where it cannot be written or sealed, make all stored choices void: they permit
                less then, never more.
        """
        changed = record is not self.record
        self._let_hold(record)
        if self.durable and not changed:
            return True
        self.durable = self.keep(record)
        return self.durable or (or_void and self._void())

    def _void(self) -> bool:
        try:
            self._store.void()
        except OSError:
            return False
        self._stamp = self._stamp_now()
        self.readable = True
        self.durable = not self.record.choices
        return True

    def _let_hold(self, record: Record) -> None:
        # What is known of the time changes often, and nothing by itself.
        if record.choices != self.record.choices or record.generation > self.generation:
            self.generation = max(self.generation + 1, record.generation)
        self.record = record

    def _stamp_now(self) -> bytes | None:
        try:
            return self._store.stamp()
        except OSError:
            return None
