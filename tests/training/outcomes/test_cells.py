"""Counts of cells: exact, bounded, and silent about cells with few shoppers (invariant P8)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from shelfrank_training.aggregates.folder import schema
from shelfrank_training.outcomes.buckets import N_CELLS, columns_of
from shelfrank_training.outcomes.cells import INFLUENCE, Cells, Contribution, publish
from shelfrank_training.outcomes.moments import MAX_CANDIDATES, MOMENTS, TAKEN


def one(*answers: tuple[int, bool]) -> Contribution:
    cells, bought = zip(*answers, strict=True)
    return Contribution.of(np.array(cells, dtype=np.int64), np.array(bought, dtype=np.bool_))


NOBODY = Contribution.of(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_))


def test_shoppers_candidates_and_bought_are_counted() -> None:
    cells = Cells.of([one((7, True), (7, False), (9, False)), one((7, False)), NOBODY])

    assert (cells.shoppers[7], cells.candidates[7], cells.bought[7]) == (2, 3, 1)
    assert (cells.shoppers[9], cells.candidates[9], cells.bought[9]) == (1, 1, 0)
    assert cells.candidates.sum() == 4


def test_random_answers_are_what_obvious_python_counts() -> None:
    rng = np.random.default_rng(3)
    shoppers = [
        [(int(rng.integers(6)), bool(rng.integers(2))) for _ in range(rng.integers(1, 40))]
        for _ in range(30)
    ]

    found = Cells.of(one(*answers) for answers in shoppers)

    everything = [answer for answers in shoppers for answer in answers]
    people = Counter(cell for answers in shoppers for cell in {cell for cell, _ in answers})
    counts = Counter(cell for cell, _ in everything)
    takes = Counter(cell for cell, bought in everything if bought)
    for cell in range(6):
        assert found.shoppers[cell] == people[cell]
        assert found.candidates[cell] == counts[cell]
        assert found.bought[cell] == takes[cell]


def test_a_cell_leaves_with_enough_shoppers_and_not_with_one_fewer() -> None:
    cells = Cells.of(
        [
            *(one((7, True), (7, True), (7, True)) for _ in range(19)),
            *(one((8, False)) for _ in range(20)),
        ]
    )

    published = publish(cells, min_shoppers=20)

    assert published.rows.schema == schema("outcomes")
    rows = [tuple(row.values()) for row in published.rows.to_pylist()]
    key = tuple(int(column[0]) for column in columns_of(np.array([8])))
    assert rows == [(*key, 20, 20, 0)]
    assert published.n_counted == 2


def test_nobody_makes_no_row_even_where_no_threshold_is_asked() -> None:
    published = publish(Cells.of([]), min_shoppers=0)

    assert (published.rows.num_rows, published.n_counted) == (0, 0)


def test_the_rows_are_sorted_by_their_key() -> None:
    cells = np.random.default_rng(0).permutation(N_CELLS)[:50]

    rows = publish(Cells.of([one(*((int(c), False) for c in cells))]), min_shoppers=1).rows

    keys = [tuple(row.values())[:7] for row in rows.to_pylist()]
    assert keys == sorted(keys)
    assert len(keys) == 50


def test_the_declared_influence_is_reached_and_never_passed() -> None:
    """The two shoppers who move the table most: all in one cell, and all apart."""
    most = MOMENTS * MAX_CANDIDATES
    bought = np.arange(most) < MOMENTS * TAKEN
    together = Cells.of([Contribution.of(np.zeros(most, dtype=np.int64), bought)])
    apart = Cells.of([Contribution.of(np.arange(most, dtype=np.int64), bought)])

    for name, influence in INFLUENCE.items():
        moved = [np.abs(getattr(cells, name)).astype(float) for cells in (together, apart)]
        assert max(np.count_nonzero(change) for change in moved) == influence.l0
        assert max(change.sum() for change in moved) == influence.l1
        assert np.isclose(max(np.linalg.norm(change) for change in moved), influence.l2)
        assert max(change.max() for change in moved) == influence.linf
    assert publish(apart, min_shoppers=1).max_rows_per_shopper == most == 300
