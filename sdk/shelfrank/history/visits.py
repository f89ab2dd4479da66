"""Which visit an event belongs to, and where in it. Pure rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shelfrank.history.events import MAX_ORDER
from shelfrank.types import VISIT_GAP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class VisitMark(NamedTuple):
    """Where the newest event stands.

    Attributes:
        visit: its visit.
        order: its position in the visit.
        last_at: its exact time; None when that event was erased: the next one starts a visit.
    """

    visit: int
    order: int
    last_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Say whether an event at `now` would still belong to this visit."""
        return self.last_at is not None and now - self.last_at < VISIT_GAP


def place_next(mark: VisitMark | None, time: datetime, *, new_visit: bool) -> VisitMark | None:
    """Return the mark after an event at `time`, or None when it is too late to stand at the end.

    An event up to 30 minutes older than the newest one is taken into the same visit at the same
    position: equal means unordered, and more cannot be known. An older one belongs into the past,
    where the caller has to find its visit.

    Args:
        mark: the mark so far, or None in an empty history.
        time: exact and aware.
        new_visit: the app said that a visit starts here.
    """
    if mark is None:
        return VisitMark(visit=0, order=0, last_at=time)
    last_at = mark.last_at
    if last_at is not None and time < last_at:
        return mark if last_at - time < VISIT_GAP else None
    if new_visit or last_at is None or time - last_at >= VISIT_GAP:
        return VisitMark(mark.visit + 1, 0, time)
    order = mark.order
    if time != last_at and order < MAX_ORDER:
        order += 1
    return VisitMark(mark.visit, order, time)


def place_all(
    mark: VisitMark | None, times: Sequence[datetime], *, new_visit: bool
) -> tuple[VisitMark | None, list[tuple[int, int] | None]]:
    """Do for many events what `place_next` does for one after the other.

    Most events of a batch follow each other inside a visit; for them no mark is made.

    Args:
        mark: the mark so far.
        times: exact, aware, in order.
        new_visit: the app said that a visit starts with the first.

    Returns:
        The mark after them, and visit and order of each; None for one that is too late.
    """
    places: list[tuple[int, int] | None] = []
    for time in times:
        if mark is not None and not new_visit:
            visit, order, last_at = mark
            if (
                last_at is not None
                and last_at < time
                and time - last_at < VISIT_GAP
                and order < MAX_ORDER
            ):
                mark = VisitMark(visit, order + 1, time)
                places.append((visit, order + 1))
                continue
        placed = place_next(mark, time, new_visit=new_visit)
        new_visit = False
        mark = placed or mark
        places.append(None if placed is None else (placed.visit, placed.order))
    return mark, places


def current_visit(mark: VisitMark | None, now: datetime, *, new_visit: bool) -> int:
    """Return the visit that an event at `now` would get; 0 in an empty history."""
    if mark is None:
        return 0
    return mark.visit if mark.is_open(now) and not new_visit else mark.visit + 1
