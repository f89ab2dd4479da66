"""Noise that protects people, and what it costs: the one module that imports OpenDP.

Counts are in whole thousandths of a shopper, so that noise is discrete (Canonne, Kamath, Steinke,
arXiv 2004.00010) and no property of floating-point numbers can give the data away. Costs are in
zero-concentrated differential privacy (Bun, Steinke, arXiv 1605.02658), which adds up over tables,
adaptively chosen ones too; OpenDP turns the sum into epsilon and delta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from shelfrank.errors import MissingExtraError
from shelfrank_training.errors import PrivacyError

if TYPE_CHECKING:
    import numpy.typing as npt

UNIT: Final = 1000
"""Thousandths of a shopper in one shopper."""

_SLACK: Final = 1e-9
"""Relative; what is asked of a mechanism is met to nine digits, and the sum is checked after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How far one shopper more or less moves a table, in thousandths of a shopper.

    Attributes:
        l0: rows that change at most.
        l2: Euclidean length of the change at most.
        linf: change of one row at most.
    """

    l0: int
    l2: float
    linf: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one pass of a mechanism costs: ``delta``-approximate ``rho``-zCDP."""

    rho: float
    delta: float = 0.0


class NoiseSource(Protocol):
    """Where noise comes from. Releases use `OpenDp`; an audit may hand in something else."""

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        """Return `counts` with discrete Gaussian noise on every one.

        Args:
            counts: shape (N,); the keys are known before.
            scale: standard deviation, in the unit of the counts.
        """
        ...

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        """Return which of the counts reach a threshold with their noise, and those noisy counts.

        Args:
            counts: shape (N,), positive: a key that nobody has is not among them.
            scale: standard deviation, in the unit of the counts.
            threshold: positive.
        """
        ...


class OpenDp:
    """OpenDP's discrete Gaussian noise, from the randomness of the operating system."""

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        """See `NoiseSource.add`."""
        noisy = _gaussian(scale)(counts.tolist())
        return np.array(noisy, dtype=np.int64)

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        """See `NoiseSource.add_and_cut`."""
        found = _gaussian_threshold(scale, threshold)(dict(enumerate(counts.tolist())))
        # OpenDP returns a hash map, whose order must not be published; and it cuts by distance from
        # zero, while a count below zero is nobody's.
        kept = sorted((key, value) for key, value in found.items() if value >= threshold)
        keys = np.array([key for key, _ in kept], dtype=np.intp)
        return keys, np.array([value for _, value in kept], dtype=np.int64)


OPENDP: Final = OpenDp()


def scale_for(sensitivity: Sensitivity, rho: float) -> float:
    """Return the standard deviation that costs at most `rho` (of zCDP) for this sensitivity."""
    return sensitivity.l2 / math.sqrt(2 * rho) * (1 + _SLACK)


def gaussian_cost(sensitivity: Sensitivity, scale: float) -> Cost:
    """Return what OpenDP says that `NoiseSource.add` costs."""
    return Cost(rho=float(_gaussian(scale).map(d_in=sensitivity.l2)))


def threshold_cost(sensitivity: Sensitivity, scale: float, threshold: int) -> Cost:
    """Return what OpenDP says that `NoiseSource.add_and_cut` costs."""
    distance = (sensitivity.l0, sensitivity.l2, float(sensitivity.linf))
    rho, delta = _gaussian_threshold(scale, threshold).map(d_in=distance)
    return Cost(rho=float(rho), delta=float(delta))


@cache
def threshold_for(sensitivity: Sensitivity, scale: float, delta: float) -> int:
    """Return the lowest threshold under which a key of one shopper's own stays hidden.

    Args:
        sensitivity: of the table.
        scale: of the noise.
        delta: chance in (0, 1) with which any key that one shopper alone brought may show.
    """
    low, high = sensitivity.linf, sensitivity.linf + math.ceil(40 * scale)
    while high - low > 1:
        middle = (low + high) // 2
        if threshold_cost(sensitivity, scale, middle).delta <= delta:
            high = middle
        else:
            low = middle
    return high


@cache
def epsilon_of(rho: float, delta: float) -> float:
    """Return the epsilon that `rho` (of zCDP) implies at `delta`, by OpenDP's conversion."""
    dp = _opendp()
    profile = dp.c.make_zCDP_to_approxDP(_gaussian(1.0)).map(d_in=math.sqrt(2 * rho))
    return float(profile.epsilon(delta))


@cache
def rho_for(epsilon: float, delta: float) -> float:
    """Return the largest rho (of zCDP) that implies at most `epsilon` at `delta`.

    Args:
        epsilon: positive.
        delta: in (0, 1).

    Raises:
        PrivacyError: epsilon is so small that nothing is left to spend.
    """
    from scipy.optimize import brentq  # noise alone needs it, and only here.

    def beyond(rho: float) -> float:
        return epsilon_of(rho, delta) - epsilon

    # epsilon_of(rho) is never above rho + 2 sqrt(rho ln(1 / delta)).
    least = (math.sqrt(math.log(1 / delta) + epsilon) - math.sqrt(math.log(1 / delta))) ** 2 / 2
    if not least > 0:
        raise PrivacyError(f"epsilon {epsilon:g} at delta {delta:g} leaves no budget to spend")
    most = 2 * least
    while beyond(most) <= 0:
        most *= 2
    rho = float(brentq(beyond, least / 2, most, rtol=_SLACK, xtol=least * _SLACK))
    step = _SLACK
    while beyond(rho) > 0:  # The root is met from either side; what is promised, from one.
        rho *= 1 - step
        step *= 2
    return rho


def accountant() -> str:
    """Return how costs are added up, and by whose code, for people who check."""
    _opendp()
    return f"zCDP, OpenDP {version('opendp')}"


@cache
def _opendp() -> Any:
    try:
        import opendp.prelude as dp
    except ImportError:
        raise MissingExtraError(
            "noise needs opendp, which is not installed", hint="pip install 'shelfrank[training]'"
        ) from None
    # OpenDP marks a constructor as "contrib" until its proof has been vetted by its maintainers;
    # those of the Gaussian mechanisms are written, reviewed proofs. "idealized-numerics", which
    # would permit arithmetic that is not safe, stays off.
    dp.enable_features("contrib")
    return dp


@cache
def _gaussian(scale: float) -> Any:
    dp = _opendp()
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.l2_distance(T=dp.f64)
    return dp.m.make_gaussian(*space, scale=scale)


def _gaussian_threshold(scale: float, threshold: int) -> Any:
    dp = _opendp()
    keys, counts = dp.atom_domain(T=dp.i64), dp.atom_domain(T=dp.i64)
    metric = dp.l02inf_distance(dp.absolute_distance(T=dp.f64))
    space = dp.map_domain(keys, counts), metric
    return dp.m.make_gaussian_threshold(*space, scale=scale, threshold=threshold)
