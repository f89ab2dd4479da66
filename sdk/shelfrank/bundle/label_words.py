"""A label in five lines that a customer reads in 20 seconds, in de, nl and en.

Written from what the label states, never from text in it, so that no label can put words here.
Nothing is ever called anonymous, and a threshold is never called differential privacy.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from shelfrank.bundle.label_truth import MODERATE_EPSILON, SMALL_EPSILON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from shelfrank.bundle.label import Label
    from shelfrank.types import Language


class Line(NamedTuple):
    """One line of a label.

    Attributes:
        heading: what is told, in a few words.
        text: one or two sentences.
    """

    heading: str
    text: str


# More than four make nobody read on; the full table has them all.
_SHOWN_CATEGORIES: Final = 4

_HEADINGS: Final[Mapping[Language, tuple[str, ...]]] = {
    "de": ("Zweck", "Gelernt aus", "Kann nicht enthalten", "Schutz", "Bis wann"),
    "nl": ("Doel", "Geleerd van", "Kan niet bevatten", "Bescherming", "Tot wanneer"),
    "en": ("Purpose", "Learned from", "Cannot contain", "Protection", "Until when"),
}

_TEXTS: Final[Mapping[str, Mapping[Language, str]]] = {
    "does": {
        "de": "Ordnet die Produkte dieses Geschäfts für Sie, auf Ihrem Gerät.",
        "nl": "Zet de producten van deze winkel in jouw volgorde, op jouw apparaat.",
        "en": "Puts this shop's products in your order, on your device.",
    },
    "no_model": {
        "de": "Noch keiner: Das sind Zählungen, aus denen ein Modell lernen kann.",
        "nl": "Nog geen: dit zijn tellingen waarvan een model kan leren.",
        "en": "None yet: these are counts that a model may learn from.",
    },
    "learned": {
        "de": "Zählungen über {shoppers} Personen, {time}; {behind}.",
        "nl": "Tellingen over {shoppers} klanten, {time}; {behind}.",
        "en": "Counts over {shoppers} shoppers, {time}; {behind}.",
    },
    "about": {"de": "etwa {n}", "nl": "ongeveer {n}", "en": "about {n}"},
    "from_to": {"de": "{start} bis {end}", "nl": "{start} tot en met {end}",
                "en": "{start} to {end}"},
    "to": {"de": "bis {end}", "nl": "tot en met {end}", "en": "up to {end}"},
    "behind": {
        "de": "jede zählt mindestens {k}",
        "nl": "elke telt er minstens {k}",
        "en": "each counts at least {k}",
    },
    "behind_one": {
        "de": "eine kann für eine einzige stehen",
        "nl": "één kan voor één enkele staan",
        "en": "one may stand for a single shopper",
    },
    "cannot": {
        "de": "Namen, E-Mail-Adressen, Orte, Gerätekennungen, Einkaufslisten Einzelner. {excluded}",
        "nl": "Namen, e-mailadressen, plaatsen, apparaat-ID's, aankooplijsten van iemand. "
              "{excluded}",
        "en": "Names, e-mail addresses, places, device ids, anyone's list of purchases. "
              "{excluded}",
    },
    "excluded": {"de": "Ausgelassen: {paths}.", "nl": "Weggelaten: {paths}.",
                 "en": "Left out: {paths}."},
    "more": {"de": "{paths} und {n} weitere", "nl": "{paths} en nog {n}",
             "en": "{paths} and {n} more"},
    "nothing_excluded": {
        "de": "Keine Warengruppe wurde ausgelassen.",
        "nl": "Geen productgroep is weggelaten.",
        "en": "No category was left out.",
    },
    "no_categories": {
        "de": "Nach Warengruppen konnte nichts ausgelassen werden.",
        "nl": "Op productgroep kon niets worden weggelaten.",
        "en": "Nothing could be left out by category.",
    },
    "threshold": {
        "de": "Zahlen über weniger als {k} Personen fehlen. Vergleiche können trotzdem auf wenige "
              "deuten: Das ist keine Differential Privacy.",
        "nl": "Aantallen onder {k} klanten ontbreken. Vergelijken kan toch op weinigen wijzen: dit "
              "is geen differentiële privacy.",
        "en": "Counts below {k} shoppers are missing. Comparing counts can still point at few: "
              "this is not differential privacy.",
    },
    "unprotected": {
        "de": "Kaum: nur für Forschung mit öffentlichen Daten. Das ist keine Differential Privacy.",
        "nl": "Nauwelijks: alleen voor onderzoek met openbare gegevens. Dit is geen differentiële "
              "privacy.",
        "en": "Hardly any: for research on public data only. This is not differential privacy.",
    },
    "epsilon": {
        "de": "Eine Person mehr oder weniger ändert jede veröffentlichte Zahl nur innerhalb einer "
              "bewiesenen, {size} Grenze (Epsilon {epsilon}, Delta {delta}).",
        "nl": "Eén klant meer of minder verandert elk gepubliceerd getal alleen binnen een "
              "bewezen, {size} grens (epsilon {epsilon}, delta {delta}).",
        "en": "One shopper more or less changes any published number only within a proven, {size} "
              "bound (epsilon {epsilon}, delta {delta}).",
    },
    "small": {"de": "kleinen", "nl": "kleine", "en": "small"},
    "moderate": {"de": "mittleren", "nl": "middelmatige", "en": "moderate"},
    "wide": {"de": "weiten", "nl": "ruime", "en": "wide"},
    "until": {
        "de": "Geräte übernehmen es bis {end}.",
        "nl": "Apparaten nemen het over tot {end}.",
        "en": "Devices take it up until {end}.",
    },
    "unpublished": {
        "de": "Noch nicht veröffentlicht.",
        "nl": "Nog niet gepubliceerd.",
        "en": "Not published yet.",
    },
}  # fmt: skip

WARNINGS: Final[Mapping[str, Mapping[Language, str]]] = {
    "unprotected": {
        "de": "Ungeschützt: Es sind Zahlen über wenige Personen darin; nur für Forschung.",
        "nl": "Onbeschermd: er zitten getallen over weinig klanten in; alleen voor onderzoek.",
        "en": "Unprotected: numbers about few shoppers are in it; for research only.",
    },
    "no_categories": {
        "de": "Ohne Warengruppen: Sensible Artikel konnten nicht ausgelassen werden.",
        "nl": "Zonder productgroepen: gevoelige artikelen konden niet worden weggelaten.",
        "en": "No categories: sensitive items could not be left out.",
    },
    "no_differential_privacy": {
        "de": "Keine Differential Privacy: Eine Schwelle verbirgt kleine Gruppen, mehr nicht.",
        "nl": "Geen differentiële privacy: een drempel verbergt kleine groepen, meer niet.",
        "en": "No differential privacy: a threshold hides small groups, no more.",
    },
    "few_shoppers": {
        "de": "Kleine Gruppen: Manche Zahl steht für weniger als 20 Personen.",
        "nl": "Kleine groepen: een getal kan voor minder dan 20 klanten staan.",
        "en": "Small groups: a number may stand for fewer than 20 shoppers.",
    },
    "wide_bound": {
        "de": "Weite Grenze: Ein Epsilon über 4 verspricht wenig.",
        "nl": "Ruime grens: een epsilon boven 4 belooft weinig.",
        "en": "Wide bound: an epsilon above 4 promises little.",
    },
    "no_policy": {
        "de": "Ohne Richtlinie: Nur was der Katalog als sensibel kennzeichnet, wurde ausgelassen.",
        "nl": "Zonder beleid: alleen wat de catalogus gevoelig noemt, is weggelaten.",
        "en": "No policy: only what the catalog marks as sensitive was left out.",
    },
}
"""What each code of `shelfrank.bundle.label_truth.LEVELS` says."""

_MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    "de": ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
           "Oktober", "November", "Dezember"),
    "nl": ("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september",
           "oktober", "november", "december"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December"),
}  # fmt: skip


def lines(label: Label, language: Language) -> tuple[Line, ...]:
    """Return the five lines: what it does, learned from, cannot contain, how protected, until when.

    Args:
        label: parsed, so that its statements do not contradict each other.
        language: de, nl or en.

    Raises:
        ValueError: another language.
    """
    if language not in _HEADINGS:
        raise ValueError(f"language is {language!r}, wanted one of {', '.join(_HEADINGS)}")
    texts = (
        _say("does" if label.model is not None else "no_model", language),
        _learned(label, language),
        _say("cannot", language, excluded=_excluded(label, language)),
        _protection(label, language),
        _say("unpublished", language)
        if label.bundle is None
        else _say("until", language, end=_date(label.bundle.valid_until, language)),
    )
    return tuple(map(Line, _HEADINGS[language], texts))


def warnings(label: Label, language: Language) -> tuple[str, ...]:
    """Return the warnings, the red ones first."""
    return tuple(WARNINGS[code][language] for code in label.warnings)


def _learned(label: Label, language: Language) -> str:
    shoppers = _whole(sum(source.shoppers for source in label.sources), language)
    if label.epsilon is not None:
        shoppers = _say("about", language, n=shoppers)
    # The end is exclusive: a range until midnight ends on the day before.
    last = max(source.time_to for source in label.sources) - timedelta.resolution
    starts = [source.time_from for source in label.sources]
    known = [start for start in starts if start is not None]
    end = _date(last, language)
    time = (
        _say("from_to", language, start=_date(min(known), language), end=end)
        if len(known) == len(starts)
        else _say("to", language, end=end)
    )
    k = label.min_shoppers
    behind = _say("behind_one" if k == 1 else "behind", language, k=_whole(k, language))
    return _say("learned", language, shoppers=shoppers, time=time, behind=behind)


def _excluded(label: Label, language: Language) -> str:
    if not label.has_categories:
        return _say("no_categories", language)
    if not label.excluded_categories:
        return _say("nothing_excluded", language)
    return _say("excluded", language, paths=_some(label.excluded_categories, language))


def _some(paths: Sequence[str], language: Language) -> str:
    shown = ", ".join(paths[:_SHOWN_CATEGORIES])
    rest = len(paths) - _SHOWN_CATEGORIES
    return _say("more", language, paths=shown, n=_whole(rest, language)) if rest > 0 else shown


def _protection(label: Label, language: Language) -> str:
    if label.epsilon is None or label.delta is None:
        reason = "unprotected" if label.unprotected else "threshold"
        return _say(reason, language, k=_whole(label.min_shoppers, language))
    size = (
        "small"
        if label.epsilon <= SMALL_EPSILON
        else "moderate"
        if label.epsilon <= MODERATE_EPSILON
        else "wide"
    )
    return _say(
        "epsilon",
        language,
        size=_say(size, language),
        epsilon=_decimal(label.epsilon, language),
        delta=_decimal(label.delta, language),
    )


def _say(text: str, language: Language, **values: str) -> str:
    return _TEXTS[text][language].format(**values)


def _date(moment: datetime, language: Language) -> str:
    month = _MONTHS[language][moment.month - 1]
    point = "." if language == "de" else ""
    return f"{moment.day}{point} {month} {moment.year}"


def _whole(number: int, language: Language) -> str:
    text = f"{number:,}"
    return text if language == "en" else text.replace(",", ".")


def _decimal(number: float, language: Language) -> str:
    text = f"{number:.3g}".replace("e-0", "e-")
    return text if language == "en" else text.replace(".", ",")
