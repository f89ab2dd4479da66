"""Words that a policy's texts are held against, in German, Dutch and English.

Lists of words catch habits, not intent: a text that passes can still be bad, and a person must read
it. A text that is caught says something that most readers skip, mistrust or cannot check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.types import Language


def _any_of(*words: str) -> re.Pattern[str]:
    """Match one of `words` where a word begins; what follows it may be an ending."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})", re.IGNORECASE)


EMPTY_BENEFITS: Final = _any_of(
    # English
    r"improv\w* (?:our|the|your) \w*\s?(?:services?|offers?|products?|experience)",
    r"enhanc\w* (?:our|the|your)",
    r"(?:better|best|optimal|great|tailored) (?:\w+ )?(?:experience|service|content)",
    r"personali[sz]ed (?:\w+ )?(?:experience|service|content)",
    r"serve you better",
    r"(?:marketing|business|advertising) purposes",
    r"(?:more )?relevant (?:ads|advertising)",
    r"your benefit",
    # German
    r"verbesser\w* unser",
    r"(?:unser\w*) (?:\w+ )?(?:zu )?(?:verbessern|optimieren)",
    r"(?:besser|best|optimal|personalisiert|individuell|einzigartig)\w* (?:\w+)?"
    r"(?:erlebnis|service|inhalte|angebot)",
    r"(?:einkaufs|nutzer|kunden)erlebnis",
    r"(?:marketing|werbe|geschäfts)zweck",
    r"(?:relevante|interessengerechte|passende)\w* werbung",
    r"(?:viele|tolle|zahlreiche) vorteile",
    # Dutch
    r"onze (?:\w+ )?(?:te )?(?:verbeteren|optimaliseren)",
    r"verbeter\w* (?:van )?onze",
    r"(?:betere|beste|optimale|gepersonaliseerde|unieke) (?:\w+)?(?:ervaring|service|inhoud)",
    r"(?:winkel|gebruikers|klant)ervaring",
    r"(?:marketing|reclame|zakelijke )doeleinden",
    r"relevante(?:re)? (?:advertenties|reclame)",
    r"(?:veel|vele) voordelen",
)
"""Benefits that say nothing a shopper could notice."""

JARGON: Final = _any_of(
    r"personal data",
    r"data subject",
    r"process(?:ing|ed) (?:of|by)",
    r"legitimate interest",
    r"pursuant",
    r"hereby",
    r"third[- ]part(?:y|ies)",
    r"algorithm",
    r"personenbezogen",
    r"betroffene\w* person",
    r"verarbeit",
    r"berechtigt\w* interess",
    r"gemäß",
    r"hiermit",
    r"algorithm",
    r"persoonsgegevens",
    r"betrokkene",
    r"verwerk",
    r"gerechtvaardigd belang",
    r"overeenkomstig",
    r"hierbij",
    r"algoritme",
)
"""The language of lawyers and engineers, which the first layer leaves to the second."""

LOCATION: Final = re.compile(
    r"(?<!\w)(?:geo-?|gps|locat(?:ion|e)|whereabouts|latitude|longitude|beacon|wlan|wi-?fi|bluetooth"
    r"|ortung|geodaten|aufenthaltsort|locatie|verblijfplaats)|standort",
    re.IGNORECASE,
)
"""Anything about where somebody is."""

PUSH: Final = _any_of(
    r"push",
    r"notif",
    r"newsletter",
    r"e-?mail",
    r"sms",
    r"whatsapp",
    r"messenger",
    r"benachrichtig",
    r"mitteilung",
    r"melding",
    r"notificatie",
)
"""Anything that reaches out to somebody who did not open the app."""

FOREIGN_KEYS: Final = _any_of(
    r"recipient", r"shared?_with", r"third", r"partner", r"vendor", r"processor", r"place"
)
"""Keys that only make sense where data come from elsewhere or go somewhere."""

PARTNERS: Final = _any_of(r"partner", r"affiliat", r"drittanbieter", r"adverteerder", r"advertiser")
"""Others who would bring or get data."""

DECISIONS: Final = _any_of(
    r"pric(?:e|ing)", r"credit", r"eligib", r"insur", r"scor(?:e|ing) (?:of )?(?:people|customers)",
    r"preis", r"kredit", r"bonität", r"versicherung", r"zahlungsart",
    r"prijs", r"prijzen", r"krediet", r"verzekering", r"betaalwijze",
)  # fmt: skip
"""What decides about somebody, rather than what is shown first."""

LEAVING: Final = _any_of(
    r"withdraw", r"revoke", r"opt[- ]?out", r"unsubscribe", r"object to", r"leaving",
    r"widerruf", r"zurücknehm", r"zurückzieh", r"abmeld", r"abbestell", r"widersprech", r"austret",
    r"intrek", r"herroep", r"afmeld", r"opzeg", r"uitschrijv",
)  # fmt: skip
"""Words for going back on a yes."""

EFFORT: Final = _any_of(
    r"in writing", r"letter", r"phone", r"call (?:us|our)", r"form(?!er|at)", r"support",
    r"account", r"log ?in", r"sign in", r"in (?:the|our) (?:store|shop)",
    r"within \S+ (?:days|weeks)",
    r"up to \S+ (?:days|weeks)", r"for a fee", r"give (?:us )?(?:a|your) reason",
    r"send us", r"write to us",
    r"schriftlich", r"brief", r"telefon", r"anruf", r"formular", r"kundendienst", r"kundenkonto",
    r"einlogg", r"anmeld", r"in der filiale", r"innerhalb von",
    r"gegen (?:eine )?gebühr", r"(?:grund|begründung) angeben", r"schreiben sie",
    r"schriftelijk", r"telefoon", r"bel(?:len)? ", r"formulier", r"klantenservice", r"inlogg",
    r"in de winkel", r"binnen \S+ (?:dagen|weken)", r"tegen kosten", r"geef (?:een |je )?reden",
    r"stuur ons", r"schrijf ons",
)  # fmt: skip
"""What a yes does not take, so a no must not either."""

WITHDRAWAL_KEYS: Final = _any_of(
    r"withdraw", r"revo(?:ke|cation)", r"opt_?out", r"confirm", r"cooling", r"notice_period"
)
"""Keys that would describe a way out of its own: there is one, and it is one call."""

PENALTIES: Final = _any_of(
    r"(?:you )?(?:will )?los(?:e|ing)", r"miss out",
    r"(?:cannot|can't|unable to) (?:use|buy|order)",
    r"no (?:more )?(?:discount|offer|voucher|deal)", r"unavailable", r"worse",
    r"unfortunately",
    r"verlier", r"verpass", r"nicht mehr (?:nutz|kauf|bestell)",
    r"keine? (?:rabatt|angebot|gutschein)", r"gesperrt", r"nachteil", r"eingeschränkt",
    r"schlechter", r"leider",
    r"verlies", r"mis je", r"niet meer (?:gebruik|kop|bestel)",
    r"geen (?:korting|aanbieding|tegoed)", r"geblokkeerd", r"nadeel", r"beperkt",
    r"slechter", r"helaas",
)  # fmt: skip
"""Threats: what is lost by a no."""

REWARDS: Final = _any_of(
    r"voucher", r"reward", r"bonus points?", r"loyalty points?", r"free gift", r"cash ?back",
    r"gutschein", r"prämie", r"bonuspunkt", r"treuepunkt", r"geschenk",
    r"tegoedbon", r"beloning", r"spaarpunt", r"cadeau",
)  # fmt: skip
"""What would be paid for a yes."""

FOREVER: Final = _any_of(
    r"for ?ever", r"permanently", r"indefinitely", r"für immer", r"dauerhaft", r"unbegrenzt",
    r"voor altijd", r"voorgoed", r"onbeperkt",
)  # fmt: skip
"""Times without an end: every one has an end here."""

PLACEHOLDER_TEXT: Final = re.compile(
    r"^\W*$|todo|tbd|xxx|lorem|fill in|ausfüllen|invullen", re.IGNORECASE
)
"""What is left in a file that nobody finished."""

# --- Durations in words ---

_COUNTS: Final[Mapping[Language, str]] = {
    "de": "ein(?:e|en|em|er)? zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "nl": "(?:een|één) twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "en": "(?:one|an?) two three four five six seven eight nine ten eleven twelve",
}
_MORE_COUNTS: Final[Mapping[Language, Mapping[int, str]]] = {
    "de": {14: "vierzehn", 18: "achtzehn", 24: "vierundzwanzig", 30: "drei(?:ß|ss)ig",
           60: "sechzig", 90: "neunzig", 100: "hundert"},
    "nl": {14: "veertien", 18: "achttien", 24: "vierentwintig", 30: "dertig", 60: "zestig",
           90: "negentig", 100: "honderd"},
    "en": {14: "fourteen", 18: "eighteen", 24: "twenty-four", 30: "thirty", 60: "sixty",
           90: "ninety", 100: "(?:a |one )?hundred"},
}  # fmt: skip
_UNITS: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {"D": "tage?n?s?", "W": "wochen?", "M": "monate?n?s?", "Y": "jahre?n?s?"},
    "nl": {"D": "dag(?:en)?", "W": "we(?:ek|ken)", "M": "maand(?:en)?", "Y": "ja(?:ar|ren)"},
    "en": {"D": "days?", "W": "weeks?", "M": "months?", "Y": "years?"},
}
_DAYS: Final[Mapping[str, tuple[int, int]]] = {
    "D": (1, 1),
    "W": (7, 1),
    "M": (365, 12),
    "Y": (365, 1),
}


def durations(line: str, language: Language) -> list[tuple[str, int]]:
    """Return each stretch of time that a line tells, as written and in whole days.

    >>> durations("We keep it for three months, or 90 days.", "en")
    [('three months', 91), ('90 days', 90)]
    """
    found: list[tuple[int, str, int]] = []
    for unit, ending in _UNITS[language].items():
        numerator, denominator = _DAYS[unit]
        for count, pattern in _counts(language):
            for match in re.finditer(rf"(?<!\w){pattern}[\s-]+{ending}(?!\w)", line, re.IGNORECASE):
                number = int(match["digits"]) if count is None else count
                found.append((match.start(), match[0], number * numerator // denominator))
    return [(written, days) for _, written, days in sorted(found)]


def _counts(language: Language) -> list[tuple[int | None, str]]:
    words = dict(enumerate(_COUNTS[language].split(" "), start=1))
    return [(None, r"(?P<digits>\d{1,6})"), *words.items(), *_MORE_COUNTS[language].items()]
