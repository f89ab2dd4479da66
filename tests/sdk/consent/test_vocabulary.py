"""Purposes and fields have their terms in other vocabularies, derived where none is declared."""

from __future__ import annotations

import pytest

from shelfrank.consent.purposes import FIELD_NAMES, SURFACES
from shelfrank.consent.vocabulary import fideslang_term, field_terms, iri, purpose_terms
from shelfrank.types import KINDS
from support.shopper import policy


def purpose(**changes):
    return policy(**changes).purpose("rank_products")


@pytest.mark.parametrize(
    ("changes", "terms", "use"),
    [
        (
            {"surfaces": ["products"]},
            ("dpv:ProvideProductRecommendations",),
            "personalize.content.profiled",
        ),
        (
            {"surfaces": ["offers", "text", "navigation"]},
            ("dpv:PersonalisedBenefits", "dpv:UserInterfacePersonalisation"),
            "personalize.content.profiled",
        ),
        ({"area": "measurement"}, ("dpv:ServiceUsageAnalytics",), "analytics"),
        (
            {"dpv": "dpv:Marketing", "fideslang": "personalize.system"},
            ("dpv:Marketing",),
            "personalize.system",
        ),
    ],
)
def test_a_purpose_is_named_by_what_it_does(changes, terms, use):
    assert purpose_terms(purpose(**changes)) == terms
    assert fideslang_term(purpose(**changes)) == use


def test_a_field_is_of_the_category_of_what_happened():
    bought = purpose(kinds=["purchase", "view"])

    assert field_terms(bought, "time") == ("pd:BrowsingBehaviour", "pd:Purchase")
    assert field_terms(bought, "brand") == ("pd:Preference",)
    assert field_terms(bought, "feedback") == ("pd:Dislike", "pd:Like")


def test_whatever_a_policy_can_say_has_a_term_that_can_be_written_out():
    everything = purpose(surfaces=list(SURFACES), kinds=list(KINDS))
    terms = {
        *purpose_terms(everything),
        *(term for name in FIELD_NAMES for term in field_terms(everything, name)),
    }

    assert all(iri(term).startswith("https://w3id.org/dpv") for term in terms)
