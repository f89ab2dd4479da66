"""The whole model: the parts, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of the reference implementation.

    Attributes:
        score: float64, shape (C,).
        parts: float64, shape (C, P), in the order of `Blend.part_names`.
    """

    score: npt.NDArray[np.float64]
    parts: npt.NDArray[np.float64]


def default_parts() -> tuple[Part, ...]:
    """Return the parts of the shipped model, unfitted."""
    return Popularity(), Next(), Affinity(), Category(), Repeat()


class Blend(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Add the parts up. The weights sit in the parts, as constants on the scale of log-odds.

    Args:
        parts: unfitted estimators that follow `Part`; None means `default_parts`.
        reader: how histories are summarised; None means the default.
    """

    def __init__(
        self, parts: Sequence[Part] | None = None, reader: HistoryReader | None = None
    ) -> None:
        self.parts = parts
        self.reader = reader

    def fit(self, X: Counts, y: None = None) -> Self:
        """Fit every part on the same counts."""
        parts = self.parts or default_parts()
        self.parts_: list[Part] = [clone(part).fit(X) for part in parts]
        self.reader_ = clone(self.reader or HistoryReader()).fit(X)
        self.space_ = X.space
        return self

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts, in the order of the columns."""
        check_is_fitted(self)
        return tuple(part.name for part in self.parts_)

    def score_candidates(self, inputs: GraphInputs) -> Scores:
        """Score in numpy, at double precision: what the exported graph must agree with."""
        check_is_fitted(self)
        state = self.reader_.read(inputs)
        columns = [part.part(state, inputs) for part in self.parts_]
        parts = np.stack(columns, axis=1)
        return Scores(score=parts.sum(axis=1), parts=parts)
