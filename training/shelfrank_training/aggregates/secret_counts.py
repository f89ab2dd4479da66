"""Exact counts over bounded shoppers, who count in part: secret, what noise is added to.

What does not depend on a choice made with noise is counted once, however often it is released.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import ibis
import numpy as np
import pyarrow as pa
from ibis import _ as this

from shelfrank_training.aggregates import counts, portions
from shelfrank_training.aggregates.contributions import digest_items, smallest
from shelfrank_training.aggregates.portions import Portion
from shelfrank_training.events.engine import keep, scratch

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.aggregates.settings import AggregateSettings
    from shelfrank_training.events.catalog import CatalogTable

CHOOSING: Final = Portion(full=10, widest=1000, rooted=True)
"""For choosing items and for their popularity: lists only, so a shopper may have a thousand."""

ITEM_PAIRS: Final = Portion(full=10, widest=100)
"""For pairs of chosen items. Of a wider list the items with the smallest digest count."""

CATEGORY_PAIRS: Final = Portion(full=4, widest=100)
"""For categories and their pairs."""

REPEATS: Final = Portion(full=5, widest=100, rooted=True)
"""For the categories a shopper buys again, each with one gap."""

RECENT_ITEMS: Final = Portion(full=10, widest=100, rooted=True)
"""For the popularity of chosen items."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What is left of the rows of one table, exact.

    Attributes:
        keys: int64, one array of shape (N,) a key.
        amount: int64, shape (N,), thousandths of shoppers, positive.
    """

    keys: tuple[npt.NDArray[np.int64], ...]
    amount: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfItems:
    """Exact counts of part of the catalog, once it is chosen.

    Attributes:
        shoppers: int64, shape (n_chosen,), in the order of the choice.
        weight: likewise, weighed by recency.
        total: what all shoppers count.
        pairs: of chosen items; `Keyed`.
    """

    shoppers: npt.NDArray[np.int64]
    weight: npt.NDArray[np.int64]
    total: int
    pairs: Keyed


class SecretCounts:
    """Exact counts over bounded shoppers: secret, the input of `release`.

    What does not depend on a choice made with noise is counted once, however often it is released.

    Args:
        engine: where the events live.
        events: shopper_id, item_id, time, kind, visit_id; nobody held out, nothing sensitive,
            nothing at `end` or later.
        catalog: public; its categories are the keys that categories can have.
        end: naive, UTC.
        settings: threshold, half-life of popularity, and the salt that decides what stays of a
            shopper.
    """

    def __init__(
        self,
        engine: Backend,
        events: Table,
        catalog: CatalogTable,
        *,
        end: datetime,
        settings: AggregateSettings,
    ) -> None:
        self._engine = engine
        self._end = end
        self._salt = settings.holdout.salt
        self._fewer = settings.min_shoppers - 1
        self._half_life_days = settings.half_life_days
        self.min_shoppers = settings.min_shoppers
        self.item_ids = catalog.table["item_id"].combine_chunks()
        of_items = catalog.table["category"].to_pylist()
        self.categories: tuple[str, ...] = tuple(sorted({c for c in of_items if c is not None}))
        number = {category: index for index, category in enumerate(self.categories)}
        self.category_of = np.array([number.get(c, -1) for c in of_items], dtype=np.int64)
        self._events = keep(engine, self._numbered(events))
        self._chosen: dict[bytes, OfItems] = {}

    @cached_property
    def n_shoppers(self) -> int:
        """How many shoppers there are, exact."""
        return int(self._events.shopper_id.nunique().to_pyarrow().as_py())

    @cached_property
    def items(self) -> Keyed:
        """What is left of each item."""
        owned = self._owned("unit", widest=CHOOSING.widest)
        return self._rest(portions.units(portions.portioned(owned, CHOOSING)), "unit")

    @cached_property
    def categories_total(self) -> int:
        """What all shoppers count in categories."""
        return self._number(portions.total(self._of_categories))

    @cached_property
    def category_units(self) -> Keyed:
        """What is left of each category."""
        return self._rest(portions.units(self._of_categories), "unit")

    @cached_property
    def category_pairs(self) -> Keyed:
        """What is left of each pair of categories."""
        return self._rest(portions.pairs(self._of_categories), "unit", "other")

    @cached_property
    def category_recent(self) -> npt.NDArray[np.int64]:
        """Each category weighed by recency, shape (n_categories,)."""
        recent = portions.recent(
            self._of_categories, end=self._end, half_life_days=self._half_life_days
        )
        return self._dense(recent, np.arange(len(self.categories)))

    @cached_property
    def category_repeats(self) -> Keyed:
        """What is left of each category and gap."""
        events = self._events.filter(this.category >= 0)
        starts = events.group_by("shopper_id", "visit_id").aggregate(start=events.time.min())
        bought = events.join(starts, ["shopper_id", "visit_id"]).select(
            shopper=this.shopper_id,
            unit=this.category,
            start=this.start,
            stretch=0,  # every visit counts, so they are one stretch
            purchase=this.kind == "purchase",
        )
        gaps = keep(self._engine, counts.repeat_gaps(bought))
        named = gaps.select(shopper_id=gaps.shopper, item_id=gaps.unit.cast("string"), unit="unit")
        kept = smallest(
            digest_items(named, self._salt).join(named, ["shopper_id", "item_id"]), REPEATS.widest
        )
        bounded = gaps.semi_join(kept, [gaps.shopper == kept.shopper_id, gaps.unit == kept.unit])
        counted = portions.portioned(bounded, REPEATS)
        by_gap = counted.group_by("unit", "gap_days").aggregate(amount=counted.portion.sum())
        return self._rest(by_gap, "unit", "gap_days")

    def of_items(self, chosen: npt.NDArray[np.int64]) -> OfItems:
        """Count part of the catalog.

        Args:
            chosen: shape (n_chosen,), rows of the catalog, ascending; the outcome of a mechanism,
                so that the shopper's list may be bounded anew among them.
        """
        key = chosen.tobytes()
        if key not in self._chosen:
            with scratch(self._engine):
                self._chosen = {key: self._count_items(chosen)}
        return self._chosen[key]

    def _count_items(self, chosen: npt.NDArray[np.int64]) -> OfItems:
        among = keep(
            self._engine,
            self._owned("unit", widest=ITEM_PAIRS.widest, only=chosen),
        )
        linear = keep(self._engine, portions.portioned(among, ITEM_PAIRS))
        rooted = portions.portioned(among, RECENT_ITEMS)
        recent = portions.recent(rooted, end=self._end, half_life_days=self._half_life_days)
        return OfItems(
            shoppers=self._dense(portions.units(linear), chosen),
            weight=self._dense(recent, chosen),
            total=self._number(portions.total(linear)),
            pairs=self._rest(portions.pairs(linear), "unit", "other"),
        )

    @cached_property
    def _of_categories(self) -> Table:
        owned = self._owned("category", widest=CATEGORY_PAIRS.widest)
        return keep(self._engine, portions.portioned(owned, CATEGORY_PAIRS))

    def _numbered(self, events: Table) -> Table:
        numbers = ibis.memtable(
            pa.table(
                {
                    "item_id": self.item_ids,
                    "unit": np.arange(len(self.item_ids), dtype=np.int64),
                    "category": self.category_of,
                }
            )
        )
        return events.select("shopper_id", "item_id", "time", "kind", "visit_id").join(
            numbers, "item_id"
        )

    def _owned(self, unit: str, *, widest: int, only: npt.NDArray[np.int64] | None = None) -> Table:
        """Return shopper, unit and its latest time: at most `widest` units of a shopper."""
        events = self._events.filter(self._events[unit] >= 0)
        if only is not None:
            allowed = ibis.memtable(pa.table({unit: only}))
            events = events.semi_join(allowed, unit)
        latest = keep(
            self._engine,
            events.group_by(shopper_id=events.shopper_id, unit=events[unit]).aggregate(
                time=events.time.max()
            ),
        )
        width = latest.group_by("shopper_id").aggregate(n=latest.count()).n.max()
        if int(width.to_pyarrow().as_py() or 0) > widest:
            named = latest.mutate(item_id=latest.unit.cast("string"))
            digested = digest_items(named, self._salt).join(
                named.select("shopper_id", "item_id", "unit", "time"), ["shopper_id", "item_id"]
            )
            latest = smallest(digested, widest)
        return latest.select("unit", "time", shopper=latest.shopper_id)

    def _rest(self, counted: Table, *keys: str) -> Keyed:
        rest = portions.more_than(counted, self._fewer).order_by(list(keys)).to_pyarrow()
        return Keyed(tuple(_int64(rest[key]) for key in keys), _int64(rest["amount"]))

    def _dense(self, counted: Table, units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        found = counted.to_pyarrow()
        amounts = np.zeros(units.size, dtype=np.int64)
        amounts[np.searchsorted(units, _int64(found["unit"]))] = _int64(found["amount"])
        return amounts

    def _number(self, one: Table) -> int:
        return int(one.to_pyarrow()["amount"][0].as_py())


def _int64(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)
