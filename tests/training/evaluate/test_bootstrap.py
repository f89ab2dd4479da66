"""Intervals over shoppers: reproducible, paired, and about shoppers rather than trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank_training.evaluate import bootstrap, metrics


def all_draws(n_shoppers: int, n_resamples: int = 400, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate(list(bootstrap.draws(n_shoppers, rng=rng, n_resamples=n_resamples)))


@given(st.integers(1, 30), st.integers(1, 120))
def test_each_resample_draws_as_many_shoppers_as_there_are(n_shoppers: int, n: int) -> None:
    drawn = all_draws(n_shoppers, n)

    assert drawn.shape == (n, n_shoppers)
    assert (drawn.sum(axis=1) == n_shoppers).all()


def test_the_same_rng_state_gives_the_same_draws_and_another_does_not() -> None:
    assert np.array_equal(all_draws(20, seed=1), all_draws(20, seed=1))
    assert not np.array_equal(all_draws(20, seed=1), all_draws(20, seed=2))


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_a_resampled_mean_is_the_mean_over_the_trials_of_the_drawn_shoppers(
    n_shoppers: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    trials = [rng.random(rng.integers(0, 4)) for _ in range(n_shoppers)]
    sums = np.array([[trial.sum()] for trial in trials])
    counts = np.array([float(trial.size) for trial in trials])
    drawn = all_draws(n_shoppers, 20, seed)

    means = bootstrap.resampled_means(sums, counts, drawn)

    for row, times in enumerate(drawn):
        pooled = [x for trial, n in zip(trials, times, strict=True) for x in list(trial) * int(n)]
        assert means[row, 0] == pytest.approx(np.mean(pooled) if pooled else np.nan, nan_ok=True)


def test_a_shopper_with_many_trials_is_one_draw_and_not_many() -> None:
    # Ten shoppers, each certain of its own result: repeating their trials adds no certainty.
    sums = np.arange(10.0)[:, np.newaxis] / 10
    once = bootstrap.resampled_means(sums, np.ones(10), all_draws(10))
    often = bootstrap.resampled_means(sums * 50, np.full(10, 50.0), all_draws(10))

    assert np.allclose(once, often)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        sample = rng.random((60, 1))
        drawn = np.concatenate(list(bootstrap.draws(60, rng=rng, n_resamples=200)))
        resampled = bootstrap.resampled_means(sample, np.ones(60), drawn)[:, 0]
        estimate = bootstrap.interval(float(sample.mean()), resampled)
        covered += estimate.low <= 0.5 <= estimate.high

    assert 0.88 <= covered / 200 <= 0.99


def test_resamples_without_any_trial_are_left_out() -> None:
    estimate = bootstrap.interval(0.5, np.array([np.nan, 0.4, 0.6, np.nan]))

    assert 0.4 <= estimate.low < 0.5 < estimate.high <= 0.6
    assert bootstrap.interval(0.5, np.array([np.nan])) == bootstrap.Estimate(
        value=0.5, low=0.5, high=0.5
    )


def test_coverage_in_a_resample_is_that_of_the_rankings_of_its_shoppers() -> None:
    rankings = np.array([[0, 1], [1, 2], [3, metrics.NOTHING]])
    shopper = np.array([0, 0, 1])
    drawn = np.array([[2, 0], [0, 2], [1, 1]], dtype=np.uint16)

    share = bootstrap.coverage_in_resample(rankings, shopper, drawn, n_items=8)

    assert share.tolist() == [3 / 8, 1 / 8, 4 / 8]


def test_an_interval_of_coverage_lies_around_its_value_though_resamples_lie_below_it() -> None:
    rng = np.random.default_rng(3)
    rankings = rng.integers(0, 500, (100, 20))
    shopper = np.arange(100)
    value = metrics.coverage(rankings, 20, n_items=500)

    resampled = bootstrap.coverage_in_resample(rankings, shopper, all_draws(100), n_items=500)
    estimate = bootstrap.interval(value, resampled, centred=True)

    assert resampled.max() < value
    assert estimate.low < value < estimate.high


def test_an_interval_of_coverage_does_not_end_beyond_the_whole_catalog() -> None:
    resampled = np.linspace(0.5, 0.9, 101)  # Moved to a mean of 0.95, they end above 1.

    free, bound = (
        bootstrap.interval(0.95, resampled, centred=True, **more)
        for more in ({}, {"within": (0.0, 1.0)})
    )

    assert free.high > 1
    assert (bound.low, bound.high) == (free.low, 1.0)
