"""What `History` does with a state: place events, view them, choose what to erase. Pure."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from shelfrank.history.contents import newest_before
from shelfrank.history.events import Record, StoredEvent, to_float32, to_microseconds
from shelfrank.history.visits import place_next
from shelfrank.types import KIND_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from shelfrank.history.blocks import Columns
    from shelfrank.history.contents import Contents
    from shelfrank.history.events import NewEvent
    from shelfrank.history.head import Head
    from shelfrank.history.rewrite import Edit
    from shelfrank.types import Event

_by_place = attrgetter("visit", "order")


def place_events(
    contents: Contents, events: Sequence[NewEvent], *, new_visit: bool
) -> tuple[Contents, list[Record]]:
    """Give events their numbers, visits and purposes.

    Args:
        contents: the state so far.
        events: in order of time.
        new_visit: whether the first of them starts a visit.

    Returns:
        The state with the new mark and purposes in its head, and the records.

    Raises:
        ValueError: more purposes than a history keeps.
    """
    head = contents.head.with_purposes({name for event in events for name in event.purposes})
    mark = head.mark
    records = []
    for position, event in enumerate(events):
        time = to_microseconds(event.stored_time)
        placed = place_next(mark, event.time, new_visit=new_visit and position == 0)
        mark = placed or mark
        visit, order = (
            (placed.visit, placed.order) if placed else newest_before(contents, time) or (0, 0)
        )
        records.append(
            Record(
                seq=head.next_seq + position,
                time=time,
                visit=visit,
                order=order,
                kind=KIND_CODES[event.kind],
                quantity=to_float32(event.quantity),
                purposes=head.bits_of(event.purposes),
                item_id=event.item_id,
            )
        )
    return replace(contents, head=replace(head, mark=mark)), records


def stored_event(record: Record, head: Head) -> StoredEvent:
    """Return a record as callers see it."""
    return StoredEvent(
        seq=record.seq, event=record.to_event(), purposes=head.names_of(record.purposes)
    )


def build_view(contents: Contents, purpose: str) -> tuple[Event, ...]:
    """Return the events kept for a purpose, oldest first."""
    bit = contents.head.bits_of([purpose])
    events = [event for block in contents.blocks for event in block.events(bit)]
    events += [record.to_event() for record in contents.tail if record.purposes & bit]
    # Events written late stand at the end of the rows, but belong between older ones.
    events.sort(key=_by_place)
    return tuple(events)


def extend_view(
    view: tuple[Event, ...], records: Sequence[Record], bits: int
) -> tuple[Event, ...] | None:
    """Return a view with new records, or None when one of them belongs before its end."""
    fresh = [record.to_event() for record in records if record.purposes & bits]
    if view and any(_by_place(event) < _by_place(view[-1]) for event in fresh):
        return None
    return view + tuple(fresh)


def keep_unless(matches: Callable[[StoredEvent], bool], head: Head) -> Edit:
    """Return the edit that erases what matches."""

    def edit(columns: Columns) -> npt.NDArray[np.uint32]:
        erased = [matches(stored_event(record, head)) for record in columns.records()]
        return np.where(erased, np.uint32(0), columns.purposes)

    return edit


def erase_all(columns: Columns) -> npt.NDArray[np.uint32]:
    """Erase everything: an edit."""
    return np.zeros_like(columns.purposes)


def end_purpose(bit: int, *, before: int | None) -> Edit:
    """Return the edit that ends a purpose for all events, or for those before microseconds."""

    def edit(columns: Columns) -> npt.NDArray[np.uint32]:
        rest = columns.purposes & np.uint32(~bit & 0xFFFFFFFF)
        return rest if before is None else np.where(columns.time < before, rest, columns.purposes)

    return edit
