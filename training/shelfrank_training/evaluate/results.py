"""From trials to figures with intervals: every model, and the first one against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from shelfrank_training.evaluate import bootstrap, metrics
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.tally import K_MAX, SCOPES, Scope

if TYPE_CHECKING:
    from shelfrank_training.evaluate.protocol import ProtocolName
    from shelfrank_training.evaluate.tally import Tally, Trials

COVERAGE: Final = f"coverage@{K_MAX}"

Measure: TypeAlias = Callable[
    [npt.NDArray[np.bool_], npt.NDArray[np.int64], int], npt.NDArray[np.float64]
]
Figures: TypeAlias = dict[str, dict[Scope, dict[str, Estimate]]]
"""Model → scope → metric → figure; a scope in which no shopper has a target is empty."""

_MEASURES: Final[dict[str, tuple[Measure, int]]] = {
    "recall@10": (metrics.recall, 10),
    "recall@20": (metrics.recall, 20),
    "ndcg@10": (metrics.ndcg, 10),
    "ndcg@20": (metrics.ndcg, 20),
    "mrr@20": (metrics.reciprocal_rank, 20),
}


def measures(protocol: ProtocolName) -> dict[str, tuple[Measure, int]]:
    """Return the metrics that are means over trials; ``mrr@20`` only with one target a trial."""
    return {
        name: measure
        for name, measure in _MEASURES.items()
        if protocol == "next" or not name.startswith("mrr")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was measured.

    Attributes:
        metrics: every model, the first one first.
        paired: the first model minus each other one, on the same shoppers.
        shoppers: how many shoppers have a trial in each scope.
        trials: how many rankings were compared with what was right, in each scope.
        targets: how many targets those trials have.
    """

    metrics: Figures
    paired: Figures
    shoppers: dict[Scope, int]
    trials: dict[Scope, int]
    targets: dict[Scope, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A figure on all shoppers and in each resample; differences of samples are paired."""

    value: float
    resampled: npt.NDArray[np.float64]
    centred: bool

    def minus(self, other: _Sample) -> _Sample:
        return _Sample(
            value=self.value - other.value,
            resampled=self.resampled - other.resampled,
            centred=self.centred,
        )

    def estimate(self) -> Estimate:
        return bootstrap.interval(self.value, self.resampled, centred=self.centred)


def results(
    tally: Tally,
    protocol: ProtocolName,
    *,
    rng: np.random.Generator,
    n_resamples: int = bootstrap.N_RESAMPLES,
) -> Results:
    """State every figure with its interval.

    Args:
        tally: at least one shopper's trials.
        protocol: decides which metrics are stated.
        rng: for the bootstrap.
        n_resamples: how many draws.
    """
    draws = list(bootstrap.draws(tally.n_shoppers, rng=rng, n_resamples=n_resamples))
    samples = {
        scope: _samples(trials, tally, measures(protocol), draws) if trials.shopper else {}
        for scope, trials in tally.trials.items()
    }
    first, *others = tally.models
    return Results(
        metrics={
            model: {
                scope: {name: of[model].estimate() for name, of in samples[scope].items()}
                for scope in SCOPES
            }
            for model in tally.models
        },
        paired={
            other: {
                scope: {
                    name: of[first].minus(of[other]).estimate()
                    for name, of in samples[scope].items()
                }
                for scope in SCOPES
            }
            for other in others
        },
        shoppers={scope: len(set(trials.shopper)) for scope, trials in tally.trials.items()},
        trials={scope: len(trials.shopper) for scope, trials in tally.trials.items()},
        targets={scope: sum(trials.n_targets) for scope, trials in tally.trials.items()},
    )


def _samples(
    trials: Trials,
    tally: Tally,
    measured: dict[str, tuple[Measure, int]],
    draws: list[npt.NDArray[np.uint16]],
) -> dict[str, dict[str, _Sample]]:
    """Return metric → model → sample for one scope that has trials."""
    shopper = np.array(trials.shopper, dtype=np.intp)
    n_targets = np.array(trials.n_targets, dtype=np.int64)
    counts = np.bincount(shopper, minlength=tally.n_shoppers).astype(np.float64)
    samples: dict[str, dict[str, _Sample]] = {name: {} for name in [*measured, COVERAGE]}
    for model in tally.models:
        hits = np.concatenate(trials.hits[model])
        sums: npt.NDArray[np.float64] = np.column_stack(
            [
                np.bincount(shopper, weights=measure(hits, n_targets, k), minlength=counts.size)
                for measure, k in measured.values()
            ]
        )
        values = sums.sum(axis=0) / counts.sum()
        resampled = np.concatenate(
            [bootstrap.resampled_means(sums, counts, drawn) for drawn in draws]
        )
        for at, name in enumerate(measured):
            samples[name][model] = _Sample(
                value=float(values[at]), resampled=resampled[:, at], centred=False
            )
        samples[COVERAGE][model] = _coverage(trials, model, tally, draws)
    return samples


def _coverage(
    trials: Trials, model: str, tally: Tally, draws: list[npt.NDArray[np.uint16]]
) -> _Sample:
    rankings = np.array(trials.rankings[model], dtype=np.intp)
    asker = np.array(trials.asker, dtype=np.intp)
    n_items = tally.universe.n_items
    return _Sample(
        value=metrics.coverage(rankings, K_MAX, n_items=n_items),
        resampled=np.concatenate(
            [
                bootstrap.coverage_in_resample(rankings[:, :K_MAX], asker, drawn, n_items=n_items)
                for drawn in draws
            ]
        ),
        centred=True,
    )
