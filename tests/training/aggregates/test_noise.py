"""Noise and its price: OpenDP's numbers, held against what the literature says they must be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from shelfrank_training.aggregates import noise
from shelfrank_training.aggregates.budget import (
    KEYED,
    SPLIT,
    Account,
    Target,
    split_for,
)
from shelfrank_training.aggregates.noise import OPENDP, UNIT, Sensitivity
from shelfrank_training.errors import PrivacyError

PAIRS = Sensitivity(l0=45, l2=6700.0, linf=UNIT)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-3])
def test_rho_is_between_the_bounds_of_the_literature(epsilon: float, delta: float) -> None:
    rho = noise.rho_for(epsilon, delta)

    # Bun and Steinke 2016, proposition 1.3: rho-zCDP implies (rho + 2 sqrt(rho ln 1/delta), delta).
    assert rho + 2 * math.sqrt(rho * math.log(1 / delta)) >= epsilon
    assert noise.epsilon_of(rho, delta) == pytest.approx(epsilon, rel=1e-6)
    assert noise.epsilon_of(rho, delta) <= epsilon


def test_four_times_the_budget_halves_the_noise() -> None:
    assert noise.scale_for(PAIRS, 0.4) == pytest.approx(noise.scale_for(PAIRS, 0.1) / 2)


def test_the_price_is_that_of_the_gaussian_mechanism() -> None:
    scale = noise.scale_for(PAIRS, 0.1)

    cost = noise.gaussian_cost(PAIRS, scale)

    assert cost.rho == pytest.approx(PAIRS.l2**2 / (2 * scale**2))
    assert 0.0999 < cost.rho <= 0.1
    assert cost.delta == 0


def test_the_noise_has_the_spread_it_is_said_to_have() -> None:
    n, scale = 20_000, 500.0

    noisy = OPENDP.add(np.zeros(n, dtype=np.int64), scale=scale)

    # The sample deviation of n normal numbers is within 6 / sqrt(2 n) of the true one, but for one
    # run in 500 million.
    assert noisy.dtype == np.int64
    assert np.std(noisy) == pytest.approx(scale, rel=6 / math.sqrt(2 * n))
    assert abs(noisy.mean()) < 6 * scale / math.sqrt(n)


def test_a_key_of_one_shopper_alone_stays_hidden_as_often_as_delta_says() -> None:
    one = Sensitivity(l0=1, l2=float(UNIT), linf=UNIT)
    scale, delta, n = 3000.0, 0.02, 4000

    threshold = noise.threshold_for(one, scale, delta)
    shown, _ = OPENDP.add_and_cut(np.full(n, UNIT), scale=scale, threshold=threshold)

    # A binomial of 4,000 at 0.02 has mean 80 and deviation 8.9: beyond 6 deviations lies less than
    # one run in 100 million.
    assert shown.size <= 80 + 6 * 8.9
    assert shown.size >= 80 - 6 * 8.9


def test_what_shows_reaches_the_threshold_and_comes_in_the_order_of_the_keys() -> None:
    counts = np.arange(1, 3000, dtype=np.int64) * UNIT
    shown, amount = OPENDP.add_and_cut(counts, scale=100_000.0, threshold=500_000)

    assert 0 < shown.size < counts.size
    assert (amount >= 500_000).all()
    assert (np.diff(shown) > 0).all()


def test_nothing_shows_of_nothing() -> None:
    shown, amount = OPENDP.add_and_cut(np.zeros(0, dtype=np.int64), scale=10.0, threshold=50)

    assert shown.size == amount.size == 0


def test_more_rows_of_one_shopper_ask_for_a_higher_threshold() -> None:
    few, many = replace(PAIRS, l0=1), replace(PAIRS, l0=4950)

    assert noise.threshold_for(few, 1e4, 1e-7) < noise.threshold_for(many, 1e4, 1e-7)
    assert noise.threshold_for(many, 1e4, 1e-7) < noise.threshold_for(many, 1e4, 1e-9)


@pytest.mark.parametrize("has_categories", [True, False])
def test_the_shares_are_all_of_the_budget_and_no_more(has_categories: bool) -> None:
    split = split_for(has_categories=has_categories)

    assert math.fsum(split.values()) == pytest.approx(1, abs=1e-12)
    assert all(share > 0 for share in split.values())
    assert set(split) <= set(SPLIT)


def spend(account: Account, names: list[str]) -> None:
    for name in names:
        scale = noise.scale_for(PAIRS, account.rho(name))
        if name in KEYED:
            threshold = noise.threshold_for(PAIRS, scale, account.key_delta)
            cost = noise.threshold_cost(PAIRS, scale, threshold)
            account.charge(name, PAIRS, scale, cost, threshold=threshold)
        else:
            account.charge(name, PAIRS, scale, noise.gaussian_cost(PAIRS, scale), threshold=None)


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_all_passes_together_cost_what_was_promised_and_nearly_all_of_it(epsilon: float) -> None:
    account = Account(Target(epsilon, 1e-6))
    spend(account, list(SPLIT))

    bill = account.close()

    assert noise.epsilon_of(bill.rho, bill.conversion_delta) == pytest.approx(epsilon, rel=1e-4)
    assert bill.conversion_delta + bill.key_delta == pytest.approx(1e-6, rel=0.01)
    assert bill.conversion_delta + bill.key_delta <= 1e-6
    assert bill.target == Target(epsilon, 1e-6)


def test_one_pass_too_many_is_refused() -> None:
    account = Account(Target(1.0, 1e-6))
    spend(account, [*SPLIT, "items.weight"])

    with pytest.raises(PrivacyError, match="promised were 1 and 1e-06; nothing is published"):
        account.close()


def test_keys_chosen_once_too_often_are_refused() -> None:
    account = Account(Target(1.0, 1e-6))
    spend(account, [*(name for name in KEYED if name in SPLIT), "pairs"])

    with pytest.raises(PrivacyError, match="nothing is published"):
        account.close()


def test_what_is_said_of_a_pass_is_never_less_than_it_is() -> None:
    account = Account(Target(1.0, 1e-6))
    spend(account, ["pairs"])

    (entry,) = account.of_table("pairs")

    assert entry.mechanism == "gaussian_threshold"
    assert entry.l2 * UNIT >= PAIRS.l2
    assert entry.epsilon < 1
    assert entry.threshold is not None
    assert entry.threshold > entry.scale


@pytest.mark.parametrize(
    ("epsilon", "delta", "message"),
    [
        (0.0, 1e-6, "epsilon is 0, wanted more than 0"),
        (-1.0, 1e-6, "epsilon is -1"),
        (math.nan, 1e-6, "epsilon is nan"),
        (math.inf, 1e-6, "epsilon is inf"),
        (101.0, 1e-6, "at most 100"),
        (1.0, 0.0, "delta is 0"),
        (1.0, 1.0, "delta is 1"),
        (1.0, math.nan, "delta is nan"),
    ],
)
def test_a_promise_that_promises_nothing_is_refused(
    epsilon: float, delta: float, message: str
) -> None:
    with pytest.raises(PrivacyError, match=message):
        Target(epsilon, delta)


def test_delta_may_not_permit_to_publish_one_shopper_outright() -> None:
    Target(1.0, 1e-3).require_small_delta(1000)

    with pytest.raises(PrivacyError, match="more than one over the number of shoppers"):
        Target(1.0, 1e-3).require_small_delta(1001)
