"""Somebody who reads everything that is published and can do any arithmetic: a solver.

How many shoppers have exactly these items and no others is unknown, for every set of items. What is
published are sums of the unknowns. The solver finds the least and the most that a row which was
left out can be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from shelfrank_training.aggregates.withholding import Shown, withhold_categories, withhold_items
from support.aggregates_oracle import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

Row = tuple[str, ...]
"""One or two items or categories; none: every shopper."""

ITEMS = "abcdefg"
CATEGORIES = "XYZ"


@dataclass(frozen=True)
class TinyShop:
    """A shop as the solver would like to know it.

    Attributes:
        category_of: item → category.
        baskets: the items of a shopper, in order → shoppers with exactly these.
        k: the threshold.
    """

    category_of: Mapping[str, str | None]
    baskets: Mapping[str, int]
    k: int

    def count(self, row: Row) -> int:
        """Return the shoppers of a row; a category is had by whoever has one of its items."""
        return sum(n for basket, n in self.baskets.items() if self.has(basket, row))

    def has(self, basket: str, row: Row) -> bool:
        """Say whether a shopper with this basket counts in a row."""
        mine = {*basket, *(self.category_of[item] for item in basket)}
        return mine.issuperset(row)

    def only(self, items: Iterable[str]) -> TinyShop:
        """Return the shop without the other items; some shoppers may have nothing then."""
        items = set(items)
        baskets: Counter[str] = Counter()
        for basket, n in self.baskets.items():
            baskets["".join(item for item in basket if item in items)] += n
        category_of = {item: self.category_of[item] for item in sorted(items)}
        return TinyShop(category_of, baskets, self.k)

    @property
    def categories(self) -> list[str]:
        """Those with an item."""
        return sorted({name for name in self.category_of.values() if name})


def publish(shop: TinyShop) -> tuple[TinyShop, set[Row]]:
    """Return the shop without withheld items, and the rows that are published of it."""
    whole = shop.only(item for item in shop.category_of if shop.count((item,)) >= shop.k)
    ids = list(whole.category_of)
    total = whole.count(())
    found = _tables(whole, ids)
    units, pairs = withhold_items(found.units, found.pairs, total=total, k=shop.k)
    left = whole.only(ids[unit] for unit in units["unit"].to_pylist())
    rows = _rows(ids, units, pairs)
    names = left.categories
    if names:
        shown = Shown(units, pairs, found.following, found.repeats, found.steps)
        places = [names.index(name) if name else -1 for name in left.category_of.values()]
        of_categories = withhold_categories(
            shown, np.array(places), _tables(left, names), total=total, k=shop.k
        )
        rows |= _rows(names, of_categories.units, of_categories.pairs)
    return left, rows | {()}


def publish_all(shop: TinyShop) -> tuple[TinyShop, set[Row]]:
    """Return what a threshold alone would publish."""
    left = shop.only(item for item in shop.category_of if shop.count((item,)) >= shop.k)
    return left, {row for row in every_row(left) if left.count(row) >= shop.k} | {()}


def every_row(shop: TinyShop) -> list[Row]:
    """Return every row there can be."""
    units = [list(shop.category_of), shop.categories]
    return [row for of in units for n in (1, 2) for row in combinations(of, n)]


def proved(shop: TinyShop, rows: set[Row]) -> dict[Row, tuple[int, int]]:
    """Return least and most of every row that is below the threshold."""
    items = "".join(shop.category_of)
    sets = ["".join(some) for n in range(len(items) + 1) for some in combinations(items, n)]
    if not shop.baskets.get(""):
        sets = sets[1:]  # No shopper was lost with an item, and whoever reads it may know that.
    below = [row for row in every_row(shop) if shop.count(row) < shop.k and len(row) == 2]
    below = [row for row in below if row[0] in items or {(row[0],), (row[1],)} <= rows]

    def sums(some: Iterable[Row]) -> np.ndarray:
        return np.array([[shop.has(basket, row) for basket in sets] for row in some], float)

    counts = [shop.count(row) for row in rows]
    known = [LinearConstraint(sums(rows), counts, counts)]
    if below:
        known.append(LinearConstraint(sums(below), 0, shop.k - 1))
    return {row: _range(aim, known) for row, aim in zip(below, sums(below), strict=True)}


def _range(aim: np.ndarray, known: Sequence[LinearConstraint]) -> tuple[int, int]:
    found = []
    for sign in (1, -1):
        answer = milp(
            sign * aim, constraints=known, integrality=np.ones(aim.size), bounds=Bounds(0, np.inf)
        )
        assert answer.success, answer.message
        found.append(round(sign * answer.fun))
    return found[0], found[1]


def _tables(shop: TinyShop, units: Sequence[str]) -> Shown:
    sizes: list[tuple[str | int, ...]] = [(unit, shop.count((unit,)), 0) for unit in units]
    pairs: list[tuple[str | int, ...]] = [
        (*pair, shop.count(pair)) for pair in combinations(units, 2)
    ]
    return tables([sizes, pairs, [], [], []], units, shop.k)


def _rows(ids: Sequence[str], units: pa.Table, pairs: pa.Table) -> set[Row]:
    columns = (pairs["unit"].to_pylist(), pairs["other"].to_pylist())
    return {(ids[unit],) for unit in units["unit"].to_pylist()} | {
        (ids[one], ids[other]) for one, other in zip(*columns, strict=True)
    }


def random_shop(rng: np.random.Generator, n_items: int) -> TinyShop:
    """Return a shop with many ways to be squeezed: few kinds of shoppers, large and small."""
    k = int(rng.integers(2, 6))
    items = ITEMS[:n_items]
    names = CATEGORIES[: int(rng.integers(1, 4))]
    category_of = {i: str(rng.choice(list(names))) if rng.random() < 0.9 else None for i in items}
    share, most = rng.choice([0.2, 0.4, 0.7, 1.0]), int(rng.choice([1, 2, k, k + 2, 3 * k]))
    baskets = Counter(
        {
            "".join(some): int(rng.integers(0, most + 1))
            for n in range(1, n_items + 1)
            for some in combinations(items, n)
            if rng.random() < share
        }
    )
    kind = rng.integers(4)
    if kind == 1:
        baskets.update({item: int(rng.integers(0, 4 * k)) for item in items})
    elif kind == 2 and baskets:
        for _ in range(2):
            baskets[str(rng.choice(list(baskets)))] += int(rng.integers(k, 4 * k))
    elif kind == 3:  # Somewhere else to be for most shoppers: the total is near no sum.
        baskets[items[-1]] += 20 * k
        category_of[items[-1]] = None
    return TinyShop(category_of, baskets, k)


def taste_shop(rng: np.random.Generator, n_items: int) -> TinyShop:
    """Return a shop of three kinds of taste, too large to be looked at exactly."""
    k, items = int(rng.integers(3, 7)), ITEMS[:n_items]
    names = CATEGORIES[: int(rng.integers(1, 4))]
    taste = rng.beta(0.6, 1.2, (3, n_items))
    dice = rng.random((int(rng.integers(5, 20)) * k, n_items))
    bought = dice < taste[rng.integers(0, 3, len(dice))]
    baskets = Counter(
        "".join(item for item, has in zip(items, row, strict=True) if has) for row in bought
    )
    del baskets[""]
    return TinyShop({item: str(rng.choice(list(names))) for item in items}, baskets, k)
