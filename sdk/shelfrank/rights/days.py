"""Which day an event belongs to, for a shopper somewhere. Pure."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime, tzinfo

    from shelfrank.consent.policy import Policy


def is_day_only(time: datetime, purposes: Collection[str], policy: Policy | None) -> bool:
    """Say whether of a stored time only the day is known.

    A day is kept as its first moment, in UTC. At that moment, an event counts as a whole day if one
    of its purposes keeps days, or if nobody can tell any more what they keep. (It is kept as coarse
    as the strictest of them says.)

    Args:
        time: as stored; UTC.
        purposes: of the event.
        policy: in force, or None.
    """
    if (time.hour, time.minute, time.second, time.microsecond) != (0, 0, 0, 0):
        return False
    declared = policy.purposes if policy is not None else ()
    kept = [purpose.granularity for purpose in declared if purpose.id in purposes]
    return not kept or "day" in kept


def day_of(
    time: datetime, purposes: Collection[str], policy: Policy | None, *, zone: tzinfo
) -> date:
    """Return the day of an event: of one kept by the day that very day, else the one in `zone`.

    Args:
        time: as stored; UTC.
        purposes: of the event.
        policy: in force, or None.
        zone: where the shopper is.
    """
    in_zone = UTC if is_day_only(time, purposes, policy) else zone
    return time.astimezone(in_zone).date()
