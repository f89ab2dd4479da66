"""Bound what one shopper can contribute, before anything is counted (invariant P8).

Pure Ibis expressions. Which of a shopper's items stay is decided by sha256 of salt, shopper and
item, so it is the same on every engine and for every order of the rows.

A random choice among everything a shopper bought would mostly keep items that few others have,
and that no table can publish. So the choice is made twice, by the same digests: `eligible_items`
finds on a first bounded choice which items reach the threshold, and `bound` chooses among those
alone. Every count is made on bounded contributions; on the Complete Journey the second choice
makes 1,200 published pairs 43,000. Given the eligible items, no shopper changes what another
contributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
from ibis import _ as this

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


def digest_items(events: Table, salt: str) -> Table:
    """Give every item of every shopper the digest that its place depends on.

    Args:
        events: shopper_id, item_id; nothing sensitive, nobody held out.
        salt: see `Bounds`.

    Returns:
        shopper_id, item_id, digest (hex); distinct.
    """
    seen = events.select("shopper_id", "item_id").distinct()
    key = ibis.literal(salt + "|") + seen.shopper_id + "|" + seen.item_id
    return seen.mutate(digest=key.hexdigest("sha256"))


def eligible_items(digested: Table, *, max_items: int, min_shoppers: int) -> Table:
    """Find the items that reach the threshold when every shopper is bounded.

    Returns:
        item_id.
    """
    chosen = smallest(digested, max_items)
    counted = chosen.group_by("item_id").aggregate(shoppers=chosen.count())
    return counted.filter(counted.shoppers >= min_shoppers).select("item_id")


def bound(events: Table, digested: Table, items: Table, bounds: Bounds) -> Table:
    """Keep at most `bounds` of every shopper.

    Args:
        events: shopper_id, item_id, time, kind, visit_id.
        digested: see `digest_items`; of the items that are eligible.
        items: item_id and ``item``, its number; one row per item.
        bounds: how much stays.

    Returns:
        Distinct rows of shopper (a number), item, time, purchase (bool), visit (grows with its
        start), start (of the visit), moment (position in the visit, from 0; equal times are one).
    """
    chosen = smallest(digested, bounds.max_items).join(items, "item_id")
    lines = events.join(chosen.select("shopper_id", "item_id", "item"), ["shopper_id", "item_id"])
    visits = _number_visits(lines, bounds.max_visits)
    shoppers = visits.select("shopper_id").distinct()
    numbered = shoppers.mutate(shopper=ibis.row_number().over(order_by=shoppers.shopper_id))
    joined = lines.join(visits, ["shopper_id", "visit_id"]).join(numbered, "shopper_id")
    distinct = joined.select(
        "shopper", "item", "time", "visit", "start", purchase=joined.kind == "purchase"
    ).distinct()
    in_visit = ibis.window(group_by=[distinct.shopper, distinct.visit], order_by=distinct.time)
    return distinct.mutate(moment=ibis.dense_rank().over(in_visit))


def smallest(digested: Table, max_items: int) -> Table:
    """Keep the rows with the smallest digests of each shopper.

    Args:
        digested: shopper_id, item_id, digest, …; one row for each item of a shopper.
        max_items: how many stay.

    Returns:
        The same without digest.
    """
    by_digest = ibis.window(
        group_by=digested.shopper_id, order_by=[digested.digest, digested.item_id]
    )
    ranked = digested.mutate(position=ibis.row_number().over(by_digest))
    return ranked.filter(ranked.position < max_items).drop("position", "digest")


def _number_visits(lines: Table, max_visits: int) -> Table:
    visits = lines.group_by("shopper_id", "visit_id").aggregate(start=lines.time.min())
    oldest_first = ibis.window(group_by=visits.shopper_id, order_by=visits.start)
    ranked = visits.mutate(visit=ibis.dense_rank().over(oldest_first))
    newest = ranked.visit.max().over(group_by=ranked.shopper_id)
    return ranked.mutate(newest=newest).filter(this.newest - this.visit < max_visits).drop("newest")
