"""How sure a figure is: the bootstrap over shoppers, paired between models.

Shoppers are what a shop has more or fewer of, so shoppers are drawn, each with all its trials (a
cluster bootstrap: Field and Welsh, 2007). One draw serves every model and metric, so the interval
of a difference knows that both models met the same shoppers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

N_RESAMPLES: Final = 1_000
"""Draws: puts the ends of a 95 % interval within about a twentieth of its half-width."""

LEVEL: Final = 0.95

# Draws per matrix product: 50 x 1,000,000 shoppers stay under half a gigabyte.
_BATCH: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number and its 95 % interval over shoppers.

    Attributes:
        value: as measured on all shoppers.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float


def draws(
    n_shoppers: int, *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Iterator[npt.NDArray[np.uint16]]:
    """Yield how often each shopper was drawn, for a batch of resamples at a time.

    Args:
        n_shoppers: at least 1; each resample draws as many, with replacement.
        rng: where the chance comes from; the same state gives the same intervals.
        n_resamples: how many in all.

    Yields:
        Shape (at most 50, n_shoppers); every row sums to `n_shoppers`.
    """
    chances = np.full(n_shoppers, 1.0 / n_shoppers)
    for start in range(0, n_resamples, _BATCH):
        drawn = rng.multinomial(n_shoppers, chances, size=min(_BATCH, n_resamples - start))
        # Nobody is drawn 65,536 times; a quarter of the memory, as all draws are kept.
        yield drawn.astype(np.uint16)


def resampled_means(
    sums: npt.NDArray[np.float64],
    counts: npt.NDArray[np.float64],
    drawn: npt.NDArray[np.uint16],
    *,
    divisor: npt.NDArray[np.intp] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the mean over trials of each column, in each resample.

    Args:
        sums: shape (n_shoppers, n_columns); a shopper's metric summed over its trials.
        counts: shape (n_shoppers,); its number of trials; 0 leaves it out. With a divisor, shape
            (n_shoppers, n_counts).
        drawn: shape (n_resamples, n_shoppers); from `draws`.
        divisor: shape (n_columns,); which of the counts each column is a mean over.

    Returns:
        Shape (n_resamples, n_columns); NaN where a resample holds no trial at all.
    """
    weights = drawn.astype(np.float64)
    total = weights @ counts
    total = total[:, np.newaxis] if divisor is None else total[:, divisor]
    means = np.full((drawn.shape[0], sums.shape[1]), np.nan)
    np.divide(weights @ sums, total, out=means, where=total > 0)
    return means


def coverage_in_resample(
    rankings: npt.NDArray[np.intp],
    shopper: npt.NDArray[np.intp],
    drawn: npt.NDArray[np.uint16],
    *,
    n_items: int,
) -> npt.NDArray[np.float64]:
    """Return the coverage that the shoppers of each resample give together.

    Args:
        rankings: shape (n_rankings, k).
        shopper: shape (n_rankings,); whose ranking it is.
        drawn: shape (n_resamples, n_shoppers); from `draws`.
        n_items: size of the universe.

    Returns:
        Shape (n_resamples,).
    """
    from scipy.sparse import csr_array

    flat = rankings.reshape(-1)
    whose = np.repeat(shopper, rankings.shape[1])
    known = flat >= 0  # The places that stayed empty show nothing.
    # Item by shopper, how often shown: then one product says for every item and resample at once
    # whether anybody drawn was shown it. All terms are 0 or more, so none can cancel another.
    shown = csr_array(
        (np.ones(int(known.sum()), dtype=np.float32), (flat[known], whose[known])),
        shape=(n_items, drawn.shape[1]),
    )
    there = (drawn.T > 0).astype(np.float32)
    share: npt.NDArray[np.float64] = np.count_nonzero(shown @ there, axis=0) / n_items
    return share


def interval(
    value: float,
    resampled: npt.NDArray[np.float64],
    *,
    centred: bool = False,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """Return `value` with the middle 95 % of its resampled values (the percentile method).

    Args:
        value: on all shoppers.
        resampled: shape (n_resamples,); NaN is left out.
        centred: move the resampled values so that their mean is `value`. Coverage needs it: a
            resample holds only about 63 % of the shoppers, who see fewer items than all of them do,
            so its plain percentiles lie below the value. The spread is kept, the shift is taken
            out.
        within: least and most that the figure can be; moved values can lie beyond.
    """
    known = resampled[~np.isnan(resampled)]
    if known.size == 0:
        return Estimate(value=value, low=value, high=value)
    if centred:
        known = known - known.mean() + value
    low, high = np.clip(np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]), *within)
    return Estimate(value=value, low=float(low), high=float(high))
