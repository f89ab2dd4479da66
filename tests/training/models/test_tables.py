"""Sparse tables: the strongest per source, within half a step, no byte for what is not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank_training.models.tables import INT8_LIMIT, TWO_BYTES, PairTable

N_SOURCES, N_TARGETS = 5, 9
PAIRS = st.dictionaries(
    st.tuples(st.integers(0, N_SOURCES - 1), st.integers(0, N_TARGETS - 1)),
    st.floats(-1000, 1000).filter(lambda number: abs(number) > 1e-6),
)


def table_of(
    pairs: dict[tuple[int, int], float],
    *,
    top: int | None,
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


# A scale is up to 2.9 % above what its row needs, so half a step is a little more; below 1/1,580 of
# the table's largest number, all rows have one scale.
HALF_A_STEP = 0.5 * 1.03
WEAKEST_SCALE = 1 / 1500


def half_a_step(table: PairTable, row: float) -> float:
    largest = float(np.abs(table.number).max(initial=0))
    return HALF_A_STEP * max(row, largest * WEAKEST_SCALE) / INT8_LIMIT


@given(pairs=PAIRS, top=st.integers(1, 10))
def test_a_row_keeps_its_strongest_pairs_to_half_a_step(
    pairs: dict[tuple[int, int], float], top: int
) -> None:
    table = table_of(pairs, top=top)

    for source in range(N_SOURCES):
        own = {target: number for (of, target), number in pairs.items() if of == source}
        strongest = sorted(own, key=lambda target: (-abs(own[target]), target))[:top]
        kept = row_of(table, source)
        step = half_a_step(table, max((abs(own[target]) for target in strongest), default=0))
        assert set(kept) <= set(strongest)
        for target in strongest:
            assert kept.get(target, 0.0) == pytest.approx(own[target], rel=1e-6, abs=step)


@given(pairs=PAIRS)
def test_without_a_limit_every_pair_is_kept_as_it_is(pairs: dict[tuple[int, int], float]) -> None:
    table = table_of(pairs, top=None)

    assert table.value.dtype == np.float32
    for source in range(N_SOURCES):
        own = {target: number for (of, target), number in pairs.items() if of == source}
        assert row_of(table, source) == pytest.approx(own, rel=1e-6)


@given(pairs=PAIRS, seed=st.integers(0, 2**32))
def test_some_of_the_pairs_make_the_table_of_just_those(
    pairs: dict[tuple[int, int], float], seed: int
) -> None:
    table = table_of(pairs, top=None)
    kept = np.random.default_rng(seed).random(table.target.size) < 0.5
    chosen = zip(table.source[kept], table.target[kept], strict=True)

    some = table.only(kept)

    only = table_of({(int(s), int(t)): pairs[s, t] for s, t in chosen}, top=100)
    everything = np.arange(N_SOURCES), np.ones(N_SOURCES)
    assert some.value.dtype == np.int8
    assert some.spread(*everything) == pytest.approx(only.spread(*everything), rel=1e-5, abs=1e-9)


def test_ties_go_to_the_lower_target() -> None:
    table = table_of({(0, 7): 1.0, (0, 2): -1.0, (0, 5): 1.0, (0, 8): 0.5}, top=2)

    assert row_of(table, 0) == {2: pytest.approx(-1.0), 5: pytest.approx(1.0)}


def test_a_row_takes_no_more_room_than_it_has_pairs() -> None:
    table = table_of({(0, 7): 1.0, (3, 2): 1.0, (3, 3): -0.5}, top=20)

    assert table.length.tolist() == [1, 0, 0, 2, 0]
    assert table.source.tolist() == [0, 3, 3]
    assert table.target.tolist() == [7, 2, 3]
    assert table.number == pytest.approx([1, 1, -0.5], rel=0.01)


def test_a_number_that_int8_makes_zero_is_not_stored() -> None:
    table = table_of({(0, 7): 100.0, (0, 2): 0.01, (1, 2): 0.5}, top=20)

    assert table.length.tolist() == [1, 1, 0, 0, 0]


def test_a_row_of_more_than_255_pairs_has_a_wider_length() -> None:
    many = table_of({(1, t): 1.0 for t in range(300)}, top=300, n_targets=300)

    assert (many.length.dtype, many.length[1]) == (np.uint16, 300)
    assert (
        table_of({(1, t): 1.0 for t in range(255)}, top=255, n_targets=300).length.dtype == np.uint8
    )


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
    ("n_targets", "dtype", "entry_bytes"),
    [
        (1 << 8, np.uint8, 2),
        ((1 << 8) + 1, np.uint16, 3),
        (TWO_BYTES, np.uint16, 3),
        (TWO_BYTES + 1, np.uint32, 4),
    ],
    ids=["last-of-8", "first-of-16", "last-of-16", "first-of-24"],
)
def test_the_index_is_wide_enough_for_the_last_row(
    n_targets: int, dtype: type, entry_bytes: int
) -> None:
    table = table_of({(0, n_targets - 1): 2.0}, top=1, n_targets=n_targets)

    assert table.target.dtype == dtype
    assert table.entry_bytes == entry_bytes
    assert row_of(table, 0) == {n_targets - 1: pytest.approx(2.0)}


def test_a_table_takes_a_byte_for_each_length_and_scale_and_nothing_when_empty() -> None:
    table = table_of({(0, t): 1.0 for t in range(4)}, top=4, n_targets=300)

    two_levels = 2 * 4
    assert table.stored_bytes == 4 * (2 + 1) + N_SOURCES * (1 + 1) + two_levels
    assert table_of({}, top=4).stored_bytes == 0
