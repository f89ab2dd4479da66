"""Which rows about categories must stay: those from which a small number about items follows.

Pure: arrays in, positions out. A category is the union of its items, and what two categories share
is the union of what every two of their items share. See `shelfrank_training.aggregates.disclosure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.aggregates import tiny
from shelfrank_training.aggregates.counts import MAX_DISTANCE
from shelfrank_training.aggregates.disclosure import (
    Kept,
    Overlaps,
    all_of,
    crossing,
    crowded,
    drop_crowded,
    rows_inside,
    withhold_telling,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

SLACK: Final = 1
"""Where that a row is missing can only mean that it was withheld, it is withheld k - 1 earlier than
it need be: then that says nothing either."""

_NO_LIMIT: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Published rows about two units, in this order.

    Attributes:
        one: shape (n_rows,); position of a unit.
        other: shape (n_rows,); position of the other.
        shoppers: shape (n_rows,).
    """

    one: Ints
    other: Ints
    shoppers: Ints

    def is_across(self, category: Ints) -> Flags:
        """Say which rows are about items of two categories."""
        one, other = category[self.one], category[self.other]
        across: Flags = (one >= 0) & (other >= 0) & (one != other)
        return across

    def across(self, category: Ints) -> Rows:
        """Return the rows about items of two categories."""
        rows = self.is_across(category)
        return Rows(one=self.one[rows], other=self.other[rows], shoppers=self.shoppers[rows])

    def turned(self) -> Rows:
        """Return the rows with the units in the other order."""
        return Rows(one=self.other, other=self.one, shoppers=self.shoppers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Rows about what follows what in a visit, by distance.

    Attributes:
        rows: one for two units and a distance.
        distance: shape (n_rows,); 1 to `MAX_DISTANCE`.
    """

    rows: Rows
    distance: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouped:
    """The items that are published and the categories they make.

    Attributes:
        items: and their published pairs.
        category: shape (n_items,); position of each item's category, or -1.
        n_categories: how many categories there are positions for.
    """

    items: Overlaps
    category: Ints
    n_categories: int


def keep_categories(grouped: Grouped, found: Overlaps, total: int, *, k: int) -> Kept:
    """Choose the categories and pairs of categories that may be published.

    Args:
        grouped: what is published about items.
        found: categories that reach the threshold, and the pairs that do.
        total: shoppers who have any item.
        k: the threshold.
    """
    kept = all_of(found)
    if k == 1:
        return kept
    kept.units[_narrow(grouped, found.sizes, k=k)] = False
    rows = Rows(one=found.first, other=found.second, shoppers=found.shared)
    while True:
        kept.rows[:] = rows_inside(found, kept)
        left = only_of(grouped, kept.units)
        overlooked = _overlooked(left, found.only(kept.rows))
        if overlooked.any():
            kept.units[overlooked] = False
            continue
        if drop_crowded(found, kept, total, k=k):
            continue
        cells = _both_ways(left.items).across(left.category)
        most = _largest_unions(left, cells, rows, k=k)
        kept.rows[found.shared > most - _slack(left, cells, rows, k=k)] = False
        kept.rows[_crossing_cells(left, cells, rows)] = False
        # Of a row that is withheld nothing may be proved from which the same would follow.
        enough = most + 1
        withhold_telling(found, kept, enough, k=k)
        if not _drop_proven(left, found, kept, enough, total):
            break
    if tiny.proved_by_categories(left.items, left.category, found, kept, total, k=k):
        kept.units[:] = kept.rows[:] = False
    return kept


def _drop_proven(grouped: Grouped, found: Overlaps, kept: Kept, enough: Ints, total: int) -> bool:
    """Withhold a category if the total proves too much of a pair that was withheld."""
    least = found.sizes[found.first] + found.sizes[found.second] - total
    proven = np.flatnonzero(rows_inside(found, kept) & ~kept.rows & (least >= enough))
    if proven.size == 0:
        return False
    pair = np.array([found.first[proven[0]], found.second[proven[0]]])
    # The one of more items: of a category of one, the item says all the same.
    n_items = np.bincount(grouped.category + 1, minlength=grouped.n_categories + 1)[1:]
    kept.units[pair[np.argmax(n_items[pair])]] = False
    return True


def only_of(grouped: Grouped, kept: Flags) -> Grouped:
    """Return the same without the categories that are not kept."""
    known = np.append(kept, False)[grouped.category]
    return Grouped(
        items=grouped.items,
        category=np.where(known, grouped.category, -1),
        n_categories=grouped.n_categories,
    )


def _both_ways(items: Overlaps) -> Rows:
    return Rows(
        one=np.concatenate([items.first, items.second]),
        other=np.concatenate([items.second, items.first]),
        shoppers=np.tile(items.shared, 2),
    )


def _narrow(grouped: Grouped, sizes: Ints, *, k: int) -> Flags:
    """Find categories too small for their items, unless some overlap that is not published."""
    items, category = grouped.items, grouped.category
    within = items.only(
        (category[items.first] >= 0) & (category[items.first] == category[items.second])
    )
    narrow = np.zeros(sizes.size, np.bool_)
    for place, size in enumerate(sizes.tolist()):
        members = np.flatnonzero(category == place)
        narrow[place] = crowded(within.of(members), size, k=k, slack=SLACK).size > 0
    return narrow


def _overlooked(grouped: Grouped, found: Overlaps) -> Flags:
    """Find categories within which two items, of it or others, overlap though it is not published.

    Of a category's shoppers, at least so many have an item: all of the item's, if it is of the
    category; as many as have it and an item of the category; as many of the item's shoppers as
    cannot be in the part of its own category that lies outside.
    """
    items, category = grouped.items, grouped.category
    within = np.zeros((items.sizes.size, found.sizes.size), np.int64)
    own = np.flatnonzero(category >= 0)
    outside = np.full((found.sizes.size, found.sizes.size), _NO_LIMIT)
    outside[found.first, found.second] = found.sizes[found.first] - found.shared
    outside[found.second, found.first] = found.sizes[found.second] - found.shared
    within[own] = np.maximum(items.sizes[own][:, None] - outside[category[own]], 0)
    cells = _both_ways(items)
    known = category[cells.other] >= 0
    np.maximum.at(within, (cells.one[known], category[cells.other[known]]), cells.shoppers[known])
    within[own, category[own]] = items.sizes[own]
    item, place = np.nonzero(within)
    overlooked = np.zeros(found.sizes.size, np.bool_)
    for one, other in crossing(place, within[item, place], found.sizes):
        alone = items.row(item[one], item[other]) < 0
        overlooked[place[one[alone]]] = True
    return overlooked


def keep_following(grouped: Grouped, steps: Rows, found: Rows, *, k: int) -> Flags:
    """Choose the rows about what follows what that may be published for categories.

    Args:
        grouped: what is published about items.
        steps: published rows about items, of one scope.
        found: rows about categories that reach the threshold, of the same scope.
        k: the threshold.

    Returns:
        shape (n_rows,), for `found`.
    """
    if k == 1:
        return np.ones(found.shoppers.size, np.bool_)
    cells = steps.across(grouped.category)
    most = _largest_unions(grouped, cells, found, k=k) - _slack(grouped, cells, found, k=k)
    return ~((found.shoppers > most) | _crossing_cells(grouped, cells, found))


def keep_steps(
    grouped: Grouped, cells: Rows, steps: Steps, found: Rows, found_steps: Steps, *, k: int
) -> Flags:
    """Choose the rows about what follows what whose weight and distance may be published.

    How many shoppers there are at each distance often follows from the two. And who is at some
    distance for two categories is at that distance for two of their items: what the published rows
    of items do not account for, distance by distance, is in those that are not published.

    Args:
        grouped: what is published about items.
        cells: published rows about items.
        steps: the same by distance.
        found: rows about categories that reach the threshold.
        found_steps: the same by distance; other rows are passed over.
        k: the threshold.

    Returns:
        shape (n_rows,), for `found`.
    """
    if k == 1:
        return np.ones(found.shoppers.size, np.bool_)
    place = np.full((grouped.n_categories, grouped.n_categories), found.shoppers.size)
    place[found.one, found.other] = np.arange(found.shoppers.size)
    shape = (found.shoppers.size + 1, MAX_DISTANCE + 1)
    rows = found_steps.rows
    left = _summed((place[rows.one, rows.other], found_steps.distance), rows.shoppers, shape)
    rows, across = steps.rows, steps.rows.is_across(grouped.category)
    at = place[grouped.category[rows.one], grouped.category[rows.other]][across]
    left -= _summed((at, steps.distance[across]), rows.shoppers[across], shape)
    left_over = np.maximum(left[:-1], 0).sum(axis=1)
    inside = cells.across(grouped.category)
    n_items = np.bincount(grouped.category + 1, minlength=grouped.n_categories + 1)[1:]
    absent = n_items[found.one] * n_items[found.other] - _n_cells(grouped, inside, found)
    most = (absent - 1) * (k - 1) - _slack(grouped, inside, found, k=k)
    kept: Flags = (absent == 0) | (left_over <= most)
    return kept


def _n_cells(grouped: Grouped, cells: Rows, found: Rows) -> Ints:
    """Return how many cells of each row are published."""
    place = (grouped.category[cells.one], grouped.category[cells.other])
    shape = (grouped.n_categories, grouped.n_categories)
    return _summed(place, np.ones_like(cells.one), shape)[found.one, found.other]


def _slack(grouped: Grouped, cells: Rows, found: Rows, *, k: int) -> Ints:
    """Return how much earlier than need be each row is withheld.

    A row of which a cell is published reaches the threshold for certain: only then does it say
    anything that the row is missing.
    """
    return np.where(_n_cells(grouped, cells, found) > 0, SLACK * (k - 1), 0)


def _largest_unions(grouped: Grouped, cells: Rows, found: Rows, *, k: int) -> Ints:
    """Return how many shoppers two categories can share while two of their items share none.

    Args:
        grouped: what is published about items.
        cells: published rows about items of two categories.
        found: rows about categories.
        k: the threshold.

    Returns:
        shape (n_rows,), for `found`; `_NO_LIMIT` where every cell is published.
    """
    by_one = _largest_by_one(grouped, cells, k=k)
    by_other = _largest_by_one(grouped, cells.turned(), k=k)
    return np.minimum(by_one[found.one, found.other], by_other[found.other, found.one])


def _largest_by_one(grouped: Grouped, cells: Rows, *, k: int) -> Ints:
    """Return the same for all categories of `one` and `other`.

    A cell that is not published holds at most k - 1, the cells of one item no more than the item.
    """
    own = np.flatnonzero(grouped.category >= 0)
    category = grouped.category[own]
    sizes = grouped.items.sizes[own, None]
    shape = (grouped.category.size, grouped.n_categories)
    place = (cells.one, grouped.category[cells.other])
    published = _summed(place, cells.shoppers, shape)[own]
    n_items = np.bincount(category, minlength=grouped.n_categories)
    absent = n_items - _summed(place, np.ones_like(cells.one), shape)[own]
    full = published + absent * (k - 1)
    capped = np.minimum(full, sizes)
    freed = np.where(absent > 0, capped - np.minimum(full - (k - 1), sizes), -1)
    union = np.zeros((grouped.n_categories, grouped.n_categories), np.int64)
    np.add.at(union, category, capped)
    most = np.full_like(union, -1)
    np.maximum.at(most, category, freed)
    return np.where(most < 0, _NO_LIMIT, union - most)


def _summed(place: tuple[Ints, Ints], values: Ints, shape: tuple[int, int]) -> Ints:
    """Add values up by place; shape `shape`."""
    found = np.zeros(shape, np.int64)
    np.add.at(found, place, values)
    return found


def _crossing_cells(grouped: Grouped, cells: Rows, found: Rows) -> Flags:
    """Find rows in which two cells overlap, and so every two of their items, published or not."""
    items, category = grouped.items, grouped.category
    place = np.full((grouped.n_categories, grouped.n_categories), -1, np.int64)
    place[found.one, found.other] = np.arange(found.shoppers.size)
    centre = place[category[cells.one], category[cells.other]]
    inside = centre >= 0
    one, other, centre = cells.one[inside], cells.other[inside], centre[inside]
    unsafe = np.zeros(found.shoppers.size, np.bool_)
    for a, b in crossing(centre, cells.shoppers[inside], found.shoppers):
        for x, y in ((one, one), (other, other), (one, other), (other, one)):
            alone = (x[a] != y[b]) & (items.row(x[a], y[b]) < 0)
            unsafe[centre[a[alone]]] = True
    return unsafe
