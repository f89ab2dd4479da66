"""Apply the rules of `shelfrank_training.aggregates.disclosure` to tables that were counted.

Tables in, tables out. They hold units as numbers, under the names of
`shelfrank_training.aggregates.counts`, only rows that reach the threshold, and are sorted by key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shelfrank_training.aggregates import disclosure, unions

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is published about units: items, or categories.

    Attributes:
        units: unit, shoppers, weight.
        pairs: unit, other, shoppers.
        following: unit, next, scope, shoppers, weight, distance; without those who come back to
            a unit, which `withhold_again` is about.
        repeats: unit, gap_days, shoppers.
        steps: unit, next, distance, shoppers: the rows of `following` in a visit, by distance. Not
            published, but weights and distances tell much of it.
    """

    units: pa.Table
    pairs: pa.Table
    following: pa.Table
    repeats: pa.Table
    steps: pa.Table


def withhold_items(
    items: pa.Table, pairs: pa.Table, *, total: int, k: int
) -> tuple[pa.Table, pa.Table]:
    """Return the items and pairs that may be published.

    Args:
        items: see `Shown`.
        pairs: see `Shown`.
        total: shoppers who have any item.
        k: the threshold.
    """
    kept = disclosure.keep_items(_overlaps(items, pairs), total, k=k)
    return _only(items, kept.units), _only(pairs, kept.rows)


def withhold_next(items: pa.Table, pairs: pa.Table, following: pa.Table) -> pa.Table:
    """Return the rows of published pairs: whoever has one after the other has both."""
    steps = _rows(_column(items, "unit"), following)
    return _only(following, _overlaps(items, pairs).between(steps.one, steps.other) > 0)


def withhold_again(
    items: pa.Table, pairs: pa.Table, again: pa.Table, *, n_items: int, k: int
) -> pa.Table:
    """Return the rows about coming back to an item that may be published.

    Who comes back after a while was elsewhere in between. If more come back than published pairs
    of the item and k - 1 in all but one of its other pairs explain, none of those can be empty.

    Args:
        items: see `Shown`.
        pairs: see `Shown`.
        again: rows of `Shown.following` from an item to itself.
        n_items: items that can be counted.
        k: the threshold.
    """
    found = _overlaps(items, pairs)
    place = np.searchsorted(_column(items, "unit"), _column(again, "unit"))
    inside = np.isin(_column(again, "unit"), _column(items, "unit"))
    ends = np.concatenate([found.first, found.second])
    shared = np.bincount(ends, np.tile(found.shared, 2), minlength=found.sizes.size)
    n_hidden = n_items - 1 - np.bincount(ends, minlength=found.sizes.size)
    explained = np.append(shared + np.maximum(n_hidden - 1, 0) * (k - 1), 0)
    place = np.minimum(place, found.sizes.size)
    return _only(again, inside & (_column(again, "shoppers") <= explained[place]))


def withhold_dayparts(items: pa.Table, dayparts: pa.Table, *, k: int) -> pa.Table:
    """Return the rows about the time of day that may be published.

    Args:
        items: see `Shown`; those that are published.
        dayparts: unit, daypart, shoppers; of these items.
        k: the threshold.
    """
    kept = disclosure.keep_dayparts(
        np.searchsorted(_column(items, "unit"), _column(dayparts, "unit")),
        _column(dayparts, "daypart"),
        _column(dayparts, "shoppers"),
        _column(items, "shoppers"),
        k=k,
    )
    return _only(dayparts, kept)


def withhold_categories(
    shown: Shown, category: Ints, counted: Shown, *, total: int, k: int
) -> Shown:
    """Return what may be published about categories.

    Args:
        shown: about items.
        category: shape (n_items,); number of the category of each published item, or -1.
        counted: about categories, numbered from 0 without a gap.
        total: shoppers who have any item.
        k: the threshold.
    """
    grouped = unions.Grouped(
        items=_overlaps(shown.units, shown.pairs),
        category=category,
        n_categories=counted.units.num_rows,
    )
    found = _overlaps(counted.units, counted.pairs)
    kept = unions.keep_categories(grouped, found, total, k=k)
    grouped = unions.only_of(grouped, kept.units)
    pairs = _only(counted.pairs, kept.rows)
    following = withhold_next(counted.units, pairs, counted.following)
    return Shown(
        units=_only(counted.units, kept.units),
        pairs=pairs,
        following=_withhold_following(grouped, shown, counted, following, k=k),
        repeats=_withhold_repeats(grouped, shown, counted.repeats),
        steps=counted.steps,
    )


def _withhold_following(
    grouped: unions.Grouped, shown: Shown, counted: Shown, following: pa.Table, *, k: int
) -> pa.Table:
    numbers = _column(shown.units, "unit")
    parts = []
    for scope in ("visit", "visits"):
        cells, found = (t.filter(pc.equal(t["scope"], scope)) for t in (shown.following, following))
        rows, of_items = _rows(None, found), _rows(numbers, cells)
        kept = unions.keep_following(grouped, of_items, rows, k=k)
        if scope == "visit":
            steps, found_steps = _steps(numbers, shown.steps), _steps(None, counted.steps)
            kept &= unions.keep_steps(grouped, of_items, steps, rows, found_steps, k=k)
        parts.append(_only(found, kept))
    together = pa.concat_tables(parts)
    return together.sort_by([(key, "ascending") for key in ("unit", "next", "scope")])


def _withhold_repeats(grouped: unions.Grouped, shown: Shown, counted: pa.Table) -> pa.Table:
    """Leave out categories that fewer shoppers buy again, by the table, than one of their items.

    Whoever buys an item again buys of its category again: what is missing is in buckets that are
    not published.
    """
    category = grouped.category
    place = np.searchsorted(_column(shown.units, "unit"), _column(shown.repeats, "unit"))
    again = np.zeros(category.size, np.int64)
    np.add.at(again, place, _column(shown.repeats, "shoppers"))
    own = np.flatnonzero(category >= 0)
    most, total = np.zeros((2, grouped.n_categories), np.int64)
    np.maximum.at(most, category[own], again[own])
    np.add.at(total, _column(counted, "unit"), _column(counted, "shoppers"))
    kept = np.isin(np.arange(grouped.n_categories), category) & (total >= most)
    return _only(counted, kept[_column(counted, "unit")])


def _overlaps(units: pa.Table, pairs: pa.Table) -> disclosure.Overlaps:
    numbers = _column(units, "unit")
    return disclosure.Overlaps(
        sizes=_column(units, "shoppers"),
        first=np.searchsorted(numbers, _column(pairs, "unit")),
        second=np.searchsorted(numbers, _column(pairs, "other")),
        shared=_column(pairs, "shoppers"),
    )


def _rows(numbers: Ints | None, rows: pa.Table) -> unions.Rows:
    one, other = _column(rows, "unit"), _column(rows, "next")
    if numbers is not None:
        one, other = np.searchsorted(numbers, one), np.searchsorted(numbers, other)
    return unions.Rows(one=one, other=other, shoppers=_column(rows, "shoppers"))


def _steps(numbers: Ints | None, rows: pa.Table) -> unions.Steps:
    return unions.Steps(rows=_rows(numbers, rows), distance=_column(rows, "distance"))


def _column(rows: pa.Table, name: str) -> Ints:
    values: Ints = rows[name].cast(pa.int64()).to_numpy()
    return values


def _only(rows: pa.Table, kept: npt.NDArray[np.bool_]) -> pa.Table:
    return rows.filter(pa.array(kept))
