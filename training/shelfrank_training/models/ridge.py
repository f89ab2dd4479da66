"""Neighbourhood ridge: what each item adds to the chance of another, its neighbours considered.

A linear regression of "has the target" on "has the source" over the target's strongest neighbours,
from counts alone (Steck, NeurIPS 2019, arXiv 1910.09645: a Markov random field restricted to
neighbourhoods; with all items as neighbours it is EASE, arXiv 1905.03375, up to its scaling). Where
two sources are usually had together, their evidence is shared between them instead of counted
twice, so that a long history does not shout.

A thresholded or noisy co-occurrence matrix need not be one that any shoppers could have: it can
have negative eigenvalues, and its plain inverse explodes. Each neighbourhood is therefore projected
on the nearest matrix without any (Higham 1988) before `shrink` is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from shelfrank_training.models.counts import PairCounts

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_CHUNK: Final = 256
"""Neighbourhoods solved at a time: 20 MB with 50 neighbours, and fewer calls than one by one."""


def neighbourhood_ridge(
    pairs: PairCounts, shoppers: Floats, *, n_neighbours: int, shrink: float
) -> tuple[Ints, Ints, Floats]:
    """Fit every item on its neighbours.

    Args:
        pairs: both directions, each pair once; what is not there counts as 0.
        shoppers: shape (n_items,); the diagonal.
        n_neighbours: most sources of a target, the ones of the largest cosine; ties go to the lower
            row. At least 1.
        shrink: shoppers added to the diagonal; positive.

    Returns:
        Source, target and weight, each of shape (N,): with the sources at 0 or 1, the weights of
        those a shopper has add up to what the target is expected to be. A weight can be negative.
    """
    n_items = shoppers.size
    source, target, place = _neighbours(pairs, shoppers, n_neighbours)
    codes = pairs.source * n_items + pairs.target
    order = np.argsort(codes, kind="stable")
    known = _Lookup(codes[order], pairs.shoppers[order])
    starts = np.flatnonzero(place == 0)
    weight = np.zeros(source.size)
    for first in range(0, starts.size, _CHUNK):
        begin = starts[first]
        end = starts[first + _CHUNK] if first + _CHUNK < starts.size else source.size
        row = np.cumsum(place[begin:end] == 0) - 1
        column = place[begin:end]
        block = np.full((row[-1] + 1, int(column.max()) + 1), -1, dtype=np.int64)
        block[row, column] = source[begin:end]
        solved = _solve(block, target[starts[first : first + _CHUNK]], shoppers, known, shrink)
        weight[begin:end] = solved[row, column]
    return source, target, weight


class _Lookup:
    """Numbers by code; 0 for a code that is not there."""

    def __init__(self, codes: Ints, numbers: Floats) -> None:
        self._codes = np.append(codes, np.iinfo(np.int64).max)
        self._numbers = np.append(numbers, 0.0)

    def __call__(self, codes: Ints) -> Floats:
        place = np.searchsorted(self._codes, codes)
        found: Floats = np.where(self._codes[place] == codes, self._numbers[place], 0.0)
        return found


def _neighbours(pairs: PairCounts, shoppers: Floats, n_neighbours: int) -> tuple[Ints, Ints, Ints]:
    """Return source, target and place (0 = strongest) of the pairs that are kept, by target."""
    cosine = pairs.shoppers / np.sqrt(shoppers[pairs.source] * shoppers[pairs.target])
    order = np.lexsort((pairs.source, -cosine, pairs.target))
    source, target = pairs.source[order], pairs.target[order]
    counts = np.bincount(target, minlength=shoppers.size)
    place = np.arange(target.size) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = place < n_neighbours
    return source[kept], target[kept], place[kept]


def _solve(block: Ints, target: Ints, shoppers: Floats, known: _Lookup, shrink: float) -> Floats:
    """Solve some neighbourhoods.

    Args:
        block: shape (n, width); sources, -1 where there are fewer.
        target: shape (n,).
        shoppers: shape (n_items,).
        known: pairs by ``source * n_items + target``.
        shrink: see `neighbourhood_ridge`.
    """
    there = block >= 0
    both = there[:, :, None] & there[:, None, :]
    gram = known(block[:, :, None] * shoppers.size + block[:, None, :]) * both
    diagonal = np.arange(block.shape[1])
    gram[:, diagonal, diagonal] = np.where(there, shoppers[block], 0.0)
    joint = known(block * shoppers.size + target[:, None]) * there
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0) + shrink
    turned = np.einsum("nij,ni->nj", vectors, joint) / values
    solved: Floats = np.einsum("nij,nj->ni", vectors, turned)
    return np.where(there, solved, 0.0)
