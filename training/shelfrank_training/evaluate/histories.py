"""What a device would hold: rows of an event table turned into one shopper's history.

The device drops what its policy does not admit *before* it assigns visits, and coarsens times
*after*; retention is applied when the history is read. The same order is kept here, so that what is
measured is what a device would have ranked with.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shelfrank.types import VISIT_GAP, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from shelfrank.types import ItemId, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """One row of an event table.

    Attributes:
        time: aware, UTC, exact.
        item_id: the shop's key.
        kind: what happened.
        visit_id: the shop's key of the visit, or None where the table has none.
        quantity: how many.
    """

    time: datetime
    item_id: ItemId
    kind: Kind = "purchase"
    visit_id: str | None = None
    quantity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRules:
    """What a device does to a history by policy, as far as ranking sees it.

    Attributes:
        records: whether an event of this kind and item is stored at all.
        coarsen: the time as stored.
        counts: whether quantities are stored; else every quantity is 1.
        keeps: whether an event stored with this time may still be used at a moment.
        stated: one line for people who read the figures.
    """

    records: Callable[[Kind, ItemId], bool]
    coarsen: Callable[[datetime], datetime]
    counts: bool
    keeps: Callable[[datetime, datetime], bool]
    stated: str


def keep_all() -> DeviceRules:
    """Return the rules of a model folder without policy: everything is kept, exactly."""
    return DeviceRules(
        records=lambda _kind, _item_id: True,
        coarsen=lambda time: time,
        counts=True,
        keeps=lambda _time, _now: True,
        stated="no policy in the model folder: histories are kept whole",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All that a device would have stored of one shopper, oldest first.

    Attributes:
        events: as stored; visits and order come from the exact times.
        times: the exact time of each event, to cut at a moment.
        visit_ids: the shop's key of each event's visit, or None.
        rules: the device's.
    """

    events: tuple[Event, ...]
    times: tuple[datetime, ...]
    visit_ids: tuple[str | None, ...]
    rules: DeviceRules

    def before(self, moment: datetime) -> Sequence[Event]:
        """Return what the device may rank with at `moment`: earlier events within the retention."""
        stop = bisect_left(self.times, moment)
        # Stored times never fall, so what is still kept is a tail and one search finds its start.
        start = bisect_left(
            self.events, True, hi=stop, key=lambda event: self.rules.keeps(event.time, moment)
        )
        return self.events[start:stop]

    def in_visit(self, moment: datetime, *, visit_id: str | None = None) -> bool:
        """Say whether the last visit before `moment` still lasts.

        Args:
            moment: when the ranking is asked for.
            visit_id: key of the visit in which it is asked for, where the shop says so: an app that
                starts a visit tells the device.
        """
        stop = bisect_left(self.times, moment)
        if not stop or moment - self.times[stop - 1] >= VISIT_GAP:
            return False
        return visit_id is None or visit_id == self.visit_ids[stop - 1]


def record(source: Sequence[SourceEvent], rules: DeviceRules) -> Recording:
    """Replay one shopper's rows as a device would have stored them.

    A visit starts where `visit_id` changes or, without one, after `VISIT_GAP` without an event.
    Events of one visit with equal times get the same `order`: nothing says which came first.

    Args:
        source: rows of one shopper in order of time.
        rules: the device's.
    """
    events: list[Event] = []
    stored: list[SourceEvent] = []
    visit, order = -1, 0
    last: SourceEvent | None = None
    for row in source:
        if not rules.records(row.kind, row.item_id):
            continue
        if last is None or _starts_visit(last, row):
            visit, order = visit + 1, 0
        elif row.time > last.time:
            order += 1
        last = row
        stored.append(row)
        events.append(
            Event(
                kind=row.kind,
                item_id=row.item_id,
                time=rules.coarsen(row.time),
                visit=visit,
                order=order,
                quantity=row.quantity if rules.counts else 1.0,
            )
        )
    return Recording(
        events=tuple(events),
        times=tuple(row.time for row in stored),
        visit_ids=tuple(row.visit_id for row in stored),
        rules=rules,
    )


def split_visits(source: Sequence[SourceEvent]) -> list[list[SourceEvent]]:
    """Return one shopper's rows visit by visit, as the shop sees them: no policy is applied.

    Args:
        source: rows of one shopper in order of time.
    """
    visits: list[list[SourceEvent]] = []
    for row in source:
        if not visits or _starts_visit(visits[-1][-1], row):
            visits.append([])
        visits[-1].append(row)
    return visits


def _starts_visit(last: SourceEvent, row: SourceEvent) -> bool:
    if last.visit_id is not None or row.visit_id is not None:
        return last.visit_id != row.visit_id
    return row.time - last.time >= VISIT_GAP
