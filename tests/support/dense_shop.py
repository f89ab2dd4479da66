"""Counts of a shop of any size in which every item has many pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.models.counts import Counts, PairCounts
from shelfrank_training.models.space import ItemSpace
from shelfrank_training.publish.catalog import CatalogRow

if TYPE_CHECKING:
    import numpy.typing as npt

TITLE_BYTES: Final = 40
BRANDS: Final = 2_000
_SHOPPERS: Final = 1_000_000
_LETTERS: Final = np.array(list("aaabcdeeeefghiiiklmnnoooprrssttuuvwz      "))


def dense_rows(n_items: int, n_categories: int, *, rng: np.random.Generator) -> list[CatalogRow]:
    """Return items with titles of 30 to 40 random letters, a category, a brand and a price."""
    letters = rng.choice(_LETTERS, (n_items, TITLE_BYTES))
    lengths = rng.integers(30, TITLE_BYTES + 1, n_items)
    category = rng.integers(0, n_categories, n_items) if n_categories else None
    brand = rng.integers(0, BRANDS, n_items)
    price = rng.integers(50, 20_000, n_items) / 100
    ids = rng.choice(100 * n_items, n_items, replace=False)
    return [
        CatalogRow(
            item_id=f"{ids[row]:09}",
            title="".join(letters[row, : lengths[row]]).strip() or "x",
            category=None
            if category is None
            else f"Department {category[row] % 20}/{category[row]}",
            brand=f"Brand {brand[row]}",
            price=float(price[row]),
        )
        for row in range(n_items)
    ]


def dense_counts(rows: list[CatalogRow], *, pairs_each: int, rng: np.random.Generator) -> Counts:
    """Return made-up counts in which items have up to `pairs_each` pairs in every table.

    One in twenty is missing, so that no two tables have rows of the same lengths.
    """
    space = ItemSpace.of([row.item_id for row in rows], [row.category for row in rows])
    shoppers = np.floor(20 + _SHOPPERS / 50 / (1 + rng.permutation(space.n_items)))
    return Counts(
        space=space,
        n_shoppers=_SHOPPERS,
        n_category_shoppers=_SHOPPERS,
        pair_noise=0.0,
        category_pair_noise=0.0,
        min_shoppers=20,
        item_shoppers=shoppers,
        item_weight=shoppers * rng.uniform(0.1, 1.0, space.n_items),
        again_in_visit=np.floor(shoppers * rng.uniform(0, 0.3, space.n_items)),
        pairs=_pairs(space.n_items, pairs_each, rng=rng),
        next_in_visit=_pairs(space.n_items, pairs_each, rng=rng),
        next_visit=_pairs(space.n_items, pairs_each, rng=rng),
        repeat_gap_days=np.array([7.0, 28.0]),
        repeat_shoppers=np.array([500.0, 700.0]),
        category_shoppers=np.floor(rng.uniform(100, _SHOPPERS / 10, space.n_categories)),
        category_pairs=_pairs(space.n_categories, min(pairs_each, space.n_categories - 1), rng=rng),
    )


def _pairs(n: int, each: int, *, rng: np.random.Generator) -> PairCounts:
    source = np.repeat(np.arange(n, dtype=np.int64), max(0, each))
    # Apart by different steps, so that no pair stands twice and none is an item with itself.
    steps = 1 + rng.permutation(max(1, n - 1))[: max(0, each)]
    target: npt.NDArray[np.int64] = (source + np.tile(steps, n)) % max(1, n)
    there = rng.random(source.size) < 0.95
    source, target = source[there], target[there]
    shoppers = np.floor(rng.uniform(20, 2_000, source.size))
    return PairCounts(source=source, target=target, shoppers=shoppers, weight=shoppers * 0.7)
