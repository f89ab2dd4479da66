"""What `History` does with a state: place events, view them, choose what to erase. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, overload

import numpy as np

from shelfrank.history.contents import newest_before
from shelfrank.history.events import EPOCH, MICROSECOND, Record, StoredEvent, to_microseconds
from shelfrank.history.visits import place_all
from shelfrank.types import KIND_CODES, Event, ItemId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.history.blocks import Columns
    from shelfrank.history.contents import Contents
    from shelfrank.history.events import NewEvent
    from shelfrank.history.head import Head
    from shelfrank.history.rewrite import Edit

_by_place = attrgetter("visit", "order")


def place_events(
    contents: Contents, events: Sequence[NewEvent], *, new_visit: bool
) -> tuple[Contents, list[Record]]:
    """Give events their numbers, visits and purposes.

    Args:
        contents: the state so far.
        events: at least one, in order of time.
        new_visit: whether the first of them starts a visit.

    Returns:
        The state with the new mark and purposes in its head, and the records.

    Raises:
        ValueError: more purposes or contexts than a history keeps.
    """
    # Few sets of purposes stand beside many events.
    sets = {event.purposes for event in events}
    head = contents.head.with_purposes(frozenset().union(*sets))
    head = head.with_contexts({event.context for event in events})
    codes = {name: code for code, name in enumerate(head.context_names)}
    bits = {purposes: head.bits_of(purposes) for purposes in sets}
    times = [(event.stored_time - EPOCH) // MICROSECOND for event in events]
    mark, placed = place_all(head.mark, [event.time for event in events], new_visit=new_visit)
    places = [
        place or newest_before(contents, time) or (0, 0)
        for place, time in zip(placed, times, strict=True)
    ]
    visits, orders = zip(*places, strict=True)
    # Column by column: a record at a time takes twice as long.
    columns = (
        range(head.next_seq, head.next_seq + len(events)),
        times,
        visits,
        orders,
        [KIND_CODES[event.kind] for event in events],
        np.array([event.quantity for event in events], dtype=np.float32).tolist(),
        [bits[event.purposes] for event in events],
        [codes[event.context] for event in events],
        [event.item_id for event in events],
    )
    records = list(map(Record._make, zip(*columns, strict=True)))
    return replace(contents, head=replace(head, mark=mark)), records


def renamed(
    before: Head, after: Contents, record: Record, item_id: ItemId
) -> tuple[Contents, Record]:
    """Return the state and the record after an event was taken out, to be written anew.

    Args:
        before: the head before it was taken out, which knows its purposes and context.
        after: the state without it.
        record: the event.
        item_id: what it is about from now on.
    """
    purposes, context = before.names_of(record.purposes), before.context_names[record.context]
    head = replace(after.head.with_purposes(purposes).with_contexts({context}), mark=before.mark)
    corrected = record._replace(
        seq=head.next_seq,
        item_id=item_id,
        purposes=head.bits_of(purposes),
        context=head.context_names.index(context),
    )
    return replace(after, head=head), corrected


def stored_event(record: Record, head: Head) -> StoredEvent:
    """Return a record as callers see it."""
    return StoredEvent(
        seq=record.seq,
        event=record.to_event(head.context_names),
        purposes=head.names_of(record.purposes),
    )


class Records(Sequence[Event]):
    """Records as the events they stand for, each made when it is asked for.

    To make 128 events takes as long as to store them, and a device that records asks for none.
    """

    __slots__ = ("_contexts", "_records")

    def __init__(self, records: Sequence[Record], contexts: Sequence[str]) -> None:
        self._records = records
        self._contexts = contexts

    def __repr__(self) -> str:
        """Say the number only."""
        return f"<Records {len(self)}>"

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if isinstance(index, slice):
            return Records(self._records[index], self._contexts)
        return self._records[index].to_event(self._contexts)


def build_view(contents: Contents, purpose: str) -> tuple[Event, ...]:
    """Return the events kept for a purpose, oldest first."""
    bit, names = contents.head.bits_of([purpose]), contents.head.context_names
    events = [event for block in contents.blocks for event in block.events(bit, names)]
    events += [record.to_event(names) for record in contents.tail if record.purposes & bit]
    # Events written late stand at the end of the rows, but belong between older ones.
    events.sort(key=_by_place)
    return tuple(events)


def extend_view(
    view: tuple[Event, ...], records: Sequence[Record], purpose: str, head: Head
) -> tuple[Event, ...] | None:
    """Return a view with new records, or None when one of them belongs before its end."""
    bits, names = head.bits_of([purpose]), head.context_names
    fresh = [record.to_event(names) for record in records if record.purposes & bits]
    if view and any(_by_place(event) < _by_place(view[-1]) for event in fresh):
        return None
    return view + tuple(fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events: all conditions that are given must hold.

    Attributes:
        seqs: their sequence numbers, or None.
        item_ids: their items, or None.
        since: aware; their time as it is kept is not before it, or None.
        before: aware; their time as it is kept is before it, or None.

    Raises:
        ValueError: no condition is given: that would be everything.
    """

    seqs: frozenset[int] | None = None
    item_ids: frozenset[ItemId] | None = None
    since: datetime | None = None
    before: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a selection of everything by accident."""
        conditions = (self.seqs, self.item_ids, self.since, self.before)
        if all(condition is None for condition in conditions):
            raise ValueError("selection has no condition, wanted at least one")

    def __repr__(self) -> str:
        """Say the type only: it may hold item ids and times."""
        return "<Selection>"

    def selects(self, columns: Columns) -> npt.NDArray[np.bool_]:
        """Return for each event of a block whether it is meant."""
        meant = np.ones(len(columns), dtype=np.bool_)
        if self.seqs is not None:
            meant &= np.isin(columns.seq, list(self.seqs))
        if self.item_ids is not None:
            named = np.array([item_id in self.item_ids for item_id in columns.ids], dtype=np.bool_)
            meant &= named[columns.item]
        if self.since is not None:
            meant &= columns.time >= to_microseconds(self.since)
        if self.before is not None:
            meant &= columns.time < to_microseconds(self.before)
        return meant


def drop_selected(selection: Selection) -> Edit:
    """Return the edit that erases what is selected."""

    def edit(columns: Columns) -> npt.NDArray[np.uint32]:
        return np.where(selection.selects(columns), np.uint32(0), columns.purposes)

    return edit


def decided_once(edit: Edit) -> Edit:
    """Return the edit, which decides once for each block: whether anything changes, then how."""
    decided: dict[int, tuple[Columns, npt.NDArray[np.uint32]]] = {}

    def edit_once(columns: Columns) -> npt.NDArray[np.uint32]:
        # By identity, and with the block held, so that its identity is not given to another.
        if id(columns) not in decided:
            decided[id(columns)] = columns, edit(columns)
        return decided[id(columns)][1]

    return edit_once


def keep_unless(matches: Callable[[StoredEvent], bool], head: Head) -> Edit:
    """Return the edit that erases what matches."""

    def edit(columns: Columns) -> npt.NDArray[np.uint32]:
        erased = [matches(stored_event(record, head)) for record in columns.records()]
        return np.where(erased, np.uint32(0), columns.purposes)

    return edit


def erase_all(columns: Columns) -> npt.NDArray[np.uint32]:
    """Erase everything: an edit."""
    return np.zeros_like(columns.purposes)


def end_outside(head: Head, purpose: str, contexts: Collection[str]) -> Edit:
    """Return the edit that ends a purpose for the events of other contexts."""
    rest_of = np.uint32(~head.bits_of([purpose]) & 0xFFFFFFFF)
    outside = np.array([name not in contexts for name in head.context_names], dtype=np.bool_)

    def edit(columns: Columns) -> npt.NDArray[np.uint32]:
        return np.where(outside[columns.context], columns.purposes & rest_of, columns.purposes)

    return edit


def end_purpose(bit: int, *, before: int | None) -> Edit:
    """Return the edit that ends a purpose for all events, or for those before microseconds."""

    def edit(columns: Columns) -> npt.NDArray[np.uint32]:
        rest = columns.purposes & np.uint32(~bit & 0xFFFFFFFF)
        return rest if before is None else np.where(columns.time < before, rest, columns.purposes)

    return edit
