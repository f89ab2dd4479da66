"""Fixed buckets of the parts, the cells they make, and the number each bucket stands for.

Nothing here depends on data: with fixed edges the table costs no privacy beyond its counts, and
tables of two shops, or of two months, have the same rows. Parts are on the scale of log-odds
(`shelfrank_training.models.parts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

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

NEXT_IN_VISIT: Final = Buckets(edges=(0.5, 4, 12), values=(0.0, 2.0, 7.5, 18.0))
"""No sign, and three degrees of what usually follows: inside a visit the part can outweigh all."""

AFFINITY: Final = Buckets(edges=(0.1, 0.7), values=(0.0, 0.35, 1.3))
"""No sign, a sign of one or two items, a sign of many."""

CATEGORY: Final = Buckets(edges=(-0.1, 0.15), values=(-0.25, 0.0, 0.4))
"""Not this shopper's, no sign, this shopper's."""

REPEAT: Final = Buckets(edges=(0.5, 2.5, 5.75, 10), values=(0.0, 1.75, 4.0, 8.0, 13.0))
"""Never, looked at, taken once, a few times, regularly. What the shopper dislikes is in the first
bucket too: no weight is to be learned for it."""

N_SITUATIONS: Final = 3
"""No history, a visit starts, in a visit."""

IN_VISIT: Final = 2

PARTS: Final = ("popularity", "next", "affinity", "category", "repeat")
"""The parts that are cut, in the order of the table's columns; ``situation`` stands before them."""

COLUMNS: Final = ("situation", *PARTS)
"""The columns that identify a cell."""

_AT_START: Final = (POPULARITY, NEXT_AT_START, AFFINITY, CATEGORY, REPEAT)
_IN_VISIT: Final = (POPULARITY, NEXT_IN_VISIT, AFFINITY, CATEGORY, REPEAT)
_SHAPE: Final = (
    N_SITUATIONS,
    *(max(len(a.values), len(b.values)) for a, b in zip(_AT_START, _IN_VISIT, strict=True)),
)

N_CELLS: Final = int(np.prod(_SHAPE))
"""Numbers of cells; most never occur, since parts go together: 260 did on the Complete Journey."""


def cells_of(
    situation: int, parts: npt.NDArray[np.float32] | npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the cell of each candidate.

    Args:
        situation: 0 no history, 1 a visit starts, 2 in a visit.
        parts: shape (C, 5), columns in the order of `PARTS`.

    Returns:
        int64, shape (C,), 0..N_CELLS-1.
    """
    places = [
        np.searchsorted(np.array(buckets.edges), column, side="right")
        for buckets, column in zip(_buckets(situation), parts.T, strict=True)
    ]
    at = np.full(len(parts), situation, dtype=np.int64)
    cells: npt.NDArray[np.int64] = np.ravel_multi_index((at, *places), _SHAPE).astype(np.int64)
    return cells


def columns_of(cells: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the columns of `COLUMNS` for cells, int64 each; cells order like their columns."""
    return tuple(column.astype(np.int64) for column in np.unravel_index(cells, _SHAPE))


def values_of(outcomes: pa.Table) -> npt.NDArray[np.float64]:
    """Return what the parts of each row of the table ``outcomes`` stand for: what to fit on.

    Returns:
        float64, shape (rows, 5), columns in the order of `PARTS`.
    """
    columns = [np.asarray(outcomes[name].to_numpy(), dtype=np.int64) for name in COLUMNS]
    situations, places = columns[0], columns[1:]
    values = np.zeros((situations.size, len(PARTS)))
    for situation in range(N_SITUATIONS):
        rows = situations == situation
        for part, buckets in enumerate(_buckets(situation)):
            values[rows, part] = np.array(buckets.values)[places[part][rows]]
    return values


def _buckets(situation: int) -> Sequence[Buckets]:
    return _IN_VISIT if situation == IN_VISIT else _AT_START
