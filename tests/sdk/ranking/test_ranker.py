"""The pure core: the same question gives the same answer, for candidates known and unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.errors import ModelMismatchError
from shelfrank.ranking.inputs import candidate_rows, graph_inputs
from shelfrank.ranking.ranker import DEFAULT_K, Ranker
from shelfrank.types import DAYPARTS, KINDS, Candidate, ItemId
from support import corner_shop
from support.corner_shop import BAG, BREAD, GIN, MILK, ROWS, TEA, event
from support.publisher import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank.ranking.page import RankedItem
    from shelfrank.types import Daypart, Event

HISTORY = (
    event(BREAD, days=20, visit=0),
    event(MILK, days=20, visit=0, order=1),
    event(BREAD, days=8, visit=1),
    event(TEA, days=1, visit=2),
)


@cache
def shop_ranker() -> Ranker:
    return Ranker(corner_shop.verified())


@pytest.fixture
def ranker() -> Ranker:
    return shop_ranker()


def ids(items: Sequence[RankedItem]) -> list[str]:
    return [item.item_id for item in items]


def told(items: Sequence[RankedItem]) -> list[tuple[str, float, dict[str, float]]]:
    return [(item.item_id, item.score, dict(item.parts)) for item in items]


def test_without_candidates_the_whole_catalog_is_ranked_and_k_is_a_page(ranker: Ranker) -> None:
    page = ranker.rank(HISTORY, now=NOW)
    everything = ranker.rank(HISTORY, now=NOW, k=len(ROWS) + 5)

    assert len(page) == DEFAULT_K == 12
    assert sorted(ids(everything)) == sorted(row.item_id for row in ROWS)
    assert told(page) == told(everything[:DEFAULT_K])


def test_the_order_is_that_of_the_reference_scores(ranker: Ranker) -> None:
    rows = np.arange(len(ROWS), dtype=np.int64)
    inputs = graph_inputs(HISTORY, ranker.catalog, rows, now=NOW)
    reference = corner_shop.blend().score_candidates(inputs).score

    ranked = ranker.rank(HISTORY, now=NOW, k=len(ROWS))

    wanted = [ranker.catalog.item_ids[row] for row in np.argsort(-reference, kind="stable")]
    assert ids(ranked) == wanted


def test_every_part_adds_to_the_score(ranker: Ranker) -> None:
    for item in ranker.rank(HISTORY, now=NOW):
        assert item.score == pytest.approx(sum(item.parts.values()), abs=1e-4)
        assert tuple(item.parts) == ranker.part_names


def test_known_unknown_and_categorised_candidates_get_their_rows(ranker: Ranker) -> None:
    catalog = ranker.catalog
    dairy = catalog.categories.index("Dairy")
    unknown = catalog.n_items + len(catalog.categories)
    asked: list[str | Candidate] = [
        ItemId(MILK),
        ItemId("never heard of"),
        Candidate(item_id=ItemId("new-1"), category="Dairy"),
        Candidate(item_id=ItemId("new-2"), category="No such category"),
        Candidate(item_id=ItemId("new-3")),
        Candidate(item_id=ItemId(MILK), category="Household"),
    ]

    rows = candidate_rows(asked, catalog)

    milk = catalog.item_ids.index(ItemId(MILK))
    assert rows.tolist() == [milk, unknown, catalog.n_items + dairy, unknown, unknown, milk]


def test_a_new_item_of_a_category_is_scored_as_that_category_is(ranker: Ranker) -> None:
    new = [
        Candidate(item_id=ItemId("new-dairy"), category="Dairy"),
        Candidate(item_id=ItemId("new-nothing")),
    ]

    dairy, nothing = sorted(
        ranker.rank(HISTORY, new, now=NOW), key=lambda item: ids([item]) != ["new-dairy"]
    )

    assert (dairy.item_id, nothing.item_id) == ("new-dairy", "new-nothing")
    assert dairy.parts["category"] != 0
    assert nothing.parts["category"] == 0
    assert dairy.parts["repeat"] == nothing.parts["repeat"] == 0


def test_a_candidate_named_twice_counts_once(ranker: Ranker) -> None:
    again = Candidate(item_id=ItemId(MILK), category="Household")

    twice = ranker.rank(HISTORY, [MILK, BREAD, MILK, again, "x", "x"], now=NOW)

    assert told(twice) == told(ranker.rank(HISTORY, [MILK, BREAD, "x"], now=NOW))


def test_ties_go_to_the_earlier_candidate(ranker: Ranker) -> None:
    unknown = ["one", "another", "a third"]

    assert ids(ranker.rank((), unknown, now=NOW)) == unknown
    assert ids(ranker.rank((), unknown[::-1], now=NOW)) == unknown[::-1]


def test_ties_of_score_go_to_the_more_popular_item(monkeypatch: pytest.MonkeyPatch) -> None:
    ranker = Ranker(corner_shop.verified())
    run = ranker._session.run

    def level(inputs):  # type: ignore[no-untyped-def] # as the session's
        outputs = run(inputs)
        return replace(outputs, score=np.zeros_like(outputs.score))

    monkeypatch.setattr(ranker._session, "run", level)
    ranked = ranker.rank((), now=NOW, k=len(ROWS))

    popularity = [item.parts["popularity"] for item in ranked]
    assert popularity == sorted(popularity, reverse=True)
    assert ids(ranked) != sorted(ids(ranked))


@pytest.mark.parametrize("k", [1, 2, 13, 14, 15, 10**9])
def test_k_items_come_back_or_as_many_as_there_are(ranker: Ranker, k: int) -> None:
    assert len(ranker.rank(HISTORY, now=NOW, k=k)) == min(k, len(ROWS))


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_misuse(ranker: Ranker, k: int) -> None:
    with pytest.raises(ValueError, match=f"k is {k}, wanted 1 or more"):
        ranker.rank(HISTORY, now=NOW, k=k)


@pytest.mark.parametrize("wrong", [[7], [None], [b"7"], [("7",)]])
def test_candidates_that_are_neither_text_nor_candidate_are_misuse(
    ranker: Ranker, wrong: list[str]
) -> None:
    with pytest.raises(TypeError, match="wanted str or Candidate"):
        ranker.rank(HISTORY, wrong, now=NOW)


def test_one_text_in_place_of_a_list_is_misuse(ranker: Ranker) -> None:
    with pytest.raises(TypeError, match="candidates are one text"):
        ranker.rank(HISTORY, "sku-19", now=NOW)


def test_no_candidates_give_an_empty_ranking(ranker: Ranker) -> None:
    assert ranker.rank(HISTORY, [], now=NOW) == ()


@pytest.mark.parametrize("row", [-1, 14 + 6 + 1])
def test_rows_outside_the_graph_are_misuse(ranker: Ranker, row: int) -> None:
    assert ranker.catalog.n_items + len(ranker.catalog.categories) == 20
    rows = np.array([0, row], dtype=np.int64)

    with pytest.raises(ValueError, match=r"outside 0\.\.20"):
        ranker.scores(HISTORY, now=NOW, candidates=rows)

    assert ranker.scores(HISTORY, now=NOW, candidates=np.array([0, 20])).score.shape == (2,)


def test_events_of_items_the_bundle_lacks_change_nothing(ranker: Ranker) -> None:
    strangers = (event("gone-1", visit=5), event("gone-2", visit=6))

    assert told(ranker.rank((*HISTORY, *strangers), now=NOW)) == told(ranker.rank(HISTORY, now=NOW))


# --- Purity (R4) ---


def test_asking_changes_nothing_whoever_asks_between(ranker: Ranker) -> None:
    others = [HISTORY[:1], (), (event(GIN), event(BAG, kind="dislike"))]
    alone = [told(Ranker(corner_shop.verified()).rank(h, now=NOW)) for h in (HISTORY, *others)]

    first = told(ranker.rank(HISTORY, now=NOW))
    between = [told(ranker.rank(history, now=NOW)) for history in others]
    explained = [item.why() for item in ranker.rank(others[0], now=NOW)]
    again = told(ranker.rank(HISTORY, now=NOW))

    assert first == again == alone[0]
    assert between == alone[1:]
    assert explained


@given(
    seed=st.integers(0, 2**32),
    history=st.lists(
        st.builds(
            lambda item, kind, visit, late: event(
                item, kind=kind, days=30 - 7 * visit - late, visit=visit
            ),
            st.sampled_from([BREAD, MILK, TEA, GIN]),
            st.sampled_from(KINDS),
            st.integers(0, 2),
            st.floats(0, 1),
        ),
        max_size=12,
    ),
)
def test_the_order_in_which_a_history_is_given_means_nothing(
    seed: int, history: list[Event]
) -> None:
    ranker = shop_ranker()
    order = np.random.default_rng(seed).permutation(len(history))

    wanted = ranker.scores(history, now=NOW)
    got = ranker.scores([history[place] for place in order], now=NOW)

    np.testing.assert_allclose(got.parts, wanted.parts, atol=1e-4)


# --- From times and visits to the graph's numbers ---


def test_visits_and_ranks_are_counted_back_from_now(ranker: Ranker) -> None:
    history = (
        event(BREAD, visit=3, order=0, days=2),
        event(MILK, visit=7, order=0, days=0.01),
        event(TEA, visit=7, order=1, days=0.001),
        event(GIN, visit=7, order=1, days=0.001),
    )
    rows = np.array([0], dtype=np.int64)

    inside = graph_inputs(history, ranker.catalog, rows, now=NOW)
    later = graph_inputs(history, ranker.catalog, rows, now=NOW + timedelta(hours=1))

    assert inside.event_visit.tolist() == [1, 0, 0, 0]
    assert inside.event_rank.tolist() == [2, 1, 0, 0]
    assert (inside.situation.tolist(), later.situation.tolist()) == ([2], [1])
    assert later.event_visit.tolist() == [2, 1, 1, 1]
    assert graph_inputs((), ranker.catalog, rows, now=NOW).situation.tolist() == [0]


def test_the_device_may_say_that_the_visit_lasts(ranker: Ranker) -> None:
    rows = np.array([0], dtype=np.int64)

    told_so = graph_inputs(HISTORY, ranker.catalog, rows, now=NOW, in_visit=True)

    assert told_so.event_visit.tolist() == [2, 2, 1, 0]
    assert told_so.situation.tolist() == [2]


def test_an_event_after_now_counts_as_now(ranker: Ranker) -> None:
    inputs = graph_inputs(
        (event(BREAD, days=-3),), ranker.catalog, np.array([0], dtype=np.int64), now=NOW
    )

    assert inputs.event_age_days.tolist() == [0]


# --- Silence ---


def test_no_repr_says_what_a_shopper_took_or_is_shown(ranker: Ranker) -> None:
    ranked = ranker.rank(HISTORY, now=NOW)
    inputs = graph_inputs(HISTORY, ranker.catalog, np.arange(14), now=NOW)

    told = repr([HISTORY, ranked, ranked[0]._explainer, inputs, ranker])

    assert not [row.item_id for row in ROWS if len(row.item_id) > 1 and row.item_id in told]
    assert not [row.title for row in ROWS if row.title and row.title in told]
    assert repr(ranked[0]).startswith("<RankedItem ")
    assert repr(inputs) == "<GraphInputs 4 events, 14 candidates>"


def test_a_failing_graph_names_neither_row_nor_item(ranker: Ranker) -> None:
    inputs = graph_inputs(HISTORY, ranker.catalog, np.array([0]), now=NOW)
    outside = replace(inputs, event_item=np.array([1, 2, 3, 918273], dtype=np.int64))

    with pytest.raises(ModelMismatchError) as caught:
        ranker._session.run(outside)

    assert "918273" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert str(caught.value).startswith("the graph failed")


def test_a_score_that_is_no_number_is_refused(ranker: Ranker) -> None:
    inputs = graph_inputs(HISTORY, ranker.catalog, np.array([0]), now=NOW)
    endless = replace(inputs, event_age_days=np.full(4, np.nan, dtype=np.float32))

    with pytest.raises(ModelMismatchError, match="not finite"):
        ranker._session.run(endless)


# --- The time of day ---


@cache
def daypart_ranker() -> Ranker:
    return Ranker(corner_shop.verified_by_daypart())


@pytest.mark.parametrize("history", [(), HISTORY], ids=["generic", "personal"])
def test_the_order_follows_the_time_of_day_where_the_model_knows_it(
    history: Sequence[Event],
) -> None:
    pages = {
        daypart: daypart_ranker().rank(history, now=NOW, k=len(ROWS), daypart=daypart)
        for daypart in (None, *DAYPARTS)
    }

    def score(item: str, daypart: Daypart | None) -> float:
        return next(found.score for found in pages[daypart] if found.item_id == item)

    assert score(BREAD, "morning") > score(BREAD, None) > score(BREAD, "evening")
    assert score(GIN, "evening") > score(GIN, None) > score(GIN, "morning")
    assert score(BAG, "morning") == score(BAG, None)
    for page in pages.values():
        for found in page:
            assert found.score == pytest.approx(sum(found.parts.values()), abs=1e-4)
    assert told(pages[None]) == told(shop_ranker().rank(history, now=NOW, k=len(ROWS)))


def test_what_a_past_item_contributed_is_the_same_at_every_time_of_day() -> None:
    added = [
        {
            found.item_id: found.contributions()
            for found in daypart_ranker().rank(HISTORY, now=NOW, k=len(ROWS), daypart=daypart)
        }
        for daypart in (None, *DAYPARTS)
    ]

    for contributions in added[1:]:
        for item_id, of_item in contributions.items():
            assert of_item == pytest.approx(added[0][item_id], abs=1e-4)


@pytest.mark.parametrize("daypart", DAYPARTS)
def test_where_the_model_knows_no_dayparts_the_time_of_day_changes_nothing(
    ranker: Ranker, daypart: Daypart
) -> None:
    asked = ranker.rank(HISTORY, now=NOW, daypart=daypart)

    assert told(asked) == told(ranker.rank(HISTORY, now=NOW))


def test_a_daypart_that_is_none_is_a_misuse(ranker: Ranker) -> None:
    with pytest.raises(ValueError, match="daypart is 'noon', wanted one of night, morning"):
        ranker.rank(HISTORY, now=NOW, daypart="noon")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="daypart is 0"):
        ranker.scores(HISTORY, now=NOW, daypart=0)  # type: ignore[arg-type]
