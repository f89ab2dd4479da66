"""What follows exactly in a shop of few items, where many numbers are about few sets.

There the total is the union of so few items that their overlaps can be squeezed out in ways that no
rule about two or three of them sees. But every set of items can be listed, and a linear program
finds the least that each row that was left out can stand for.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from shelfrank_training.aggregates.disclosure import Kept, Overlaps

MOST_ITEMS: Final = 5
"""31 sets of items, and milliseconds. Of more items the rules were not seen to miss anything."""

_TOLERANCE: Final = 1e-6
"""Counts are whole, and the solver is exact to 1e-7."""

Masks = tuple[int, ...]
"""One mask of items for each unit: who counts has an item of every mask. None: every shopper."""


def proved_pair(items: Overlaps, kept: Kept, total: int, *, k: int) -> tuple[int, int] | None:
    """Return two items that some shopper has both of, as the published rows prove.

    Args:
        items: that reach the threshold, and the pairs that do.
        kept: which of them are published.
        total: shoppers who have any of them.
        k: the threshold.
    """
    units = np.flatnonzero(kept.units).tolist()
    if not 2 <= len(units) <= MOST_ITEMS:
        return None
    mask = {unit: 1 << place for place, unit in enumerate(units)}
    rows = _rows(items, kept.rows, mask) | {(): total}
    below = _below(items, mask)
    place = _first_proved(rows, list(below.values()), k=k)
    return None if place is None else list(below)[place]


def proved_by_categories(
    items: Overlaps,
    category: npt.NDArray[np.int64],
    found: Overlaps,
    kept: Kept,
    total: int,
    *,
    k: int,
) -> bool:
    """Say whether the published rows prove something of a row that is not.

    Args:
        items: those that are published, and their published pairs.
        category: shape (n_items,); position of each item's category, or -1.
        found: categories that reach the threshold, and the pairs that do.
        kept: which of them are published.
        total: shoppers who have any item.
        k: the threshold.
    """
    if items.sizes.size > MOST_ITEMS or not kept.units.any():
        return False
    mask = {item: 1 << item for item in range(items.sizes.size)}
    groups = {
        int(unit): int(sum(mask[item] for item in np.flatnonzero(category == unit).tolist()))
        for unit in np.flatnonzero(kept.units)
    }
    rows = _rows(items, np.ones(items.shared.size, np.bool_), mask) | {(): total}
    rows |= _rows(found, kept.rows, groups)
    below = [*_below(items, mask).values(), *_below(found, groups).values()]
    return _first_proved(rows, below, k=k) is not None


def _rows(
    found: Overlaps, published: npt.NDArray[np.bool_], mask: Mapping[int, int]
) -> dict[Masks, int]:
    """Return what is published about units, by masks of items."""
    sizes: dict[Masks, int] = {(mask[unit],): int(found.sizes[unit]) for unit in mask}
    rows = np.flatnonzero(published)
    columns = (found.first[rows], found.second[rows], found.shared[rows])
    return sizes | {
        (mask[one], mask[other]): shoppers
        for one, other, shoppers in zip(*(column.tolist() for column in columns), strict=True)
    }


def _below(found: Overlaps, mask: Mapping[int, int]) -> dict[tuple[int, int], Masks]:
    """Return every two units that do not reach the threshold together."""
    pairs = combinations(sorted(mask), 2)
    reached = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    return {pair: (mask[pair[0]], mask[pair[1]]) for pair in pairs if pair not in reached}


def _first_proved(rows: Mapping[Masks, int], below: Sequence[Masks], *, k: int) -> int | None:
    """Return the position in `below` of one that stands for somebody, as the rows prove."""
    from scipy.optimize import linprog

    if not below:
        return None
    n_items = max(mask for masks in rows for mask in masks).bit_length()
    # First as if every shopper had an item; if that cannot be, some have none.
    for fewest in (1, 0):
        sets = np.arange(fewest, 2**n_items)
        hidden = _counted(below, sets)
        published = _counted(list(rows), sets)
        least = [
            linprog(
                aim,
                A_ub=hidden,
                b_ub=np.full(len(below), k - 1),
                A_eq=published,
                b_eq=list(rows.values()),
            )
            for aim in hidden
        ]
        if all(found.success for found in least):
            proved = [place for place, found in enumerate(least) if found.fun > _TOLERANCE]
            return proved[0] if proved else None
    return 0  # That there is no answer is no reason to publish.


def _counted(rows: Sequence[Masks], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return for each row and each set of items whether a shopper with this set counts."""
    found = np.ones((len(rows), sets.size))
    for place, masks in enumerate(rows):
        for mask in masks:
            found[place] *= (sets & mask) > 0
    return found
