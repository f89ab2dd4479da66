"""The notice a shopper sees before choosing, written from the policy with the enforced numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shelfrank.consent.words import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Granularity, Purpose
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
    kinds = ", ".join(_KINDS[language][kind] for kind in purpose.kinds)
    parties = "; ".join(f"{party.name} ({party.contact})" for party in policy.controllers)
    return _DETAIL[language].format(
        kinds=kinds,
        granularity=_GRANULARITIES[language][purpose.granularity],
        retention=_days(purpose.retention_days, language),
        validity=_days(purpose.validity_days, language),
        controllers=parties,
    )


def _days(count: int, language: Language) -> str:
    one, more = _DAYS[language]
    return f"{count} {one if count == 1 else more}"


_DETAIL: Final[Mapping[Language, str]] = {
    "de": (
        "Gemerkt wird nur auf diesem Gerät: {kinds} (Zeit: {granularity}). "
        "Aufbewahrung: {retention}, dann wird es gelöscht. Ihre Zustimmung gilt: {validity}. "
        "Sie können sie jederzeit an derselben Stelle zurücknehmen, ohne Grund und ohne Nachteil; "
        "dann wird das Gemerkte sofort gelöscht. Verantwortlich: {controllers}."
    ),
    "nl": (
        "Alleen op dit apparaat wordt onthouden: {kinds} (tijd: {granularity}). "
        "Bewaartermijn: {retention}, daarna wordt het gewist. Je toestemming geldt: {validity}. "
        "Je kunt haar altijd op dezelfde plek intrekken, zonder reden en zonder nadeel; "
        "dan wordt wat onthouden is meteen gewist. Verantwoordelijk: {controllers}."
    ),
    "en": (
        "Kept on this device only: {kinds} (time: {granularity}). "
        "Kept for: {retention}, then erased. Your consent lasts: {validity}. "
        "You can withdraw it at any time in the same place, without a reason or a drawback; "
        "what was kept is then erased at once. Responsible: {controllers}."
    ),
}

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

_GRANULARITIES: Final[Mapping[Language, Mapping[Granularity, str]]] = {
    "de": {"minute": "auf die Minute", "hour": "auf die Stunde", "day": "nur der Tag"},
    "nl": {"minute": "op de minuut", "hour": "op het uur", "day": "alleen de dag"},
    "en": {"minute": "to the minute", "hour": "to the hour", "day": "the day only"},
}

_DAYS: Final[Mapping[Language, tuple[str, str]]] = {
    "de": ("Tag", "Tage"),
    "nl": ("dag", "dagen"),
    "en": ("day", "days"),
}
