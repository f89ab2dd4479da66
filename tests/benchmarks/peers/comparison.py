"""From rankings to figures: the same tally, metrics and bootstrap for everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peers.exchange import SCOPES
from benchmarks.peers.tuning import wanted
from shelfrank_training.evaluate.bootstrap import N_RESAMPLES
from shelfrank_training.evaluate.results import results
from shelfrank_training.evaluate.run import SEED
from shelfrank_training.evaluate.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from benchmarks.peers.exchange import Cost, Scope
    from benchmarks.peers.problem import Problem
    from benchmarks.peers.tuning import Choice
    from shelfrank_training.evaluate.baselines import Scorer
    from shelfrank_training.evaluate.results import Figures, Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model among those that are compared.

    Attributes:
        rankings: of a peer, scope → shape (n_asked, places); empty for what is ours.
        cost: what it takes, scope by scope where a peer was tuned for each; empty if it takes
            nothing worth a number.
        choices: the settings that a peer was tuned to.
        note: what must be known beside its figures.
    """

    rankings: Mapping[Scope, npt.NDArray[np.int64]] = field(default_factory=dict)
    cost: Mapping[Scope, Cost] = field(default_factory=dict)
    choices: Mapping[Scope, Choice] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everybody's figures.

    Attributes:
        results: the first model's differences to each other one are in it.
        second: the differences of the second model to each other one.
    """

    results: Results
    second: Figures


def compare(
    problem: Problem,
    ours: Mapping[str, Scorer],
    peers: Mapping[str, Mapping[Scope, npt.NDArray[np.int64]]],
    *,
    n_resamples: int = N_RESAMPLES,
) -> Comparison:
    """Measure models that can be asked and rankings that were given.

    Args:
        problem: what was asked.
        ours: models to be asked, at least two; differences are those of the first two.
        peers: rankings by name, scope → shape (n_asked, places), universe rows.
        n_resamples: bootstrap draws.
    """
    tally = Tally(problem.universe, ours)
    for moment in problem.moments:
        tally.add([moment])
    for name, rankings in peers.items():
        add_rankings(tally, name, rankings, problem)
    rng = np.random.default_rng(SEED)
    found = results(tally, "future", rng=rng, n_resamples=n_resamples)
    first, second, *others = tally.models
    tally.models = (second, first, *others)
    # The same seed draws the same shoppers.
    again = results(tally, "future", rng=np.random.default_rng(SEED), n_resamples=n_resamples)
    return Comparison(results=found, second=again.paired)


def add_rankings(
    tally: Tally,
    name: str,
    rankings: Mapping[Scope, npt.NDArray[np.int64]],
    problem: Problem,
) -> None:
    """Enter a peer's rankings as if the tally had asked for them.

    Args:
        tally: every moment of the problem was put to it, in order.
        name: of the peer.
        rankings: scope → shape (n_asked, places).
        problem: what was asked.
    """
    for scope in SCOPES:
        for ranking, moment in zip(rankings[scope], problem.moments, strict=True):
            targets = wanted(moment, problem.universe)[scope]
            if targets.size:
                hits = np.isin(ranking, targets)[np.newaxis]
                tally.trials[scope].add_ranking(name, ranking.astype(np.intp), hits)
    tally.models = (*tally.models, name)
