"""What is published about the time of day, and that nothing small follows from it (P8)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import product
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shelfrank_training.aggregates import AggregateSettings, read_aggregates
from shelfrank_training.aggregates.disclosure import keep_dayparts
from shelfrank_training.events import Holdout
from support.noise_sources import Exact
from support.shop import START, Line, aggregate_lines, random_lines, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Cells = tuple[int, ...]
"""Shoppers of one item in each daypart that the shop is open in."""
Seen = tuple[int | None, ...]
"""The same as published; None: no row."""

HOUR = 60
ITEMS = [f"item-{number}" for number in range(8)]
CATEGORY_OF: dict[str, str | None] = {item: f"C{number % 3}" for number, item in enumerate(ITEMS)}
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
FEW = AggregateSettings(
    min_shoppers=3, unprotected=True, until=(START + timedelta(days=400)).replace(tzinfo=UTC)
)


# --- What follows from what is published ---


def as_published(cells: Cells, size: int, k: int) -> Seen:
    """Return what is seen of an item, in a shop in which another fills every daypart."""
    unit, daypart, shoppers = [], [], []
    for place, of_unit in enumerate((cells, (size,) * len(cells))):
        for number, count in enumerate(of_unit):
            if count >= k:
                unit.append(place)
                daypart.append(number)
                shoppers.append(count)
    kept = keep_dayparts(
        np.array(unit), np.array(daypart), np.array(shoppers), np.array([size, size]), k=k
    )
    rows = zip(unit, daypart, kept.tolist(), strict=True)
    told = {number for place, number, is_kept in rows if place == 0 and is_kept}
    return tuple(count if number in told else None for number, count in enumerate(cells))


def threshold_alone(cells: Cells, _size: int, k: int) -> Seen:
    return tuple(count if count >= k else None for count in cells)


def given_away(publish: Callable[[Cells, int, int], Seen], n_open: int, size: int, k: int) -> int:
    """Count what is published of an item and tells something of a row that is missing.

    Whoever reads it knows the rule and all that can be: every shopper of the item was there at some
    time, in any dayparts. A missing row must be able to be anything from 0 to k - 1.
    """
    could_be: defaultdict[Seen, set[Cells]] = defaultdict(set)
    for cells in product(range(size + 1), repeat=n_open):
        if sum(cells) >= size:
            could_be[publish(cells, size, k)].add(cells)
    return sum(
        not {cells[place] for cells in worlds} >= set(range(k))
        for seen, worlds in could_be.items()
        for place, count in enumerate(seen)
        if count is None
    )


@pytest.mark.parametrize("n_open", [2, 3, 4])
def test_a_row_that_is_left_out_can_be_anything_below_the_threshold(n_open: int) -> None:
    largest = 9 if n_open < 4 else 6
    told = 0
    for k in range(2, 5):
        for size in range(k, largest):
            assert given_away(as_published, n_open, size, k) == 0, (size, k)
            told += given_away(threshold_alone, n_open, size, k)
    assert told > 10, "else the rule is not needed"


def test_of_an_item_sold_at_all_times_everything_is_told_and_of_a_rare_one_what_is_large() -> None:
    assert as_published((30, 25, 40, 20), 50, k=20) == (30, 25, 40, 20)
    assert as_published((0, 50, 3, 0), 50, k=20) == (None, 50, None, None)
    # 49 of the 50: somebody took it at another time, and there are only three left.
    assert as_published((0, 49, 1, 0), 50, k=20) == (None,) * 4
    assert as_published((0, 30, 20, 0), 50, k=20) == (None, 30, 20, None)
    assert as_published((0, 30, 19, 1), 50, k=20) == (None,) * 4
    assert as_published((0, 50, 3), 50, k=20) == (None, 50, None)


def test_in_a_shop_of_two_dayparts_both_are_told_and_of_one_none() -> None:
    assert as_published((30, 20), 50, k=20) == (30, 20)
    assert as_published((50, 19), 50, k=20) == (None, None)
    assert as_published((50,), 50, k=20) == (None,)


def test_with_a_threshold_of_one_nothing_is_withheld() -> None:
    assert as_published((0, 3), 3, k=1) == (None, 3)


# --- The table ---


def lines_of(shoppers: int, item: str, minute: int, **more: str) -> list[Line]:
    return [
        Line(shopper=f"s{number}", item=item, minute=minute, **more) for number in range(shoppers)
    ]


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    rng = np.random.default_rng(3)
    return [
        replace(line, minute=line.minute + int(rng.integers(24 * HOUR)))
        for line in random_lines(rng, 500, shoppers=40, items=ITEMS)
    ]


def test_the_hour_is_that_of_the_shop_in_winter_and_in_summer(tmp_path: Path) -> None:
    # Six in the morning in Amsterdam is five in UTC on 1 January, and four on 1 July.
    summer = 182 * 24 * HOUR
    lines = [
        *lines_of(3, "item-0", 5 * HOUR - 1),
        *lines_of(4, "item-0", 5 * HOUR, visit="2"),
        *lines_of(5, "item-0", summer + 4 * HOUR - 1, visit="3"),
        *lines_of(6, "item-0", summer + 4 * HOUR, visit="4"),
        *lines_of(7, "item-0", summer + 10 * HOUR, visit="5"),
        *lines_of(8, "item-0", summer + 16 * HOUR, visit="6"),
    ]

    found = aggregate_lines(tmp_path, lines, CATEGORY_OF, replace(FEW, zone=AMSTERDAM))

    assert rows_of(found, "dayparts") == [
        ("item-0", 0, 5),
        ("item-0", 1, 6),
        ("item-0", 2, 7),
        ("item-0", 3, 8),
    ]
    assert read_aggregates(tmp_path / "out").info.zone == "Europe/Amsterdam"


def test_a_shopper_counts_once_an_item_and_daypart_within_the_bounds(tmp_path: Path) -> None:
    lines = [
        line
        for item in ITEMS
        for hour in (0, 1, 6, 7, 12, 18, 23)
        for line in lines_of(12, item, hour * HOUR, visit=str(hour))
    ]
    asked = replace(FEW, min_shoppers=1, max_items=5, zone=ZoneInfo("UTC"))

    found = aggregate_lines(tmp_path, lines, CATEGORY_OF, asked)

    rows = rows_of(found, "dayparts")
    assert sum(int(n) for _, _, n in rows) == 12 * 5 * 4
    assert found.info.tables["dayparts"].max_rows_per_shopper == 5 * 4
    assert {item: n for item, _, n in rows} == {item: n for item, n, _ in rows_of(found, "items")}


def test_the_zone_changes_no_other_table_and_without_it_there_is_none(
    tmp_path: Path, lines: Sequence[Line]
) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()

    zoned = aggregate_lines(tmp_path / "with", lines, CATEGORY_OF, replace(FEW, zone=AMSTERDAM))
    plain = aggregate_lines(tmp_path / "without", lines, CATEGORY_OF, FEW)

    assert zoned.table("dayparts").num_rows > 0
    assert {**plain.info.tables, "dayparts": zoned.info.tables["dayparts"]} == zoned.info.tables
    assert "zone" not in plain.info.to_json()
    assert not (tmp_path / "without" / "out" / "dayparts.parquet").exists()
    again = read_aggregates(tmp_path / "without" / "out")
    assert again.info.zone is None
    assert again.table("dayparts").num_rows == 0


def test_who_is_held_out_or_makes_outcomes_is_in_no_daypart(
    tmp_path: Path, lines: Sequence[Line]
) -> None:
    apart = Holdout(share=0.3, salt="apart")
    kept = [line for line in lines if not apart.contains(line.shopper)]
    assert 0 < len(kept) < len(lines)
    made = []
    for name, some, more in (
        ("kept", kept, {}),
        ("held out", lines, {"holdout": Holdout(share=0.3, salt="apart")}),
        ("outcomes", lines, {"outcomes": apart}),
    ):
        (tmp_path / name).mkdir()
        # The salt of the hold-out also chooses what of a shopper is counted: all of it here.
        asked = replace(FEW, zone=AMSTERDAM, max_items=8, **more)
        made.append(rows_of(aggregate_lines(tmp_path / name, some, CATEGORY_OF, asked), "dayparts"))

    assert len(made[0]) > 5
    assert made == [made[0]] * 3


def test_with_noise_the_table_is_empty_and_costs_nothing(
    tmp_path: Path, lines: Sequence[Line]
) -> None:
    from shelfrank_training.aggregates import prepare
    from support.shop import write_catalog, write_events

    asked = replace(FEW, epsilon=2.0, delta=1e-3)
    events = write_events(tmp_path / "events.parquet", lines)
    catalog = write_catalog(tmp_path / "catalog.parquet", CATEGORY_OF)

    with prepare(events, catalog, asked) as counting:
        plain = counting.release(asked, source=Exact())
        zoned = counting.release(replace(asked, zone=AMSTERDAM), source=Exact())

    assert zoned.aggregates.table("dayparts").num_rows == 0
    told = zoned.aggregates.info.tables["dayparts"]
    assert (told.rows, told.noise, told.max_rows_per_shopper) == (0, (), 0)
    assert zoned.bill == plain.bill
    assert {**plain.files, "dayparts": zoned.files["dayparts"]} == zoned.files
