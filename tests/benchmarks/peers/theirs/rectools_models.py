"""The library RecTools: EASE and SASRec."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, SASRecModel

from benchmarks.peers.exchange import PLACES
from benchmarks.peers.theirs.recommender import matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.peers.exchange import Setting, Task

SEED: Final = 20


class _RecTools(ABC):
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


class Ease(_RecTools):
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


class SasRec(_RecTools):
    """Self-attention over the latest events, one sequence a shopper."""

    def _make(self) -> SASRecModel:
        seed_everything(SEED, verbose=False)
        torch.set_num_threads(2)
        epochs = int(self._setting["epochs"])
        return SASRecModel(
            n_blocks=2,
            n_heads=1,
            n_factors=int(self._setting["factors"]),
            dropout_rate=0.2,
            session_max_len=int(self._setting["length"]),
            loss="softmax",
            lr=float(self._setting["learning_rate"]),
            batch_size=64,
            epochs=epochs,
            deterministic=True,
            recommend_torch_device="cpu",
            get_trainer_func=_quiet_trainer,
            get_trainer_func_kwargs={"epochs": epochs},
        )

    def _interactions(self, task: Task) -> pd.DataFrame:
        rows = task.liked
        kept = rows.item < min(int(self._setting["items"]), task.n_items)
        rows = rows.where(kept)
        # Events of one basket have one time: the order in the file is kept inside it.
        order = np.lexsort((np.arange(rows.time.size), rows.time, rows.shopper))
        return pd.DataFrame(
            {
                Columns.User: rows.shopper[order],
                Columns.Item: rows.item[order],
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(rows.time[order], unit="us"),
            }
        )

    @property
    def n_bytes(self) -> int:
        network = self._model.torch_model
        return int(sum(value.numel() * value.element_size() for value in network.parameters()))


def _quiet_trainer(epochs: int) -> Trainer:
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        deterministic=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
    )
