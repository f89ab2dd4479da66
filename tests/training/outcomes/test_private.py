"""``outcomes`` with noise: both promises, and a budget of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shelfrank_training.aggregates.budget import OUTCOMES_SPLIT, Target
from shelfrank_training.aggregates.noise import OPENDP, epsilon_of
from shelfrank_training.outcomes.buckets import N_CELLS, columns_of
from shelfrank_training.outcomes.cells import INFLUENCE, Cells
from shelfrank_training.outcomes.private import publish_with_noise
from support.noise_sources import Exact, ShowsAll

TARGET = Target(3.0, 1e-6)


def cells(shoppers: int, *, other: int = 0) -> Cells:
    """Return two cells: 7, of so many shoppers, and 9, of others."""
    counts = np.zeros((3, N_CELLS), dtype=np.int64)
    counts[:, 7] = shoppers, 4 * shoppers, shoppers // 2
    counts[:, 9] = other, other, 0
    return Cells(shoppers=counts[0], candidates=counts[1], bought=counts[2])


def test_whatever_the_noise_no_cell_shows_over_fewer_shoppers_than_promised() -> None:
    made = publish_with_noise(cells(20, other=19), TARGET, min_shoppers=20, source=ShowsAll())

    found = made.rows.to_pylist()
    assert len(found) == 1
    assert [found[0][name] for name in ("shoppers", "candidates", "bought")] == [20, 80, 10]
    assert [found[0]["half"]] == columns_of(np.array([7]))[0].tolist()


def test_a_cell_that_is_hardly_there_does_not_show() -> None:
    made = publish_with_noise(cells(40), TARGET, min_shoppers=20, source=Exact())

    assert made.rows.num_rows == 0


def test_a_large_cell_shows_with_noise_that_is_stated() -> None:
    drawn = [
        publish_with_noise(cells(200_000), TARGET, min_shoppers=20, source=OPENDP).rows.to_pylist()
        for _ in range(2)
    ]

    assert all(len(rows) == 1 for rows in drawn)
    assert drawn[0] != drawn[1]
    assert drawn[0][0]["candidates"] == pytest.approx(800_000, rel=0.05)
    assert drawn[0][0]["bought"] == pytest.approx(100_000, rel=0.05)


def test_the_budget_is_spent_once_for_what_one_shopper_can_move() -> None:
    made = publish_with_noise(cells(100), TARGET, min_shoppers=20, source=Exact())

    assert math.fsum(OUTCOMES_SPLIT.values()) == pytest.approx(1)
    assert [entry.mechanism for entry in made.noise] == [
        "gaussian_threshold",
        "gaussian",
        "gaussian",
    ]
    for entry, column in zip(made.noise, ("shoppers", "candidates", "bought"), strict=True):
        assert entry.l0 == INFLUENCE[column].l0
        assert entry.l2 >= INFLUENCE[column].l2
        assert entry.linf >= INFLUENCE[column].linf
    rho = math.fsum(entry.rho for entry in made.noise)
    assert epsilon_of(rho, TARGET.delta / 2) == pytest.approx(TARGET.epsilon, rel=1e-4)
    assert epsilon_of(rho, TARGET.delta / 2) <= TARGET.epsilon
