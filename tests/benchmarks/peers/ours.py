"""Our side of the comparison: the models as `shelfrank` makes and ships them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.peers.exchange import PLACES, Cost
from shelfrank_training.aggregates.run import aggregate
from shelfrank_training.aggregates.settings import UNPROTECTED_MIN_SHOPPERS, AggregateSettings
from shelfrank_training.evaluate import metrics
from shelfrank_training.publish.build import throwaway
from shelfrank_training.train import TrainSettings, train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from shelfrank.consent.policy import Policy
    from shelfrank_training.evaluate.baselines import Scorer
    from shelfrank_training.evaluate.protocol import Moment
    from shelfrank_training.events import Columns, Holdout

_TIMED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What models are made from.

    Attributes:
        events: Parquet or CSV.
        catalog: Parquet or CSV.
        policy: whose sensitive categories stay out and by which devices keep histories, or None.
        holdout: the shoppers that are kept out.
        columns: how the files' columns differ from the contract's.
    """

    events: Path
    catalog: Path
    policy: Policy | None
    holdout: Holdout
    columns: Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A model folder.

    Attributes:
        folder: what ``shelfrank train`` wrote.
        fit_seconds: from events to model: counting and training.
        n_bytes: of the bundle that devices fetch, with everything in it.
    """

    folder: Path
    fit_seconds: float
    n_bytes: int


def make(source: Source, work: Path, *, min_shoppers: int, until: datetime) -> Made:
    """Count and train, as ``shelfrank aggregate`` and ``shelfrank train`` do.

    Args:
        source: what the model is made from.
        work: gets the folders of aggregates and model.
        min_shoppers: shoppers behind every number.
        until: nothing from here on is used.
    """
    started = time.perf_counter()
    counts, model = work / f"aggregates-{min_shoppers}", work / f"model-{min_shoppers}"
    count(source, counts, min_shoppers=min_shoppers, until=until)
    # The policy stays out of the bundle: it forbids the model that is made without protection.
    # What devices keep by it is asked of every model alike (`problem`).
    train(
        counts,
        source.catalog,
        model,
        settings=TrainSettings(columns=source.columns, overwrite=True),
    )
    taken = time.perf_counter() - started
    bundle, _ = throwaway(model, until)
    return Made(folder=model, fit_seconds=taken, n_bytes=len(bundle))


def count(source: Source, out: Path, *, min_shoppers: int, until: datetime) -> None:
    """Aggregate the shoppers who are not kept out."""
    policy = source.policy
    settings = AggregateSettings(
        policy=None if policy is None else replace(policy, min_shoppers=1),
        min_shoppers=min_shoppers,
        unprotected=min_shoppers < UNPROTECTED_MIN_SHOPPERS,
        holdout=source.holdout,
        until=until,
        columns=source.columns,
        overwrite=True,
    )
    aggregate(source.events, source.catalog, out, settings)


def cost(made: Made, scorer: Scorer, moments: Sequence[Moment]) -> Cost:
    """Return what one of our models takes, its ranking timed like a peer's."""
    taken = []
    for moment in moments[:_TIMED]:
        start = time.perf_counter()
        scores = scorer(moment.history, now=moment.now, in_visit=moment.in_visit)
        metrics.top_k(scores, PLACES)
        taken.append(time.perf_counter() - start)
    return Cost(
        fit_seconds=made.fit_seconds,
        n_bytes=made.n_bytes,
        rank_seconds=float(np.median(taken)),
    )
