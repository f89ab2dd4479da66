"""Which trials belong together when figures are cut: by what the device knows, by how popular.

A mean hides for whom and for what a model works. Two cuts show it: how many items the history
names, and how popular the items are that were right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Cut = Literal["history", "popularity"]
"""``history``: by the number of distinct items the history names, of those that compete.
``popularity``: by the band of the item that was right; see `Band`."""

CUTS: Final[tuple[Cut, ...]] = get_args(Cut)

Band = Literal["head", "middle", "tail"]
"""A third of all popularity each: the few most popular items that hold the first third of all
`weight` in the aggregates' table ``items``, those that hold the second, and the many others."""

BANDS: Final[tuple[Band, ...]] = get_args(Band)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A range of history lengths, in distinct items.

    Attributes:
        low: fewest.
        high: most, or None for no end.
    """

    low: int
    high: int | None

    @property
    def name(self) -> str:
        """How the JSON calls it: ``0``, ``1-2``, ``101+``."""
        if self.high is None:
            return f"{self.low}+"
        return str(self.low) if self.high == self.low else f"{self.low}-{self.high}"


# About three times as wide each: a visitor of one session has a few items, a household of a grocer
# hundreds, and both must fit the same report.
BUCKETS: Final = (
    Bucket(0, 0),
    Bucket(1, 2),
    Bucket(3, 5),
    Bucket(6, 10),
    Bucket(11, 30),
    Bucket(31, 100),
    Bucket(101, None),
)


def bucket_of(n_items: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the place in `BUCKETS` of each history.

    Args:
        n_items: shape (n,), not negative; distinct items.
    """
    starts = [bucket.low for bucket in BUCKETS]
    return np.searchsorted(starts, n_items, side="right") - 1


def band_of(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """Return the place in `BANDS` of each item.

    Args:
        weight: shape (n_items,), never rising, not negative.

    Returns:
        Shape (n_items,), never falling. An item is in the band in which its own weight begins, so
        there is always a head; where nobody has any weight, everybody is in it.
    """
    total = float(weight.sum())
    if total == 0:
        return np.zeros(weight.size, dtype=np.int8)
    before = np.cumsum(weight) - weight
    # Multiplied, not divided: the weights are whole numbers, so the edges are exact.
    return np.minimum(len(BANDS) * before // total, len(BANDS) - 1).astype(np.int8)
