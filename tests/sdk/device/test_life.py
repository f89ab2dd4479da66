"""The life of a device: asked, granted, recorded, ranked, closed, opened, withdrawn, erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shelfrank import Device, Dropped, Stored, keys
from shelfrank.errors import BundleError, UnknownPurposeError
from shelfrank.history.store import History
from shelfrank.ranking.ranker import Ranker
from shelfrank.types import RANK_PURPOSE
from support import corner_shop
from support.corner_shop import BAG, BREAD, GIN, MILK, ROLLS, ROWS, TEA
from support.home import Home, days_pass, grant, order_of, outcome, policy
from support.publisher import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider

OFFERS = "sort_offers"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def generic_order() -> list[str]:
    ranked = Ranker(corner_shop.verified()).rank((), now=NOW)
    return [item.item_id for item in ranked]


def test_before_the_first_choice_nothing_is_on_the_disk(home: Home) -> None:
    with home.open() as device:
        device.consent.notice(RANK_PURPOSE, language="de")
        device.record("purchase", BREAD)
        device.new_visit()
        page = device.rank()
        device.consent.withdraw(RANK_PURPOSE)

    assert outcome(page) == ("generic", "no_consent", "popular")
    assert home.files() == {}
    assert not home.folder.exists()


def test_without_a_grant_nothing_is_kept_and_everyone_sees_the_same(home: Home) -> None:
    with home.open() as device:
        assert device.record("purchase", BREAD) == Dropped("no_consent")
        page = device.rank()

    assert order_of(page) == generic_order()
    assert outcome(page) == ("generic", "no_consent", "popular")


def test_without_a_grant_nothing_is_said_about_an_item(home: Home) -> None:
    with home.open() as device:
        for item in (BREAD, GIN, BAG, "not in the catalog"):
            assert device.record("purchase", item) == Dropped("no_consent")


def test_a_device_that_is_not_opened_closes_its_files(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[History] = []

    def close(history: History) -> None:
        closed.append(history)

    monkeypatch.setattr(History, "close", close)

    with pytest.raises(BundleError):
        home.open(bundle=b"no bundle")

    assert len(closed) == 1


def test_behaviour_is_never_consent(home: Home) -> None:
    with home.open() as device:
        for _ in range(50):
            device.record("purchase", BREAD)
            device.rank()[0].why()
        assert device.consent.given() == frozenset()
        assert device.record("like", BREAD) == Dropped("no_consent")


def test_the_next_ranking_sees_what_was_recorded_and_so_does_the_next_start(home: Home) -> None:
    with home.open() as device:
        grant(device)
        before = device.rank()
        assert device.record("purchase", TEA) == Stored()
        after = device.rank()

    with home.open() as device:
        again = device.rank()

    assert outcome(before) == ("generic", "no_history", "popular")
    assert outcome(after) == ("personal", "consent_given", "visit")
    assert order_of(after) != order_of(before)
    assert list(after[0].contributions()) == [TEA]
    assert (order_of(again), outcome(again)) == (order_of(after), outcome(after))


def test_ranking_changes_nothing(home: Home) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
        first = device.rank()
        kept = home.files()
        second = device.rank()
        second[0].why()
        second[0].contributions()
        third = device.rank()
        assert home.files() == kept

    assert order_of(first) == order_of(second) == order_of(third)
    assert [item.score for item in first] == [item.score for item in third]


def test_after_half_an_hour_or_when_told_a_visit_is_over(home: Home) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
        home.clock.turn(minutes=29)
        assert device.rank().rung == "visit"
        home.clock.turn(minutes=2)
        assert device.rank().rung == "history"
        device.record("purchase", MILK)
        assert device.rank().rung == "visit"
        device.new_visit()
        assert device.rank().rung == "history"
        device.record("view", MILK, visit="new")
        assert device.rank().rung == "visit"


def test_an_event_of_another_time_is_kept_as_coarse_as_the_policy_says(home: Home) -> None:
    with home.open() as device:
        grant(device)
        home.clock.turn(days=2, minutes=7)
        assert device.record("purchase", TEA, time=NOW) == Stored()
        (event,) = device._history.events(RANK_PURPOSE)

    assert event.time == NOW.replace(minute=0)


def test_a_quantity_is_kept_only_where_a_purpose_keeps_it(tmp_path: Path) -> None:
    without = [{"name": name, "origin": "observed"} for name in ("item", "kind", "time", "visit")]
    kept = []
    for name, own in (("with", policy()), ("without", policy(field=without))):
        home = Home(tmp_path / name, bundle_bytes=corner_shop.bundle_bytes())
        with home.open(policy=own) as device:
            grant(device)
            device.record("view", TEA, quantity=3)
            kept.append(device._history.events(RANK_PURPOSE)[0].quantity)

    assert kept == [3.0, 1.0]


def test_a_purpose_reads_only_what_was_recorded_for_it(home: Home) -> None:
    with home.open() as device:
        grant(device, OFFERS)
        assert device.record("view", TEA) == Dropped("kind")
        assert device.record("purchase", TEA) == Stored()
        page = device.rank()

    assert outcome(page) == ("generic", "no_consent", "popular")
    assert order_of(page) == generic_order()


def test_sensitive_and_unmapped_items_are_never_kept(home: Home) -> None:
    with home.open() as device:
        grant(device)
        kept = home.files()
        assert device.record("purchase", GIN) == Dropped("sensitive")
        assert device.record("purchase", BAG) == Dropped("unmapped")
        assert device.record("purchase", "not in the catalog") == Dropped("unmapped")
        assert home.files() == kept
        assert device.rank().mode == "generic"


def test_what_lies_outside_the_retention_is_not_taken(home: Home) -> None:
    with home.open() as device:
        grant(device)
        days_pass(device, home.clock, 181)
        assert device.record("purchase", TEA, time=NOW) == Dropped("too_old")


def test_without_a_bundle_nothing_is_taken_and_the_callers_order_stands(home: Home) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    home.bundle = None

    with home.open(trust=None, policy=policy()) as device:
        assert device.record("purchase", TEA) == Dropped("no_bundle")
        page = device.rank([MILK, BREAD, MILK], k=1)
        assert (order_of(page), outcome(page)) == ([MILK], ("generic", "no_bundle", "caller_order"))
        assert order_of(device.rank()) == []
        assert len(device._history.events(RANK_PURPOSE)) == 1


def test_without_any_policy_ranking_is_generic_and_nothing_is_kept(home: Home) -> None:
    home.bundle = corner_shop.bundle_bytes()
    with home.open() as device:
        assert device.record("purchase", TEA) == Dropped("no_policy")
        page = device.rank()
        with pytest.raises(UnknownPurposeError):
            device.consent.notice(RANK_PURPOSE, language="de")

    assert outcome(page) == ("generic", "no_policy", "popular")
    assert home.files() == {}


def test_a_guest_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path)
    with Device.open(None, bundle=home.bundle, trust=corner_shop.TRUST, clock=home.clock) as device:
        grant(device)
        assert device.record("purchase", TEA) == Stored()
        assert device.rank().mode == "personal"
        assert home.files() == {}
        device.erase()
        assert device.rank().mode == "generic"

    assert home.files() == {}


def memory(_: Path) -> KeyProvider:
    return keys.memory()


def key_file(folder: Path) -> KeyProvider:
    return keys.file(folder / "key")


def host(_: Path) -> KeyProvider:
    return keys.host(bytes(32))


def passphrase(_: Path) -> KeyProvider:
    return keys.passphrase("three words here")


@pytest.mark.parametrize("make", [memory, key_file, host, passphrase])
def test_erasing_leaves_nothing_and_the_device_is_as_new(
    tmp_path: Path, make: Callable[[Path], KeyProvider]
) -> None:
    home = Home(tmp_path, key=make(tmp_path))
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
        device.erase()
        assert home.files() == {}
        assert device.record("purchase", TEA) == Dropped("no_consent")
        assert order_of(device.rank()) == generic_order()
        device.erase()
        grant(device)
        assert device.record("purchase", MILK) == Stored()
        assert device.rank().mode == "personal"
        assert MILK in device.rank()[0].contributions()
        assert TEA not in device.rank()[0].contributions()


def test_a_device_that_nothing_opens_is_erased_from_outside(home: Home) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    for path in home.folder.iterdir():
        path.write_bytes(b"\0" * 40)

    Device.erase_at(home.folder, key=home.key)
    Device.erase_at(home.folder, key=home.key)

    assert home.files() == {}
    with home.open() as device:
        assert outcome(device.rank()) == ("generic", "no_consent", "popular")


def test_closing_twice_is_fine_and_a_closed_device_ranks_generically(home: Home) -> None:
    device = home.open()
    grant(device)
    device.record("purchase", TEA)
    device.close()
    device.close()

    assert outcome(device.rank()) == ("generic", "history_unavailable", "popular")


def test_candidates_of_every_sort_come_back_in_the_same_shape(home: Home) -> None:
    with home.open() as device:
        page = device.rank([ROLLS, "unheard of", ROLLS], k=5)

    assert sorted(order_of(page)) == sorted([ROLLS, "unheard of"])
    assert page[0] is page.items[0]
    assert len(page[:1]) == 1
    assert page[-1].item_id == order_of(page)[1]
    assert len(ROWS) > 5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: d.rank(k=0), ValueError, "k is 0"),
        (lambda d: d.rank([1]), TypeError, "a candidate is int"),
        (lambda d: d.rank("abc"), TypeError, "candidates are one text"),
        (lambda d: d.record("steal", TEA), ValueError, "kind is 'steal'"),
        (lambda d: d.record("view", 7), TypeError, "an item id is text, got int"),
        (lambda d: d.record("view", TEA, time=NOW.replace(tzinfo=None)), ValueError, "aware"),
        (lambda d: d.record("view", TEA, time=NOW.replace(year=2018)), ValueError, "future"),
        (lambda d: d.record("view", TEA, quantity=float("nan")), ValueError, "finite"),
        (lambda d: d.consent.withdraw("unheard of"), UnknownPurposeError, "unheard of"),
    ],
    ids=["k", "candidate", "text", "kind", "item", "naive", "future", "quantity", "purpose"],
)
def test_misuse_is_an_error_that_stores_nothing(
    home: Home, call: Callable[[Device], object], error: type[Exception], message: str
) -> None:
    with home.open() as device:
        grant(device)
        kept = home.files()
        with pytest.raises(error, match=message):
            call(device)
        assert home.files() == kept


def test_misuse_is_an_error_without_consent_and_without_a_bundle_too(tmp_path: Path) -> None:
    with Device.open(None, bundle=None, trust=None) as device:
        for call in (
            lambda: device.rank(k=0),
            lambda: device.rank("abc"),
            lambda: device.record("steal", TEA),  # type: ignore[arg-type]
        ):
            with pytest.raises((ValueError, TypeError)):
                call()
    with pytest.raises(ValueError, match="a folder needs a key"):
        Device.open(tmp_path / "profile", bundle=None, trust=None)
    with pytest.raises(ValueError, match="a bundle needs trust"):
        Device.open(None, bundle=b"x", trust=None)
    assert list(tmp_path.iterdir()) == []


def test_the_machines_clock_is_used_when_no_other_is_given() -> None:
    with Device.open(None, bundle=None, trust=None, policy=policy()) as device:
        assert device.consent.effective_now() > NOW
        assert device.consent.effective_now().utcoffset() is not None
