"""The hold-out is a hash: the same shoppers on every machine, in Python and in a query."""

from __future__ import annotations

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank_training.events import Holdout, open_engine

SHOPPERS = [f"shopper {number} ü|" for number in range(2000)]


def test_the_query_and_the_function_choose_the_same_shoppers() -> None:
    with open_engine() as engine:
        table = ibis.memtable(pa.table({"shopper_id": SHOPPERS}))
        for share in (0.0, 0.2, 0.999, 1e-3):
            holdout = Holdout(share=share, salt="ü")

            matched = table.filter(holdout.matches(table.shopper_id))
            chosen = engine.to_pyarrow(matched)["shopper_id"].to_pylist()

            assert set(chosen) == {s for s in SHOPPERS if holdout.contains(s)}


def test_the_choice_does_not_change_between_versions() -> None:
    chosen = [number for number in range(40) if Holdout(share=0.2).contains(str(number))]

    assert chosen == [2, 12, 20, 22, 26]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.text())
def test_a_larger_share_only_adds_shoppers(one: float, other: float, shopper: str) -> None:
    small, large = sorted((one, other))

    assert Holdout(share=small).contains(shopper) <= Holdout(share=large).contains(shopper)


def test_the_share_is_met_and_the_salt_changes_who_is_chosen() -> None:
    first = {s for s in SHOPPERS if Holdout(share=0.2, salt="a").contains(s)}
    second = {s for s in SHOPPERS if Holdout(share=0.2, salt="b").contains(s)}

    assert 340 < len(first) < 460  # 400 ± 3.4 standard deviations
    assert len(first & second) < 150


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_share_that_means_nothing_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="hold-out share"):
        Holdout(share=share)
