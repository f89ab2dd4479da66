"""Aggregates as arrays over the rows of one model: what every estimator is fitted on.

There is no way from rows about shoppers into this type: it is made from an aggregates folder alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.types import DAYPARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.models.space import ItemSpace

WEIGHT_UNIT: Final = 1000
"""Weights are published as integers in 1/1,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """Numbers about ordered pairs of rows; a symmetric table stands in both directions.

    Attributes:
        source: int64, shape (N,).
        target: int64, shape (N,).
        shoppers: float64, shape (N,), distinct shoppers, at least `min_shoppers`.
        weight: float64, shape (N,), shoppers weighted by distance, at most `shoppers`.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    shoppers: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One aggregates folder, on the rows of one catalog.

    Attributes:
        space: the rows.
        min_shoppers: what every published number covers.
        n_shoppers: what all shoppers count in items: how many there are or, with epsilon, where one
            of many items counts in part, fewer.
        n_category_shoppers: likewise in categories.
        pair_noise: standard deviation of `pairs`, in shoppers; 0 without noise.
        category_pair_noise: likewise of `category_pairs`.
        item_shoppers: float64, shape (n_items,).
        item_weight: float64, shape (n_items,), recency-weighted shoppers.
        pairs: items with the same shopper, both directions.
        next_in_visit: ordered pairs of different items inside one visit.
        again_in_visit: float64, shape (n_items,), shoppers who come back to the item later in the
            same visit; 0 where that is not published.
        next_visit: ordered pairs from one visit to the shopper's next.
        repeat_gap_days: float64, shape (G,), upper bounds of the gaps between repeat purchases, all
            items, or all categories where items have none.
        repeat_shoppers: float64, shape (G,), shoppers per gap.
        dayparts: float64, shape (n_items, 4), shoppers of the item in each part of the day; 0 where
            that is not published. None where nothing at all is.
        category_shoppers: float64, shape (n_categories,).
        category_pairs: categories with the same shopper, both directions, without the diagonal.
    """

    space: ItemSpace
    min_shoppers: int
    n_shoppers: int
    n_category_shoppers: int
    pair_noise: float
    category_pair_noise: float
    item_shoppers: npt.NDArray[np.float64]
    item_weight: npt.NDArray[np.float64]
    pairs: PairCounts
    next_in_visit: PairCounts
    again_in_visit: npt.NDArray[np.float64]
    next_visit: PairCounts
    repeat_gap_days: npt.NDArray[np.float64]
    repeat_shoppers: npt.NDArray[np.float64]
    category_shoppers: npt.NDArray[np.float64]
    category_pairs: PairCounts
    dayparts: npt.NDArray[np.float64] | None = None

    @classmethod
    def of(cls, aggregates: Aggregates, space: ItemSpace) -> Counts:
        """Read the tables; statistics about items or categories outside `space` are left out."""
        items = _Columns(aggregates, "items")
        rows = space.rows_of(items.text("item_id"))
        following = _Columns(aggregates, "next")
        in_visit = np.array([scope == "visit" for scope in following.text("scope")], dtype=np.bool_)
        # With epsilon only categories have gaps.
        found = aggregates.table("repeats").num_rows
        repeats = _Columns(aggregates, "repeats" if found else "category_repeats")
        gaps, shoppers = _by_gap(repeats.numbers("gap_days"), repeats.numbers("shoppers"))
        categories = _Columns(aggregates, "categories")
        inside = following.pairs("item_id", "next_item_id", space.rows_of, in_visit)
        return cls(
            space=space,
            min_shoppers=aggregates.info.min_shoppers,
            n_shoppers=_total(aggregates, "items"),
            n_category_shoppers=_total(aggregates, "categories"),
            pair_noise=_noise(aggregates, "pairs"),
            category_pair_noise=_noise(aggregates, "category_pairs"),
            item_shoppers=_spread(rows, items.numbers("shoppers"), space.n_items),
            item_weight=_spread(rows, items.numbers("weight") / WEIGHT_UNIT, space.n_items),
            pairs=_both(_Columns(aggregates, "pairs").pairs("item_id", "other_id", space.rows_of)),
            next_in_visit=_different(inside),
            again_in_visit=_again(inside, space.n_items),
            next_visit=following.pairs("item_id", "next_item_id", space.rows_of, ~in_visit),
            repeat_gap_days=gaps,
            repeat_shoppers=shoppers,
            category_shoppers=_spread(
                space.category_rows_of(categories.text("category")),
                categories.numbers("shoppers"),
                space.n_categories,
            ),
            category_pairs=_both(
                _Columns(aggregates, "category_pairs").pairs(
                    "category", "other", space.category_rows_of
                )
            ),
            dayparts=_dayparts(aggregates, space),
        )


def _dayparts(aggregates: Aggregates, space: ItemSpace) -> npt.NDArray[np.float64] | None:
    found = _Columns(aggregates, "dayparts")
    rows = space.rows_of(found.text("item_id"))
    if not rows.size:
        return None
    dense = np.zeros((space.n_items, len(DAYPARTS)))
    daypart, inside = found.numbers("daypart").astype(np.int64), rows >= 0
    dense[rows[inside], daypart[inside]] = found.numbers("shoppers")[inside]
    return dense


def _total(aggregates: Aggregates, table: str) -> int:
    info = aggregates.info.tables.get(table)
    return aggregates.info.shoppers if info is None or info.total is None else info.total


def _noise(aggregates: Aggregates, table: str) -> float:
    info = aggregates.info.tables.get(table)
    return max((noise.scale for noise in info.noise), default=0.0) if info is not None else 0.0


class _Columns:
    """The columns of one published table."""

    def __init__(self, aggregates: Aggregates, table: str) -> None:
        self._table = aggregates.table(table)

    def text(self, column: str) -> list[str]:
        return [str(value) for value in self._table.column(column).to_pylist()]

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        return np.asarray(self._table.column(column).to_numpy(), dtype=np.float64)

    def pairs(
        self,
        source: str,
        target: str,
        rows_of: Callable[[Sequence[str]], npt.NDArray[np.int64]],
        kept: npt.NDArray[np.bool_] | None = None,
    ) -> PairCounts:
        shoppers = self.numbers("shoppers")
        weighted = "weight" in self._table.column_names
        weight = self.numbers("weight") / WEIGHT_UNIT if weighted else shoppers
        sources, targets = rows_of(self.text(source)), rows_of(self.text(target))
        inside = (sources >= 0) & (targets >= 0)
        if kept is not None:
            inside &= kept
        return PairCounts(
            source=sources[inside],
            target=targets[inside],
            shoppers=shoppers[inside],
            weight=weight[inside],
        )


def _different(pairs: PairCounts) -> PairCounts:
    kept = pairs.source != pairs.target
    return PairCounts(
        source=pairs.source[kept],
        target=pairs.target[kept],
        shoppers=pairs.shoppers[kept],
        weight=pairs.weight[kept],
    )


def _again(pairs: PairCounts, n_items: int) -> npt.NDArray[np.float64]:
    same = pairs.source == pairs.target
    return _spread(pairs.source[same], pairs.shoppers[same], n_items)


def _both(pairs: PairCounts) -> PairCounts:
    return PairCounts(
        source=np.concatenate([pairs.source, pairs.target]),
        target=np.concatenate([pairs.target, pairs.source]),
        shoppers=np.concatenate([pairs.shoppers, pairs.shoppers]),
        weight=np.concatenate([pairs.weight, pairs.weight]),
    )


def _spread(
    rows: npt.NDArray[np.int64], values: npt.NDArray[np.float64], size: int
) -> npt.NDArray[np.float64]:
    dense = np.zeros(size)
    dense[rows[rows >= 0]] = values[rows >= 0]
    return dense


def _by_gap(
    gaps: npt.NDArray[np.float64], shoppers: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    distinct, place = np.unique(gaps, return_inverse=True)
    totals = np.bincount(place, weights=shoppers, minlength=distinct.size)
    return distinct, totals.astype(np.float64)
