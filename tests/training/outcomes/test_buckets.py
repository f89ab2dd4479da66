"""Buckets are fixed, cells keep their order, and what a bucket stands for lies in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from shelfrank_training.aggregates.folder import KEYS, schema
from shelfrank_training.outcomes import buckets as b

ALL = [b.POPULARITY, b.NEXT_AT_START, b.NEXT_IN_VISIT, b.AFFINITY, b.CATEGORY, b.REPEAT]


def table(cells: np.ndarray) -> pa.Table:
    ones = np.ones(len(cells), dtype=np.int64)
    columns = [*b.columns_of(cells), ones, ones, ones]
    return pa.table(dict(zip(schema("outcomes").names, columns, strict=True)))


def test_the_columns_are_those_of_the_folder() -> None:
    assert KEYS["outcomes"] == b.COLUMNS


@pytest.mark.parametrize("buckets", ALL)
def test_what_a_bucket_stands_for_lies_in_it(buckets: b.Buckets) -> None:
    assert list(buckets.edges) == sorted(set(buckets.edges))
    assert len(buckets.values) == len(buckets.edges) + 1
    places = np.searchsorted(buckets.edges, buckets.values, side="right")
    assert places.tolist() == list(range(len(buckets.values)))


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("situation", [0, 1, 2])
def test_values_come_back_as_they_went_in(situation: int, half: int) -> None:
    next_ = b.NEXT_IN_VISIT if situation == 2 else b.NEXT_AT_START
    used = [b.POPULARITY, next_, b.AFFINITY, b.CATEGORY, b.REPEAT]
    grid = np.stack(np.meshgrid(*(np.array(one.values) for one in used)), axis=-1).reshape(-1, 5)

    cells = b.cells_of(situation, grid, half=half)

    assert np.unique(cells).size == len(grid)
    assert 0 <= cells.min() <= cells.max() < b.N_CELLS
    np.testing.assert_array_equal(b.values_of(table(cells)), grid)
    assert table(cells)["half"].to_pylist() == [half] * len(grid)
    assert table(cells)["situation"].to_pylist() == [situation] * len(grid)


def test_cells_order_like_their_columns() -> None:
    columns = np.stack(b.columns_of(np.arange(b.N_CELLS)), axis=1).tolist()

    assert columns == sorted(columns)
    assert len({tuple(row) for row in columns}) == b.N_CELLS


def test_an_item_nothing_is_known_of_stands_for_zero_in_every_personal_part() -> None:
    for situation in (0, 1, 2):
        cells = b.cells_of(situation, np.array([[-4.5, 0, 0, 0, 0]]))

        assert b.values_of(table(cells)).tolist() == [[-4.5, 0, 0, 0, 0]]


def test_an_edge_belongs_to_the_bucket_above_it() -> None:
    edge, below = 0.5, np.nextafter(0.5, 0)

    cells = b.cells_of(1, np.array([[-4.5, 0, 0, 0, edge], [-4.5, 0, 0, 0, below]]))

    assert [int(column) for column in b.columns_of(cells)[6]] == [1, 0]
