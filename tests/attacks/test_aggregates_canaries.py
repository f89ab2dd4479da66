"""Canaries: shoppers whose rows nobody else has, and shoppers who have far too much (P8).

A canary must not show in any table, and must move no table further than anybody may. Each guard is
also removed, to see the canary then.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np
import pytest

from shelfrank_training.aggregates import (
    AggregateSettings,
    contributions,
    counts,
    prepare,
    private,
    secret_counts,
)
from shelfrank_training.aggregates.noise import OPENDP
from shelfrank_training.aggregates.scope import before_until
from support.attackers import numbers_of
from support.audit_shops import everybody_counts_whole
from support.noise_sources import ShowsAll
from support.shop import START, Line, write_catalog, write_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ibis.expr.types import Table

    from shelfrank_training.aggregates import Counting
    from shelfrank_training.aggregates.noise import NoiseSource, Sensitivity

DAY: Final = 24 * 60
K: Final = 20
END: Final = START + timedelta(days=200)

THRESHOLD: Final = AggregateSettings(min_shoppers=K)
NO_THRESHOLD: Final = replace(THRESHOLD, min_shoppers=1, unprotected=True)
EPSILON: Final = replace(THRESHOLD, epsilon=3.0, until=END.replace(tzinfo=UTC))
EPSILON_ALONE: Final = replace(EPSILON, min_shoppers=1, unprotected=True)

# --- Rows that nobody else has ---

CATEGORY_OF: Final[dict[str, str | None]] = {
    "bread": "bakery",
    "left": "left hand",
    "right": "right hand",
    "unique": "unique category",
}


def everybody() -> list[Line]:
    """Return a shop in which all have bread, most also what is left or what is right of it.

    Others have neither: if left and right filled the shop, their rows would be withheld, since
    their sizes would prove that somebody has both.
    """
    return [
        Line(shopper=f"s{number}", item=item, minute=number + minute, visit=str(minute))
        for number in range(600)
        for item in (("bread", "left"), ("bread", "right"), ("bread",))[number % 3]
        for minute in (0, 7 * DAY)
    ]


def canary(name: str) -> list[Line]:
    """Return one who has both, in an order and at a gap of their own, and an item of their own."""
    bought = [(0, "left"), (1, "right"), (2, "unique"), (2, "bread")]
    bought += [(100 * DAY, "left"), (150 * DAY, "right")]
    return [
        Line(shopper=name, item=item, minute=minute, visit=str(minute // DAY))
        for minute, item in bought
    ]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Counting]]:
    """Return the shop with no canary, with one, with one too few to be published, with enough."""
    folder = tmp_path_factory.mktemp("canaries")
    catalog = write_catalog(folder / "catalog.parquet", CATEGORY_OF)
    with ExitStack() as stack:
        opened = {}
        for canaries in (0, 1, K - 1, K):
            lines = [line for number in range(canaries) for line in canary(f"canary {number}")]
            events = write_events(folder / f"{canaries}.parquet", everybody() + lines)
            opened[canaries] = stack.enter_context(prepare(events, catalog, THRESHOLD))
        yield opened


def rows(
    counting: Counting, settings: AggregateSettings, source: NoiseSource = OPENDP
) -> set[tuple[str, ...]]:
    """Return the table and key of every row."""
    numbers = numbers_of(counting.release(settings, source=source).aggregates)
    return {name[:-1] for name in numbers if name[-1] == "shoppers"}


def every_pair_published() -> AbstractContextManager[object]:
    """Leave out no pair of items for saying nothing new: that is no protection."""
    return mock.patch.object(private, "SIGNIFICANT", -1.0)


@pytest.fixture(scope="module")
def canary_rows(shops: dict[int, Counting]) -> set[tuple[str, ...]]:
    """Return the rows that only canaries make."""
    return rows(shops[1], NO_THRESHOLD) - rows(shops[0], NO_THRESHOLD)


def test_without_a_threshold_a_canary_shows_in_every_table(
    canary_rows: set[tuple[str, ...]],
) -> None:
    assert canary_rows >= {
        ("items", "unique"),
        ("pairs", "left", "right"),
        ("pairs", "left", "unique"),
        ("next", "left", "right", "visit"),
        ("next", "left", "right", "visits"),
        ("repeats", "left", "112"),
        ("categories", "unique category"),
        ("category_pairs", "left hand", "right hand"),
        ("category_repeats", "left hand", "112"),
    }


@pytest.mark.parametrize("canaries", [1, K - 1])
def test_a_threshold_hides_canaries_up_to_one_too_few(
    shops: dict[int, Counting], canary_rows: set[tuple[str, ...]], canaries: int
) -> None:
    found = rows(shops[canaries], THRESHOLD)

    assert found == rows(shops[0], THRESHOLD)
    assert not found & canary_rows
    assert {row[0] for row in found} == {row[0] for row in canary_rows}


def test_as_many_canaries_as_the_threshold_asks_for_do_show(
    shops: dict[int, Counting], canary_rows: set[tuple[str, ...]]
) -> None:
    assert canary_rows <= rows(shops[K], THRESHOLD)


@pytest.mark.parametrize("canaries", [1, K - 1])
@pytest.mark.parametrize("source", [OPENDP, ShowsAll()])
def test_with_epsilon_canaries_up_to_one_too_few_are_hidden_whatever_the_noise(
    shops: dict[int, Counting],
    canary_rows: set[tuple[str, ...]],
    canaries: int,
    source: NoiseSource,
) -> None:
    # What 19 shoppers could have added is taken off before the noise, so luck plays no part.
    with every_pair_published():
        found = rows(shops[canaries], EPSILON, source)

    assert ("items", "bread") in found
    assert not found & canary_rows


def test_with_epsilon_alone_the_noise_hides_a_canary(
    shops: dict[int, Counting], canary_rows: set[tuple[str, ...]]
) -> None:
    with every_pair_published():
        found = rows(shops[1], EPSILON_ALONE)
        unprotected = rows(shops[1], EPSILON_ALONE, ShowsAll())

    # A sound release fails here with a chance below half of delta, 5 in 10 million.
    assert not found & canary_rows
    assert {row[0] for row in unprotected & canary_rows} == {
        *("items", "pairs", "categories", "category_pairs", "category_repeats")
    }


# --- Far too much ---

WIDE: Final = 300
"""Items of the canary, each in a category of its own: three times what is counted of anybody."""

ITEMS: Final = [f"item-{number:03}" for number in range(WIDE)]
OWN_CATEGORY: Final[dict[str, str | None]] = {item: f"category of {item}" for item in ITEMS}

FEW: Final = [Line(shopper=f"s{number}", item=item) for number in range(3) for item in ITEMS[:20]]
HOARDER: Final = [
    Line(shopper="canary", item=item, minute=day * DAY, visit=str(day))
    for day in range(180, 200)
    for item in ITEMS
]
"""Every item on each of the last twenty days: 6,000 events."""


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Counting]]:
    folder = tmp_path_factory.mktemp("hoarder")
    catalog = write_catalog(folder / "catalog.parquet", OWN_CATEGORY)
    with ExitStack() as stack:
        yield [
            stack.enter_context(prepare(write_events(folder / name, lines), catalog, NO_THRESHOLD))
            for name, lines in (("before.parquet", FEW), ("after.parquet", FEW + HOARDER))
        ]


def rises(before_and_after: Sequence[Counting]) -> dict[str, list[int]]:
    """Return by table how far the canary moves each row that it moves, in shoppers."""
    before, after = (
        numbers_of(counting.release(NO_THRESHOLD).aggregates) for counting in before_and_after
    )
    found: dict[str, list[int]] = {}
    for name, shoppers in after.items():
        rise = shoppers - before.get(name, 0)
        if name[-1] == "shoppers" and rise:
            found.setdefault(name[0], []).append(rise)
    return found


def stated_rows(counting: Counting) -> dict[str, int]:
    info = counting.release(NO_THRESHOLD).aggregates.info
    # There is no table of outcomes unless it is asked for.
    return {
        name: table.max_rows_per_shopper
        for name, table in info.tables.items()
        if name != "outcomes"
    }


@pytest.mark.slow
def test_a_hoarder_moves_no_more_rows_than_stated_and_each_by_one(
    before_and_after: list[Counting],
) -> None:
    stated = stated_rows(before_and_after[1])

    found = rises(before_and_after)

    assert set(found) == set(stated)
    for table, moved in found.items():
        assert len(moved) <= stated[table], table
        assert set(moved) == {1}, table
    # The bound bites: it is reached.
    assert len(found["items"]) == 100
    assert len(found["pairs"]) == 100 * 99 // 2


@pytest.mark.slow
def test_without_the_bound_a_hoarder_moves_more_rows_than_stated(
    before_and_after: list[Counting],
) -> None:
    stated = stated_rows(before_and_after[1])

    with mock.patch.object(contributions, "smallest", unbounded):
        found = rises(before_and_after)

    for table in ("items", "pairs", "repeats", "categories", "category_pairs"):
        assert len(found[table]) > stated[table], table


def unbounded(digested: Table, _max_items: int) -> Table:
    return digested.drop("digest")


def test_if_events_were_counted_one_shopper_would_move_a_row_by_more_than_one(
    before_and_after: list[Counting],
) -> None:
    with mock.patch.object(counts, "popularity", popularity_of_events):
        found = rises(before_and_after)

    assert set(found["items"]) == {20}


def popularity_of_events(contributions: Table, **_: object) -> Table:
    return contributions.group_by("unit").aggregate(
        shoppers=contributions.count(), weight=contributions.count()
    )


def moved(before_and_after: Sequence[Counting]) -> dict[str, list[int]]:
    """Return how far the canary moves what noise is added to, in thousandths of shoppers."""
    before, after = (amounts(counting) for counting in before_and_after)
    return {
        name: [amount - before[name].get(key, 0) for key, amount in rows.items()]
        for name, rows in after.items()
    }


def amounts(counting: Counting) -> dict[str, dict[object, int]]:
    settings = EPSILON_ALONE
    events, end = before_until(counting.events.table, settings)
    exact = secret_counts.SecretCounts(
        counting.engine, events, counting.catalog, end=end, settings=settings
    )
    of_items = exact.of_items(np.arange(WIDE))
    keyed = {
        "items": exact.items,
        "pairs": of_items.pairs,
        "categories": exact.category_units,
        "category_pairs": exact.category_pairs,
        "category_repeats": exact.category_repeats,
    }
    dense = {
        "items.shoppers": of_items.shoppers,
        "items.weight": of_items.weight,
        "categories.weight": exact.category_recent,
    }
    found: dict[str, dict[object, int]] = {
        name: dict(enumerate(numbers.tolist())) for name, numbers in dense.items()
    }
    for name, rows in keyed.items():
        keys = zip(*(key.tolist() for key in rows.keys), strict=True)
        found[name] = dict(zip(keys, rows.amount.tolist(), strict=True))
    return found


STATED: Final[dict[str, Sensitivity]] = {
    "items": secret_counts.CHOOSING.of_units(),
    "items.shoppers": secret_counts.ITEM_PAIRS.of_units(),
    "items.weight": secret_counts.RECENT_ITEMS.of_units(),
    "pairs": secret_counts.ITEM_PAIRS.of_pairs(),
    "categories": secret_counts.CATEGORY_PAIRS.of_units(),
    "categories.weight": secret_counts.CATEGORY_PAIRS.of_units(),
    "category_pairs": secret_counts.CATEGORY_PAIRS.of_pairs(),
    "category_repeats": secret_counts.REPEATS.of_units(),
}
"""What the noise of each pass is made for."""


def too_far(found: Mapping[str, Sequence[int]]) -> set[str]:
    """Return the passes that are moved further than stated."""
    return {
        name
        for name, steps in found.items()
        if sum(step != 0 for step in steps) > STATED[name].l0
        or math.hypot(*steps) > STATED[name].l2
        or max(map(abs, steps)) > STATED[name].linf
    }


@pytest.mark.slow
def test_a_hoarder_moves_what_noise_is_added_to_no_further_than_stated(
    before_and_after: list[Counting],
) -> None:
    found = moved(before_and_after)

    assert set(found) == set(STATED)
    assert too_far(found) == set()
    # The bounds bite: without them the canary moves everything further.
    with everybody_counts_whole():
        assert too_far(moved(before_and_after)) == set(STATED)
