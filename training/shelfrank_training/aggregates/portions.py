"""Count shoppers in part, so that one who has much moves no table further than others.

Noise must hide the shopper who moves a table most. If everybody counted 1 in everything they have,
a household with 500 items would set the noise for all; a cap on the items counted would throw most
of what it has away. So a shopper of n units counts 1 in each as long as n is at most ``full``, and
beyond that ``full / n`` (or its square root): the Euclidean length of what one shopper adds has a
bound whatever n is (McSherry and Mironov 2009; Epasto et al. 2020). Portions are looked up in a
table of integers made in Python: two engines may round a square root differently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _ as this

from shelfrank_training.aggregates.counts import WEIGHT, aged
from shelfrank_training.aggregates.noise import UNIT, Sensitivity

if TYPE_CHECKING:
    from datetime import datetime

    from ibis.expr.types import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """How much of a shopper counts, by how many units they have.

    Attributes:
        full: units up to which a shopper counts in full; at least 1.
        widest: most units of a shopper, whoever bounds them.
        rooted: beyond `full` the root of ``full / n`` counts, else ``full / n``: the root bounds
            what is added to a list of units, the other what is added to their pairs.
    """

    full: int
    widest: int
    rooted: bool = False

    def of(self, n_units: int) -> int:
        """Return what a shopper of so many units counts, in thousandths, rounded down."""
        if n_units <= self.full:
            return UNIT
        if self.rooted:
            return math.isqrt(UNIT * UNIT * self.full // n_units)
        return UNIT * self.full // n_units

    def of_units(self) -> Sensitivity:
        """Return how far one shopper moves a table with a row for each unit.

        n times the square of the portion: at most ``full`` either way.
        """
        return Sensitivity(l0=self.widest, l2=UNIT * math.sqrt(self.full), linf=UNIT)

    def of_pairs(self) -> Sensitivity:
        """Return how far one shopper moves a table with a row for each pair of units.

        n (n - 1) / 2 rows of at most ``full / n`` each: below ``full / sqrt(2)``.

        Raises:
            ValueError: the portion is rooted, so that nothing bounds its pairs.
        """
        if self.rooted:
            raise ValueError("a rooted portion does not bound pairs")
        rows = self.widest * (self.widest - 1) // 2
        return Sensitivity(l0=rows, l2=UNIT * self.full / math.sqrt(2), linf=UNIT)


WHOLE_SHOPPERS = Sensitivity(l0=1, l2=float(UNIT), linf=UNIT)
"""Of one number to which a shopper adds at most 1."""


def portioned(owned: Table, portion: Portion) -> Table:
    """Give each shopper's rows the portion they count.

    Args:
        owned: shopper, unit, …; one row for each unit of a shopper, at most ``widest`` of them.
        portion: by how many.

    Returns:
        The same with ``portion``, in thousandths.
    """
    n_units = list(range(1, portion.widest + 1))
    looked_up = ibis.memtable(
        pa.table({"n_units": n_units, "portion": [portion.of(n) for n in n_units]})
    )
    counted = owned.mutate(n_units=owned.count().over(group_by=owned.shopper))
    return counted.join(looked_up, "n_units").drop("n_units")


def total(portions: Table) -> Table:
    """Add up what the shoppers count, each once.

    Returns:
        One row: amount, in thousandths; 0 without shoppers.
    """
    once = portions.select("shopper", "portion").distinct()
    return once.aggregate(amount=once.portion.sum().fill_null(0))


def units(portions: Table) -> Table:
    """Count each unit.

    Returns:
        unit, amount.
    """
    return portions.group_by("unit").aggregate(amount=portions.portion.sum())


def pairs(portions: Table) -> Table:
    """Count each pair of units with the same shopper.

    Returns:
        unit, other (unit < other), amount.
    """
    others = portions.select(shopper_=portions.shopper, other=portions.unit)
    both = portions.join(
        others, [portions.shopper == others.shopper_, portions.unit < others.other]
    )
    return both.group_by("unit", "other").aggregate(amount=both.portion.sum())


def recent(portions: Table, *, end: datetime, half_life_days: int) -> Table:
    """Count each unit, weighed by how recent the shopper's latest event of it is.

    Args:
        portions: shopper, unit, time (latest), portion.
        end: see `shelfrank_training.aggregates.counts.popularity`.
        half_life_days: likewise.

    Returns:
        unit, amount.
    """
    weighed = aged(portions, end=end, half_life_days=half_life_days)
    return weighed.group_by("unit").aggregate(
        amount=(weighed.portion * weighed.decay // WEIGHT).sum()
    )


def more_than(counted: Table, shoppers: int) -> Table:
    """Keep rows that more shoppers must have made, and take those off.

    Nobody adds more than 1 to a row, so a row above `shoppers` has at least one shopper more; and
    one shopper more or less moves the rest no further than the row.

    Args:
        counted: …, amount.
        shoppers: `min_shoppers` - 1.

    Returns:
        The rows left, with what is left of their amount: positive.
    """
    return counted.mutate(amount=counted.amount - shoppers * UNIT).filter(this.amount > 0)
