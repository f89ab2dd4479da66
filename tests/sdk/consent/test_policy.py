"""A policy is read strictly: what is not understood word for word is refused, with its place."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.policy import Ages, Policy, Review
from shelfrank.consent.strict import MAX_POLICY_BYTES
from shelfrank.consent.words import MAX_FIRST_LAYER_CHARS
from shelfrank.errors import PolicyError, UnknownPurposeError
from support.shopper import changed, policy, policy_data, purpose_data, to_toml

TEXT = ("purpose", 0, "text", "de", "short")


def test_a_policy_says_what_its_file_says():
    parsed = policy()

    assert (parsed.id, parsed.version, parsed.min_shoppers) == ("corner-shop", 3, 20)
    assert parsed.languages == ("de", "nl", "en")
    assert parsed.controller.contact == "privacy@shop.example"
    assert parsed.sensitive.categories == ("drug/baby", "spirits")
    purpose = parsed.purpose("rank_products")
    assert (purpose.retention_days, purpose.validity_days, purpose.reask_days) == (180, 365, 365)
    assert purpose.kinds == ("view", "purchase", "like")
    assert [field.name for field in purpose.fields] == ["item", "kind", "time", "visit", "quantity"]


def test_a_purpose_nobody_declared_is_a_mistake_of_the_app():
    with pytest.raises(UnknownPurposeError, match=r"'sell_it'.*rank_products, sort_offers"):
        policy().purpose("sell_it")


def test_the_order_in_the_file_does_not_matter():
    data = policy_data()
    data["purpose"] = [purpose_data(id="b"), purpose_data(id="a", kinds=["like", "view"])]
    turned = policy_data()
    turned["purpose"] = [purpose_data(id="a", kinds=["view", "like"]), purpose_data(id="b")]

    assert policy(data) == policy(turned)


@pytest.mark.parametrize(
    ("written", "days"),
    [("P1D", 1), ("P400D", 400), ("P8W", 56), ("P1M", 30), ("P12M", 365), ("P2Y", 730)],
)
def test_durations_are_whole_days_and_never_longer_than_said(written, days):
    assert policy(retention=written).purpose("rank_products").retention_days == days


REFUSED = {
    "an unknown section": (("push",), {"x": 1}, "push"),
    "an unknown key": (("policy", "presets"), "eu", "policy.presets"),
    "an unknown key of a purpose": (
        ("purpose", 0, "place"),
        "leaves",
        "purpose rank_products.place",
    ),
    "an unknown key of a field": (("purpose", 0, "field", 0, "unit"), "x", "field 1.unit"),
    "an unknown key of a text": (("purpose", 0, "text", "de", "more"), "x", "text.de.more"),
    "a text in a language not listed": (("purpose", 0, "text", "fr"), {}, "text.fr"),
    "an unknown key beside the categories": (("sensitive", "except"), ["x"], "sensitive.except"),
    "a missing controller": (("policy", "controller"), None, "policy.controller"),
    "a missing contact": (("policy", "controller", "contact"), None, "controller.contact"),
    "an empty contact": (("policy", "controller", "contact"), " ", "controller.contact"),
    "a missing language": (("purpose", 0, "text", "nl"), None, "purpose rank_products.text.nl"),
    "a missing benefit": (("purpose", 1, "text", "en", "benefit"), None, "text.en.benefit"),
    "no languages": (("policy", "languages"), [], "policy.languages"),
    "a language twice": (("policy", "languages"), ["de", "de"], "policy.languages"),
    "an unknown language": (("policy", "languages"), ["de", "fr"], "policy.languages"),
    "no purposes": (("purpose",), [], "purpose"),
    "a purpose that is no table": (("purpose", 0), "rank", "purpose"),
    "a purpose twice": (("purpose", 1, "id"), "rank_products", "purpose rank_products"),
    "an id with capitals": (("purpose", 0, "id"), "Rank", "purpose 1.id"),
    "no retention at all": (("purpose", 0, "retention"), None, "rank_products.retention"),
    "a retention of nothing": (("purpose", 0, "retention"), "P0D", "rank_products.retention"),
    "a negative retention": (("purpose", 0, "retention"), "-P3D", "rank_products.retention"),
    "a retention without end": (("purpose", 0, "retention"), "P999999D", "retention"),
    "a retention in hours": (("purpose", 0, "retention"), "PT5H", "retention"),
    "a retention in other digits": (("purpose", 0, "retention"), "P٣D", "retention"),
    "a retention as a number": (("purpose", 0, "retention"), 180, "retention"),
    "a validity of nothing": (("purpose", 0, "validity"), "P0M", "validity"),
    "a version of true": (("policy", "version"), True, "policy.version"),
    "a version of zero": (("policy", "version"), 0, "policy.version"),
    "a version as a fraction": (("policy", "version"), 1.0, "policy.version"),
    "a version as a date": (("policy", "version"), datetime(2026, 1, 1), "policy.version"),  # noqa: DTZ001
    "too few shoppers": (("policy", "min_shoppers"), 9, "policy.min_shoppers"),
    "an epsilon of nothing": (("policy", "max_epsilon"), 0, "policy.max_epsilon"),
    "a negative epsilon": (("policy", "max_epsilon"), -1.0, "policy.max_epsilon"),
    "an epsilon of true": (("policy", "max_epsilon"), True, "policy.max_epsilon"),
    "an epsilon as text": (("policy", "max_epsilon"), "1", "policy.max_epsilon"),
    "an epsilon that says nothing": (("policy", "max_epsilon"), 1001, "policy.max_epsilon"),
    "one category to leave out": (("policy", "must_exclude"), "drug", "policy.must_exclude"),
    "a category to leave out without a name": (
        ("policy", "must_exclude"),
        ["drug", "/"],
        "policy.must_exclude",
    ),
    "k by another name": (("policy", "min_k"), 50, "policy.min_k"),
    "a push surface": (("purpose", 0, "surfaces"), ["products", "push"], "surfaces"),
    "no surfaces": (("purpose", 0, "surfaces"), [], "surfaces"),
    "a kind that is a list": (("purpose", 0, "kinds"), [["view"]], "kinds"),
    "a kind nobody records": (("purpose", 0, "kinds"), ["walked_past"], "kinds"),
    "no kinds": (("purpose", 0, "kinds"), [], "kinds"),
    "a location field": (("purpose", 0, "field", 4, "name"), "location", "field 5.name"),
    "third-party data": (("purpose", 0, "field", 0, "origin"), "third_party", "field 1.origin"),
    "inferred data": (("purpose", 0, "field", 0, "origin"), "inferred", "field 1.origin"),
    "a field twice": (("purpose", 0, "field", 4, "name"), "item", "rank_products.field"),
    "an undeclared field events need": (("purpose", 0, "field", 3), None, "rank_products.field"),
    "a finer granularity than minutes": (("purpose", 0, "granularity"), "second", "granularity"),
    "a context nobody declared": (("purpose", 0, "contexts"), ["kiosk"], "rank_products.contexts"),
    "no contexts": (("policy", "contexts"), [], "policy.contexts"),
    "a context twice": (("policy", "contexts"), ["shop", "shop"], "policy.contexts"),
    "a context with capitals": (("policy", "contexts"), ["Shop"], "policy.contexts"),
    "a purpose that names no context where there is no shop": (
        ("policy", "contexts"),
        ["kiosk", "web"],
        "rank_products.contexts",
    ),
    "a preference that was observed": (
        ("purpose", 0, "field", 4),
        {"name": "brand", "origin": "observed"},
        "field 5.origin",
    ),
    "feedback that was observed": (
        ("purpose", 0, "field", 4),
        {"name": "feedback", "origin": "observed"},
        "field 5.origin",
    ),
    "no events at all": (("purpose", 0, "max_events"), 0, "rank_products.max_events"),
    "events without end": (("purpose", 0, "max_events"), 1_000_001, "rank_products.max_events"),
    "an empty reason": (("purpose", 0, "retention_reason"), " ", "retention_reason"),
    "a term of no vocabulary": (("purpose", 0, "dpv"), "schema:Buy", "rank_products.dpv"),
    "a use of no taxonomy": (("purpose", 0, "fideslang"), "Personalize!", "fideslang"),
    "a child who decides alone": (("ages",), {"minimum": 12}, "ages.minimum"),
    "an age nobody reaches": (("ages",), {"minimum": 22}, "ages.minimum"),
    "an unknown age that counts as grown up": (
        ("ages",),
        {"unknown_is_minor": ["marketing"]},
        "ages.unknown_is_minor",
    ),
    "an unknown key about ages": (("ages",), {"maximum": 99}, "ages.maximum"),
    "no preset in a list": (("policy", "preset"), [], "policy.preset"),
    "a preset that is no id": (("policy", "preset"), ["EU"], "policy.preset"),
    "a review without a day": (("policy", "reviewed_by"), "DPO", "policy.reviewed_on"),
    "a review without a name": (("policy", "reviewed_on"), date(2026, 1, 1), "policy.reviewed_by"),
    "a review on a day in quotes": (
        ("policy",),
        policy_data()["policy"] | {"reviewed_by": "DPO", "reviewed_on": "2026-01-01"},
        "policy.reviewed_on",
    ),
    "a review at a moment": (
        ("policy",),
        policy_data()["policy"] | {"reviewed_by": "D", "reviewed_on": datetime(2026, 1, 1)},  # noqa: DTZ001
        "policy.reviewed_on",
    ),
    "an unknown area": (("purpose", 0, "area"), "profiling", "area"),
    "an unknown benefit": (("purpose", 0, "benefit_type"), "ours", "benefit_type"),
    "no categories to exclude": (("sensitive", "categories"), [], "sensitive.categories"),
    "a category without a name": (("sensitive", "categories"), ["x", " / "], "categories"),
    "a category that is a number": (("sensitive", "categories"), [7], "sensitive.categories.0"),
    "categories that there are not": (("sensitive", "mode"), "no-categories", "categories"),
    "an unknown mode": (("sensitive", "mode"), "explicit_consent", "sensitive.mode"),
    "no word on what is sensitive": (("sensitive",), None, "sensitive"),
    "a number that is not enforced": (TEXT, "Wir merken es 90 Tage.", "text.de"),
    "a number with a separator": (TEXT, "Wir merken es 1.80 Tage.", "text.de"),
    "an unknown placeholder": (TEXT, "Wir merken es {forever}.", "text.de"),
    "a lone brace": (TEXT, "Wir merken es {retention_days}}.", "text.de"),
    "a text turned around": (TEXT, "abc \u202e def", "text.de.short"),
    "a text over two lines": (TEXT, "abc\ndef", "text.de.short"),
    "a text nobody reads": (TEXT, "a" * 281, "text.de"),
}


def test_what_a_label_must_promise_is_optional_and_read_in_normal_form():
    assert (policy().max_epsilon, policy().must_exclude) == (None, ())

    data = policy_data()
    data["policy"] |= {"max_epsilon": 3, "must_exclude": ["Wine", "DRUG / Baby", "wine"]}

    assert policy(data).max_epsilon == 3.0
    assert policy(data).must_exclude == ("drug/baby", "wine")


def test_what_a_policy_need_not_say_has_strict_defaults():
    said = policy()
    purpose = said.purpose("rank_products")

    assert said.contexts == purpose.contexts == ("shop",)
    assert (said.ages.minimum, said.ages.unknown_is_minor) == (18, ("marketing", "measurement"))
    assert (said.presets, said.reviews) == ((), ())
    assert (purpose.max_events, purpose.retention_reason) == (None, "")


def test_a_policy_that_says_everything_is_read():
    data = policy_data()
    data["policy"] |= {
        "contexts": ["shop", "kiosk"],
        "preset": ["us_va", "eu_gdpr"],
        "reviewed_by": "DPO",
        "reviewed_on": date(2026, 10, 1),
    }
    data["ages"] = {"minimum": 16, "unknown_is_minor": ["measurement", "sales", "marketing"]}
    fields = [{"name": n, "origin": "observed"} for n in ("item", "kind", "time", "visit")]
    fields += [{"name": n, "origin": "declared"} for n in ("brand", "category", "feedback")]
    data["purpose"] = [
        purpose_data(
            field=fields,
            contexts=["shop", "kiosk"],
            max_events=500,
            retention_reason="Barbecue is once a year.",
            dpv="dpv:ProvideProductRecommendations",
            fideslang="personalize.content.profiled",
        )
    ]

    said = policy(data)

    assert said.contexts == ("kiosk", "shop")
    assert said.presets == ("eu_gdpr", "us_va")
    assert said.reviews == (Review(by="DPO", on=date(2026, 10, 1)),)
    assert said.ages == Ages(minimum=16, unknown_is_minor=("sales", "marketing", "measurement"))
    purpose = said.purpose("rank_products")
    assert purpose.contexts == ("kiosk", "shop")
    assert [field.name for field in purpose.fields][-3:] == ["brand", "category", "feedback"]
    assert (purpose.max_events, purpose.retention_reason) == (500, "Barbecue is once a year.")
    assert (purpose.dpv, purpose.fideslang) == (
        "dpv:ProvideProductRecommendations",
        "personalize.content.profiled",
    )


@pytest.mark.parametrize("number", [b"inf", b"nan", b"-inf"])
def test_an_epsilon_that_is_no_number_is_refused(number):
    text = to_toml(policy_data()).replace(
        b'"version" = 3', b'"version" = 3, "max_epsilon" = ' + number
    )

    with pytest.raises(PolicyError, match=r"policy\.max_epsilon: got .*, wanted above 0"):
        Policy.parse(text)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_place(case):
    path, value, place = REFUSED[case]

    with pytest.raises(PolicyError) as caught:
        Policy.parse(changed(path, value))

    assert place in str(caught.value)


def test_what_no_purpose_may_ask_for_is_refused_with_the_reason():
    for path, value, hint in [
        (("purpose", 0, "surfaces"), ["push"], "push message"),
        (("purpose", 0, "field", 4, "name"), "location", "location"),
        (("purpose", 0, "field", 4, "origin"), "third_party", "third party"),
    ]:
        with pytest.raises(PolicyError) as caught:
            Policy.parse(changed(path, value))
        assert hint in (caught.value.hint or "")


def test_a_text_may_spell_out_the_retention_because_it_is_enforced():
    parsed = Policy.parse(changed(TEXT, "Wir merken es 180 Tage."))

    assert parsed.purpose("rank_products").texts["de"].short == "Wir merken es 180 Tage."


def test_title_short_benefit_and_without_have_280_characters_together():
    rest = len("Title" + "You find things faster." + "The order of everyone.")

    Policy.parse(changed(TEXT, "a" * (MAX_FIRST_LAYER_CHARS - rest)))
    with pytest.raises(PolicyError, match="281 characters"):
        Policy.parse(changed(TEXT, "a" * (MAX_FIRST_LAYER_CHARS - rest + 1)))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"= 1",
        b"x = " + b"[" * 50_000,
        b"x = " + b"9" * 5_000,
        b"x = 2026-99-99",
        b"",
    ],
    ids=["not UTF-8", "not TOML", "deep", "long number", "no such day", "empty"],
)
def test_what_is_no_policy_is_refused(data):
    with pytest.raises(PolicyError):
        Policy.parse(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_refused(data):
    with pytest.raises(PolicyError):
        Policy.parse(data)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.sampled_from(["de", "view", "products", "item", "observed", "P1D", "{}", "exclude"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdefgh_", min_size=1), inner, max_size=4)
    ),
    max_leaves=8,
)


def paths(value: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        pairs = []
    deeper = [path for key, inner in pairs for path in paths(inner, (*prefix, key))]
    return [*([prefix] if prefix else []), *deeper]


@given(st.sampled_from(paths(policy_data())), VALUES.filter(lambda value: "None" not in str(value)))
def test_any_value_at_any_place_is_read_or_refused(path, value):
    with suppress(PolicyError):
        Policy.parse(changed(path, value))


@given(st.sampled_from(paths(policy_data())))
def test_leaving_anything_out_is_read_or_refused(path):
    with suppress(PolicyError):
        Policy.parse(changed(path, None))


def test_a_file_over_the_bound_is_refused_before_it_is_read():
    good = to_toml(policy_data()) + b"#"
    filled = good.ljust(MAX_POLICY_BYTES, b" ")

    assert Policy.parse(filled) == policy()
    with pytest.raises(PolicyError, match="131073 bytes"):
        Policy.parse(filled + b" ")


def test_the_largest_policy_fits_the_bound():
    data = policy_data()
    data["policy"]["contexts"] = [f"context-{row}" + "x" * 15 for row in range(8)]
    full = {"contexts": data["policy"]["contexts"], "retention_reason": "r" * 300}
    data["purpose"] = [purpose_data(id=f"p{row}" + "x" * 60, **full) for row in range(16)]
    data["sensitive"] = {"mode": "exclude", "categories": [f"{row:060}" for row in range(1000)]}

    assert len(to_toml(data)) < MAX_POLICY_BYTES
    assert len(policy(data).purposes) == 16
