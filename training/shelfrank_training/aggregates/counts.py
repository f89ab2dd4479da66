"""The statistics, each written once as an Ibis expression over bounded contributions.

The functions count a ``unit``: items, or categories for back-off. They publish nothing:
`at_least` is the one way to a published table. All numbers are integers and every shopper adds at
most `LARGEST_STEP` to one of them, so results are equal on every engine and for every order of the
rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import ibis
import pyarrow as pa
from ibis import _ as this

from shelfrank.types import HOURS_PER_DAYPART

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ibis.expr.types import IntegerValue, Table, TimestampValue

WEIGHT: Final = 1000
"""Weights are in 1/1000: this much for an event at the end of the range, or one step away."""

MAX_DISTANCE: Final = 20
"""Steps in a visit that still count as "next"; farther ones would weigh under 1 %."""

LARGEST_STEP: Final = {"shoppers": 1, "weight": WEIGHT, "distance": MAX_DISTANCE}
"""What one shopper adds to a number of one row, at most."""

DISTANCE_SCALE: Final = 4.0
"""Steps after which "next" weighs 1/e: the decay that did best on two sets of click sessions."""

GAP_DAYS: Final = (3, 7, 14, 28, 56, 112, 224, 448)
"""Upper bounds of the buckets for gaps between purchases, from half a week to 15 months."""

_DAY_MICROSECONDS: Final = 86_400_000_000
_DAY_SECONDS: Final = 86_400


def regroup(contributions: Table, groups: Table) -> Table:
    """Put a larger unit in the place of each unit: the category of an item.

    Args:
        contributions: unit, and whatever else.
        groups: unit and ``category``, a number; units that are not in it are left out.

    Returns:
        The same columns; unit is the category.
    """
    return contributions.join(groups, "unit").drop("unit").rename(unit="category")


def popularity(contributions: Table, *, end: datetime, half_life_days: int) -> Table:
    """Count the shoppers of each unit, and weigh them by how recent their latest event is.

    Args:
        contributions: shopper, unit, time.
        end: naive, UTC; the end of the time range, after every event.
        half_life_days: after which a shopper counts half.

    Returns:
        unit, shoppers, weight.
    """
    latest = contributions.group_by("shopper", "unit").aggregate(time=contributions.time.max())
    weighed = aged(latest, end=end, half_life_days=half_life_days)
    return weighed.group_by("unit").aggregate(shoppers=weighed.count(), weight=weighed.decay.sum())


def aged(latest: Table, *, end: datetime, half_life_days: int) -> Table:
    """Give each row what is left of it at the end of the time range.

    Args:
        latest: time, …
        end: see `popularity`.
        half_life_days: after which half is left.

    Returns:
        The same with ``decay``, in 1/1,000.
    """
    age = ibis.literal(end).delta(latest.time, unit="microsecond")
    in_days = latest.mutate(days=age // _DAY_MICROSECONDS)
    weighed = in_days.left_join(_decay(half_life_days), "days")
    return weighed.mutate(decay=weighed.decay.fill_null(0))


def pairs(contributions: Table) -> Table:
    """Count the shoppers who have both of two units, at any time.

    Args:
        contributions: shopper, unit.

    Returns:
        unit, other (unit < other), shoppers.
    """
    owned = contributions.select("shopper", "unit").distinct()
    others = owned.select(shopper_=owned.shopper, other=owned.unit)
    both = owned.join(others, [owned.shopper == others.shopper_, owned.unit < others.other])
    return both.group_by("unit", "other").aggregate(shoppers=both.count())


def following(contributions: Table, steps: Table) -> Table:
    """Count the shoppers for whom one unit follows another, in a visit and from visit to visit.

    Args:
        contributions: shopper, unit, visit.
        steps: see `steps_in_visit`, of the same contributions.

    Returns:
        unit, next, scope (``visit`` or ``visits``), shoppers, weight, distance.
    """
    in_visit = next_in_visit(steps).mutate(scope=ibis.literal("visit"))
    return in_visit.union(next_visit(contributions).mutate(scope=ibis.literal("visits")))


def next_in_visit(steps: Table) -> Table:
    """Count the shoppers for whom one unit comes after another in a visit.

    Args:
        steps: see `steps_in_visit`.

    Returns:
        unit, next, shoppers, weight (1,000 for distance 1, less beyond, nothing over
        `MAX_DISTANCE`), distance (summed over the shoppers).
    """
    weighed = steps.join(_closeness(), "distance")
    return weighed.group_by("unit", "next").aggregate(
        shoppers=weighed.shoppers.sum(),
        weight=(weighed.shoppers * weighed.closeness).sum(),
        distance=(weighed.shoppers * weighed.distance).sum(),
    )


def steps_in_visit(contributions: Table) -> Table:
    """Count the shoppers for whom one unit comes after another in a visit, by distance.

    The distance of a shopper is the smallest number of moments between the two, in any visit. Equal
    times make no sequence.

    Args:
        contributions: shopper, unit, visit, moment.

    Returns:
        unit, next, distance (1 to `MAX_DISTANCE`), shoppers; a shopper counts once for a unit and
        its next.
    """
    return _steps(contributions, again=False)


def returns_in_visit(contributions: Table) -> Table:
    """Count the shoppers who come back to a unit later in the same visit, by distance.

    Args:
        contributions: shopper, unit, visit, moment.

    Returns:
        As `steps_in_visit`; next is the unit itself.
    """
    return _steps(contributions, again=True)


def _steps(contributions: Table, *, again: bool) -> Table:
    steps = contributions.select("shopper", "visit", "unit", "moment").distinct()
    later = steps.select(
        shopper_=steps.shopper, visit_=steps.visit, next=steps.unit, later=steps.moment
    )
    joined = steps.join(
        later,
        [
            steps.shopper == later.shopper_,
            steps.visit == later.visit_,
            steps.unit == later.next if again else steps.unit != later.next,
            later.later > steps.moment,
            later.later <= steps.moment + MAX_DISTANCE,
        ],
    )
    nearest = joined.group_by("shopper", "unit", "next").aggregate(
        distance=(joined.later - joined.moment).min()
    )
    return nearest.group_by("unit", "next", "distance").aggregate(shoppers=nearest.count())


def next_visit(contributions: Table) -> Table:
    """Count the shoppers for whom a unit of one visit is followed by another in their next visit.

    Args:
        contributions: shopper, unit, visit.

    Returns:
        unit, next, shoppers, weight (1,000 a shopper), distance (1 visit a shopper).
    """
    visited = contributions.select("shopper", "visit", "unit").distinct()
    later = visited.select(shopper_=visited.shopper, visit_=visited.visit, next=visited.unit)
    joined = visited.join(
        later,
        [
            visited.shopper == later.shopper_,
            visited.visit + 1 == later.visit_,
            visited.unit != later.next,
        ],
    )
    once = joined.select("shopper", "unit", "next").distinct()
    counted = once.group_by("unit", "next").aggregate(shoppers=once.count())
    return counted.mutate(weight=counted.shoppers * WEIGHT, distance=counted.shoppers)


def repeats(contributions: Table) -> Table:
    """Count the shoppers who buy a unit again, by the median gap between their visits with it.

    Args:
        contributions: shopper, unit, start, stretch, purchase.

    Returns:
        unit, gap_days (upper bound of the bucket, inclusive), shoppers.
    """
    gaps = repeat_gaps(contributions)
    return gaps.group_by("unit", "gap_days").aggregate(shoppers=gaps.count())


def repeat_gaps(contributions: Table) -> Table:
    """Find the median gap between a shopper's visits in which they buy a unit.

    The median of an even number of gaps is the lower one, so that it is an integer. Gaps above the
    last bucket are left out, and so are those between two stretches, in which a purchase may hide.

    Args:
        contributions: shopper, unit, start, stretch, purchase.

    Returns:
        shopper, unit, gap_days (upper bound of the bucket, inclusive); a shopper has one a unit.
    """
    bought = contributions.filter(contributions.purchase)
    visits = bought.select("shopper", "unit", "stretch", "start").distinct()
    by_start = ibis.window(
        group_by=[visits.shopper, visits.unit, visits.stretch], order_by=visits.start
    )
    gap = visits.start.delta(visits.start.lag().over(by_start), unit="microsecond")
    gaps = visits.mutate(gap=gap).filter(this.gap.notnull())
    by_gap = ibis.window(group_by=[gaps.shopper, gaps.unit], order_by=gaps.gap)
    ranked = gaps.mutate(
        position=ibis.row_number().over(by_gap),
        n_gaps=gaps.count().over(group_by=[gaps.shopper, gaps.unit]),
    )
    median = ranked.filter(ranked.position == (ranked.n_gaps - 1) // 2)
    return median.select(
        "shopper",
        "unit",
        gap_days=ibis.cases(
            *((median.gap <= days * _DAY_MICROSECONDS, days) for days in GAP_DAYS),
            else_=ibis.null("int64"),
        ).cast("int64"),
    ).filter(this.gap_days.notnull())


def dayparts(contributions: Table, offsets: Sequence[tuple[datetime, int]]) -> Table:
    """Count the shoppers of each unit by the part of the day in which they took it.

    Args:
        contributions: shopper, unit, time.
        offsets: see `shelfrank_training.zones.offsets`; from the first of the times on.

    Returns:
        unit, daypart (0 to 3, `shelfrank.types.DAYPARTS`), shoppers; a shopper counts once for a
        unit and a daypart.
    """
    daypart = _daypart(contributions.time, offsets)
    seen = contributions.select("shopper", "unit", daypart=daypart).distinct()
    return seen.group_by("unit", "daypart").aggregate(shoppers=seen.count())


def _daypart(time: TimestampValue, offsets: Sequence[tuple[datetime, int]]) -> IntegerValue:
    latest_first = reversed(offsets)
    ahead = ibis.cases(
        *((time >= ibis.literal(since), seconds) for since, seconds in latest_first),
        else_=offsets[0][1],
    )
    utc = time.hour().cast("int64") * 3600 + time.minute().cast("int64") * 60
    # No zone is a day or more behind, so the sum is never negative; seconds matter, since before
    # clocks were kept by the hour an offset had some.
    local = utc + time.second().cast("int64") + ahead + _DAY_SECONDS
    return local % _DAY_SECONDS // (HOURS_PER_DAYPART * 3600)


def at_least(counted: Table, min_shoppers: int) -> Table:
    """Drop every row that stands for fewer than `min_shoppers` shoppers."""
    return counted.filter(counted.shoppers >= min_shoppers)


def _decay(half_life_days: int) -> Table:
    # A table made here, not a power computed by the engine: two engines may round it differently.
    weights: list[int] = []
    while (weight := round(WEIGHT * 0.5 ** (len(weights) / half_life_days))) > 0:
        weights.append(weight)
    days = list(range(len(weights)))
    return ibis.memtable(pa.table({"days": days, "decay": weights}))


def _closeness() -> Table:
    distances = range(1, MAX_DISTANCE + 1)
    weights = [round(WEIGHT * math.exp(-(distance - 1) / DISTANCE_SCALE)) for distance in distances]
    return ibis.memtable(pa.table({"distance": list(distances), "closeness": weights}))
