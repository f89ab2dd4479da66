"""What a model takes, and which pairs stay when it must be small."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from shelfrank_training.export.graph import convert
from shelfrank_training.models.blend import Blend
from shelfrank_training.models.choice import (
    FEWEST,
    LONGEST_ROW,
    everything,
    fewest_bytes,
    within,
)
from shelfrank_training.models.counts import PairCounts
from shelfrank_training.models.parts import Affinity, Category, Next, Popularity, Repeat
from shelfrank_training.models.size import GRAPH_BYTES, most_bytes, part_bytes
from support.dense_shop import dense_counts, dense_rows

if TYPE_CHECKING:
    from shelfrank_training.models.counts import Counts
    from shelfrank_training.models.tables import PairTable

N_ITEMS, N_CATEGORIES = 300, 12
TABLES = ((1, "in_visit_"), (1, "at_start_"), (2, "table_"), (3, "table_"))


def counts_of(n_items: int, n_categories: int, pairs_each: int = 30) -> Counts:
    rng = np.random.default_rng(4)
    return dense_counts(dense_rows(n_items, n_categories, rng=rng), pairs_each=pairs_each, rng=rng)


@cache
def shop() -> Counts:
    return counts_of(N_ITEMS, N_CATEGORIES)


@cache
def full() -> Blend:
    return everything(Blend()).fit(shop())


def table(blend: Blend, part: int, name: str) -> PairTable:
    found: PairTable = getattr(blend.parts_[part], name)
    return found


def pairs(blend: Blend) -> set[tuple[int, str, int, int]]:
    found: set[tuple[int, str, int, int]] = set()
    for part, name in TABLES:
        of = table(blend, part, name)
        both = zip(of.source.tolist(), of.target.tolist(), strict=True)
        found |= {(part, name, source, target) for source, target in both}
    return found


def takes(blend: Blend) -> int:
    return sum(part_bytes(part) for part in blend.parts_)


def quick() -> Blend:
    """Return the shipped parts with regressions so small that they take no time."""
    return Blend(parts=(Popularity(), Next(), Affinity(neighbours=2), Category(), Repeat()))


BUDGETS = (9_000, 20_000, 40_000, 60_000)


# --- What is kept ---


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_model_uses_its_room_and_no_more(budget: int) -> None:
    took = takes(within(full(), budget=budget))

    # A scale of fewer than 256 levels is the only thing that is not known beforehand.
    assert budget - 4 * 1024 - 4 <= took <= budget


def test_what_a_smaller_model_keeps_a_larger_one_keeps_too() -> None:
    kept = [pairs(within(full(), budget=budget)) for budget in (48_000, 54_000, 60_000)]

    for smaller, larger in pairwise(kept):
        assert smaller < larger
    assert kept[-1] < pairs(full())


def test_the_strongest_pairs_of_a_source_stay() -> None:
    some = within(full(), budget=50_000)

    for part, name in TABLES:
        before, after = table(full(), part, name), table(some, part, name)
        ends = np.cumsum(before.length)
        for source in range(0, before.length.size, 37):
            start = int(ends[source]) - int(before.length[source])
            n_kept = int(after.length[source])
            kept = after.target[after.source == source]
            assert kept.tolist() == before.target[start : start + n_kept].tolist()


def test_every_source_keeps_a_few_before_any_gets_more() -> None:
    enough = within(full(), budget=fewest_bytes(full()))

    lengths = np.stack([table(enough, *of).length for of in TABLES[:3]]).sum(axis=0)
    assert lengths.min() == FEWEST
    assert takes(enough) <= fewest_bytes(full())


def test_a_pair_that_was_left_out_says_less_than_one_of_its_table_that_stayed() -> None:
    some = within(full(), budget=60_000)

    kept_tables = [of for of in TABLES[:3] if table(some, *of).target.size]
    assert len(kept_tables) > 1
    for of in kept_tables:
        before, after = table(full(), *of), table(some, *of)
        lengths = before.length.astype(np.int64)
        place = np.arange(before.target.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        n_kept = after.length.astype(np.int64)[before.source]
        says = np.abs(before.number)
        # A row that is longer than what every source keeps was not kept for that reason.
        weakest = says[(place < n_kept) & (n_kept > FEWEST)].min()
        assert says[place >= n_kept].max() <= weakest


def test_where_there_is_room_a_limit_changes_nothing() -> None:
    assert pairs(within(full(), budget=1_000_000)) == pairs(Blend().fit(shop()))


def test_no_row_is_longer_than_a_byte_can_count() -> None:
    few = counts_of(400, 0, pairs_each=40)
    others = few.pairs.source != 0
    popular = PairCounts(
        source=np.concatenate([few.pairs.source[others], np.zeros(300, dtype=np.int64)]),
        target=np.concatenate([few.pairs.target[others], np.arange(1, 301)]),
        shoppers=np.concatenate([few.pairs.shoppers[others], np.full(300, 1e5)]),
        weight=np.concatenate([few.pairs.weight[others], np.full(300, 1e5)]),
    )
    parts = (Popularity(), Affinity())

    some = within(everything(Blend(parts=parts)).fit(replace(few, pairs=popular)), budget=20_000)

    length = table(some, 1, "table_").length
    assert (length.dtype, int(length.max())) == (np.uint8, LONGEST_ROW)


def test_a_table_that_says_less_than_others_could_in_its_room_is_left_out_whole() -> None:
    def with_start(weight: float) -> Blend:
        parts = (Popularity(), Next(start_weight=weight), Affinity())
        return within(everything(Blend(parts=parts)).fit(shop()), budget=40_000)

    whole, some = with_start(10.0), with_start(1e-4)

    assert table(whole, 1, "at_start_").target.size > 0
    assert table(some, 1, "at_start_").stored_bytes == 0
    assert table(some, 2, "table_").target.size > table(whole, 2, "table_").target.size


@pytest.mark.parametrize("start_weight", [1e-3, 1e3], ids=["soft", "loud"])
def test_no_situation_is_given_up_for_a_louder_one(start_weight: float) -> None:
    parts = (Popularity(), Next(start_weight=start_weight), Affinity(weight=1e-6))
    shops = everything(Blend(parts=parts)).fit(shop())

    some = within(shops, budget=20_000)

    assert table(some, 1, "in_visit_").target.size > N_ITEMS
    assert table(some, 1, "at_start_").target.size > N_ITEMS


def test_no_room_at_all_keeps_no_pair() -> None:
    assert pairs(within(full(), budget=0)) == set()


def test_choosing_changes_nothing_in_the_model_chosen_from() -> None:
    before = pairs(full())

    within(full(), budget=20_000)

    assert pairs(full()) == before
    assert table(full(), 1, "in_visit_").value.dtype == np.float32


# --- What a model takes ---


@pytest.mark.parametrize(
    ("n_items", "n_categories"),
    [(200, 0), (300, 12), (2_000, 300), (70_000, 30)],
    ids=["no-categories", "small", "wide-categories", "three-bytes"],
)
def test_a_graph_takes_what_its_numbers_take_and_a_little(n_items: int, n_categories: int) -> None:
    blend = quick().fit(counts_of(n_items, n_categories, pairs_each=6))

    model = convert(blend)

    over = len(model) - takes(blend)
    assert 0 < over <= GRAPH_BYTES
    constants = onnx.load_from_string(model).graph.initializer
    assert sum(len(of.raw_data) for of in constants) - takes(blend) in range(1_500)


@pytest.mark.parametrize(
    ("n_items", "n_categories"),
    [(300, 12), (2_000, 300), (70_000, 30)],
    ids=["small", "wide-categories", "three-bytes"],
)
def test_a_model_is_bounded_by_a_function_of_what_it_holds(n_items: int, n_categories: int) -> None:
    blend = quick().fit(counts_of(n_items, n_categories, pairs_each=6))
    stored = [table(blend, *of).target.size for of in TABLES]

    most = most_bytes(
        n_items=n_items,
        n_categories=n_categories,
        n_pairs=sum(stored[:3]),
        n_category_pairs=stored[3],
    )

    assert most - 32 * 1024 <= len(convert(blend)) <= most


def test_a_model_by_the_time_of_day_is_bounded_too_and_every_daypart_is_a_byte_a_row() -> None:
    counts = counts_of(2_000, 30, pairs_each=6)
    rng = np.random.default_rng(1)
    plain, by_daypart = (
        quick().fit(replace(counts, dayparts=dayparts))
        for dayparts in (None, rng.integers(20, 400, (2_000, 4)).astype(np.float64))
    )
    stored = [table(plain, *of).target.size for of in TABLES]

    def most(*, has_dayparts: bool) -> int:
        return most_bytes(
            n_items=2_000,
            n_categories=30,
            n_pairs=sum(stored[:3]),
            n_category_pairs=stored[3],
            has_dayparts=has_dayparts,
        )

    assert 4 * 2_031 < takes(by_daypart) - takes(plain) <= 4 * 2_031 + 1024
    assert len(convert(by_daypart)) > most(has_dayparts=True) - 32 * 1024
    assert len(convert(by_daypart)) <= most(has_dayparts=True)
    grown = len(convert(by_daypart)) - len(convert(plain))
    assert grown - (takes(by_daypart) - takes(plain)) in range(2_000)
