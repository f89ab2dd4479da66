"""Compare weights of the parts on training shoppers: how the models' constants were chosen.

    shelfrank demo
    python tests/benchmarks/choose_constants.py demo-out --cutoff 2017-11-01

Shoppers that `evaluate` would measure are removed first. Of the others, a quarter at a time is
ranked by a model made from the rest, at a cutoff before the demo's. Each line multiplies the parts
(popularity, next, affinity, category, repeat) of the shipped model; 1 everywhere is what ships.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from shelfrank import Ranker
from shelfrank.bundle.verify import verify_bundle
from shelfrank.consent.policy import Policy
from shelfrank_training.aggregates.run import aggregate
from shelfrank_training.aggregates.settings import AggregateSettings
from shelfrank_training.evaluate import metrics
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.folder import read_universe
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.shipped import rules_of
from shelfrank_training.evaluate.source import open_shoppers
from shelfrank_training.evaluate.tally import SCOPES, Tally
from shelfrank_training.events import Columns, Holdout
from shelfrank_training.publish.build import throwaway
from shelfrank_training.train import TrainSettings, train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    import numpy.typing as npt

    from shelfrank import Event
    from shelfrank_training.evaluate.protocol import Universe

FOLDS = 3
FOLD_SHARE = 0.25
MIN_SHOPPERS = 20

# Multiples of popularity, next, affinity, category, repeat.
WEIGHTS = (
    (1, 1, 1, 1, 1),
    (0.7, 1, 1, 1, 1),
    (1.4, 1, 1, 1, 1),
    (1, 0, 1, 1, 1),
    (1, 2, 1, 1, 1),
    (1, 1, 0, 1, 1),
    (1, 1, 0.5, 1, 1),
    (1, 1, 2, 1, 1),
    (1, 1, 1, 0, 1),
    (1, 1, 1, 0.5, 1),
    (1, 1, 1, 2, 1),
    (1, 1, 1, 1, 0.5),
    (1, 1, 1, 1, 2),
)


class Parts:
    """The parts of one ranking at a time, so that every weighting uses the same run."""

    def __init__(self, ranker: Ranker, universe: Universe) -> None:
        rows = [ranker.catalog.index_of(item_id) for item_id in universe.item_ids]
        self._rows = np.array([row for row in rows if row is not None], dtype=np.int64)
        self._ranker = ranker
        self._asked: tuple[object, ...] = ()
        self._parts: npt.NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)

    def of(
        self, history: Sequence[Event], *, now: datetime, in_visit: bool
    ) -> npt.NDArray[np.float32]:
        if self._asked != (id(history), now):
            scores = self._ranker.scores(history, now=now, candidates=self._rows, in_visit=in_visit)
            self._asked, self._parts = (id(history), now), scores.parts
        return self._parts


class Weighted:
    """The model with its parts multiplied."""

    def __init__(self, parts: Parts, weights: Sequence[float]) -> None:
        self._parts = parts
        self._weights = np.array(weights, dtype=np.float64)

    def __call__(
        self, history: Sequence[Event], *, now: datetime, in_visit: bool
    ) -> npt.NDArray[np.float64]:
        scores: npt.NDArray[np.float64] = (
            self._parts.of(history, now=now, in_visit=in_visit) @ self._weights
        )
        return scores


def write_training_events(folder: Path, work: Path) -> None:
    """Write the events without those shoppers that `evaluate` would measure."""
    events = pq.read_table(folder / "events.parquet")
    measured = Holdout(share=0.2)
    ours = {
        shopper: not measured.contains(shopper)
        for shopper in events["shopper_id"].unique().to_pylist()
    }
    kept = [ours[shopper] for shopper in events["shopper_id"].to_pylist()]
    pq.write_table(events.filter(kept), work / "events.parquet")


def make(
    folder: Path, work: Path, fold: int, cutoff: datetime, *, zone: ZoneInfo | None = None
) -> Holdout:
    """Make a model from three quarters of the training shoppers; return who the fourth are."""
    policy_file = folder / "policy.toml"
    policy = Policy.parse(policy_file.read_bytes()) if policy_file.exists() else None
    holdout = Holdout(share=FOLD_SHARE, salt=f"fold {fold}")
    settings = AggregateSettings(
        policy=policy, min_shoppers=MIN_SHOPPERS, holdout=holdout, until=cutoff, zone=zone
    )
    aggregate(work / "events.parquet", folder / "catalog.parquet", work / f"a{fold}", settings)
    train(
        work / f"a{fold}",
        folder / "catalog.parquet",
        work / f"m{fold}",
        settings=TrainSettings(policy=None if policy is None else policy_file),
    )
    return holdout


def measure(folder: Path, work: Path, fold: int, cutoff: datetime) -> Tally:
    """Measure a model on the shoppers that were kept out."""
    holdout = make(folder, work, fold, cutoff)
    universe = read_universe(work / f"m{fold}")
    data, trust = throwaway(work / f"m{fold}", cutoff)
    verified = verify_bundle(data, trust=trust, now=cutoff)
    ranker = Ranker(verified)
    policy = None if verified.policy is None else Policy.parse(verified.policy)
    parts = Parts(ranker, universe)
    tally = Tally(
        universe,
        {
            **{str(weights): Weighted(parts, weights) for weights in WEIGHTS},
            "popularity": Popularity(universe),
            "personal_frequency": PersonalFrequency(universe),
        },
    )
    rules = keep_all() if policy is None else rules_of(policy, ranker.catalog)
    with open_shoppers(work / "events.parquet", Columns(), holdout) as shoppers:
        collect(tally, shoppers, rules, Settings(cutoff=cutoff))
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="events.parquet, catalog.parquet, policy.toml")
    parser.add_argument("--cutoff", type=datetime.fromisoformat, required=True)
    options = parser.parse_args()
    cutoff = options.cutoff.replace(tzinfo=UTC)
    found: dict[str, dict[str, list[npt.NDArray[np.float64]]]] = {scope: {} for scope in SCOPES}
    with tempfile.TemporaryDirectory() as work:
        write_training_events(options.folder, Path(work))
        for fold in range(FOLDS):
            tally = measure(options.folder, Path(work), fold, cutoff)
            for scope in SCOPES:
                trials = tally.trials[scope]
                n_targets = np.array(trials.n_targets)
                for model, hits in trials.hits.items():
                    values = metrics.ndcg(np.concatenate(hits), n_targets, 20)
                    found[scope].setdefault(model, []).append(values)
    print(f"{'NDCG@20':<32}" + "".join(f"{scope:>10}" for scope in SCOPES))
    for model in found["all"]:
        values = [float(np.concatenate(found[scope][model]).mean()) for scope in SCOPES]
        print(f"{model:<32}" + "".join(f"{value:10.4f}" for value in values))


if __name__ == "__main__":
    main()
