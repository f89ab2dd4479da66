"""The library implicit: ALS, BPR and nearest neighbours of items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

from benchmarks.peers.exchange import PLACES
from benchmarks.peers.theirs.recommender import matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.peers.exchange import Setting, Task

SEED: Final = 20

_NEIGHBOURS: Final = {
    "cosine": CosineRecommender,
    "tfidf": TFIDFRecommender,
    "bm25": BM25Recommender,
}


class _Implicit(ABC):
    """What the library's models share."""

    def __init__(self, setting: Setting) -> None:
        self._weighting = str(setting["weighting"])
        self._setting = setting

    @abstractmethod
    def _make(self) -> Any:
        """Return the library's model, not yet fitted."""

    @abstractmethod
    def _tells(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which places of a list come from the model."""

    def fit(self, task: Task) -> None:
        self._model = self._make()
        self._known = matrix(task, self._weighting)
        self._model.fit(self._known, show_progress=False)

    def recommend(
        self, asked: npt.NDArray[np.int64], *, new: bool
    ) -> Sequence[npt.NDArray[np.int64]]:
        found, scores = self._model.recommend(
            asked, self._known[asked], N=PLACES, filter_already_liked_items=new
        )
        # Places without a neighbour come as zeros, filtered ones as the lowest number there is.
        return [
            row[(row >= 0) & self._tells(score)].astype(np.int64)
            for row, score in zip(found, scores, strict=True)
        ]


class Factors(_Implicit):
    """ALS and BPR."""

    @property
    def n_bytes(self) -> int:
        return int(self._model.user_factors.nbytes + self._model.item_factors.nbytes)

    def _tells(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        # A shopper of whom nothing is known has factors of 0, and they order nothing.
        told: npt.NDArray[np.bool_] = (scores > np.finfo(np.float32).min) & (scores != 0)
        return told


class Als(Factors):
    """Alternating least squares."""

    def _make(self) -> AlternatingLeastSquares:
        return AlternatingLeastSquares(
            factors=self._setting["factors"],
            regularization=self._setting["regularization"],
            alpha=self._setting["alpha"],
            iterations=15,
            random_state=SEED,
        )


class Bpr(Factors):
    """Bayesian personalised ranking."""

    def _make(self) -> BayesianPersonalizedRanking:
        return BayesianPersonalizedRanking(
            factors=self._setting["factors"],
            learning_rate=self._setting["learning_rate"],
            regularization=self._setting["regularization"],
            iterations=self._setting["iterations"],
            # One thread: with more, the updates race and no run is like another.
            num_threads=1,
            random_state=SEED,
        )


class ItemKnn(_Implicit):
    """Cosine, TF-IDF or BM25 of two items' shoppers; the nearest of each item are kept."""

    def _make(self) -> CosineRecommender | TFIDFRecommender | BM25Recommender:
        return _NEIGHBOURS[str(self._setting["similarity"])](K=self._setting["neighbours"])

    @property
    def n_bytes(self) -> int:
        kept = self._model.similarity
        return int(kept.data.nbytes + kept.indices.nbytes + kept.indptr.nbytes)

    def _tells(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        told: npt.NDArray[np.bool_] = scores > 0
        return told
