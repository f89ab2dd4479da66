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
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from shelfrank_training.aggregates import noise
from shelfrank_training.aggregates.folder import KEYS, OPTIONAL, schema
from shelfrank_training.aggregates.noise import UNIT
from shelfrank_training.aggregates.portions import WHOLE_SHOPPERS
from shelfrank_training.aggregates.publication import Published
from shelfrank_training.aggregates.secret_counts import (
    CATEGORY_PAIRS,
    CHOOSING,
    ITEM_PAIRS,
    RECENT_ITEMS,
    REPEATS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank_training.aggregates.budget import Account, Bill
    from shelfrank_training.aggregates.noise import NoiseSource, Sensitivity
    from shelfrank_training.aggregates.secret_counts import Keyed, SecretCounts

SIGNIFICANT: Final = 2.0
"""Standard deviations of the noise by which a pair of items must differ from what its items and
categories say already. It is above the threshold in any case, so this only drops pairs of very
popular items that go together as any two would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateRelease:
    """What may leave.

    Attributes:
        tables: a table for each name in `KEYS` but ``outcomes`` and what is optional; those not
            released are empty.
        totals: what all shoppers count in a table, with noise, in shoppers.
        shoppers: how many there are, with noise.
        bill: what it costs.
    """

    tables: dict[str, Published]
    totals: dict[str, int]
    shoppers: int
    bill: Bill


def release(
    exact: SecretCounts, account: Account, source: NoiseSource = noise.OPENDP
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
    others = {*tables, *OPTIONAL, "outcomes"}
    empty = {name: schema(name).empty_table() for name in KEYS if name not in others}
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


def _release_categories(exact: SecretCounts, disturb: Disturber) -> _OfCategories:
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
