"""What follows what, and what is bought again: a category gives away no small row of its items."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from shelfrank_training.aggregates.withholding import Shown, withhold_categories
from support.aggregates_oracle import Rows, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

K = 5
ITEMS = ["a", "b", "c", "z"]
"""The first three are of category X, z is of Z; every two of them have 100 shoppers in common."""
FAR = (1, 2, 20)
STEPS = list(product((None, *FAR), repeat=3))[1:]
"""Steps from a, b and c to z that a shopper can make; None where z does not follow."""

SIMPLE = np.array([3.0 ** -sum(far is not None for far in steps) for steps in STEPS])
SIMPLE /= SIMPLE.sum()
"""Chances: mostly z follows one of the items, so that sums say much."""

Steps = dict[tuple[int | None, ...], int]
"""Steps → shoppers."""


def numbers(steps: tuple[int | None, ...], places: tuple[int, ...]) -> tuple[int, int, int]:
    """Return what one shopper adds to shoppers, weight and distance from some items to z."""
    mine = [far for place in places if (far := steps[place]) is not None]
    if not mine:
        return 0, 0, 0
    return 1, round(1000 * math.exp(-(min(mine) - 1) / 4)), min(mine)


def summed(shop: Steps, places: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the numbers of a row."""
    each = [np.array(numbers(steps, places)) * n for steps, n in shop.items()]
    shoppers, weight, distance = np.sum(each, axis=0).tolist()
    return shoppers, weight, distance


def withheld(of_items: Shown, of_categories: Shown) -> Shown:
    return withhold_categories(of_items, np.array([0, 0, 0, 1]), of_categories, total=5000, k=K)


def items(following: Rows, repeats: Rows, steps: Sequence[tuple[str | int, ...]] = ()) -> Shown:
    sizes: Rows = [(item, 300, 0) for item in ITEMS]
    pairs: Rows = [(x, y, 100) for x in ITEMS for y in ITEMS if x < y]
    return tables([sizes, pairs, following, repeats, list(steps)], ITEMS, K)


def categories(
    following: Rows, repeats: Rows, steps: Sequence[tuple[str | int, ...]] = ()
) -> Shown:
    sizes: Rows = [("X", 650, 0), ("Z", 300, 0)]
    found: list[Rows] = [sizes, [("X", "Z", 200)], following, repeats, list(steps)]
    return tables(found, ["X", "Z"], K)


def by_distance(shop: Steps, unit: str, to: str, places: tuple[int, ...]) -> Rows:
    """Return the steps of a row."""
    found: Counter[int] = Counter()
    for steps, n in shop.items():
        found[numbers(steps, places)[2]] += n
    return [(unit, to, far, n) for far, n in found.items() if far]


def is_published(shop: Steps) -> bool:
    """Say whether the row from X to Z is published."""
    large = [place for place in range(3) if summed(shop, (place,))[0] >= K]
    rows: Rows = [(ITEMS[place], "z", "visit", *summed(shop, (place,))) for place in large]
    steps = [row for place in large for row in by_distance(shop, ITEMS[place], "z", (place,))]
    whole: Rows = [("X", "Z", "visit", *summed(shop, (0, 1, 2)))]
    of_categories = categories(whole, [], by_distance(shop, "X", "Z", (0, 1, 2)))
    return bool(withheld(items(rows, [], steps), of_categories).following.num_rows)


def least(shop: Steps) -> dict[int, int]:
    """Return the least that each row below the threshold can be, by all that is published."""
    known, below = [], []
    for places in ((0,), (1,), (2,), (0, 1, 2)):
        sums = np.array([numbers(steps, places) for steps in STEPS], float).T
        found = summed(shop, places)
        if found[0] < K:
            below.append((places[0], sums[0]))
        else:
            known.append(LinearConstraint(sums, found, found))
    limits = [LinearConstraint(row, 0, K - 1) for _, row in below]
    proved = {}
    for place, row in below:
        answer = milp(
            row,
            constraints=[*known, *limits],
            integrality=np.ones(len(STEPS)),
            bounds=Bounds(0, np.inf),
        )
        assert answer.success, answer.message
        proved[place] = round(answer.fun)
    return proved


CASES: dict[str, Steps] = {
    # 12 after a, 12 after c, and 26 after any of the three.
    "shoppers": {(1, None, None): 12, (None, None, 1): 12, (None, 1, None): 2},
    # 24 after any of the three, but for 2 of them z is nearer than after a or c.
    "weight and distance": {(20, None, None): 10, (None, None, 20): 12, (20, 1, None): 2},
}


@pytest.mark.parametrize("name", CASES)
def test_one_small_cell_of_a_category_is_not_given_away(name: str) -> None:
    assert least(CASES[name]) == {1: 2}

    assert not is_published(CASES[name])


def test_from_visit_to_visit_a_small_cell_is_not_given_away_either() -> None:
    cells: Rows = [(item, "z", "visits", 12, 12_000, 12) for item in "ac"]

    def n_published(shoppers: int) -> int:
        whole: Rows = [("X", "Z", "visits", shoppers, 1000 * shoppers, shoppers)]
        return withheld(items(cells, []), categories(whole, [])).following.num_rows

    # 24 after a or c, or fewer where they are the same: from 25 on somebody came after b. That a
    # row is missing must not say so: it goes at 21 already.
    assert [n_published(shoppers) for shoppers in (12, 20, 21, 24, 26)] == [1, 1, 0, 0, 0]


def test_a_category_whose_cells_are_all_published_is_published() -> None:
    assert is_published({(1, 1, 1): 5, (20, 20, 20): 7})


def test_no_small_cell_of_a_random_category_can_be_proved_to_stand_for_anybody() -> None:
    rng = np.random.default_rng(4)
    found: Counter[str] = Counter()
    for _ in range(300):
        kinds = rng.choice(len(STEPS), int(rng.integers(2, 6)), p=SIMPLE)
        shop = {STEPS[kind]: int(rng.integers(1, 15)) for kind in kinds}
        proved = least(shop)
        if not proved or len(proved) == 3:
            continue
        found["given away"] += any(proved.values())
        if is_published(shop):
            found["published"] += 1
            assert not any(proved.values()), shop
    assert found["given away"] > 5
    assert found["published"] > 5


def test_what_follows_in_a_pair_that_is_withheld_goes_with_it() -> None:
    # a and b of X: 9 and 12 have them with z; with 18 in X and Z together, and c with nobody, …
    sizes: Rows = [(item, 300, 0) for item in ITEMS]
    pairs: Rows = [("a", "b", 100), ("a", "c", 100), ("b", "c", 100), ("a", "z", 9), ("b", "z", 9)]
    following: Rows = [("X", "Z", "visit", 8, 8000, 8)]
    shown = tables([sizes, pairs, [], [], []], ITEMS, K)
    # … 22 would leave 4 for c and z, who are left out.
    tight, loose = (
        tables([[("X", 650, 0), ("Z", 300, 0)], [("X", "Z", n)], following, [], []], ["X", "Z"], K)
        for n in (22, 12)
    )

    assert withheld(shown, tight).pairs.num_rows == 0
    assert withheld(shown, tight).following.num_rows == 0
    assert withheld(shown, loose).pairs.num_rows == 1
    assert withheld(shown, loose).following.num_rows == 1


def test_a_category_is_not_bought_again_by_fewer_than_one_of_its_items() -> None:
    again: Rows = [("a", 7, 20), ("a", 14, 5)]
    whole: Rows = [("X", 7, 26), ("Z", 7, 9)]
    part: Rows = [("X", 7, 24), ("Z", 7, 9)]

    assert withheld(items([], again), categories([], whole)).repeats.num_rows == 2
    found = withheld(items([], again), categories([], part)).repeats
    assert found["unit"].to_pylist() == [1]
