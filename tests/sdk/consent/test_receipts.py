"""Receipts say what was shown and answered, in every format, and nothing more."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from shelfrank.consent.engine import Consent
from shelfrank.consent.rules import ANSWERING, METHODS, Status
from shelfrank.consent.store import MemoryChoiceStore
from support.shopper import START, SetClock, adult, policy

if TYPE_CHECKING:
    from shelfrank.consent.receipts import Receipt

RANK = "rank_products"


@pytest.fixture
def consent() -> Consent:
    return Consent(policy(), MemoryChoiceStore(), SetClock(), lambda _: None, circumstances=adult())


def granted(consent: Consent, **how: Any) -> Receipt:
    return consent.grant(RANK, shown=consent.notice(RANK, language="nl"), **how)


def test_it_has_the_whole_notice_and_its_hash(consent: Consent) -> None:
    shown = consent.notice(RANK, language="nl")

    receipt = consent.grant(RANK, shown=shown)

    assert (receipt.text, receipt.notice, receipt.language) == (str(shown), shown.hash, "nl")
    assert consent.receipts() == (receipt,)


def test_times_are_to_the_minute_and_ids_are_random(consent: Consent) -> None:
    one, two = granted(consent), granted(consent)

    assert one.time == START.replace(second=0)
    assert one.until is not None
    assert (one.until.second, one.until.microsecond) == (0, 0)
    assert len({one.id, two.id, one.person}) == 3
    assert one.person == two.person
    assert all(uuid.UUID(name).version == 4 for name in (one.id, one.person))


def test_leaving_gives_one_too(consent: Consent) -> None:
    granted(consent)

    left = consent.withdraw(RANK, method="voice").receipt

    assert left is not None
    assert (left.event, left.status, left.method) == ("withdrawn", Status.WITHDRAWN, "voice")
    assert (left.until, left.text) == (None, "")
    assert consent.withdraw(RANK).receipt is None
    assert [receipt.event for receipt in consent.receipts()] == ["granted", "withdrawn"]


def test_a_refusal_gives_one_and_a_double_tap_the_same(consent: Consent) -> None:
    refused = consent.refuse(RANK).receipt
    assert refused is not None
    assert (refused.event, refused.status) == ("refused", Status.REFUSED)
    shown = consent.notice(RANK, language="de")

    assert consent.grant(RANK, shown=shown) is consent.grant(RANK, shown=shown)


@pytest.mark.parametrize("method", [*sorted(set(METHODS) - set(ANSWERING)), "script", "default"])
def test_only_a_person_can_answer(consent: Consent, method: str) -> None:
    shown = consent.notice(RANK, language="de")

    with pytest.raises(ValueError, match="how a person answered"):
        consent.grant(RANK, shown=shown, method=method)  # type: ignore[arg-type]
    for leave in (consent.refuse, consent.withdraw):
        with pytest.raises(ValueError, match="how a person answered"):
            leave(RANK, method=method)  # type: ignore[arg-type]

    assert consent.given() == frozenset()


@pytest.mark.parametrize("guardian", ["", "  ", "x" * 65])
def test_a_guardian_without_a_word_or_with_too_many_is_a_mistake(
    consent: Consent, guardian: str
) -> None:
    with pytest.raises(ValueError, match="guardian"):
        granted(consent, guardian=guardian)


def test_as_27560_it_has_what_the_guide_asks_for(consent: Consent) -> None:
    record = granted(consent, guardian="receipt-4711").as_27560()

    (process,), (event,) = record["dpv:hasProcess"], record["dpv:hasConsentEvent"]  # type: ignore[misc]
    assert json.loads(json.dumps(record)) == record
    # Header: schema version, record id, principal id.
    assert record["dct:hasVersion"] == "ISO/IEC TS 27560:2023"
    assert str(record["dct:identifier"]) in str(record["@id"])
    assert str(record["dpv:hasDataSubject"]).startswith("urn:uuid:")
    # Processing: notice, language, purpose, data, storage, retention, recipients, withdrawal.
    assert process["dpv:hasNotice"]["dct:language"] == "nl"
    assert process["dpv:hasNotice"]["dpv:hasHash"]["@type"] == "SHA-256"
    assert process["dpv:hasPurpose"] == [
        "dpv:ProvideProductRecommendations",
        "dpv:UserInterfacePersonalisation",
    ]
    assert "pd:Purchase" in process["dpv:hasPersonalData"]
    assert process["dpv:hasDataSource"] == ["dpv:ObservedPersonalData"]
    assert process["dpv:hasStorageCondition"]["dpv:hasLocation"] == "dpv:WithinDevice"
    assert process["dpv:hasStorageCondition"]["dpv:hasDuration"] == "P180D"
    assert process["dpv:hasRecipient"] == []
    assert process["dpv:hasWithdrawalMethod"]
    assert "us_co" in process["dpv:hasJurisdiction"]
    # Parties.
    (party,) = process["dpv:hasDataController"]
    assert party["dpv:hasName"] == "Corner Shop"
    # Event: time, validity, who, state.
    assert event["dct:date"] == "2017-12-01T09:30Z"
    assert event["dpv:hasDuration"]["@value"] == "2018-12-01T09:30Z"
    assert event["dpv:hasConsentStatus"] == "dpv:ConsentGiven"
    assert (event["dpv:isIndicatedBy"], event["dct:references"]) == (
        "dpv:Guardian",
        "receipt-4711",
    )


def test_as_kantara_it_has_the_fields_of_version_1_1_0(consent: Consent) -> None:
    given = granted(consent).as_kantara()
    left = consent.withdraw(RANK).receipt
    assert left is not None

    assert given["version"] == "KI-CR-v1.1.0"
    assert given["consentTimestamp"] == int(START.replace(second=0).timestamp())
    required = {
        "jurisdiction", "collectionMethod", "consentReceiptID", "language", "piiPrincipalId",
        "piiControllers", "policyUrl", "services", "sensitive", "spiCat",
    }  # fmt: skip
    assert required <= set(given)
    types = [
        receipt["services"][0]["purposes"][0]["consentType"]  # type: ignore[index]
        for receipt in (given, left.as_kantara())
    ]
    assert types == ["EXPLICIT", "NOT GIVEN"]
    assert json.loads(json.dumps(given)) == given


@pytest.mark.parametrize("language", ["de", "nl", "en"])
def test_as_text_it_reads_in_three_languages_and_keeps_the_notice_as_it_was(
    consent: Consent, language
) -> None:
    receipt = granted(consent)

    text = receipt.as_text(language)

    assert receipt.text in text
    assert receipt.id in text
    assert "2017-12-01 09:30 UTC" in text
    assert "180" in text
    texts = {receipt.as_text(one) for one in ("de", "nl", "en")}
    assert len(texts) == 3
    assert str(receipt) == receipt.as_text("nl")
    with pytest.raises(ValueError, match="'fr'"):
        receipt.as_text("fr")  # type: ignore[arg-type]


def test_one_for_a_visit_says_so_and_is_joined_to_nothing(consent: Consent) -> None:
    kept = granted(consent)
    visit = granted(consent, session=True)

    assert (visit.visit_only, visit.until) == (True, None)
    assert visit.person != kept.person
    assert "end of this visit" in visit.as_text("en")
    assert consent.receipts() == (kept,)
    assert "end of visit" in json.dumps([visit.as_27560(), visit.as_kantara()])


def test_without_a_policy_leaving_still_gives_one() -> None:
    store, clock = MemoryChoiceStore(), SetClock()
    granted(Consent(policy(), store, clock, lambda _: None))

    left = Consent(None, store, clock, lambda _: None).withdraw(RANK).receipt

    assert left is not None
    assert left.asked is None
    assert RANK in left.as_text("de") + json.dumps([left.as_27560(), left.as_kantara()])
