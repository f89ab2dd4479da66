"""No row that was left out can be computed from those that are published (invariant P8)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from shelfrank_training.aggregates import tiny
from shelfrank_training.aggregates.disclosure import Overlaps, crowded
from shelfrank_training.aggregates.withholding import withhold_again
from support.disclosure_oracle import (
    Row,
    TinyShop,
    proved,
    publish,
    publish_all,
    random_shop,
    taste_shop,
)

X3: dict[str, str | None] = {"a": "X", "b": "X", "c": "X", "z": None}
"""Three items of a category, and one that almost everybody has."""

CASES: dict[str, TinyShop] = {
    "a category of two": TinyShop(
        {"a": "X", "b": "X", "z": None}, {"a": 8, "b": 8, "ab": 4, "z": 90}, 10
    ),
    # shoppers(X) = 17 + 17 + 21 - 5 - 5 - 3, and nobody has all three.
    "a category of three": TinyShop(
        X3, {"a": 9, "b": 9, "ab": 3, "c": 11, "ac": 5, "bc": 5, "z": 90}, 4
    ),
    "two items of a larger category": TinyShop(
        X3, {"a": 9, "b": 9, "ab": 3, "abc": 8, "z": 90}, 12
    ),
    # Of 12 shoppers of c, 10 have a and 10 have b.
    "an item that two others share": TinyShop(
        dict.fromkeys("abcz"), {"abc": 8, "ac": 2, "bc": 2, "a": 20, "b": 20, "z": 90}, 9
    ),
    "the total": TinyShop(dict.fromkeys("ab"), {"a": 12, "b": 12, "ab": 3}, 10),
    # X and Y share the shoppers of a and c, and of b and c: 12 + 5.
    "two categories": TinyShop(
        {"a": "X", "b": "X", "c": "Y", "z": None},
        {"a": 9, "b": 30, "ab": 20, "c": 9, "ac": 12, "bc": 5, "z": 200},
        10,
    ),
    # a with c and b with d: 12 each, of the 15 that X and Y share.
    "two pairs of two categories": TinyShop(
        {"a": "X", "b": "X", "c": "Y", "d": "Y", "z": None},
        {"ac": 3, "bd": 3, "abcd": 9, "ab": 11, "cd": 11, "z": 300, "az": 8, "bz": 8}
        | dict.fromkeys("abcd", 30),
        10,
    ),
    # Of 12 shoppers of Z, 10 have something of X and 10 something of Y.
    "a category that two others share": TinyShop(
        {"a": "X", "b": "X", "c": "X", "d": "Y", "e": "Y", "f": "Y", "g": "Z", "z": None},
        {"adg": 3, "beg": 2, "cfg": 3, "ag": 1, "bg": 1, "dg": 1, "eg": 1, "z": 300}
        | dict.fromkeys("abcdef", 20),
        9,
    ),
    # All who have nothing of X or Y are known, so X and Y cannot share less than 14: 6 + 6 + 2.
    "the total and two categories": TinyShop(
        {"a": "X", "b": "X", "d": "X", "c": "Y"},
        {"ac": 2, "bc": 6, "cd": 6, "a": 20, "b": 20, "d": 20, "c": 5},
        4,
    ),
    # X and Y do not fit into the total.
    "the total and categories that do not fit": TinyShop(
        {"a": "X", "b": "X", "c": "X", "d": "Y"},
        {"a": 9, "b": 9, "c": 9, "d": 9, "ad": 1, "bd": 1, "cd": 1},
        4,
    ),
    # X and Y together have 50 shoppers, and 30 each of a and c.
    "the union of two categories": TinyShop(
        {"a": "X", "b": "X", "c": "Y", "d": "Y", "z": None},
        {"a": 2, "ab": 12, "abd": 12, "ac": 4, "cd": 12, "bcd": 12, "z": 300},
        5,
    ),
}


# Four items and a total of 21: the overlaps around a and d leave no other way.
RING = TinyShop(
    dict.fromkeys("abcd"),
    {"b": 3, "c": 3, "ab": 3, "cd": 3, "abc": 3, "bcd": 3, "abcd": 3},
    4,
)


def given_away(left: TinyShop, rows: set[Row]) -> set[Row]:
    """Return the rows that were left out and can be proved to stand for somebody."""
    return {row for row, (least, _) in proved(left, rows).items() if least > 0}


@pytest.fixture
def rules_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at no shop exactly, so that what the rules miss is seen."""
    monkeypatch.setattr(tiny, "MOST_ITEMS", 0)


@pytest.mark.usefixtures("rules_alone")
@pytest.mark.parametrize("name", CASES)
def test_a_row_that_the_threshold_alone_gives_away_is_not_given_away(name: str) -> None:
    assert given_away(*publish_all(CASES[name]))

    left, rows = publish(CASES[name])

    assert not given_away(left, rows)
    assert len(rows) > 1


def test_in_a_tiny_shop_what_no_rule_sees_is_found_exactly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tiny, "MOST_ITEMS", 0)
        assert given_away(*publish(RING)) == {("a", "d")}

    left, rows = publish(RING)

    assert not given_away(left, rows)
    assert len(rows) > 5


def test_in_a_tiny_shop_categories_go_where_only_the_solver_sees_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = TinyShop(
        {"a": "X", "b": "X", "c": "X", "d": None, "e": "X"},
        {"b": 9, "c": 1, "d": 8, "e": 8, "ad": 7, "ae": 12, "bd": 8, "acd": 7, "bcd": 3, "cde": 6}
        | {"abde": 13},
        5,
    )
    with monkeypatch.context() as patched:
        patched.setattr(tiny, "MOST_ITEMS", 0)
        assert given_away(*publish(shop)) == {("b", "c")}

    left, rows = publish(shop)

    assert not given_away(left, rows)
    assert ("X",) not in rows
    assert set(left.category_of) == set("abcde")


def test_many_units_are_weighed_against_a_total_together() -> None:
    # Twelve units of 20, no two published together, in a total of 60: the 66 overlaps are 180 at
    # least, more than 65 of them can hold.
    sizes, none = np.full(12, 20), np.empty(0, np.int64)
    found = Overlaps(sizes=sizes, first=none, second=none, shared=none)

    assert crowded(found, 60, k=3).size == 12
    assert crowded(found, 110, k=3).size == 0
    assert crowded(found, 60, k=4).size == 0


def test_no_row_of_a_random_small_shop_can_be_proved_to_stand_for_anybody() -> None:
    rng = np.random.default_rng(20)
    found: Counter[str] = Counter()
    for number in range(150):
        shop = random_shop(rng, 2 + number % 3)
        if sum(shop.count((item,)) >= shop.k for item in shop.category_of) < 2:
            continue
        left, rows = publish(shop)
        told = proved(left, rows)
        assert all(least == 0 for least, _ in told.values()), shop
        found["left out"] += len(told)
        found["told"] += len(given_away(*publish_all(shop)))
        found["published"] += len(rows)
    assert found["left out"] > 50
    assert found["told"] > 20
    assert found["published"] > 400


@pytest.mark.usefixtures("rules_alone")
def test_the_rules_alone_leave_no_row_of_a_larger_shop_known() -> None:
    rng = np.random.default_rng(21)
    found: Counter[str] = Counter()
    for _ in range(15):
        shop = taste_shop(rng, 6)
        left, rows = publish(shop)
        told = proved(left, rows)
        assert not [row for row, (least, most) in told.items() if least == most > 0], shop
        found["left out"] += len(told)
        found["proved"] += sum(least > 0 for least, _ in told.values())
        found["told"] += len(given_away(*publish_all(shop)))
    assert found["left out"] > 30
    assert found["proved"] == 0
    assert found["told"] > 3


def test_that_a_pair_is_empty_can_follow() -> None:
    # Documented: an empty row stands for nobody.
    shop = TinyShop(X3, {"a": 12, "b": 12, "c": 12, "z": 90}, 4)

    left, rows = publish(shop)

    assert ("X",) in rows
    assert proved(left, rows)["a", "b"] == (0, 0)


@pytest.mark.parametrize(
    ("n_items", "shoppers", "kept"), [(3, 20, False), (3, 19, True), (4, 38, True), (4, 39, False)]
)
def test_that_shoppers_come_back_to_an_item_does_not_prove_where_they_were_in_between(
    n_items: int, shoppers: int, kept: bool
) -> None:
    # Nobody has published pairs; with k = 20 each of the others may hide 19.
    def table(**columns: list[int]) -> pa.Table:
        return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})

    items = table(unit=[0, 1], shoppers=[90, 90])
    pairs = table(unit=[], other=[], shoppers=[])
    again = table(unit=[0, 2], next=[0, 2], shoppers=[shoppers, shoppers])

    found = withhold_again(items, pairs, again, n_items=n_items, k=20)

    assert found["unit"].to_pylist() == ([0] if kept else [])


@pytest.mark.parametrize("name", CASES)
def test_with_a_threshold_of_one_nothing_is_withheld(name: str) -> None:
    shop = replace(CASES[name], k=1)

    assert publish(shop) == publish_all(shop)
