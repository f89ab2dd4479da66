"""The receipts in the evidence are those a shopper gets, the same again at the same moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from shelfrank.consent.policy import Policy
from shelfrank_training.privacy.samples import receipt_samples
from support.careful_shop import careful_policy, careless

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def samples():
    return receipt_samples(Policy.parse(careful_policy()), at=AT)


def test_a_yes_and_its_withdrawal_are_there_in_every_language_and_format(samples):
    assert set(samples) == {
        f"receipt-{purpose}-{event}-{form}"
        for purpose in ("rank_products", "sort_offers")
        for event in ("granted", "withdrawn")
        for form in ("de.txt", "nl.txt", "en.txt", "27560.json", "kantara.json")
    }


def test_a_receipt_has_the_notice_and_the_controller(samples):
    receipt = samples["receipt-rank_products-granted-en.txt"].decode()

    assert "This device keeps what you buy for 180 days." in receipt
    assert "privacy@shop.example" in receipt


def test_the_formats_for_tools_say_which_laws_were_in_force(samples):
    record = json.dumps(json.loads(samples["receipt-sort_offers-withdrawn-27560.json"]))
    kantara = json.loads(samples["receipt-rank_products-granted-kantara.json"])

    assert "ConsentWithdrawn" in record
    assert (kantara["version"], kantara["jurisdiction"]) == ("KI-CR-v1.1.0", "us_va")


def test_the_same_moment_gives_the_same_bytes(samples):
    assert receipt_samples(Policy.parse(careful_policy()), at=AT) == samples


def test_no_policy_needs_a_guardian_for_a_sample():
    strict = careless((("ages", "minimum"), 21), (("policy", "preset"), ["us_co"]))

    assert receipt_samples(Policy.parse(strict), at=AT)
