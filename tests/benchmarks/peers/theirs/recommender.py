"""What every peer is to this benchmark, and what all of them need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import scipy.sparse as sp

from benchmarks.peers.exchange import NOTHING, PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.peers.exchange import Task


class Recommender(Protocol):
    """A model of a library, behind the calls that the library has for it."""

    def fit(self, task: Task) -> None:
        """Train on everything of the task."""
        ...

    def recommend(
        self, asked: npt.NDArray[np.int64], *, new: bool
    ) -> Sequence[npt.NDArray[np.int64]]:
        """Rank for some of the asked shoppers.

        Args:
            asked: who.
            new: leave out what the shopper had before.

        Returns:
            For each, at most `PLACES` rows of the universe, best first. Where the model has nothing
            to say, the list is short.
        """
        ...

    @property
    def n_bytes(self) -> int:
        """Bytes of the numbers that are needed to rank."""
        ...


def matrix(task: Task, weighting: str, *, n_items: int | None = None) -> sp.csr_matrix:
    """Return shoppers x items with how much speaks for each pair.

    Args:
        task: what is known.
        weighting: ``binary``: 1; ``count``: how many events; ``log``: 1 + ln of that.
        n_items: keep only so many of the most popular items; None keeps all.
    """
    rows = task.liked
    if n_items is not None:
        rows = rows.where(rows.item < n_items)
    shape = (task.n_shoppers, n_items or task.n_items)
    ones = np.ones(rows.item.size, dtype=np.float32)
    counts = sp.coo_matrix((ones, (rows.shopper, rows.item)), shape=shape).tocsr()
    counts.sum_duplicates()
    counts.sort_indices()
    counts.data = _weighted(counts.data, weighting).astype(np.float32)
    return counts


def _weighted(counts: npt.NDArray[np.float32], weighting: str) -> npt.NDArray[np.float32]:
    if weighting == "count":
        return counts
    if weighting == "log":
        return 1 + np.log(counts)
    if weighting == "binary":
        return np.ones_like(counts)
    raise ValueError(f"weighting is {weighting!r}, wanted binary, count or log")


def completed(
    found: npt.NDArray[np.int64], seen: npt.NDArray[np.int64] | None, n_items: int
) -> npt.NDArray[np.int64]:
    """Return a whole ranking: where a list is short, the most popular items go on.

    Args:
        found: the list, best first.
        seen: what must not be in it, or None.
        n_items: size of the universe; row 0 is the most popular item.

    Returns:
        Shape (`PLACES`,); `NOTHING` at the end where the universe has no more.
    """
    if seen is not None:
        found = found[~np.isin(found, seen)]
    missing = PLACES - found.size
    if missing > 0:
        barred = found if seen is None else np.concatenate([found, seen])
        popular = np.arange(min(n_items, missing + barred.size))
        found = np.concatenate([found, popular[~np.isin(popular, barred)][:missing]])
    ranking = np.full(PLACES, NOTHING, dtype=np.int64)
    ranking[: min(PLACES, found.size)] = found[:PLACES]
    return ranking
