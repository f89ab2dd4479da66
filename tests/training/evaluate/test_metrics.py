"""The metrics against their laws and against twenty obvious lines."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank_training.evaluate import metrics

# Few distinct values, so that ties are the rule; minus infinity is an item that cannot be ranked.
SCORES = st.lists(
    st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, -math.inf]), min_size=1, max_size=40
).map(lambda values: np.array(values, dtype=np.float64))
LENGTHS = st.integers(min_value=1, max_value=25)


@st.composite
def ranked(
    draw: st.DrawFn,
) -> tuple[npt.NDArray[np.float64], set[int], int]:
    """Scores, targets and a length; a universe index is also an item's rank by popularity."""
    scores = draw(SCORES)
    targets = draw(st.sets(st.integers(0, scores.size - 1), min_size=1))
    return scores, targets, draw(LENGTHS)


def obvious_ranking(scores: npt.NDArray[np.float64], k: int, seen: set[int]) -> list[int]:
    allowed = [i for i in range(len(scores)) if i not in seen and scores[i] > -math.inf]
    return sorted(allowed, key=lambda i: (-scores[i], i))[:k]


def obvious_recall(ranking: list[int], targets: set[int], k: int) -> float:
    return sum(item in targets for item in ranking[:k]) / len(targets)


def obvious_ndcg(ranking: list[int], targets: set[int], k: int) -> float:
    gain = sum(1 / math.log2(p + 2) for p, item in enumerate(ranking[:k]) if item in targets)
    ideal = sum(1 / math.log2(p + 2) for p in range(min(k, len(targets))))
    return gain / ideal


def obvious_mrr(ranking: list[int], targets: set[int], k: int) -> float:
    return next((1 / (p + 1) for p, item in enumerate(ranking[:k]) if item in targets), 0.0)


def trial(
    ranking: npt.NDArray[np.intp], targets: set[int]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    return np.isin(ranking, sorted(targets))[np.newaxis], np.array([len(targets)])


@given(ranked(), st.data())
def test_top_k_is_the_obvious_sort_without_seen_and_unrankable_items(
    case: tuple[npt.NDArray[np.float64], set[int], int], data: st.DataObject
) -> None:
    scores, _, k = case
    seen = data.draw(st.sets(st.integers(0, scores.size - 1)))
    before = scores.copy()

    ranking = metrics.top_k(scores, k, seen=np.array(sorted(seen), dtype=np.intp))

    expected = obvious_ranking(scores, k, seen)
    assert ranking.shape == (k,)
    assert ranking.tolist() == expected + [metrics.NOTHING] * (k - len(expected))
    assert np.array_equal(scores, before)


@given(ranked())
def test_every_metric_agrees_with_the_obvious_one(
    case: tuple[npt.NDArray[np.float64], set[int], int],
) -> None:
    scores, targets, k = case
    hits, n_targets = trial(metrics.top_k(scores, k), targets)
    obvious = obvious_ranking(scores, k, set())

    assert metrics.recall(hits, n_targets, k)[0] == obvious_recall(obvious, targets, k)
    assert metrics.ndcg(hits, n_targets, k)[0] == pytest.approx(obvious_ndcg(obvious, targets, k))
    assert metrics.reciprocal_rank(hits, n_targets, k)[0] == obvious_mrr(obvious, targets, k)


@given(ranked())
def test_every_metric_lies_between_nothing_and_all(
    case: tuple[npt.NDArray[np.float64], set[int], int],
) -> None:
    scores, targets, k = case
    hits, n_targets = trial(metrics.top_k(scores, k), targets)

    for metric in (metrics.recall, metrics.ndcg, metrics.reciprocal_rank):
        assert 0 <= metric(hits, n_targets, k)[0] <= 1 + 1e-12


@given(st.sets(st.integers(0, 39), min_size=1, max_size=40), LENGTHS)
def test_a_perfect_ranking_is_worth_one(targets: set[int], k: int) -> None:
    scores = np.zeros(40)
    scores[sorted(targets)] = 1.0

    hits, n_targets = trial(metrics.top_k(scores, k), targets)

    assert metrics.ndcg(hits, n_targets, k)[0] == pytest.approx(1)
    assert metrics.reciprocal_rank(hits, n_targets, k)[0] == 1
    assert metrics.recall(hits, n_targets, k)[0] == min(k, len(targets)) / len(targets)


@given(ranked())
def test_a_longer_list_never_recalls_less(
    case: tuple[npt.NDArray[np.float64], set[int], int],
) -> None:
    scores, targets, k = case
    hits, n_targets = trial(metrics.top_k(scores, k + 1), targets)

    shorter, longer = (metrics.recall(hits, n_targets, length)[0] for length in (k, k + 1))

    assert longer >= shorter


@given(SCORES, st.permutations(list(range(40))), LENGTHS)
def test_renaming_items_renames_the_ranking_where_nothing_ties(
    values: npt.NDArray[np.float64], order: list[int], k: int
) -> None:
    # Popularity breaks ties, so only distinct scores may be carried along by a permutation.
    scores = np.unique(values)
    scores = scores[scores > -math.inf]
    moved = np.array([at for at in order if at < scores.size], dtype=np.intp)

    plain, renamed = metrics.top_k(scores, k), metrics.top_k(scores[moved], k)

    assert [moved[at] for at in renamed if at >= 0] == [at for at in plain if at >= 0]


@given(SCORES.filter(lambda scores: scores.size >= 2), st.data())
def test_equal_scores_go_to_the_more_popular_item(
    scores: npt.NDArray[np.float64], data: st.DataObject
) -> None:
    popular, rare = sorted(
        data.draw(st.sets(st.integers(0, scores.size - 1), min_size=2, max_size=2))
    )
    scores[[popular, rare]] = 0.75

    ranking = metrics.top_k(scores, scores.size).tolist()

    assert ranking.index(popular) < ranking.index(rare)


def test_targets_that_no_list_can_hold_stay_in_the_divisor() -> None:
    hits = np.array([[True, False]])

    assert metrics.recall(hits, np.array([4]), 2)[0] == 0.25
    assert metrics.ndcg(hits, np.array([4]), 2)[0] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_coverage_counts_each_shown_item_once_and_no_empty_place() -> None:
    rankings = np.array([[0, 1, 2], [1, 0, metrics.NOTHING]])

    assert metrics.coverage(rankings, 2, n_items=4) == 0.5
    assert metrics.coverage(rankings, 3, n_items=4) == 0.75


def test_a_list_of_length_nought_is_misuse() -> None:
    with pytest.raises(ValueError, match="k is 0, wanted at least 1"):
        metrics.top_k(np.zeros(3), 0)


@given(st.integers(500, 4_000), st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_top_k_of_many_items_is_the_sorted_list_however_many_tie(n: int, k: int, seed: int) -> None:
    # Long enough to be looked at piece by piece; from all the same to hardly any tie.
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, int(rng.integers(1, 1_000)), n) / 4
    scores[rng.random(n) < rng.random()] = -np.inf
    if rng.random() < 0.5:
        scores.sort()

    ranking = metrics.top_k(scores, k)

    order = np.argsort(-scores, kind="stable")[:k]
    expected = order[scores[order] > -np.inf]
    assert ranking[: expected.size].tolist() == expected.tolist()
    assert (ranking[expected.size :] == metrics.NOTHING).all()
