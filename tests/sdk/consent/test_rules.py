"""What a choice permits, until when, and which change of the policy ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shelfrank.consent.policy import Policy
from shelfrank.consent.rules import (
    ANSWERS,
    GRACE,
    Choice,
    Record,
    Status,
    Terms,
    granted,
    must_forget,
    status_of,
)
from support.shopper import START, changed, policy, policy_data, purpose_data

RANK = "rank_products"
SECOND = timedelta(seconds=1)
YEAR = timedelta(days=365)


def grant(under: Policy, before: Status = Status.UNKNOWN) -> Choice:
    return granted(before, under, under.purpose(RANK), language="nl", notice="ab" * 32, now=START)


def terms(under: Policy) -> Terms:
    return Terms.of(under, under.purpose(RANK))


def test_each_state_is_a_term_of_the_data_privacy_vocabulary_and_two_permit():
    assert {status.dpv for status in Status} == {
        "dpv:ConsentUnknown",
        "dpv:ConsentRefused",
        "dpv:ConsentGiven",
        "dpv:RenewedConsentGiven",
        "dpv:ConsentExpired",
        "dpv:ConsentInvalidated",
        "dpv:ConsentWithdrawn",
    }
    assert [status for status in Status if status.permits] == [Status.GIVEN, Status.RENEWED]


def test_no_answer_is_neither_yes_nor_no():
    assert status_of(None, policy(), RANK, now=START) is Status.UNKNOWN


def test_a_grant_holds_until_its_validity_is_over_to_the_second():
    choice = grant(policy())

    for now, status in [
        (START - SECOND, Status.EXPIRED),  # Granted in the future: not believed.
        (START, Status.GIVEN),
        (START + YEAR - SECOND, Status.GIVEN),
        (START + YEAR, Status.EXPIRED),
    ]:
        assert status_of(choice, policy(), RANK, now=now) is status


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Status.UNKNOWN, Status.GIVEN),
        (Status.REFUSED, Status.GIVEN),
        (Status.WITHDRAWN, Status.GIVEN),
        (Status.INVALIDATED, Status.GIVEN),
        (Status.GIVEN, Status.RENEWED),
        (Status.RENEWED, Status.RENEWED),
        (Status.EXPIRED, Status.RENEWED),
    ],
)
def test_a_grant_renews_what_still_runs_or_ran_out(before, after):
    assert grant(policy(), before).answer is after


def test_a_no_stays_a_no_under_any_policy():
    for answer in ANSWERS - {Status.GIVEN, Status.RENEWED}:
        choice = Choice(answer=answer, at=START)
        for under in (policy(), policy(retention="P1D"), None):
            assert status_of(choice, under, RANK, now=START) is answer


MATERIAL = {
    "kinds": {"kinds": ["view", "purchase", "like", "cart"]},
    "retention": {"retention": "P181D"},
    "granularity": {"granularity": "minute"},
    "surfaces": {"surfaces": ["products", "navigation", "offers"]},
    "use": {"use_case": "price setting"},
}
FEWER_FIELDS = [{"name": n, "origin": "observed"} for n in ("item", "kind", "time", "visit")]
OPTIONAL = [{"name": "quantity", "origin": "observed", "necessity": "optional"}]
NARROWING = {
    "fewer kinds": {"kinds": ["view"]},
    "shorter retention": {"retention": "P179D"},
    "coarser times": {"granularity": "day"},
    "fewer surfaces": {"surfaces": ["products"]},
    "a field less": {"field": FEWER_FIELDS},
    "a field that can be switched off": {"field": FEWER_FIELDS + OPTIONAL},
    "another validity": {"validity": "P24M"},
    "other spacing": {"use_case": "Product  ranking"},
}


@pytest.mark.parametrize("name", MATERIAL)
def test_asking_for_more_invalidates(name):
    wider = policy(**MATERIAL[name])

    assert terms(policy()).widened_by(terms(wider)) == (name,)
    assert status_of(grant(policy()), wider, RANK, now=START) is Status.INVALIDATED


@pytest.mark.parametrize("name", NARROWING)
def test_asking_for_less_or_in_other_words_does_not(name):
    narrower = policy(**NARROWING[name])

    assert terms(policy()).widened_by(terms(narrower)) == ()
    assert status_of(grant(policy()), narrower, RANK, now=START) is Status.GIVEN


def test_a_new_field_or_one_that_can_no_longer_be_switched_off_invalidates():
    without, optional = policy(field=FEWER_FIELDS), policy(field=FEWER_FIELDS + OPTIONAL)

    assert terms(without).widened_by(terms(optional)) == ("fields",)
    assert terms(optional).widened_by(terms(policy())) == ("fields",)


def test_a_bound_on_events_that_goes_up_or_away_invalidates():
    bound, unbound = policy(max_events=500), policy()

    assert terms(bound).widened_by(terms(policy(max_events=501))) == ("events",)
    assert terms(bound).widened_by(terms(unbound)) == ("events",)
    assert terms(bound).widened_by(terms(policy(max_events=499))) == ()
    assert terms(unbound).widened_by(terms(bound)) == ()


def test_a_category_no_longer_kept_out_invalidates_and_one_more_does_not():
    def excluding(*categories: str) -> Policy:
        return Policy.parse(changed(("sensitive", "categories"), list(categories)))

    granted_under = grant(excluding("Baby", "Spirits"))
    more, fewer = excluding("Baby", "Spirits", "Wine"), excluding("Baby")

    assert status_of(granted_under, more, RANK, now=START) is Status.GIVEN
    assert status_of(granted_under, fewer, RANK, now=START) is Status.INVALIDATED
    assert terms(fewer).widened_by(terms(more)) == ()


def test_no_longer_filtering_at_all_invalidates():
    data = policy_data() | {"sensitive": {"mode": "no-categories"}}

    assert status_of(grant(policy()), policy(data), RANK, now=START) is Status.INVALIDATED
    assert status_of(grant(policy(data)), policy(), RANK, now=START) is Status.GIVEN


def test_another_controller_invalidates_and_a_new_address_does_not():
    sold = Policy.parse(changed(("policy", "controller", "name"), "Data Broker"))
    moved = Policy.parse(changed(("policy", "controller", "address"), "New Street 2"))

    assert status_of(grant(policy()), sold, RANK, now=START) is Status.INVALIDATED
    assert status_of(grant(policy()), moved, RANK, now=START) is Status.GIVEN


def test_a_choice_never_moves_the_clock_mark_back():
    record = Record(generation=4, clock=START, choices={})

    after = record.with_choice(RANK, grant(policy()), now=START - YEAR)

    assert (after.generation, after.clock) == (5, START)


def test_a_shorter_validity_holds_at_once_and_a_longer_one_prolongs_nothing():
    choice = grant(policy(validity="P10D"))
    shorter, longer = policy(validity="P5D"), policy(validity="P20D")

    assert status_of(choice, shorter, RANK, now=START + timedelta(days=5)) is Status.EXPIRED
    assert status_of(choice, longer, RANK, now=START + timedelta(days=10)) is Status.EXPIRED


def test_without_policy_or_purpose_nothing_is_permitted():
    data = policy_data()
    data["purpose"] = [purpose_data(id="other")]

    assert status_of(grant(policy()), None, RANK, now=START) is Status.INVALIDATED
    assert status_of(grant(policy()), policy(data), RANK, now=START) is Status.INVALIDATED


def test_what_was_kept_goes_with_a_no_and_after_the_grace_of_what_ran_out():
    choice, end = grant(policy()), START + YEAR
    dropped = policy_data()
    dropped["purpose"] = [purpose_data(id="other")]

    assert must_forget(Choice(answer=Status.WITHDRAWN, at=START), policy(), RANK, now=START)
    assert must_forget(choice, policy(dropped), RANK, now=START)
    assert not must_forget(choice, policy(), RANK, now=end - SECOND)
    assert not must_forget(choice, policy(), RANK, now=end + GRACE - SECOND)
    assert must_forget(choice, policy(), RANK, now=end + GRACE)


def test_a_broken_bundle_without_policy_erases_nothing_that_was_granted():
    assert not must_forget(grant(policy()), None, RANK, now=START + YEAR)
