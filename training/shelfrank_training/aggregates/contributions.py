"""Bound what one shopper can contribute, before anything is counted (invariant P8).

Pure Ibis expressions. Which contributions stay depends on the shopper's own events and sha256 alone,
so it is the same on every engine and for every order of rows, and no shopper changes another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    from ibis.expr.types import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of one shopper is counted.

    Attributes:
        max_items: items, those with the smallest sha256 of salt, shopper and item.
        max_visits: visits, newest first. Visits that start at the same moment count as one.
        salt: decides which items stay.
    """

    max_items: int
    max_visits: int
    salt: str


def bound(events: Table, items: Table, bounds: Bounds) -> Table:
    """Keep at most `bounds` of every shopper.

    Args:
        events: shopper_id, item_id, time, kind, visit_id; nothing sensitive, nobody held out.
        items: item_id and ``item``, its number; one row per item.
        bounds: how much stays.

    Returns:
        Distinct rows of shopper (a number), item, time, purchase (bool), visit (grows with its start),
        start (of the visit), moment (position in the visit, from 0; equal times are one moment).
    """
    kept = (
        _choose_items(events, bounds).join(items, "item_id").select("shopper_id", "item_id", "item")
    )
    lines = events.join(kept, ["shopper_id", "item_id"])
    visits = _number_visits(lines, bounds)
    shoppers = visits.select("shopper_id").distinct()
    numbered = shoppers.mutate(shopper=ibis.row_number().over(order_by=shoppers.shopper_id))
    joined = lines.join(visits, ["shopper_id", "visit_id"]).join(numbered, "shopper_id")
    distinct = joined.select(
        "shopper", "item", "time", "visit", "start", purchase=joined.kind == "purchase"
    ).distinct()
    in_visit = ibis.window(group_by=[distinct.shopper, distinct.visit], order_by=distinct.time)
    return distinct.mutate(moment=ibis.dense_rank().over(in_visit))


def _choose_items(events: Table, bounds: Bounds) -> Table:
    seen = events.select("shopper_id", "item_id").distinct()
    key = ibis.literal(bounds.salt + "|") + seen.shopper_id + "|" + seen.item_id
    digested = seen.mutate(digest=key.hexdigest("sha256"))
    by_digest = ibis.window(
        group_by=digested.shopper_id, order_by=[digested.digest, digested.item_id]
    )
    ranked = digested.mutate(position=ibis.row_number().over(by_digest))
    return ranked.filter(ranked.position < bounds.max_items)


def _number_visits(lines: Table, bounds: Bounds) -> Table:
    visits = lines.group_by("shopper_id", "visit_id").aggregate(start=lines.time.min())
    oldest_first = ibis.window(group_by=visits.shopper_id, order_by=visits.start)
    ranked = visits.mutate(visit=ibis.dense_rank().over(oldest_first))
    newest = ranked.visit.max().over(group_by=ranked.shopper_id)
    return (
        ranked.mutate(newest=newest)
        .filter(ibis._.newest - ibis._.visit < bounds.max_visits)
        .drop("newest")
    )
