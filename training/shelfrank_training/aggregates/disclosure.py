"""Which rows must stay although they reach the threshold: those from which a small one follows.

Pure: arrays in, positions out. To whoever reads what is published, a row that is not stands for 0
to k - 1 shoppers, and arithmetic narrows that down. The question here is always the same: can it be
*proved*, from what is about to be published, that a row that was left out stands for anybody? If
so, a larger row goes too.

The arithmetic is that of Fréchet and Bonferroni. Sets inside a set of N overlap by at least the sum
of their sizes less N. A union is no larger than the sum of the sizes, and no smaller than that less
the overlaps of every two.

With k = 1 a row that is not published is empty, and nothing can be proved of it but that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.aggregates import tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

_ALL_SUBSETS: Final = 10
"""Units whose every subset is looked at: 1,013 of two or more. Among more, twos and threes."""

_MOST_IN_THREES: Final = 100
"""Units, largest first, whose threes are looked at: 161,700. Real shops have none near a total."""

_CHUNK: Final = 4_000_000
"""Pairs of rows compared at a time: 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlaps:
    """What is published about units (items or categories) and about every two of them.

    Attributes:
        sizes: shape (n_units,); shoppers who have the unit.
        first: shape (n_rows,); position of a unit.
        second: shape (n_rows,); position of another, after `first`; rows are sorted by both.
        shared: shape (n_rows,); shoppers who have both; at least 1.
    """

    sizes: Ints
    first: Ints
    second: Ints
    shared: Ints

    def row(self, one: Ints, other: Ints) -> Ints:
        """Return the row of two units, in either order, and -1 where there is none."""
        if self.shared.size == 0:
            return np.full(one.shape, -1, np.int64)
        n_units = self.sizes.size
        codes = self.first * n_units + self.second
        wanted = np.minimum(one, other) * n_units + np.maximum(one, other)
        place = np.minimum(np.searchsorted(codes, wanted), codes.size - 1)
        return np.where(codes[place] == wanted, place, -1)

    def between(self, one: Ints, other: Ints) -> Ints:
        """Return the shoppers who have both units, and 0 where that is not published."""
        row = self.row(one, other)
        return np.where(row >= 0, np.append(self.shared, 0)[row], 0)

    def only(self, rows: Flags) -> Overlaps:
        """Return the same with some of the rows."""
        return Overlaps(
            sizes=self.sizes,
            first=self.first[rows],
            second=self.second[rows],
            shared=self.shared[rows],
        )

    def of(self, units: Ints) -> Overlaps:
        """Return what is published about some units (ascending), renumbered from 0."""
        place = np.full(self.sizes.size, -1, np.int64)
        place[units] = np.arange(units.size)
        first, second = place[self.first], place[self.second]
        inside = (first >= 0) & (second >= 0)
        return Overlaps(
            sizes=self.sizes[units],
            first=first[inside],
            second=second[inside],
            shared=self.shared[inside],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What may be published.

    Attributes:
        units: shape (n_units,).
        rows: shape (n_rows,); none of a unit that may not.
    """

    units: Flags
    rows: Flags


def keep_items(items: Overlaps, total: int, *, k: int) -> Kept:
    """Choose the items and pairs that may be published.

    Args:
        items: that reach the threshold, and the pairs that do.
        total: shoppers who have any of them.
        k: the threshold.
    """
    kept = all_of(items)
    while k > 1:
        if drop_crowded(items, kept, total, k=k):
            continue
        enough = np.ones(items.shared.size, np.int64)
        withhold_telling(items, kept, enough, k=k)
        pair = tiny.proved_pair(items, kept, total, k=k)
        if pair is None:
            break
        _drop(items, kept, np.array(pair))
    return kept


_FREE: Final = 3
"""Dayparts among which a shopper who must have been somewhere can always have been elsewhere."""


def keep_dayparts(unit: Ints, daypart: Ints, shoppers: Ints, sizes: Ints, *, k: int) -> Flags:
    """Choose the rows about the time of day that may be published.

    Whoever has a unit took it at some time of day. Were fewer shoppers in its published rows,
    together, than have the unit, somebody would be in a row that is not: so it is all of a unit's
    rows, or none. With all, each row that is left out may be anything from 0 to k - 1. With none,
    those who are missing may have come in any of the dayparts; unless the shop has only two, where
    a missing unit would prove both. There it must have both, and with one daypart nothing is told.

    Args:
        unit: shape (n_rows,), position of a unit; rows reach the threshold.
        daypart: shape (n_rows,).
        shoppers: shape (n_rows,).
        sizes: shape (n_units,); shoppers who have the unit.
        k: the threshold.

    Returns:
        shape (n_rows,); alike for all rows of a unit.
    """
    if k == 1:
        return np.ones(unit.size, np.bool_)
    n_open = np.unique(daypart).size
    if n_open == 1:
        return np.zeros(unit.size, np.bool_)
    told = np.zeros(sizes.size, np.int64)
    np.add.at(told, unit, shoppers)
    kept = told >= sizes
    if n_open < _FREE:
        kept &= np.bincount(unit, minlength=sizes.size) == n_open
    found: Flags = kept[unit]
    return found


def all_of(found: Overlaps) -> Kept:
    """Return everything, for rules to take away from."""
    return Kept(
        units=np.ones(found.sizes.size, np.bool_), rows=np.ones(found.shared.size, np.bool_)
    )


def rows_inside(found: Overlaps, kept: Kept) -> Flags:
    """Return the rows of units that may be published."""
    return kept.units[found.first] & kept.units[found.second]


def _drop(found: Overlaps, kept: Kept, units: Ints) -> None:
    """Withhold the smallest of some units, and ask anew for every row that is left."""
    kept.units[units[np.argmin(found.sizes[units])]] = False
    kept.rows[:] = rows_inside(found, kept)


def drop_crowded(found: Overlaps, kept: Kept, total: int, *, k: int) -> bool:
    """Withhold a unit if there are too many for the total."""
    units = np.flatnonzero(kept.units)
    # With the rows that are withheld: whoever could tell those would still prove nothing.
    crowd = units[crowded(found.of(units), total, k=k)]
    if crowd.size:
        _drop(found, kept, crowd)
    return crowd.size > 0


def crowded(found: Overlaps, total: int, *, k: int, slack: int = 0) -> Ints:
    """Find units that do not fit into a total unless some of them overlap.

    The unpublished overlaps of a subset add up to at least ``sum of sizes - published overlaps -
    total``. Each of the s is at most k - 1. If that is more than (s - 1)(k - 1), none can be empty.

    Args:
        found: units within the total.
        total: shoppers who have any of them, or more.
        k: what a published overlap reaches.
        slack: find a subset that many times k - 1 earlier.

    Returns:
        Positions of the units of one such subset that have an unpublished overlap in it; empty if
        there is none.
    """
    # With k - 1 in the place of every unpublished overlap: sizes less overlaps are more than this.
    least = total - (slack + 1) * (k - 1)
    for one, other in crossing(
        np.zeros(found.sizes.size, np.int64), found.sizes, np.array([least + k - 1])
    ):
        alone = np.flatnonzero(found.row(one, other) < 0)
        if alone.size:
            return np.sort(np.array([one[alone[0]], other[alone[0]]]))
    falling = np.sort(found.sizes)[::-1]
    for n in range(3, min(found.sizes.size, _ALL_SUBSETS) + 1):
        near = np.flatnonzero(found.sizes + falling[: n - 1].sum() > least + k - 1)
        if n > 3 and near.size > _ALL_SUBSETS:
            break  # And there are as many or more for a larger n.
        hit = _crowded_subset(found, near, n, least, k=k)
        if hit.size:
            return hit
    n_absent = comb(found.sizes.size, 2) - found.shared.size
    everything = int(found.sizes.sum() - found.shared.sum()) - n_absent * (k - 1)
    if n_absent > 0 and everything > least:
        return np.arange(found.sizes.size)
    return np.empty(0, np.int64)


def _crowded_subset(found: Overlaps, near: Ints, n: int, least: int, *, k: int) -> Ints:
    """Find a subset of n of some units whose sizes less their overlaps are more than `least`."""
    if near.size < n:
        return np.empty(0, np.int64)
    near = near[np.argsort(-found.sizes[near], kind="stable")[:_MOST_IN_THREES]]
    sizes = found.sizes[near]
    shared = found.between(*np.broadcast_arrays(near[:, None], near[None, :]))
    absent = shared == 0
    shared[absent] = k - 1
    if n == 3:
        one, other = np.nonzero(np.triu(absent, 1))
        two = sizes[one] + sizes[other] - shared[one, other]
        free = two[:, None] + sizes - shared[one] - shared[other]
        free[np.arange(one.size), one] = free[np.arange(one.size), other] = least
        subsets = np.column_stack([one, other, free.argmax(axis=1) if one.size else one])
        over = free.max(axis=1, initial=least) > least
    else:
        subsets = np.array(list(combinations(range(near.size), n)), np.int64)
        one, other = np.triu_indices(n, 1)
        overlaps = shared[subsets[:, one], subsets[:, other]].sum(axis=1)
        over = sizes[subsets].sum(axis=1) - overlaps > least
        over &= absent[subsets[:, one], subsets[:, other]].any(axis=1)
    hit = subsets[over]
    if hit.size == 0:
        return np.empty(0, np.int64)
    alone = (absent[np.ix_(hit[0], hit[0])] & ~np.eye(n, dtype=np.bool_)).any(axis=1)
    return np.sort(near[hit[0][alone]])


def crossing(
    centre: Ints, counts: Ints, sizes: Ints, limit: int | None = None
) -> Iterator[tuple[Ints, Ints]]:
    """Return every two subsets of one set whose counts add up to more than its size.

    Args:
        centre: shape (n,); position of the set that each is a subset of.
        counts: shape (n,); shoppers in each.
        sizes: shape (n_sets,); shoppers in the set. May be negative.
        limit: leave out those that exceed the size by as much or more.

    Returns:
        Positions of the one with as many or more shoppers, and of the other; in chunks.
    """
    # One number that orders by centre, then by count: a band of counts is a range of places.
    scale = int(counts.max(initial=0)) + 2
    order = np.argsort(centre * scale + counts, kind="stable")
    key = (centre * scale + counts)[order]
    rest = np.clip(sizes[centre] - counts, -1, scale - 2)[order]
    start = centre[order] * scale
    low = np.searchsorted(key, start + rest, side="right")
    high = np.arange(key.size)  # Every two once.
    if limit is not None:
        band = np.minimum(rest + limit, scale - 1)
        high = np.minimum(high, np.searchsorted(key, start + band))
    wanted = np.flatnonzero(high > low)
    lengths = (high - low)[wanted]
    ends = np.cumsum(lengths)
    for part in np.split(np.arange(wanted.size), np.flatnonzero(np.diff(ends // _CHUNK)) + 1):
        one = np.repeat(wanted[part], lengths[part])
        step = np.arange(one.size) - np.repeat(
            np.cumsum(lengths[part]) - lengths[part], lengths[part]
        )
        yield order[one], order[low[one] + step]


def withhold_telling(found: Overlaps, kept: Kept, enough: Ints, *, k: int) -> None:
    """Withhold overlaps that give away one that is not published.

    Of the shoppers of a unit, u have one other unit and v another: if u + v is more than all of
    them, some have both others. If those two are not published together, the smaller row must go.

    Args:
        found: units and overlaps.
        kept: what may be published; rows are taken away.
        enough: shape (n_rows,); what must not be proved of a row once it is withheld. Rows that are
            withheld here get 1.
        k: what a published overlap reaches.
    """
    # What is proved of a row below the threshold is less than k, and that bounds the search.
    new = _telling_rows(found, kept, enough, None, k)
    while True:
        kept.rows[new] = False
        enough[new] = 1
        gone = rows_inside(found, kept) & ~kept.rows
        touched = np.zeros(found.sizes.size, np.bool_)
        touched[found.first[gone]] = touched[found.second[gone]] = True
        new = _telling_rows(found, kept, enough, touched, None)
        if new.size == 0:
            return


def _telling_rows(
    found: Overlaps, kept: Kept, enough: Ints, touched: Flags | None, limit: int | None
) -> Ints:
    """Find the smaller row of every two that prove too much.

    Args:
        found: units and overlaps.
        kept: what may be published.
        enough: see `withhold_telling`.
        touched: look at overlaps with these units, and at rows that were withheld; None looks at
            all, and at what does not reach the threshold.
        limit: see `crossing`.
    """
    row = np.tile(np.flatnonzero(kept.rows), 2)
    half = row.size // 2
    centre = np.concatenate([found.first[row[:half]], found.second[row[:half]]])
    partner = np.concatenate([found.second[row[:half]], found.first[row[:half]]])
    if touched is not None:
        asked = touched[partner]
        row, centre, partner = row[asked], centre[asked], partner[asked]
    shared = found.shared[row]
    smaller = [np.empty(0, np.int64)]
    for one, other in crossing(centre, shared, found.sizes, limit):
        both = found.row(partner[one], partner[other])
        if touched is None:
            too_much = both < 0
        else:
            proved = shared[one] + shared[other] - found.sizes[centre[one]]
            too_much = (both >= 0) & ~kept.rows[both] & (proved >= enough[both])
        smaller.append(row[other[too_much]])
    return np.unique(np.concatenate(smaller))
