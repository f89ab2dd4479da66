"""Bound what one shopper can contribute, before anything is counted (invariant P8).

Pure Ibis expressions. Which of a shopper's items and visits stay is decided by sha256 of salt,
shopper and item or visit, so it is the same on every engine and for every order of the rows.

A random choice among everything a shopper bought would mostly keep items that few others have,
and that no table can publish. So the choice is made twice, by the same digests: `eligible_items`
finds on a first bounded choice which items reach the threshold, and `bound` chooses among those
alone. Every count is made on bounded contributions; on the Complete Journey the second choice
makes 1,200 published pairs 43,000. Given the eligible items, no shopper changes what another
contributes.

Pairs have no bound of their own. They follow from the items: m items make at most m(m-1)/2 pairs,
and twice as many rows of ``next`` in each scope, each with a count of 1. A second choice, among
pairs, would have to list them all before it could leave any out, and would break up the items
that the first one kept together.
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
        max_visits: visits that follow each other, from the one with the smallest sha256 of salt,
            shopper and visit; after the newest comes the oldest, so that each has the same chance.
            Visits that start at the same moment count as one.
        salt: decides what stays.
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
        Distinct rows of shopper (a number), item, time, purchase (bool), visit (its number among
        all visits of the shopper, so that one apart is next to each other), start (of the visit),
        stretch (0 or 1: between two stretches visits were left out), moment (position in the visit,
        from 0; equal times are one).
    """
    chosen = smallest(digested, bounds.max_items).join(items, "item_id")
    lines = events.join(chosen.select("shopper_id", "item_id", "item"), ["shopper_id", "item_id"])
    visits = _choose_visits(lines, bounds)
    shoppers = visits.select("shopper_id").distinct()
    numbered = shoppers.mutate(shopper=ibis.row_number().over(order_by=shoppers.shopper_id))
    joined = lines.join(visits, ["shopper_id", "visit_id"]).join(numbered, "shopper_id")
    distinct = joined.select(
        *("shopper", "item", "time", "visit", "start", "stretch"),
        purchase=joined.kind == "purchase",
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


def _choose_visits(lines: Table, bounds: Bounds) -> Table:
    """Keep a window of each shopper's visits.

    Returns:
        shopper_id, visit_id, visit, start, stretch.
    """
    visits = lines.group_by("shopper_id", "visit_id").aggregate(start=lines.time.min())
    oldest_first = ibis.window(group_by=visits.shopper_id, order_by=visits.start)
    numbered = visits.mutate(visit=ibis.dense_rank().over(oldest_first))
    same_start = ibis.window(group_by=[numbered.shopper_id, numbered.visit])
    named = numbered.mutate(name=numbered.visit_id.min().over(same_start))
    key = ibis.literal(bounds.salt + "|") + named.shopper_id + "|" + named.name
    digested = named.mutate(digest=key.hexdigest("sha256"))
    mine = ibis.window(group_by=digested.shopper_id)
    by_digest = ibis.window(
        group_by=digested.shopper_id, order_by=[digested.digest, digested.visit]
    )
    placed = digested.mutate(
        n_visits=digested.visit.max().over(mine) + 1, first=digested.visit.first().over(by_digest)
    )
    # Not the newest: then a shopper of many visits would count by other seasons than one of few.
    steps = (placed.visit - placed.first + placed.n_visits) % placed.n_visits
    cut = placed.n_visits > bounds.max_visits
    kept = placed.mutate(stretch=(cut & (placed.visit >= placed.first)).cast("int64"))
    return kept.filter(steps < bounds.max_visits).select(
        "shopper_id", "visit_id", "visit", "start", "stretch"
    )
