"""Events of another device among one's own: which are new here, and how the visits interleave."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from shelfrank.errors import HistoryDamagedError
from shelfrank.history.contents import append_records
from shelfrank.history.events import MAX_ORDER, Record, to_float32, to_microseconds
from shelfrank.history.visits import VisitMark
from shelfrank.types import KIND_CODES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shelfrank.history.contents import Contents
    from shelfrank.history.events import PastEvent
    from shelfrank.history.head import Head

    Key = tuple[int, str, int, float]


def all_records(contents: Contents) -> list[Record]:
    """Return every event that can be read, in order of its number."""
    blocks = chain.from_iterable(block.records() for block in contents.blocks)
    return [*blocks, *contents.tail]


def merge_events(
    connection: sqlite3.Connection,
    contents: Contents,
    events: Sequence[PastEvent],
    emptied: Callable[[], Contents],
) -> Contents:
    """Write the events that are new here, and where it must be, those that are here anew.

    Args:
        connection: inside a writing transaction.
        contents: the state that the transaction sees.
        events: of another device.
        emptied: erases everything in this transaction and returns that state; called only where
            visits that are here need other numbers.

    Raises:
        HistoryDamagedError: not all that is here can be read.
    """
    if contents.readable != contents.head.live:
        raise HistoryDamagedError(
            f"{contents.head.live - contents.readable} events of the history are damaged, so "
            "others cannot be compared with them",
            hint="recover the history first",
        )
    own = all_records(contents)
    fresh = new_here(own, events)
    own_visits, other_visits = number_visits(
        latest_times((record.visit, record.time) for record in own),
        latest_times((event.visit, to_microseconds(event.stored_time)) for event in fresh),
    )
    moved = any(visit != number for visit, number in own_visits.items())
    state = emptied() if moved else contents
    names = {record.purposes: contents.head.names_of(record.purposes) for record in own}
    head = state.head.with_purposes(
        {name for purposes in [*names.values(), *(e.purposes for e in fresh)] for name in purposes}
    )
    before = contents.head.context_names
    head = head.with_contexts({before[record.context] for record in own})
    head = head.with_contexts({event.context for event in fresh})
    bits = {one: head.bits_of(purposes) for one, purposes in names.items()}
    laid = [
        record._replace(
            visit=own_visits[record.visit],
            purposes=bits[record.purposes],
            context=head.context_names.index(before[record.context]),
        )
        for record in (own if moved else [])
    ]
    laid += [_placed(event, other_visits[event.visit], head) for event in fresh]
    # The order of rows says nothing; in that of visits, blocks are nearly in order of time.
    laid.sort(key=lambda record: (record.visit, record.order))
    numbered = [record._replace(seq=seq) for seq, record in enumerate(laid, start=head.next_seq)]
    mark = _mark_after(contents.head.mark, own_visits, numbered)
    return append_records(connection, replace(state, head=replace(head, mark=mark)), numbered)


def new_here(own: Iterable[Record], events: Iterable[PastEvent]) -> list[PastEvent]:
    """Return the events that are not here yet; of several alike, those beyond as many as are."""
    here = Counter(_key_of_record(record) for record in own)
    fresh = []
    for event in events:
        key = _key_of_event(event)
        if here[key] > 0:
            here[key] -= 1
        else:
            fresh.append(event)
    return fresh


def latest_times(events: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return each visit with the latest time in it or before it, in order of visit.

    Args:
        events: visit and time of each event. Times may go back a little from visit to visit, where
            an event was recorded late; what is returned never does.
    """
    latest: dict[int, int] = {}
    for visit, time in events:
        latest[visit] = max(time, latest.get(visit, time))
    found: list[tuple[int, int]] = []
    for visit in sorted(latest):
        found.append((visit, max(latest[visit], found[-1][1] if found else latest[visit])))
    return found


def number_visits(
    own: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Number the visits of both devices by time; the order on each device stays.

    Numbers that were left out on a device stay left out, so one device alone keeps its numbers.

    Args:
        own: visits here, with a time that never falls; see `latest_times`.
        other: visits there. Of equal times they come first: a history is brought along when one
            begins on the new device.

    Returns:
        New numbers by visit, here and there.
    """
    numbers: tuple[dict[int, int], dict[int, int]] = ({}, {})
    last = -1
    place = [0, 0]
    visits = (own, other)
    for _ in range(len(own) + len(other)):
        side = _next_side(visits, place)
        visit = visits[side][place[side]][0]
        if place[side]:
            gap = visit - visits[side][place[side] - 1][0]
        else:
            gap = visit + 1 if last < 0 else 1
        last += gap
        numbers[side][visit] = last
        place[side] += 1
    return numbers


def _next_side(visits: tuple[Sequence[tuple[int, int]], ...], place: Sequence[int]) -> int:
    own, other = visits
    if place[1] == len(other):
        return 0
    if place[0] == len(own):
        return 1
    return 1 if other[place[1]][1] <= own[place[0]][1] else 0


def _mark_after(
    mark: VisitMark | None, own_visits: Mapping[int, int], records: Sequence[Record]
) -> VisitMark | None:
    """Return where the newest event stands. A visit of another device is never still open here."""
    if mark is not None and mark.visit in own_visits:
        moved = own_visits[mark.visit]
        mark = VisitMark(visit=moved, order=mark.order, last_at=mark.last_at)
    if not records:
        return mark
    newest = records[-1]
    if mark is not None and newest.visit <= mark.visit:
        return mark
    return VisitMark(visit=newest.visit, order=min(newest.order, MAX_ORDER), last_at=None)


def _key_of_record(record: Record) -> Key:
    return record.kind, record.item_id, record.time, record.quantity


def _key_of_event(event: PastEvent) -> Key:
    time = to_microseconds(event.stored_time)
    return KIND_CODES[event.kind], event.item_id, time, to_float32(event.quantity)


def _placed(event: PastEvent, visit: int, head: Head) -> Record:
    return Record(
        seq=0,
        time=to_microseconds(event.stored_time),
        visit=visit,
        order=event.order,
        kind=KIND_CODES[event.kind],
        quantity=to_float32(event.quantity),
        purposes=head.bits_of(event.purposes),
        context=head.context_names.index(event.context),
        item_id=event.item_id,
    )
