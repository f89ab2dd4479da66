"""Which events are counted: whose, of what kind, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shelfrank_training.errors import PrivacyError
from shelfrank_training.events.engine import keep

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.aggregates.settings import AggregateSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The events that are counted.

    Attributes:
        events: as they were read, restricted.
        start: naive, UTC, midnight; inclusive.
        end: naive, UTC; exclusive.
        n_events: how many.
    """

    events: Table
    start: datetime
    end: datetime
    n_events: int


def restrict(events: Table, settings: AggregateSettings) -> Table:
    """Leave out held-out shoppers and what lies at `until` or after."""
    if settings.holdout.share > 0:
        events = events.filter(~settings.holdout.matches(events.shopper_id))
    if settings.until is not None:
        events = events.filter(events.time < _naive(settings.until))
    return events


def part_a(events: Table, settings: AggregateSettings) -> Table:
    """Leave out the shoppers who only make the table ``outcomes``."""
    if settings.outcomes.share == 0:
        return events
    return events.filter(~settings.outcomes.matches(events.shopper_id))


def part_b(events: Table, settings: AggregateSettings) -> Table:
    """Keep just the shoppers who make the table ``outcomes``; nobody without a share for them."""
    if settings.outcomes.share == 0:
        return events.limit(0)
    return restrict(events, settings).filter(settings.outcomes.matches(events.shopper_id))


def before_until(events: Table, settings: AggregateSettings) -> tuple[Table, datetime]:
    """Return the events that noise is added for, and the end of their time range.

    All that lie before `until`, however old: where a range starts would be a fact about the data.

    Raises:
        ValueError: without `until`.
    """
    if settings.until is None:
        raise ValueError("until is None; see check_noise")
    liked = events.filter(events.kind != "dislike")
    return part_a(restrict(liked, settings), settings), _naive(settings.until)


def find_scope(engine: Backend, events: Table, settings: AggregateSettings) -> Scope:
    """Choose the events to count and find their time range.

    A dislike is no sign that items go together, so it is not counted. The range starts on the
    first day by which `min_shoppers` shoppers have come and ends, unless `until` is given, with
    the last day on which as many came or had yet to: so neither end is a fact about fewer
    shoppers, and one mistyped year does not make every other event old. What lies outside is left
    out.

    Raises:
        PrivacyError: fewer than `min_shoppers` shoppers have an event.
    """
    liked = events.filter(events.kind != "dislike")
    counted = keep(engine, part_a(restrict(liked, settings), settings))
    days = counted.group_by("shopper_id").aggregate(
        first=counted.time.min().truncate("day"), last=counted.time.max().truncate("day")
    )
    row = settings.min_shoppers - 1
    first = days.order_by(days["first"]).limit(1, offset=row).to_pyarrow()["first"].to_pylist()
    last = days.order_by(days["last"].desc()).limit(1, offset=row).to_pyarrow()["last"].to_pylist()
    if not first:
        raise PrivacyError(
            f"fewer shoppers than min_shoppers {settings.min_shoppers} have an event, "
            "so nothing can be published"
        )
    end = _naive(settings.until) if settings.until else last[0] + timedelta(days=1)
    inside = counted.filter(counted.time >= first[0], counted.time < end)
    n_events = int(inside.count().to_pyarrow().as_py())
    return Scope(events=inside, start=first[0], end=end, n_events=n_events)


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)
