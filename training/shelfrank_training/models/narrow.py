"""Numbers of one row each in a byte: what a model stores for every item must be small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

N_CODES: Final = 256
"""Different numbers that one byte can stand for."""

EXACT_LEVELS: Final = 64
"""So many of the largest numbers stay exact in `Coded.nearest`: whoever has no history sees the
popular items in the order of their popularity alone, and must see the true order."""

SCALES_PER_DOUBLING: Final = 24
"""Of `Coded.not_below`: neighbouring levels differ by 2.9 %, and 256 of them span 1 to 1,580."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """One number a row, as a byte that stands for one of at most 256 levels.

    Attributes:
        codes: uint8, shape (n,); row of `levels`.
        levels: float32, shape (L,), ascending, L at most `N_CODES`.
    """

    codes: npt.NDArray[np.uint8]
    levels: npt.NDArray[np.float32]

    @classmethod
    def nearest(cls, numbers: npt.NDArray[np.float64]) -> Coded:
        """Store each number as the nearest level.

        Up to 256 different numbers (as float32) stay exact. Beyond, the `EXACT_LEVELS` largest do,
        and all others move by at most 1/382 of what lies between the smallest and the largest of
        them.

        Args:
            numbers: shape (n,), finite.
        """
        rounded = numbers.astype(np.float32)
        distinct = np.unique(rounded)
        if distinct.size > N_CODES:
            rest = distinct[:-EXACT_LEVELS]
            even = np.linspace(rest[0], rest[-1], N_CODES - EXACT_LEVELS, dtype=np.float64)
            levels = np.unique(np.concatenate([even.astype(np.float32), distinct[-EXACT_LEVELS:]]))
        else:
            levels = distinct
        between = (levels[:-1].astype(np.float64) + levels[1:].astype(np.float64)) / 2
        codes = np.searchsorted(between, rounded.astype(np.float64), side="left")
        return cls(codes=codes.astype(np.uint8), levels=levels)

    @classmethod
    def not_below(cls, numbers: npt.NDArray[np.float64]) -> Coded:
        """Store each number as the next higher of levels that stand in a fixed ratio.

        The largest number stays exact (as float32), none falls below itself, and none rises by more
        than 2.9 %, or above 1/1,500 of the largest where it was smaller.

        Args:
            numbers: shape (n,), finite, at least 0.
        """
        largest = float(numbers.max(initial=0))
        if largest <= 0:
            return cls(
                codes=np.zeros(numbers.size, dtype=np.uint8), levels=np.zeros(1, dtype=np.float32)
            )
        down = np.arange(N_CODES)[::-1] / SCALES_PER_DOUBLING
        grid = (largest * 2.0**-down).astype(np.float32)
        # float32 may have rounded the largest down by less than any reader of the levels can tell.
        place = np.searchsorted(grid, np.minimum(numbers, grid[-1]).astype(np.float32), side="left")
        used, codes = np.unique(place, return_inverse=True)
        return cls(codes=codes.astype(np.uint8), levels=grid[used])

    @classmethod
    def around_zero(cls, numbers: npt.NDArray[np.float64]) -> Coded:
        """Store each number as the nearest of even levels on both sides of 0, which stays exact.

        No number moves by more than 1/254 of the largest absolute one, and none changes its sign.

        Args:
            numbers: shape (n,), finite.
        """
        half = N_CODES // 2 - 1
        largest = float(np.abs(numbers).max(initial=0))
        steps = np.rint(numbers / largest * half) if largest > 0 else np.zeros(numbers.size)
        used, codes = np.unique(steps, return_inverse=True)
        levels = (used * (largest / half)).astype(np.float32)
        return cls(codes=codes.astype(np.uint8), levels=levels)

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The number of each row, shape (n,)."""
        return self.levels[self.codes]

    @property
    def stored_bytes(self) -> int:
        """What it takes in a file: no codes where all rows have one number."""
        return self.levels.nbytes + (self.codes.nbytes if self.levels.size > 1 else 0)


def unsigned(count: int) -> npt.DTypeLike:
    """Return the narrowest unsigned type that holds 0..`count` - 1.

    Args:
        count: at most 2**32.
    """
    kinds = (np.uint8, np.uint16, np.uint32)
    return next(kind for kind in kinds if count - 1 <= np.iinfo(kind).max)
