"""From answers to the table: what one shopper adds, the exact cells, what may leave. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from shelfrank_training.aggregates.folder import schema
from shelfrank_training.aggregates.publication import Published
from shelfrank_training.outcomes.buckets import N_CELLS, columns_of
from shelfrank_training.outcomes.moments import MAX_CANDIDATES, MOMENTS, TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """How far one shopper more or less moves one column, over all cells, before the threshold.

    Attributes:
        l0: cells that change at most.
        l1: sum of the changes at most.
        l2: Euclidean length of the change at most.
        linf: change of one cell at most.
    """

    l0: int
    l1: int
    l2: float
    linf: int


_MAX_CELLS: Final = min(N_CELLS, MOMENTS * MAX_CANDIDATES)

INFLUENCE: Final[Mapping[str, Influence]] = {
    "shoppers": Influence(l0=_MAX_CELLS, l1=_MAX_CELLS, l2=math.sqrt(_MAX_CELLS), linf=1),
    # All of a shopper's candidates can fall into one cell (most do, into those of items that the
    # shopper has nothing to do with), so no length is below the sum.
    "candidates": Influence(
        l0=_MAX_CELLS,
        l1=MOMENTS * MAX_CANDIDATES,
        l2=float(MOMENTS * MAX_CANDIDATES),
        linf=MOMENTS * MAX_CANDIDATES,
    ),
    "bought": Influence(
        l0=min(N_CELLS, MOMENTS * TAKEN),
        l1=MOMENTS * TAKEN,
        l2=float(MOMENTS * TAKEN),
        linf=MOMENTS * TAKEN,
    ),
}
"""By column. Shoppers are apart: given the model, nobody changes what another adds. The two halves
of part B are apart too: one shopper changes cells of one half alone, so there is nothing to add up
over halves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one shopper adds.

    Attributes:
        cells: int64, shape (N,), distinct, ascending.
        candidates: int64, shape (N,), at least 1.
        bought: int64, shape (N,), at most `candidates`.
    """

    cells: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]
    bought: npt.NDArray[np.int64]

    @classmethod
    def of(cls, cells: npt.NDArray[np.int64], bought: npt.NDArray[np.bool_]) -> Contribution:
        """Count one shopper's candidates by cell.

        Args:
            cells: shape (C,), the cell of each candidate of each moment.
            bought: shape (C,).
        """
        distinct, place = np.unique(cells, return_inverse=True)
        return cls(
            cells=distinct.astype(np.int64),
            candidates=np.bincount(place, minlength=distinct.size).astype(np.int64),
            bought=np.bincount(place[bought], minlength=distinct.size).astype(np.int64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Exact counts of every cell; they must not leave (`publish`).

    Attributes:
        shoppers: int64, shape (N_CELLS,), shoppers with a candidate in the cell.
        candidates: int64, shape (N_CELLS,).
        bought: int64, shape (N_CELLS,).
    """

    shoppers: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]
    bought: npt.NDArray[np.int64]

    @classmethod
    def of(cls, contributions: Iterable[Contribution]) -> Cells:
        """Add shoppers up, in any order."""
        shoppers, candidates, bought = np.zeros((3, N_CELLS), dtype=np.int64)
        for one in contributions:
            shoppers[one.cells] += 1
            candidates[one.cells] += one.candidates
            bought[one.cells] += one.bought
        return cls(shoppers=shoppers, candidates=candidates, bought=bought)


def publish(cells: Cells, *, min_shoppers: int) -> Published:
    """Let out the cells that enough shoppers have a candidate in.

    No total leaves with them, and none follows: how many shoppers, moments and candidates there
    were is not published, and how many items compete at a moment is chance.
    """
    large = np.flatnonzero(cells.shoppers >= max(1, min_shoppers))
    return Published(
        rows=rows_of_cells(
            large, cells.shoppers[large], cells.candidates[large], cells.bought[large]
        ),
        n_counted=int(np.count_nonzero(cells.shoppers)),
        max_rows_per_shopper=INFLUENCE["shoppers"].l0,
    )


def rows_of_cells(
    cells: npt.NDArray[np.int64],
    shoppers: npt.NDArray[np.int64],
    candidates: npt.NDArray[np.int64],
    bought: npt.NDArray[np.int64],
) -> pa.Table:
    """Return the table of some cells, ascending; all shapes (N,)."""
    columns = (*columns_of(cells), shoppers, candidates, bought)
    return pa.table([pa.array(column, pa.int64()) for column in columns], schema=schema("outcomes"))
