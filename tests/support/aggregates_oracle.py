"""What `aggregate` must publish, in obvious Python: no engine, one shopper at a time."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shelfrank_training.aggregates.withholding import (
    Shown,
    withhold_again,
    withhold_categories,
    withhold_items,
    withhold_next,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, tzinfo

    from support.shop import Line

Rows = list[tuple[str | int, ...]]
Thing = tuple[str | None, "datetime", bool]
"""A unit (None: only its moment counts), when, and whether it was bought."""
Visit = tuple["datetime", list[Thing]]
"""Its start, and what happened."""
BUCKETS = (3, 7, 14, 28, 56, 112, 224, 448)


def expected(
    lines: Sequence[Line],
    category_of: Mapping[str, str | None],
    *,
    k: int,
    m: int,
    end: datetime,
    zone: tzinfo | None = None,
) -> dict[str, Rows]:
    """Return the rows of every table; nobody is held out, and nobody makes outcomes.

    `k` is min_shoppers, `m` max_items, `zone` tells the time of day. What must stay because
    something small follows from it is asked of the rules themselves, except by the time of day:
    they have an oracle of their own (`support.disclosure_oracle`).
    """
    lines = choose([line for line in lines if line.kind != "dislike"], k=k, m=m)
    total = len({line.shopper for line in lines})
    ids = sorted({line.item for line in lines})
    counted_items = tables(counted(lines, lambda line: line.item, end), ids, k)
    units, pairs = withhold_items(counted_items.units, counted_items.pairs, total=total, k=k)
    following = only(only(counted_items.following, "unit", units), "next", units)
    following = withhold_next(units, pairs, following)
    shown = Shown(
        units=units,
        pairs=pairs,
        following=following,
        repeats=only(counted_items.repeats, "unit", units),
        steps=steps_of(following, only(only(counted_items.steps, "unit", units), "next", units)),
    )
    published = [ids[unit] for unit in units["unit"].to_pylist()]
    names = sorted({name for item in published if (name := category_of[item]) is not None})

    def category(line: Line) -> str | None:
        return category_of[line.item] if line.item in published else None

    found = tables(counted(lines, category, end), names, k)
    if names:
        places = [names.index(name) if (name := category_of[i]) else -1 for i in published]
        found = withhold_categories(shown, np.array(places), found, total=total, k=k)
    of_items, of_categories = rows_of(shown, ids), rows_of(found, names)
    coming_back = returns(lines, ids, k)
    coming_back = withhold_again(units, pairs, coming_back, n_items=len(category_of), k=k)
    again = rows_of(replace(shown, following=coming_back), ids)[2]
    return {
        "items": of_items[0],
        "pairs": of_items[1],
        "next": sorted([*of_items[2], *again], key=lambda row: [str(cell) for cell in row[:3]]),
        "repeats": of_items[3],
        "categories": of_categories[0],
        "category_pairs": of_categories[1],
        "category_next": of_categories[2],
        "category_repeats": of_categories[3],
        "outcomes": [],
        "dayparts": dayparts(lines, {name: n for name, n, *_ in of_items[0]}, k=k, zone=zone),
    }


def dayparts(
    lines: Sequence[Line], sizes: Mapping[str | int, str | int], *, k: int, zone: tzinfo | None
) -> Rows:
    """Return the rows about the time of day of published items, whose shoppers are `sizes`."""
    who: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for line in lines if zone is not None else ():
        if line.item in sizes:
            local = line.time.replace(tzinfo=UTC).astimezone(zone)
            who[line.item, local.hour // 6].add(line.shopper)
    large = {key: len(have) for key, have in who.items() if len(have) >= k}
    of_shop = {daypart for _, daypart in large}
    kept: Rows = []
    for item, size in sizes.items():
        cells = [(item, daypart, n) for (name, daypart), n in large.items() if name == item]
        enough = sum(n for _, _, n in cells) >= int(size)
        # With two dayparts both, with one none: a missing item must prove nothing.
        both = len(of_shop) > 2 or len(cells) == len(of_shop) == 2
        if k == 1 or (enough and both):
            kept += cells
    return sorted(kept)


def only(rows: pa.Table, column: str, units: pa.Table) -> pa.Table:
    """Return the rows about some units."""
    return rows.filter(pc.is_in(rows[column], value_set=units["unit"].combine_chunks()))


def steps_of(following: pa.Table, steps: pa.Table) -> pa.Table:
    """Return the steps of the rows in a visit."""
    rows = following.filter(pc.equal(following["scope"], "visit")).select(["unit", "next"])
    return steps.join(rows, ["unit", "next"], join_type="left semi")


KEYS = {"unit", "other", "next"}
"""Columns that hold a unit."""
SCHEMAS = (
    ("unit", "shoppers", "weight"),
    ("unit", "other", "shoppers"),
    ("unit", "next", "scope", "shoppers", "weight", "distance"),
    ("unit", "gap_days", "shoppers"),
    ("unit", "next", "distance", "shoppers"),
)
"""Of what is counted about units, in the order of `Shown`."""


def tables(found: Sequence[Rows], ids: Sequence[str], k: int) -> Shown:
    """Return tables of the rows with at least `k` shoppers; units are their place in `ids`."""
    made = []
    for rows, names in zip(found, SCHEMAS, strict=True):
        least = 1 if names is SCHEMAS[-1] else k
        large = sorted(row for row in rows if int(row[names.index("shoppers")]) >= least)
        columns = {
            name: pa.array(
                [ids.index(str(row[place])) if name in KEYS else row[place] for row in large],
                pa.string() if name == "scope" else pa.int64(),
            )
            for place, name in enumerate(names)
        }
        made.append(pa.table(columns))
    return Shown(*made)


def rows_of(shown: Shown, ids: Sequence[str]) -> list[Rows]:
    """Return the rows of `tables`."""
    return [
        [
            tuple(ids[cell] if name in KEYS else cell for name, cell in row.items())
            for row in table.to_pylist()
        ]
        for table in (shown.units, shown.pairs, shown.following, shown.repeats)
    ]


def choose(lines: Sequence[Line], *, k: int, m: int) -> list[Line]:
    """Keep `m` items of every shopper, among those that reach `k` shoppers."""
    by_shopper = defaultdict(set)
    for line in lines:
        by_shopper[line.shopper].add(line.item)

    def digest(shopper: str, item: str) -> str:
        return hashlib.sha256(f"shelfrank-0|{shopper}|{item}".encode()).hexdigest()

    order = {s: sorted(have, key=lambda item: digest(s, item)) for s, have in by_shopper.items()}
    reach = Counter(item for have in order.values() for item in have[:m])
    kept = {s: [i for i in have if reach[i] >= k][:m] for s, have in order.items()}
    return [line for line in lines if line.item in kept[line.shopper]]


def counted(lines: Sequence[Line], unit: Callable[[Line], str | None], end: datetime) -> list[Rows]:
    """Count one shopper after the other; lines without a unit only place visits and moments."""
    popular: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    following: Counter[tuple[str, str, str]] = Counter()
    closeness: Counter[tuple[str, str, str]] = Counter()
    far: Counter[tuple[str, str, str]] = Counter()
    stepped: Counter[tuple[str, str, int]] = Counter()
    again: Counter[tuple[str, int]] = Counter()
    for shopper in {line.shopper for line in lines}:
        visits = in_order([line for line in lines if line.shopper == shopper], unit)
        seen = [thing for _, inside in visits for thing in inside]
        names = {name for name, _, _ in seen if name is not None}
        for name in names:
            latest = max(time for other, time, _ in seen if other == name)
            popular[name] += 1
            weights[name] += round(1000 * 0.5 ** ((end - latest).days / 28))
            starts = [
                start
                for start, inside in visits
                if any(other == name and bought for other, _, bought in inside)
            ]
            gaps = sorted(later - earlier for earlier, later in pairwise(starts))
            if gaps:
                median = gaps[(len(gaps) - 1) // 2].total_seconds() / 86400
                again.update([(name, days) for days in BUCKETS if median <= days][:1])
        together.update(combinations(sorted(names), 2))
        for pair, distance in steps(visits).items():
            following[*pair, "visit"] += 1
            closeness[*pair, "visit"] += round(1000 * math.exp(-(distance - 1) / 4))
            far[*pair, "visit"] += distance
            stepped[*pair, distance] += 1
        across = {
            (one, other)
            for (_, before), (_, after) in pairwise(visits)
            for one, _, _ in before
            for other, _, _ in after
            if one is not None and other is not None and one != other
        }
        for pair in across:
            following[*pair, "visits"] += 1
            closeness[*pair, "visits"] += 1000
            far[*pair, "visits"] += 1
    return [
        [(name, n, weights[name]) for name, n in popular.items()],
        [(*pair, n) for pair, n in together.items()],
        [(*key, n, closeness[key], far[key]) for key, n in following.items()],
        [(*key, n) for key, n in again.items()],
        [(*key, n) for key, n in stepped.items()],
    ]


def returns(lines: Sequence[Line], ids: Sequence[str], k: int) -> pa.Table:
    """Return how many come back to an item in a visit, where at least `k` do."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for shopper in {line.shopper for line in lines}:
        mine = [line for line in lines if line.shopper == shopper]
        for (item, _), distance in steps(in_order(mine, lambda line: line.item), same=True).items():
            found[item].append(distance)
    rows: Rows = [
        (
            item,
            item,
            "visit",
            len(far),
            sum(round(1000 * math.exp(-(d - 1) / 4)) for d in far),
            sum(far),
        )
        for item, far in found.items()
    ]
    return tables([[], [], rows, [], []], ids, k).following


def in_order(mine: Sequence[Line], unit: Callable[[Line], str | None]) -> list[Visit]:
    """Return a shopper's visits by start; those that start at one moment are one."""
    start_of: dict[str, datetime] = {}
    for line in mine:
        start_of[line.visit] = min(line.time, start_of.get(line.visit, line.time))
    visits: dict[datetime, list[Thing]] = {start: [] for start in sorted(start_of.values())}
    for line in mine:
        visits[start_of[line.visit]].append((unit(line), line.time, line.kind == "purchase"))
    return list(visits.items())


def steps(visits: Sequence[Visit], *, same: bool = False) -> dict[tuple[str, str], int]:
    """Return the smallest number of moments from one unit to a later one in a visit, up to 20.

    From one to another or, with `same`, from one to itself.
    """
    nearest: dict[tuple[str, str], int] = {}
    for _, inside in visits:
        moments = sorted({time for _, time, _ in inside})
        for one, time, _ in inside:
            for other, later, _ in inside:
                distance = moments.index(later) - moments.index(time)
                if one is None or other is None or (one == other) is not same:
                    continue
                if not 1 <= distance <= 20:
                    continue
                nearest[one, other] = min(distance, nearest.get((one, other), distance))
    return nearest
