"""The additive parts of a score, each a scikit-learn estimator fitted on `Counts`.

Every part is a sum over the shopper's own items of numbers that come from the shop's counts, so
"why" is arithmetic. Numbers are on the scale of log-odds. The constants were chosen on training
shoppers only (`tests/benchmarks/choose_constants.py`; `training/docs/models.md` has the table).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from shelfrank.types import KIND_CODES
from shelfrank_training.models.narrow import Coded, unsigned
from shelfrank_training.models.ridge import neighbourhood_ridge
from shelfrank_training.models.tables import PairTable

if TYPE_CHECKING:
    import numpy.typing as npt

    from shelfrank.ranking.session import GraphInputs
    from shelfrank_training.models.counts import Counts, PairCounts
    from shelfrank_training.models.history import HistoryState

TOP_TARGETS: Final = 20
"""Targets a source item keeps: on the data studied, 20 lost nothing against the whole table."""

TOP_CATEGORIES: Final = 250
"""Targets a source category keeps: category tables are small, so most catalogs keep all."""

NEW_ITEM_QUANTILE: Final = 0.25
"""A new item starts as popular as this share of the known ones: below the middle, not at the
end."""


class Part(Protocol):
    """One additive piece of a score."""

    name: str

    def fit(self, X: Counts, y: None = None) -> Self:
        """Learn from the counts."""
        ...

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the constructor's arguments, as scikit-learn does."""
        ...

    def part(self, state: HistoryState, inputs: GraphInputs) -> npt.NDArray[np.float64]:
        """Return this part for each candidate, shape (C,)."""
        ...


class Popularity(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """How many shoppers took the item lately and, where that is known, at this time of the day.

    ``weight * (log((recent shoppers + 1) / all shoppers) + log lift(daypart, item))``

    The same for everybody. A category's row stands for a new item of it (`NEW_ITEM_QUANTILE`). The
    lift is what the share of the daypart among the item's shoppers is to that among all shoppers,
    shrunk; its log is 0 where the daypart is not told, and in every daypart for a new item and for
    one of which no daypart is published. It has no weight of its own: popular at this time of the
    day is popular times lift.

    Args:
        weight: of this part.
        daypart_shrink: shoppers added to observed and expected, against chance in small counts; as
            many as in `Next`, whose counts start at the same threshold.
    """

    name: Final = "popularity"

    def __init__(self, weight: float = 0.85, daypart_shrink: float = 20.0) -> None:
        self.weight = weight
        self.daypart_shrink = daypart_shrink

    def fit(self, X: Counts, y: None = None) -> Self:
        """Compute the number of every row, and what each daypart adds."""
        items = np.log((X.item_weight + 1) / max(1, X.n_shoppers))
        of = X.space.category_of[: X.space.n_items]
        everywhere = float(np.quantile(items, NEW_ITEM_QUANTILE)) if items.size else 0.0
        categories = [
            float(np.quantile(items[of == category], NEW_ITEM_QUANTILE))
            for category in range(X.space.n_categories)
        ]
        self.row_ = Coded.nearest(self.weight * np.array([*items, *categories, everywhere]))
        self.n_rows_ = X.space.n_rows
        self.daypart_: Coded | None = None
        if X.dayparts is not None:
            lift = np.zeros((X.dayparts.shape[1], X.space.n_rows))
            lift[:, : X.space.n_items] = _daypart_lift(
                X.dayparts, min_shoppers=X.min_shoppers, shrink=self.daypart_shrink
            ).T
            self.daypart_ = Coded.around_zero(self.weight * lift.ravel())
        return self

    def part(self, state: HistoryState, inputs: GraphInputs) -> npt.NDArray[np.float64]:
        """See `Part.part`."""
        check_is_fitted(self)
        usual = self.row_.values[inputs.candidate].astype(np.float64)
        daypart = int(inputs.daypart[0])
        if self.daypart_ is None or daypart < 0:
            return usual
        added = self.daypart_.values[daypart * self.n_rows_ + inputs.candidate]
        number: npt.NDArray[np.float64] = usual + added
        return number


class Next(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """What usually follows what this shopper just took.

    Inside the current visit: transitions in both directions, the backward ones at half, divided by
    ``source popularity ** 0.6 * target popularity ** 0.2``, bent to a logarithm where large, summed
    over the visit's events with weight ``exp(-rank / 4)`` (sequential rules, SR, both ways). An
    item of the visit itself is as likely as shoppers come back to it: ``again_weight * rate``,
    summed over views, carts and likes with weight ``exp(-rank / 8)``, since who has bought is done.
    The rate is that of the item, drawn to that of all items by `AGAIN_SHRINK` shoppers. Where
    nobody comes back, as in baskets, that is 0. At a visit's start: the shrunk log lift of "taken
    in the visit after", summed over the items of the visit before.

    Args:
        weight: of the part inside a visit.
        bend: where a step's number goes over from growing linearly to growing as its logarithm:
            the rate grows with the number of shoppers, and in a large shop nothing else would
            matter inside a visit.
        start_weight: of the items of the visit before.
        top: targets kept per source; None: see `PairTable.of`.
        start_shrink: shoppers added to observed and expected, against chance in small counts.
        again_weight: of coming back to an item of the visit.
    """

    name: Final = "next"

    def __init__(
        self,
        weight: float = 30.0,
        bend: float = 10.0,
        start_weight: float = 0.2,
        top: int | None = TOP_TARGETS,
        start_shrink: float = 20.0,
        again_weight: float = 100.0,
    ) -> None:
        self.weight = weight
        self.bend = bend
        self.start_weight = start_weight
        self.top = top
        self.start_shrink = start_shrink
        self.again_weight = again_weight

    def fit(self, X: Counts, y: None = None) -> Self:
        """Fill both tables."""
        popularity = np.maximum(X.item_shoppers, 1)
        source, target, weight = _two_way(X.next_in_visit, X.space.n_items)
        rate = weight / (popularity[source] ** 0.6 * popularity[target] ** 0.2)
        self.in_visit_ = self._table(
            X, source, target, self.bend * np.log1p(self.weight * rate / self.bend)
        )
        follow = X.next_visit
        lift = _log_lift(follow, X.item_shoppers, X.n_shoppers, shrink=self.start_shrink)
        self.at_start_ = self._table(X, follow.source, follow.target, self.start_weight * lift)
        self.again_ = Coded.nearest(self.again_weight * self._again(X))
        return self

    def _again(self, X: Counts) -> npt.NDArray[np.float64]:
        """Return the rate at which shoppers of each item come back to it, shape (n_rows,)."""
        rate = np.zeros(X.space.n_rows)
        known = X.again_in_visit > 0
        if not known.any():
            return rate
        usual = X.again_in_visit[known].sum() / X.item_shoppers[known].sum()
        # What is not published is less than the threshold, and no more than usual.
        most = np.minimum(usual * X.item_shoppers, X.min_shoppers - 1)
        back = np.where(known, X.again_in_visit, most)
        shrunk = (back + AGAIN_SHRINK * usual) / (X.item_shoppers + AGAIN_SHRINK)
        rate[: X.space.n_items] = shrunk
        return rate

    def _table(
        self,
        X: Counts,
        source: npt.NDArray[np.int64],
        target: npt.NDArray[np.int64],
        number: npt.NDArray[np.float64],
    ) -> PairTable:
        return PairTable.of(
            source,
            target,
            number,
            n_sources=X.space.n_items,
            n_targets=X.space.n_rows,
            top=self.top,
        )

    def part(self, state: HistoryState, inputs: GraphInputs) -> npt.NDArray[np.float64]:
        """See `Part.part`."""
        check_is_fitted(self)
        now = inputs.event_visit == 0
        recent = np.exp(-inputs.event_rank[now].astype(np.float64) / RANK_DECAY)
        before = state.visit_number == 1
        dense = self.in_visit_.spread(inputs.event_item[now], recent)
        dense += self.at_start_.spread(state.visit_item[before], state.visit_weight[before])
        looking = now & np.isin(inputs.event_kind, LOOKING_KINDS)
        still = np.exp(-inputs.event_rank[looking].astype(np.float64) / AGAIN_DECAY)
        own = inputs.event_item[looking]
        dense += np.bincount(own, weights=still * self.again_.values[own], minlength=dense.size)
        part: npt.NDArray[np.float64] = dense[inputs.candidate]
        return part


LOOKING_KINDS: Final = tuple(KIND_CODES[kind] for kind in ("view", "cart", "like"))
"""Kinds of events after which shoppers come back to an item in the same visit."""

AGAIN_DECAY: Final = 8.0
"""Events after which the pull of an item to itself falls to 1/e: 4 to 16 differ by less than the
noise on the training part of the click sessions."""

AGAIN_SHRINK: Final = 20.0
"""Shoppers of the average item that are added to each before its rate is taken; likewise, 5 to 100
make no difference."""

RANK_DECAY: Final = 4.0
"""Events after which the pull of one falls to 1/e; the sequence study's setting."""


class Affinity(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """What goes with what this shopper likes: neighbourhood ridge over published pairs.

    ``weight * activity(i) * B_ij / sqrt(share of shoppers with j)``, summed over past items i; B
    from `shelfrank_training.models.ridge.neighbourhood_ridge`. Divided by the root of the target's
    popularity, since the part `popularity` says that already; less where there are fewer published
    pairs than items. Why not EASE over the whole catalog
    stands in the decision record 0005 (`sdk/docs/decisions`).

    Args:
        weight: of this part.
        shrink: of the regressions, in shoppers: against chance in small counts, and against what is
            not published.
        neighbours: most sources a target is fitted on.
        top: targets kept per source; None: see `PairTable.of`.
    """

    name: Final = "affinity"

    def __init__(
        self,
        weight: float = 3.0,
        shrink: float = 400.0,
        neighbours: int = 50,
        top: int | None = TOP_TARGETS,
    ) -> None:
        self.weight = weight
        self.shrink = shrink
        self.neighbours = neighbours
        self.top = top

    def fit(self, X: Counts, y: None = None) -> Self:
        """Fill the table."""
        # Noise alone gives a matrix of m neighbours eigenvalues of up to 2 sigma sqrt(m) (Wigner).
        shrink = max(self.shrink, 2 * X.pair_noise * math.sqrt(self.neighbours))
        source, target, weight = neighbourhood_ridge(
            X.pairs,
            X.item_shoppers,
            max(1, X.n_shoppers),
            n_neighbours=self.neighbours,
            shrink=shrink,
        )
        share = X.item_shoppers / max(1, X.n_shoppers)
        # Where hardly a pair is published, those that are say more of what could be published than
        # of the shopper: full weight from one pair an item on.
        covered = min(1.0, X.pairs.source.size / 2 / max(1, X.space.n_items))
        self.table_ = PairTable.of(
            source,
            target,
            covered * self.weight * weight / np.sqrt(share[target]),
            n_sources=X.space.n_items,
            n_targets=X.space.n_rows,
            top=self.top,
        )
        return self

    def part(self, state: HistoryState, inputs: GraphInputs) -> npt.NDArray[np.float64]:
        """See `Part.part`."""
        check_is_fitted(self)
        dense = self.table_.spread(state.past_item, state.past_activity)
        part: npt.NDArray[np.float64] = dense[inputs.candidate]
        return part


class Category(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Whether the shopper takes from this category and from those that go with it.

    ``weight * activity(i) * (log lift(category of i, category of candidate) - usual)``, where
    `usual` is the target category's mean lift over its published sources: without it, shoppers who
    take much would be steered to whatever every busy shopper takes. Within one category the lift is
    that of its shoppers against chance. Carries rare and new items; a catalog without categories
    gets 0 everywhere. An item whose own pairs are suppressed speaks through its category alone, so
    it speaks louder there.

    Args:
        weight: of this part.
        shrink: shoppers added to observed and expected.
        top: target categories kept per source; None: see `PairTable.of`.
        alone: how much more an item without any published pair counts as a source; one with
            `TOP_TARGETS` pairs or more counts once, in between it falls evenly.
    """

    name: Final = "category"

    def __init__(
        self,
        weight: float = 0.20,
        shrink: float = 100.0,
        top: int | None = TOP_CATEGORIES,
        alone: float = 0.5,
    ) -> None:
        self.weight = weight
        self.shrink = shrink
        self.top = top
        self.alone = alone

    def fit(self, X: Counts, y: None = None) -> Self:
        """Fill the table."""
        own = np.flatnonzero(X.category_shoppers)
        source = np.concatenate([own, X.category_pairs.source])
        target = np.concatenate([own, X.category_pairs.target])
        n_shoppers = max(1, X.n_category_shoppers)
        shrink = max(self.shrink, X.category_pair_noise)
        expected = X.category_shoppers**2 / n_shoppers
        within = np.log((X.category_shoppers[own] + shrink) / (expected[own] + shrink))
        across = _log_lift(X.category_pairs, X.category_shoppers, n_shoppers, shrink=shrink)
        lift = np.concatenate([within, across])
        usual = _mean_by_target(source, target, lift, _item_mass(X))
        n_numbers = X.space.n_categories + 1
        self.table_ = PairTable.of(
            source,
            target,
            self.weight * (lift - usual[target]),
            n_sources=n_numbers,
            n_targets=n_numbers,
            top=self.top,
        )
        self.category_of_ = X.space.category_of.astype(unsigned(n_numbers))
        n_pairs = np.bincount(X.pairs.source, minlength=X.space.n_items)
        missing = 1 - np.minimum(n_pairs / TOP_TARGETS, 1)
        self.source_weight_ = Coded.nearest(1 + self.alone * missing)
        return self

    def part(self, state: HistoryState, inputs: GraphInputs) -> npt.NDArray[np.float64]:
        """See `Part.part`."""
        check_is_fitted(self)
        dense = self.table_.spread(
            self.category_of_[state.past_item].astype(np.int64),
            state.past_activity * self.source_weight_.values[state.past_item],
        )
        part: npt.NDArray[np.float64] = dense[self.category_of_[inputs.candidate]]
        return part


class Repeat(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Whether this shopper takes this very item again.

    ``recent_weight * log1p(visits decayed with half-life h) + weight * log1p(visits)``, minus
    ``overdue * log1p(gaps missed)`` and minus `dislike` where the shopper said so. h is the shop's
    median gap between repeat purchases, from the published gaps: a grocer forgets faster than a
    gift shop. The gap of this shopper and item is the time from the first visit to the last over
    the visits between; one that has lasted longer is missed once for each further gap.

    Args:
        weight: of the visits ever.
        recent_weight: of the recent visits.
        dislike: taken off a disliked item; more than a visit full of what it follows can add.
        overdue: taken off an item that the shopper used to take more often.
    """

    name: Final = "repeat"

    def __init__(
        self,
        weight: float = 4.0,
        recent_weight: float = 4.0,
        dislike: float = 60.0,
        overdue: float = 0.5,
    ) -> None:
        self.weight = weight
        self.recent_weight = recent_weight
        self.dislike = dislike
        self.overdue = overdue

    def fit(self, X: Counts, y: None = None) -> Self:
        """Learn the half-life."""
        self.half_life_days_ = _median_gap(X.repeat_gap_days, X.repeat_shoppers)
        self.n_rows_ = X.space.n_rows
        return self

    def part(self, state: HistoryState, inputs: GraphInputs) -> npt.NDArray[np.float64]:
        """See `Part.part`."""
        check_is_fitted(self)
        recent = state.visit_weight * 0.5 ** (state.visit_age_days / self.half_life_days_)
        lately = np.bincount(state.visit_item, weights=recent, minlength=self.n_rows_)
        ever = np.zeros(self.n_rows_)
        np.add.at(ever, state.visit_item, state.visit_weight)
        dense = self.recent_weight * np.log1p(lately) + self.weight * np.log1p(ever)
        dense -= self.overdue * self._missed(state, ever)
        part: npt.NDArray[np.float64] = (dense - self.dislike * state.disliked)[inputs.candidate]
        return part

    def _missed(
        self, state: HistoryState, visits: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return ``log1p`` of the gaps missed, shape (n_rows,); 0 for what was taken once."""
        last, first = np.full(self.n_rows_, LONG_AGO_DAYS), np.zeros(self.n_rows_)
        np.minimum.at(last, state.visit_item, state.visit_age_days)
        np.maximum.at(first, state.visit_item, state.visit_age_days)
        gap = np.maximum((first - last) / np.maximum(visits - 1, 1), SHORTEST_GAP_DAYS)
        missed: npt.NDArray[np.float64] = np.log1p(np.maximum(last / gap - 1, 0)) * (first > last)
        return missed


LONG_AGO_DAYS: Final = 1e6
"""Of what was never taken; later than any age."""

SHORTEST_GAP_DAYS: Final = 1.0
"""Times are coarsened to days on most devices."""

DEFAULT_HALF_LIFE_DAYS: Final = 45.0
"""Half-life where no gap is published."""

SHORTEST_HALF_LIFE_DAYS: Final = 7.0
LONGEST_HALF_LIFE_DAYS: Final = 180.0


def _median_gap(gaps: npt.NDArray[np.float64], shoppers: npt.NDArray[np.float64]) -> float:
    """Return the gap below which half of the repeats lie, interpolated inside its bucket."""
    if not shoppers.sum():
        return DEFAULT_HALF_LIFE_DAYS
    reached = np.cumsum(shoppers) / shoppers.sum()
    median = np.interp(0.5, np.concatenate([[0.0], reached]), np.concatenate([[0.0], gaps]))
    return float(np.clip(median, SHORTEST_HALF_LIFE_DAYS, LONGEST_HALF_LIFE_DAYS))


def _daypart_lift(
    shoppers: npt.NDArray[np.float64], *, min_shoppers: int, shrink: float
) -> npt.NDArray[np.float64]:
    """Return the shrunken log lift of each item in each daypart, shape (n_items, 4).

    What is usual in a daypart is told by the items that are published there: by all of them, it
    would seem to be less than it is, and every popular item would be lifted by night. What is not
    published of an item is less than the threshold, and no more than usual.

    Args:
        shoppers: shape (n_items, 4); 0 where not published.
        min_shoppers: the threshold.
        shrink: shoppers added to observed and expected.
    """
    known = shoppers > 0
    of_item = shoppers.sum(axis=1, keepdims=True)
    base = np.where(known, of_item, 0).sum(axis=0)
    usual = np.divide(shoppers.sum(axis=0), base, out=np.zeros(base.size), where=base > 0)
    expected = of_item * usual
    found = np.where(known, shoppers, np.minimum(expected, min_shoppers - 1))
    lift: npt.NDArray[np.float64] = np.log((found + shrink) / (expected + shrink))
    return lift


def _item_mass(counts: Counts) -> npt.NDArray[np.float64]:
    """Return how much of all shopping each category holds; sums to 1, shape (n_categories,)."""
    of = counts.space.category_of[: counts.space.n_items]
    mass = np.bincount(of, weights=counts.item_shoppers, minlength=counts.space.n_categories + 1)
    known = mass[: counts.space.n_categories]
    return known / max(1.0, float(known.sum()))


def _mean_by_target(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    number: npt.NDArray[np.float64],
    mass: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return each target's mean over its published sources, by their mass; 0 without any.

    What is not published is not known, and a pair that is usual for its target says nothing either:
    both add nothing to a score. Were the mean taken over all sources, the published pairs of a
    target would lie on one side of it, and every shopper would be steered to or from it.
    """
    known = np.bincount(target, weights=mass[source], minlength=mass.size)
    total = np.bincount(target, weights=number * mass[source], minlength=mass.size)
    mean = np.zeros(mass.size)
    np.divide(total, known, out=mean, where=known > 0)
    return mean


def _two_way(
    counts: PairCounts, n_items: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return transitions plus half of the reversed ones, each ordered pair once."""
    source = np.concatenate([counts.source, counts.target])
    target = np.concatenate([counts.target, counts.source])
    weight = np.concatenate([counts.weight, 0.5 * counts.weight])
    keys, place = np.unique(source * n_items + target, return_inverse=True)
    total = np.bincount(place, weights=weight, minlength=keys.size)
    return keys // max(1, n_items), keys % max(1, n_items), total.astype(np.float64)


def _log_lift(
    pairs: PairCounts, shoppers: npt.NDArray[np.float64], n_shoppers: int, *, shrink: float
) -> npt.NDArray[np.float64]:
    """Return the log of observed over expected joint shoppers, both shrunk; shape of `pairs`."""
    expected = shoppers[pairs.source] * shoppers[pairs.target] / max(1, n_shoppers)
    lift: npt.NDArray[np.float64] = np.log((pairs.shoppers + shrink) / (expected + shrink))
    return lift
