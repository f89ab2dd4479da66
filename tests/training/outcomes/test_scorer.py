"""The provisional model answers as a device would, and no shopper moves the table too far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank.ranking.inputs import graph_inputs
from shelfrank_training.evaluate.histories import record
from shelfrank_training.events import Holdout
from shelfrank_training.outcomes.buckets import columns_of
from shelfrank_training.outcomes.cells import INFLUENCE, Cells
from shelfrank_training.outcomes.moments import half_of, questions
from shelfrank_training.outcomes.scorer import Scorer
from support import corner_shop
from support.outcomes_shop import SALT, catalog, random_shopper, shopped
from support.shopper import policy, policy_data, purpose_data

if TYPE_CHECKING:
    from shelfrank_training.evaluate.histories import SourceEvent


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer.fit(corner_shop.aggregates(), catalog(), policy=None, salt=SALT)


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(1, 300))
def test_one_shopper_more_changes_the_cells_by_at_most_what_is_declared(
    scorer: Scorer, seed: int, n_rows: int
) -> None:
    rng = np.random.default_rng(seed)
    others = [scorer.contribution(f"s{number}", random_shopper(rng, 15)) for number in range(3)]
    more = scorer.contribution("one more", random_shopper(rng, n_rows))

    before, after = Cells.of(others), Cells.of([more, *others])

    for name, influence in INFLUENCE.items():
        change = getattr(after, name) - getattr(before, name)
        assert change.min() >= 0
        assert np.count_nonzero(change) <= influence.l0
        assert change.sum() <= influence.l1
        assert np.linalg.norm(change) <= influence.l2
        assert change.max() <= influence.linf
    assert (after.bought <= after.candidates).all()
    halves = columns_of(np.flatnonzero(after.shoppers - before.shoppers))[0]
    assert set(halves.tolist()) <= {half_of("one more", salt=SALT)}, "one half and no other"


def test_a_shopper_is_in_one_half_by_a_salt_of_its_own() -> None:
    ids = [f"s{number}" for number in range(2000)]
    halves = np.array([half_of(shopper_id, salt=SALT) for shopper_id in ids])
    for other in (Holdout(share=0.5, salt=SALT), Holdout(share=0.5, salt=f"{SALT}|scored")):
        chosen = np.array([other.contains(shopper_id) for shopper_id in ids])
        for half in (0, 1):
            # 500 of 2,000, with 4.5 standard deviations.
            assert abs(np.count_nonzero(chosen & (halves == half)) - 500) < 87
    assert [half_of(shopper_id, salt=SALT) for shopper_id in reversed(ids)] == halves[::-1].tolist()


def test_a_shopper_adds_the_same_whoever_else_is_there(scorer: Scorer) -> None:
    rows = random_shopper(np.random.default_rng(4), 60)

    first = scorer.contribution("s", rows)
    scorer.contribution("t", random_shopper(np.random.default_rng(5), 60))
    again = scorer.contribution("s", rows)

    assert first.cells.tolist() == again.cells.tolist()
    assert first.bought.tolist() == again.bought.tolist()
    assert first.candidates.sum() > 10


def test_the_situation_is_the_one_the_graph_is_told(scorer: Scorer) -> None:
    source = random_shopper(np.random.default_rng(6), 300, strangers=True)
    asked = questions(
        "s",
        source,
        record(source, scorer.rules),
        scorer.ranker.catalog.index_of,
        n_items=scorer.ranker.catalog.n_items,
        salt=SALT,
    )
    unknown_only = [question for question in asked if scorer.situation(question) == 0]

    for question in asked:
        told = graph_inputs(
            question.history,
            scorer.ranker.catalog,
            question.candidates,
            now=question.now,
            in_visit=question.in_visit,
        )
        assert scorer.situation(question) == told.situation[0]
    assert {scorer.situation(question) for question in asked} >= {1, 2}
    assert all(question.history for question in unknown_only)


def test_histories_are_what_the_policy_lets_a_device_keep() -> None:
    data = policy_data()
    data["purpose"] = [purpose_data(retention="P30D", kinds=["purchase"])]
    scorer = Scorer.fit(corner_shop.aggregates(), catalog(), policy=policy(data), salt=SALT)
    gin = shopped(corner_shop.GIN, days=0)

    def situations(*source: SourceEvent) -> set[int]:
        asked = questions(
            "s",
            source,
            record(source, scorer.rules),
            scorer.ranker.catalog.index_of,
            n_items=scorer.ranker.catalog.n_items,
            salt=SALT,
        )
        return {scorer.situation(question) for question in asked}

    bread = corner_shop.BREAD
    assert situations(shopped(bread, days=0), shopped(bread, days=29)) == {1}
    assert situations(shopped(bread, days=0), shopped(bread, days=31)) == {0}, "forgotten"
    assert situations(shopped(bread, days=0, kind="view"), shopped(bread, days=9)) == {0}
    assert situations(gin, shopped(bread, days=9)) == {0}, "spirits are sensitive"
