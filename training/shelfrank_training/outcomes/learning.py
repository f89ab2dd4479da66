"""Learn the weights of the parts from the table ``outcomes``, and take them only where they win.

Rules alone: a table in, decisions out. Each situation is decided by itself. What is learned from
one half of part B is judged on the other, both ways, by where it would have put the items that were
taken; only weights that win there are fitted on both halves and used
(`training/docs/outcomes.md`, 5).

Weights are relative to `popularity`, the unit: multiplying all of them changes no order.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from shelfrank_training.models.blend import N_SITUATIONS, Blend
from shelfrank_training.models.parts import Affinity, Category, Next, Popularity, Repeat
from shelfrank_training.outcomes.buckets import N_HALVES, PARTS, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank_training.aggregates.folder import Aggregates

    Floats = npt.NDArray[np.float64]

LEARNED: Final = ("next", "affinity", "category")
"""Parts that get a weight. Not `repeat`: shoppers differ in how much they take, which cells cannot
tell from how often one item is taken, so its weight comes out too small (0.5 on the Complete
Journey and on Online Retail, which costs 0.003 and 0.009 of NDCG@20 there)."""

PULL: Final = 10.0
"""Towards the shipped weights: precision of a normal prior on the difference of a part's slope to
that of the whole score. Slopes are about 0.7, so a weight is 1 give or take 0.45 before anything is
known. 0.1 to 100 ranked the other half of the Complete Journey alike."""

LEAST: Final = 0.25
MOST: Final = 4.0
"""Of a weight: what lies beyond is more likely chance than a part that is wrong by so much."""

LEAST_SLOPE: Final = 0.1
"""Of the whole score, in log-odds: where it hardly says what is taken, popularity is no unit."""

ENOUGH_BOUGHT: Final = 200
"""Taken items new to their shoppers that a half must have: with fewer, an area under the curve is
known to no better than 0.02."""

CERTAIN: Final = 2.0
"""Standard errors by which both measures must improve over the halves together."""

WORTH: Final = 0.005
"""Share by which the gain must rise over the halves together. On training households of the
Complete Journey weights that raised it by 0.2 % in cells, and surely so, ranked other
households no better: cells pool shoppers, a device ranks for one."""

CLUSTERED: Final = 2.0
"""What the variance of a difference is multiplied by, since a shopper takes several items, and they
are not independent: judgement, cells cannot tell."""

Status = Literal["learned", "not better", "too few outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """How far up the taken items of one half stand.

    Attributes:
        area: under the curve, 0.5 to 1: how often a taken item stands above one that was not.
        gain: mean of ``1 / log2(2 + rank)``, the rank expected among all items: what NDCG adds up.
        new_area: likewise among items new to their shoppers (bucket 0 of `repeat`).
        new_gain: likewise.
    """

    area: float
    gain: float
    new_area: float
    new_gain: float

    def better(self, other: Measures) -> bool:
        """Whether this wins over all items and loses on no measure among the new ones."""
        wins = self.area > other.area and self.gain > other.gain
        return wins and self.new_area >= other.new_area and self.new_gain >= other.new_gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Learned from one half, judged on the other.

    Attributes:
        judged_on: the half.
        weights: learned from the other half, by part.
        shipped: measures of the shipped weights.
        learned: of the learned ones.
    """

    judged_on: int
    weights: tuple[float, ...]
    shipped: Measures
    learned: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided for one situation.

    Attributes:
        situation: 0 no history, 1 a visit starts, 2 in a visit.
        status: ``learned`` where other weights than the shipped ones are used.
        weights: used, by part in the order of `PARTS`; 1 is as shipped.
        bought: taken items behind it, after noise was allowed for.
        improvement: share by which the gain rises on the halves that were not learned from; None
            where there was nothing to compare.
        certainty: by how many standard errors the smaller of the improvements in area and gain
            differs from 0; likewise.
        duels: one for each half; none where there was nothing to compare.
    """

    situation: int
    status: Status
    weights: tuple[float, ...]
    bought: float
    improvement: float | None
    certainty: float | None
    duels: tuple[Duel, ...]

    @property
    def wins(self) -> bool:
        """Whether what was learned is to be used: it wins on both halves, surely and by enough."""
        if self.improvement is None or self.certainty is None:
            return False
        won = all(duel.learned.better(duel.shipped) for duel in self.duels)
        return won and self.certainty >= CERTAIN and self.improvement >= WORTH

    def to_json(self) -> dict[str, object]:
        """Return the object that ``model.json`` holds."""
        return asdict(self)


SHIPPED: Final = (1.0,) * len(PARTS)
"""Weights of the shipped model."""


def learn_weights(aggregates: Aggregates) -> tuple[Decision, ...]:
    """Decide for every situation; the shipped weights stand where nothing better is known.

    Args:
        aggregates: with or without rows in ``outcomes``.
    """
    cells = _Cells.of(aggregates)
    n_items = aggregates.table("items").num_rows
    return tuple(
        _decide(situation, cells.only(cells.situation == situation), n_items)
        for situation in range(N_SITUATIONS)
    )


def blend_with(decisions: Sequence[Decision]) -> Blend:
    """Return the unfitted model with these weights; the shipped one where all are shipped.

    A dislike keeps its rank: it is raised with the largest weight, so that a disliked item does not
    come back on what it follows. The weights of a situation are divided by their largest, which
    changes no order and keeps graph and estimators as close as they were.
    """
    if all(decision.status != "learned" for decision in decisions):
        return Blend()
    rows = [decision.weights for decision in decisions]
    shipped = Repeat()
    repeat = Repeat(dislike=shipped.dislike * max(max(row) for row in rows))
    parts = (Popularity(), Next(), Affinity(), Category(), repeat)
    return Blend(parts=parts, weights=tuple(tuple(w / max(row) for w in row) for row in rows))


def _decide(situation: int, cells: _Cells, n_items: int) -> Decision:
    halves = [cells.only(cells.half == half) for half in range(N_HALVES)]
    stands = Decision(
        situation=situation,
        status="too few outcomes",
        weights=SHIPPED,
        bought=round(float(cells.bought.sum()), 1),
        improvement=None,
        certainty=None,
        duels=(),
    )
    if min(half.only(half.new).bought.sum() for half in halves) < ENOUGH_BOUGHT:
        return stands
    duels = []
    differences: list[_Difference] = []
    for judged_on, half in enumerate(halves):
        weights = fit(halves[1 - judged_on])
        shipped = _measure(half, SHIPPED, n_items)
        learned = _measure(half, weights, n_items)
        duels.append(Duel(judged_on=judged_on, weights=weights, shipped=shipped, learned=learned))
        differences.append(_Difference.of(half, weights, n_items))
    judged = replace(
        stands,
        status="not better",
        improvement=_improvement(differences, duels),
        certainty=_certainty(differences),
        duels=tuple(duels),
    )
    return replace(judged, status="learned", weights=fit(cells)) if judged.wins else judged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Rows of the table ``outcomes``.

    Attributes:
        half: int64, shape (N,).
        situation: int64, shape (N,).
        values: float64, shape (N, P), what the buckets stand for.
        bought: float64, shape (N,), taken items, as far as noise lets them be known.
        left: float64, shape (N,), items that competed and were not taken, likewise.
    """

    half: npt.NDArray[np.int64]
    situation: npt.NDArray[np.int64]
    values: Floats
    bought: Floats
    left: Floats

    @classmethod
    def of(cls, aggregates: Aggregates) -> _Cells:
        table = aggregates.table("outcomes")
        candidates = np.asarray(table["candidates"].to_numpy(), dtype=np.float64)
        bought = np.asarray(table["bought"].to_numpy(), dtype=np.float64)
        info = aggregates.info.tables.get("outcomes")
        scales = [noise.scale for noise in info.noise] if info is not None else []
        # A count with noise tells as much as a smaller exact one: by the share of its variance that
        # is chance anyway.
        noise = max(scales[1:], default=0.0) ** 2
        share = (bought + 0.5) / (candidates + 1)
        chance = candidates * share * (1 - share)
        known = chance / (chance + noise * (1 + share**2)) if noise else np.ones(len(bought))
        return cls(
            half=np.asarray(table["half"].to_numpy(), dtype=np.int64),
            situation=np.asarray(table["situation"].to_numpy(), dtype=np.int64),
            values=values_of(table),
            bought=known * bought,
            left=known * (candidates - bought),
        )

    def only(self, rows: npt.NDArray[np.bool_]) -> _Cells:
        return _Cells(
            half=self.half[rows],
            situation=self.situation[rows],
            values=self.values[rows],
            bought=self.bought[rows],
            left=self.left[rows],
        )

    @property
    def new(self) -> npt.NDArray[np.bool_]:
        """Which rows are about items that are new to their shoppers."""
        column: npt.NDArray[np.bool_] = self.values[:, PARTS.index("repeat")] <= 0
        return column


def fit(cells: _Cells) -> tuple[float, ...]:
    """Return the weights that explain what was taken among items new to their shoppers.

    A logistic regression of taken on the score and on each part of `LEARNED`, the latter pulled to
    0: to the shipped weights. Items that a shopper took before would drown the others: most of what
    is taken are repeats, `repeat` alone puts them on top, and the other parts say little there.

    Args:
        cells: of one situation.
    """
    new = cells.only(cells.new)
    columns = [PARTS.index(name) for name in LEARNED]
    varying = [column for column in columns if np.ptp(new.values[:, column]) > 0]
    design = np.column_stack(
        [np.ones(len(new.values)), new.values.sum(axis=1), new.values[:, varying]]
    )
    pull = np.array([0.0, 0.0, *([PULL] * len(varying))])
    slopes = _regress(design, new.bought, new.left, pull)
    weights = np.ones(len(PARTS))
    if slopes[1] >= LEAST_SLOPE:
        weights[varying] = np.clip(1 + slopes[2:] / slopes[1], LEAST, MOST)
    return tuple(round(float(weight), 3) for weight in weights)


def _regress(design: Floats, bought: Floats, left: Floats, pull: Floats) -> Floats:
    """Return the coefficients of a penalised logistic regression on weighted cells: Newton's way.

    Args:
        design: shape (N, K), its first column 1.
        bought: shape (N,), weight of 1.
        left: shape (N,), weight of 0.
        pull: shape (K,), precision of each coefficient around 0.
    """
    found = np.zeros(design.shape[1])
    found[0] = math.log(bought.sum() / left.sum())
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -_FAR, _FAR)))
        slope = design.T @ (bought - (bought + left) * chance) - pull * found
        spread = (bought + left) * chance * (1 - chance)
        curve = (design * spread[:, None]).T @ design + np.diag(pull)
        # Columns that are combinations of others leave a direction without any curve.
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        found = found + step * min(1.0, 1 / max(1.0, float(np.abs(step).max())))
        if np.abs(step).max() < _CLOSE:
            break
    return found


_STEPS: Final = 100
_CLOSE: Final = 1e-9
_FAR: Final = 30.0
"""Log-odds beyond which a chance is 0 or 1 in any sum of counts."""


def _above(cells: _Cells, weights: Sequence[float]) -> Floats:
    """Return the share of the items not taken that stand above each cell, ties halved."""
    # Equal up to the order of adding up: cells whose parts differ and whose scores do not are tied.
    _, place = np.unique(-np.round(cells.values @ np.array(weights), 9), return_inverse=True)
    left = np.bincount(place, weights=cells.left)
    above: Floats = ((np.cumsum(left) - left / 2) / left.sum())[place]
    return above


def _gain(above: Floats, n_items: int) -> Floats:
    gain: Floats = 1 / np.log2(2 + above * n_items)
    return gain


def _measure(cells: _Cells, weights: Sequence[float], n_items: int) -> Measures:
    found = []
    for view in (cells, cells.only(cells.new)):
        above = _above(view, weights)
        found += [
            float(np.average(each, weights=view.bought))
            for each in (1 - above, _gain(above, n_items))
        ]
    area, gain, new_area, new_gain = (round(number, 5) for number in found)
    return Measures(area=area, gain=gain, new_area=new_area, new_gain=new_gain)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """By how much taken items stand higher, in area and gain: float64, shape (2,) each.

    Attributes:
        mean: learned less shipped.
        variance: of the mean.
        bought: taken items.
    """

    mean: Floats
    variance: Floats
    bought: float

    @classmethod
    def of(cls, cells: _Cells, weights: Sequence[float], n_items: int) -> _Difference:
        ours, theirs = _above(cells, weights), _above(cells, SHIPPED)
        each = np.stack([theirs - ours, _gain(ours, n_items) - _gain(theirs, n_items)])
        total = float(cells.bought.sum())
        mean = np.average(each, axis=1, weights=cells.bought)
        spread = np.average((each - mean[:, None]) ** 2, axis=1, weights=cells.bought)
        return cls(mean=mean, variance=CLUSTERED * spread / total, bought=total)


def _improvement(halves: Sequence[_Difference], duels: Sequence[Duel]) -> float:
    """Return the share by which the gain rises over all halves."""
    bought = np.array([half.bought for half in halves])
    raised = bought @ np.array([half.mean[1] for half in halves])
    shipped = bought @ np.array([duel.shipped.gain for duel in duels])
    return round(float(raised / shipped), 5)


def _certainty(halves: Sequence[_Difference]) -> float:
    """Return the smaller improvement over all halves, in its standard errors."""
    share = np.array([half.bought for half in halves])
    share = share / share.sum()
    mean = sum(part * half.mean for part, half in zip(share, halves, strict=True))
    variance = sum(part**2 * half.variance for part, half in zip(share, halves, strict=True))
    error = np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny))
    return round(float((mean / error).min()), 2)
