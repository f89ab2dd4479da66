"""With two policies the stricter holds, and the order in which they meet never matters."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from shelfrank.consent.policy import (
    Ages,
    Controller,
    Field,
    Policy,
    Purpose,
    Review,
    Sensitive,
    Text,
    stricter,
)
from shelfrank.consent.purposes import (
    ADULTS_ONLY,
    AREAS,
    BENEFIT_TYPES,
    GRANULARITIES,
    NECESSITIES,
    SENSITIVE_MODES,
    STRUCTURAL_FIELDS,
    SURFACES,
)
from shelfrank.errors import LabelError
from shelfrank.types import KINDS, LANGUAGES
from support.labels import facts, label, noisy_facts
from support.shopper import START, changed, policy, policy_data, purpose_data

LABELS = [
    label(facts(excluded_categories=("wine",))),
    label(facts(min_shoppers=10, excluded_categories=("drug", "wine"))),
    label(noisy_facts((0.001, 0.001, 0.001), excluded_categories=("drug", "wine"))),
    label(noisy_facts((0.01, 0.01, 0.01), min_shoppers=20, excluded_categories=("drug/baby",))),
]
"""They keep some of the policies drawn here, and not others."""


class Dice:
    """Picks from one large number: drawing fifty parts of a policy one by one is slow."""

    def __init__(self, number: int) -> None:
        self._rest = number

    def one(self, values):
        """Return one of `values`."""
        self._rest, position = divmod(self._rest, len(values))
        return values[position]

    def some(self, values):
        """Return one or more of `values`, in their order."""
        picked = self.one(range(1, 2 ** len(values)))
        return tuple(value for bit, value in enumerate(values) if picked >> bit & 1)


def make_purpose(dice, purpose_id, languages, contexts):
    """Return a purpose that a policy file could declare."""
    names = dice.one([STRUCTURAL_FIELDS, (*STRUCTURAL_FIELDS, "quantity")])
    days = range(1, 6)
    return Purpose(
        id=purpose_id,
        area=dice.one([*AREAS[:1] * 5, AREAS[1]]),
        use_case=dice.one(["ranking"] * 5 + ["greeting"]),
        surfaces=dice.some(SURFACES),
        kinds=dice.some(KINDS),
        fields=tuple(
            Field(
                name=name,
                origin=dice.one(["observed"] * 30 + ["declared"]),
                necessity=dice.one(NECESSITIES),
            )
            for name in names
        ),
        granularity=dice.one(GRANULARITIES),
        retention_days=dice.one(days),
        validity_days=dice.one(days),
        reask_days=dice.one(days),
        benefit_type=dice.one(BENEFIT_TYPES),
        texts={
            language: Text(title=dice.one("abc"), short=dice.one("abc"), benefit="b", without="w")
            for language in languages
        },
        contexts=dice.one([*[contexts] * 5, contexts[:1]]),
        max_events=dice.one([None, 3, 5]),
        retention_reason=dice.one(["", "a", "b"]),
        dpv=dice.one(["", "dpv:A", "dpv:B"]),
        fideslang=dice.one(["", "a.b", "c"]),
    )


def make_policy(number):
    """Return a policy that a file could hold."""
    dice = Dice(number)
    mode = dice.one(SENSITIVE_MODES)
    categories = dice.some(["drug", "drug/baby", "spirits"]) if mode == "exclude" else ()
    languages = dice.some(LANGUAGES)
    # First, while there is something left of the number: the purposes use most of it up.
    max_epsilon = dice.one([None, 0.5, 1.0, 3.0])
    must_exclude = dice.one([(), ("drug",), ("drug/baby", "wine"), ("wine",)])
    contexts = dice.one([*[("kiosk", "shop")] * 6, ("kiosk",), ("shop",)])
    ages = Ages(
        minimum=dice.one([13, 16, 18]),
        unknown_is_minor=dice.one([ADULTS_ONLY, AREAS, ("sales", *ADULTS_ONLY)]),
    )
    presets = dice.one([(), ("eu_gdpr",), ("us_va",), ("eu_gdpr", "us_va")])
    reviews = dice.one([(), (Review(by="A", on=date(2026, 1, 1)),)])
    return Policy(
        id=dice.one(["app", "bundle", "shop"]),
        version=dice.one(range(1, 4)),
        languages=languages,
        controllers=(Controller(name=dice.one("AB"), contact="c"),),
        sensitive=Sensitive(mode=mode, categories=categories),
        purposes=tuple(
            make_purpose(dice, purpose_id, languages, contexts) for purpose_id in dice.some("ab")
        ),
        min_shoppers=dice.one([10, 20, 50]),
        max_epsilon=max_epsilon,
        must_exclude=must_exclude,
        contexts=contexts,
        ages=ages,
        presets=presets,
        reviews=reviews,
    )


def policies():
    """Draw a policy."""
    return st.integers(0, 2**500).map(make_policy)


@given(policies(), policies())
def test_the_order_does_not_matter(one, other):
    assert stricter(one, other) == stricter(other, one)


@given(policies(), policies(), policies())
def test_the_grouping_does_not_matter(one, other, third):
    assert stricter(stricter(one, other), third) == stricter(one, stricter(other, third))


@given(policies(), policies())
def test_the_same_policy_again_changes_nothing(one, other):
    both = stricter(one, other)

    assert stricter(one, one) == one
    assert stricter(both, one) == both
    assert stricter(both, both) == both


@given(policies(), policies())
def test_whatever_either_forbids_is_forbidden(one, other):
    both = stricter(one, other)

    assert both.min_shoppers >= max(one.min_shoppers, other.min_shoppers)
    for asked in (one.max_epsilon, other.max_epsilon):
        assert asked is None or (both.max_epsilon is not None and both.max_epsilon <= asked)
    assert {*one.must_exclude, *other.must_exclude} == set(both.must_exclude)
    assert both.ages.minimum == max(one.ages.minimum, other.ages.minimum)
    assert {*one.ages.unknown_is_minor, *other.ages.unknown_is_minor} == set(
        both.ages.unknown_is_minor
    )
    assert set(both.contexts) == {*one.contexts} & {*other.contexts}
    for purpose in both.purposes:
        for policy_ in (one, other):
            was = policy_.purpose(purpose.id)
            assert set(purpose.kinds) <= set(was.kinds)
            assert set(purpose.surfaces) <= set(was.surfaces)
            assert {f.name for f in purpose.fields} <= {f.name for f in was.fields}
            assert purpose.retention_days <= was.retention_days
            assert purpose.validity_days <= was.validity_days
            assert purpose.reask_days >= was.reask_days
            assert purpose.coarsen(START) <= was.coarsen(START)
            assert set(purpose.contexts) <= set(was.contexts)
            if was.max_events is not None:
                assert purpose.max_events is not None
                assert purpose.max_events <= was.max_events
            assert set(purpose.texts) == set(both.languages) <= set(policy_.languages)


@given(policies(), policies(), st.sampled_from(["drug", "drug/baby/x", "spirits", "milk", None]))
def test_what_either_finds_sensitive_is_sensitive(one, other, category):
    both = stricter(one, other)
    judges = [p.sensitive for p in (one, other) if p.sensitive.mode == "exclude"]
    # A policy for catalogs without categories judges none; alone it takes none: it fails closed.
    expected = any(judge.covers(category) for judge in judges or [one.sensitive])
    assert both.sensitive.covers(category) == expected


@given(policies(), policies())
def test_a_label_that_keeps_the_stricter_keeps_both_and_the_other_way_round(one, other):
    def keeps(made, policy_):
        try:
            made.require(policy_)
        except LabelError:
            return False
        return True

    both = stricter(one, other)
    for made in LABELS:
        assert keeps(made, both) == (keeps(made, one) and keeps(made, other))


def test_most_drawn_pairs_have_something_left_to_compare():
    drawn = [stricter(make_policy(3**n), make_policy(5**n)) for n in range(150, 250)]

    assert sum(bool(both.purposes) for both in drawn) > 20


@given(policies(), policies())
def test_where_either_does_not_know_the_region_nobody_does(one, other):
    named = {*one.presets, *other.presets} if one.presets and other.presets else set()

    assert set(stricter(one, other).presets) == named


def test_a_purpose_without_a_context_in_both_is_gone():
    only_kiosk = policy_data()
    only_kiosk["policy"] |= {"contexts": ["kiosk", "shop"]}
    only_kiosk["purpose"] = [purpose_data(contexts=["kiosk"])]

    assert stricter(policy(), policy(only_kiosk)).purposes == ()


def test_the_reason_shown_is_that_of_the_retention_in_force():
    long = policy(retention="P500D", retention_reason="Christmas comes once a year.")

    shorter = policy(retention="P400D", retention_reason="So is the barbecue, nearly.")

    assert stricter(long, policy()).purpose("rank_products").retention_reason == ""
    assert stricter(long, shorter).purpose("rank_products").retention_reason == (
        "So is the barbecue, nearly."
    )
    assert stricter(long, long).purpose("rank_products").retention_reason == (
        "Christmas comes once a year."
    )


def test_a_text_that_spells_out_the_retention_stays_true():
    def with_text(retention: str, short: str) -> Policy:
        words = {"title": "T", "short": short, "benefit": "B", "without": "W"}
        texts = dict.fromkeys(("de", "nl", "en"), words)
        return policy(retention=retention, text=texts)

    both = stricter(with_text("P400D", "For 400 days."), with_text("P90D", "For 90 days."))

    purpose = both.purpose("rank_products")
    assert (purpose.retention_days, purpose.texts["en"].short) == (90, "For 90 days.")


def test_the_same_id_for_another_use_is_another_purpose_and_drops_out():
    other = policy_data()
    other["purpose"] = [purpose_data(use_case="setting prices")]

    assert stricter(policy(), policy(other)).purposes == ()


def test_a_field_that_either_lets_the_shopper_switch_off_can_be_switched_off():
    optional = Policy.parse(changed(("purpose", 0, "field", 4, "necessity"), "optional"))

    for both in (stricter(policy(), optional), stricter(optional, policy())):
        fields = both.purpose("rank_products").fields
        assert [field.name for field in fields if field.necessity == "optional"] == ["quantity"]


def test_both_controllers_are_named():
    brand = Policy.parse(changed(("policy", "controller", "name"), "A Brand"))

    both = stricter(policy(), brand)

    assert [party.name for party in both.controllers] == ["A Brand", "Corner Shop"]
