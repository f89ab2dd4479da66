"""Why an item stands where it stands: true, in three languages, discreet before others (P9)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.ranking.fallback import caller_order
from shelfrank.ranking.inputs import candidate_rows, graph_inputs
from shelfrank.ranking.ranker import Ranker
from shelfrank.ranking.why import sentence
from shelfrank.types import LANGUAGES, Candidate, ItemId, Kind
from support import corner_shop
from support.corner_shop import BAG, BREAD, GIN, MILK, ROLLS, ROWS, TEA, event
from support.publisher import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank.ranking.page import RankedItem
    from shelfrank.types import Event, Language

HISTORY = (
    event(BREAD, days=20, visit=0),
    event(MILK, days=20, visit=0, order=1),
    event(BREAD, days=8, visit=1),
    event(TEA, days=1, visit=2),
)
TITLES = {row.title or row.item_id: row.item_id for row in ROWS}
KINDS: tuple[Kind, ...] = get_args(Kind)


@cache
def shop_ranker() -> Ranker:
    return Ranker(corner_shop.verified())


@pytest.fixture
def ranker() -> Ranker:
    return shop_ranker()


def rank_all(ranker: Ranker, history: Sequence[Event]) -> dict[str, RankedItem]:
    return {item.item_id: item for item in ranker.rank(history, now=NOW, k=len(ROWS))}


def test_what_is_taken_again_and_again_says_so(ranker: Ranker) -> None:
    ranked = rank_all(ranker, HISTORY)

    assert ranked[BREAD].why() == "You come back to this one."
    assert ranked[TEA].why("de") == "Das haben Sie schon einmal angesehen oder gewählt."
    assert ranked[MILK].why("nl") == "Dit bekeek of koos je al eens eerder."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "reason",
    ["popularity", "next", "affinity", "category", "repeat", "repeat_once", "generic", "filler"],
)
def test_every_reason_has_words_in_every_language(reason: str, language: Language) -> None:
    words = sentence(reason, language=language, item="X-17")

    others = [sentence(reason, language=other, item="X-17") for other in LANGUAGES]
    assert len(set(others)) == 3
    assert words.endswith(".")
    assert "{" not in words
    assert ("X-17" in words) == (reason in {"next", "affinity", "category"})


def test_another_language_is_misuse(ranker: Ranker) -> None:
    with pytest.raises(ValueError, match="language is 'fr', wanted one of de, en, nl"):
        rank_all(ranker, HISTORY)[BREAD].why("fr")  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_bystander_never_hears_of_a_past_item(ranker: Ranker, language: Language) -> None:
    ranked = rank_all(ranker, HISTORY)
    owner = {item.why(language) for item in ranked.values()}

    heard = {item.why(language, audience="bystander") for item in ranked.values()}

    assert any(title in words for words in owner for title in TITLES)
    assert not [words for words in heard for title in TITLES if title in words]
    impersonal = {sentence(reason, language=language) for reason in ("popularity", "filler")}
    assert heard - impersonal == {sentence("bystander", language=language)}


def test_without_a_history_nobody_is_told_of_one(ranker: Ranker) -> None:
    ranked = rank_all(ranker, ())

    said = {item.why() for item in ranked.values()}

    assert said == {sentence("popularity", language="en"), sentence("generic", language="en")}
    assert all(not item.contributions() for item in ranked.values())


def test_an_item_below_the_average_is_not_called_popular(ranker: Ranker) -> None:
    ranked = ranker.rank((), now=NOW, k=len(ROWS))
    average = sum(item.parts["popularity"] for item in ranked) / len(ranked)

    for item in ranked:
        popular = item.why() == sentence("popularity", language="en")
        assert popular == (item.parts["popularity"] > average)


def test_a_new_item_alone_is_not_called_popular(ranker: Ranker) -> None:
    (only,) = ranker.rank((), [Candidate(item_id=ItemId("new"))], now=NOW)

    assert only.why() == sentence("generic", language="en")


def test_a_disliked_item_does_not_make_the_others_chosen_before(ranker: Ranker) -> None:
    history = (event(BREAD, kind="dislike"),)

    ranked = {i.item_id: i for i in ranker.rank(history, [BREAD, "sku-23", "new"], now=NOW)}

    assert list(ranked)[-1] == BREAD
    for item in ranked.values():
        assert item.why() not in {
            sentence("repeat", language="en"),
            sentence("repeat_once", language="en"),
        }
        assert "Rye bread" not in item.why()


def test_one_candidate_is_explained_by_what_lifts_it(ranker: Ranker) -> None:
    (only,) = ranker.rank(HISTORY, [BREAD], now=NOW)

    assert only.why() == "You come back to this one."


def test_an_item_without_a_title_is_named_by_its_id(ranker: Ranker) -> None:
    ranked = rank_all(ranker, (event("9", days=1, visit=0),))

    said = [item.why() for item in ranked.values()]

    assert any("“9”" in words for words in said)


def test_on_the_lowest_rung_nothing_is_known() -> None:
    items = caller_order(
        [ItemId("b"), ItemId("a"), ItemId("b"), Candidate(item_id=ItemId("c"))], k=9
    )

    assert [item.item_id for item in items] == ["b", "a", "c"]
    for item in items:
        assert item.why("nl") == sentence("generic", language="nl")
        assert item.why("nl", audience="bystander") == sentence("generic", language="nl")
        assert (item.score, item.parts, item.contributions()) == (0.0, {}, {})
    assert caller_order(None, k=3) == ()
    assert len(caller_order([ItemId("b"), ItemId("a")], k=1)) == 1


def histories() -> st.SearchStrategy[list[Event]]:
    one = st.builds(
        lambda item, kind, visit: event(item, kind=kind, days=30 - 7 * visit, visit=visit),
        st.sampled_from([BREAD, ROLLS, MILK, TEA, GIN, BAG, "9", "sku-20"]),
        st.sampled_from(KINDS),
        st.integers(0, 4),
    )
    return st.lists(one, max_size=8)


@given(history=histories())
def test_contributions_and_the_score_without_history_make_the_score(history: list[Event]) -> None:
    ranker = shop_ranker()
    base = {item.item_id: item.score for item in ranker.rank((), now=NOW, k=len(ROWS))}

    for item in ranker.rank(history, now=NOW, k=len(ROWS)):
        added = item.contributions()
        assert set(added) == {event.item_id for event in history}
        assert base[item.item_id] + sum(added.values()) == pytest.approx(item.score, abs=1e-3)
        assert list(added.values()) == sorted(added.values(), reverse=True)


@pytest.mark.parametrize("audience", ["Bystander", "all", ""])
def test_a_mistyped_audience_is_refused_and_never_taken_for_the_owner(audience: str) -> None:
    item = shop_ranker().rank([], now=NOW, k=1)[0]

    with pytest.raises(ValueError, match="wanted one of owner, bystander"):
        item.why(audience=audience)  # type: ignore[arg-type]


@pytest.mark.parametrize("candidate", ["nobody-knows-it", Candidate(item_id=ItemId("new"))])
def test_an_item_that_nobody_has_counted_is_not_called_popular(candidate: str | Candidate) -> None:
    ranked = shop_ranker().rank([], [candidate, TEA, BAG], now=NOW)

    known = {"nobody-knows-it", "new"}
    (new,) = [item for item in ranked if item.item_id in known]
    assert new.why() == sentence("generic", language="en")


@given(history=histories())
def test_no_reason_says_what_is_not_so(history: list[Event]) -> None:
    ranker = shop_ranker()
    ranked = ranker.rank(history, now=NOW, k=len(ROWS))
    average = sum(item.parts["popularity"] for item in ranked) / len(ranked)
    disliked = {event.item_id for event in history if event.kind == "dislike"}
    visits = {
        event.item_id: {e.visit for e in history if e.item_id == event.item_id} for event in history
    }

    for item in ranked:
        words = item.why()
        if words == sentence("popularity", language="en"):
            assert item.parts["popularity"] > average
        elif words == sentence("repeat", language="en"):
            assert len(visits[item.item_id]) >= 2
            assert item.item_id not in disliked
        elif words == sentence("repeat_once", language="en"):
            assert len(visits[item.item_id]) == 1
            assert item.item_id not in disliked
        elif words == sentence("generic", language="en"):
            assert not history
        elif words == sentence("filler", language="en"):
            assert history
            liked = [v for i, v in item.contributions().items() if i not in disliked]
            assert all(added <= 1e-5 for added in liked)
        else:
            (named,) = [TITLES[title] for title in TITLES if f"“{title}”" in words]
            assert named in visits
            assert named not in disliked
            reason = next(
                part
                for part in ("next", "affinity", "category")
                if words == sentence(part, language="en", item=_title(named))
            )
            assert _added(ranker, history, item.item_id, named, reason) > 0


def _title(item_id: str) -> str:
    return next(title for title, known in TITLES.items() if known == item_id)


def _added(ranker: Ranker, history: list[Event], item_id: str, named: str, part: str) -> float:
    """Return what one past item adds to one part, from the additivity law alone."""
    rows = candidate_rows([item_id], ranker.catalog)
    inputs = graph_inputs(history, ranker.catalog, rows, now=NOW)
    row = ranker.catalog.index_of(ItemId(named))
    column = ranker.part_names.index(part)
    alone = ranker.run(inputs.only(inputs.event_item == row)).parts[0, column]
    nothing = ranker.run(inputs.only(inputs.event_item < 0)).parts[0, column]
    return float(alone - nothing)
