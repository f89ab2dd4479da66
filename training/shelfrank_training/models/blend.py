"""The whole model: the parts, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from shelfrank_training.models.history import HistoryReader
from shelfrank_training.models.parts import Affinity, Category, Next, Part, Popularity, Repeat

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank.ranking.session import GraphInputs
    from shelfrank_training.models.counts import Counts


N_SITUATIONS: Final = 3
"""No history, a visit starts, in a visit (`shelfrank.ranking.session.GraphInputs.situation`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of the reference implementation.

    Attributes:
        score: float64, shape (C,); the sum of `parts`.
        parts: float64, shape (C, P), weighted, in the order of `Blend.part_names`.
    """

    score: npt.NDArray[np.float64]
    parts: npt.NDArray[np.float64]


def default_parts() -> tuple[Part, ...]:
    """Return the parts of the shipped model, unfitted."""
    return Popularity(), Next(), Affinity(), Category(), Repeat()


class Blend(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Add the parts up, each times its weight in the situation.

    The parts hold constants on the scale of log-odds, so the weights are 1 unless others were
    learned (`shelfrank_training.outcomes.learning`).

    Args:
        parts: unfitted estimators that follow `Part`; None means `default_parts`.
        reader: how histories are summarised; None means the default.
        weights: shape (`N_SITUATIONS`, P), positive; None means 1 everywhere.
    """

    def __init__(
        self,
        parts: Sequence[Part] | None = None,
        reader: HistoryReader | None = None,
        weights: Sequence[Sequence[float]] | None = None,
    ) -> None:
        self.parts = parts
        self.reader = reader
        self.weights = weights

    def fit(self, X: Counts, y: None = None) -> Self:
        """Fit every part on the same counts.

        Raises:
            ValueError: the weights are not a positive number for each situation and part.
        """
        parts = self.parts or default_parts()
        self.weights_ = _checked(self.weights, n_parts=len(parts))
        self.parts_: list[Part] = [clone(part).fit(X) for part in parts]
        self.reader_ = clone(self.reader or HistoryReader()).fit(X)
        self.space_ = X.space
        return self

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts, in the order of the columns."""
        check_is_fitted(self)
        return tuple(part.name for part in self.parts_)

    @property
    def is_weighted(self) -> bool:
        """Whether any weight differs from 1; if none does, the graph needs no nodes for them."""
        check_is_fitted(self)
        return bool((self.weights_ != 1).any())

    @property
    def reads_dayparts(self) -> bool:
        """Whether any part differs by the time of day."""
        check_is_fitted(self)
        return any(getattr(part, "daypart_", None) is not None for part in self.parts_)

    def score_candidates(self, inputs: GraphInputs) -> Scores:
        """Score in numpy, at double precision: what the exported graph must agree with."""
        check_is_fitted(self)
        state = self.reader_.read(inputs)
        columns = [part.part(state, inputs) for part in self.parts_]
        parts = np.stack(columns, axis=1) * self.weights_[int(inputs.situation[0])]
        return Scores(score=parts.sum(axis=1), parts=parts)


def _checked(weights: Sequence[Sequence[float]] | None, *, n_parts: int) -> npt.NDArray[np.float32]:
    """Return the weights as the graph holds them."""
    shape = (N_SITUATIONS, n_parts)
    if weights is None:
        return np.ones(shape, dtype=np.float32)
    found = np.array(weights, dtype=np.float32)
    if found.shape != shape:
        raise ValueError(f"weights have shape {found.shape}, wanted {shape}")
    if not (np.isfinite(found) & (found > 0)).all():
        raise ValueError("weights hold a number that is not positive and finite")
    return found
