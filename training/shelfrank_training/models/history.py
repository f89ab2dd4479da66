"""What all parts read of a history: visits with an item, how active an item is, what is disliked.

The numpy here is the reference that the graph is held against (`shelfrank_training.export.parity`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shelfrank.types import KIND_CODES, KINDS

if TYPE_CHECKING:
    import numpy.typing as npt

    from shelfrank.ranking.session import GraphInputs
    from shelfrank_training.models.counts import Counts

KIND_WEIGHTS: Final = {"view": 0.3, "cart": 0.6, "purchase": 1.0, "like": 2.0, "dislike": 0.0}
"""How much one visit with an event of a kind counts. Judgement, ordered by effort: the data at hand
hold purchases only, or views only, so the ratios between kinds are not measured."""

ACTIVITY_HALF_LIFE_DAYS: Final = 120.0
"""How fast interest in an item fades for recommending others. Chosen on training shoppers of the
Complete Journey and of Online Retail; 30 to 120 days differ by less than the noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryState:
    """A history as the parts read it. V distinct (item, visit, kind), I distinct items.

    Attributes:
        visit_item: int64, shape (V,).
        visit_number: int64, shape (V,), 0 = the current visit.
        visit_age_days: float64, shape (V,).
        visit_weight: float64, shape (V,), by kind.
        past_item: int64, shape (I,).
        past_activity: float64, shape (I,): ``log1p`` of the decayed visits, -1 where disliked.
        disliked: float64, shape (n_rows,), 1 where the shopper said so.
    """

    visit_item: npt.NDArray[np.int64]
    visit_number: npt.NDArray[np.int64]
    visit_age_days: npt.NDArray[np.float64]
    visit_weight: npt.NDArray[np.float64]
    past_item: npt.NDArray[np.int64]
    past_activity: npt.NDArray[np.float64]
    disliked: npt.NDArray[np.float64]


class HistoryReader(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Turn events into `HistoryState`.

    Several events of one kind with one item in one visit count once, at the latest of their times:
    a basket line split in two is not twice the interest. Every number is a function of one item's
    events, so parts stay additive.

    Args:
        activity_half_life_days: see `ACTIVITY_HALF_LIFE_DAYS`; positive.
    """

    def __init__(self, activity_half_life_days: float = ACTIVITY_HALF_LIFE_DAYS) -> None:
        self.activity_half_life_days = activity_half_life_days

    def fit(self, X: Counts, y: None = None) -> Self:
        """Learn the number of rows; everything else is a parameter."""
        self.n_rows_ = X.space.n_rows
        self.kind_weights_ = np.array([KIND_WEIGHTS[kind] for kind in KINDS], dtype=np.float32)
        return self

    def read(self, inputs: GraphInputs) -> HistoryState:
        """Summarise the events of `inputs`; an empty history gives empty arrays.

        Raises:
            NotFittedError: before `fit`.
        """
        check_is_fitted(self)
        keys = np.stack([inputs.event_item, inputs.event_visit, inputs.event_kind])
        distinct, place = np.unique(keys, axis=1, return_inverse=True)
        item, visit, kind = distinct.astype(np.int64)
        age = np.full(item.size, np.inf)
        np.minimum.at(age, place.reshape(-1), inputs.event_age_days.astype(np.float64))
        weight = self.kind_weights_[kind].astype(np.float64)
        disliked = np.zeros(self.n_rows_)
        disliked[item[kind == KIND_CODES["dislike"]]] = 1
        decayed = weight * 0.5 ** (age / self.activity_half_life_days)
        total = np.bincount(item, weights=decayed, minlength=self.n_rows_)
        past = np.unique(item)
        return HistoryState(
            visit_item=item,
            visit_number=visit,
            visit_age_days=age,
            visit_weight=weight,
            past_item=past,
            past_activity=np.where(disliked[past] > 0, -1.0, np.log1p(total[past])),
            disliked=disliked,
        )
