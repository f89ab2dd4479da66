"""Neighbourhood ridge: what each item adds to the chance of another, its neighbours considered.

A linear regression of "has the target" on "has the source" over the target's strongest neighbours,
from covariances, which are counts less what chance gives (Steck, NeurIPS 2019, arXiv 1910.09645: a
Markov random field restricted to neighbourhoods; without the centring and with all items as
neighbours it would be EASE, arXiv 1905.03375). Where two sources are usually had together, their
evidence is shared between them instead of counted twice, so that a long history does not shout. A
pair that is not published counts as chance: it says nothing.

Thresholded or noisy covariances need not be such as any shoppers could have: the matrix can have
negative eigenvalues, and its plain inverse explodes. Each neighbourhood is therefore projected on
the nearest matrix without any (Higham 1988) before `shrink` is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from shelfrank_training.models.counts import PairCounts

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_CHUNK: Final = 64
"""Neighbourhoods solved at a time: 1 MB with 50 neighbours, and fewer calls than one by one."""

_ROUNDING: Final = 1e-6
"""A negative eigenvalue this small a part of `shrink` is rounding."""


def neighbourhood_ridge(
    pairs: PairCounts,
    shoppers: Floats,
    n_shoppers: int,
    *,
    n_neighbours: int,
    shrink: float,
) -> tuple[Ints, Ints, Floats]:
    """Fit every item on its neighbours.

    Args:
        pairs: both directions, each pair once; what is not there counts as chance.
        shoppers: shape (n_items,); of each item.
        n_shoppers: all of them, at least 1.
        n_neighbours: most sources of a target, those of the largest correlation, positive or
            negative; ties go to the lower row. At least 1.
        shrink: shoppers added to the diagonal; positive.

    Returns:
        Source, target and weight, each of shape (N,): what having the source adds to the chance of
        having the target. A weight can be negative.
    """
    n_items = shoppers.size
    by_chance = shoppers[pairs.source] * shoppers[pairs.target] / n_shoppers
    moment = pairs.shoppers - by_chance
    spread = np.maximum(shoppers * (1 - shoppers / n_shoppers), 0.0)
    correlation = np.abs(moment) / np.sqrt(by_chance * n_shoppers)
    source, target, counts = _neighbours(pairs, correlation, n_items, n_neighbours)
    codes = pairs.source * n_items + pairs.target
    order = np.argsort(codes, kind="stable")
    known = _Lookup(codes[order], moment[order])
    first = np.cumsum(counts) - counts
    weight = np.zeros(source.size)
    # Neighbourhoods of about one size together, so that little is padded.
    by_size = np.argsort(counts, kind="stable")
    by_size = by_size[counts[by_size] > 0]
    for begin in range(0, by_size.size, _CHUNK):
        some = by_size[begin : begin + _CHUNK]
        column = np.arange(counts[some].max())
        there = column < counts[some][:, None]
        place = np.where(there, first[some][:, None] + column, 0)
        block = np.where(there, source[place], -1)
        weight[place[there]] = _solve(block, some, spread, known, shrink)[there]
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


def _neighbours(
    pairs: PairCounts, strength: Floats, n_items: int, n_neighbours: int
) -> tuple[Ints, Ints, Ints]:
    """Return source and target of the pairs that are kept, by target, and how many a target has."""
    order = np.lexsort((pairs.source, -strength, pairs.target))
    source, target = pairs.source[order], pairs.target[order]
    counts = np.bincount(target, minlength=n_items)
    place = np.arange(target.size) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = place < n_neighbours
    return source[kept], target[kept], np.minimum(counts, n_neighbours)


def _solve(block: Ints, target: Ints, spread: Floats, known: _Lookup, shrink: float) -> Floats:
    """Solve some neighbourhoods.

    Args:
        block: shape (n, width); sources, -1 where there are fewer.
        target: shape (n,).
        spread: shape (n_items,); the diagonal.
        known: covariances by ``source * n_items + target``.
        shrink: see `neighbourhood_ridge`.
    """
    there = block >= 0
    both = there[:, :, None] & there[:, None, :]
    among = known(block[:, :, None] * spread.size + block[:, None, :]) * both
    diagonal = np.arange(block.shape[1])
    among[:, diagonal, diagonal] = np.where(there, spread[block], 0.0)
    with_target = known(block * spread.size + target[:, None]) * there
    return np.where(there, _shrunk_solve(among, with_target, shrink), 0.0)


def _shrunk_solve(among: Floats, with_target: Floats, shrink: float) -> Floats:
    """Solve with the nearest matrices without negative eigenvalues, `shrink` added to all."""
    try:
        np.linalg.cholesky(among + _ROUNDING * shrink * np.eye(among.shape[1]))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(among)
        values = np.maximum(values, 0.0) + shrink
        turned = np.einsum("nij,ni->nj", vectors, with_target) / values
        projected: Floats = np.einsum("nij,nj->ni", vectors, turned)
        return projected
    # None has any, as with all counts of all pairs: several times faster.
    loaded = among + shrink * np.eye(among.shape[1])
    solved: Floats = np.linalg.solve(loaded, with_target[:, :, None])[:, :, 0].astype(np.float64)
    return solved
