"""Sources of noise for tests: weakened ones, under which a test of the noise must fail.

Each takes the place of `shelfrank_training.aggregates.noise.OPENDP`. None of them protects anybody.
"""
# ruff: noqa: ARG002 - a source is told more than a weakened one needs.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shelfrank_training.aggregates.noise import OPENDP, NoiseSource

if TYPE_CHECKING:
    import numpy.typing as npt


class Exact:
    """Adds nothing, and cuts at the threshold."""

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        return counts.copy()

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        kept = np.flatnonzero(counts >= threshold)
        return kept, counts[kept]


class ShowsAll(Exact):
    """Adds nothing, and publishes every key it is given."""

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        return np.arange(counts.size), counts.copy()


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Adds a part of the noise, and cuts at the threshold of the whole.

    Attributes:
        factor: of the standard deviation, above 0 and below 1.
        source: where the noise comes from.
    """

    factor: float
    source: NoiseSource = OPENDP

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        return self.source.add(counts, scale=scale * self.factor)

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        return self.source.add_and_cut(counts, scale=scale * self.factor, threshold=threshold)


@dataclass(frozen=True, slots=True)
class ExactKeys:
    """Adds all the noise, but decides by the exact counts which keys show.

    Attributes:
        source: where the noise comes from.
    """

    source: NoiseSource = OPENDP

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        return self.source.add(counts, scale=scale)

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        kept, amount = Exact().add_and_cut(counts, scale=scale, threshold=threshold)
        return kept, self.source.add(amount, scale=scale)


@dataclass(frozen=True, slots=True)
class Constant:
    """Says the same of everything, and shows the keys whose exact counts are large.

    Two inputs with the same large keys must then give the same bytes: whatever still differs came
    past the noise.

    Attributes:
        number: in thousandths of a shopper. Of keys that show twice as much is said, and at least
            their threshold: pairs of items then say something that their items do not.
    """

    number: int

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        return np.full_like(counts, self.number)

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        kept = np.flatnonzero(counts >= threshold)
        return kept, np.full(kept.size, max(2 * self.number, threshold), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Seeded:
    """Adds rounded normal noise that a seed repeats, much faster than OpenDP.

    To measure what noise does to a result, or to an attacker, over many draws in a test that gives
    the same answer on every run; never to measure whether the shipped noise protects.

    Attributes:
        rng: where it comes from.
    """

    rng: np.random.Generator

    def add(self, counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        return counts + np.rint(self.rng.normal(0, scale, counts.shape)).astype(np.int64)

    def add_and_cut(
        self, counts: npt.NDArray[np.int64], *, scale: float, threshold: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        return Exact().add_and_cut(self.add(counts, scale=scale), scale=scale, threshold=threshold)
