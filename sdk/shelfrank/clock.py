"""The clock of the machine, for devices that are given no other."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock. It is never believed when it goes back (`Consent.effective_now`)."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place where time comes in

    def local(self, moment: datetime) -> datetime:
        """Return a moment, aware, in the time zone that the machine is set to."""
        return moment.astimezone()
