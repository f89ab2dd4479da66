"""What one shopper can change before anything is left out (invariant P8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank_training.aggregates import AggregateSettings
from shelfrank_training.aggregates import counts as c
from shelfrank_training.aggregates.contributions import Bounds, bound, digest_items
from shelfrank_training.aggregates.folder import KEYS, schema
from shelfrank_training.events import open_engine
from shelfrank_training.events.engine import keep
from support.shop import START, Line, aggregate_lines, random_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

ITEMS = [f"item-{number}" for number in range(12)]
CATEGORY_OF: dict[str, str | None] = {item: f"C{number % 5}" for number, item in enumerate(ITEMS)}
END = START + timedelta(days=400)
BOUNDS = Bounds(max_items=4, max_visits=3, salt="test")

Numbers = dict[tuple[int | str, ...], tuple[int, ...]]
"""Key of a row → its numbers."""


OF_PART_A = set(KEYS) - {"outcomes"}
"""The tables that shoppers of part A make; `tests/training/outcomes` bounds the other."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Backend]:
    with open_engine() as opened:
        opened.con.execute("SET threads = 1")  # small tables: handing out work takes longer
        yield opened


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, int]:
    """How many rows of each table one shopper changes, as a folder with these bounds says."""
    lines = [Line(shopper=f"s{number}", item=ITEMS[0]) for number in range(10)]
    asked = AggregateSettings(min_shoppers=10, max_items=BOUNDS.max_items, zone=ZoneInfo("UTC"))
    found = aggregate_lines(tmp_path_factory.mktemp("declared"), lines, CATEGORY_OF, asked)
    return {name: table.max_rows_per_shopper for name, table in found.info.tables.items()}


@pytest.fixture(scope="module")
def shop(engine: Backend) -> Shop:
    return Shop(engine)


class Shop:
    """Counts every table of many small shops, with one translation of each query to SQL."""

    def __init__(self, engine: Backend) -> None:
        self._engine = engine
        self._events = engine.create_table("lines", ibis.memtable(events_of([])))
        numbers = {"item_id": ITEMS, "item": list(range(len(ITEMS)))}
        items = keep(engine, ibis.memtable(pa.table(numbers)))
        digested = digest_items(self._events, BOUNDS.salt)
        contributions = bound(self._events, digested, items, BOUNDS).rename(unit="item")
        units = engine.create_table("units", contributions)
        groups = pa.table({"unit": range(12), "category": [n % 5 for n in range(12)]})
        by_category = c.regroup(units, keep(engine, ibis.memtable(groups)))
        self._bounded = ibis.to_sql(contributions, "duckdb")
        # Kept: an engine forgets the small tables of weights with the expression that uses them.
        self._expressions = {
            "items": c.popularity(units, end=END, half_life_days=28),
            "pairs": c.pairs(units),
            "next": c.following(units, c.steps_in_visit(units)).union(
                c.next_in_visit(c.returns_in_visit(units)).mutate(scope=ibis.literal("visit"))
            ),
            "repeats": c.repeats(units),
            "dayparts": c.dayparts(units, [(START, 3600)]),
            "categories": c.popularity(by_category, end=END, half_life_days=28),
            "category_pairs": c.pairs(by_category),
            "category_next": c.following(by_category, c.steps_in_visit(by_category)),
            "category_repeats": c.repeats(by_category),
        }
        for expression in self._expressions.values():
            engine.to_pyarrow(expression)
        self._queries = {
            name: ibis.to_sql(table, "duckdb") for name, table in self._expressions.items()
        }

    def count(self, lines: Sequence[Line]) -> dict[str, Numbers]:
        connection = self._engine.con
        connection.execute("DELETE FROM lines")
        connection.register("new_lines", events_of(lines))
        connection.execute("INSERT INTO lines SELECT * FROM new_lines")
        connection.execute(f"CREATE OR REPLACE TABLE units AS {self._bounded}")
        found = {}
        for name, query in self._queries.items():
            rows = connection.execute(query)
            columns = [column[0] for column in rows.description]
            numbers = [column for column in schema(name).names if column in c.LARGEST_STEP]
            keys = [column for column in columns if column not in c.LARGEST_STEP]
            found[name] = {
                tuple(row[key] for key in keys): tuple(int(row[number]) for number in numbers)
                for values in rows.fetchall()
                for row in [dict(zip(columns, values, strict=True))]
            }
        return found


def events_of(lines: Sequence[Line]) -> pa.Table:
    return pa.table(
        {
            "shopper_id": pa.array([line.shopper for line in lines], pa.string()),
            "item_id": pa.array([line.item for line in lines], pa.string()),
            "time": pa.array([line.time for line in lines], pa.timestamp("us")),
            "kind": pa.array([line.kind for line in lines], pa.string()),
            "visit_id": pa.array([line.visit for line in lines], pa.string()),
        }
    )


LINES = st.builds(
    Line,
    shopper=st.just("one more"),
    item=st.sampled_from(ITEMS),
    minute=st.sampled_from([0, 1, 2, 3, 4, 700, 1440, 1441, 2500, 9000, 9001, 43_200, 432_000]),
    visit=st.sampled_from([str(number) for number in range(7)]),
    kind=st.sampled_from(["purchase", "view"]),
)


@pytest.mark.slow
@settings(max_examples=30)
@given(others=st.integers(0, 2**32 - 1), one=st.lists(LINES, min_size=1, max_size=60))
def test_one_shopper_more_changes_each_table_by_at_most_the_stated_bound(
    shop: Shop, declared: Mapping[str, int], others: int, one: list[Line]
) -> None:
    lines = random_lines(np.random.default_rng(others), 100, shoppers=5, items=ITEMS)

    before, after = shop.count(lines), shop.count(lines + one)

    assert set(before) == OF_PART_A
    for name, old in before.items():
        new = after[name]
        changed = {key for key in new if new[key] != old.get(key)}
        limits = [c.LARGEST_STEP[n] for n in schema(name).names if n in c.LARGEST_STEP]
        assert set(old) <= set(new), name
        assert len(changed) <= declared[name], name
        for key in changed:
            was = old.get(key, (0,) * len(limits))
            steps = [b - a for a, b in zip(was, new[key], strict=True)]
            assert steps[0] == 1, name
            assert all(0 <= step <= limit for step, limit in zip(steps, limits, strict=True)), name


def test_the_largest_shopper_reaches_the_stated_bounds(
    shop: Shop, declared: Mapping[str, int]
) -> None:
    # There and back in one visit, and again in the next: every ordered pair in both scopes. Each
    # goes on twelve hours later, and the next begins at another time of the day.
    one = [
        Line(shopper="one", item=item, minute=2100 * day + 720 * late + step, visit=str(day))
        for day in range(3)
        for late, way in enumerate((ITEMS, ITEMS[::-1]))
        for step, item in enumerate(way)
    ]

    found = shop.count(one)

    largest = ("items", "pairs", "next", "repeats", "dayparts")
    assert {name: len(found[name]) for name in largest} == {
        name: declared[name] for name in largest
    }
    assert {name: len(rows) <= declared[name] for name, rows in found.items()} == dict.fromkeys(
        OF_PART_A, True
    )


def bounded(engine: Backend, lines: Sequence[Line], bounds: Bounds) -> Table:
    events = ibis.memtable(events_of(lines))
    items = ibis.memtable(pa.table({"item_id": ITEMS, "item": list(range(len(ITEMS)))}))
    return engine.to_pyarrow(bound(events, digest_items(events, bounds.salt), items, bounds))


def windows(contributions: pa.Table) -> list[list[tuple[int, int]]]:
    """Return number and stretch of every visit that was kept, in order, by shopper."""
    found: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for row in contributions.to_pylist():
        found[row["shopper"]].add((row["visit"], row["stretch"]))
    return [sorted(found[shopper]) for shopper in sorted(found)]


def daily(n_shoppers: int, n_visits: int, *, name: str = "s", same_item: bool = True) -> list[Line]:
    return [
        Line(
            shopper=f"{name}{shopper}",
            item=ITEMS[0 if same_item else day],
            minute=1440 * day,
            visit=str(day),
        )
        for shopper in range(n_shoppers)
        for day in range(n_visits)
    ]


def test_visits_are_kept_in_a_circular_window_with_their_own_numbers(engine: Backend) -> None:
    many, three, two = (windows(bounded(engine, daily(60, n), BOUNDS)) for n in (6, 3, 2))

    assert {tuple(visits) for visits in many} == {
        ((0, 1), (1, 1), (2, 1)),
        ((1, 1), (2, 1), (3, 1)),
        ((2, 1), (3, 1), (4, 1)),
        ((3, 1), (4, 1), (5, 1)),
        ((0, 0), (4, 1), (5, 1)),
        ((0, 0), (1, 0), (5, 1)),
    }
    assert three == [[(0, 0), (1, 0), (2, 0)]] * 60
    assert two == [[(0, 0), (1, 0)]] * 60


def test_every_visit_has_the_same_chance_to_be_kept(engine: Backend) -> None:
    # One query for many shoppers: the digest covers the shopper as well as the salt.
    n_shoppers, n_visits = 3000, 8
    lines = daily(n_shoppers, n_visits)

    by_salt = [
        windows(bounded(engine, lines, replace(BOUNDS, salt=salt))) for salt in ("first", "second")
    ]

    for found in by_salt:
        assert {len(visits) for visits in found} == {BOUNDS.max_visits}
        kept = Counter(visit for visits in found for visit, _ in visits)
        expected = n_shoppers * BOUNDS.max_visits / n_visits
        # The starts of the windows are independent: 7 degrees of freedom, and 24.3 is passed in
        # 1 of 1,000 tries. What is kept is a sum of three starts, so at most three times as uneven.
        uneven = sum((kept[day] - expected) ** 2 / expected for day in range(n_visits))
        assert uneven < BOUNDS.max_visits * 24.3
    same = sum(one == other for one, other in zip(*by_salt, strict=True))
    assert same < n_shoppers / 4  # by chance 1 in 8


def test_the_window_invents_no_neighbours_and_no_gaps(engine: Backend) -> None:
    days = 9
    lines = daily(50, days, same_item=False) + daily(50, days, name="t")

    found = bounded(engine, lines, replace(BOUNDS, max_items=days))

    wrapped = sum(len({stretch for _, stretch in visits}) > 1 for visits in windows(found)[:50])
    units = ibis.memtable(found).rename(unit="item")
    following = engine.to_pyarrow(c.next_visit(units)).to_pylist()
    assert {row["next"] - row["unit"] for row in following} == {1}
    assert sum(row["shoppers"] for row in following) == 50 * (BOUNDS.max_visits - 1) - wrapped
    assert 0 < wrapped < 50
    gaps = engine.to_pyarrow(c.repeats(units)).to_pylist()
    assert [(row["gap_days"], row["shoppers"]) for row in gaps] == [(3, 50)]


def test_visits_that_start_at_one_moment_are_one_visit_for_the_window(engine: Backend) -> None:
    lines = [
        replace(line, item=ITEMS[till], visit=f"{line.visit} {till}")
        for line in daily(20, 5)
        for till in range(2)
    ]

    found = windows(bounded(engine, lines, BOUNDS))

    assert {len(visits) for visits in found} == {3}
    assert windows(bounded(engine, lines[::-1], BOUNDS)) == found


def test_next_reaches_a_stated_number_of_steps(engine: Backend) -> None:
    steps: Table = ibis.memtable(
        pa.table(
            {
                "shopper": pa.array([0] * 25),
                "unit": pa.array(range(25)),
                "visit": pa.array([0] * 25),
                "moment": pa.array(range(25)),
            }
        )
    )

    rows = engine.to_pyarrow(c.next_in_visit(c.steps_in_visit(steps))).to_pylist()

    found = {(row.pop("unit"), row.pop("next")): tuple(row.values()) for row in rows}
    assert c.MAX_DISTANCE == 20
    assert {later - unit for unit, later in found} == set(range(1, 21))
    assert [found[0, 1], found[0, 5], found[0, 20]] == [(1, 1000, 1), (1, 368, 5), (1, 9, 20)]
