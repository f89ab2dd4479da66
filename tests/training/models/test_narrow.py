"""A number in a byte: how far it may be from what was meant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank_training.models.narrow import EXACT_LEVELS, N_CODES, Coded, unsigned

NUMBERS = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=900)
SIZES = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e4)), min_size=1, max_size=300)


@given(numbers=st.one_of(NUMBERS, st.integers(0, 2**32)))
def test_the_nearest_level_is_near_and_the_largest_numbers_are_exact(
    numbers: list[float] | int,
) -> None:
    if isinstance(numbers, int):  # More different ones than hypothesis likes to make.
        numbers = np.random.default_rng(numbers).normal(size=2000).tolist()
    meant = np.array(numbers, dtype=np.float32)

    coded = Coded.nearest(meant.astype(np.float64))

    distinct = np.unique(meant)
    assert (coded.codes.dtype, coded.levels.dtype) == (np.uint8, np.float32)
    assert coded.levels.size <= N_CODES
    exact = distinct if distinct.size <= N_CODES else distinct[-EXACT_LEVELS:]
    large = meant >= exact[0]
    assert (coded.values[large] == meant[large]).all()
    span = float(distinct[-EXACT_LEVELS - 1] - distinct[0]) if distinct.size > N_CODES else 0.0
    assert np.abs(coded.values - meant).max() <= span / 382 * 1.001


@given(sizes=SIZES)
def test_a_level_not_below_is_at_most_three_percent_above(sizes: list[float]) -> None:
    meant = np.array(sizes)

    coded = Coded.not_below(meant)

    assert (coded.values >= meant * (1 - 1e-6)).all()
    assert (coded.values <= np.maximum(meant * 1.03, meant.max() / 1500)).all()
    assert coded.values.max() == pytest.approx(meant.max(), rel=1e-6)


def test_levels_that_nobody_uses_are_not_stored() -> None:
    assert Coded.not_below(np.array([4.0, 4.0, 1.0])).levels.tolist() == [1.0, 4.0]
    assert Coded.not_below(np.zeros(3)).stored_bytes == 4
    assert Coded.nearest(np.array([2.0, -1.0, 2.0])).stored_bytes == 3 + 2 * 4


@pytest.mark.parametrize(
    ("count", "dtype"),
    [(1, np.uint8), (256, np.uint8), (257, np.uint16), (65_536, np.uint16), (65_537, np.uint32)],
)
def test_a_number_is_as_wide_as_it_must_be(count: int, dtype: type) -> None:
    assert unsigned(count) is dtype


@given(numbers=st.one_of(NUMBERS, st.integers(0, 2**32)))
def test_a_level_around_zero_is_near_and_zero_is_exact(numbers: list[float] | int) -> None:
    if isinstance(numbers, int):
        numbers = np.random.default_rng(numbers).normal(size=2000).tolist()
    meant = np.array([*numbers, 0.0])

    coded = Coded.around_zero(meant)

    largest = float(np.abs(meant).max())
    assert (coded.codes.dtype, coded.levels.dtype) == (np.uint8, np.float32)
    assert coded.levels.size < N_CODES
    assert coded.values[-1] == 0
    assert (coded.values * meant >= 0).all()
    assert np.abs(coded.values - meant).max() <= largest / 254 * 1.001
    assert Coded.around_zero(np.zeros(5)).stored_bytes == 4
