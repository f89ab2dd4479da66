"""Reasons in words: true, short, and silent about the past on a shared screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.types import Language

Audience = Literal["owner", "bystander"]
"""Who reads the reason: the shopper alone, or anybody who sees the screen."""

AUDIENCES: Final[tuple[Audience, ...]] = get_args(Audience)

_TEXTS: Final[Mapping[str, Mapping[Language, str]]] = {
    "popularity": {
        "de": "Gerade bei vielen beliebt.",
        "nl": "Op dit moment bij velen geliefd.",
        "en": "Popular with many shoppers right now.",
    },
    "next": {
        "de": "Folgt oft auf „{item}“.",
        "nl": "Volgt vaak op ‘{item}’.",
        "en": "Often follows “{item}”.",
    },
    "affinity": {
        "de": "Passt zu „{item}“ aus Ihren Einkäufen.",
        "nl": "Past bij ‘{item}’ uit jouw aankopen.",
        "en": "Goes with “{item}” from your history.",
    },
    "category": {
        "de": "Aus einem Bereich, der zu „{item}“ passt.",
        "nl": "Uit een afdeling die past bij ‘{item}’.",
        "en": "From a part of the shop that goes with “{item}”.",
    },
    "repeat": {
        "de": "Darauf kommen Sie immer wieder zurück.",
        "nl": "Hier kom je vaker op terug.",
        "en": "You come back to this one.",
    },
    "repeat_once": {
        "de": "Das haben Sie schon einmal angesehen oder gewählt.",
        "nl": "Dit bekeek of koos je al eens eerder.",
        "en": "You looked at this one or chose it before.",
    },
    "preference": {
        "de": "Davon möchten Sie mehr sehen.",
        "nl": "Hiervan wil je meer zien.",
        "en": "You asked for more of this.",
    },
    "generic": {
        "de": "Für alle gleich: ohne Ihre Daten gereiht.",
        "nl": "Voor iedereen gelijk: zonder jouw gegevens gerangschikt.",
        "en": "The same for everyone: ranked without your data.",
    },
    "filler": {
        "de": "Ohne besonderen Grund: Es füllt die Liste.",
        "nl": "Zonder bijzondere reden: het vult de lijst aan.",
        "en": "For no particular reason: it fills the list.",
    },
    "bystander": {
        "de": "Nach Ihren Vorlieben in diesem Laden.",
        "nl": "Naar jouw voorkeuren in deze winkel.",
        "en": "Based on your choices in this shop.",
    },
}

_IMPERSONAL: Final = frozenset({"popularity", "generic", "filler"})


def sentence(
    reason: str, *, language: Language, audience: Audience = "owner", item: str | None = None
) -> str:
    """Return one sentence for a reason.

    Args:
        reason: name of a part, ``repeat_once``, ``generic`` or ``filler`` (nothing speaks for the
            item); an unknown part is told as ``bystander``.
        language: de, nl or en.
        audience: a bystander learns of no past item, not even that there is one.
        item: title of the past item that contributed most, for reasons that name one.

    Raises:
        ValueError: a language that is not there, or another audience.
    """
    if audience not in AUDIENCES:
        raise ValueError(f"audience is {audience!r}, wanted one of {', '.join(AUDIENCES)}")
    texts = _TEXTS.get(reason, _TEXTS["bystander"])
    if audience == "bystander" and reason not in _IMPERSONAL:
        texts = _TEXTS["bystander"]
    if "{item}" in texts["en"] and item is None:
        texts = _TEXTS["bystander"]
    if language not in texts:
        raise ValueError(f"language is {language!r}, wanted one of {', '.join(sorted(texts))}")
    return texts[language].format(item=item)
