"""The notice a shopper sees before choosing, written from the policy with the enforced numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shelfrank.consent.purposes import DEFAULT_CONTEXT
from shelfrank.consent.words import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Controller, FieldName, Granularity, Purpose
    from shelfrank.types import Kind, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What to show. Only `Consent.notice` makes one that `Consent.grant` accepts.

    Attributes:
        purpose: id of the purpose.
        language: the language of the texts.
        title: a few words.
        short: what is done and what is kept.
        benefit: what the shopper gains.
        without: what stays the same without it.
        detail: what exactly is kept, how long, where, how to leave, and who answers; generated.
        hash: SHA-256 (hex) of purpose, language and every word above.
        token: marks the one showing; good for one grant.
    """

    purpose: str
    language: Language
    title: str
    short: str
    benefit: str
    without: str
    detail: str
    hash: str
    token: str = field(repr=False)

    def __str__(self) -> str:
        return "\n".join((self.title, self.short, self.benefit, self.without, self.detail))


def write_notice(policy: Policy, purpose: Purpose, language: Language, *, token: str) -> Notice:
    """Write the notice for a purpose.

    Args:
        policy: the policy in force.
        purpose: one of its purposes.
        language: one of the policy's languages.
        token: anything that has not been used before.
    """
    text = fill(
        purpose.texts[language],
        retention_days=purpose.retention_days,
        validity_days=purpose.validity_days,
    )
    detail = _detail(policy, purpose, language)
    words = [text.title, text.short, text.benefit, text.without, detail]
    hashed = json.dumps([policy.id, purpose.material_hash(), language, *words])
    return Notice(
        purpose=purpose.id,
        language=language,
        title=text.title,
        short=text.short,
        benefit=text.benefit,
        without=text.without,
        detail=detail,
        hash=hashlib.sha256(hashed.encode()).hexdigest(),
        token=token,
    )


def _detail(policy: Policy, purpose: Purpose, language: Language) -> str:
    """Return the second layer: one sentence for each thing a shopper may want to know."""
    more = _MORE[language]
    sentences = [_BASIS[language].format_map(_facts(purpose, language))]
    if purpose.max_events is not None:
        sentences.append(more["most"].format(count=purpose.max_events))
    if purpose.contexts != (DEFAULT_CONTEXT,):
        sentences.append(more["contexts"].format(contexts=", ".join(purpose.contexts)))
    parties = "; ".join(map(_party, policy.controllers))
    sentences.append(_LEAVING[language].format(controllers=parties))
    authorities = sorted({party.authority for party in policy.controllers} - {""})
    if authorities:
        sentences.append(more["authority"].format(authorities="; ".join(authorities)))
    return " ".join(sentences)


def _facts(purpose: Purpose, language: Language) -> dict[str, str]:
    kept = [_KINDS[language][kind] for kind in purpose.kinds]
    kept += [words for name, words in _FIELDS[language].items() if purpose.has_field(name)]
    return {
        "kept": ", ".join(kept),
        "granularity": GRANULARITY_WORDS[language][purpose.granularity],
        "retention": _days(purpose.retention_days, language),
        "validity": _days(purpose.validity_days, language),
    }


def _party(party: Controller) -> str:
    return f"{party.name} ({', '.join(filter(None, (party.address, party.contact)))})"


def _days(count: int, language: Language) -> str:
    one, more = _DAYS[language]
    return f"{count} {one if count == 1 else more}"


_BASIS: Final[Mapping[Language, str]] = {
    "de": (
        "Gemerkt wird nur auf diesem Gerät: {kept} (Zeit: {granularity}). "
        "Niemand bekommt es. "
        "Aufbewahrung: {retention}, dann wird es gelöscht. "
        "Grundlage ist Ihre Zustimmung; sie gilt: {validity}."
    ),
    "nl": (
        "Alleen op dit apparaat wordt onthouden: {kept} (tijd: {granularity}). "
        "Niemand krijgt het. "
        "Bewaartermijn: {retention}, daarna wordt het gewist. "
        "De grondslag is je toestemming; zij geldt: {validity}."
    ),
    "en": (
        "Kept on this device only: {kept} (time: {granularity}). "
        "Nobody is given it. "
        "Kept for: {retention}, then erased. "
        "The basis is your consent; it lasts: {validity}."
    ),
}

_LEAVING: Final[Mapping[Language, str]] = {
    "de": (
        "Sie können sie jederzeit an derselben Stelle zurücknehmen, ohne Grund und ohne Nachteil; "
        "dann wird das Gemerkte sofort gelöscht. "
        "Sie können das Gemerkte hier ansehen, berichtigen, mitnehmen und löschen. "
        "Verantwortlich: {controllers}."
    ),
    "nl": (
        "Je kunt haar altijd op dezelfde plek intrekken, zonder reden en zonder nadeel; "
        "dan wordt wat onthouden is meteen gewist. "
        "Je kunt wat onthouden is hier bekijken, verbeteren, meenemen en wissen. "
        "Verantwoordelijk: {controllers}."
    ),
    "en": (
        "You can withdraw it at any time in the same place, without a reason or a drawback; "
        "what was kept is then erased at once. "
        "You can see, correct, take along and erase here what was kept. "
        "Responsible: {controllers}."
    ),
}

_MORE: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "most": "Höchstens {count} Einträge, die neuesten.",
        "contexts": "Nur in diesen Bereichen, und in welchem, wird vermerkt: {contexts}.",
        "authority": "Beschwerden nimmt entgegen: {authorities}.",
    },
    "nl": {
        "most": "Hoogstens {count} regels, de nieuwste.",
        "contexts": "Alleen in deze delen van de winkel, en in welk, wordt genoteerd: {contexts}.",
        "authority": "Klachten kun je indienen bij: {authorities}.",
    },
    "en": {
        "most": "At most {count} entries, the newest.",
        "contexts": "In these parts of the shop only, and in which one is noted: {contexts}.",
        "authority": "You can complain to: {authorities}.",
    },
}

_FIELDS: Final[Mapping[Language, Mapping[FieldName, str]]] = {
    "de": {
        "quantity": "wie viel davon",
        "brand": "welche Marken Sie nennen",
        "category": "welche Warengruppen Sie nennen",
        "feedback": "was Sie zu einem Vorschlag sagen",
    },
    "nl": {
        "quantity": "hoeveel daarvan",
        "brand": "welke merken je noemt",
        "category": "welke productgroepen je noemt",
        "feedback": "wat je van een voorstel zegt",
    },
    "en": {
        "quantity": "how much of it",
        "brand": "which brands you name",
        "category": "which product groups you name",
        "feedback": "what you say about a suggestion",
    },
}
"""The fields beyond what a kind already says."""

_KINDS: Final[Mapping[Language, Mapping[Kind, str]]] = {
    "de": {
        "view": "was Sie ansehen",
        "cart": "was Sie in den Korb legen",
        "purchase": "was Sie kaufen",
        "like": "was Sie mögen",
        "dislike": "was Sie nicht mögen",
    },
    "nl": {
        "view": "wat je bekijkt",
        "cart": "wat je in je mandje legt",
        "purchase": "wat je koopt",
        "like": "wat je leuk vindt",
        "dislike": "wat je niet leuk vindt",
    },
    "en": {
        "view": "what you look at",
        "cart": "what you put in the basket",
        "purchase": "what you buy",
        "like": "what you like",
        "dislike": "what you do not like",
    },
}

GRANULARITY_WORDS: Final[Mapping[Language, Mapping[Granularity, str]]] = {
    "de": {"minute": "auf die Minute", "hour": "auf die Stunde", "day": "nur der Tag"},
    "nl": {"minute": "op de minuut", "hour": "op het uur", "day": "alleen de dag"},
    "en": {"minute": "to the minute", "hour": "to the hour", "day": "the day only"},
}

_DAYS: Final[Mapping[Language, tuple[str, str]]] = {
    "de": ("Tag", "Tage"),
    "nl": ("dag", "dagen"),
    "en": ("day", "days"),
}
