"""Each part against the obvious: plain loops over what the counts say."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from shelfrank_training.models.blend import Blend
from shelfrank_training.models.counts import Counts, PairCounts
from shelfrank_training.models.history import ACTIVITY_HALF_LIFE_DAYS, KIND_WEIGHTS, HistoryReader
from shelfrank_training.models.parts import (
    DEFAULT_HALF_LIFE_DAYS,
    LONGEST_HALF_LIFE_DAYS,
    SHORTEST_HALF_LIFE_DAYS,
    Affinity,
    Category,
    Next,
    Popularity,
    Repeat,
)
from shelfrank_training.models.ridge import neighbourhood_ridge
from shelfrank_training.models.space import ItemSpace
from support import corner_shop
from support.corner_shop import CART, DISLIKE, LIKE, PURCHASE, ROWS, SHOPPERS, VIEW, question

if TYPE_CHECKING:
    import numpy.typing as npt

    from shelfrank.ranking.session import GraphInputs
    from shelfrank_training.models.parts import Part

# 14 items and 6 categories: row 20 is an item of no known category.
EVERY_ROW = range(21)


@cache
def counts() -> Counts:
    return corner_shop.counts()


def pairs_of(found: PairCounts) -> dict[tuple[int, int], float]:
    return dict(zip(zip(found.source, found.target, strict=True), found.shoppers, strict=True))


def fitted(part: Part) -> Part:
    return part.fit(counts())


def part_of(part: Part, asked: GraphInputs) -> npt.NDArray[np.float64]:
    return part.part(HistoryReader().fit(counts()).read(asked), asked)


def numbers(*rows: tuple[int, int, float, float]) -> PairCounts:
    """Return pairs from source, target, shoppers, weight."""
    source, target, shoppers, weight = zip(*rows, strict=True) if rows else ((), (), (), ())
    return PairCounts(
        source=np.array(source, dtype=np.int64),
        target=np.array(target, dtype=np.int64),
        shoppers=np.array(shoppers, dtype=np.float64),
        weight=np.array(weight, dtype=np.float64),
    )


SMALL = Counts(
    space=ItemSpace.of(("a", "b", "c"), (None, None, None)),
    min_shoppers=20,
    n_shoppers=1000,
    n_category_shoppers=1000,
    pair_noise=0.0,
    category_pair_noise=0.0,
    item_shoppers=np.array([100.0, 50.0, 25.0]),
    item_weight=np.array([99.0, 49.0, 24.0]),
    pairs=numbers(),
    next_in_visit=numbers(),
    again_in_visit=np.zeros(3),
    next_visit=numbers(),
    repeat_gap_days=np.zeros(0),
    repeat_shoppers=np.zeros(0),
    category_shoppers=np.zeros(0),
    category_pairs=numbers(),
)
"""Counts about three items a, b, c of 100, 50 and 25 among 1,000 shoppers, and nothing else."""


def with_gaps(*gaps: tuple[float, float]) -> Counts:
    """Return `SMALL` with repeats, from upper bounds of gaps and shoppers."""
    return replace(
        SMALL,
        repeat_gap_days=np.array([days for days, _ in gaps], dtype=np.float64),
        repeat_shoppers=np.array([shoppers for _, shoppers in gaps], dtype=np.float64),
    )


# --- What is read of a history ---


def test_several_events_of_a_kind_in_a_visit_count_once_at_the_latest_of_their_times() -> None:
    reader = HistoryReader().fit(counts())
    asked = question(
        [
            (3, PURCHASE, 9.0, 1, 4),
            (3, PURCHASE, 8.5, 1, 3),
            (3, VIEW, 8.0, 1, 2),
            (3, PURCHASE, 2.0, 0, 1),
        ]
    )

    state = reader.read(asked)

    seen = sorted(zip(state.visit_number, state.visit_weight, state.visit_age_days, strict=True))
    assert [(int(v), round(float(w), 3), float(a)) for v, w, a in seen] == [
        (0, 1.0, 2.0),
        (1, 0.3, 8.0),
        (1, 1.0, 8.5),
    ]
    assert state.past_item.tolist() == [3]
    decayed = [w * 0.5 ** (a / ACTIVITY_HALF_LIFE_DAYS) for w, a in ((1, 2), (0.3, 8), (1, 8.5))]
    assert state.past_activity[0] == pytest.approx(math.log1p(sum(decayed)))
    assert state.disliked.sum() == 0


def test_a_disliked_item_pulls_the_other_way_however_often_it_was_taken() -> None:
    reader = HistoryReader().fit(counts())
    asked = question([(3, PURCHASE, 9.0, 2, 2), (5, LIKE, 1.0, 0, 1), (3, DISLIKE, 1.0, 0, 0)])

    state = reader.read(asked)

    assert dict(zip(state.past_item.tolist(), state.past_activity, strict=True))[3] == -1.0
    assert np.flatnonzero(state.disliked).tolist() == [3]


def test_no_history_is_an_empty_state() -> None:
    state = HistoryReader().fit(counts()).read(question([], [0]))

    assert (state.visit_item.size, state.past_item.size, state.disliked.sum()) == (0, 0, 0.0)


def test_kinds_weigh_by_effort() -> None:
    order = ("dislike", "view", "cart", "purchase", "like")
    weights = [KIND_WEIGHTS[kind] for kind in order]
    assert weights == sorted(weights)
    assert weights[0] == 0


# --- Popularity ---


def test_popularity_is_the_log_share_of_recent_shoppers() -> None:
    part = Popularity(weight=2.0).fit(SMALL)

    got = part.part(None, question([], [0, 1, 2]))  # type: ignore[arg-type] # needs no history

    assert got == pytest.approx([2 * math.log(share) for share in (0.1, 0.05, 0.025)], abs=1e-6)


def test_a_new_item_starts_at_the_lower_quarter_of_its_category_or_of_all() -> None:
    part = fitted(Popularity())
    got = part_of(part, question([], EVERY_ROW))
    ids = sorted(row.item_id for row in ROWS)
    category = {row.item_id: row.category for row in ROWS}
    names = sorted({row.category for row in ROWS if row.category})

    for number, name in enumerate(names):
        members = [got[row] for row, item in enumerate(ids) if category[item] == name]
        assert got[14 + number] == pytest.approx(np.quantile(members, 0.25), abs=1e-5)
    assert got[20] == pytest.approx(np.quantile(got[:14], 0.25), abs=1e-5)


# --- Affinity ---


def test_affinity_is_the_weight_of_a_past_item_times_activity() -> None:
    together = numbers((0, 1, 30, 30), (1, 0, 30, 30))
    found = replace(SMALL, pairs=together)
    part = Affinity(weight=0.5, shrink=5.0).fit(found)
    asked = question([(0, PURCHASE, 0.0, 1, 0)], [0, 1, 2, 3])

    got = part.part(HistoryReader().fit(found).read(asked), asked)

    moment = 30 - 100 * 50 / 1000
    weight = moment / (100 * 0.9 + 5) / math.sqrt(50 / 1000)
    # One pair of three items: a third of the weight.
    assert got == pytest.approx([0, 0.5 / 3 * weight * math.log(2), 0, 0], abs=0.01)


def test_affinity_over_a_whole_history_is_the_sum_over_past_items() -> None:
    part = fitted(Affinity(top=20))
    shoppers = counts().item_shoppers
    source, target, weight = neighbourhood_ridge(
        counts().pairs, shoppers, counts().n_shoppers, n_neighbours=50, shrink=400.0
    )
    activity = {2: 1.0, 7: 1.0, 9: -1.0}
    asked = question(
        [(2, PURCHASE, 0.0, 1, 2), (7, PURCHASE, 0.0, 1, 1), (9, DISLIKE, 3.0, 1, 0)], EVERY_ROW
    )
    wanted = np.zeros(21)
    for past, sign in activity.items():
        for row in np.flatnonzero(source == past):
            number = 3 * weight[row] / math.sqrt(shoppers[target[row]] / SHOPPERS)
            wanted[target[row]] += number * (math.log(2) if sign > 0 else -1)

    assert part_of(part, asked) == pytest.approx(wanted, abs=0.01)


def test_noise_in_the_pairs_shrinks_affinity() -> None:
    together = numbers((0, 1, 30, 30), (1, 0, 30, 30))
    found = replace(SMALL, pairs=together, pair_noise=50.0)
    part = Affinity(weight=0.5, shrink=5.0, neighbours=4).fit(found)
    asked = question([(0, PURCHASE, 0.0, 1, 0)], [1])

    got = part.part(HistoryReader().fit(found).read(asked), asked)

    moment = 30 - 100 * 50 / 1000
    weight = moment / (100 * 0.9 + 2 * 50 * 2) / math.sqrt(50 / 1000)
    assert got == pytest.approx([0.5 / 3 * weight * math.log(2)], abs=0.01)


# --- Next ---


def test_next_in_a_visit_counts_forwards_whole_and_backwards_half() -> None:
    found = replace(SMALL, next_in_visit=numbers((0, 1, 20, 10.0)))
    part = Next(weight=3.0, bend=2.0).fit(found)
    reader = HistoryReader().fit(found)

    def after(item: int, *, rank: int = 0, visit: int = 0) -> npt.NDArray[np.float64]:
        asked = question([(item, VIEW, 0.0, visit, rank)], [0, 1, 2])
        return part.part(reader.read(asked), asked)

    forwards = 2 * math.log1p(3 * 10 / (100**0.6 * 50**0.2) / 2)
    backwards = 2 * math.log1p(3 * 5 / (50**0.6 * 100**0.2) / 2)
    assert after(0) == pytest.approx([0, forwards, 0], rel=0.01)
    assert after(1) == pytest.approx([backwards, 0, 0], rel=0.01)
    assert after(0, rank=4) == pytest.approx([0, forwards / math.e, 0], rel=0.01)
    assert after(0, visit=2) == pytest.approx([0, 0, 0])


def test_an_item_of_the_visit_counts_as_often_as_shoppers_come_back_to_it() -> None:
    found = replace(SMALL, again_in_visit=np.array([30.0, 0.0, 5.0]))
    part = Next(again_weight=100.0).fit(found)
    reader = HistoryReader().fit(found)

    def after(
        item: int, *, rank: int = 0, visit: int = 0, kind: int = VIEW
    ) -> npt.NDArray[np.float64]:
        asked = question([(item, kind, 0.0, visit, rank)], [0, 1, 2])
        return part.part(reader.read(asked), asked)

    usual = 35 / 125
    of_a = 100 * (30 + 20 * usual) / (100 + 20)
    of_b = 100 * (min(19, 50 * usual) + 20 * usual) / (50 + 20)
    assert after(0) == pytest.approx([of_a, 0, 0], rel=0.01)
    assert after(1) == pytest.approx([0, of_b, 0], rel=0.01)
    assert after(0, rank=8) == pytest.approx([of_a / math.e, 0, 0], rel=0.01)
    assert after(0, visit=1) == pytest.approx([0, 0, 0])
    assert after(0, kind=CART) == pytest.approx([of_a, 0, 0], rel=0.01)
    assert after(0, kind=PURCHASE) == pytest.approx([0, 0, 0])


def test_where_nobody_comes_back_an_item_of_the_visit_gets_nothing() -> None:
    part = Next().fit(SMALL)
    asked = question([(0, VIEW, 0.0, 0, 0)], [0, 1, 2])

    assert part.part(HistoryReader().fit(SMALL).read(asked), asked) == pytest.approx([0, 0, 0])


def test_next_at_the_start_of_a_visit_is_the_lift_of_the_visit_before() -> None:
    found = replace(SMALL, next_visit=numbers((0, 2, 40, 40)))
    part = Next(start_weight=0.5, start_shrink=1.0).fit(found)
    reader = HistoryReader().fit(found)

    def after(visit: int, kind: int) -> npt.NDArray[np.float64]:
        asked = question([(0, kind, 3.0, visit, 0)], [0, 1, 2])
        return part.part(reader.read(asked), asked)

    lift = 0.5 * math.log((40 + 1) / (100 * 25 / 1000 + 1))
    assert after(1, PURCHASE) == pytest.approx([0, 0, lift], rel=0.01)
    assert after(1, CART) == pytest.approx([0, 0, 0.6 * lift], rel=0.01)
    assert after(0, PURCHASE) == pytest.approx([0, 0, 0])
    assert after(2, PURCHASE) == pytest.approx([0, 0, 0])


# --- Category ---


def test_category_is_the_lift_above_what_is_usual_for_the_target() -> None:
    found = replace(
        SMALL,
        space=ItemSpace.of(("a", "b", "c"), ("x", "x", "y")),
        category_shoppers=np.array([120.0, 25.0]),
        category_pairs=numbers((0, 1, 20, 20), (1, 0, 20, 20)),
    )
    part = Category(weight=1.0, shrink=10.0, alone=0.0).fit(found)
    reader = HistoryReader().fit(found)
    within_x = math.log((120 + 10) / (120**2 / 1000 + 10))
    within_y = math.log((25 + 10) / (25**2 / 1000 + 10))
    across = math.log((20 + 10) / (120 * 25 / 1000 + 10))
    # x holds 150 of the 175 shopper-items, y 25.
    usual_x = (150 * within_x + 25 * across) / 175
    usual_y = (150 * across + 25 * within_y) / 175
    asked = question([(0, PURCHASE, 0.0, 1, 0)], [0, 1, 2, 3, 4, 5])

    got = part.part(reader.read(asked), asked)

    x, y = math.log(2) * (within_x - usual_x), math.log(2) * (across - usual_y)
    assert got == pytest.approx([x, x, y, x, y, 0], abs=0.02)


def test_an_item_without_published_pairs_speaks_louder_through_its_category() -> None:
    found = counts()
    n_pairs = np.bincount(found.pairs.source, minlength=found.space.n_items)
    alone = replace(found, pairs=numbers())
    asked = question([(0, PURCHASE, 0.0, 1, 0)], list(range(found.space.n_rows)))
    reader = HistoryReader().fit(found)
    state = reader.read(asked)

    with_pairs = Category(alone=0.5).fit(found).part(state, asked)
    without = Category(alone=0.5).fit(alone).part(state, asked)
    never = Category(alone=0.0).fit(alone).part(state, asked)

    assert 0 < n_pairs[0] < 20
    assert np.abs(never).max() > 0
    assert without == pytest.approx(1.5 * never)
    assert with_pairs == pytest.approx((1 + 0.5 * (1 - n_pairs[0] / 20)) * never)


def test_items_of_one_category_add_up() -> None:
    part = fitted(Category())
    one = part_of(part, question([(3, PURCHASE, 1.0, 1, 0)], EVERY_ROW))
    other = part_of(part, question([(4, PURCHASE, 5.0, 1, 0)], EVERY_ROW))
    both = part_of(part, question([(3, PURCHASE, 1.0, 1, 0), (4, PURCHASE, 5.0, 1, 0)], EVERY_ROW))

    assert np.abs(one).max() > 0
    assert both == pytest.approx(one + other)


def test_a_catalog_without_categories_has_no_category_part() -> None:
    part = Category().fit(SMALL)
    asked = question([(0, PURCHASE, 0.0, 1, 0), (1, DISLIKE, 0.0, 0, 1)], [0, 1, 2, 3])

    assert part.part(HistoryReader().fit(SMALL).read(asked), asked).tolist() == [0] * 4


# --- Repeat ---


def test_repeat_counts_visits_lately_and_ever_and_takes_off_what_is_disliked() -> None:
    found = with_gaps((7, 10), (14, 30))
    part = Repeat(weight=2.0, recent_weight=3.0, dislike=20.0).fit(found)
    asked = question(
        [
            (0, PURCHASE, 30.0, 2, 3),
            (0, PURCHASE, 10.0, 1, 2),
            (0, VIEW, 10.0, 1, 1),
            (1, DISLIKE, 1.0, 0, 0),
        ],
        [0, 1, 2],
    )

    got = part.part(HistoryReader().fit(found).read(asked), asked)

    half_life = 7 + (0.5 - 0.25) / (1 - 0.25) * 7
    assert part.half_life_days_ == pytest.approx(half_life)
    lately = 0.5 ** (30 / half_life) + 1.3 * 0.5 ** (10 / half_life)
    wanted = 3 * math.log1p(lately) + 2 * math.log1p(2.3)
    assert got == pytest.approx([wanted, -20, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("ages", "missed"),
    [
        ((), 0),
        ((90,), 0),
        ((50, 40), 3),
        ((50, 45, 40), 7),
        ((20, 10), 0),
        ((20, 19.9), 18.9),
    ],
    ids=["never", "once", "four gaps", "eight gaps", "due now", "gaps of less than a day"],
)
def test_what_a_shopper_used_to_take_more_often_loses(
    ages: tuple[float, ...], missed: float
) -> None:
    found = with_gaps((7, 10))
    bought = [(0, PURCHASE, age, visit, visit) for visit, age in enumerate(ages, start=1)]
    asked = question(bought, [0])
    state = HistoryReader().fit(found).read(asked)

    usual, less = (Repeat(overdue=weight).fit(found).part(state, asked) for weight in (0.0, 0.5))

    assert usual - less == pytest.approx([0.5 * math.log1p(missed)], rel=0.01)


@pytest.mark.parametrize(
    ("gaps", "days"),
    [
        ((), DEFAULT_HALF_LIFE_DAYS),
        (((7, 0),), DEFAULT_HALF_LIFE_DAYS),
        (((3, 100),), SHORTEST_HALF_LIFE_DAYS),
        (((448, 100),), LONGEST_HALF_LIFE_DAYS),
        (((14, 1), (28, 1)), 14.0),
        (((28, 10),), 14.0),
    ],
    ids=["none", "zero", "short", "long", "two", "inside"],
)
def test_the_half_life_is_the_median_gap_within_reason(
    gaps: tuple[tuple[float, float], ...], days: float
) -> None:
    assert Repeat().fit(with_gaps(*gaps)).half_life_days_ == pytest.approx(days)


# --- From the tables to the counts ---


def test_counts_are_the_published_numbers_on_the_models_rows() -> None:
    found, published = counts(), corner_shop.aggregates()
    items = {row["item_id"]: row for row in published.table("items").to_pylist()}
    row_of = {item: row for row, item in enumerate(found.space.item_ids)}

    for item, numbers_of in items.items():
        assert found.item_shoppers[row_of[item]] == numbers_of["shoppers"]
        assert found.item_weight[row_of[item]] == numbers_of["weight"] / 1000
    known = pairs_of(found.pairs)
    for row in published.table("pairs").to_pylist():
        one, other = row_of[row["item_id"]], row_of[row["other_id"]]
        assert known[one, other] == known[other, one] == row["shoppers"]
    assert len(known) == 2 * published.table("pairs").num_rows
    scopes = published.table("next").column("scope").to_pylist()
    assert found.next_in_visit.source.size == scopes.count("visit")
    assert found.next_visit.source.size == scopes.count("visits")
    assert found.repeat_gap_days.tolist() == [7, 14, 28]
    assert found.repeat_shoppers.sum() == sum(
        published.table("repeats").column("shoppers").to_pylist()
    )


def test_what_is_not_in_the_models_catalog_is_left_out() -> None:
    fewer = ROWS[:5]
    space = ItemSpace.of([row.item_id for row in fewer], [row.category for row in fewer])

    found = Counts.of(corner_shop.aggregates(), space)

    assert found.item_shoppers.size == 5
    for pairs in (found.pairs, found.next_in_visit, found.next_visit):
        assert pairs.source.size
        assert max(pairs.source.max(), pairs.target.max()) < 5
    assert found.category_shoppers.size == space.n_categories == 3
    assert found.category_pairs.source.size == 0 or found.category_pairs.source.max() < 3


def test_rows_are_items_then_categories_then_none() -> None:
    space = ItemSpace.of(["b", "a", "c"], ["y", None, "x"])

    assert (space.item_ids, space.categories) == (("a", "b", "c"), ("x", "y"))
    assert space.category_of.tolist() == [2, 1, 0, 0, 1, 2]
    assert (space.n_items, space.n_categories, space.n_rows) == (3, 2, 6)
    assert space.rows_of(["c", "nobody", "a"]).tolist() == [2, -1, 0]
    assert space.category_rows_of(["y", "z"]).tolist() == [1, -1]


# --- As scikit-learn wants it ---


ESTIMATORS = (
    Popularity(0.5),
    Next(2.0, 5.0, 0.3, 5),
    Affinity(0.1, 2.0, 3),
    Category(0.1, 7.0, 4),
    Repeat(1.0, 2.0, 9.0),
    HistoryReader(30.0),
    Blend((Popularity(),), HistoryReader()),
)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_an_estimator_clones_with_its_parameters_and_keeps_them_when_fitted(estimator) -> None:  # type: ignore[no-untyped-def]
    before = repr(estimator.get_params(deep=False))
    copy = clone(estimator)

    assert copy is not estimator
    assert repr(copy.get_params(deep=False)) == before
    assert copy.fit(counts()) is copy
    assert repr(copy.get_params(deep=False)) == before
    assert type(estimator)(**estimator.get_params(deep=False)).get_params(deep=False).keys()
    assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.parametrize(
    "part", [Popularity(), Next(), Affinity(), Category(), Repeat()], ids=lambda one: str(one.name)
)
def test_a_part_that_is_not_fitted_says_so(part: Part) -> None:
    asked = question([], [0])
    state = HistoryReader().fit(counts()).read(asked)

    with pytest.raises(NotFittedError):
        part.part(state, asked)


def test_a_blend_that_is_not_fitted_says_so() -> None:
    with pytest.raises(NotFittedError):
        Blend().score_candidates(question([], [0]))
    with pytest.raises(NotFittedError):
        _ = Blend().part_names


def test_the_weights_scale_their_part_and_nothing_else() -> None:
    asked = question([(2, PURCHASE, 3.0, 1, 1), (7, LIKE, 1.0, 0, 0)], EVERY_ROW)
    usual = Blend().fit(counts()).score_candidates(asked)
    doubled = (
        Blend(parts=(Popularity(), Next(), Affinity(weight=6.0), Category(), Repeat()))
        .fit(counts())
        .score_candidates(asked)
    )

    assert doubled.parts[:, 2] == pytest.approx(2 * usual.parts[:, 2])
    others = [0, 1, 3, 4]
    assert (doubled.parts[:, others] == usual.parts[:, others]).all()
    assert usual.score == pytest.approx(usual.parts.sum(axis=1))


def test_weights_by_situation_multiply_the_parts_and_the_sum_stays_exact() -> None:
    asked = question([(2, PURCHASE, 3.0, 1, 1), (7, LIKE, 1.0, 0, 0)], EVERY_ROW)
    usual = Blend().fit(counts()).score_candidates(asked)
    weights = ((1, 1, 1, 1, 1), (1, 2, 0.5, 1, 0.25), (4, 1, 1, 1, 1))
    blend = Blend(weights=weights).fit(counts())

    for situation in range(3):
        found = blend.score_candidates(replace(asked, situation=np.array([situation])))
        np.testing.assert_array_equal(found.parts, usual.parts * np.array(weights[situation]))
        np.testing.assert_array_equal(found.score, found.parts.sum(axis=1))
    assert blend.is_weighted
    assert not Blend().fit(counts()).is_weighted


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (((1, 1, 1, 1, 1),), r"shape \(1, 5\), wanted \(3, 5\)"),
        (((1, 1, 1, 1),) * 3, r"shape \(3, 4\), wanted \(3, 5\)"),
        (((1, 1, 1, 1, 0),) * 3, "not positive"),
        (((1, 1, 1, 1, -1),) * 3, "not positive"),
        (((1, 1, 1, 1, math.inf),) * 3, "finite"),
        (((1, 1, 1, 1, math.nan),) * 3, "finite"),
    ],
)
def test_weights_that_mean_nothing_are_refused(
    weights: tuple[tuple[float, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Blend(weights=weights).fit(counts())


# --- The time of day ---


BY_DAYPART = replace(
    SMALL,
    # Of c nothing is published. a's evening is below the threshold of 20, and b's night.
    dayparts=np.array([[60.0, 120.0, 60.0, 0.0], [0.0, 30.0, 40.0, 30.0], [0.0] * 4]),
)


def at(daypart: int) -> npt.NDArray[np.float64]:
    asked = replace(question([], range(4)), daypart=np.array([daypart]))
    part = Popularity(weight=2.0, daypart_shrink=5.0).fit(BY_DAYPART)
    return part.part(HistoryReader().fit(BY_DAYPART).read(asked), asked)


def test_popularity_at_a_time_of_day_is_popularity_times_its_shrunken_lift() -> None:
    usual = at(-1)
    # Shares of a daypart, of the items that are published in it: a has 240 shoppers, b has 100.
    shares = [60 / 240, 150 / 340, 100 / 340, 30 / 100]

    def lift(shoppers: float, expected: float) -> float:
        return 2.0 * math.log((shoppers + 5) / (expected + 5))

    wanted = np.array(
        [
            [lift(60, 240 * shares[0]), lift(19, 25), 0, 0],
            [lift(120, 240 * shares[1]), lift(30, 100 * shares[1]), 0, 0],
            [lift(60, 240 * shares[2]), lift(40, 100 * shares[2]), 0, 0],
            # What is not published is at most 19, and of 72 expected that is few.
            [lift(19, 72), lift(30, 100 * shares[3]), 0, 0],
        ]
    )
    found = np.stack([at(daypart) for daypart in range(4)])
    assert (found[:, 2:] == usual[2:]).all()
    step = np.abs(wanted).max() / 254
    np.testing.assert_allclose(found - usual, wanted, atol=step * 1.01, rtol=0)
    assert (usual == part_of_small(Popularity(weight=2.0), -1)).all()
    assert wanted[3, 0] < -1


def part_of_small(part: Part, daypart: int) -> npt.NDArray[np.float64]:
    asked = replace(question([], range(4)), daypart=np.array([daypart]))
    return part.fit(SMALL).part(HistoryReader().fit(SMALL).read(asked), asked)


@pytest.mark.parametrize("daypart", range(4))
def test_without_published_dayparts_the_time_of_day_changes_nothing(daypart: int) -> None:
    assert (part_of_small(Popularity(), daypart) == part_of_small(Popularity(), -1)).all()


def test_an_item_that_is_rare_by_night_is_not_pushed_down_for_being_left_out() -> None:
    # By night every item has a twentieth of its shoppers; only the popular one is published there.
    shoppers = np.array([[50.0, 500.0, 250.0, 200.0], [0.0, 50.0, 25.0, 20.0]])
    space = ItemSpace.of(("a", "b"), (None, None))
    shop = replace(SMALL, space=space, item_weight=np.array([9.0, 1.0]), dayparts=shoppers)
    part = Popularity().fit(shop)
    asked = replace(question([], range(2)), daypart=np.array([0]))

    night = part.part(HistoryReader().fit(shop).read(asked), asked)
    usual = part.row_.values[:2]

    np.testing.assert_allclose(night, usual, atol=0.02)


def test_the_table_of_dayparts_is_read_by_item_and_daypart() -> None:
    found = corner_shop.with_dayparts(corner_shop.aggregates())
    space = corner_shop.counts().space

    shop = Counts.of(found, space)

    assert shop.dayparts is not None
    told = {
        (space.item_ids[item], daypart): shop.dayparts[item, daypart]
        for item, daypart in zip(*np.nonzero(shop.dayparts), strict=True)
    }
    rows = found.table("dayparts").to_pylist()
    assert told == {(row["item_id"], row["daypart"]): row["shoppers"] for row in rows}
    assert counts().dayparts is None
    assert Blend().fit(shop).reads_dayparts
    assert not corner_shop.blend().reads_dayparts
