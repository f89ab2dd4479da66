"""The library RecTools: SASRec, within a bound on its training time."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.models import SASRecModel

from benchmarks.peers.theirs.rectools_models import RecTools

if TYPE_CHECKING:
    from benchmarks.peers.exchange import Task

SEED: Final = 20

FIT_SECONDS: Final = 150.0
"""Of one core's time, after which training ends with the epoch it is in. More than any other model
of the tables takes, ours included; time of the core, since cores are shared."""

NEGATIVES: Final = 16
"""Sampled for each event; with all 3,400 items of Online Retail an epoch takes four times as
long."""


class SasRec(RecTools):
    """Self-attention over the latest events, one sequence a shopper."""

    def _make(self) -> SASRecModel:
        seed_everything(SEED, verbose=False)
        # Two threads wait for each other longer than they compute wherever a core is shared.
        torch.set_num_threads(1)
        return SASRecModel(
            n_blocks=2,
            n_heads=1,
            n_factors=int(self._setting["factors"]),
            dropout_rate=0.2,
            session_max_len=int(self._setting["length"]),
            loss="gBCE",
            n_negatives=NEGATIVES,
            gbce_t=0.75,
            lr=float(self._setting["learning_rate"]),
            batch_size=int(self._setting["batch"]),
            deterministic=True,
            recommend_torch_device="cpu",
            get_trainer_func=_quiet_trainer,
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


class _Bound(Callback):  # type: ignore[misc] # its library is no part of our environment
    """Ends training, and tells how far it came."""

    def __init__(self) -> None:
        self._start = time.process_time()
        self._epochs = 0

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        """Count."""
        self._epochs += 1
        if time.process_time() - self._start > FIT_SECONDS:
            trainer.should_stop = True
            print(f"SASRec: {self._epochs} epochs", file=sys.stderr, flush=True)


def _quiet_trainer() -> Trainer:
    return Trainer(
        max_epochs=-1,
        callbacks=[_Bound()],
        accelerator="cpu",
        deterministic=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
    )
