"""Time zones by name: events are in UTC, but breakfast is at the shop's own eight o'clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from shelfrank.types import DAYPARTS, HOURS_PER_DAYPART
from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shelfrank.types import Daypart

# Clocks are changed weeks apart, so no two changes fall into one step.
_STEP: Final = timedelta(days=1)

_SECOND: Final = timedelta(seconds=1)


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of this name in the IANA database.

    Args:
        name: such as ``Europe/Amsterdam`` or ``UTC``.

    Raises:
        DataError: there is none of this name on this machine.
    """
    try:
        return ZoneInfo(name)
    # A name that is a folder of zones, or none at all, is an OSError or a ValueError.
    except (KeyError, ValueError, OSError):
        raise DataError(
            f"no time zone {name!r} on this machine, wanted a name such as Europe/Amsterdam",
            hint="names are those of the IANA database; if none is known: pip install tzdata",
        ) from None


def daypart_at(moment: datetime, zone: ZoneInfo) -> Daypart:
    """Return the daypart at a moment.

    Args:
        moment: aware.
        zone: of the shop.
    """
    return DAYPARTS[moment.astimezone(zone).hour // HOURS_PER_DAYPART]


def offsets(zone: ZoneInfo, start: datetime, end: datetime) -> Sequence[tuple[datetime, int]]:
    """List how far the clocks of a zone were ahead of UTC, and since when.

    A list made here, not a time zone given to the engine: two engines may know other rules.

    Args:
        zone: whose clocks.
        start: naive, UTC, in whole seconds.
        end: naive, UTC.

    Returns:
        Moments (naive, UTC), the first of them `start`, and the seconds that local time is ahead
        of UTC from each of them on; in order of time, every change between `start` and `end`.
    """
    return list(_changes(zone, start, end))


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
    ahead = _ahead(zone, start)
    yield start, ahead
    while start < end:
        later = start + _STEP
        if (then := _ahead(zone, later)) != ahead:
            yield _first_after(zone, start, later), then
        start, ahead = later, then


def _first_after(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second at which the clocks stand as they do at `after`."""
    wanted = _ahead(zone, after)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if _ahead(zone, middle) == wanted:
            after = middle
        else:
            before = middle
    return after


def _ahead(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _SECOND
