"""What epsilon an attacker proves that a release has at least.

An attacker who tells two inputs apart more often than (epsilon, delta) permits proves that epsilon
is larger (Jagielski, Ullman, Oprea: Auditing differentially private machine learning, NeurIPS
2020). How to guess is chosen on one half of the releases and counted on the other; from the counts
follow Clopper-Pearson bounds for the true rates. If noise is Gaussian, the same rates say more: how
many standard deviations the two inputs lie apart (Nasr et al.: Tight auditing of differentially
private machine learning, USENIX Security 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from support.attackers import Likelihood

_NORMAL: Final = NormalDist()

_STEPS: Final = 100
"""Halvings of a search: enough for a double."""

_CUTS: Final = 400
"""Places at which a score is tried to be cut: finer ones prove nothing more."""

_LARGEST_EPSILON: Final = 200.0
"""No number of runs that anybody waits for proves more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is certain about an attacker, up to a stated chance of error.

    Attributes:
        false: at most this share of the releases without the shopper are taken for one with.
        true: at least this share of those with the shopper are recognised.
    """

    false: float
    true: float

    def epsilon(self, delta: float) -> float:
        """Return the epsilon that must at least be stated for these rates."""
        # In both directions: the neighbours of a neighbour are symmetric.
        ratios = [(self.true - delta, self.false), (1 - self.false - delta, 1 - self.true)]
        return max(0.0, *(math.log(a / b) if a > 0 else 0.0 for a, b in ratios))

    def deviations(self) -> float:
        """Return how many standard deviations two Gaussians must lie apart for these rates."""
        if not self.false < self.true:
            return 0.0
        return _NORMAL.inv_cdf(self.true) - _NORMAL.inv_cdf(self.false)


def gaussian_epsilon(deviations: float, delta: float) -> float:
    """Return the epsilon at delta of two Gaussians that many standard deviations apart.

    Balle, Wang: Improving the Gaussian mechanism for differential privacy, ICML 2018, theorem 5.
    """
    if deviations == 0:
        return 0.0
    low, high = 0.0, _LARGEST_EPSILON
    for _ in range(_STEPS):
        middle = (low + high) / 2
        needed = float(
            stats.norm.cdf(deviations / 2 - middle / deviations)
            - np.exp(middle + stats.norm.logcdf(-deviations / 2 - middle / deviations))
        )
        low, high = (low, middle) if needed <= delta else (middle, high)
    return low  # A lower bound stays one.


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was proved about a table, or about all.

    Attributes:
        epsilon: at least this, whatever the noise is.
        deviations: if the noise is Gaussian, the two inputs lie at least so many apart.
        gaussian_epsilon: the epsilon that follows from it.
    """

    epsilon: float
    deviations: float
    gaussian_epsilon: float


def audit(
    attacker: Likelihood,
    without: npt.NDArray[np.float64],
    with_shopper: npt.NDArray[np.float64],
    *,
    delta: float,
    failure: float,
) -> dict[str, Finding]:
    """Prove as much as possible.

    Args:
        attacker: knows the two inputs.
        without: what it saw of releases without the shopper; shape (releases, numbers).
        with_shopper: likewise of those with the shopper.
        delta: that goes with epsilon.
        failure: the most that the chance may be that any number returned is too large.

    Returns:
        A finding for each of the attacker's tables.
    """
    cut, cut_with = len(without) // 2, len(with_shopper) // 2
    attacker.learn(np.concatenate([without[:cut], with_shopper[:cut_with]]))
    # Two statements a table, each with a bound for either rate.
    each = failure / (4 * len(attacker.tables))
    found = {}
    for table in attacker.tables:
        tries = []
        for score in (attacker.by_size, attacker.by_showing):
            a, b = score(without, table), score(with_shopper, table)
            tries.append((_Scores(a[:cut], b[:cut_with]), _Scores(a[cut:], b[cut_with:])))
        epsilon = _prove(tries, lambda rates: rates.epsilon(delta), each)
        deviations = _prove(tries, Rates.deviations, each)
        found[table] = Finding(
            epsilon=epsilon,
            deviations=deviations,
            gaussian_epsilon=gaussian_epsilon(deviations, delta),
        )
    return found


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores of releases without and with the shopper."""

    without: npt.NDArray[np.float64]
    with_shopper: npt.NDArray[np.float64]

    def rates(self, cuts: npt.NDArray[np.float64], failure: float) -> list[Rates]:
        """Return what is certain of "there from this score on"; each rate errs with `failure`."""
        false = _at_most(_reach(self.without, cuts), self.without.size, failure)
        true = _at_least(_reach(self.with_shopper, cuts), self.with_shopper.size, failure)
        return [Rates(false=a, true=b) for a, b in zip(false.tolist(), true.tolist(), strict=True)]

    def best(self, worth: Callable[[Rates], float], failure: float) -> tuple[float, float]:
        """Return what the best cut is worth, and the cut."""
        cuts = np.unique(np.concatenate([self.without, self.with_shopper]))
        if cuts.size > _CUTS:
            cuts = np.unique(np.quantile(cuts, np.linspace(0, 1, _CUTS)))
        worths = [worth(rates) for rates in self.rates(cuts, failure)]
        place = int(np.argmax(worths))
        return worths[place], float(cuts[place])


def _prove(
    tries: list[tuple[_Scores, _Scores]], worth: Callable[[Rates], float], failure: float
) -> float:
    """Choose a score and a cut on the first halves, and return what they prove on the second."""
    chosen = [(*first.best(worth, failure), second) for first, second in tries]
    _, cut, second = max(chosen, key=lambda choice: choice[0])
    return worth(second.rates(np.array([cut]), failure)[0])


def _reach(scores: npt.NDArray[np.float64], cuts: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return scores.size - np.searchsorted(np.sort(scores), cuts, side="left")


def _at_most(hits: npt.NDArray[np.intp], runs: int, failure: float) -> npt.NDArray[np.float64]:
    bound = stats.beta.ppf(1 - failure, hits + 1, np.maximum(runs - hits, 1))
    return np.where(hits == runs, 1.0, bound)


def _at_least(hits: npt.NDArray[np.intp], runs: int, failure: float) -> npt.NDArray[np.float64]:
    bound = stats.beta.ppf(failure, np.maximum(hits, 1), runs - hits + 1)
    return np.where(hits == 0, 0.0, bound)
