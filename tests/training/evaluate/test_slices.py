"""Slices: every trial in one range of histories, every target in one band of popularity."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.results import Results, results
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.slices import BANDS, BUCKETS, band_of, bucket_of
from shelfrank_training.evaluate.tally import K_MAX, SCOPES, Tally
from support.measuring import CUTOFF, UNIVERSE, Fixed, shopper, wants

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank.types import Event

NEXT = Settings(cutoff=CUTOFF, protocol="next")
FUTURE = Settings(cutoff=CUTOFF)


def measure(
    settings: Settings, shoppers: list[tuple[list[int], list[int]]], *, fewest: int = 1
) -> Results:
    tally = Tally(
        UNIVERSE,
        {
            "model": wants(1, 59),
            "popularity": Popularity(UNIVERSE),
            "frequency": PersonalFrequency(UNIVERSE),
        },
    )
    collect(tally, [shopper(*days) for days in shoppers], keep_all(), settings)
    rng = np.random.default_rng(0)
    return results(tally, settings.protocol, rng=rng, n_resamples=100, fewest=fewest)


@given(st.integers(0, 10_000))
def test_every_history_is_in_the_one_range_that_holds_its_length(n_items: int) -> None:
    bucket = BUCKETS[bucket_of(np.array([n_items]))[0]]

    assert bucket.low <= n_items
    assert bucket.high is None or n_items <= bucket.high


def test_ranges_follow_each_other_without_a_gap_and_are_named_by_their_ends() -> None:
    assert [bucket.name for bucket in BUCKETS][:2] == ["0", "1-2"]
    assert BUCKETS[-1].name == "101+"
    for lower, upper in pairwise(BUCKETS):
        assert upper.low == (lower.high or 0) + 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_a_band_begins_where_the_more_popular_hold_a_third_of_all_weight(
    weights: list[int],
) -> None:
    falling = sorted(weights, reverse=True)

    bands = band_of(np.array(falling, dtype=np.float64))

    assert bands[0] == 0
    assert (np.diff(bands) >= 0).all()
    for at, band in enumerate(bands):
        before = sum(falling[:at])
        assert 3 * before >= int(band) * sum(falling)
        if band < len(BANDS) - 1 and sum(falling):
            assert 3 * before < (int(band) + 1) * sum(falling)


@pytest.mark.parametrize("settings", [FUTURE, NEXT], ids=["future", "next"])
def test_slices_hold_every_trial_or_target_once_and_add_up_to_the_whole(
    settings: Settings,
) -> None:
    shoppers = [(list(range(at % 8)) or [0], [at, at + 20, 59 - at]) for at in range(20)]

    found = measure(settings, shoppers)

    for scope in SCOPES:
        by_history = found.slices["history"][scope]
        by_popularity = found.slices["popularity"][scope]
        assert sum(one.trials for one in by_history) == found.trials[scope]
        assert sum(one.targets for one in by_history) == found.targets[scope]
        assert sum(one.targets for one in by_popularity) == found.targets[scope]
        assert len(by_history) > 1
        for model, figures in found.metrics.items():
            for name in ("recall@20", "ndcg@20"):
                whole = sum(one.trials * one.metrics[model][name].value for one in by_history)
                assert whole / found.trials[scope] == pytest.approx(figures[scope][name].value)


def test_ranges_with_few_shoppers_are_joined_to_their_neighbours() -> None:
    # Shoppers by items in the history: 5 with 1, 2 with 4, 4 with 8, 1 with 20.
    sizes = [1] * 5 + [4] * 2 + [8] * 4 + [20]
    shoppers = [(list(range(size)), [59]) for size in sizes]

    def ranges(fewest: int) -> list[tuple[str, int]]:
        found = measure(FUTURE, shoppers, fewest=fewest)
        return [(one.name, one.shoppers) for one in found.slices["history"]["all"]]

    assert ranges(1) == [("1-2", 5), ("3-5", 2), ("6-10", 4), ("11-30", 1)]
    assert ranges(3) == [("1-2", 5), ("3-30", 7)]
    assert ranges(5) == [("1-2", 5), ("3-30", 7)]
    assert ranges(8) == [("1-30", 12)]
    assert ranges(100) == [("1-30", 12)]


def test_with_one_target_a_trial_the_bands_too_add_up_to_the_whole() -> None:
    found = measure(NEXT, [([at], [1, 59, 30, at]) for at in range(12)])

    bands = found.slices["popularity"]["all"]
    assert [band.name for band in bands] == ["head", "middle", "tail"]
    for name in ("recall@20", "ndcg@20", "mrr@20"):
        whole = sum(band.trials * band.metrics["model"][name].value for band in bands)
        assert whole / found.trials["all"] == pytest.approx(
            found.metrics["model"]["all"][name].value
        )


def test_a_band_asks_only_for_its_own_targets() -> None:
    # Two targets: the second item, which the model puts first, and the last, which it puts second.
    found = measure(FUTURE, [([5], [1, 59])])

    head, tail = found.slices["popularity"]["all"]
    assert (head.name, head.targets, tail.name, tail.targets) == ("head", 1, "tail", 1)
    assert head.metrics["model"]["ndcg@20"].value == 1
    assert tail.metrics["model"]["ndcg@20"].value == pytest.approx(1 / np.log2(3))
    assert head.metrics["popularity"]["recall@20"].value == 1
    assert tail.metrics["popularity"]["recall@20"].value == 0


def test_the_length_of_a_history_counts_distinct_items_that_compete() -> None:
    found = measure(FUTURE, [([5, 5, 5, 6], [1])])

    assert [one.name for one in found.slices["history"]["all"]] == ["1-2"]


def test_differences_in_a_slice_are_those_of_its_own_figures() -> None:
    found = measure(NEXT, [([at], [1, at, 59]) for at in range(15)])

    for one in found.slices["popularity"]["all"]:
        for other in ("popularity", "frequency"):
            difference = one.paired[other]["ndcg@20"]
            values = [one.metrics[model]["ndcg@20"].value for model in ("model", other)]
            assert difference.value == pytest.approx(values[0] - values[1])
            assert difference.low <= difference.value <= difference.high


def test_no_interval_ends_beyond_what_its_figure_can_be() -> None:
    # Three shoppers whose three lists of twenty share no item: together they show all sixty.
    def own_third(history: Sequence[Event]) -> npt.NDArray[np.float64]:
        third = UNIVERSE.index[history[0].item_id] // K_MAX
        return (np.arange(UNIVERSE.n_items) // K_MAX == third).astype(np.float64)

    tally = Tally(UNIVERSE, {"thirds": Fixed(own_third), "popularity": Popularity(UNIVERSE)})
    collect(tally, [shopper([at], [59]) for at in (0, 20, 40)], keep_all(), FUTURE)

    found = results(tally, "future", rng=np.random.default_rng(0), n_resamples=100)

    coverage = found.metrics["thirds"]["all"]["coverage@20"]
    assert (coverage.value, coverage.high) == (1, 1)
    assert 0 <= coverage.low < 1
    assert found.paired["popularity"]["all"]["coverage@20"].high <= 1


def test_recall_by_k_never_falls_and_ends_at_recall_at_20() -> None:
    found = measure(NEXT, [([at], [1, at, 59]) for at in range(15)])

    for model, scopes in found.recall_by_k.items():
        values = [of.value for of in scopes["all"]]
        assert values == sorted(values)
        assert values[-1] == found.metrics[model]["all"]["recall@20"].value
