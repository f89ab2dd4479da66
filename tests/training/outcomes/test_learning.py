"""Weights are learned from cells, and taken only where they win on the other half."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from shelfrank_training.outcomes import PARTS, learning
from shelfrank_training.outcomes.learning import (
    CERTAIN,
    ENOUGH_BOUGHT,
    LEAST,
    MOST,
    SHIPPED,
    WORTH,
    Decision,
    Measures,
    blend_with,
    fit,
    learn_weights,
)
from support import corner_shop
from support.corner_shop import DISLIKE, PURCHASE, question
from support.outcomes_table import AFFINE, Weights, aggregates, outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence


def decided(table: pa.Table, situation: int = 1, *, noise: float = 0.0) -> Decision:
    return learn_weights(aggregates(table, noise=noise))[situation]


def weight(decision: Decision, part: str) -> float:
    return decision.weights[PARTS.index(part)]


@pytest.mark.parametrize("situation", [1, 2])
def test_weights_that_say_better_what_is_taken_are_found_and_used(situation: int) -> None:
    truth = AFFINE if situation == 1 else (1.0, 0.5, 2.0, 1.0, 1.0)

    found = learn_weights(aggregates(outcomes(truth, situation=situation)))

    assert [one.status == "learned" for one in found] == [one == situation for one in range(3)]
    assert found[situation].weights == pytest.approx(truth, abs=0.02)
    assert found[situation].certainty is not None
    assert found[situation].certainty > CERTAIN
    assert [duel.judged_on for duel in found[situation].duels] == [0, 1]
    for duel in found[situation].duels:
        assert duel.learned.area > duel.shipped.area
        assert duel.learned.new_gain > duel.shipped.new_gain
    for other in set(range(3)) - {situation}:
        assert found[other].weights == SHIPPED
        assert found[other].status == "too few outcomes"


def test_where_the_shipped_weights_are_right_they_stand() -> None:
    found = decided(outcomes(SHIPPED, each=2000))

    assert (found.status, found.weights) == ("not better", SHIPPED)
    assert len(found.duels) == 2


@pytest.mark.parametrize("slope", [0.3, 1.2])
@pytest.mark.parametrize("intercept", [-4.0, 0.0])
def test_how_much_is_taken_and_how_surely_changes_no_weight(intercept: float, slope: float) -> None:
    """The chance of competing, and the scale of all parts together, are nobody's weight."""
    found = decided(outcomes(AFFINE, intercept=intercept, slope=slope))

    assert found.weights == pytest.approx(AFFINE, abs=0.05)


def test_items_taken_before_have_no_say_in_the_weights() -> None:
    table = outcomes(AFFINE)
    repeats = table["repeat"].to_numpy() > 0
    bought = np.where(repeats, table["candidates"].to_numpy() // 2, table["bought"].to_numpy())
    changed = table.set_column(table.column_names.index("bought"), "bought", pa.array(bought))

    one, other = (learning._Cells.of(aggregates(each)) for each in (table, changed))

    assert fit(one) == fit(other)
    assert weight(decided(table), "repeat") == weight(decided(table), "popularity") == 1


def test_what_only_one_half_says_is_not_used() -> None:
    found = decided(outcomes((AFFINE, (1.0, 1.0, 0.5, 2.0, 1.0)), each=2000))

    assert (found.status, found.weights) == ("not better", SHIPPED)
    assert {duel.weights[2] > 1 for duel in found.duels} == {True, False}


def test_a_gain_that_could_be_chance_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same shares of taken items, of many and of few."""
    monkeypatch.setattr(learning, "WORTH", 0.0)
    slight = (1.0, 1.0, 1.1, 1.0, 1.0)

    many, few = decided(outcomes(slight)), decided(outcomes(slight, each=20))

    assert all(duel.learned.better(duel.shipped) for duel in few.duels)
    assert (many.status, few.status) == ("learned", "not better")
    assert few.certainty is not None
    assert 0 < few.certainty < CERTAIN


def test_a_gain_that_is_sure_but_small_is_not_used() -> None:
    slight, more = (decided(outcomes((1.0, 1.0, one, 1.0, 1.0))) for one in (1.1, 2.0))

    assert (slight.status, more.status) == ("not better", "learned")
    assert slight.certainty is not None
    assert slight.improvement is not None
    assert more.improvement is not None
    assert slight.certainty > CERTAIN
    assert 0 < slight.improvement < WORTH < more.improvement
    gains = [(duel.shipped.gain, duel.learned.gain) for duel in more.duels]
    before, after = np.mean(gains, axis=0)
    assert more.improvement == pytest.approx(after / before - 1, abs=1e-4)


def test_few_outcomes_are_not_learned_from() -> None:
    enough = outcomes(AFFINE, each=400, intercept=-2.0)
    fewer = enough.set_column(
        enough.column_names.index("bought"),
        "bought",
        pa.array(enough["bought"].to_numpy() * (enough["half"].to_numpy() == 0)),
    )

    assert decided(enough).duels
    assert decided(enough).bought > 2 * ENOUGH_BOUGHT
    assert decided(fewer).status == "too few outcomes"
    assert decided(outcomes(AFFINE, each=1)).duels == ()
    assert decided(outcomes(AFFINE).slice(0, 0)).status == "too few outcomes"


def test_a_weight_is_bounded() -> None:
    found = decided(outcomes((1.0, -0.5, 9.0, 1.0, 1.0), intercept=-2.0))

    assert (weight(found, "next"), weight(found, "affinity")) == (LEAST, MOST)


def test_where_the_score_says_nothing_no_weight_is_learned() -> None:
    cells = learning._Cells.of(aggregates(outcomes(AFFINE, slope=0.01)))

    assert fit(cells) == SHIPPED


def test_counts_with_noise_say_less_and_with_much_noise_nothing() -> None:
    table = outcomes(AFFINE, each=4000)

    exact, some, much = (decided(table, noise=noise) for noise in (0.0, 5.0, 3000.0))

    assert exact.status == some.status == "learned"
    assert exact.certainty is not None
    assert some.certainty is not None
    assert some.certainty < exact.certainty
    assert 0.3 * exact.bought < some.bought < exact.bought
    assert (much.status, much.weights) == ("too few outcomes", SHIPPED)


def test_the_fit_is_the_logistic_regression_on_weighted_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(learning, "PULL", 1e-9)
    table = outcomes(AFFINE, each=500)
    cells = learning._Cells.of(aggregates(table))
    new = cells.only(cells.new)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(
        np.concatenate([new.values[:, :4]] * 2),
        np.repeat([1, 0], len(new.values)),
        sample_weight=np.concatenate([new.bought, new.left]),
    )
    slopes = theirs.coef_[0]

    assert fit(cells)[:4] == pytest.approx(slopes / slopes[0], abs=2e-3)


def test_the_pull_is_towards_the_shipped_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = learning._Cells.of(aggregates(outcomes(AFFINE, each=400)))
    found = []
    for pull in (1.0, 1e3, 1e4, 1e7):
        monkeypatch.setattr(learning, "PULL", pull)
        found.append(fit(cells))

    affinity, category = ([weights[part] for weights in found] for part in (2, 3))
    assert affinity == sorted(affinity, reverse=True)
    assert category == sorted(category)
    assert found[0] == pytest.approx(AFFINE, abs=0.02)
    assert found[-1] == pytest.approx(SHIPPED, abs=0.02)


def test_the_measures_are_those_of_all_pairs_of_items() -> None:
    rng = np.random.default_rng(5)
    table = outcomes(AFFINE, each=3).take(rng.choice(300, 40, replace=False))
    bought = rng.integers(0, 4, table.num_rows)
    table = table.set_column(table.column_names.index("bought"), "bought", pa.array(bought))
    cells = learning._Cells.of(aggregates(table))

    got = learning._measure(cells, AFFINE, 1000)

    for rows, area, gain in (
        (np.ones(table.num_rows, dtype=np.bool_), got.area, got.gain),
        (cells.new, got.new_area, got.new_gain),
    ):
        score = np.round(cells.values[rows] @ np.array(AFFINE), 9)
        taken, left = cells.bought[rows], cells.left[rows]
        assert taken.sum() > 3
        assert area == pytest.approx(
            roc_auc_score(
                np.repeat([1, 0], len(score)),
                np.concatenate([score, score]),
                sample_weight=np.concatenate([taken, left]),
            ),
            abs=2e-5,
        )
        above = [
            (left[score > one].sum() + left[score == one].sum() / 2) / left.sum() for one in score
        ]
        each = [1 / np.log2(2 + 1000 * share) for share in above]
        assert gain == pytest.approx(np.average(each, weights=taken), abs=2e-5)


@pytest.mark.parametrize(
    ("learned", "wins"),
    [
        ((0.81, 0.21, 0.70, 0.10), True),
        ((0.80, 0.21, 0.71, 0.11), False),
        ((0.81, 0.20, 0.71, 0.11), False),
        ((0.82, 0.22, 0.69, 0.11), False),
        ((0.82, 0.22, 0.71, 0.09), False),
    ],
    ids=["wins", "not-in-area", "not-in-gain", "loses-new-area", "loses-new-gain"],
)
def test_a_challenger_must_win_over_all_items_and_lose_nothing_among_new_ones(
    learned: Sequence[float], wins: bool
) -> None:
    names = ("area", "gain", "new_area", "new_gain")
    shipped = Measures(area=0.80, gain=0.20, new_area=0.70, new_gain=0.10)

    found = Measures(**dict(zip(names, learned, strict=True)))

    assert found.better(shipped) is wins


@pytest.mark.parametrize("lost", [0, 1])
def test_a_challenger_that_loses_one_half_is_not_used_however_much_it_gains_in_the_other(
    lost: int,
) -> None:
    found = decided(outcomes(AFFINE))
    assert found.wins
    duel = found.duels[lost]
    turned = replace(duel, shipped=duel.learned, learned=duel.shipped)
    duels = tuple(turned if at == lost else one for at, one in enumerate(found.duels))

    assert not replace(found, duels=duels).wins


# --- What is made of it ---


def with_weights(*rows: Weights) -> list[Decision]:
    return [
        Decision(
            situation=situation, status="not better" if row == SHIPPED else "learned",
            weights=row, bought=0, improvement=None, certainty=None, duels=(),
        )
        for situation, row in enumerate(rows)
    ]  # fmt: skip


def test_shipped_weights_make_the_shipped_model() -> None:
    assert blend_with([]).get_params() == blend_with(with_weights(SHIPPED, SHIPPED)).get_params()
    assert not blend_with([]).fit(corner_shop.counts()).is_weighted


def test_the_order_is_that_of_the_weights_and_no_part_grows() -> None:
    rows = (SHIPPED, (1.0, 0.5, 4.0, 1.0, 1.0), (1.0, 0.25, 0.5, 1.0, 1.0))
    blend = blend_with(with_weights(*rows)).fit(corner_shop.counts())
    asked = question([(2, PURCHASE, 3.0, 1, 1), (7, PURCHASE, 1.0, 0, 0)], range(21))
    plain = corner_shop.blend().score_candidates(asked).parts

    for situation, row in enumerate(rows):
        found = blend.score_candidates(replace(asked, situation=np.array([situation])))
        wanted = (plain * np.array(row)).sum(axis=1)
        assert (np.argsort(found.score) == np.argsort(wanted)).all()
        assert (np.abs(found.parts) <= np.abs(plain) + 1e-6).all()


def test_a_dislike_stays_as_strong_as_what_it_must_outweigh() -> None:
    asked = question([(2, PURCHASE, 3.0, 1, 1), (7, DISLIKE, 1.0, 0, 0)], range(21))
    plain = corner_shop.blend().score_candidates(asked).parts

    blend = blend_with(with_weights(SHIPPED, (1.0, 4.0, 1.0, 1.0, 1.0), SHIPPED))

    found = blend.fit(corner_shop.counts()).score_candidates(asked).parts
    assert found[7, 4] / np.abs(found[:, 1]).max() == pytest.approx(
        plain[7, 4] / np.abs(plain[:, 1]).max(), rel=1e-3
    )
    assert plain[7, 4] < -50
