"""Sparse tables: the strongest per source, int8 within half a step, indices wide enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank_training.models.tables import INT8_LIMIT, PairTable

N_SOURCES, N_TARGETS = 5, 9
PAIRS = st.dictionaries(
    st.tuples(st.integers(0, N_SOURCES - 1), st.integers(0, N_TARGETS - 1)),
    st.floats(-1000, 1000).filter(lambda number: abs(number) > 1e-6),
)


def table_of(
    pairs: dict[tuple[int, int], float],
    *,
    top: int,
    n_sources: int = N_SOURCES,
    n_targets: int = N_TARGETS,
) -> PairTable:
    return PairTable.of(
        np.array([source for source, _ in pairs], dtype=np.int64),
        np.array([target for _, target in pairs], dtype=np.int64),
        np.array(list(pairs.values()), dtype=np.float64),
        n_sources=n_sources,
        n_targets=n_targets,
        top=top,
    )


def row_of(table: PairTable, source: int) -> dict[int, float]:
    dense = table.spread(np.array([source]), np.array([1.0]))
    return {int(target): float(dense[target]) for target in np.flatnonzero(dense)}


@given(pairs=PAIRS, top=st.integers(1, 10))
def test_a_row_keeps_its_strongest_pairs_to_half_a_step(
    pairs: dict[tuple[int, int], float], top: int
) -> None:
    table = table_of(pairs, top=top)

    for source in range(N_SOURCES):
        own = {target: number for (of, target), number in pairs.items() if of == source}
        strongest = sorted(own, key=lambda target: (-abs(own[target]), target))[:top]
        kept = row_of(table, source)
        step = max((abs(own[target]) for target in strongest), default=0) / INT8_LIMIT
        assert set(kept) <= set(strongest)
        for target in strongest:
            assert kept.get(target, 0.0) == pytest.approx(own[target], abs=0.51 * step)


@given(pairs=PAIRS)
def test_the_strongest_pair_of_a_row_is_kept_exactly(pairs: dict[tuple[int, int], float]) -> None:
    table = table_of(pairs, top=1)

    for source in {of for of, _ in pairs}:
        largest = max(abs(number) for (of, _), number in pairs.items() if of == source)
        (kept,) = row_of(table, source).values()
        assert abs(kept) == pytest.approx(largest, rel=1e-6)


def test_ties_go_to_the_lower_target() -> None:
    table = table_of({(0, 7): 1.0, (0, 2): -1.0, (0, 5): 1.0, (0, 8): 0.5}, top=2)

    assert row_of(table, 0) == {2: pytest.approx(-1.0), 5: pytest.approx(1.0)}


def test_a_row_is_no_wider_than_needed() -> None:
    assert table_of({(0, 7): 1.0, (1, 2): 1.0, (1, 3): 1.0}, top=20).target.shape == (N_SOURCES, 2)
    assert table_of({}, top=20).target.shape == (N_SOURCES, 1)
    assert table_of({(0, t): 1.0 for t in range(9)}, top=4).target.shape == (N_SOURCES, 4)


def test_an_empty_table_adds_nothing() -> None:
    dense = table_of({}, top=3).spread(np.array([0, 4]), np.array([1.0, -1.0]))

    assert dense.tolist() == [0.0] * N_TARGETS


def test_a_source_may_stand_several_times_and_none_gives_zeros() -> None:
    table = table_of({(1, 2): 4.0, (3, 2): 1.0}, top=3)

    twice = table.spread(np.array([1, 1, 3]), np.array([1.0, 0.5, -2.0]))

    assert twice[2] == pytest.approx(4 + 2 - 2)
    nothing = table.spread(np.zeros(0, dtype=np.int64), np.zeros(0))
    assert nothing.tolist() == [0.0] * N_TARGETS


@pytest.mark.parametrize(
    ("n_targets", "dtype"), [(1 << 16, np.uint16), ((1 << 16) + 1, np.int32)], ids=["16", "32"]
)
def test_the_index_is_wide_enough_for_the_last_row(n_targets: int, dtype: type) -> None:
    table = table_of({(0, n_targets - 1): 2.0}, top=1, n_targets=n_targets)

    assert table.target.dtype == dtype
    assert row_of(table, 0) == {n_targets - 1: pytest.approx(2.0)}


def test_the_weight_of_a_table_is_that_of_its_arrays() -> None:
    table = table_of({(0, t): 1.0 for t in range(4)}, top=4)

    assert (
        int(table.target.nbytes + table.value.nbytes + table.scale.nbytes)
        == N_SOURCES * 4 * (2 + 1) + N_SOURCES * 4
    )
    assert (table.value.itemsize, table.scale.itemsize) == (1, 4)
