"""The library LensKit: nearest neighbours of items, and EASE with the paper's orientation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from lenskit.data import ItemList, RecQuery, from_interactions_df
from lenskit.knn import EASEScorer, ItemKNNScorer

from benchmarks.peers.exchange import PLACES
from benchmarks.peers.theirs.recommender import matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.peers.exchange import Setting, Task


class _LensKit(ABC):
    """What the library's scorers share."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @abstractmethod
    def _make(self) -> Any:
        """Return the library's scorer, not yet trained."""

    def fit(self, task: Task) -> None:
        n_items = min(int(self._setting["items"]), task.n_items)
        self._known = matrix(task, "binary", n_items=n_items)
        pairs = self._known.tocoo()
        table = pd.DataFrame({"user_id": pairs.row, "item_id": pairs.col})
        data = from_interactions_df(table)
        self._scorer = self._make()
        self._scorer.train(data)
        self._items = np.unique(pairs.col)

    def recommend(
        self, asked: npt.NDArray[np.int64], *, new: bool
    ) -> Sequence[npt.NDArray[np.int64]]:
        return [self._one(int(shopper), new=new) for shopper in asked]

    def _one(self, shopper: int, *, new: bool) -> npt.NDArray[np.int64]:
        history = self._known[shopper].indices
        if not history.size:
            return np.array([], dtype=np.int64)
        candidates = np.setdiff1d(self._items, history) if new else self._items
        scored = self._scorer(
            RecQuery(user_id=shopper, history_items=ItemList(item_ids=history)),
            ItemList(item_ids=candidates),
        )
        # Items without a neighbour in the history have no score and are not returned.
        return np.asarray(scored.top_n(PLACES).ids(), dtype=np.int64)


class ItemKnn(_LensKit):
    """Cosine of two items' shoppers; an item is scored by its nearest in the history."""

    def _make(self) -> ItemKNNScorer:
        return ItemKNNScorer(
            max_nbrs=self._setting["neighbours"],
            save_nbrs=self._setting["saved"],
            feedback="implicit",
        )

    @property
    def n_bytes(self) -> int:
        return int(self._scorer.sim_matrix.nbytes)


class Ease(_LensKit):
    """EASE in closed form over the most popular items."""

    def _make(self) -> EASEScorer:
        return EASEScorer(regularization=self._setting["regularization"])

    @property
    def n_bytes(self) -> int:
        return int(self._scorer.weights.nbytes)
