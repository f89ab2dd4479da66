"""From trials to figures with intervals: every model, and the first one against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from shelfrank_training.evaluate import bootstrap, metrics
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.slices import BANDS, BUCKETS, CUTS, Bucket, Cut, bucket_of
from shelfrank_training.evaluate.tally import K_MAX, SCOPES, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shelfrank_training.evaluate.protocol import ProtocolName
    from shelfrank_training.evaluate.tally import Tally, Trials

COVERAGE: Final = f"coverage@{K_MAX}"

IN_SLICES: Final[tuple[str, ...]] = ("recall@20", "ndcg@20", "mrr@20")
"""What is stated of slices too: of few shoppers, fewer figures say more."""

FEWEST: Final = 20
"""Shoppers that a slice by history has at least, where there are as many at all: the interval of
fewer looks narrow by chance, since a resample of two holds little else than the two."""

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
class Slice:
    """What was measured on some of the trials, or on some of their targets.

    Attributes:
        name: of a `shelfrank_training.evaluate.slices.Bucket`, or a band.
        shoppers: how many shoppers have a trial in it.
        trials: how many trials.
        targets: how many targets those have in it.
        metrics: model → metric → figure.
        paired: the first model minus each other one.
    """

    name: str
    shoppers: int
    trials: int
    targets: int
    metrics: dict[str, dict[str, Estimate]]
    paired: dict[str, dict[str, Estimate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was measured.

    Attributes:
        metrics: every model, the first one first.
        paired: the first model minus each other one, on the same shoppers.
        recall_by_k: model → scope → recall at 1, 2 … `K_MAX` places; empty without any target.
        slices: cut → scope → slices in order, those without a trial left out.
        shoppers: how many shoppers have a trial in each scope.
        trials: how many rankings were compared with what was right, in each scope.
        targets: how many targets those trials have.
    """

    metrics: Figures
    paired: Figures
    recall_by_k: dict[str, dict[Scope, tuple[Estimate, ...]]]
    slices: dict[Cut, dict[Scope, tuple[Slice, ...]]]
    shoppers: dict[Scope, int]
    trials: dict[Scope, int]
    targets: dict[Scope, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A figure on all shoppers and in each resample; differences of samples are paired."""

    value: float
    resampled: npt.NDArray[np.float64]
    centred: bool = False
    least: float = 0.0

    def minus(self, other: _Sample) -> _Sample:
        return _Sample(
            value=self.value - other.value,
            resampled=self.resampled - other.resampled,
            centred=self.centred,
            least=-1.0,
        )

    def estimate(self) -> Estimate:
        return bootstrap.interval(
            self.value, self.resampled, centred=self.centred, within=(self.least, 1.0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Some trials of a scope, with all their targets or those of one band.

    Attributes:
        name: of the slice.
        cut: which cut it is a slice of; None for the whole scope.
        trials: shape (n,); which trials of the scope.
        n_targets: shape (n,); how many targets each has in the block, at least 1.
        band: the band that counts, or None for all.
        measured: what is stated of it.
    """

    name: str
    cut: Cut | None
    trials: npt.NDArray[np.intp]
    n_targets: npt.NDArray[np.int64]
    band: int | None
    measured: dict[str, tuple[Measure, int]]


def results(
    tally: Tally,
    protocol: ProtocolName,
    *,
    rng: np.random.Generator,
    n_resamples: int = bootstrap.N_RESAMPLES,
    fewest: int = FEWEST,
) -> Results:
    """State every figure with its interval.

    Args:
        tally: at least one shopper's trials.
        protocol: decides which metrics are stated.
        rng: for the bootstrap.
        n_resamples: how many draws.
        fewest: shoppers; a slice by history with fewer is joined to its neighbour.
    """
    draws = list(bootstrap.draws(tally.n_shoppers, rng=rng, n_resamples=n_resamples))
    scopes = {
        scope: _Scope(tally, scope, measures(protocol), draws, fewest=fewest)
        for scope in SCOPES
        if tally.trials[scope].shopper
    }
    first, *others = tally.models
    return Results(
        metrics={
            model: {
                scope: scopes[scope].whole(model) if scope in scopes else {} for scope in SCOPES
            }
            for model in tally.models
        },
        paired={
            other: {
                scope: scopes[scope].whole(first, other) if scope in scopes else {}
                for scope in SCOPES
            }
            for other in others
        },
        recall_by_k={
            model: {
                scope: scopes[scope].recall_by_k(model) if scope in scopes else ()
                for scope in SCOPES
            }
            for model in tally.models
        },
        slices={
            cut: {scope: scopes[scope].slices(cut) if scope in scopes else () for scope in SCOPES}
            for cut in CUTS
        },
        shoppers={scope: len(set(trials.shopper)) for scope, trials in tally.trials.items()},
        trials={scope: len(trials.shopper) for scope, trials in tally.trials.items()},
        targets={scope: sum(trials.n_targets) for scope, trials in tally.trials.items()},
    )


class _Scope:
    """Every figure of one scope, with its resamples.

    Args:
        tally: has a trial in the scope.
        scope: which.
        measured: what is stated of the whole scope, but for coverage.
        draws: of the bootstrap.
        fewest: shoppers of a slice by history.
    """

    def __init__(
        self,
        tally: Tally,
        scope: Scope,
        measured: dict[str, tuple[Measure, int]],
        draws: list[npt.NDArray[np.uint16]],
        *,
        fewest: int,
    ) -> None:
        self._trials = tally.trials[scope]
        self._shopper = np.array(self._trials.shopper, dtype=np.intp)
        self._n_shoppers = tally.n_shoppers
        self._models = tally.models
        self._draws = draws
        whole, *self._slices = _blocks(self._trials, measured, fewest=fewest)
        by_k = {f"recall@{k}": (metrics.recall, k) for k in range(1, K_MAX + 1)}
        blocks = [replace(whole, measured=measured | by_k), *self._slices]
        self._samples = {model: self._sample(model, blocks, tally.band) for model in self._models}
        self._measured = (*measured, COVERAGE)
        for model in self._models:
            self._samples[model][0][COVERAGE] = _coverage(self._trials, model, tally, draws)

    def whole(self, model: str, other: str | None = None) -> dict[str, Estimate]:
        """Return the figures of a model, or what it has more than another."""
        return self._figures(0, self._measured, model, other)

    def recall_by_k(self, model: str) -> tuple[Estimate, ...]:
        """Return a model's recall at each length of the list."""
        return tuple(self._samples[model][0][f"recall@{k}"].estimate() for k in range(1, K_MAX + 1))

    def slices(self, cut: Cut) -> tuple[Slice, ...]:
        """Return the slices of a cut."""
        first, *others = self._models
        return tuple(
            Slice(
                name=block.name,
                shoppers=np.unique(self._shopper[block.trials]).size,
                trials=block.trials.size,
                targets=int(block.n_targets.sum()),
                metrics={model: self._figures(at, block.measured, model) for model in self._models},
                paired={other: self._figures(at, block.measured, first, other) for other in others},
            )
            for at, block in enumerate(self._slices, start=1)
            if block.cut == cut
        )

    def _figures(
        self, block: int, names: Iterable[str], model: str, other: str | None = None
    ) -> dict[str, Estimate]:
        of = self._samples[model][block]
        if other is None:
            return {name: of[name].estimate() for name in names}
        than = self._samples[other][block]
        return {name: of[name].minus(than[name]).estimate() for name in names}

    def _sample(
        self, model: str, blocks: Sequence[_Block], band_of: npt.NDArray[np.int8]
    ) -> list[dict[str, _Sample]]:
        """Return metric → sample for each block."""
        hits = np.concatenate(self._trials.hits[model])
        # Where a place holds a hit, the band of the item there is the band of the target.
        bands = band_of[np.array(self._trials.rankings[model])[self._trials.ranking]]
        columns: list[npt.NDArray[np.float64]] = []
        counts = []
        for block in blocks:
            found = hits[block.trials]
            if block.band is not None:
                found &= bands[block.trials] == block.band
            counts.append(self._by_shopper(block, None))
            columns.extend(
                self._by_shopper(block, measure(found, block.n_targets, k))
                for measure, k in block.measured.values()
            )
        divisor = np.repeat(np.arange(len(blocks)), [len(block.measured) for block in blocks])
        sums, shares = np.column_stack(columns), np.column_stack(counts)
        values = sums.sum(axis=0) / shares.sum(axis=0)[divisor]
        resampled = np.concatenate(
            [
                bootstrap.resampled_means(sums, shares, drawn, divisor=divisor)
                for drawn in self._draws
            ]
        )
        samples = (
            _Sample(value=float(value), resampled=resampled[:, at])
            for at, value in enumerate(values)
        )
        return [{name: next(samples) for name in block.measured} for block in blocks]

    def _by_shopper(
        self, block: _Block, values: npt.NDArray[np.float64] | None
    ) -> npt.NDArray[np.float64]:
        """Sum up what each shopper's trials are worth; without values, count them."""
        shopper = self._shopper[block.trials]
        return np.bincount(shopper, weights=values, minlength=self._n_shoppers).astype(np.float64)


def _blocks(
    trials: Trials, measured: dict[str, tuple[Measure, int]], *, fewest: int
) -> list[_Block]:
    """Return the whole scope, then its slices."""
    n_targets = np.array(trials.n_targets, dtype=np.int64)
    whole = _Block(
        name="",
        cut=None,
        trials=np.arange(n_targets.size),
        n_targets=n_targets,
        band=None,
        measured=measured,
    )
    in_slices = {name: measured[name] for name in IN_SLICES if name in measured}
    slices = replace(whole, measured=in_slices)
    in_band = np.array(trials.in_band, dtype=np.int64)
    by_popularity = [
        replace(
            slices,
            name=name,
            cut="popularity",
            trials=np.flatnonzero(in_band[:, at]),
            n_targets=in_band[in_band[:, at] > 0, at],
            band=at,
        )
        for at, name in enumerate(BANDS)
        if in_band[:, at].any()
    ]
    return [whole, *_by_history(slices, trials, fewest=fewest), *by_popularity]


def _by_history(whole: _Block, trials: Trials, *, fewest: int) -> list[_Block]:
    """Cut by the length of the history, neighbours joined until each has enough shoppers."""
    shopper = np.array(trials.shopper, dtype=np.intp)
    bucket = bucket_of(np.array(trials.n_known, dtype=np.int64))
    groups: list[list[int]] = [[]]
    for at in np.unique(bucket).tolist():
        if groups[-1] and np.unique(shopper[np.isin(bucket, groups[-1])]).size >= fewest:
            groups.append([])
        groups[-1].append(at)
    # The last one found no neighbour behind it.
    if len(groups) > 1 and np.unique(shopper[np.isin(bucket, groups[-1])]).size < fewest:
        groups[-2:] = [groups[-2] + groups[-1]]
    return [
        replace(
            whole,
            name=Bucket(BUCKETS[group[0]].low, BUCKETS[group[-1]].high).name,
            cut="history",
            trials=np.flatnonzero(np.isin(bucket, group)),
            n_targets=whole.n_targets[np.isin(bucket, group)],
        )
        for group in groups
    ]


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
