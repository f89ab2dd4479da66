"""Fixed buckets of the parts, the cells they make, and the number each bucket stands for.

Nothing here depends on data: with fixed edges the table costs no privacy beyond its counts, and
tables of two shops, or of two months, have the same rows. Parts are on the scale of log-odds
(`shelfrank_training.models.parts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.models.blend import N_SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """How one part is cut; bucket b goes from ``edges[b - 1]``, inclusive, to ``edges[b]``.

    Attributes:
        edges: ascending; one fewer than `values`.
        values: what each bucket stands for: the middle, 0 where nothing is known, and for the open
            ends what was usual on the training shoppers of the Complete Journey and of Online
            Retail.
    """

    edges: tuple[float, ...]
    values: tuple[float, ...]


# An edge lies where no part can be by itself: not at 0, which most parts are for most items.
POPULARITY: Final = Buckets(
    edges=(-8, -7, -6, -5, -4, -3, -2),
    values=(-8.5, -7.5, -6.5, -5.5, -4.5, -3.5, -2.5, -1.5),
)
"""Steps of 1, since every item differs in it; a shop uses about five of them."""

NEXT_AT_START: Final = Buckets(edges=(-0.1, 0.1), values=(-0.3, 0.0, 0.4))
"""Seldom after the visit before, no sign, often: at a visit's start the part is small."""

NEXT_IN_VISIT: Final = Buckets(edges=(0.5, 6, 12, 24), values=(0.0, 4.0, 9.0, 16.0, 36.0))
"""No sign, three degrees of what usually follows, and what the shopper just looked at: inside a
visit the part can outweigh all."""

AFFINITY: Final = Buckets(edges=(0.1, 1), values=(0.0, 0.4, 1.8))
"""No sign, a sign of one or two items, a sign of many."""

CATEGORY: Final = Buckets(edges=(-0.1, 0.05, 0.2), values=(-0.2, 0.0, 0.1, 0.4))
"""Not this shopper's, no sign, a sign, this shopper's."""

REPEAT: Final = Buckets(edges=(0.5, 2.5, 5.75, 10), values=(0.0, 1.75, 4.0, 8.0, 13.0))
"""Never, looked at, taken once, a few times, regularly. What the shopper dislikes is in the first
bucket too: no weight is to be learned for it."""

N_HALVES: Final = 2
"""Halves of part B: what is learned from one is judged on the other."""

IN_VISIT: Final = 2

PARTS: Final = ("popularity", "next", "affinity", "category", "repeat")
"""The parts that are cut, in the order of the table's columns; ``half`` and ``situation`` stand
before them."""

COLUMNS: Final = ("half", "situation", *PARTS)
"""The columns that identify a cell."""

_AT_START: Final = (POPULARITY, NEXT_AT_START, AFFINITY, CATEGORY, REPEAT)
_IN_VISIT: Final = (POPULARITY, NEXT_IN_VISIT, AFFINITY, CATEGORY, REPEAT)
_SHAPE: Final = (
    N_HALVES,
    N_SITUATIONS,
    *(max(len(a.values), len(b.values)) for a, b in zip(_AT_START, _IN_VISIT, strict=True)),
)

N_CELLS: Final = int(np.prod(_SHAPE))
"""Numbers of cells; most never occur, since parts go together: 260 did in each half on the Complete
Journey."""


def cells_of(
    situation: int, parts: npt.NDArray[np.float32] | npt.NDArray[np.float64], *, half: int = 0
) -> npt.NDArray[np.int64]:
    """Return the cell of each candidate.

    Args:
        situation: 0 no history, 1 a visit starts, 2 in a visit.
        parts: shape (C, 5), columns in the order of `PARTS`.
        half: of part B that the shopper is in, 0 or 1.

    Returns:
        int64, shape (C,), 0..N_CELLS-1.
    """
    places = [
        np.searchsorted(np.array(buckets.edges), column, side="right")
        for buckets, column in zip(_buckets(situation), parts.T, strict=True)
    ]
    at = [np.full(len(parts), where, dtype=np.int64) for where in (half, situation)]
    cells: npt.NDArray[np.int64] = np.ravel_multi_index((*at, *places), _SHAPE).astype(np.int64)
    return cells


def columns_of(cells: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the columns of `COLUMNS` for cells, int64 each; cells order like their columns."""
    return tuple(column.astype(np.int64) for column in np.unravel_index(cells, _SHAPE))


def values_of(outcomes: pa.Table) -> npt.NDArray[np.float64]:
    """Return what the parts of each row of the table ``outcomes`` stand for: what to fit on.

    Returns:
        float64, shape (rows, 5), columns in the order of `PARTS`.
    """
    names = ("situation", *PARTS)
    situations, *places = (np.asarray(outcomes[name].to_numpy(), dtype=np.int64) for name in names)
    values = np.zeros((situations.size, len(PARTS)))
    for situation in range(N_SITUATIONS):
        rows = situations == situation
        for part, buckets in enumerate(_buckets(situation)):
            values[rows, part] = np.array(buckets.values)[places[part][rows]]
    return values


def _buckets(situation: int) -> Sequence[Buckets]:
    return _IN_VISIT if situation == IN_VISIT else _AT_START
