"""What purposes and fields are called in other vocabularies, so that other tools can read a policy.

Terms of the W3C Data Privacy Vocabulary 2.3 (`dpv:`, `pd:`) and of Fides' taxonomy. They are
labels: nothing is permitted or forbidden by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.consent.purposes import PREFERENCE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.consent.purposes import FieldName, Origin, Purpose, Surface
    from shelfrank.types import Kind

NAMESPACES: Final[Mapping[str, str]] = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
}
"""What stands before the colon of a term, as an IRI."""

PLACE: Final = "dpv:WithinDevice"
"""Where everything happens."""

ORIGINS: Final[Mapping[Origin, str]] = {
    "declared": "dpv:CollectedPersonalData",
    "observed": "dpv:ObservedPersonalData",
}

_SURFACES: Final[Mapping[Surface, str]] = {
    "products": "dpv:ProvideProductRecommendations",
    "offers": "dpv:PersonalisedBenefits",
    "navigation": "dpv:UserInterfacePersonalisation",
    "text": "dpv:UserInterfacePersonalisation",
}

_KINDS: Final[Mapping[Kind, str]] = {
    "view": "pd:BrowsingBehaviour",
    "cart": "pd:BrowsingBehaviour",
    "purchase": "pd:Purchase",
    "like": "pd:Like",
    "dislike": "pd:Dislike",
}


def purpose_terms(purpose: Purpose) -> tuple[str, ...]:
    """Return the purpose's terms, sorted: the declared one, else one for each surface."""
    if purpose.dpv:
        return (purpose.dpv,)
    if purpose.area == "measurement":
        return ("dpv:ServiceUsageAnalytics",)
    return tuple(sorted({_SURFACES[surface] for surface in purpose.surfaces}))


def fideslang_term(purpose: Purpose) -> str:
    """Return the purpose's use in Fides' taxonomy: declared, else using a profile or measuring."""
    if purpose.fideslang:
        return purpose.fideslang
    return "analytics" if purpose.area == "measurement" else "personalize.content.profiled"


def field_terms(purpose: Purpose, name: FieldName) -> tuple[str, ...]:
    """Return the categories of personal data that a field holds, sorted.

    What is kept of an event is of the category of its kind: the time of a purchase is about a
    purchase.
    """
    if name == "feedback":
        return ("pd:Dislike", "pd:Like")
    if name in PREFERENCE_FIELDS:
        return ("pd:Preference",)
    return tuple(sorted({_KINDS[kind] for kind in purpose.kinds}))


def iri(term: str) -> str:
    """Return a term written out.

    >>> iri("dpv:WithinDevice")
    'https://w3id.org/dpv#WithinDevice'
    """
    prefix, _, name = term.partition(":")
    return NAMESPACES[prefix] + name
