"""A policy that passes every check without a warning, to be broken one thing at a time."""

from __future__ import annotations

import copy
from datetime import date
from typing import TYPE_CHECKING, Final

from support.shopper import to_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.shopper import Data

TODAY: Final = date(2026, 11, 25)

_OBSERVED: Final = [{"name": n, "origin": "observed"} for n in ("item", "kind", "time", "visit")]


def careful_data() -> Data:
    """Return the policy as nested tables to change."""
    return {
        "policy": {
            "id": "careful-shop",
            "version": 4,
            "languages": ["de", "nl", "en"],
            "contexts": ["kiosk", "shop"],
            "preset": ["us_va"],
            "reviewed_by": "The data protection officer",
            "reviewed_on": date(2026, 10, 1),
            "controller": {
                "name": "Careful Shop",
                "address": "Location Street 1, 12345 Pushton",
                "contact": "privacy@shop.example",
                "authority": "The authority",
            },
        },
        "ages": {"minimum": 16},
        "sensitive": {"mode": "exclude", "categories": ["drug/location spray", "spirits"]},
        "purpose": [
            {
                "id": "rank_products",
                "area": "sales",
                "use_case": "product ranking",
                "surfaces": ["products"],
                "kinds": ["view", "purchase"],
                "contexts": ["kiosk", "shop"],
                "granularity": "day",
                "retention": "P180D",
                "validity": "P12M",
                "benefit_type": "relevance",
                "field": [*_OBSERVED, {"name": "brand", "origin": "declared"}],
                "text": {
                    "de": {
                        "title": "Produkte in Ihrer Reihenfolge",
                        "short": "Dieses Gerät merkt sich {retention_days} Tage, was Sie kaufen.",
                        "benefit": "Sie finden schneller, was Sie suchen.",
                        "without": "Sonst sehen Sie die Reihenfolge, die alle sehen.",
                    },
                    "nl": {
                        "title": "Producten in jouw volgorde",
                        "short": "Dit apparaat onthoudt {retention_days} dagen wat je koopt.",
                        "benefit": "Je vindt sneller wat je zoekt.",
                        "without": "Anders zie je de volgorde die iedereen ziet.",
                    },
                    "en": {
                        "title": "Products in your order",
                        "short": "This device keeps what you buy for {retention_days} days.",
                        "benefit": "You find things faster.",
                        "without": "Otherwise you see the order everyone sees.",
                    },
                },
            },
            {
                "id": "sort_offers",
                "area": "marketing",
                "use_case": "order of offers",
                "surfaces": ["offers"],
                "kinds": ["like", "dislike"],
                "granularity": "day",
                "retention": "P12M",
                "validity": "P6M",
                "benefit_type": "savings",
                "field": list(_OBSERVED),
                "text": {
                    "de": {
                        "title": "Angebote in Ihrer Reihenfolge",
                        "short": "Dieses Gerät merkt sich ein Jahr, was Ihnen gefällt.",
                        "benefit": "Rabatte, die zu Ihnen passen, stehen oben.",
                        "without": "Sonst sehen Sie dieselben Angebote, aber anders sortiert.",
                    },
                    "nl": {
                        "title": "Aanbiedingen in jouw volgorde",
                        "short": "Dit apparaat onthoudt één jaar wat je leuk vindt.",
                        "benefit": "Kortingen die bij je passen staan bovenaan.",
                        "without": "Anders zie je dezelfde aanbiedingen in een andere volgorde.",
                    },
                    "en": {
                        "title": "Offers in your order",
                        "short": "This device keeps what you like for a year: twelve months.",
                        "benefit": "Discounts that suit you come first.",
                        "without": "Otherwise you see the same offers, sorted otherwise.",
                    },
                },
            },
        ],
    }


def careful_policy() -> bytes:
    """Return the policy as a file."""
    return to_toml(careful_data())


def careless(*changes: tuple[Sequence[str | int], object]) -> bytes:
    """Return the policy as a file with values replaced; None removes one."""
    data = copy.deepcopy(careful_data())
    for path, value in changes:
        here: object = data
        for step in path[:-1]:
            here = here[step]  # type: ignore[index]
        assert isinstance(here, (dict, list))
        if value is None:
            del here[path[-1]]  # type: ignore[arg-type]
        else:
            here[path[-1]] = value  # type: ignore[index]
    return to_toml(data)
