"""Words for what a shopper reads about choices: states, reasons, changes, the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.consent.notice import GRANULARITY_WORDS
from shelfrank.consent.rules import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shelfrank.consent.journal import Entry, EntryKind, JournalState
    from shelfrank.consent.permission import Block
    from shelfrank.consent.purposes import FieldName, Granularity
    from shelfrank.consent.rules import Method, Terms
    from shelfrank.types import Kind, Language


def describe_status(status: Status, language: Language) -> str:
    """Return how a purpose stands, in a word or two."""
    return _STATUSES[language][status]


def describe_block(block: Block, language: Language) -> str:
    """Return why a yes does not count now."""
    return _BLOCKS[language][block]


def describe_method(method: Method, language: Language) -> str:
    """Return how a state came about."""
    return _METHODS[language][method]


def describe_kinds(kinds: Iterable[Kind], language: Language) -> str:
    """Return what is kept, as a list in words."""
    return ", ".join(_KINDS[language][kind] for kind in kinds)


def describe_fields(names: Iterable[FieldName], language: Language) -> str:
    """Return what is kept of each event, as a list in words."""
    return ", ".join(_FIELDS[language][name] for name in names)


def describe_granularity(granularity: Granularity, language: Language) -> str:
    """Return how exactly times are kept."""
    return GRANULARITY_WORDS[language][granularity]


def describe_changes(old: Terms, new: Terms, language: Language) -> str:
    """Return in sentences what `new` asks for beyond `old`; empty if it asks for no more."""
    words = _CHANGES[language]
    facts: Mapping[str, str] = {
        "kinds": describe_kinds([kind for kind in new.kinds if kind not in old.kinds], language),
        "contexts": ", ".join(place for place in new.contexts if place not in old.contexts),
        "retention": f"{old.retention_days} → {new.retention_days}",
        "granularity": describe_granularity(new.granularity, language),
    }
    return " ".join(words[name].format(facts.get(name, "")) for name in old.widened_by(new))


def describe_entry(entry: Entry, language: Language) -> str:
    """Return one line of the journal."""
    day_only = entry.kind in {"recorded", "used"}
    when = f"{entry.time:%Y-%m-%d}" if day_only else f"{entry.time:%Y-%m-%d %H:%M}"
    line = f"{when}  {_ENTRIES[language][entry.kind]}"
    if entry.purpose:
        line += f": {entry.purpose}"
    details = [
        f"{n} ×" if what == "times" else f"{_COUNTED[language].get(what, what)}: {n}"
        for what, n in entry.counts.items()
    ]
    if entry.method is not None and entry.method != "tap":
        details.append(describe_method(entry.method, language))
    if entry.note:
        details.append(entry.note)
    return f"{line} ({', '.join(details)})" if details else line


def describe_journal(state: JournalState, gone: int, language: Language) -> str:
    """Return what is to be said about the journal as a whole; empty if nothing is."""
    words = _JOURNAL[language]
    lines = [words[state]] if state != "whole" else []
    if gone:
        lines.append(words["gone"].format(gone))
    return "\n".join(lines)


GPC_NOTICE: Final[Mapping[Language, str]] = {
    "de": "Ihr Browser sendet Global Privacy Control; Ihre Zustimmung hier geht diesem Signal vor.",
    "nl": "Je browser stuurt Global Privacy Control; je toestemming hier gaat voor dat signaal.",
    "en": "Your browser sends Global Privacy Control; your consent here overrides that signal.",
}
"""Added to a notice while the signal is on: only who was told can override it."""

_STATUSES: Final[Mapping[Language, Mapping[Status, str]]] = {
    "de": {
        Status.UNKNOWN: "noch nicht gefragt",
        Status.REFUSED: "abgelehnt",
        Status.GIVEN: "erlaubt",
        Status.RENEWED: "erlaubt (erneuert)",
        Status.EXPIRED: "abgelaufen",
        Status.INVALIDATED: "nicht mehr gültig",
        Status.WITHDRAWN: "zurückgenommen",
    },
    "nl": {
        Status.UNKNOWN: "nog niet gevraagd",
        Status.REFUSED: "geweigerd",
        Status.GIVEN: "toegestaan",
        Status.RENEWED: "toegestaan (verlengd)",
        Status.EXPIRED: "verlopen",
        Status.INVALIDATED: "niet meer geldig",
        Status.WITHDRAWN: "ingetrokken",
    },
    "en": {
        Status.UNKNOWN: "not asked yet",
        Status.REFUSED: "refused",
        Status.GIVEN: "allowed",
        Status.RENEWED: "allowed (renewed)",
        Status.EXPIRED: "run out",
        Status.INVALIDATED: "no longer valid",
        Status.WITHDRAWN: "withdrawn",
    },
}

_BLOCKS: Final[Mapping[Language, Mapping[Block, str]]] = {
    "de": {
        "no_consent": "keine Zustimmung",
        "policy_older": "die Regeln des Geschäfts sind älter als schon einmal",
        "minor": "für Minderjährige braucht es die Eltern",
        "gpc": "Global Privacy Control wird beachtet",
        "paused": "ruht auf Ihren Wunsch",
        "clock": "die Uhr ist weit vorgesprungen; ab dem nächsten Start wieder",
    },
    "nl": {
        "no_consent": "geen toestemming",
        "policy_older": "de regels van de winkel zijn ouder dan eerder",
        "minor": "voor minderjarigen is een ouder nodig",
        "gpc": "Global Privacy Control wordt gevolgd",
        "paused": "gepauzeerd op jouw verzoek",
        "clock": "de klok sprong ver vooruit; vanaf de volgende start weer",
    },
    "en": {
        "no_consent": "no consent",
        "policy_older": "the shop's policy is older than one before",
        "minor": "a minor needs a guardian",
        "gpc": "Global Privacy Control is honoured",
        "paused": "paused, as you wished",
        "clock": "the clock jumped far ahead; from the next start again",
    },
}

_METHODS: Final[Mapping[Language, Mapping[Method, str]]] = {
    "de": {
        "tap": "angetippt",
        "voice": "gesagt",
        "staff_assisted": "mit Hilfe im Geschäft",
        "import": "mitgebracht",
        "gpc": "durch Global Privacy Control",
        "expiry": "durch Ablauf",
        "policy_change": "durch geänderte Regeln",
    },
    "nl": {
        "tap": "aangetikt",
        "voice": "gezegd",
        "staff_assisted": "met hulp in de winkel",
        "import": "meegebracht",
        "gpc": "door Global Privacy Control",
        "expiry": "door verloop",
        "policy_change": "door gewijzigde regels",
    },
    "en": {
        "tap": "tapped",
        "voice": "said",
        "staff_assisted": "with help in the shop",
        "import": "brought along",
        "gpc": "by Global Privacy Control",
        "expiry": "by running out",
        "policy_change": "by a change of the policy",
    },
}

_KINDS: Final[Mapping[Language, Mapping[Kind, str]]] = {
    "de": {
        "view": "Angesehenes",
        "cart": "Korb",
        "purchase": "Gekauftes",
        "like": "Gemochtes",
        "dislike": "nicht Gemochtes",
    },
    "nl": {
        "view": "bekeken",
        "cart": "mandje",
        "purchase": "gekocht",
        "like": "leuk gevonden",
        "dislike": "niet leuk gevonden",
    },
    "en": {
        "view": "views",
        "cart": "basket",
        "purchase": "purchases",
        "like": "likes",
        "dislike": "dislikes",
    },
}

_FIELDS: Final[Mapping[Language, Mapping[FieldName, str]]] = {
    "de": {
        "item": "Artikel",
        "kind": "Art",
        "time": "Zeit",
        "visit": "Besuch",
        "quantity": "Menge",
        "brand": "Marken, die Sie nennen",
        "category": "Warengruppen, die Sie nennen",
        "feedback": "was Sie zu einem Vorschlag sagen",
    },
    "nl": {
        "item": "artikel",
        "kind": "soort",
        "time": "tijd",
        "visit": "bezoek",
        "quantity": "aantal",
        "brand": "merken die je noemt",
        "category": "productgroepen die je noemt",
        "feedback": "wat je van een voorstel zegt",
    },
    "en": {
        "item": "item",
        "kind": "kind",
        "time": "time",
        "visit": "visit",
        "quantity": "quantity",
        "brand": "brands you name",
        "category": "product groups you name",
        "feedback": "what you say about a suggestion",
    },
}

_CHANGES: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "use": "Es soll für etwas anderes benutzt werden.",
        "controllers": "Jemand anderes ist verantwortlich.",
        "kinds": "Zusätzlich würde gemerkt: {}.",
        "fields": "Von jedem Ereignis würde mehr gemerkt.",
        "surfaces": "Es würde an mehr Stellen zu sehen sein.",
        "contexts": "Es käme aus mehr Bereichen: {}.",
        "granularity": "Zeiten würden genauer gemerkt: {}.",
        "retention": "Es würde länger aufbewahrt (Tage: {}).",
        "events": "Es würden mehr Ereignisse aufbewahrt.",
        "sensitive": "Weniger Bereiche blieben ausgenommen.",
    },
    "nl": {
        "use": "Het zou voor iets anders worden gebruikt.",
        "controllers": "Iemand anders is verantwoordelijk.",
        "kinds": "Ook zou worden onthouden: {}.",
        "fields": "Van elke gebeurtenis zou meer worden onthouden.",
        "surfaces": "Het zou op meer plekken te zien zijn.",
        "contexts": "Het zou uit meer afdelingen komen: {}.",
        "granularity": "Tijden zouden preciezer worden onthouden: {}.",
        "retention": "Het zou langer worden bewaard (dagen: {}).",
        "events": "Er zouden meer gebeurtenissen worden bewaard.",
        "sensitive": "Minder afdelingen zouden erbuiten blijven.",
    },
    "en": {
        "use": "It would be used for something else.",
        "controllers": "Somebody else answers for it.",
        "kinds": "This would be kept as well: {}.",
        "fields": "More would be kept of each event.",
        "surfaces": "It would show in more places.",
        "contexts": "It would come from more areas: {}.",
        "granularity": "Times would be kept more exactly: {}.",
        "retention": "It would be kept longer (days: {}).",
        "events": "More events would be kept.",
        "sensitive": "Fewer departments would be left out.",
    },
}

PENDING: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "renewal": "Ihre Zustimmung endet am {until}.",
        "expired": "Ihre Zustimmung ist abgelaufen. Seither wird nichts gemerkt oder benutzt.",
        "changed": "Das Geschäft bittet um mehr als bisher. {changes} "
        "Bis zu Ihrer Antwort wird nichts gemerkt oder benutzt.",
        "again": "Sie haben vor längerer Zeit Nein gesagt. Wenn Sie möchten, entscheiden Sie neu.",
    },
    "nl": {
        "renewal": "Je toestemming eindigt op {until}.",
        "expired": "Je toestemming is verlopen. Sindsdien wordt niets onthouden of gebruikt.",
        "changed": "De winkel vraagt om meer dan eerst. {changes} "
        "Tot je antwoordt wordt niets onthouden of gebruikt.",
        "again": "Je zei langer geleden nee. Als je wilt, kies je opnieuw.",
    },
    "en": {
        "renewal": "Your consent ends on {until}.",
        "expired": "Your consent has run out. Nothing has been kept or used since.",
        "changed": "The shop asks for more than before. {changes} "
        "Until you answer, nothing is kept or used.",
        "again": "You said no some time ago. If you like, you can choose anew.",
    },
}

OVERVIEW: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "since": "seit",
        "until": "bis",
        "visit": "nur für diesen Besuch",
        "kept": "Gemerkt wird",
        "fields": "Davon",
        "times": "Zeiten",
        "retention": "Aufbewahrung: {} Tage",
        "blocked": "Zurzeit nicht benutzt",
        "changed": "Geändert",
    },
    "nl": {
        "since": "sinds",
        "until": "tot",
        "visit": "alleen voor dit bezoek",
        "kept": "Onthouden wordt",
        "fields": "Daarvan",
        "times": "tijden",
        "retention": "Bewaartermijn: {} dagen",
        "blocked": "Nu niet gebruikt",
        "changed": "Gewijzigd",
    },
    "en": {
        "since": "since",
        "until": "until",
        "visit": "for this visit only",
        "kept": "Kept",
        "fields": "Of each",
        "times": "times",
        "retention": "Kept for {} days",
        "blocked": "Not in use now",
        "changed": "Changed",
    },
}

RECEIPT: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "title": "Beleg über Ihre Entscheidung",
        "purpose": "Zweck",
        "status": "Stand",
        "time": "Zeit",
        "until": "Gilt bis",
        "visit": "Ende dieses Besuchs",
        "method": "Wie",
        "guardian": "Zustimmung der Eltern, Nachweis",
        "kept": "Gemerkt wird",
        "retention": "Aufbewahrung",
        "days": "{days} Tage",
        "controller": "Verantwortlich",
        "place": "Ort",
        "device": "nur auf diesem Gerät",
        "leave": "Zurücknehmen: an derselben Stelle, mit einem Tippen, ohne Grund.",
        "notice": "Gezeigter Text",
        "id": "Nummer des Belegs",
    },
    "nl": {
        "title": "Bewijs van je keuze",
        "purpose": "Doel",
        "status": "Stand",
        "time": "Tijd",
        "until": "Geldt tot",
        "visit": "einde van dit bezoek",
        "method": "Hoe",
        "guardian": "Toestemming van een ouder, bewijs",
        "kept": "Onthouden wordt",
        "retention": "Bewaartermijn",
        "days": "{days} dagen",
        "controller": "Verantwoordelijk",
        "place": "Plaats",
        "device": "alleen op dit apparaat",
        "leave": "Intrekken: op dezelfde plek, met één tik, zonder reden.",
        "notice": "Getoonde tekst",
        "id": "Nummer van het bewijs",
    },
    "en": {
        "title": "Receipt for your choice",
        "purpose": "Purpose",
        "status": "State",
        "time": "Time",
        "until": "Until",
        "visit": "end of this visit",
        "method": "How",
        "guardian": "Guardian's agreement, shown by",
        "kept": "Kept",
        "retention": "Kept for",
        "days": "{days} days",
        "controller": "Responsible",
        "place": "Place",
        "device": "on this device only",
        "leave": "To withdraw: in the same place, with one tap, without a reason.",
        "notice": "Text that was shown",
        "id": "Number of the receipt",
    },
}

_ENTRIES: Final[Mapping[Language, Mapping[EntryKind, str]]] = {
    "de": {
        "asked": "gefragt",
        "granted": "erlaubt",
        "refused": "abgelehnt",
        "withdrawn": "zurückgenommen",
        "paused": "ruht",
        "resumed": "ruht nicht mehr",
        "expired": "abgelaufen",
        "invalidated": "nicht mehr gültig",
        "policy_changed": "neue Regeln des Geschäfts",
        "policy_refused": "ältere Regeln nicht angenommen",
        "signal_changed": "Global Privacy Control",
        "clock_suspicious": "die Uhr ist zweifelhaft",
        "clock_confirmed": "die Uhr ist bestätigt",
        "recorded": "gemerkt",
        "used": "benutzt",
        "corrected": "berichtigt",
        "deleted": "gelöscht",
        "purged": "nach Ablauf gelöscht",
        "exported": "mitgenommen",
        "imported": "mitgebracht",
        "bundle_changed": "neuer Katalog",
        "journal_restarted": "das vorige Protokoll war nicht lesbar",
    },
    "nl": {
        "asked": "gevraagd",
        "granted": "toegestaan",
        "refused": "geweigerd",
        "withdrawn": "ingetrokken",
        "paused": "gepauzeerd",
        "resumed": "hervat",
        "expired": "verlopen",
        "invalidated": "niet meer geldig",
        "policy_changed": "nieuwe regels van de winkel",
        "policy_refused": "oudere regels niet aangenomen",
        "signal_changed": "Global Privacy Control",
        "clock_suspicious": "de klok is twijfelachtig",
        "clock_confirmed": "de klok is bevestigd",
        "recorded": "onthouden",
        "used": "gebruikt",
        "corrected": "gecorrigeerd",
        "deleted": "gewist",
        "purged": "na de bewaartermijn gewist",
        "exported": "meegenomen",
        "imported": "meegebracht",
        "bundle_changed": "nieuwe catalogus",
        "journal_restarted": "het vorige logboek was niet leesbaar",
    },
    "en": {
        "asked": "asked",
        "granted": "allowed",
        "refused": "refused",
        "withdrawn": "withdrawn",
        "paused": "paused",
        "resumed": "resumed",
        "expired": "run out",
        "invalidated": "no longer valid",
        "policy_changed": "a new policy of the shop",
        "policy_refused": "an older policy was not taken",
        "signal_changed": "Global Privacy Control",
        "clock_suspicious": "the clock is in doubt",
        "clock_confirmed": "the clock is confirmed",
        "recorded": "kept",
        "used": "used",
        "corrected": "corrected",
        "deleted": "deleted",
        "purged": "erased when its time was over",
        "exported": "taken along",
        "imported": "brought along",
        "bundle_changed": "a new catalogue",
        "journal_restarted": "the journal before could not be read",
    },
}

_COUNTED: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        **{str(kind): word for kind, word in _KINDS["de"].items()},
        "events": "Ereignisse",
    },
    "nl": {
        **{str(kind): word for kind, word in _KINDS["nl"].items()},
        "events": "gebeurtenissen",
    },
    "en": {
        **{str(kind): word for kind, word in _KINDS["en"].items()},
        "events": "events",
    },
}

_JOURNAL: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "behind": "Die neuesten Einträge sind noch nicht gesichert; dem Gerät fehlt der Platz.",
        "incomplete": "Achtung: Es fehlen Einträge, die es gab.",
        "damaged": "Achtung: Das Protokoll ist nicht lesbar oder wurde verändert.",
        "gone": "Ältere Einträge, die dem Platz weichen mussten: {}",
    },
    "nl": {
        "behind": "De nieuwste regels zijn nog niet bewaard: het apparaat kon niet schrijven.",
        "incomplete": "Let op: er ontbreken regels die er waren.",
        "damaged": "Let op: het logboek is niet leesbaar of is veranderd.",
        "gone": "Oudere regels die plaats moesten maken: {}",
    },
    "en": {
        "behind": "The newest entries are not kept yet: the device could not write.",
        "incomplete": "Attention: entries that there were are missing.",
        "damaged": "Attention: the journal cannot be read or was changed.",
        "gone": "Older entries that had to make room: {}",
    },
}
