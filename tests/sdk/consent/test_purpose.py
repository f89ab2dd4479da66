"""A purpose keeps times as coarse as it says and no longer than it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.purposes import Ages
from support.shopper import policy, policy_data, purpose_data

TIMES = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(hours=14))]
    ),
)
HANDFUL = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


@given(TIMES, st.sampled_from(sorted(HANDFUL)))
def test_coarsening_floors_in_utc_and_twice_is_once(time, granularity):
    purpose = policy(granularity=granularity).purpose("rank_products")

    coarse = purpose.coarsen(time)

    assert coarse.tzinfo is UTC
    assert timedelta(0) <= time - coarse < HANDFUL[granularity]
    assert purpose.coarsen(coarse) == coarse
    assert (coarse - datetime(1970, 1, 1, tzinfo=UTC)) % HANDFUL[granularity] == timedelta(0)


def test_a_day_is_a_day_in_utc_wherever_the_device_stands():
    purpose = policy(granularity="day").purpose("rank_products")
    late_in_tokyo = datetime(2017, 12, 2, 3, 0, tzinfo=timezone(timedelta(hours=9)))

    assert purpose.coarsen(late_in_tokyo) == datetime(2017, 12, 1, tzinfo=UTC)


def test_an_event_is_kept_until_its_retention_is_over_to_the_second():
    purpose = policy(retention="P180D").purpose("rank_products")
    time = datetime(2016, 2, 29, tzinfo=UTC)
    end = time + timedelta(days=180)

    assert purpose.keeps(time, now=end - timedelta(seconds=1))
    assert not purpose.keeps(time, now=end)
    assert not purpose.keeps(time, now=end + timedelta(days=1))


def test_a_time_without_a_zone_is_a_mistake():
    purpose = policy().purpose("rank_products")
    naive = datetime(2017, 12, 1)  # noqa: DTZ001

    with pytest.raises(ValueError, match="wanted an aware one"):
        purpose.coarsen(naive)
    with pytest.raises(ValueError, match="wanted an aware one"):
        purpose.keeps(naive, now=datetime(2017, 12, 1, tzinfo=UTC))


def test_what_is_agreed_to_is_hashed_without_the_words():
    one = policy().purpose("rank_products")
    reworded = policy(
        text={
            language: {"title": "A", "short": "B", "benefit": "C", "without": "D"}
            for language in ("de", "nl", "en")
        }
    ).purpose("rank_products")

    assert one.material_hash() == reworded.material_hash()
    for change in [
        {"retention": "P181D"},
        {"kinds": ["view"]},
        {"granularity": "day"},
        {"max_events": 500},
    ]:
        assert policy(**change).purpose("rank_products").material_hash() != one.material_hash()


def test_a_field_that_is_not_declared_is_not_kept():
    fields = [{"name": n, "origin": "observed"} for n in ("item", "kind", "time", "visit")]

    assert policy().purpose("rank_products").has_field("quantity")
    assert not policy(field=fields).purpose("rank_products").has_field("quantity")


def test_an_event_stays_in_the_context_it_came_from():
    data = policy_data()
    data["policy"]["contexts"] = ["fashion", "pharmacy"]
    data["purpose"] = [purpose_data(contexts=["fashion"])]
    purpose = policy(data).purpose("rank_products")

    assert purpose.reads("fashion")
    assert not purpose.reads("pharmacy")
    assert not purpose.reads("shop")


def test_another_context_is_something_else_to_agree_to():
    def with_contexts(*contexts):
        data = policy_data()
        data["policy"]["contexts"] = ["kiosk", "shop"]
        data["purpose"] = [purpose_data(contexts=list(contexts))]
        return policy(data).purpose("rank_products")

    assert (
        with_contexts("shop").material_hash() == policy().purpose("rank_products").material_hash()
    )
    assert with_contexts("shop").material_hash() != with_contexts("shop", "kiosk").material_hash()


@pytest.mark.parametrize(
    ("area", "age", "law", "asked"),
    [
        ("sales", 17, 0, True),
        ("sales", 18, 0, False),
        ("sales", 18, 19, True),
        ("sales", None, 0, False),
        ("service", None, 21, False),
        ("marketing", None, 0, True),
        ("measurement", None, 0, True),
        ("marketing", 18, 0, False),
    ],
)
def test_below_the_age_a_guardian_is_asked_and_an_unknown_age_is_not_grown_up(
    area, age, law, asked
):
    assert Ages().needs_guardian(area, age=age, law=law) is asked
