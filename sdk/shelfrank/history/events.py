"""What goes into the history and what comes out of it. Values only."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from shelfrank.types import KIND_CODES, KINDS, Event, ItemId, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ITEM_ID_BYTES: Final = 512
"""In UTF-8. Real ids have up to 40; the bound keeps one event from filling a block."""

MAX_ORDER: Final = 2**16 - 1
"""Positions beyond stay on it: equal means unordered, which is true enough after 65,535 events."""

# A visit every ten minutes for 300 years; far below what the format holds, so that no import can
# use up the numbers of the visits to come.
MAX_PAST_VISIT: Final = 2**24 - 1

_FLOAT32: Final = struct.Struct("<f")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to append.

    Attributes:
        kind: view, cart, purchase, like or dislike.
        item_id: the shop's key; 1 to 512 bytes of UTF-8.
        time: exact and aware; decides visit and order, is kept only as the mark of the last event.
        stored_time: aware; `time` as coarse as the policy says. This is what is kept.
        quantity: finite; kept with 32-bit precision.
        purposes: under which purposes it may be used; at least one.
        context: where in the shop it happened, or "".
    """

    kind: Kind
    item_id: ItemId
    time: datetime
    stored_time: datetime
    quantity: float = 1.0
    purposes: frozenset[str]
    context: str = ""

    def __repr__(self) -> str:
        """Say the kind only: an item id must not reach a log or a traceback."""
        return f"<NewEvent {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """An event of another device, with its place among the visits there.

    Attributes:
        kind: view, cart, purchase, like or dislike.
        item_id: the shop's key; 1 to 512 bytes of UTF-8.
        stored_time: aware; as coarse as the policy here says.
        visit: ordinal there, 0 to `MAX_PAST_VISIT`.
        order: position in the visit, 0 to 65,535.
        quantity: finite; kept with 32-bit precision.
        purposes: under which it may be used here; at least one.
        context: where in the shop it happened, or "".
    """

    kind: Kind
    item_id: ItemId
    stored_time: datetime
    visit: int
    order: int
    quantity: float
    purposes: frozenset[str]
    context: str = ""

    def __repr__(self) -> str:
        """Say the kind only."""
        return f"<PastEvent {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event of the history with the purposes it is kept for.

    Attributes:
        seq: its number, never used twice in one history.
        event: what happened.
        purposes: under which it may be used.
    """

    seq: int
    event: Event
    purposes: frozenset[str]

    def __repr__(self) -> str:
        """Say the kind only."""
        return f"<StoredEvent {self.event.kind}>"


class Record(NamedTuple):
    """An event as the formats of tail and block hold it.

    A tuple, because one is made for every event that is written or edited: it takes a third of the
    time of a frozen dataclass.

    Attributes:
        seq: sequence number, never used twice in one history.
        time: microseconds since 1970, UTC.
        visit: 0 to 2**32 - 1.
        order: 0 to 65,535.
        kind: code, see `KIND_CODES`.
        quantity: exactly representable in 32 bits.
        purposes: bit i stands for the i-th purpose of the head; never 0.
        context: 0 for none, else the head's context of that number, counted from 1.
        item_id: the shop's key.
    """

    seq: int
    time: int
    visit: int
    order: int
    kind: int
    quantity: float
    purposes: int
    context: int
    item_id: ItemId

    def __repr__(self) -> str:
        """Say the sequence number only."""
        return f"<Record {self.seq}>"

    def to_event(self, contexts: Sequence[str]) -> Event:
        """Return the event as callers see it.

        Args:
            contexts: names by code, see `Head.context_names`.
        """
        return Event(
            kind=KINDS[self.kind],
            item_id=self.item_id,
            time=from_microseconds(self.time),
            visit=self.visit,
            order=self.order,
            quantity=self.quantity,
            context=contexts[self.context],
        )


def check_event(event: NewEvent) -> None:
    """Refuse what the format cannot hold, before anything is written.

    Raises:
        ValueError: unknown kind, naive time, item id that is empty, no text or over 512 bytes,
            quantity that is not finite in 32 bits, no purpose. The message never quotes the id.
    """
    if event.kind not in KIND_CODES:
        raise ValueError(f"kind is none of {', '.join(KINDS)}")
    if event.time.tzinfo is None or event.stored_time.tzinfo is None:
        raise ValueError("time is naive, wanted an aware one")
    if not event.purposes:
        raise ValueError("event has no purpose, wanted at least one")
    check_item_id(event.item_id)
    to_float32(event.quantity)


def check_events(events: Sequence[NewEvent]) -> None:
    """Refuse what the format cannot hold, as `check_event` does for each.

    What is usual is seen for all at once; one by one, it takes a twentieth of the time of storing.
    """
    ids = [event.item_id for event in events]
    sizes = set(map(len, ids))
    usual = (
        all(map(str.isascii, ids))
        and min(sizes) >= 1
        and max(sizes) <= MAX_ITEM_ID_BYTES
        and {event.kind for event in events} <= KIND_CODES.keys()
        and all(event.purposes for event in events)
        and None not in {event.time.tzinfo for event in events}
        and None not in {event.stored_time.tzinfo for event in events}
        and {event.quantity for event in events} == {1.0}
    )
    if not usual:
        for event in events:
            check_event(event)


def check_past_event(event: PastEvent) -> None:
    """Refuse what the format cannot hold, as `check_event` does.

    Raises:
        ValueError: as there; or a visit or order out of range.
    """
    check_event(
        NewEvent(
            kind=event.kind,
            item_id=event.item_id,
            time=event.stored_time,
            stored_time=event.stored_time,
            quantity=event.quantity,
            purposes=event.purposes,
            context=event.context,
        )
    )
    if not (0 <= event.visit <= MAX_PAST_VISIT and 0 <= event.order <= MAX_ORDER):
        raise ValueError(
            f"visit or order is out of range, wanted 0 to {MAX_PAST_VISIT} and 0 to {MAX_ORDER}"
        )


def check_item_id(item_id: ItemId) -> None:
    """Refuse an item id that the format cannot hold.

    Raises:
        ValueError: it is empty, no text for UTF-8, or over 512 bytes. The message never quotes it.
    """
    size = item_id_bytes(item_id)
    if not 1 <= size <= MAX_ITEM_ID_BYTES:
        raise ValueError(f"item id has {size} bytes, wanted 1 to {MAX_ITEM_ID_BYTES}")


def item_id_bytes(item_id: ItemId) -> int:
    """Return the length of an item id in UTF-8."""
    if item_id.isascii():
        return len(item_id)
    try:
        return len(item_id.encode())
    except UnicodeEncodeError:
        # The original error quotes the text.
        raise ValueError("item id is not text that UTF-8 can hold") from None


def to_float32(number: float) -> float:
    """Return `number` rounded as the format keeps it, so that what is returned is what is read."""
    try:
        rounded: float = _FLOAT32.unpack(_FLOAT32.pack(number))[0]
    except OverflowError:
        rounded = math.inf
    if not math.isfinite(rounded):
        raise ValueError("quantity is not a finite number")
    return rounded


def to_microseconds(time: datetime) -> int:
    """Return an aware time as whole microseconds since 1970, UTC."""
    return (time - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the aware time, UTC; the inverse of `to_microseconds`."""
    return EPOCH + timedelta(microseconds=microseconds)
