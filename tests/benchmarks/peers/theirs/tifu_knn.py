"""TIFU-kNN: a shopper's own frequencies, fading, and those of the most similar shoppers.

Written anew after Hu, He, Gao and Zhang, "Modeling Personalized Item Frequency Information for
Next-basket Recommendation", SIGIR 2020, as the paper has it: the decay inside a group counts from
the group's end. Needs numpy and scipy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from benchmarks.peers.exchange import PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.peers.exchange import Setting, Task


def basket_weights(
    n_baskets: int, *, groups: int, within_decay: float, group_decay: float
) -> npt.NDArray[np.float64]:
    """Return how much each basket of a shopper counts, oldest first.

    Baskets are cut into groups of one size, the first of which may be smaller. A group is the mean
    of its baskets, each times `within_decay` for every later one in it; the shopper is the mean of
    the groups, each times `group_decay` for every later group.

    Args:
        n_baskets: at least 1.
        groups: at most so many.
        within_decay: in (0, 1].
        group_decay: in (0, 1].
    """
    size = -(-n_baskets // groups)
    # Counted from the newest, so that the oldest group is the one that may be smaller.
    age = np.arange(n_baskets)[::-1]
    group, later = np.divmod(age, size)
    n_groups = int(group.max()) + 1
    in_group = np.bincount(group)[group]
    return within_decay**later / in_group * group_decay**group / n_groups


class TifuKnn:
    """The model; every shopper's vector is kept, as the neighbours are shoppers."""

    def __init__(self, setting: Setting) -> None:
        self._groups = int(setting["groups"])
        self._within = float(setting["within_decay"])
        self._between = float(setting["group_decay"])
        self._neighbours = int(setting["neighbours"])
        self._own = float(setting["alpha"])

    def fit(self, task: Task) -> None:
        rows = task.liked
        # A basket is a set: an item that is in it twice counts once.
        baskets = np.unique(np.column_stack([rows.shopper, rows.visit, rows.item]), axis=0)
        shopper, visit, item = baskets.T
        starts = np.flatnonzero(np.r_[True, (np.diff(shopper) != 0) | (np.diff(visit) != 0)])
        basket_of = np.repeat(np.arange(starts.size), np.diff(np.r_[starts, shopper.size]))
        owner = shopper[starts]
        counts = np.bincount(owner, minlength=task.n_shoppers)
        weight = np.concatenate(
            [
                basket_weights(
                    int(n),
                    groups=self._groups,
                    within_decay=self._within,
                    group_decay=self._between,
                )
                for n in counts
                if n
            ]
        )
        self._vectors = sp.csr_matrix(
            (weight[basket_of], (shopper, item)), shape=(task.n_shoppers, task.n_items)
        )
        self._squares = np.asarray(self._vectors.multiply(self._vectors).sum(axis=1)).ravel()
        self._bought = counts > 0

    def scores(self, shopper: int) -> npt.NDArray[np.float64]:
        """Return how likely each item is, shape (n_items,)."""
        own = self._vectors[shopper]
        # Squared Euclidean distance; the shopper's own square is the same to all and left out.
        distance = self._squares - 2 * (self._vectors @ own.T).toarray().ravel()
        distance[~self._bought] = np.inf
        distance[shopper] = np.inf
        n_near = min(self._neighbours, int(np.isfinite(distance).sum()))
        near = np.argsort(distance, kind="stable")[:n_near]
        theirs = np.asarray(self._vectors[near].sum(axis=0)).ravel() / max(1, n_near)
        scores: npt.NDArray[np.float64] = (
            self._own * own.toarray().ravel() + (1 - self._own) * theirs
        )
        return scores

    def recommend(
        self, asked: npt.NDArray[np.int64], *, new: bool
    ) -> Sequence[npt.NDArray[np.int64]]:
        found = []
        for shopper in asked:
            scores = self.scores(int(shopper))
            if new:
                scores[self._vectors[int(shopper)].indices] = 0
            best = np.argsort(-scores, kind="stable")[:PLACES]
            found.append(best[scores[best] > 0].astype(np.int64))
        return found

    @property
    def n_bytes(self) -> int:
        """Bytes of all shoppers' vectors."""
        kept = self._vectors
        return int(kept.data.nbytes + kept.indices.nbytes + kept.indptr.nbytes)
