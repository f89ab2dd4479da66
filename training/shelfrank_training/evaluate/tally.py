"""Ranks moment by moment with every model and keeps what the metrics need: short lists and hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from shelfrank_training.evaluate import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from shelfrank_training.evaluate.baselines import Scorer
    from shelfrank_training.evaluate.protocol import Moment, Universe

Scope = Literal["all", "new"]
"""``all``: every target; ``new``: only items that the history does not name, ranked among such."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

K_MAX: Final = 20
"""The longest list that is measured: about what people scroll through on a phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """All trials of one scope; the same ones for every model.

    Attributes:
        shopper: whose trial it is, 0..n_shoppers-1; one entry per trial.
        n_targets: how many items were right; one entry per trial.
        asker: whose ranking it is; one entry per ranking (a ranking may serve several trials).
        hits: per model, one row of `K_MAX` places per trial, in one or more pieces.
        rankings: per model, the lists shown, each of shape (K_MAX,).
    """

    shopper: list[int] = field(default_factory=list)
    n_targets: list[int] = field(default_factory=list)
    asker: list[int] = field(default_factory=list)
    hits: dict[str, list[npt.NDArray[np.bool_]]] = field(default_factory=dict)
    rankings: dict[str, list[npt.NDArray[np.intp]]] = field(default_factory=dict)

    def add(self, shopper: int, targets: npt.NDArray[np.intp], *, together: bool) -> None:
        """Note one ranking's targets: one trial with all of them, or one for each."""
        sizes = [targets.size] if together else [1] * targets.size
        self.n_targets.extend(sizes)
        self.shopper.extend([shopper] * len(sizes))
        self.asker.append(shopper)

    def add_ranking(
        self, model: str, ranking: npt.NDArray[np.intp], hits: npt.NDArray[np.bool_]
    ) -> None:
        """Note what a model answered."""
        self.rankings.setdefault(model, []).append(ranking)
        self.hits.setdefault(model, []).append(hits)


class Tally:
    """Collects trials shopper by shopper; score matrices are never kept.

    Args:
        universe: the items that compete.
        scorers: the models by name; differences are the first minus each other.
    """

    def __init__(self, universe: Universe, scorers: Mapping[str, Scorer]) -> None:
        self.universe = universe
        self.models = tuple(scorers)
        self.n_shoppers = 0
        self.trials: dict[Scope, Trials] = {scope: Trials() for scope in SCOPES}
        self._scorers = scorers
        self._is_target = np.zeros(universe.n_items, dtype=np.bool_)

    def add(self, moments: Iterable[Moment]) -> None:
        """Rank one shopper's moments with every model and note the hits.

        Args:
            moments: at least one, all of the same shopper.

        Raises:
            ValueError: a scorer gives another shape than the universe's, or NaN.
        """
        for moment in moments:
            seen = self.universe.rows([event.item_id for event in moment.history])
            new = np.setdiff1d(moment.targets, seen, assume_unique=True)
            self.trials["all"].add(self.n_shoppers, moment.targets, together=moment.together)
            if new.size:
                self.trials["new"].add(self.n_shoppers, new, together=moment.together)
            for model in self.models:
                scores = self._score(model, moment)
                ranking = metrics.top_k(scores, K_MAX)
                hits = self._hits(ranking, moment.targets, together=moment.together)
                self.trials["all"].add_ranking(model, ranking, hits)
                if new.size:
                    ranking = metrics.top_k(scores, K_MAX, seen=seen)
                    hits = self._hits(ranking, new, together=moment.together)
                    self.trials["new"].add_ranking(model, ranking, hits)
        self.n_shoppers += 1

    def _score(self, model: str, moment: Moment) -> npt.NDArray[np.float64]:
        scores = self._scorers[model](moment.history, now=moment.now, in_visit=moment.in_visit)
        if scores.shape != (self.universe.n_items,):
            raise ValueError(
                f"{model} gave scores of shape {scores.shape}, wanted ({self.universe.n_items},)"
            )
        if np.isnan(scores).any():
            raise ValueError(f"{model} gave a score that is not a number")
        return scores

    def _hits(
        self,
        ranking: npt.NDArray[np.intp],
        targets: npt.NDArray[np.intp],
        *,
        together: bool,
    ) -> npt.NDArray[np.bool_]:
        """Return one row for one trial with all targets, or a row for each target."""
        if not together:
            each: npt.NDArray[np.bool_] = ranking[np.newaxis] == targets[:, np.newaxis]
            return each
        self._is_target[targets] = True
        found: npt.NDArray[np.bool_] = self._is_target[ranking] & (ranking != metrics.NOTHING)
        self._is_target[targets] = False
        return found[np.newaxis]
