"""The history of one device: encrypted, authenticated, on the disk when `append` returns."""

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, NoReturn, Self

from shelfrank.errors import HistoryDamagedError, HistoryError
from shelfrank.history.contents import append_records
from shelfrank.history.edits import (
    Records,
    Selection,
    build_view,
    decided_once,
    drop_selected,
    end_outside,
    end_purpose,
    erase_all,
    extend_view,
    keep_unless,
    place_events,
    renamed,
    stored_event,
)
from shelfrank.history.envelope import Place, open_sealed, seal
from shelfrank.history.events import (
    NewEvent,
    PastEvent,
    StoredEvent,
    check_events,
    check_item_id,
    check_past_event,
    to_microseconds,
)
from shelfrank.history.files import is_empty
from shelfrank.history.keyring import KeyFile, MemoryKey
from shelfrank.history.merging import all_records, merge_events
from shelfrank.history.recovery import Recovered, write_recovered
from shelfrank.history.rewrite import changes_anything, rewrite
from shelfrank.history.session import Session
from shelfrank.history.storage import Storage
from shelfrank.history.visits import current_visit

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from shelfrank.history.contents import Contents, SeqRange
    from shelfrank.history.events import Record
    from shelfrank.history.head import Head
    from shelfrank.history.keys import KeyProvider
    from shelfrank.history.keyset import Keyset
    from shelfrank.history.rewrite import Edit
    from shelfrank.types import Clock, Event, ItemId

__all__ = [
    "History",
    "NewEvent",
    "PastEvent",
    "Recovered",
    "Sealer",
    "Selection",
    "StoredEvent",
]


class History:
    """This device's events. Open it with `History.open`; use one object for all threads.

    Nothing is written before the first `append`, or the first value sealed for the consent slot.
    Several processes may have the same history open: each call sees what the others have committed.
    An object does not survive `os.fork`.

    Every call may raise `HistoryLockedError` (another process is writing for over 5 seconds) and
    `HistoryError` (closed, or the disk fails); calls that write also `HistoryFullError`. After an
    error nothing was changed, unless the call says otherwise or the disk failed at the last step of
    a commit: then the next call shows whether it holds, wholly or not at all.
    """

    def __init__(self, folder: Path | None, key: KeyProvider, clock: Clock) -> None:
        """Use `History.open` or `History.in_memory`."""
        self._folder = folder
        self._provider = key
        self._clock = clock
        self._lock = RLock()
        self._storage = Storage(folder)
        self._session = Session(self._storage, key, clock)
        # What `events` has built, and from which state.
        self._views: dict[str, tuple[Event, ...]] = {}
        self._viewed: Contents | None = None
        self._new_visit = False
        self.sealer = Sealer(self._session, self._lock)

    def __repr__(self) -> str:
        """Say the type only."""
        return "<History>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: it holds keys."""
        raise TypeError("a History holds keys and cannot be pickled or copied")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of events that can be read."""
        with self._lock:
            contents = self._session.read()
            return contents.readable if contents else 0

    @classmethod
    def open(cls, folder: Path, key: KeyProvider, *, clock: Clock) -> Self:
        """Open and verify the history in a folder; an empty one when there is none yet.

        Damaged events do not keep the others from being read: see `damaged`.

        Args:
            folder: made with mode 0700 at the first write.
            key: who keeps the key.
            clock: where the time comes from.

        Raises:
            KeyUnavailableError: the provider cannot give the key now.
            WrongKeyError: the key is another one.
            HistoryDamagedError: key slot, head or tables are damaged; nothing can be trusted.
            HistoryRolledBackError: an older copy was put back, or the anchor is missing.
            HistoryVersionError: another format number.
            ValueError: the key is a file in this very folder.
        """
        _check_apart(folder, key)
        history = cls(folder, key, clock)
        try:
            history._storage.finish_erasing()
            history._session.read()
        except BaseException:
            history.close()
            raise
        if key.can_retire:
            # A kill may have come between a rotation and the end of the old key.
            with suppress(HistoryError):
                history._session.retire_old_keys()
        return history

    @classmethod
    def in_memory(cls, *, clock: Clock) -> Self:
        """Return an empty history without files, which ends with this object."""
        return cls(None, MemoryKey(), clock)

    @classmethod
    def reanchor(cls, folder: Path, key: KeyProvider, *, clock: Clock) -> None:
        """Declare the history in a folder to be the newest, because its anchor was lost.

        For the operator to call, never for the app: it gives up, once, the protection against an
        older copy.

        Raises:
            HistoryError: there is no history, or it cannot be opened.
        """
        history = cls(folder, key, clock)
        try:
            history._session.declare_newest()
        finally:
            history.close()

    @classmethod
    def recover(
        cls,
        folder: Path,
        key: KeyProvider,
        *,
        into: Path,
        into_key: KeyProvider | None = None,
        clock: Clock,
        reseal: Callable[[Sealer, Sealer], None] | None = None,
    ) -> Recovered:
        """Write what can be read of a damaged history into a new one, and leave the old as it is.

        For the operator or the app to call, after telling the shopper; nothing calls it by itself.
        Numbers, visits, times and purposes of events stay. The new history has keys of its own, so
        destroying one leaves the other.

        Args:
            folder: of the damaged history; no process should write to it meanwhile.
            key: its provider.
            into: folder for the new history; missing or empty.
            into_key: provider for the new history; None takes the same.
            clock: where the time comes from.
            reseal: called with the sealers of the old and the new history, to take along what was
                sealed beside it; what it raises undoes the recovery.

        Returns:
            How many events were kept and lost, and whether the anchor confirmed the state.

        Raises:
            HistoryDamagedError: neither copy of key slot or head can be read, or SQLite finds no
                database: nothing can be saved.
            HistoryRolledBackError: it is an older copy; what was erased since must not come back.
            KeyUnavailableError: the provider cannot give the key now.
            WrongKeyError: the key is another one.
            HistoryError: there is no history in `folder`; or `into` cannot be written, and then
                nothing is left there.
            ValueError: `into` is not empty, or a key file lies in it.
        """
        new_key = into_key or key
        if not is_empty(into):
            raise ValueError("the folder for the recovered history is not empty")
        _check_apart(into, new_key)
        damaged, clean = cls(folder, key, clock), cls(into, new_key, clock)
        try:
            salvaged, anchored = damaged._session.salvage()
            try:
                clean._session.write(
                    lambda connection, empty: write_recovered(connection, empty, salvaged)
                )
                if reseal is not None:
                    reseal(damaged.sealer, clean.sealer)
            except BaseException:
                clean._storage.remove()
                raise
        finally:
            damaged.close()
            clean.close()
        return Recovered(
            kept=salvaged.readable,
            lost=salvaged.lost,
            damaged=salvaged.damaged,
            anchored=anchored,
        )

    @classmethod
    def destroy_at(cls, folder: Path, key: KeyProvider) -> None:
        """Destroy a history that may not even open: the key first, then the files.

        Args:
            folder: of the history; no process should have it open.
            key: its provider.

        Raises:
            KeyUnavailableError: the provider failed to destroy its key; the files are gone.
        """
        _destroy(key, Storage(folder))

    @property
    def generation(self) -> int:
        """How often events were erased, as far as the last call saw; 0 in an empty history."""
        return self._session.known.head.generation if self._session.known else 0

    @property
    def damaged(self) -> tuple[SeqRange, ...]:
        """Ranges of sequence numbers that cannot be read, as of the last call."""
        return self._session.known.damaged if self._session.known else ()

    @property
    def lost(self) -> int:
        """How many events are unreadable now or were when something was erased."""
        return self._session.known.lost if self._session.known else 0

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged, as of the last call; otherwise `History.recover` helps.

        False as well when one of two copies of key slot or head is bad, which costs no event.
        """
        contents = self._session.known
        return contents is None or (contents.whole and not contents.damaged)

    @property
    def newest_time(self) -> datetime | None:
        """Latest moment the clock has shown when something was written; None in an empty history.

        For retention and validity: a clock set back must not prolong anything.
        """
        with self._lock:
            contents = self._session.read()
            return contents.head.newest_time if contents else None

    def append(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        """Store events; when this returns they survive a crash and a power cut.

        All of them are stored or none. They get their visits in order of time.

        Args:
            events: any number; in any order.

        Returns:
            What was stored, in the order given; each event is made when it is asked for.

        Raises:
            ValueError: the format cannot hold an event (see `check_event`), or over 32 purposes or
                16 contexts.
            HistoryDamagedError: the newest rows are damaged, so nothing can be added.
        """
        if not events:
            return []
        check_events(events)
        order = sorted(range(len(events)), key=[event.time for event in events].__getitem__)
        stored: list[Record] = []

        def change(connection: sqlite3.Connection, contents: Contents) -> Contents:
            in_order = [events[position] for position in order]
            placed, records = place_events(contents, in_order, new_visit=self._new_visit)
            stored.extend(records)
            return append_records(connection, placed, records)

        with self._lock:
            before, after = self._session.write(change)
            self._new_visit = False
            self._extend_views(before, after, stored)
        in_order = order == list(range(len(events)))
        by_place = zip(order, stored, strict=True)
        returned = stored if in_order else [record for _, record in sorted(by_place)]
        return Records(returned, after.head.context_names)

    def new_visit(self) -> None:
        """Let the next event start a visit, in this process; writes nothing."""
        with self._lock:
            self._new_visit = True

    def current_visit(self) -> int:
        """Return the ordinal of the visit that an event recorded now would get.

        What is stored under it is the current visit; with 30 minutes since the last event, or after
        `new_visit`, nothing is.
        """
        with self._lock:
            contents = self._session.read()
            mark = contents.head.mark if contents else None
            return current_visit(mark, self._clock.now(), new_visit=self._new_visit)

    def events(self, purpose: str) -> tuple[Event, ...]:
        """Return the events that are kept for a purpose, oldest first; nothing of another purpose.

        Events that are damaged are left out: see `damaged`.
        """
        with self._lock:
            contents = self._session.read()
            if contents is None:
                return ()
            if self._viewed is not contents:
                self._viewed, self._views = contents, {}
            if purpose not in self._views:
                self._views[purpose] = build_view(contents, purpose)
            return self._views[purpose]

    def stored(self) -> tuple[StoredEvent, ...]:
        """Return every event that can be read with its number and purposes, oldest first."""
        with self._lock:
            contents = self._session.read()
            if contents is None:
                return ()
            records = sorted(all_records(contents), key=attrgetter("visit", "order", "seq"))
            return tuple(stored_event(record, contents.head) for record in records)

    @property
    def store_id(self) -> bytes:
        """Random id of this history, 16 bytes; empty before the first write. No other has it."""
        with self._lock:
            contents = self._session.read()
            return contents.keyset.store_id if contents else b""

    def merge(self, events: Sequence[PastEvent]) -> int:
        """Store the events of another device among one's own, in visits of their own.

        All of them are stored or none. One that is here already (kind, item, time, quantity) is not
        stored again; of several alike there, as many are stored as are missing here. Where their
        visits belong between those that are here, these are numbered anew, the root is rotated, and
        every event gets a new number.

        Args:
            events: any number; in any order.

        Returns:
            How many were stored.

        Raises:
            ValueError: the format cannot hold an event (see `check_event`), or over 32 purposes or
                16 contexts.
            HistoryDamagedError: events here are damaged, so they cannot be compared.
            KeyUnavailableError: as in `erase`.
        """
        for event in events:
            check_past_event(event)
        if not events:
            return 0

        def change(connection: sqlite3.Connection, before: Contents) -> Contents:
            def emptied() -> Contents:
                slot = before.keyset.slot
                self._provider.retire(slot.wrapped_root, slot.store_id)
                keyset = before.keyset.rotated(self._provider)
                return rewrite(connection, before, keyset, erase_all)

            return merge_events(connection, before, events, emptied)

        with self._lock:
            before, after = self._session.write(change)
            if after.head.generation != before.head.generation:
                self._session.retire_old_keys()
            return after.readable - before.readable

    def erase(self, matches: Callable[[StoredEvent], bool]) -> int:
        """Erase events and rotate the root, so that their old ciphertext is dead.

        Args:
            matches: called for every event, perhaps twice; says which to erase. With 100,000 events
                that takes half a second; `erase_selected` does not call anything.

        Returns:
            How many events were erased.

        Raises:
            KeyUnavailableError: the provider cannot wrap a new root; or the events are erased, but
                it could not yet retire the old key, which is tried again at the next opening.
        """
        return self._edit(lambda head: keep_unless(matches, head))

    def correct(self, seq: int, item_id: ItemId) -> bool:
        """Let an event be about another item, under a new number; one step, with a new root.

        Args:
            seq: number of the event.
            item_id: 1 to 512 bytes of UTF-8.

        Returns:
            False when there is no such event.

        Raises:
            HistoryDamagedError: something is damaged, and a rotation would leave it behind.
            ValueError: the format cannot hold the id.
            KeyUnavailableError: as in `erase`.
        """
        check_item_id(item_id)
        drop = drop_selected(Selection(seqs=frozenset({seq})))

        def change(connection: sqlite3.Connection, before: Contents) -> Contents:
            found = [record for record in all_records(before) if record.seq == seq]
            if not found:
                raise _Gone
            if before.damaged:
                raise HistoryDamagedError(
                    "something in the history is damaged and would be left behind",
                    hint="recover what can be read, or erase something first",
                )
            keyset = before.keyset.rotated(self._provider)
            after = rewrite(connection, before, keyset, drop)
            state, corrected = renamed(before.head, after, found[0], item_id)
            return append_records(connection, state, [corrected])

        with self._lock:
            if self._session.read() is None:
                return False
            try:
                self._session.write(change)
            except _Gone:
                return False
            self._session.retire_old_keys()
            return True

    def erase_selected(self, selection: Selection) -> int:
        """Erase events that are named by number, item or time, as in `erase`.

        Returns:
            How many events were erased.

        Raises:
            KeyUnavailableError: as in `erase`.
        """
        return self._edit(lambda _: drop_selected(selection))

    def drop_purpose(self, purpose: str) -> int:
        """End the use of all events under a purpose; those without another one are erased.

        Returns:
            How many events were erased.

        Raises:
            KeyUnavailableError: as in `erase`.
        """
        return self._edit(lambda head: end_purpose(head.bits_of([purpose]), before=None))

    def drop_outside(self, purpose: str, contexts: Collection[str]) -> int:
        """End the use under a purpose of events from other contexts, as in `drop_purpose`.

        Args:
            purpose: whose contexts they are.
            contexts: where it may look; "" stands for events of which nothing was said.

        Returns:
            How many events were erased.

        Raises:
            KeyUnavailableError: as in `erase`.
        """
        with self._lock:
            contents = self._session.read()
            if contents is None or set(contents.head.context_names) <= set(contexts):
                return 0
        return self._edit(lambda head: end_outside(head, purpose, contexts))

    def drop_older(self, purpose: str, before: datetime) -> int:
        """End the use under a purpose of events older than `before`, as in `drop_purpose`.

        Args:
            purpose: whose retention it is.
            before: aware; an event stored with exactly this time stays.

        Returns:
            How many events were erased.

        Raises:
            KeyUnavailableError: as in `erase`.
        """
        limit = to_microseconds(before)
        with self._lock:
            contents = self._session.read()
            oldest = contents.oldest if contents else None
            if oldest is None or oldest >= limit:
                return 0
        return self._edit(lambda head: end_purpose(head.bits_of([purpose]), before=limit))

    def rotate(self, new_key: KeyProvider | None = None) -> None:
        """Put everything under a new root, so that copies of older roots open nothing any more.

        Args:
            new_key: who keeps the key from now on, for a new passphrase or another key store; None
                leaves it where it is. Other processes must open the history anew with it.

        Raises:
            HistoryDamagedError: something is damaged, and a rotation would leave it behind; recover
                or erase first.
            HistoryError: there is no history yet.
            KeyUnavailableError: as in `erase`.
            ValueError: the new key is a file in the folder of the history.
        """
        with self._lock:
            if new_key is not None and self._folder is not None:
                _check_apart(self._folder, new_key)
            if self._session.read() is None:
                raise HistoryError("there is no history yet, so there is no key to change")

            def change(connection: sqlite3.Connection, before: Contents) -> Contents:
                if not before.whole or before.damaged:
                    raise HistoryDamagedError(
                        "something in the history is damaged and would be left behind",
                        hint="recover what can be read, or erase something first",
                    )
                keyset = before.keyset.rotated(new_key or self._provider)
                return rewrite(connection, before, keyset, lambda columns: columns.purposes)

            old, (before, after) = self._provider, self._session.write(change)
            if new_key is not None:
                self._provider = new_key
                self._session.change_provider(new_key)
                # Nothing is wrapped by the old one any more: whatever it kept for this history
                # goes.
                old.retire(after.keyset.slot.wrapped_root, before.keyset.store_id)
            self._session.retire_old_keys()

    def destroy(self) -> None:
        """Erase everything: the provider's key first, then the files. Again and again if called so.

        It needs no readable history. Afterwards the object is an empty history, to which a new one
        can be written if the provider still can.

        Raises:
            KeyUnavailableError: the provider failed to destroy its key; the files are gone.
        """
        with self._lock:
            self._session.check_usable()
            try:
                _destroy(self._provider, self._storage)
            finally:
                self._session.forget_history()
                self._drop_views()
                self._new_visit = False

    def close(self) -> None:
        """Close the files and forget the keys. Again and again if called so."""
        with self._lock:
            self._session.close()
            self._drop_views()

    def _edit(self, plan: Callable[[Head], Edit]) -> int:
        with self._lock:
            contents = self._session.read()
            if contents is None:
                return 0
            planned = decided_once(plan(contents.head))
            if not changes_anything(contents, planned):
                return 0

            def change(connection: sqlite3.Connection, before: Contents) -> Contents:
                slot = before.keyset.slot
                # A rotation that was killed may have left a key: at most two exist at a time.
                self._provider.retire(slot.wrapped_root, slot.store_id)
                keyset = before.keyset.rotated(self._provider)
                edit = planned if before is contents else plan(before.head)
                return rewrite(connection, before, keyset, edit)

            before, after = self._session.write(change)
            self._session.retire_old_keys()
            return before.readable - after.readable

    def _drop_views(self) -> None:
        self._viewed, self._views = None, {}

    def _extend_views(self, before: Contents, after: Contents, records: Sequence[Record]) -> None:
        """Keep what `events` has already built, if the new events stand at its end."""
        if self._viewed is not before:
            return
        extended = {
            purpose: extend_view(view, records, purpose, after.head)
            for purpose, view in self._views.items()
        }
        self._viewed = after
        self._views = {purpose: view for purpose, view in extended.items() if view is not None}


class Sealer:
    """Seals small values with a key of the history: for the consent slot beside it.

    The key outlives rotation, so erasing events leaves the slot readable; `destroy` ends it.

    Args:
        session: of the history, which is made at the first `seal`.
        lock: of the history.
    """

    def __init__(self, session: Session, lock: RLock) -> None:
        self._session = session
        self._lock = lock

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Sealer>"

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return `plain` sealed, 34 bytes longer.

        Args:
            plain: any length.
            context: what the value is; authenticated, not stored.

        Raises:
            HistoryError: as in `History.append` when the history has to be made for it.
        """
        keyset = self._keyset(make=True)
        return seal(keyset.device.slot, plain, _slot_place(keyset, context))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain value.

        Raises:
            HistoryDamagedError: it was not sealed by this history in this context.
        """
        keyset = self._keyset(make=False)
        return open_sealed(keyset.device.slot, sealed, _slot_place(keyset, context))

    def _keyset(self, *, make: bool) -> Keyset:
        with self._lock:
            keyset = self._session.device_keyset()
            if keyset is None and make:
                keyset = self._session.write(lambda _, contents: contents)[1].keyset
        if keyset is None:
            raise HistoryDamagedError("a value was sealed by a history that is no longer here")
        return keyset


def _slot_place(keyset: Keyset, context: bytes) -> Place:
    return Place(store_id=keyset.store_id, kind="slot", position=context)


class _Gone(Exception):  # noqa: N818 - never leaves this module
    """There is no such event: the transaction is rolled back."""


def _check_apart(folder: Path, key: KeyProvider) -> None:
    if isinstance(key, KeyFile) and key.lies_in(folder):
        raise ValueError("the key file lies in the folder of the history, wanted it elsewhere")


def _destroy(provider: KeyProvider, storage: Storage) -> None:
    try:
        provider.destroy()
    finally:
        storage.remove()
