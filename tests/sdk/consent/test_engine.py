"""Consent on a device: only a shown notice and a yes permit; a no always works, at once."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shelfrank.consent.engine import MAX_NOTICES_SHOWN, Consent, Status, Withdrawal
from shelfrank.consent.rules import GRACE
from shelfrank.consent.store import FileChoiceStore, MemoryChoiceStore
from shelfrank.errors import (
    ConsentError,
    HistoryFullError,
    NoticeNotShownError,
    UnknownPurposeError,
)
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
    from pathlib import Path

RANK, OFFERS = "rank_products", "sort_offers"
DONE = Withdrawal(durable=True, erased=True)


class Shopper:
    """A device and the person in front of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = SetClock()
        self.sealer = AesSealer()
        self.erased: list[str] = []
        self.disk = RefusingDisk(FileChoiceStore(path, self.sealer))
        self.consent = self.restart()

    def restart(self, policy_=policy()) -> Consent:  # noqa: B008 - a frozen value
        self.disk = RefusingDisk(FileChoiceStore(self.path, self.sealer))
        self.consent = Consent(
            policy_, self.disk, self.clock, self.erased.append, circumstances=adult()
        )
        return self.consent

    def say_yes(self, purpose: str = RANK) -> None:
        self.consent.grant(purpose, shown=self.consent.notice(purpose, language="nl"))


@pytest.fixture
def shopper(tmp_path: Path) -> Shopper:
    return Shopper(tmp_path / "profile" / "choices")


def test_before_anyone_was_asked_nothing_is_permitted_or_written(shopper):
    shopper.consent.notice(RANK, language="de")
    shopper.consent.keep_house()

    assert shopper.consent.status(RANK) is Status.UNKNOWN
    assert shopper.consent.given() == frozenset()
    assert shopper.consent.withdraw(RANK) == DONE
    assert not shopper.path.parent.exists()


def test_a_yes_to_one_purpose_permits_that_one_and_survives_a_restart(shopper):
    shopper.say_yes()

    for consent in (shopper.consent, shopper.restart()):
        assert consent.given() == {RANK}
        assert consent.status(RANK) is Status.GIVEN
        assert consent.status(OFFERS) is Status.UNKNOWN


def test_withdrawing_is_one_call_and_survives_a_restart(shopper):
    shopper.say_yes()

    assert shopper.consent.withdraw(RANK) == DONE

    assert shopper.erased == [RANK]
    for consent in (shopper.consent, shopper.restart()):
        assert consent.given() == frozenset()
        assert consent.status(RANK) is Status.WITHDRAWN


def test_withdrawing_again_records_nothing_new_but_erases_again(shopper):
    shopper.say_yes()
    shopper.consent.withdraw(RANK)
    generation, writes = shopper.consent.generation, shopper.disk.writes

    assert shopper.consent.withdraw(RANK) == DONE

    assert (shopper.consent.generation, shopper.disk.writes) == (generation, writes)
    assert shopper.erased == [RANK, RANK]


def test_a_refusal_is_kept_and_is_not_a_withdrawal(shopper):
    assert shopper.consent.refuse(RANK) == DONE

    assert shopper.restart().status(RANK) is Status.REFUSED
    shopper.consent.withdraw(RANK)
    assert shopper.consent.status(RANK) is Status.REFUSED


def test_refusing_what_was_given_withdraws_it(shopper):
    shopper.say_yes()

    shopper.consent.refuse(RANK)

    assert shopper.restart().status(RANK) is Status.WITHDRAWN
    assert shopper.erased == [RANK]


def test_every_change_of_a_choice_raises_the_generation_also_over_a_restart(shopper):
    seen = [shopper.consent.generation]
    for act in (shopper.say_yes, lambda: shopper.consent.withdraw(RANK), shopper.say_yes):
        act()
        seen.append(shopper.consent.generation)

    assert seen == sorted(set(seen))
    assert shopper.restart().generation == seen[-1]


class TestNotice:
    """What has to be shown, and what does not count as shown."""

    def test_its_numbers_are_those_that_are_enforced(self, shopper):
        shopper.restart(policy(retention="P90D", validity="P1M"))

        for language in ("de", "nl", "en"):
            notice = shopper.consent.notice(RANK, language=language)
            assert "90" in notice.short
            assert "90" in notice.detail
            assert "30" in notice.detail
            assert "privacy@shop.example" in notice.detail
            assert str(notice).startswith(notice.title)

    def test_its_hash_follows_every_word_and_nothing_else(self, shopper):
        hashes = {
            shopper.restart(p).notice(RANK, language=language).hash
            for p in (policy(), policy(retention="P90D"), policy(kinds=["view"]))
            for language in ("de", "en")
        }

        assert len(hashes) == 6
        again = shopper.restart().notice(RANK, language="de").hash
        assert again == shopper.restart().notice(RANK, language="de").hash
        assert again in hashes

    def test_a_language_without_texts_is_a_mistake(self, shopper):
        with pytest.raises(ValueError, match="'fr'"):
            shopper.consent.notice(RANK, language="fr")

    def test_a_token_does_not_show(self, shopper):
        notice = shopper.consent.notice(RANK, language="de")

        assert notice.token not in repr(notice)
        assert notice.token not in str(notice)

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda notice: replace(notice, short="We keep nothing."),
            lambda notice: replace(notice, detail=""),
            lambda notice: replace(notice, hash="0" * 64),
            lambda notice: replace(notice, language="en"),
            lambda notice: replace(notice, token="0" * 32),
            lambda notice: replace(notice, purpose=OFFERS),
            lambda notice: notice.hash,
            lambda _notice: None,
        ],
        ids=["words", "detail", "hash", "language", "token", "purpose", "a hash only", "nothing"],
    )
    def test_only_what_was_written_here_counts_as_shown(self, shopper, tamper):
        shown = tamper(shopper.consent.notice(RANK, language="de"))

        with pytest.raises(NoticeNotShownError):
            shopper.consent.grant(RANK, shown=shown)

        assert shopper.consent.given() == frozenset()
        assert not shopper.path.exists()

    def test_the_notice_of_one_purpose_grants_no_other(self, shopper):
        shown = shopper.consent.notice(OFFERS, language="de")

        with pytest.raises(NoticeNotShownError, match=r"'sort_offers'.*'rank_products'"):
            shopper.consent.grant(RANK, shown=shown)

    def test_a_notice_from_before_the_restart_was_not_shown(self, shopper):
        shown = shopper.consent.notice(RANK, language="de")

        with pytest.raises(NoticeNotShownError):
            shopper.restart().grant(RANK, shown=shown)

    @pytest.mark.parametrize("leave", ["withdraw", "refuse"])
    def test_after_a_no_an_older_notice_counts_no_longer(self, shopper, leave):
        shown = shopper.consent.notice(RANK, language="de")
        other = shopper.consent.notice(RANK, language="de")
        shopper.consent.grant(RANK, shown=shown)
        getattr(shopper.consent, leave)(RANK)

        for old in (shown, other):
            with pytest.raises(NoticeNotShownError):
                shopper.consent.grant(RANK, shown=old)

        assert shopper.consent.given() == frozenset()

    @pytest.mark.parametrize("leave", ["withdraw", "refuse"])
    def test_nor_does_one_that_was_shown_while_it_was_given(self, shopper, leave):
        shopper.say_yes()
        shown = shopper.consent.notice(RANK, language="de")
        getattr(shopper.consent, leave)(RANK)

        with pytest.raises(NoticeNotShownError):
            shopper.consent.grant(RANK, shown=shown)

    def test_a_double_tap_grants_once(self, shopper):
        shown = shopper.consent.notice(RANK, language="de")

        shopper.consent.grant(RANK, shown=shown)
        shopper.consent.grant(RANK, shown=shown)

        assert (shopper.consent.status(RANK), shopper.disk.writes) == (Status.GIVEN, 1)

    def test_the_double_tap_of_a_grant_that_ran_out_is_none(self, shopper):
        shown = shopper.consent.notice(RANK, language="de")
        shopper.consent.grant(RANK, shown=shown)
        shopper.clock.turn(days=400)

        with pytest.raises(NoticeNotShownError):
            shopper.consent.grant(RANK, shown=shown)

    def test_an_app_that_redraws_without_end_keeps_a_bounded_number(self, shopper):
        first = shopper.consent.notice(RANK, language="de")
        for _ in range(MAX_NOTICES_SHOWN):
            last = shopper.consent.notice(RANK, language="de")

        with pytest.raises(NoticeNotShownError):
            shopper.consent.grant(RANK, shown=first)
        shopper.consent.grant(RANK, shown=last)


class TestUnknownPurposes:
    """A typo must not pass for a choice, and a no must never fail."""

    @pytest.mark.parametrize("call", ["status", "withdraw", "refuse"])
    def test_a_purpose_nobody_declared_is_a_mistake(self, shopper, call):
        with pytest.raises(UnknownPurposeError):
            getattr(shopper.consent, call)("rank_product")

        assert shopper.erased == []

    def test_without_a_policy_nothing_is_permitted_and_withdrawing_works(self, shopper):
        shopper.say_yes()
        broken = shopper.restart(None)

        assert broken.given() == frozenset()
        with pytest.raises(UnknownPurposeError):
            broken.notice(RANK, language="de")
        assert broken.withdraw(RANK) == DONE
        assert shopper.restart().status(RANK) is Status.WITHDRAWN

    def test_a_purpose_the_policy_dropped_is_invalid_and_its_data_must_go(self, shopper):
        shopper.say_yes()
        data = policy_data()
        data["purpose"] = [purpose_data(id="other")]
        consent = shopper.restart(policy(data))

        assert consent.status(RANK) is Status.INVALIDATED
        assert consent.to_forget() == {RANK}
        assert consent.withdraw(RANK) == DONE

    def test_a_no_to_a_purpose_that_only_an_unreadable_record_knows_works(self, shopper):
        shopper.say_yes()
        data = policy_data()
        data["purpose"] = [purpose_data(id="other")]
        shopper.sealer.locked = True

        assert shopper.restart(policy(data)).withdraw(RANK) == DONE

        shopper.sealer.locked = False
        assert shopper.restart().given() == frozenset()


class TestPolicyChanges:
    """Widening ends permission at once, narrowing and rewording do not."""

    def test_a_wider_policy_needs_a_new_yes_and_other_purposes_are_untouched(self, shopper):
        shopper.say_yes()
        shopper.say_yes(OFFERS)

        shopper.restart(policy(retention="P400D"))

        assert shopper.consent.given() == {OFFERS}
        assert shopper.consent.status(RANK) is Status.INVALIDATED
        assert shopper.consent.to_forget() == frozenset()
        shopper.say_yes()
        assert shopper.consent.status(RANK) is Status.GIVEN

    def test_a_narrower_policy_keeps_the_yes(self, shopper):
        shopper.say_yes()

        assert shopper.restart(policy(retention="P30D", kinds=["view"])).given() == {RANK}

    def test_a_new_purpose_was_not_asked_and_old_ones_are_not_asked_again(self, shopper):
        shopper.say_yes()
        data = policy_data()
        data["purpose"] = [purpose_data(), purpose_data(id="brand_new")]
        consent = shopper.restart(policy(data))

        assert consent.status("brand_new") is Status.UNKNOWN
        assert consent.given() == {RANK}


class TestClock:
    """Time ends a yes; a clock set back brings nothing back."""

    def test_a_yes_runs_out_and_can_be_renewed(self, shopper):
        shopper.say_yes()
        shopper.clock.turn(days=365)

        assert shopper.consent.given() == frozenset()
        assert shopper.consent.status(RANK) is Status.EXPIRED
        shopper.say_yes()
        assert shopper.consent.status(RANK) is Status.RENEWED

    def test_a_clock_set_back_prolongs_nothing_in_this_process(self, shopper):
        shopper.say_yes()
        shopper.clock.turn(days=365)
        assert shopper.consent.given() == frozenset()

        shopper.clock.turn(days=-300)

        assert shopper.consent.given() == frozenset()
        assert shopper.consent.effective_now() == START + timedelta(days=365)

    def test_nor_after_a_restart_once_the_mark_was_put_on_the_disk(self, shopper):
        shopper.say_yes()
        shopper.clock.turn(days=400)
        shopper.restart().keep_house()

        shopper.clock.turn(days=-400)

        assert shopper.restart().given() == frozenset()

    def test_nor_when_another_part_knows_better(self, shopper):
        shopper.say_yes()
        shopper.consent.not_before(START + timedelta(days=365))

        assert shopper.consent.given() == frozenset()

    def test_the_mark_moves_by_days_and_only_after_a_choice(self, shopper):
        shopper.clock.turn(days=2)
        shopper.consent.keep_house()
        assert not shopper.path.exists()
        shopper.say_yes()

        shopper.clock.turn(hours=23)
        shopper.consent.keep_house()
        assert shopper.disk.writes == 1
        shopper.clock.turn(hours=1)
        shopper.consent.keep_house()
        assert shopper.disk.writes == 2

    def test_a_clock_before_the_last_choice_is_not_believed(self, shopper):
        shopper.say_yes()
        shopper.clock.time = datetime(1970, 1, 2, tzinfo=UTC)

        consent = shopper.restart()

        assert consent.given() == {RANK}
        assert consent.effective_now() == START.replace(microsecond=0)

    def test_a_clock_without_a_zone_is_a_mistake(self, shopper):
        shopper.clock.time = datetime(2017, 12, 1)  # noqa: DTZ001

        with pytest.raises(ValueError, match="aware"):
            shopper.consent.given()

    def test_data_of_what_ran_out_goes_after_the_grace(self, shopper):
        shopper.say_yes()
        shopper.clock.turn(days=365)
        assert shopper.consent.to_forget() == frozenset()

        shopper.clock.time += GRACE
        shopper.restart().keep_house()

        # The clock jumped, and one session is not enough to destroy anything.
        assert shopper.consent.to_forget() == frozenset()
        assert shopper.restart().to_forget() == {RANK}


class TestTrouble:
    """Disk, key and damage: a yes needs all three in order, a no needs none."""

    def test_a_yes_the_disk_refuses_is_none(self, shopper):
        shown = shopper.consent.notice(RANK, language="de")
        shopper.disk.writable = False

        with pytest.raises(ConsentError, match="nothing changed"):
            shopper.consent.grant(RANK, shown=shown)

        assert shopper.consent.given() == frozenset()
        assert shopper.consent.generation == 0
        shopper.disk.writable = True
        shopper.consent.grant(RANK, shown=shown)  # The same notice serves the second try.
        assert shopper.consent.given() == {RANK}

    def test_a_no_on_a_read_only_disk_holds_here_and_says_that_it_is_not_kept(self, shopper):
        shopper.say_yes()
        shopper.disk.writable = False

        assert shopper.consent.withdraw(RANK) == Withdrawal(durable=False, erased=True)

        assert shopper.consent.given() == frozenset()
        assert not shopper.consent.durable

    def test_and_repeating_it_later_keeps_it(self, shopper):
        shopper.say_yes()
        shopper.disk.writable = False
        shopper.consent.withdraw(RANK)
        shopper.disk.writable = True

        assert shopper.consent.withdraw(RANK) == DONE

        assert shopper.consent.durable
        assert shopper.restart().status(RANK) is Status.WITHDRAWN

    def test_or_the_next_choice_keeps_it_too(self, shopper):
        shopper.say_yes()
        shopper.disk.writable = False
        shopper.consent.withdraw(RANK)
        shopper.disk.writable = True

        shopper.say_yes(OFFERS)

        assert shopper.restart().given() == {OFFERS}

    def test_a_no_without_a_key_makes_all_choices_void(self, shopper):
        shopper.say_yes()
        shopper.say_yes(OFFERS)
        shopper.sealer.locked = True

        assert shopper.consent.withdraw(RANK).durable

        assert shopper.consent.given() == {OFFERS}
        assert not shopper.consent.durable
        shopper.sealer.locked = False
        assert shopper.restart().given() == frozenset()

    def test_a_no_with_a_locked_keyring_holds_when_it_is_opened_again(self, shopper):
        shopper.say_yes()
        shopper.sealer.locked = True
        consent = shopper.restart()
        assert not consent.readable

        assert consent.withdraw(RANK) == DONE

        assert shopper.erased == [RANK]
        shopper.sealer.locked = False
        assert shopper.restart().given() == frozenset()

    def test_a_locked_keyring_permits_nothing_and_overwrites_nothing(self, shopper):
        shopper.say_yes()
        before = shopper.path.read_bytes()
        shopper.sealer.locked = True
        consent = shopper.restart()

        assert consent.given() == frozenset()
        assert consent.status(RANK) is Status.UNKNOWN
        with pytest.raises(ConsentError, match="cannot be read"):
            shopper.say_yes()
        consent.keep_house()
        assert shopper.path.read_bytes() == before
        shopper.sealer.locked = False
        assert shopper.restart().given() == {RANK}

    def test_a_damaged_record_permits_nothing_until_the_shopper_starts_afresh(self, shopper):
        shopper.say_yes()
        shopper.path.write_bytes(os.urandom(shopper.path.stat().st_size))
        consent = shopper.restart()

        assert consent.given() == frozenset()
        with pytest.raises(ConsentError):
            shopper.say_yes()
        consent.withdraw(RANK)
        shopper.say_yes()
        assert shopper.restart().given() == {RANK}

    def test_an_erasure_that_fails_leaves_the_no_in_force(self, shopper):
        def no_room(_purpose: str) -> None:
            raise HistoryFullError("no space left")

        shopper.say_yes()
        consent = Consent(policy(), shopper.disk, shopper.clock, no_room)

        assert consent.withdraw(RANK) == Withdrawal(durable=True, erased=False)

        assert consent.given() == frozenset()
        assert shopper.restart().to_forget() == {RANK}

    def test_the_no_is_on_the_disk_before_anything_is_erased(self, shopper):
        shopper.say_yes()
        seen = []

        def look(purpose: str) -> None:
            other = Consent(policy(), shopper.disk, shopper.clock, lambda _: None)
            seen.append((purpose, other.status(purpose)))

        Consent(policy(), shopper.disk, shopper.clock, look).withdraw(RANK)

        assert seen == [(RANK, Status.WITHDRAWN)]

    def test_a_guest_leaves_nothing_behind(self):
        consent = Consent(policy(), MemoryChoiceStore(), SetClock(), lambda _: None)
        consent.grant(RANK, shown=consent.notice(RANK, language="en"))
        assert consent.given() == {RANK}

        assert consent.withdraw(RANK) == DONE
        assert consent.given() == frozenset()


def test_erasing_may_ask_what_is_permitted_from_another_thread(shopper):
    shopper.say_yes()
    answers: list[frozenset[str]] = []

    def ask(_purpose: str) -> None:
        thread = threading.Thread(target=lambda: answers.append(consent.given()))
        thread.start()
        thread.join(timeout=5)

    consent = Consent(policy(), shopper.disk, shopper.clock, ask)

    assert consent.withdraw(RANK) == DONE
    assert answers == [frozenset()]
