"""Law presets are dated facts; together the strictest holds, and what is a guess only tightens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.policy import stricter
from shelfrank.consent.presets import (
    BASELINE,
    EVIDENCE,
    GPC_ORDER,
    NOT_LEGAL_ADVICE,
    Fact,
    Preset,
    combine,
    law_name,
    load_preset,
    preset_for,
    preset_ids,
    strictest,
)
from shelfrank.consent.presets.reading import KEYS, parse_preset
from shelfrank.errors import PolicyError
from shelfrank.types import LANGUAGES
from support.shopper import policy, policy_data, to_toml

NOVEMBER = date(2026, 11, 21)

FACTS = st.builds(
    Fact,
    preset=st.sampled_from(["a", "b"]),
    key=st.sampled_from(sorted(KEYS)),
    value=st.sampled_from(["1", "2"]),
    source=st.just("s"),
    checked_on=st.sampled_from([date(2025, 1, 1), NOVEMBER]),
    evidence=st.sampled_from(EVIDENCE),
    effective_from=st.sampled_from([None, date(2024, 1, 1)]),
)
DAYS = st.none() | st.integers(1, 4)
PRESETS = st.builds(
    Preset,
    ids=st.sets(st.sampled_from("abc"), min_size=1).map(lambda ids: tuple(sorted(ids))),
    gpc=st.sampled_from(GPC_ORDER),
    minor_age=st.integers(13, 18),
    reask_days=st.integers(1, 4),
    max_validity_days=DAYS,
    refresh_after_days=DAYS,
    answer_days=st.integers(1, 4),
    disclose_retention=st.booleans(),
    facts=st.sets(FACTS, max_size=3).map(
        lambda facts: tuple(sorted(facts, key=lambda fact: (fact.place, fact.checked_on)))
    ),
)


@given(PRESETS, PRESETS)
def test_the_order_of_laws_does_not_matter(one, other):
    assert combine([one, other]) == combine([other, one])


@given(PRESETS, PRESETS, PRESETS)
def test_the_grouping_of_laws_does_not_matter(one, other, third):
    first = combine([combine([one, other]), third])

    assert first == combine([one, combine([other, third])]) == combine([one, other, third])


@given(PRESETS, PRESETS)
def test_the_same_law_again_changes_nothing(one, other):
    both = combine([one, other])

    assert combine([one, one]) == one
    assert combine([both, one]) == combine([both, both]) == both


@given(PRESETS, PRESETS)
def test_together_they_ask_for_whatever_either_asks_for(one, other):
    both = combine([one, other])

    for law in (one, other):
        assert set(law.ids) <= set(both.ids)
        assert set(law.facts) <= set(both.facts)
        assert GPC_ORDER.index(both.gpc) >= GPC_ORDER.index(law.gpc)
        assert both.minor_age >= law.minor_age
        assert both.reask_days >= law.reask_days
        assert both.answer_days <= law.answer_days
        assert both.disclose_retention >= law.disclose_retention
        for name in ("max_validity_days", "refresh_after_days"):
            asked = getattr(law, name)
            assert asked is None or getattr(both, name) <= asked


def test_nothing_cannot_be_combined():
    with pytest.raises(ValueError, match="no preset"):
        combine([])


def test_the_seven_laws_are_there_with_their_names():
    assert preset_ids() == ("eu_gdpr", "us_ca", "us_co", "us_ct", "us_me", "us_ut", "us_va")
    assert law_name("us_co") == "Colorado Privacy Act"


@pytest.mark.parametrize(
    ("preset_id", "on", "gpc", "minor_age"),
    [
        ("us_ca", date(2025, 12, 31), "must_honour", 16),
        ("us_ca", date(2026, 1, 1), "must_display", 16),
        ("us_co", date(2024, 6, 30), "silent", 13),
        ("us_co", date(2024, 7, 1), "must_honour", 13),
        ("us_co", date(2025, 10, 1), "must_honour", 18),
        ("us_ct", date(2024, 12, 31), "silent", 16),
        ("us_ct", date(2026, 6, 30), "must_honour", 16),
        ("us_ct", date(2026, 7, 1), "must_honour", 18),
        ("us_va", NOVEMBER, "silent", 13),
        ("us_ut", NOVEMBER, "silent", 13),
        ("us_me", NOVEMBER, "silent", 13),
        ("eu_gdpr", NOVEMBER, "silent", 16),
    ],
)
def test_a_fact_holds_from_its_first_day_to_its_last(preset_id, on, gpc, minor_age):
    preset = load_preset(preset_id, on=on)

    assert (preset.gpc, preset.minor_age) == (gpc, minor_age)


def test_utahs_right_to_correct_is_there_since_its_day():
    def rights(on: date) -> set[str]:
        return {fact.value for fact in load_preset("us_ut", on=on).facts if fact.key == "rights"}

    assert "correct" not in rights(date(2026, 6, 30))
    assert "correct" in rights(date(2026, 7, 1))


def test_what_only_one_law_asks_for_is_asked_for():
    assert load_preset("us_co", on=NOVEMBER).refresh_after_days == 730
    assert load_preset("us_ca", on=NOVEMBER).reask_days == 365
    assert load_preset("eu_gdpr", on=NOVEMBER).max_validity_days == 395
    assert load_preset("eu_gdpr", on=NOVEMBER).disclose_retention
    assert not load_preset("us_va", on=NOVEMBER).disclose_retention


def test_every_fact_says_where_it_stands_and_when_somebody_looked():
    for preset_id in preset_ids():
        facts = load_preset(preset_id, on=NOVEMBER).facts
        assert facts
        assert all(fact.source and fact.evidence in EVIDENCE for fact in facts)
        assert all(fact.checked_on <= NOVEMBER for fact in facts)
        assert {fact.preset for fact in facts} == {preset_id}


def test_in_an_unknown_region_the_strictest_of_all_holds():
    everywhere = strictest(on=NOVEMBER)

    assert everywhere == combine([load_preset(one, on=NOVEMBER) for one in preset_ids()])
    assert (everywhere.gpc, everywhere.minor_age) == ("must_display", 18)
    assert preset_for((), on=NOVEMBER) == everywhere
    assert preset_for(("us_va", "atlantis"), on=NOVEMBER) == everywhere
    assert combine([everywhere, strictest()]) == strictest()


def test_a_policy_gets_what_it_names_and_two_policies_no_less_than_either():
    def naming(*presets: str):
        data = policy_data()
        data["policy"] |= {"preset": list(presets)} if presets else {}
        return policy(data)

    virginia, unknown = naming("us_va"), naming()

    assert preset_for(virginia.presets, on=NOVEMBER) == load_preset("us_va", on=NOVEMBER)
    both = preset_for(stricter(virginia, unknown).presets, on=NOVEMBER)
    assert both == strictest(on=NOVEMBER)


def test_a_law_that_is_not_there_is_refused_by_name():
    with pytest.raises(PolicyError, match=r"'atlantis', wanted one of eu_gdpr, us_ca"):
        load_preset("atlantis", on=NOVEMBER)


def law(*facts: dict[str, object]) -> bytes:
    return to_toml(
        {
            "preset": {"id": "x", "name": "X", "checked_on": NOVEMBER},
            "fact": [{"source": "s", "evidence": "primary"} | fact for fact in facts],
        }
    )


def guess(key: str, value: str, **more: object) -> dict[str, object]:
    return {"key": key, "value": value, "evidence": "unverified"} | more


@pytest.mark.parametrize(
    ("facts", "field", "value"),
    [
        ([guess("minor_age", "18")], "minor_age", 18),
        ([guess("answer_within", "P30D")], "answer_days", 30),
        ([guess("max_validity", "P6M")], "max_validity_days", 182),
        ([guess("gpc", "must_honour")], "gpc", "must_honour"),
        ([guess("disclose_retention", "yes")], "disclose_retention", True),
        (
            [{"key": "minor_age", "value": "16"}, guess("minor_age", "17")],
            "minor_age",
            17,
        ),
        ([{"key": "answer_within", "value": "P60D"}], "answer_days", 60),
    ],
)
def test_a_guess_tightens_and_what_is_known_replaces_the_baseline(facts, field, value):
    assert getattr(parse_preset(law(*facts)).on(NOVEMBER), field) == value


@pytest.mark.parametrize(
    "facts",
    [
        [guess("minor_age", "12")],
        [guess("answer_within", "P60D")],
        [guess("reask_after", "P1D")],
        [{"key": "minor_age", "value": "16"}, guess("minor_age", "15")],
        [{"key": "max_validity", "value": "P6M"}, guess("max_validity", "P12M")],
        [{"key": "gpc", "value": "must_display"}, guess("gpc", "must_honour")],
        [{"key": "disclose_retention", "value": "yes"}, guess("disclose_retention", "no")],
    ],
)
def test_a_guess_that_asks_for_less_is_refused(facts):
    with pytest.raises(PolicyError, match="unverified"):
        parse_preset(law(*facts))


def test_a_guess_about_another_time_is_held_against_what_is_known_of_that_time():
    since = {"key": "minor_age", "value": "18", "effective_from": date(2026, 1, 1)}
    before = guess("minor_age", "16", effective_to=date(2025, 12, 31))

    read = parse_preset(law(since, before))

    assert read.on(date(2025, 6, 1)).minor_age == 16
    assert read.on(NOVEMBER).minor_age == 18
    with pytest.raises(PolicyError, match="unverified"):
        parse_preset(law(since, before | {"effective_to": NOVEMBER}))


@pytest.mark.parametrize(
    "fact",
    [
        {"key": "gpc", "value": "perhaps"},
        {"key": "minor_age", "value": "grown up"},
        {"key": "minor_age", "value": "99"},
        {"key": "max_validity", "value": "a while"},
        {"key": "disclose_retention", "value": "maybe"},
        {"key": "gpc", "value": "silent", "evidence": "hearsay"},
        {"key": "gpc", "value": "silent", "source": ""},
        {"key": "gpc", "value": "silent", "since": "always"},
        {
            "key": "gpc",
            "value": "silent",
            "effective_from": date(2026, 2, 1),
            "effective_to": date(2026, 1, 1),
        },
    ],
)
def test_a_fact_that_cannot_be_read_is_refused(fact):
    with pytest.raises(PolicyError):
        parse_preset(law(fact))


def test_the_baseline_is_milder_than_any_law_and_asks_for_something_all_the_same():
    for preset_id in preset_ids():
        asked = load_preset(preset_id, on=NOVEMBER)
        assert combine([replace(BASELINE, ids=asked.ids), asked]) == asked


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_this_is_no_legal_advice_stands_there_in_each_language(language):
    words = {"de": "keine Rechtsberatung", "nl": "geen juridisch advies", "en": "not legal advice"}

    assert words[language] in NOT_LEGAL_ADVICE[language]
