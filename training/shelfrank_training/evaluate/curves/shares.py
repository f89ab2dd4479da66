"""How sure a share is: shoppers and draws of noise resampled together, paired with the reference.

A figure of a noisy model has two sources of chance: who was measured, and how the noise fell. Each
resample draws both anew, with replacement. The same drawn shoppers serve every model, so a share
knows that both its sides met the same people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shelfrank_training.evaluate import bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank_training.evaluate.bootstrap import Estimate


class Resampled:
    """Means over shoppers in every resample.

    Args:
        present: shape (n_shoppers,); 1 for who counts, 0 for who does not; somebody counts.
        rng: for the shoppers and for the noise.
        n_resamples: how many.
    """

    def __init__(
        self, present: npt.NDArray[np.float64], *, rng: np.random.Generator, n_resamples: int
    ) -> None:
        self._present = present
        self._n_resamples = n_resamples
        drawn = bootstrap.draws(present.size, rng=rng, n_resamples=n_resamples)
        self._drawn = list(drawn)
        self._rng = rng

    def noise(self, n_draws: int) -> npt.NDArray[np.float64]:
        """Return how much each draw of the noise counts in each resample.

        Returns:
            Shape (n_resamples, n_draws); rows sum to 1.
        """
        chances = np.full(n_draws, 1 / n_draws)
        times = self._rng.multinomial(n_draws, chances, size=self._n_resamples)
        return times / n_draws

    def mean(
        self, draws: Sequence[npt.NDArray[np.float64]], noise: npt.NDArray[np.float64]
    ) -> Mean:
        """Average over shoppers and draws.

        Args:
            draws: each of shape (n_shoppers,).
            noise: from `noise`; the same for figures of the same models.
        """
        columns = np.column_stack(list(draws))
        resampled = np.concatenate(
            [bootstrap.resampled_means(columns, self._present, drawn) for drawn in self._drawn]
        )
        value = float(columns.sum(axis=0).mean() / self._present.sum())
        return Mean(value, (resampled * noise).sum(axis=1))


class Mean:
    """A figure on all shoppers and in every resample.

    Args:
        value: on all shoppers and draws.
        resampled: shape (n_resamples,).
    """

    def __init__(self, value: float, resampled: npt.NDArray[np.float64]) -> None:
        self.value = value
        self._resampled = resampled

    def estimate(self) -> Estimate:
        """Return it with its interval."""
        return bootstrap.interval(self.value, self._resampled)

    def share_of(self, reference: Mean) -> Mean:
        """Return it as a share of `reference`, which is above 0; the same by itself is 1."""
        shares = np.full(self._resampled.shape, np.nan)
        np.divide(self._resampled, reference._resampled, out=shares, where=reference._resampled > 0)
        return Mean(self.value / reference.value, shares)

    def minus(self, other: Mean) -> Mean:
        """Return the difference, resample by resample."""
        return Mean(self.value - other.value, self._resampled - other._resampled)
