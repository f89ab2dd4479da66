"""The library RecTools: SASRec, within a bound on its training time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.models import SASRecModel

from benchmarks.peers.theirs.rectools_models import RecTools

if TYPE_CHECKING:
    from benchmarks.peers.exchange import Task

SEED: Final = 20

FIT_SECONDS: Final = 240
"""Training ends after so long, wherever it is: twice what any other model of the tables takes.

On two cores that is 20 to 90 epochs, and the grid says how many are wanted at most.
"""

NEGATIVES: Final = 64
"""Sampled for each event under gBCE; 128 take twice as long."""


class SasRec(RecTools):
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
            loss=str(self._setting["loss"]),
            n_negatives=NEGATIVES,
            gbce_t=0.75,
            lr=0.001,
            batch_size=128,
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
        max_time={"seconds": FIT_SECONDS},
        accelerator="cpu",
        deterministic=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
    )
