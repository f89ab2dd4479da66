"""The edge cases of consent, one by one; privacy.md lists which test holds which.

Those that other tests hold already are named there and not repeated here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank import Device, Dropped, Stored, keys
from shelfrank.consent.engine import Consent
from shelfrank.consent.limits import preset_on_device
from shelfrank.consent.presets import combine, load_preset, strictest
from shelfrank.consent.rules import Status
from shelfrank.consent.signals import Signals
from shelfrank.consent.store import FileChoiceStore, FileJournalStore, MemoryChoiceStore
from shelfrank.consent.subject import Subject
from shelfrank.errors import ConsentError, GuardianMissingError, UnknownPurposeError
from shelfrank.types import RANK_PURPOSE
from support import corner_shop
from support.corner_shop import MILK, TEA
from support.home import Home, days_pass, grant, outcome
from support.home import policy as shop_policy
from support.publisher import NOW
from support.shopper import (
    START,
    AesSealer,
    RefusingDisk,
    SetClock,
    adult,
    policy,
    policy_data,
    purpose_data,
)

if TYPE_CHECKING:
    from types import FrameType

    from shelfrank.consent.permission import Circumstances
    from shelfrank.consent.policy import Policy
    from shelfrank.ranking.page import Page

RANK, OFFERS = "rank_products", "sort_offers"
# The laws as they were when somebody last looked; the shop's clock stands in 2017.
ON = date(2026, 11, 21)
SILENT = load_preset("eu_gdpr", on=ON)
HONOURING = load_preset("us_co", on=ON)

POLICY = policy()


class Shopper:
    """A device with its choices and its journal on a disk; `open` starts a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.sealer = AesSealer()
        self.erased: list[str] = []
        self.consent = self.open()

    def open(self, under: Policy | None = POLICY, about: Circumstances | None = None) -> Consent:
        self.consent = Consent(
            under,
            FileChoiceStore(self.folder / "choices", self.sealer),
            self.clock,
            self.erased.append,
            circumstances=about or adult(SILENT),
            journal=FileJournalStore(self.folder / "journal", self.sealer),
        )
        self.consent.keep_house()
        return self.consent

    def say_yes(self, purpose: str = RANK, **how: object) -> None:
        shown = self.consent.notice(purpose, language="nl")
        self.consent.grant(purpose, shown=shown, **how)

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.consent.journal()]


@pytest.fixture
def shopper(tmp_path: Path) -> Shopper:
    return Shopper(tmp_path / "profile")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home whose device knows one purchase."""
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        assert device.record("purchase", TEA) == Stored()
    return home


# --- Withdrawing while ranking ---


class Interleaving:
    """Withdraws from another thread at the n-th call of a function while `rank` runs."""

    def __init__(self, device: Device, at: int) -> None:
        self._device = device
        self._at = at
        self._thread = threading.Thread(target=lambda: device.consent.withdraw(RANK_PURPOSE))
        self.calls = 0
        self.done_in_time = False

    def rank(self) -> Page:
        sys.setprofile(self._look)
        try:
            return self._device.rank()
        finally:
            sys.setprofile(None)
            if self._thread.ident is not None:
                self._thread.join(timeout=20)

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        # Inside consent a lock is held nearly always, and the withdrawal would come afterwards.
        where = frame.f_code.co_filename
        if event != "call" or "shelfrank" not in where or "consent" in where:
            return
        self.calls += 1
        if self.calls == self._at:
            sys.setprofile(None)
            self._thread.start()
            # Where ranking holds a lock, the withdrawal has to wait and comes after it.
            self._thread.join(timeout=0.1)
            self.done_in_time = not self._thread.is_alive()


def test_a_withdrawal_at_any_moment_of_a_ranking_is_obeyed() -> None:
    rng = np.random.default_rng(20171201)
    with Device.open(
        None,
        bundle=corner_shop.bundle_bytes(policy=shop_policy()),
        trust=corner_shop.TRUST,
        clock=SetClock(NOW),
    ) as device:
        grant(device)
        device.record("purchase", TEA)
        counting = Interleaving(device, at=-1)
        assert counting.rank().mode == "personal"
        obeyed = 0
        # A thousand of them were run once; these many find the guard removed.
        for at in rng.integers(1, counting.calls + 1, size=40):
            act = Interleaving(device, int(at))
            page = act.rank()
            if act.done_in_time:
                obeyed += 1
                assert page.mode == "generic"
                assert all(not item.contributions() for item in page[:2])
            grant(device)
            device.record("purchase", TEA)
    assert obeyed >= 5  # How many come in time depends on the machine.


# --- Policies that change ---

WIDER: dict[str, dict[str, object]] = {
    "kinds": {"kinds": ["view", "purchase", "like", "cart"]},
    "retention": {"retention": "P181D"},
    "granularity": {"granularity": "minute"},
    "surfaces": {"surfaces": ["products", "navigation", "offers"]},
    "contexts": {"contexts": ["kiosk", "shop"]},
    "use": {"use_case": "price setting"},
}


def wider(name: str) -> Policy:
    data = policy_data()
    head, purposes = data["policy"], data["purpose"]
    assert isinstance(head, dict)
    assert isinstance(purposes, list)
    head["version"] = 4
    if name == "contexts":
        head["contexts"] = ["kiosk", "shop"]
        purposes[1]["contexts"] = ["shop"]
    purposes[0] |= WIDER[name]
    return policy(data)


@pytest.mark.parametrize("name", WIDER)
def test_a_material_change_stops_use_and_is_told_in_words_and_others_are_untouched(
    shopper: Shopper, name: str
) -> None:
    shopper.say_yes()
    shopper.say_yes(OFFERS)

    consent = shopper.open(wider(name))

    assert consent.status(RANK) is Status.INVALIDATED
    assert consent.given() == {OFFERS}
    assert consent.to_forget() == frozenset()
    said = {language: consent.pending(language=language) for language in ("de", "nl", "en")}
    assert [[item.purpose for item in items] for items in said.values()] == [[RANK]] * 3
    assert len({items[0].text for items in said.values()}) == 3
    assert said["en"][0].reason == "changed"
    assert consent.overview(language="en")[0].changed in said["en"][0].text
    assert shopper.kinds()[-2:] == ["policy_changed", "invalidated"]


def test_a_narrowing_change_keeps_the_yes_and_the_journal_notes_the_new_policy(
    shopper: Shopper,
) -> None:
    shopper.say_yes()
    data = policy_data()
    data["policy"]["version"] = 4  # type: ignore[index]

    consent = shopper.open(policy(data, retention="P30D"))
    shopper.open(policy(data, retention="P30D"))

    assert consent.given() == {RANK}
    assert consent.pending(language="nl") == ()
    assert shopper.kinds() == ["asked", "granted", "policy_changed"]


def test_an_older_policy_counts_as_none_and_erases_nothing(shopper: Shopper) -> None:
    data = policy_data()
    data["policy"]["version"] = 4  # type: ignore[index]
    shopper.open(policy(data))
    shopper.say_yes()

    older = shopper.open(policy())

    assert older.given() == frozenset()
    assert older.why_not(RANK) == older.why_nothing() == "policy_older"
    assert older.to_forget() == frozenset()
    with pytest.raises(UnknownPurposeError, match="version 3 of the policy is older"):
        older.notice(RANK, language="de")
    assert shopper.kinds()[-1] == "policy_refused"
    assert older.withdraw(RANK).durable
    assert shopper.open(policy(data)).status(RANK) is Status.WITHDRAWN


def test_an_older_policy_of_the_app_makes_the_ranking_generic(home: Home) -> None:
    home.bundle = corner_shop.bundle_bytes(version=2)
    newer = shop_policy(asked={"version": 9})
    with home.open(policy=newer) as device:
        assert device.rank().mode == "personal"
    with home.open(policy=shop_policy()) as device:
        assert outcome(device.rank()) == ("generic", "policy_older", "popular")
        assert device.record("purchase", MILK) == Dropped("policy_older")
    with home.open(policy=newer) as device:
        assert device.rank().mode == "personal"


def test_the_receipt_of_a_purpose_the_policy_dropped_is_kept(shopper: Shopper) -> None:
    shopper.say_yes()
    data = policy_data()
    data["purpose"] = [purpose_data(id="other")]

    consent = shopper.open(policy(data))

    assert consent.to_forget() == {RANK}
    assert [receipt.purpose for receipt in consent.receipts()] == [RANK]
    assert {line.purpose for line in consent.overview(language="de")} == {"other", RANK}


# --- Time ---


@pytest.mark.parametrize(
    "granted_at",
    [
        datetime(2024, 2, 29, 12, tzinfo=UTC),
        datetime(2017, 3, 26, 0, 59, 59, tzinfo=UTC),
        datetime(2017, 10, 29, 3, 0, tzinfo=timezone(timedelta(hours=2))),
    ],
    ids=["a leap day", "before summer time", "in another zone"],
)
def test_a_yes_ends_to_the_second_in_any_zone(shopper: Shopper, granted_at: datetime) -> None:
    shopper.clock.time = granted_at
    shopper.open()
    shopper.say_yes()
    end = granted_at + timedelta(days=365)
    days = iter(range(1, 365, 7))
    for day in days:
        shopper.clock.time = granted_at + timedelta(days=day)
        shopper.consent.effective_now()

    shopper.clock.time = (end - timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-9)))
    assert shopper.consent.given() == {RANK}
    shopper.clock.time = end
    assert shopper.consent.given() == frozenset()


def test_a_clock_set_back_is_noted_and_changes_nothing(shopper: Shopper) -> None:
    shopper.say_yes()
    shopper.clock.turn(days=20)
    shopper.open()
    shopper.clock.turn(days=-400)

    consent = shopper.open()
    consent.effective_now()

    assert consent.effective_now() == (START + timedelta(days=20)).replace(microsecond=0)
    assert shopper.kinds().count("clock_suspicious") == 1


def test_a_clock_that_jumps_far_ahead_is_generic_and_erases_nothing_until_it_is_confirmed(
    home: Home,
) -> None:
    home.clock.turn(days=200)
    with home.open() as device:
        assert outcome(device.rank()) == ("generic", "clock", "popular")
        assert device.record("purchase", MILK) == Dropped("clock")
        assert len(device._history.events(RANK_PURPOSE)) == 1
        assert device.consent.pending(language="nl") == ()
        assert device.consent.journal()[-1].kind == "clock_suspicious"

    with home.open() as device:
        assert device._history.events(RANK_PURPOSE) == ()
        assert device.record("purchase", MILK) == Stored()
        assert device.rank().mode == "personal"
        assert "clock_confirmed" in [entry.kind for entry in device.consent.journal()]


def test_a_jump_that_was_a_mistake_destroys_nothing_and_prolongs_nothing(home: Home) -> None:
    home.clock.turn(days=100)
    home.confirm_the_clock()
    home.clock.turn(days=-100)

    for _ in range(3):
        with home.open() as device:
            assert outcome(device.rank()) == ("generic", "clock", "popular")
            assert len(device._history.events(RANK_PURPOSE)) == 1
    with home.open() as device:
        grant(device)  # Whoever answers now is here now.
        assert device.record("view", MILK) == Stored()
        assert device.rank().mode == "personal"


def test_a_signed_bundle_confirms_a_long_absence(home: Home) -> None:
    home.clock.turn(days=200)
    home.bundle = corner_shop.bundle_bytes(
        policy=shop_policy(), version=2, issued_at=home.clock.now() - timedelta(days=3)
    )

    with home.open() as device:
        assert device.rank().mode_reason == "no_history"
        assert device._history.events(RANK_PURPOSE) == ()
        assert device.record("purchase", MILK) == Stored()


def test_a_month_away_is_no_jump(home: Home) -> None:
    home.clock.turn(days=30)

    with home.open() as device:
        assert device.rank().mode == "personal"


def test_a_kiosk_that_boots_in_1970_takes_the_bundles_time() -> None:
    clock = SetClock(datetime(1970, 1, 1, tzinfo=UTC))
    with Device.open(
        None,
        bundle=corner_shop.bundle_bytes(policy=shop_policy()),
        trust=corner_shop.TRUST,
        clock=clock,
    ) as device:
        assert device.bundle is not None
        assert device.consent.effective_now() == device.bundle.manifest.issued_at
        grant(device)
        assert device.consent.given() == {RANK_PURPOSE}
        clock.turn(hours=1)
        assert device.consent.given() == {RANK_PURPOSE}


def test_a_device_nobody_used_for_two_years_asks_anew_where_the_law_wants_that(
    shopper: Shopper,
) -> None:
    long = policy(validity="P9Y")
    law, lenient = adult(HONOURING), adult(replace(HONOURING, refresh_after_days=None))
    shopper.open(long, law)
    shopper.say_yes()
    shopper.clock.turn(days=731)

    # The first session after a long absence is in doubt about the time.
    assert shopper.open(long, lenient).why_not(RANK) == "clock"
    assert shopper.open(long, lenient).given() == {RANK}
    shopper.clock.turn(days=731)
    for _ in range(3):
        assert shopper.open(long, law).status(RANK) is Status.EXPIRED
    assert shopper.open(long, lenient).status(RANK) is Status.EXPIRED


# --- Purposes ---


@pytest.mark.parametrize(("rank", "offers"), list(product([False, True], repeat=2)))
def test_each_purpose_permits_only_itself(tmp_path: Path, rank: bool, offers: bool) -> None:
    home = Home(tmp_path)
    with home.open() as device:
        given = {RANK: rank, OFFERS: offers}
        for purpose in (name for name, yes in given.items() if yes):
            grant(device, purpose)
        device.record("purchase", TEA)
        device.record("view", MILK)

        kept = {name: len(device._history.events(name)) for name in given}
        assert kept == {RANK: 2 * rank, OFFERS: 1 * offers}
        assert (device.rank().mode == "personal") is rank


def test_withdrawing_all_ends_and_erases_every_purpose(shopper: Shopper) -> None:
    shopper.say_yes()
    shopper.say_yes(OFFERS)

    done = shopper.consent.withdraw_all()

    assert (done.durable, done.erased) == (True, True)
    assert [receipt.purpose for receipt in done.receipts] == [RANK, OFFERS]
    assert sorted(shopper.erased) == [RANK, OFFERS]
    assert shopper.open().given() == frozenset()
    assert not any(name.startswith("grant_") for name in dir(Consent))


def test_withdrawing_all_before_any_choice_writes_nothing(shopper: Shopper) -> None:
    assert shopper.consent.withdraw_all().receipts == ()
    assert not shopper.folder.exists()


# --- Pause ---


def test_a_pause_keeps_what_there_is_unused_and_takes_nothing_more(home: Home) -> None:
    with home.open() as device:
        assert device.consent.pause(RANK_PURPOSE)
    with home.open() as device:
        assert device.consent.status(RANK_PURPOSE) is Status.GIVEN
        assert outcome(device.rank()) == ("generic", "paused", "popular")
        assert device.record("purchase", MILK) == Dropped("paused")
        assert len(device._history.events(RANK_PURPOSE)) == 1
        device.consent.resume(RANK_PURPOSE)
        assert device.rank().mode == "personal"
    with home.open() as device:
        assert device.rank().mode == "personal"
        kinds = [entry.kind for entry in device.consent.journal()]
    assert [kind for kind in kinds if kind != "used"][-2:] == ["paused", "resumed"]


def test_a_pause_prolongs_nothing_and_a_withdrawal_ends_it(shopper: Shopper) -> None:
    shopper.say_yes()
    shopper.consent.pause(RANK)
    generation = shopper.consent.generation
    shopper.consent.pause(RANK)
    assert shopper.consent.generation == generation

    shopper.consent.withdraw(RANK)
    shopper.consent.resume(RANK)

    assert shopper.consent.status(RANK) is Status.WITHDRAWN
    shopper.say_yes()
    assert shopper.consent.given() == {RANK}


# --- This visit only ---


def test_a_yes_for_this_visit_leaves_no_trace_on_the_disk(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.open() as device:
        shown = device.consent.notice(RANK_PURPOSE, language="nl")
        receipt = device.consent.grant(RANK_PURPOSE, shown=shown, session=True)
        assert (receipt.visit_only, receipt.until) == (True, None)
        assert device.record("purchase", TEA) == Stored()
        assert device.rank().mode == "personal"
        assert TEA in device.rank()[0].contributions()
        assert home.files() == {}
    assert home.files() == {}
    with home.open() as device:
        assert device.consent.status(RANK_PURPOSE) is Status.UNKNOWN
        assert device.rank().mode_reason == "no_consent"


def over_by_a_new_visit(device: Device, _: Home) -> None:
    device.new_visit()


def over_by_half_an_hour(_: Device, home: Home) -> None:
    home.clock.turn(minutes=30)


def over_by_withdrawing(device: Device, _: Home) -> None:
    assert device.consent.withdraw(RANK_PURPOSE).receipt is not None


@pytest.mark.parametrize("end", [over_by_a_new_visit, over_by_half_an_hour, over_by_withdrawing])
def test_a_yes_for_this_visit_ends_with_it(tmp_path: Path, end) -> None:
    home = Home(tmp_path)
    with home.open() as device:
        shown = device.consent.notice(RANK_PURPOSE, language="nl")
        device.consent.grant(RANK_PURPOSE, shown=shown, session=True)
        device.record("purchase", TEA)
        home.clock.turn(minutes=29)
        assert device.rank().mode == "personal"

        end(device, home)

        assert device.rank().mode_reason == "no_consent"
        assert device.record("purchase", TEA) == Dropped("no_consent")
        shown = device.consent.notice(RANK_PURPOSE, language="nl")
        device.consent.grant(RANK_PURPOSE, shown=shown, session=True)
        assert device.rank().mode_reason == "no_history"
        assert device.record("purchase", MILK) == Stored()
        assert list(device.rank()[0].contributions()) == [MILK]
        grant(device)
        assert device.rank().mode_reason == "no_history"


# --- Age ---


@pytest.mark.parametrize("age", ["child", "teen", 12, 17])
def test_somebody_too_young_cannot_say_yes_alone(shopper: Shopper, age) -> None:
    consent = shopper.open(about=adult(SILENT, age=age))
    shown = consent.notice(RANK, language="de")

    with pytest.raises(GuardianMissingError) as caught:
        consent.grant(RANK, shown=shown)

    assert caught.value.minor_age == 18
    assert not (shopper.folder / "choices").exists()
    receipt = consent.grant(RANK, shown=shown, guardian="receipt-of-the-mother-4711")
    assert receipt.guardian == "receipt-of-the-mother-4711"
    assert shopper.open(about=adult(SILENT, age=age)).given() == {RANK}
    assert shopper.open(about=adult(SILENT, age=age)).withdraw(RANK).durable


def test_an_unknown_age_is_not_adult_for_what_serves_the_shop(shopper: Shopper) -> None:
    consent = shopper.open(about=adult(SILENT, age="unknown"))

    consent.grant(RANK, shown=consent.notice(RANK, language="de"))
    with pytest.raises(GuardianMissingError):
        consent.grant(OFFERS, shown=consent.notice(OFFERS, language="de"))

    assert consent.given() == {RANK}


def test_a_grown_ups_yes_does_not_count_for_a_teenager_and_comes_back_for_the_grown_up(
    home: Home,
) -> None:
    with home.open(subject=Subject(age="teen")) as device:
        assert outcome(device.rank()) == ("generic", "minor", "popular")
        assert device.record("purchase", MILK) == Dropped("minor")
    with home.open() as device:
        assert device.rank().mode == "personal"


def test_a_profile_that_becomes_a_childs_is_erased(home: Home) -> None:
    with home.open(subject=Subject(age="child")) as device:
        assert device.consent.status(RANK_PURPOSE) is Status.UNKNOWN
        assert home.files() == {}
        shown = device.consent.notice(RANK_PURPOSE, language="nl")
        device.consent.grant(RANK_PURPOSE, shown=shown, guardian="mother")
        device.record("purchase", MILK)
    with home.open(subject=Subject(age="child")) as device:
        assert MILK in device.rank()[0].contributions()


# --- Signals ---


def test_global_privacy_control_ends_advertising_and_not_the_ranking_on_the_device(
    shopper: Shopper,
) -> None:
    shopper.say_yes()
    shopper.say_yes(OFFERS)

    shopper.consent.signal(Signals(gpc=True))

    assert shopper.consent.given() == {RANK}
    assert shopper.consent.status(OFFERS) is Status.INVALIDATED
    assert shopper.consent.gpc == "applied"
    shopper.consent.signal(Signals(gpc=True))
    shopper.consent.signal(Signals(gpc=False))
    assert shopper.consent.given() == {RANK}
    assert shopper.open().given() == {RANK}
    assert shopper.consent.gpc == "none"
    assert shopper.kinds().count("signal_changed") == 2
    shopper.say_yes(OFFERS)
    assert shopper.consent.given() == {RANK, OFFERS}


def test_the_signal_holds_before_anything_is_written(shopper: Shopper) -> None:
    shopper.say_yes(OFFERS)
    store = FileChoiceStore(shopper.folder / "choices", shopper.sealer)

    about = adult(SILENT, gpc=True)
    consent = Consent(POLICY, store, shopper.clock, shopper.erased.append, circumstances=about)

    assert consent.given() == frozenset()
    assert consent.why_not(OFFERS) == consent.why_nothing() == "gpc"
    assert "Global Privacy Control" in consent.overview(language="nl")[1].text


def test_a_yes_for_this_visit_does_not_outlive_the_signal(shopper: Shopper) -> None:
    shopper.say_yes(RANK, session=True)
    shopper.say_yes(OFFERS, session=True)

    shopper.consent.signal(Signals(gpc=True))
    shopper.consent.signal(Signals(gpc=False))

    assert shopper.consent.given() == {RANK}


def test_who_was_told_of_the_signal_can_override_it_where_the_law_is_silent(
    shopper: Shopper,
) -> None:
    before = shopper.consent.notice(OFFERS, language="en")
    shopper.consent.signal(Signals(gpc=True))

    with pytest.raises(ConsentError, match="Global Privacy Control"):
        shopper.consent.grant(OFFERS, shown=before)
    shown = shopper.consent.notice(OFFERS, language="en")
    assert "Global Privacy Control" in shown.detail
    assert shown.hash != before.hash
    shopper.consent.grant(OFFERS, shown=shown)

    assert shopper.consent.given() == {OFFERS}
    assert shopper.consent.gpc == "overridden"
    assert shopper.open(about=adult(SILENT, gpc=True)).given() == {OFFERS}
    assert shopper.open(about=adult(HONOURING, gpc=True)).given() == frozenset()


def test_where_the_law_says_to_honour_it_nobody_overrides_it(shopper: Shopper) -> None:
    consent = shopper.open(about=adult(HONOURING, gpc=True))

    with pytest.raises(ConsentError, match="Global Privacy Control"):
        consent.grant(OFFERS, shown=consent.notice(OFFERS, language="en"))

    assert consent.pending(language="en") == ()


@pytest.mark.parametrize(
    ("headers", "on"),
    [
        ({"Sec-GPC": "1"}, True),
        ({"sec-gpc": "1"}, True),
        ({"Sec-GPC": "0"}, False),
        ({"Sec-GPC": "true"}, False),
        ({"Sec-GPC": " 1"}, False),
        ({"Sec-GPC": "1", "sec-gpc": "0"}, False),
        ({"DNT": "1"}, False),
        ({}, False),
    ],
)
def test_the_signal_is_read_as_the_specification_says(headers: dict[str, str], on: bool) -> None:
    assert Signals.from_headers(headers).gpc is on


# --- Asking again ---


def test_after_a_no_nobody_asks_for_as_long_as_policy_and_law_say(shopper: Shopper) -> None:
    shopper.consent.refuse(RANK)
    assert str(shopper.consent.notice(RANK, language="nl"))

    for day in range(1, 365, 15):
        shopper.clock.time = START + timedelta(days=day)
        assert shopper.open().pending(language="nl") == ()
    shopper.clock.time = START + timedelta(days=364)
    assert shopper.open().pending(language="nl") == ()
    shopper.clock.time = START + timedelta(days=366)
    assert [item.reason for item in shopper.open().pending(language="nl")] == ["again"]
    shopper.say_yes()
    assert shopper.consent.given() == {RANK}


def test_a_session_asks_one_thing_only_and_never_what_was_never_asked(shopper: Shopper) -> None:
    assert shopper.consent.pending(language="en") == ()
    shopper.say_yes()
    shopper.say_yes(OFFERS)
    for day in range(15, 341, 15):
        shopper.clock.time = START + timedelta(days=day)
        shopper.open()
    shopper.clock.time = START + timedelta(days=340)
    consent = shopper.open()

    (item,) = consent.pending(language="en")
    assert (item.reason, "2018-12-01" in item.text) == ("renewal", True)
    assert consent.pending(language="en") == (item,)
    shopper.say_yes(item.purpose)
    assert consent.pending(language="en") == ()
    assert shopper.open().pending(language="en") != ()


def lately(shopper: Shopper, days: int, about: Circumstances | None = None) -> Consent:
    """Open every fortnight until `days` after the start, and stay open."""
    for day in (*range(14, days, 14), days):
        shopper.clock.time = START + timedelta(days=day)
        shopper.open(about=about)
    return shopper.consent


@pytest.mark.parametrize(
    "about",
    [
        adult(SILENT, gpc=True),
        adult(SILENT, age="teen"),
        adult(replace(SILENT, reask_days=500)),
    ],
    ids=["the signal is on", "a teenager is here", "the law asks for a longer wait"],
)
def test_what_would_be_asked_is_not_where_nobody_may_ask(
    shopper: Shopper, about: Circumstances
) -> None:
    shopper.consent.refuse(RANK)
    assert len(lately(shopper, 366).pending(language="nl")) == 1

    assert shopper.open(about=about).pending(language="nl") == ()
    assert len(shopper.open().pending(language="nl")) == 1


def test_a_paused_purpose_and_one_the_signal_ended_are_not_asked_about(shopper: Shopper) -> None:
    shopper.say_yes(RANK)
    shopper.say_yes(OFFERS)
    assert len(lately(shopper, 350).pending(language="nl")) == 1
    shopper.consent.pause(RANK)
    shopper.consent.signal(Signals(gpc=True))
    shopper.consent.signal(Signals(gpc=False))

    assert shopper.open().pending(language="nl") == ()
    shopper.consent.resume(RANK)
    assert [item.purpose for item in shopper.consent.pending(language="nl")] == [RANK]


def test_while_the_clock_is_in_doubt_nobody_is_asked(shopper: Shopper) -> None:
    shopper.say_yes()
    shopper.clock.turn(days=350)

    assert shopper.open().pending(language="nl") == ()
    assert [item.reason for item in shopper.open().pending(language="nl")] == ["renewal"]


# --- Disk, key, other processes ---


def test_another_process_sees_a_withdrawal_at_once_and_undoes_nothing(shopper: Shopper) -> None:
    shopper.say_yes()
    other = Shopper(shopper.folder)
    generation = other.consent.generation
    other.say_yes(OFFERS)
    assert shopper.consent.given() == {RANK, OFFERS}

    shopper.consent.withdraw(RANK)

    assert other.consent.given() == {OFFERS}
    assert other.consent.generation > generation
    other.consent.refuse(OFFERS)
    assert shopper.consent.given() == frozenset()
    assert other.open().status(RANK) is Status.WITHDRAWN
    assert other.consent.journal_state == "whole"


@pytest.mark.parametrize("say", ["withdraw", "pause"])
def test_a_no_that_the_disk_refused_outlives_what_another_process_writes(
    shopper: Shopper, say: str
) -> None:
    shopper.say_yes()
    disk = RefusingDisk(FileChoiceStore(shopper.folder / "choices", shopper.sealer))
    here = Consent(POLICY, disk, shopper.clock, lambda _: None, circumstances=adult(SILENT))
    disk.writable = False
    getattr(here, say)(RANK)
    assert not here.durable

    shopper.say_yes(OFFERS)

    assert here.given() == {OFFERS}
    disk.writable = True
    getattr(here, say)(RANK)
    assert here.durable
    assert shopper.consent.given() == {OFFERS}


def test_a_ranking_in_another_process_obeys_too(home: Home) -> None:
    with home.open() as reader, home.open() as writer:
        assert reader.rank().mode == "personal"
        writer.consent.withdraw(RANK_PURPOSE)
        assert outcome(reader.rank()) == ("generic", "no_consent", "popular")
        assert reader.record("purchase", MILK) == Dropped("no_consent")


def test_two_shoppers_on_one_machine_know_nothing_of_each_other(tmp_path: Path) -> None:
    one, two = Home(tmp_path / "one"), Home(tmp_path / "two", key=keys.host(b"another secret" * 3))
    with one.open() as device:
        grant(device)
        device.record("purchase", TEA)
    with two.open() as device:
        assert device.rank().mode_reason == "no_consent"
    for name in ("choices", "journal"):
        two.folder.mkdir(parents=True, exist_ok=True)
        (two.folder / name).write_bytes((one.folder / name).read_bytes())
    with two.open() as device:
        assert not device.consent.readable
        assert device.consent.receipts() == ()
        assert device.rank().mode_reason == "no_consent"


def test_moving_to_another_law_widens_nothing(shopper: Shopper) -> None:
    strict = adult(replace(SILENT, max_validity_days=10))
    shopper.open(about=strict)
    shopper.say_yes()
    shopper.clock.turn(days=10)

    assert shopper.open(about=adult(HONOURING)).status(RANK) is Status.EXPIRED
    both = combine([SILENT, HONOURING])
    assert shopper.open(about=adult(both)).status(RANK) is Status.EXPIRED


def test_a_guest_has_a_journal_and_receipts_that_end_with_the_session() -> None:
    consent = Consent(policy(), MemoryChoiceStore(), SetClock(), lambda _: None)
    consent.grant(RANK, shown=consent.notice(RANK, language="en"))

    assert [entry.kind for entry in consent.journal()] == ["asked", "granted"]
    assert len(consent.receipts()) == 1


def test_a_device_in_use_for_months_keeps_up_with_the_time(home: Home) -> None:
    with home.open() as device:
        for _ in range(40):
            days_pass(device, home.clock, 2)
            device.record("view", MILK)
    with home.open() as device:
        assert device.rank().mode == "personal"


def test_while_another_process_writes_a_yes_waits_and_a_no_does_not(
    shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    shopper.say_yes()
    monkeypatch.setattr("shelfrank.consent.slots._LOCK_TRIES", 2)
    with (shopper.folder / "choices").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        with pytest.raises(ConsentError, match="another process is writing"):
            shopper.say_yes(OFFERS)
        assert shopper.consent.given() == {RANK}
        assert shopper.consent.withdraw(RANK).durable

    shopper.say_yes(OFFERS)
    assert shopper.open().given() == {OFFERS}


def test_what_app_and_policy_name_holds_together() -> None:
    data = policy_data()
    data["policy"]["preset"] = ["us_me"]  # type: ignore[index]
    maine, unknown = policy(data), policy()

    assert preset_on_device(None, maine, on=ON).ids == ("us_me",)
    assert preset_on_device("us_co", maine, on=ON).ids == ("us_co", "us_me")
    assert preset_on_device(["us_co", "us_ut"], unknown, on=ON).ids == ("us_co", "us_ut")
    assert preset_on_device(SILENT, unknown, on=ON) == SILENT
    for asked, under in ((None, unknown), (None, None), ("unknown", maine), ([], unknown)):
        assert preset_on_device(asked, under, on=ON) == strictest(on=ON)


def test_a_device_opened_under_a_law_is_held_to_it(home: Home) -> None:
    with home.open(preset=HONOURING, signals=Signals(gpc=True)) as device:
        assert device.consent.preset.ids == ("us_co",)
        assert device.consent.gpc == "applied"
        with pytest.raises(ConsentError, match="Global Privacy Control"):
            grant(device, OFFERS)
        assert device.rank().mode == "personal"


KILLED = """
import os, signal
from pathlib import Path
from shelfrank import testing
device = testing.granted_device()
device.record("view", "espresso-machine")
assert device.rank().mode == "personal"
print("here", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills the POSIX way")
def test_a_guests_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", KILLED],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(str(Path(place).absolute()) for place in sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("here\n", -signal.SIGKILL)
    assert list(tmp_path.rglob("*")) == []
