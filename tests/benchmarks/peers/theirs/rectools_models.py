"""The library RecTools: EASE."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel

from benchmarks.peers.exchange import PLACES
from benchmarks.peers.theirs.recommender import matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.peers.exchange import Setting, Task


class RecTools(ABC):
    """What the library's models share: its tables of interactions and of answers."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @abstractmethod
    def _make(self) -> Any:
        """Return the library's model, not yet fitted."""

    @abstractmethod
    def _interactions(self, task: Task) -> pd.DataFrame:
        """Return what the model is trained on, as the library's table."""

    def fit(self, task: Task) -> None:
        self._model = self._make()
        table = self._interactions(task)
        self._dataset = Dataset.construct(table)
        self._shoppers = np.unique(table[Columns.User].to_numpy())
        self._model.fit(self._dataset)

    def recommend(
        self, asked: npt.NDArray[np.int64], *, new: bool
    ) -> Sequence[npt.NDArray[np.int64]]:
        known = asked[np.isin(asked, self._shoppers)]
        found: dict[int, npt.NDArray[np.int64]] = {}
        if known.size:
            table = self._model.recommend(
                users=known,
                dataset=self._dataset,
                k=PLACES,
                filter_viewed=new,
                # Shoppers with too few events for a sequence get nothing from the model.
                on_unsupported_targets="ignore",
            )
            for shopper, rows in table.groupby(Columns.User, sort=False):
                found[int(shopper)] = rows[Columns.Item].to_numpy().astype(np.int64)
        return [found.get(int(shopper), np.array([], dtype=np.int64)) for shopper in asked]


class Ease(RecTools):
    """EASE in closed form over the most popular items; scored with its weights transposed.

    The library keeps B as the paper defines it, and ranks by x B' where the paper has x B.
    """

    def _make(self) -> EASEModel:
        return EASEModel(
            regularization=float(self._setting["regularization"]), recommend_use_gpu_ranking=False
        )

    def _interactions(self, task: Task) -> pd.DataFrame:
        n_items = min(int(self._setting["items"]), task.n_items)
        known = matrix(task, str(self._setting["weighting"]), n_items=n_items).tocoo()
        return pd.DataFrame(
            {
                Columns.User: known.row,
                Columns.Item: known.col,
                Columns.Weight: known.data,
                Columns.Datetime: pd.Timestamp(0),
            }
        )

    @property
    def n_bytes(self) -> int:
        return int(self._model.weight.nbytes)
