"""The release with noise: hierarchical, so that a small shop learns something, too.

Noise straight on pairs of items drowns what is personal unless hundreds of thousands of shoppers
stand behind them. So the budget goes, in this order, to which items are taken at all, to how
categories of the public catalog go together, and to pairs of items only where what they say is
above the noise (`shelfrank_training.aggregates.budget.SPLIT`).

Each table keeps two promises at once: every row covers at least `min_shoppers` shoppers, and all
tables together are (epsilon, delta)-private for one shopper more or less. What `min_shoppers - 1`
shoppers could have added is taken off every row first, and rows without a rest are gone; then
OpenDP's threshold mechanism adds noise and decides which keys show; then it is added back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import ibis
import numpy as np
import pyarrow as pa
from ibis import _ as this

from shelfrank_training.aggregates import counts, noise, portions
from shelfrank_training.aggregates.contributions import digest_items, smallest
from shelfrank_training.aggregates.folder import KEYS, schema
from shelfrank_training.aggregates.noise import UNIT
from shelfrank_training.aggregates.portions import WHOLE_SHOPPERS, Portion
from shelfrank_training.aggregates.publication import Published
from shelfrank_training.events.engine import keep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.aggregates.budget import Account, Bill
    from shelfrank_training.aggregates.noise import NoiseSource, Sensitivity
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

SIGNIFICANT: Final = 2.0
"""Standard deviations of the noise by which a pair of items must differ from what its items and
categories say already. It is above the threshold in any case, so this only drops pairs of very
popular items that go together as any two would."""


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


class PrivateCounts:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateRelease:
    """What may leave.

    Attributes:
        tables: a table for each name in `KEYS`; those that are not released are empty.
        totals: what all shoppers count in a table, with noise, in shoppers.
        shoppers: how many there are, with noise.
        bill: what it costs.
    """

    tables: dict[str, Published]
    totals: dict[str, int]
    shoppers: int
    bill: Bill


def release(
    exact: PrivateCounts, account: Account, source: NoiseSource = noise.OPENDP
) -> PrivateRelease:
    """Disturb everything that leaves, and enter it in the account.

    Args:
        exact: what is counted.
        account: what may be spent, and on what.
        source: of the noise.
    """
    disturb = Disturber(account, source, exact.min_shoppers)
    shoppers = disturb.total("shoppers", exact.n_shoppers * UNIT)
    (chosen,), _ = disturb.keyed("items", exact.items, CHOOSING.of_units())
    of_items = exact.of_items(chosen)
    item_shoppers = disturb.known(
        "items.shoppers", of_items.shoppers, ITEM_PAIRS.of_units(), least=exact.min_shoppers
    )
    item_weight = disturb.weights("items.weight", of_items.weight, RECENT_ITEMS.of_units())
    item_total = disturb.total("items.total", of_items.total)
    pair_keys, pair_shoppers = disturb.keyed("pairs", of_items.pairs, ITEM_PAIRS.of_pairs())
    of_categories = _release_categories(exact, disturb) if exact.categories else None
    bill = account.close()
    lifts = _Lifts(
        category_of=exact.category_of,
        of_item=_spread(chosen, item_shoppers, exact.category_of.size),
        item_total=item_total,
        categories=of_categories,
    )
    says_more = lifts.differ(
        pair_keys, pair_shoppers, by=SIGNIFICANT * account.of_table("pairs")[0].scale
    )
    items = exact.item_ids.to_pylist()
    tables = {
        "items": _table("items", [_named(items, chosen), item_shoppers, item_weight]),
        "pairs": _table(
            "pairs",
            [*(_named(items, key[says_more]) for key in pair_keys), pair_shoppers[says_more]],
        ),
    }
    totals = {"items": item_total, "pairs": item_total}
    if of_categories is not None:
        tables |= of_categories.tables
        totals |= dict.fromkeys(("categories", "category_pairs"), of_categories.total)
    empty = {name: schema(name).empty_table() for name in KEYS if name not in {*tables, "outcomes"}}
    return PrivateRelease(
        tables={
            name: Published(rows=rows, n_counted=rows.num_rows)
            for name, rows in (tables | empty).items()
        },
        totals=totals,
        shoppers=shoppers,
        bill=bill,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfCategories:
    """What is released about categories; `shoppers` is 0 where a category does not show."""

    tables: dict[str, pa.Table]
    total: int
    shoppers: npt.NDArray[np.int64]
    pairs: tuple[npt.NDArray[np.int64], ...]
    pair_shoppers: npt.NDArray[np.int64]


def _release_categories(exact: PrivateCounts, disturb: Disturber) -> _OfCategories:
    names = exact.categories
    (category,), shoppers = disturb.keyed(
        "categories", exact.category_units, CATEGORY_PAIRS.of_units()
    )
    weight = disturb.weights(
        "categories.weight", exact.category_recent[category], CATEGORY_PAIRS.of_units()
    )
    total = disturb.total("categories.total", exact.categories_total)
    both, both_shoppers = disturb.keyed(
        "category_pairs", exact.category_pairs, CATEGORY_PAIRS.of_pairs()
    )
    # A pair of which one category does not show cannot be held against anything.
    of_category = _spread(category, shoppers, len(names))
    shown = (of_category[both[0]] > 0) & (of_category[both[1]] > 0)
    both, both_shoppers = (both[0][shown], both[1][shown]), both_shoppers[shown]
    (again, gap_days), again_shoppers = disturb.keyed(
        "category_repeats", exact.category_repeats, REPEATS.of_units()
    )
    return _OfCategories(
        tables={
            "categories": _table("categories", [_named(names, category), shoppers, weight]),
            "category_pairs": _table(
                "category_pairs", [*(_named(names, key) for key in both), both_shoppers]
            ),
            "category_repeats": _table(
                "category_repeats", [_named(names, again), gap_days, again_shoppers]
            ),
        },
        total=total,
        shoppers=of_category,
        pairs=both,
        pair_shoppers=both_shoppers,
    )


class Disturber:
    """One mechanism after the other, each entered in the account."""

    def __init__(self, account: Account, source: NoiseSource, min_shoppers: int) -> None:
        self._account = account
        self._source = source
        self._min_shoppers = min_shoppers

    def keyed(
        self, name: str, exact: Keyed, sensitivity: Sensitivity
    ) -> tuple[tuple[npt.NDArray[np.int64], ...], npt.NDArray[np.int64]]:
        """Return the keys that show and their shoppers, at least `min_shoppers` each."""
        scale = noise.scale_for(sensitivity, self._account.rho(name))
        threshold = noise.threshold_for(sensitivity, scale, self._account.key_delta)
        cost = noise.threshold_cost(sensitivity, scale, threshold)
        self._account.charge(name, sensitivity, scale, cost, threshold=threshold)
        kept, amount = self._source.add_and_cut(exact.amount, scale=scale, threshold=threshold)
        shoppers = _shoppers(amount) + self._min_shoppers - 1
        return tuple(key[kept] for key in exact.keys), np.maximum(shoppers, self._min_shoppers)

    def known(
        self, name: str, exact: npt.NDArray[np.int64], sensitivity: Sensitivity, *, least: int
    ) -> npt.NDArray[np.int64]:
        """Return numbers of shoppers for keys that are known already."""
        return np.maximum(_shoppers(self._noisy(name, exact, sensitivity)), least)

    def weights(
        self, name: str, exact: npt.NDArray[np.int64], sensitivity: Sensitivity
    ) -> npt.NDArray[np.int64]:
        """Return weights, in thousandths as published, for keys that are known already."""
        return np.maximum(self._noisy(name, exact, sensitivity), 0)

    def total(self, name: str, exact: int) -> int:
        """Return one number of shoppers, at least 1."""
        noisy = self._noisy(name, np.array([exact], dtype=np.int64), WHOLE_SHOPPERS)
        return max(1, int(_shoppers(noisy)[0]))

    def _noisy(
        self, name: str, exact: npt.NDArray[np.int64], sensitivity: Sensitivity
    ) -> npt.NDArray[np.int64]:
        scale = noise.scale_for(sensitivity, self._account.rho(name))
        cost = noise.gaussian_cost(sensitivity, scale)
        self._account.charge(name, sensitivity, scale, cost, threshold=None)
        return self._source.add(exact, scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lifts:
    """What items and categories say about pairs of items; all of it released already."""

    category_of: npt.NDArray[np.int64]
    of_item: npt.NDArray[np.int64]
    item_total: int
    categories: _OfCategories | None

    def differ(
        self,
        keys: Sequence[npt.NDArray[np.int64]],
        shoppers: npt.NDArray[np.int64],
        *,
        by: float,
    ) -> npt.NDArray[np.bool_]:
        """Say which pairs of items have other numbers than their items and categories imply."""
        one, other = keys
        chance = self.of_item[one] * (self.of_item[other] / self.item_total)
        if self.categories is not None:
            chance = chance * _category_lift(
                self.categories, self.category_of[one], self.category_of[other]
            )
        return np.abs(shoppers - chance) > by


def _category_lift(
    found: _OfCategories, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return how much likelier categories go together than by chance; 1 where that is not known.

    A category goes with itself as often as it is taken.
    """
    n = found.shoppers.size
    own = np.flatnonzero(found.shoppers)
    first, second = (np.concatenate([key, own]) for key in found.pairs)
    together = np.concatenate([found.pair_shoppers, found.shoppers[own]])
    chance = found.shoppers[first] * (found.shoppers[second] / found.total)
    lift = np.ones(n * n)
    lift[first * n + second] = together / chance
    key = np.minimum(one, other) * n + np.maximum(one, other)
    known = (one >= 0) & (other >= 0)
    return np.where(known, lift[np.where(known, key, 0)], 1.0)


def _table(name: str, columns: Sequence[object]) -> pa.Table:
    fields = schema(name)
    rows = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)],
        schema=fields,
    )
    return rows.sort_by([(key, "ascending") for key in KEYS[name]])


def _named(names: Sequence[str], keys: npt.NDArray[np.int64]) -> list[str]:
    return [names[key] for key in keys.tolist()]


def _shoppers(amount: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (amount + UNIT // 2) // UNIT


def _spread(
    rows: npt.NDArray[np.int64], values: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    dense = np.zeros(size, dtype=np.int64)
    dense[rows] = values
    return dense


def _int64(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)
