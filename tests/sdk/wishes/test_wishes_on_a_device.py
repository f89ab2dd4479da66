"""What the shopper says outright is kept, seen, corrected, and obeyed by the very next ranking."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from shelfrank import Dropped, Stored
from shelfrank.ranking.ranker import PREFERENCE, PREFERENCE_BONUS
from shelfrank.types import LANGUAGES, RANK_PURPOSE, Candidate, ItemId
from shelfrank.wishes.wishes import MAX_WISHES, Wishes
from support import corner_shop
from support.corner_shop import BREAD, MILK, TEA
from support.home import Home, grant, order_of
from support.shopper import policy_data, purpose_data, to_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shelfrank import Device
    from shelfrank.types import Language

DRINKS = "Drinks/Hot"
CANARY = "canary-4711-geheim"


def bundle(*fields: str) -> bytes:
    data = policy_data()
    purpose = purpose_data()
    kept = purpose["field"]
    assert isinstance(kept, list)
    declared = [{"name": name, "origin": "declared", "necessity": "optional"} for name in fields]
    data["purpose"] = [
        {**purpose, "kinds": ["view", "purchase", "like", "dislike"], "field": [*kept, *declared]}
    ]
    return corner_shop.bundle_bytes(policy=to_toml(data))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, bundle_bytes=bundle("brand", "category"))


@pytest.fixture
def device(home: Home) -> Iterator[Device]:
    with home.open() as opened:
        yield opened


def kept(device: Device) -> list[str]:
    return [event.item_id for event in device.history.events()]


def test_a_wish_needs_a_yes_and_a_purpose_that_lists_it(device: Device, tmp_path: Path) -> None:
    assert device.prefer("category", DRINKS) == Dropped("no_consent")
    grant(device)
    assert device.prefer("category", DRINKS) == Stored()
    assert device.prefer("category", "spirits/gin") == Dropped("sensitive")
    assert device.wishes.now().categories == {"drinks/hot"}

    with Home(tmp_path / "other", bundle_bytes=bundle("brand")).open() as other:
        grant(other)
        assert other.prefer("category", DRINKS) == Dropped("field")


def test_what_is_preferred_lifts_its_items_by_a_part_of_its_own(device: Device) -> None:
    grant(device)
    before = {item.item_id: item for item in device.rank(k=99)}

    device.prefer("category", "Drinks")

    after = {item.item_id: item for item in device.rank(k=99)}
    assert after[TEA].score == pytest.approx(before[TEA].score + PREFERENCE_BONUS, abs=1e-5)
    assert after[BREAD].score == pytest.approx(before[BREAD].score, abs=1e-5)
    for item in after.values():
        assert sum(item.parts.values()) == pytest.approx(item.score, abs=1e-5)
    assert after[TEA].parts[PREFERENCE] == pytest.approx(PREFERENCE_BONUS)


def test_a_wish_is_a_reason_told_in_words_and_hidden_from_bystanders(device: Device) -> None:
    grant(device)
    device.prefer("category", "Drinks")

    first = device.rank([TEA, BREAD])[0]

    assert first.item_id == TEA
    assert first.why("en") == "You asked for more of this."
    assert first.why("de", audience="bystander") == "Nach Ihren Vorlieben in diesem Laden."


def test_a_candidate_the_bundle_lacks_is_preferred_by_what_the_app_says_of_it(
    device: Device,
) -> None:
    grant(device)
    device.prefer("brand", "Acme")
    asked = [
        Candidate(item_id=ItemId("new-1"), category="Bakery/Bread"),
        Candidate(item_id=ItemId("new-2"), category="Bakery/Bread", brand="ACME "),
    ]

    assert order_of(device.rank(asked)) == ["new-2", "new-1"]


def test_wishes_go_with_the_permission_they_were_kept_under_and_rulings_stay(
    home: Home, device: Device
) -> None:
    grant(device)
    device.prefer("category", "Drinks")
    device.never_use(item_id=MILK)

    device.consent.withdraw(RANK_PURPOSE)

    assert device.wishes.now() == Wishes(never_items=frozenset({ItemId(MILK)}))
    assert MILK not in order_of(device.rank(k=99))
    device.close()
    with home.open() as again:
        assert MILK not in order_of(again.rank(k=99))


def test_what_is_never_to_be_used_is_not_kept_not_used_not_shown_and_erased(
    device: Device,
) -> None:
    grant(device)
    device.record("purchase", TEA)
    device.record("purchase", BREAD)

    assert device.never_use(category="drinks") == 1

    assert kept(device) == [BREAD]
    assert device.record("purchase", TEA) == Dropped("never_use")
    page = device.rank(k=99)
    assert TEA not in order_of(page)
    assert all(TEA not in item.contributions() for item in page)


def test_a_ruling_needs_no_permission_and_holds_after_reopening(home: Home) -> None:
    with home.open() as device:
        device.never_use(category="Drinks")
    with home.open() as device:
        assert TEA not in order_of(device.rank(k=99))
        device.wishes.take_back("never_categories", "Drinks")
        assert TEA in order_of(device.rank(k=99))


@pytest.mark.parametrize(
    ("word", "answer"),
    [("more", Stored()), ("less", Stored()), ("never", Stored()), ("wrong", Stored())],
)
def test_feedback_changes_the_very_next_ranking(device: Device, word: str, answer: Stored) -> None:
    grant(device)
    device.record("purchase", BREAD)
    before = device.rank(k=99)

    assert device.feedback(BREAD, word) == answer  # type: ignore[arg-type] # one of four

    after = device.rank(k=99)
    score = {page: {i.item_id: i.score for i in page} for page in (before, after)}
    if word == "more":
        assert score[after][BREAD] > score[before][BREAD]
    elif word == "less":
        assert score[after][BREAD] < score[before][BREAD]
    elif word == "never":
        assert BREAD not in score[after]
        assert kept(device) == []
    else:
        assert after.mode == "generic"
        assert kept(device) == []


def test_without_permission_more_and_less_are_dropped(device: Device) -> None:
    assert device.feedback(TEA, "more") == Dropped("no_consent")
    with pytest.raises(ValueError, match="wanted one of"):
        device.feedback(TEA, "love")  # type: ignore[arg-type] # the point


def test_what_another_process_was_told_holds_here_at_once(home: Home, device: Device) -> None:
    assert MILK in order_of(device.rank(k=99))
    with home.open() as other:
        other.never_use(item_id=MILK)
    assert MILK not in order_of(device.rank(k=99))

    with home.open() as other:
        other.wishes.take_back("never_items", MILK)
    assert MILK in order_of(device.rank(k=99))


def test_wishes_have_measure_and_messages_do_not_quote_them(device: Device) -> None:
    for wrong in ("", "  ", CANARY * 40, "\udcff" + CANARY):
        with pytest.raises(ValueError, match="512 bytes") as caught:
            device.never_use(category=wrong)
        assert CANARY not in str(caught.value)
    for number in range(MAX_WISHES):
        device.wishes._change(lambda w, n=number: w.with_one("never_items", f"sku-{n}"))
    with pytest.raises(ValueError, match="already"):
        device.never_use(item_id="one too many")
    for call in ({}, {"category": "a", "item_id": "b"}):
        with pytest.raises(ValueError, match="not both"):
            device.never_use(**call)


def test_wishes_are_sealed_and_go_with_everything(home: Home) -> None:
    with home.open() as device:
        device.never_use(item_id=CANARY)
        file = home.folder / "wishes"
        assert CANARY.encode() not in file.read_bytes()
        assert file.stat().st_size == 4096 + 34
        assert CANARY not in repr(device.wishes.now()) + repr(device.wishes)

        device.erase()

        assert not file.exists()
        assert not device.wishes.now()


def test_wishes_that_cannot_be_read_are_said_hide_nothing_and_let_nothing_be_kept(
    home: Home,
) -> None:
    with home.open() as device:
        grant(device)
        device.never_use(item_id=MILK)
    (home.folder / "wishes").write_bytes(b"\x00" * 4130)

    with home.open() as device:
        assert not device.wishes.readable
        assert device.record("view", TEA) == Dropped("never_use")
        assert MILK in order_of(device.rank(k=99))


def test_an_export_holds_what_the_shopper_said(device: Device, tmp_path: Path) -> None:
    grant(device)
    device.prefer("brand", "Acme")
    device.never_use(category="Drinks")
    device.history.export(tmp_path / "mine.zip", language="de")

    with zipfile.ZipFile(tmp_path / "mine.zip") as export:
        said = json.loads(export.read("wishes.json"))
        page = export.read("readme.html").decode()

    assert (said["brands"], said["never_categories"]) == (["acme"], ["drinks"])
    for words in ("Was Sie gesagt haben", "acme", "Nie mehr aus diesen Bereichen", "wishes.json"):
        assert words in page


# How personal.


def test_intensity_lies_between_everybodys_order_and_ones_own(device: Device) -> None:
    grant(device)
    device.record("purchase", BREAD)
    full = {i.item_id: i for i in device.rank(k=99)}
    half_page = device.rank(k=99, intensity=0.5)
    none = {i.item_id: i for i in device.rank(k=99, mode="generic")}

    for item in half_page:
        middle = (full[item.item_id].score + none[item.item_id].score) / 2
        assert item.score == pytest.approx(middle, abs=1e-4)
        assert sum(item.parts.values()) == pytest.approx(item.score, abs=1e-4)
    zero = device.rank(k=99, intensity=0)
    assert (zero.mode, zero.mode_reason) == ("generic", "asked")
    assert order_of(zero) == list(none)


def test_contributions_add_up_at_any_intensity(device: Device) -> None:
    grant(device)
    device.record("purchase", BREAD)
    device.record("view", TEA, visit="new")
    device.new_visit()
    none = {i.item_id: i.score for i in device.rank(k=99, mode="generic")}

    for intensity in (0.25, 1.0):
        for item in device.rank(k=99, intensity=intensity):
            added = sum(item.contributions().values())
            base = item.score - added
            # What nobody's items add: the shop's numbers for this situation, between the two.
            assert abs(base - none[item.item_id]) < 2.5


def test_a_contextual_ranking_uses_the_current_visit_only(home: Home, device: Device) -> None:
    grant(device)
    device.record("purchase", BREAD)
    home.clock.turn(seconds=3600)
    assert device.rank(mode="contextual").mode == "generic"

    device.record("view", TEA)

    page = device.rank(k=99, mode="contextual")
    assert (page.mode, page.rung) == ("personal", "visit")
    assert set(page[0].contributions()) == {TEA}


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "secret"}, {"intensity": 1.1}, {"intensity": -0.1}, {"intensity": float("nan")}],
)
def test_a_ranking_that_makes_no_sense_is_refused(device: Device, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        device.rank(**wrong)  # type: ignore[arg-type] # the point


# What it did, and what decides.


def test_the_benefit_is_told_from_the_newest_purchases_whether_it_helped_or_not(
    home: Home, device: Device
) -> None:
    grant(device)
    assert device.benefit_report().purchases == 0
    assert device.benefit_report().as_text("nl") == "Daarvoor zijn het nog te weinig aankopen."
    for _ in range(7):
        device.record("purchase", BREAD)
        home.clock.turn(days=3)

    report = device.benefit_report(k=1)

    assert report.purchases == 7
    assert 1 <= report.own_place <= report.everybody_place
    assert report.helped is (report.own_place < report.everybody_place)
    assert f"{report.purchases} purchases" in report.as_text("en")
    device.consent.withdraw(RANK_PURPOSE)
    assert device.benefit_report().purchases == 0


def test_the_main_parameters_are_those_of_the_label(device: Device, home: Home) -> None:
    assert device.main_parameters("de")
    assert device.main_parameters("de") != device.main_parameters("nl")
    with home.open(bundle=None, trust=None) as bare:
        assert bare.main_parameters() == ()


@pytest.mark.parametrize("language", ["de", "nl", "en"])
def test_the_overview_says_everything_that_is_held_in_the_shoppers_language(
    home: Home, device: Device, language: Language
) -> None:
    grant(device)
    for item in (TEA, BREAD, BREAD):
        device.record("purchase", item)
    device.prefer("brand", "Acme")
    device.never_use(category="drinks")

    overview = device.overview(language)

    assert overview.kept == {RANK_PURPOSE: 2}
    assert [purpose.purpose for purpose in overview.purposes] == [RANK_PURPOSE]
    for said in ("Title", "2 ", "acme", "drinks", f"{home.clock.time:%Y-%m-%d}"):
        assert said in overview.text
    assert "acme" not in repr(overview)
    texts = {device.overview(other).text for other in LANGUAGES}
    assert len(texts) == 3


def test_the_overview_of_a_history_that_cannot_be_read_says_so(home: Home, device: Device) -> None:
    grant(device)
    device.record("purchase", TEA)
    (home.folder / "history.db").write_bytes(b"no database" * 400)

    overview = device.overview("en")

    assert overview.kept is None
    assert "cannot be read" in overview.text


# Correcting.


def test_an_event_can_be_corrected_and_the_wrong_item_is_gone(home: Home, device: Device) -> None:
    grant(device)
    device.record("purchase", TEA)
    device.record("purchase", MILK, visit="new")
    first, second = device.history.events()

    assert device.history.correct(first.event_id, item_id=BREAD)

    events = device.history.events()
    assert [(e.item_id, e.visit, e.time, e.purposes) for e in events] == [
        (BREAD, first.visit, first.time, first.purposes),
        (MILK, second.visit, second.time, second.purposes),
    ]
    assert list(device.rank(k=1)[0].contributions()) != []
    assert not device.history.correct(first.event_id, item_id=BREAD)
    device.close()
    with home.open() as again:
        assert kept(again) == [BREAD, MILK]
        assert again._history.whole


def test_an_event_is_not_corrected_into_what_may_not_be_kept(device: Device) -> None:
    grant(device)
    device.record("purchase", TEA)
    (event,) = device.history.events()

    with pytest.raises(ValueError, match="catalog"):
        device.history.correct(event.event_id, item_id="unknown")

    assert kept(device) == [TEA]
