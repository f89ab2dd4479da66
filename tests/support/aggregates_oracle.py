"""What `aggregate` must publish, in obvious Python: no engine, one shopper at a time."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from support.shop import Line

Rows = list[tuple[str | int, ...]]
Thing = tuple[str | None, "datetime", bool]
"""A unit (None: only its moment counts), when, and whether it was bought."""
Visit = tuple["datetime", list[Thing]]
"""Its start, and what happened."""
BUCKETS = (3, 7, 14, 28, 56, 112, 224, 448)


def expected(
    lines: Sequence[Line], category_of: Mapping[str, str | None], *, k: int, m: int, end: datetime
) -> dict[str, Rows]:
    """Return the rows of every table; nobody is held out, and nobody makes outcomes.

    `k` is min_shoppers, `m` max_items.
    """
    lines = choose([line for line in lines if line.kind != "dislike"], k=k, m=m)
    items = counted(lines, lambda line: line.item, end)
    tables = published_from(items, k)
    published = {row[0] for row in tables["popular"]}
    pairs = {row[:2] for row in tables["pairs"]}
    members = defaultdict(list)
    for item in sorted(str(item) for item in published):
        members[category_of[item]].append(item)
    safe = {
        category
        for category, inside in members.items()
        if category and (len(inside) != 2 or tuple(inside) in pairs)
    }

    def category(line: Line) -> str | None:
        found = category_of[line.item]
        return found if line.item in published and found in safe else None

    categories = counted(lines, category, end)
    by_category = published_from(categories, k)
    return {
        "items": tables["popular"],
        "pairs": tables["pairs"],
        "next": tables["next"],
        "repeats": tables["repeats"],
        "categories": by_category["popular"],
        "category_pairs": by_category["pairs"],
        "category_next": by_category["next"],
        "category_repeats": by_category["repeats"],
        "outcomes": [],
    }


def published_from(tables: Mapping[str, Rows], k: int) -> dict[str, Rows]:
    """Drop rows with fewer than `k` shoppers, and sort by the key."""
    position = {"popular": 1, "pairs": 2, "next": 3, "repeats": 2}
    return {
        name: sorted(row for row in rows if int(row[position[name]]) >= k)
        for name, rows in tables.items()
    }


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


def counted(
    lines: Sequence[Line], unit: Callable[[Line], str | None], end: datetime
) -> dict[str, Rows]:
    """Count one shopper after the other; lines without a unit only place visits and moments."""
    popular: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    following: Counter[tuple[str, str, str]] = Counter()
    closeness: Counter[tuple[str, str, str]] = Counter()
    far: Counter[tuple[str, str, str]] = Counter()
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
    return {
        "popular": [(name, n, weights[name]) for name, n in popular.items()],
        "pairs": [(*pair, n) for pair, n in together.items()],
        "next": [(*key, n, closeness[key], far[key]) for key, n in following.items()],
        "repeats": [(*key, n) for key, n in again.items()],
    }


def in_order(mine: Sequence[Line], unit: Callable[[Line], str | None]) -> list[Visit]:
    """Return a shopper's visits by start; those that start at one moment are one."""
    start_of: dict[str, datetime] = {}
    for line in mine:
        start_of[line.visit] = min(line.time, start_of.get(line.visit, line.time))
    visits: dict[datetime, list[Thing]] = {start: [] for start in sorted(start_of.values())}
    for line in mine:
        visits[start_of[line.visit]].append((unit(line), line.time, line.kind == "purchase"))
    return list(visits.items())


def steps(visits: Sequence[Visit]) -> dict[tuple[str, str], int]:
    """Return the smallest number of moments from one unit to a later one in a visit, up to 20."""
    nearest: dict[tuple[str, str], int] = {}
    for _, inside in visits:
        moments = sorted({time for _, time, _ in inside})
        for one, time, _ in inside:
            for other, later, _ in inside:
                distance = moments.index(later) - moments.index(time)
                if one is None or other is None or one == other or not 1 <= distance <= 20:
                    continue
                nearest[one, other] = min(distance, nearest.get((one, other), distance))
    return nearest
