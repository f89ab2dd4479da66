"""From shoppers' rows to figures, with models whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from shelfrank.types import Event, ItemId
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity, Scorer
from shelfrank_training.evaluate.evaluation import LeftOut
from shelfrank_training.evaluate.histories import keep_all
from shelfrank_training.evaluate.results import Results, results
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.tally import Tally
from support.measuring import CUTOFF, N_ITEMS, UNIVERSE, Fixed, shopper, wants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank_training.evaluate.histories import SourceEvent


def measure(
    shoppers: Sequence[list[SourceEvent]], scorers: dict[str, Scorer], settings: Settings
) -> tuple[Results, LeftOut]:
    tally = Tally(UNIVERSE, scorers)
    left_out = collect(tally, shoppers, keep_all(), settings)
    rng = np.random.default_rng(0)
    return results(tally, settings.protocol, rng=rng, n_resamples=200), left_out


FUTURE = Settings(cutoff=CUTOFF)
NEXT = Settings(cutoff=CUTOFF, protocol="next")


def test_a_model_that_knows_the_future_gets_everything() -> None:
    found, _ = measure([shopper([1], [30, 31])], {"oracle": wants(30, 31)}, FUTURE)

    for scope in ("all", "new"):
        figures = found.metrics["oracle"][scope]
        assert [figures[name].value for name in ("recall@10", "ndcg@20")] == [1, 1]


def test_all_counts_every_target_and_new_only_those_the_history_does_not_name() -> None:
    # Two places are wasted on items of the history; in `new` they do not stand in the list at all.
    shoppers = [shopper([1, 2], [1, 40]), shopper([3], [3])]

    found, _ = measure(shoppers, {"model": wants(1, 2, 40)}, FUTURE)

    figures = found.metrics["model"]
    assert found.shoppers == {"all": 2, "new": 1}
    assert found.targets == {"all": 3, "new": 1}
    assert figures["all"]["recall@10"].value == 1
    assert figures["all"]["ndcg@10"].value < 1
    assert figures["new"]["ndcg@10"].value == 1


def test_an_item_of_the_universe_that_the_bundle_lacks_stays_a_miss() -> None:
    scores = np.full(N_ITEMS, -np.inf)
    scores[[1, 2]] = 1.0

    found, _ = measure([shopper([1], [2, 50])], {"cut": Fixed(lambda _: scores)}, FUTURE)

    assert found.metrics["cut"]["all"]["recall@20"].value == 0.5
    assert found.metrics["cut"]["all"]["coverage@20"].value == 2 / N_ITEMS


def test_personal_frequency_ranks_by_count_then_by_popularity() -> None:
    ranked = PersonalFrequency(UNIVERSE)(
        [
            Event(kind=kind, item_id=UNIVERSE.item_ids[item], time=CUTOFF, visit=0, order=0)
            for kind, item in (("purchase", 50), ("view", 50), ("purchase", 40), ("dislike", 9))
        ],
        now=CUTOFF,
        in_visit=False,
    )

    assert np.argsort(-ranked, kind="stable")[:4].tolist() == [50, 40, 0, 1]


def test_on_new_items_personal_frequency_is_popularity() -> None:
    shoppers = [shopper([at, at + 1], [at, at + 2, 15]) for at in range(12)]
    scorers: dict[str, Scorer] = {
        "popularity": Popularity(UNIVERSE),
        "personal_frequency": PersonalFrequency(UNIVERSE),
    }

    found, _ = measure(shoppers, scorers, FUTURE)

    assert found.metrics["popularity"]["new"] == found.metrics["personal_frequency"]["new"]
    assert found.metrics["popularity"]["all"] != found.metrics["personal_frequency"]["all"]


def test_differences_are_paired_the_first_model_minus_each_other() -> None:
    shoppers = [shopper([at], [at + 1, 40 + at % 3]) for at in range(20)]
    scorers: dict[str, Scorer] = {
        "model": wants(40, 41, 42),
        "twin": wants(40, 41, 42),
        "popularity": Popularity(UNIVERSE),
    }

    found, _ = measure(shoppers, scorers, FUTURE)

    assert list(found.metrics) == ["model", "twin", "popularity"]
    assert list(found.paired) == ["twin", "popularity"]
    for scope in ("all", "new"):
        twin = found.paired["twin"][scope].values()
        assert {(f.value, f.low, f.high) for f in twin} == {(0.0, 0.0, 0.0)}
        figure = found.paired["popularity"][scope]["recall@10"]
        values = [found.metrics[m][scope]["recall@10"].value for m in ("model", "popularity")]
        assert figure.value == pytest.approx(values[0] - values[1])
        assert figure.low <= figure.value <= figure.high


def test_next_asks_for_each_target_by_itself_and_adds_the_reciprocal_rank() -> None:
    found, _ = measure([shopper([1], [5, 6])], {"model": wants(5, 6)}, NEXT)

    figures = found.metrics["model"]["all"]
    assert found.trials["all"] == 2
    assert figures["recall@10"].value == 1
    assert figures["mrr@20"].value == (1 + 1 / 2) / 2
    assert (
        "mrr@20" not in measure([shopper([1], [5])], {"m": wants(5)}, FUTURE)[0].metrics["m"]["all"]
    )


def test_who_does_not_count_is_told_by_reason() -> None:
    outside = replace(shopper([1], [2])[1], item_id=ItemId("unknown"))
    shoppers = [
        shopper([1], [2]),
        shopper([], [2]),
        shopper([1], []),
        [shopper([1], [])[0], outside],
    ]

    found, left_out = measure(shoppers, {"model": wants(2)}, FUTURE)

    assert found.shoppers["all"] == 1
    assert left_out == LeftOut(
        without_history=1, without_targets=1, targets_outside_only=1, targets_outside=1
    )


def test_a_scope_without_any_target_is_empty_and_not_an_error() -> None:
    found, _ = measure([shopper([1], [1])], {"model": wants(1)}, FUTURE)

    assert found.metrics["model"]["new"] == {}
    assert found.shoppers["new"] == 0


@pytest.mark.parametrize(
    ("scores", "wrong"),
    [(np.zeros(N_ITEMS - 1), "shape"), (np.full(N_ITEMS, np.nan), "not a number")],
)
def test_a_model_that_does_not_answer_for_the_universe_is_refused(
    scores: npt.NDArray[np.float64], wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong):
        measure([shopper([1], [2])], {"model": Fixed(lambda _: scores)}, FUTURE)


def test_the_order_of_the_shoppers_does_not_change_a_value() -> None:
    shoppers = [shopper([at], [at + 1, 40]) for at in range(15)]

    forth, _ = measure(shoppers, {"model": Popularity(UNIVERSE)}, FUTURE)
    back, _ = measure(shoppers[::-1], {"model": Popularity(UNIVERSE)}, FUTURE)

    for scope in ("all", "new"):
        values = [
            [figure.value for figure in found.metrics["model"][scope].values()]
            for found in (forth, back)
        ]
        assert values[0] == pytest.approx(values[1])
