"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

DEMO_NOW: Final = datetime(2026, 1, 15, 10, tzinfo=UTC)
"""A morning two weeks after the demo bundle was issued."""


class FixedClock:
    """A clock for tests: `advance` it, and a visit ends, a notice lapses, a retention runs out.

    Args:
        now: what it shows at first; aware.
        zone: where the device is, such as ``zoneinfo.ZoneInfo("Europe/Amsterdam")``, so that it
            knows the time of day; None: not known.

    Raises:
        ValueError: `now` is naive.
    """

    def __init__(self, now: datetime = DEMO_NOW, *, zone: tzinfo | None = None) -> None:
        if now.tzinfo is None:
            raise ValueError("now must be aware, got a naive time")
        self._now = now.astimezone(UTC)
        self._zone = zone

    def now(self) -> datetime:
        """Return the moment it shows, UTC."""
        return self._now

    def local(self, moment: datetime) -> datetime | None:
        """Return a moment, aware, in the zone that was given; None without one."""
        return None if self._zone is None else moment.astimezone(self._zone)

    def advance(self, by: timedelta) -> None:
        """Move the clock.

        Args:
            by: how far; negative to play a clock that someone set back.
        """
        self._now += by
