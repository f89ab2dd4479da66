"""Neighbourhood ridge: a regression from counts, also from counts that no shoppers could make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank_training.models.counts import PairCounts
from shelfrank_training.models.ridge import neighbourhood_ridge

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def pairs_of(gram: Floats) -> PairCounts:
    source, target = np.nonzero(gram * (1 - np.eye(gram.shape[0])))
    shared = gram[source, target]
    return PairCounts(source=source, target=target, shoppers=shared, weight=shared)


def weights(
    gram: Floats, n_shoppers: int = 1000, *, n_neighbours: int = 50, shrink: float = 10.0
) -> Floats:
    """Return the weights as a matrix, source by target."""
    source, target, weight = neighbourhood_ridge(
        pairs_of(gram), gram.diagonal(), n_shoppers, n_neighbours=n_neighbours, shrink=shrink
    )
    found = np.zeros(gram.shape)
    found[source, target] = weight
    assert np.count_nonzero(found) <= weight.size
    return found


def shop(n_shoppers: int, n_items: int, seed: int = 3) -> Floats:
    """Return who has what, 0 or 1, shape (n_shoppers, n_items); items go together."""
    rng = np.random.default_rng(seed)
    taste = rng.random((n_shoppers, 2)) @ rng.random((2, n_items))
    return (rng.random((n_shoppers, n_items)) < 0.6 * taste).astype(np.float64)


def test_with_all_items_as_neighbours_it_is_ridge_regression_on_the_rows() -> None:
    owned = shop(400, 12)

    found = weights(owned.T @ owned, 400, shrink=7.0)

    centred = owned - owned.mean(axis=0)
    for target in range(12):
        others = np.delete(np.arange(12), target)
        design = np.vstack([centred[:, others], np.sqrt(7.0) * np.eye(11)])
        wanted = np.concatenate([centred[:, target], np.zeros(11)])
        solved = np.linalg.lstsq(design, wanted, rcond=None)[0]
        assert found[others, target] == pytest.approx(solved, abs=1e-9)
    assert (found.diagonal() == 0).all()


def test_evidence_of_two_sources_that_go_together_is_shared() -> None:
    # Whoever has 0 has 1, and half of them have 2.
    gram = np.array([[100.0, 100, 50], [100, 100, 50], [50, 50, 50]])

    both = weights(gram, shrink=1.0)
    one = weights(gram[1:, 1:], shrink=1.0)

    assert both[0, 2] == pytest.approx(both[1, 2])
    assert both[0, 2] + both[1, 2] == pytest.approx(one[0, 1], rel=0.02)


def test_a_pair_at_chance_and_one_that_is_not_published_say_the_same() -> None:
    gram = np.diag([100.0, 200.0, 50.0])
    gram[0, 2] = gram[2, 0] = 30
    at_chance = gram.copy()
    at_chance[0, 1] = at_chance[1, 0] = 100 * 200 / 1000

    assert weights(at_chance) == pytest.approx(weights(gram))


def test_a_target_is_fitted_on_its_strongest_neighbours_by_correlation() -> None:
    gram = np.diag([100.0, 1000.0, 50.0, 50.0])
    gram[0, 2] = gram[2, 0] = 30
    gram[1, 2] = gram[2, 1] = 40
    gram[3, 2] = gram[2, 3] = 30

    found = weights(gram, 10_000, n_neighbours=2)

    assert list(np.flatnonzero(found[:, 2])) == [0, 3]


def test_counts_that_no_shoppers_could_make_do_not_explode() -> None:
    # With noise, or where sizes and pairs are bounded apart, a pair can be larger than its items.
    n_shoppers = 1_000_000
    gram = np.diag([100.0, 100.0, 50.0])
    gram[0, 1] = gram[1, 0] = 110
    gram[0, 2] = gram[2, 0] = 30
    gram[1, 2] = gram[2, 1] = 10
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.solve(gram[:2, :2] + 10 * np.eye(2), gram[:2, 2])

    found = weights(gram, n_shoppers, shrink=10.0)[:2, 2]

    # Along (1, 1) the matrix is 210, along (1, -1) it is -10 and counts as 0.
    assert found == pytest.approx([20 / 220 + 10 / 10, 20 / 220 - 10 / 10], rel=0.01)


@pytest.mark.parametrize("n_items", [0, 1, 5])
def test_without_pairs_there_are_no_weights(n_items: int) -> None:
    found = neighbourhood_ridge(
        pairs_of(np.zeros((n_items, n_items))), np.ones(n_items), 9, n_neighbours=5, shrink=1.0
    )

    assert [array.size for array in found] == [0, 0, 0]


def test_one_surviving_pair_is_a_shrunk_share() -> None:
    gram = np.diag([90.0, 50.0, 20.0])
    gram[0, 1] = gram[1, 0] = 30

    found = weights(gram, shrink=10.0)

    moment = 30 - 90 * 50 / 1000
    assert found[0, 1] == pytest.approx(moment / (90 * 0.91 + 10))
    assert found[1, 0] == pytest.approx(moment / (50 * 0.95 + 10))
    assert np.count_nonzero(found) == 2


@given(
    n_items=st.integers(2, 12),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
    shrink=st.floats(1, 500),
    n_neighbours=st.integers(1, 12),
)
def test_weights_are_bounded_whatever_was_suppressed(
    n_items: int, seed: int, share: float, shrink: float, n_neighbours: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 1000, n_items).astype(np.float64)
    most = np.minimum.outer(sizes, sizes)
    gram = np.triu(np.floor(most * rng.random(most.shape)) * (rng.random(most.shape) < share), 1)
    gram = gram + gram.T + np.diag(sizes)

    found = weights(gram, 1500, n_neighbours=n_neighbours, shrink=shrink)

    # At most the covariances over what is added to every eigenvalue.
    moment = np.where(gram > 0, gram - np.outer(sizes, sizes) / 1500, 0.0)
    length = np.sqrt((moment**2).sum(axis=0))
    assert (np.sqrt((found**2).sum(axis=0)) <= length / shrink * (1 + 1e-9)).all()
    assert (np.count_nonzero(found, axis=0) <= n_neighbours).all()
