"""What happened with the shopper's choices and data, as a chain of entries the shopper can read.

Never an item: an entry has no field for one. Each entry's hash covers the one before, so that none
can be taken out or changed without being noticed; the record of choices knows the newest at the
last choice. The journal is bounded: the oldest entries go first, and it says how many went.

Pure but for `Journal`, which keeps the entries in a store.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

from shelfrank.consent.receipts import Receipt, receipt_from_json, receipt_to_json
from shelfrank.consent.rules import METHODS, Mark, Method
from shelfrank.consent.strict import Table
from shelfrank.errors import ConsentError, PolicyError, ShelfrankError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT: Final = 1

JOURNAL_BYTES: Final = 31 * 1024
"""Compressed, an entry takes some 40 bytes, a receipt some 400."""

MAX_ENTRIES: Final = 400
MAX_RECEIPTS: Final = 24

# Far above what the two limits allow; it keeps what was made to explode from filling the memory.
_MAX_PLAIN_BYTES: Final = 1024 * 1024

EntryKind = Literal[
    "asked",
    "granted",
    "refused",
    "withdrawn",
    "paused",
    "resumed",
    "expired",
    "invalidated",
    "policy_changed",
    "policy_refused",
    "signal_changed",
    "clock_suspicious",
    "clock_confirmed",
    "recorded",
    "used",
    "corrected",
    "deleted",
    "purged",
    "exported",
    "imported",
    "bundle_changed",
    "journal_restarted",
]
ENTRY_KINDS: Final[tuple[EntryKind, ...]] = get_args(EntryKind)

JournalState = Literal["whole", "behind", "incomplete", "damaged"]
"""``whole``: nothing is missing that is known of. ``behind``: the newest entries could not be put
on the disk yet. ``incomplete``: entries that there were are missing: the disk refused them before a
restart, or an older copy was put back. ``damaged``: what is there cannot be read, or its chain does
not hold; the next entry starts anew and says so."""

_START: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened.

    Attributes:
        time: to the minute, UTC; of counts the day.
        kind: what happened.
        number: from 1, without gaps; 0 until it is chained.
        purpose: to which purpose, or empty.
        method: how a state came about, or None.
        counts: how many of what, by name: events by kind, times, items of a page. Never of which.
        receipt: id of the receipt for it, or empty.
        note: a word of the program, such as the state of a signal, or empty.
        hash: SHA-256 (hex) over the hash before and all above.
    """

    time: datetime
    kind: EntryKind
    number: int = 0
    purpose: str = ""
    method: Method | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    receipt: str = ""
    note: str = ""
    hash: str = ""

    def after(self, mark: Mark) -> Entry:
        """Return the entry as the one that follows `mark`."""
        numbered = replace(self, number=mark.number + 1, hash="")
        content = json.dumps([mark.hash, _from_entry(numbered)], sort_keys=True)
        return replace(numbered, hash=hashlib.sha256(content.encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The entries there are.

    Attributes:
        person: a random id of this journal: whom its receipts are about.
        base: the entry before the first one here; number 0 at the beginning.
        entries: in order.
        receipts: the newest, in order.
    """

    person: str
    base: Mark = Mark(number=0, hash=_START)  # noqa: RUF009 - frozen
    entries: tuple[Entry, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    @property
    def newest(self) -> Mark:
        """The newest entry."""
        if not self.entries:
            return self.base
        return Mark(number=self.entries[-1].number, hash=self.entries[-1].hash)

    def with_entries(self, entries: Sequence[Entry], receipts: Sequence[Receipt]) -> Chain:
        """Return the chain with more at its end, and less at its beginning where it is too long."""
        chained = list(self.entries)
        newest = self.newest
        for entry in entries:
            chained.append(entry.after(newest))
            newest = Mark(number=chained[-1].number, hash=chained[-1].hash)
        kept = (*self.receipts, *receipts)[-MAX_RECEIPTS:]
        return replace(self, entries=tuple(chained), receipts=kept).shortened(MAX_ENTRIES)

    def shortened(self, count: int) -> Chain:
        """Return the chain with its newest `count` entries."""
        if len(self.entries) <= count:
            return self
        last_gone = self.entries[-count - 1]
        base = Mark(number=last_gone.number, hash=last_gone.hash)
        return replace(self, base=base, entries=self.entries[-count:])

    def has(self, mark: Mark | None) -> bool:
        """Whether an entry that there was is here, or went with age."""
        if mark is None or mark.number < self.base.number:
            return True
        if mark.number == self.base.number:
            return mark == self.base
        position = mark.number - self.base.number - 1
        return position < len(self.entries) and self.entries[position].hash == mark.hash


def encode(chain: Chain) -> bytes:
    """Return `chain` as `JOURNAL_BYTES` bytes; with fewer old entries where it would not fit."""
    while True:
        content = {
            "format": FORMAT,
            "person": chain.person,
            "base": chain.base.number,
            "base_hash": chain.base.hash,
            "entries": [_from_entry(entry) for entry in chain.entries],
            # All others follow from this one and the base.
            "newest_hash": chain.newest.hash,
            "receipts": [receipt_to_json(receipt) for receipt in chain.receipts],
        }
        data = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        if len(data) <= JOURNAL_BYTES - 4:
            return len(data).to_bytes(4, "big") + data.ljust(JOURNAL_BYTES - 4, b"\0")
        if len(chain.receipts) > 1:
            chain = replace(chain, receipts=chain.receipts[len(chain.receipts) // 2 :])
        elif len(chain.entries) > 1:
            chain = chain.shortened(len(chain.entries) // 2)
        else:
            raise ConsentError(f"a journal of one entry needs {len(data)} bytes")


def decode(data: bytes) -> Chain:
    """Return the chain in `data`.

    Raises:
        ConsentError: it is none, of another format, or its chain does not hold.
    """
    try:
        length = int.from_bytes(data[:4], "big")
        unpack = zlib.decompressobj()
        plain = unpack.decompress(data[4 : 4 + length], _MAX_PLAIN_BYTES)
        if not unpack.eof:
            raise ConsentError(f"journal: got more than {_MAX_PLAIN_BYTES} bytes when unpacked")
        content = json.loads(plain)
        if not isinstance(content, dict):
            raise ConsentError("journal: got no table, wanted one")
        chain = _to_chain(Table(content, where="journal"))
    except (PolicyError, ValueError, RecursionError, zlib.error) as error:
        raise ConsentError(f"journal cannot be read: {error}") from None
    return chain


class JournalStore(Protocol):
    """Keeps `JOURNAL_BYTES` bytes."""

    def stamp(self) -> bytes:
        """Return bytes that change with every write, whoever wrote."""
        ...

    def read(self) -> bytes | None:
        """Return the content, or None; ConsentError or OSError where it cannot be read."""
        ...

    def write(self, content: bytes) -> None:
        """Replace the content; ShelfrankError or OSError where it cannot be written."""
        ...


class MemoryJournalStore:
    """Keeps the journal until the process ends."""

    def __init__(self) -> None:
        self._content: bytes | None = None
        self._writes = 0

    def stamp(self) -> bytes:
        """Return the number of writes."""
        return str(self._writes).encode()

    def read(self) -> bytes | None:
        """Return the content, or None."""
        return self._content

    def write(self, content: bytes) -> None:
        """Replace the content."""
        self._content = content
        self._writes += 1


class Journal:
    """Entries on the disk, and those that wait to get there. Whoever uses it holds a lock.

    Nothing is read before it is needed, and nothing written but by `write`.

    Args:
        store: where they lie.
        person: a random id, for a journal that begins.
    """

    def __init__(self, store: JournalStore, person: str) -> None:
        self._store = store
        self._person = person
        self._waiting: list[Entry] = []
        self._receipts: list[Receipt] = []
        self._counts: Counter[tuple[datetime, EntryKind, str, str]] = Counter()
        self._stamp: bytes | None = None
        self._chain: Chain | None = None
        self._damaged = False

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Journal>"

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting or self._counts)

    @property
    def person(self) -> str:
        """Whom the receipts are about."""
        return self._read().person

    def note(self, entry: Entry, receipt: Receipt | None = None) -> None:
        """Let an entry wait to be written.

        Args:
            entry: its time is cut to the minute, its number and hash are still to come.
            receipt: goes along.
        """
        minute = entry.time.replace(second=0, microsecond=0)
        self._waiting.append(
            replace(entry, time=minute, receipt="" if receipt is None else receipt.id)
        )
        del self._waiting[:-MAX_ENTRIES]
        if receipt is not None:
            self._receipts.append(receipt)
            del self._receipts[:-MAX_RECEIPTS]

    def count(self, kind: EntryKind, *, now: datetime, purpose: str, what: str) -> None:
        """Count something that happens often; a day has one entry per purpose at a write."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self._counts[day, kind, purpose, what] += 1

    def counted_before(self, now: datetime) -> bool:
        """Whether counts of an earlier day wait."""
        return any(day.date() < now.date() for day, *_ in self._counts)

    def forget_since(self, waiting: int) -> None:
        """Drop what was noted after `waiting` entries waited: it did not happen after all."""
        dropped = {entry.receipt for entry in self._waiting[waiting:]}
        del self._waiting[waiting:]
        self._receipts = [kept for kept in self._receipts if kept.id not in dropped]

    def __len__(self) -> int:
        """Return how many entries wait."""
        return len(self._waiting)

    def next_mark(self) -> Mark:
        """Return the newest entry as it will be once everything that waits is written."""
        return self._whole().newest

    def write(self) -> bool:
        """Put what waits on the disk; whether nothing waits any more."""
        if not self.is_waiting:
            return True
        self._waiting += self._counted()
        self._counts.clear()
        try:
            self._store.write(encode(self._whole()))
        except (ShelfrankError, OSError):
            return False
        self._waiting.clear()
        self._receipts.clear()
        self._stamp, self._damaged = None, False
        return True

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries, those that wait included."""
        return self._read().with_entries([*self._waiting, *self._counted()], ()).entries

    def receipts(self) -> tuple[Receipt, ...]:
        """Return the newest receipts, those that wait included."""
        return self._read().with_entries((), self._receipts).receipts

    def gone(self) -> int:
        """Return how many entries were dropped for their age."""
        return self._read().base.number

    def state(self, mark: Mark | None) -> JournalState:
        """Return whether the journal is what it should be.

        Args:
            mark: the newest entry that the record of choices knows.
        """
        chain = self._read()
        if self._damaged:
            return "damaged"
        if not self._whole().has(mark):
            return "incomplete"
        return "behind" if self._waiting and not chain.has(mark) else "whole"

    def _counted(self) -> list[Entry]:
        found: dict[tuple[datetime, EntryKind, str], dict[str, int]] = {}
        for (day, kind, purpose, what), count in sorted(self._counts.items()):
            found.setdefault((day, kind, purpose), {})[what] = count
        return [
            Entry(time=day, kind=kind, purpose=purpose, counts=counts)
            for (day, kind, purpose), counts in found.items()
        ]

    def _whole(self) -> Chain:
        waiting = self._waiting
        if self._read() is not None and self._damaged and waiting:
            restarted = Entry(time=waiting[0].time, kind="journal_restarted")
            waiting = [restarted, *waiting]
        return self._read().with_entries(waiting, self._receipts)

    def _read(self) -> Chain:
        try:
            stamp = self._store.stamp()
        except OSError:
            stamp = b""
        if self._chain is None or stamp != self._stamp:
            self._stamp = stamp
            self._chain = self._read_anew()
        return self._chain

    def _read_anew(self) -> Chain:
        self._damaged = False
        try:
            data = self._store.read()
            if data is not None:
                return decode(data)
        except (ShelfrankError, OSError):
            self._damaged = True
        return Chain(person=self._person)


def _from_entry(entry: Entry) -> dict[str, object]:
    """Return an entry without its hash; what is empty is left out."""
    content: dict[str, object] = {
        "number": entry.number,
        "time": int(entry.time.timestamp()),
        "kind": entry.kind,
    }
    optional: dict[str, object] = {
        "purpose": entry.purpose,
        "method": entry.method,
        "counts": [{"what": what, "count": n} for what, n in sorted(entry.counts.items())],
        "receipt": entry.receipt,
        "note": entry.note,
    }
    return content | {name: value for name, value in optional.items() if value}


def _to_chain(table: Table) -> Chain:
    table.integer("format", at_least=FORMAT, at_most=FORMAT)
    empty = Chain(
        person=table.text("person", max_chars=36),
        base=Mark(
            number=table.integer("base", at_least=0, at_most=2**62),
            hash=table.text("base_hash", max_chars=64),
        ),
    )
    found = [_to_entry(row) for row in table.tables("entries", at_least=0, at_most=MAX_ENTRIES)]
    receipts = [
        receipt_from_json(row) for row in table.tables("receipts", at_least=0, at_most=MAX_RECEIPTS)
    ]
    newest = table.text("newest_hash", max_chars=64)
    table.finish()
    chain = empty.with_entries(found, receipts)
    numbers = [entry.number for entry in found]
    if chain.newest.hash != newest or numbers != [entry.number for entry in chain.entries]:
        raise ConsentError("journal: an entry does not follow from the one before")
    return chain


def _to_entry(table: Table) -> Entry:
    counted = table.tables("counts", at_least=0, at_most=64) if table.has("counts") else []
    entry = Entry(
        number=table.integer("number", at_least=1, at_most=2**62),
        time=datetime.fromtimestamp(table.integer("time", at_least=0, at_most=2**37), UTC),
        kind=table.choice("kind", ENTRY_KINDS),
        purpose=table.text("purpose", max_chars=64, default=""),
        method=table.choice("method", METHODS) if table.has("method") else None,
        counts={
            row.text("what", max_chars=64): row.integer("count", at_least=0, at_most=2**62)
            for row in counted
        },
        receipt=table.text("receipt", max_chars=36, default=""),
        note=table.text("note", max_chars=200, default=""),
    )
    for row in counted:
        row.finish()
    table.finish()
    return entry
