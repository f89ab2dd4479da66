"""The record of choices in memory and in its store, and what happens when the two cannot agree.

A yes must be on the disk before it counts. A no counts at once; the disk is asked to follow, and if
it cannot take the record, to drop it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shelfrank.consent.record import decode, encode
from shelfrank.consent.rules import Record
from shelfrank.errors import ConsentError, ShelfrankError

if TYPE_CHECKING:
    from shelfrank.consent.store import ChoiceStore

_NOTHING: Final = Record(generation=0, clock=datetime(1970, 1, 1, tzinfo=UTC), choices={})


class Ledger:
    """Holds the record; reads the store once, when made, and writes only when told.

    Attributes:
        record: what holds in this process.
        readable: whether the store could be read; if not, `record` is empty and nothing is
            permitted.
        durable: whether the store is known to hold what `record` says.
    """

    def __init__(self, store: ChoiceStore) -> None:
        self._store = store
        self.record = _NOTHING
        self.readable = True
        self.durable = True
        try:
            data = store.read()
            self.record = _NOTHING if data is None else decode(data)
        except (ShelfrankError, OSError):
            self.readable = self.durable = False

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
        self.record = record
        self.durable = True

    def keep(self, record: Record) -> bool:
        """Put a record that permits no more than the present one on the disk; whether it is."""
        try:
            self.keep_or_raise(record)
        except ConsentError:
            return False
        return True

    def hold(self, record: Record) -> bool:
        """Let a no hold at once; return whether it will hold after a restart too.

        Where the record cannot be written or sealed, all stored choices are made void: they permit
        less then, never more.
        """
        changed = record is not self.record
        self.record = record
        if self.durable and not changed:
            return True
        self.durable = self.keep(record)
        return self.durable or self._void()

    def _void(self) -> bool:
        try:
            self._store.void()
        except OSError:
            return False
        self.readable = True
        self.durable = not self.record.choices
        return True
