"""The record of choices reads back as written, in one size, and never as more than was written."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.record import RECORD_BYTES, decode, encode
from shelfrank.consent.rules import Choice, Record, Status, granted
from shelfrank.errors import ConsentError
from support.shopper import START, policy, policy_data, purpose_data

NOW = START.replace(microsecond=0)


def granted_under(under, purpose_id="rank_products"):
    return granted(
        Status.UNKNOWN,
        under,
        under.purpose(purpose_id),
        language="de",
        notice="0f" * 32,
        now=NOW,
    )


FULL = Record(
    generation=7,
    clock=NOW,
    choices={
        "rank_products": granted_under(policy()),
        "sort_offers": Choice(answer=Status.WITHDRAWN, at=NOW - timedelta(days=1)),
        "greeting": Choice(answer=Status.REFUSED, at=NOW),
    },
)


@given(
    st.integers(0, 2**62),
    st.datetimes(timezones=st.just(NOW.tzinfo)).filter(lambda time: time.year >= 1970),
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_-]{0,63}", fullmatch=True),
        st.sampled_from(list(FULL.choices.values())),
        max_size=16,
    ),
)
def test_reads_back_as_written_in_one_size(generation, clock, choices):
    record = Record(generation=generation, clock=clock.replace(microsecond=0), choices=choices)

    data = encode(record)

    assert len(data) == RECORD_BYTES
    assert decode(data) == record


def test_sixteen_purposes_and_a_thousand_categories_fit():
    data = policy_data()
    data["purpose"] = [purpose_data(id=f"p{row:02}" + "x" * 61) for row in range(16)]
    data["sensitive"] = {"mode": "exclude", "categories": [f"{row:060}" for row in range(1000)]}
    large = policy(data)

    record = Record(
        generation=2**62,
        clock=NOW,
        choices={purpose.id: granted_under(large, purpose.id) for purpose in large.purposes},
    )

    assert decode(encode(record)) == record


def test_what_does_not_fit_is_refused():
    choices = {
        f"p{row}": granted_under(
            policy(policy_data() | {"sensitive": {"mode": "exclude", "categories": names}})
        )
        for row in range(8)
        for names in [[f"{row}-{column}" for column in range(1000)]]
    }

    with pytest.raises(ConsentError, match="needs"):
        encode(Record(generation=1, clock=NOW, choices=choices))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_the_one_error(data):
    with pytest.raises(ConsentError):
        decode(data)


def edited(change):
    content = json.loads(encode(FULL))
    change(content)
    return json.dumps(content).encode()


BROKEN = {
    "another format": lambda content: content.update(format=2),
    "an unknown key": lambda content: content.update(more=1),
    "no clock": lambda content: content.pop("clock"),
    "a clock before 1970": lambda content: content.update(clock=-1),
    "a clock after the calendar": lambda content: content.update(clock=10**18),
    "an answer nobody gives": lambda content: content["choices"][0].update(answer="Unknown"),
    "a refusal with an end": lambda content: content["choices"][0].update(until=1),
    "an answer that is a list": lambda content: content["choices"][1].update(answer=["x"]),
    "a grant without kinds": lambda content: content["choices"][1].pop("kinds"),
    "an exclusion before the first": lambda content: content["choices"][1].update(exclusion=-1),
    "an exclusion after the last": lambda content: content["choices"][1].update(exclusion=1),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_record_that_is_not_quite_one_is_refused(change):
    with pytest.raises(ConsentError):
        decode(edited(change))


def test_a_no_cannot_be_edited_into_a_yes_without_terms():
    def say_yes(content):
        content["choices"][2]["answer"] = "ConsentGiven"

    with pytest.raises(ConsentError):
        decode(edited(say_yes))


def test_what_would_not_read_back_is_never_written():
    odd = Record(generation=1, clock=START.replace(microsecond=1), choices={})

    with pytest.raises(ConsentError, match="read back"):
        encode(odd)
