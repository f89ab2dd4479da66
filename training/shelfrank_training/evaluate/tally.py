"""Ranks moment by moment with every model and keeps what the metrics need: short lists and hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from shelfrank_training.evaluate import metrics
from shelfrank_training.evaluate.slices import BANDS, band_of

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
        in_band: how many of them are in each band of popularity; one tuple per trial.
        n_known: distinct items that the history names, of those that compete; one entry per trial.
        ranking: number of the ranking it is judged by; one entry per trial.
        asker: whose ranking it is; one entry per ranking (a ranking may serve several trials).
        hits: per model, one row of `K_MAX` places per trial, in one or more pieces.
        rankings: per model, the lists shown, each of shape (K_MAX,).
    """

    shopper: list[int] = field(default_factory=list)
    n_targets: list[int] = field(default_factory=list)
    in_band: list[tuple[int, ...]] = field(default_factory=list)
    n_known: list[int] = field(default_factory=list)
    ranking: list[int] = field(default_factory=list)
    asker: list[int] = field(default_factory=list)
    hits: dict[str, list[npt.NDArray[np.bool_]]] = field(default_factory=dict)
    rankings: dict[str, list[npt.NDArray[np.intp]]] = field(default_factory=dict)

    def add(
        self, shopper: int, bands: npt.NDArray[np.int8], *, n_known: int, together: bool
    ) -> None:
        """Note one ranking's targets: one trial with all of them, or one for each.

        Args:
            shopper: who asks.
            bands: shape (n_targets,); the band of each target.
            n_known: distinct items of the history.
            together: whether the targets make one trial.
        """
        places = bands.tolist()
        for trial in [places] if together else [[place] for place in places]:
            self.shopper.append(shopper)
            self.n_targets.append(len(trial))
            self.in_band.append(tuple(trial.count(band) for band in range(len(BANDS))))
            self.n_known.append(n_known)
            self.ranking.append(len(self.asker))
        self.asker.append(shopper)

    def add_ranking(
        self, model: str, ranking: npt.NDArray[np.intp], hits: npt.NDArray[np.bool_]
    ) -> None:
        """Note what a model answered."""
        self.rankings.setdefault(model, []).append(ranking)
        self.hits.setdefault(model, []).append(hits)

    def extend(self, later: Trials, *, shoppers_before: int) -> None:
        """Add the trials of shoppers that come after those already here.

        Args:
            later: numbered from 0.
            shoppers_before: how many shoppers are here.
        """
        rankings_before = len(self.asker)
        self.shopper.extend(shoppers_before + shopper for shopper in later.shopper)
        self.n_targets.extend(later.n_targets)
        self.in_band.extend(later.in_band)
        self.n_known.extend(later.n_known)
        self.ranking.extend(rankings_before + ranking for ranking in later.ranking)
        self.asker.extend(shoppers_before + shopper for shopper in later.asker)
        for model, hits in later.hits.items():
            self.hits.setdefault(model, []).extend(hits)
        for model, rankings in later.rankings.items():
            self.rankings.setdefault(model, []).extend(rankings)


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
        self.band = band_of(universe.weight)
        self._scorers = scorers
        # One place more than items: `metrics.NOTHING`, the index -1, falls there and is never set.
        self._marked = np.zeros(universe.n_items + 1, dtype=np.bool_)

    def fresh(self) -> Tally:
        """Return an empty tally of the same models, to be taken over by `extend`."""
        return Tally(self.universe, self._scorers)

    def extend(self, later: Tally) -> None:
        """Take over the shoppers of a tally of the same models, after those already here."""
        for scope, trials in later.trials.items():
            self.trials[scope].extend(trials, shoppers_before=self.n_shoppers)
        self.n_shoppers += later.n_shoppers

    def add(self, moments: Iterable[Moment]) -> None:
        """Rank one shopper's moments with every model and note the hits.

        Args:
            moments: at least one, all of the same shopper.

        Raises:
            ValueError: a scorer gives another shape than the universe's, or NaN.
        """
        for moment in moments:
            self._add(moment)
        self.n_shoppers += 1

    def _add(self, moment: Moment) -> None:
        seen = self.universe.rows([event.item_id for event in moment.history])
        together = moment.together
        targets = {"all": moment.targets, "new": moment.targets[~self._among(seen, moment.targets)]}
        for scope, trials in self.trials.items():
            if targets[scope].size:
                trials.add(
                    self.n_shoppers,
                    self.band[targets[scope]],
                    n_known=seen.size,
                    together=together,
                )
        for model in self.models:
            # Without what the history names, a list that is longer by as much holds what both
            # scopes need: the scores are gone through once.
            longest = K_MAX + (seen.size if targets["new"].size else 0)
            ranked = metrics.top_k(self._score(model, moment), longest)
            ranking = ranked[:K_MAX].copy()
            hits = self._hits(ranking, targets["all"], together=together)
            self.trials["all"].add_ranking(model, ranking, hits)
            if targets["new"].size:
                ranking = ranked[~self._among(seen, ranked)][:K_MAX].copy()
                hits = self._hits(ranking, targets["new"], together=together)
                self.trials["new"].add_ranking(model, ranking, hits)

    def _score(self, model: str, moment: Moment) -> npt.NDArray[np.float64]:
        scores = self._scorers[model](moment.history, now=moment.now, in_visit=moment.in_visit)
        if scores.shape != (self.universe.n_items,):
            raise ValueError(
                f"{model} gave scores of shape {scores.shape}, wanted ({self.universe.n_items},)"
            )
        # The largest of numbers of which one is none is none, and the largest is quickly found.
        if np.isnan(scores.max()):
            raise ValueError(f"{model} gave a score that is not a number")
        return scores

    def _among(
        self, some: npt.NDArray[np.intp], asked: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.bool_]:
        """Say of each item asked whether it is among some; `metrics.NOTHING` never is."""
        self._marked[some] = True
        found: npt.NDArray[np.bool_] = self._marked[asked]
        self._marked[some] = False
        return found

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
        return self._among(targets, ranking)[np.newaxis]
