"""The words of ``readme.html``, in the shopper's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.consent.purposes import Granularity
    from shelfrank.consent.rules import Status
    from shelfrank.types import Kind, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Every text of the page, in one language; ``{}`` stands for what is filled in.

    Attributes:
        date: how a day is written, for `datetime.strftime`.
        others: one text each; their names say what for.
        kinds: what happened, by kind.
        statuses: how a purpose stands, by the name of its `Status`.
        granularities: how exactly times are kept.
        purpose_columns: heads of the table of purposes.
        event_columns: heads of the table of events.
        wish_sorts: what the shopper said, by sort.
        wish_columns: heads of the table of wishes.
        files: what each part is, by its name.
    """

    date: str
    title: str
    made: str
    intro: str
    controllers: str
    choices: str
    no_choices: str
    not_asked: str
    days: str
    events: str
    no_events: str
    unreadable: str
    files_title: str
    move: str
    warning: str
    kinds: Mapping[Kind, str]
    statuses: Mapping[str, str]
    granularities: Mapping[Granularity, str]
    purpose_columns: tuple[str, ...]
    event_columns: tuple[str, ...]
    wishes: str
    wish_sorts: Mapping[str, str]
    wish_columns: tuple[str, ...]
    files: Mapping[str, str]

    def status(self, status: Status) -> str:
        """Return how a purpose stands."""
        return self.statuses[status.name]


WORDS: Final[Mapping[Language, Words]] = {
    "de": Words(
        date="%d.%m.%Y",
        title="Ihre Daten von diesem Gerät",
        made="Erstellt am {}.",
        intro=(
            "Das ist alles, woraus auf diesem Gerät Ihre persönliche Reihenfolge entsteht, und was "
            "Sie dazu erlaubt haben. Gemerkt wird es nur hier; weitergegeben wird davon nichts."
        ),
        controllers="Verantwortlich: {}.",
        choices="Was Sie erlaubt haben",
        no_choices="Es wurde noch nichts gefragt.",
        not_asked="noch nicht beantwortet",
        days="{} Tage",
        events="Was gemerkt ist ({})",
        no_events="Es ist nichts gemerkt.",
        unreadable=(
            "{} weitere Einträge sind beschädigt oder waren es, als etwas gelöscht wurde. Sie "
            "lassen sich nicht lesen und fehlen hier."
        ),
        files_title="Die Dateien",
        move=(
            "Zum Mitnehmen: Auf einem anderen Gerät lässt sich diese Datei einlesen. Ihre "
            "Erlaubnis kommt nicht mit; Sie werden dort neu gefragt."
        ),
        warning="Wer die Datei hat, kann sie lesen. Löschen Sie sie, wenn Sie sie nicht brauchen.",
        kinds={
            "view": "angesehen",
            "cart": "in den Korb gelegt",
            "purchase": "gekauft",
            "like": "gefällt",
            "dislike": "gefällt nicht",
        },
        statuses={
            "UNKNOWN": "nicht gefragt",
            "REFUSED": "abgelehnt",
            "GIVEN": "erlaubt",
            "RENEWED": "erneut erlaubt",
            "EXPIRED": "abgelaufen",
            "INVALIDATED": "gilt nicht mehr",
            "WITHDRAWN": "zurückgenommen",
        },
        granularities={"minute": "auf die Minute", "hour": "auf die Stunde", "day": "nur der Tag"},
        purpose_columns=(
            "Wofür",
            "Ihre Wahl",
            "vom",
            "gilt bis",
            "Was gemerkt wird",
            "Zeit",
            "Wie lange",
            "Einträge",
        ),
        event_columns=("Wann (UTC)", "Was", "Artikel", "Nummer", "Bereich", "Menge", "Wo", "Wofür"),
        wishes="Was Sie gesagt haben",
        wish_sorts={
            "brands": "Mehr von diesen Marken",
            "categories": "Mehr aus diesen Bereichen",
            "never_items": "Nie mehr diese Artikel",
            "never_categories": "Nie mehr aus diesen Bereichen",
        },
        wish_columns=("Wunsch", "Was"),
        files={
            "wishes.json": "was Sie gesagt haben",
            "readme.html": "diese Seite",
            "history.json": "die Einträge zum Lesen für Menschen und Programme (JSON)",
            "history.jsonld": (
                "die Einträge im offenen Format für andere Programme und Geräte "
                "(ActivityStreams 2.0 und schema.org, JSON-LD)"
            ),
            "choices.json": "was Sie erlaubt haben (JSON)",
            "manifest.json": "Verzeichnis der Dateien mit Prüfsummen",
        },
    ),
    "nl": Words(
        date="%d-%m-%Y",
        title="Jouw gegevens van dit apparaat",
        made="Gemaakt op {}.",
        intro=(
            "Dit is alles waaruit op dit apparaat jouw persoonlijke volgorde ontstaat, en wat je "
            "daarvoor hebt toegestaan. Het wordt alleen hier onthouden; er wordt niets doorgegeven."
        ),
        controllers="Verantwoordelijk: {}.",
        choices="Wat je hebt toegestaan",
        no_choices="Er is nog niets gevraagd.",
        not_asked="nog niet beantwoord",
        days="{} dagen",
        events="Wat is onthouden ({})",
        no_events="Er is niets onthouden.",
        unreadable=(
            "Nog {} regels zijn beschadigd of waren dat toen er iets werd gewist. Ze zijn niet te "
            "lezen en ontbreken hier."
        ),
        files_title="De bestanden",
        move=(
            "Om mee te nemen: op een ander apparaat kun je dit bestand inlezen. Je toestemming "
            "gaat niet mee; daar word je opnieuw gevraagd."
        ),
        warning="Wie dit bestand heeft, kan het lezen. Verwijder het als je het niet nodig hebt.",
        kinds={
            "view": "bekeken",
            "cart": "in het mandje gelegd",
            "purchase": "gekocht",
            "like": "vind je leuk",
            "dislike": "vind je niet leuk",
        },
        statuses={
            "UNKNOWN": "niet gevraagd",
            "REFUSED": "geweigerd",
            "GIVEN": "toegestaan",
            "RENEWED": "opnieuw toegestaan",
            "EXPIRED": "verlopen",
            "INVALIDATED": "geldt niet meer",
            "WITHDRAWN": "ingetrokken",
        },
        granularities={"minute": "op de minuut", "hour": "op het uur", "day": "alleen de dag"},
        purpose_columns=(
            "Waarvoor",
            "Jouw keuze",
            "van",
            "geldt tot",
            "Wat wordt onthouden",
            "Tijd",
            "Hoe lang",
            "Regels",
        ),
        event_columns=(
            "Wanneer (UTC)",
            "Wat",
            "Artikel",
            "Nummer",
            "Afdeling",
            "Aantal",
            "Waar",
            "Waarvoor",
        ),
        wishes="Wat je hebt gezegd",
        wish_sorts={
            "brands": "Meer van deze merken",
            "categories": "Meer uit deze afdelingen",
            "never_items": "Nooit meer deze artikelen",
            "never_categories": "Nooit meer uit deze afdelingen",
        },
        wish_columns=("Wens", "Wat"),
        files={
            "wishes.json": "wat je hebt gezegd",
            "readme.html": "deze pagina",
            "history.json": "de regels, leesbaar voor mensen en programma's (JSON)",
            "history.jsonld": (
                "de regels in een open formaat voor andere programma's en apparaten "
                "(ActivityStreams 2.0 en schema.org, JSON-LD)"
            ),
            "choices.json": "wat je hebt toegestaan (JSON)",
            "manifest.json": "lijst van de bestanden met controlegetallen",
        },
    ),
    "en": Words(
        date="%Y-%m-%d",
        title="Your data from this device",
        made="Made on {}.",
        intro=(
            "This is all that your personal order is made from on this device, and what you "
            "allowed for it. It is kept here only; none of it is passed on."
        ),
        controllers="Responsible: {}.",
        choices="What you allowed",
        no_choices="Nothing has been asked yet.",
        not_asked="not answered yet",
        days="{} days",
        events="What is kept ({})",
        no_events="Nothing is kept.",
        unreadable=(
            "{} more entries are damaged, or were when something was erased. They cannot be read "
            "and are missing here."
        ),
        files_title="The files",
        move=(
            "To take along: another device can read this file. Your permission does not come with "
            "it; you are asked anew there."
        ),
        warning="Whoever has this file can read it. Delete it when you do not need it.",
        kinds={
            "view": "looked at",
            "cart": "put in the basket",
            "purchase": "bought",
            "like": "liked",
            "dislike": "disliked",
        },
        statuses={
            "UNKNOWN": "not asked",
            "REFUSED": "refused",
            "GIVEN": "allowed",
            "RENEWED": "allowed again",
            "EXPIRED": "ran out",
            "INVALIDATED": "no longer holds",
            "WITHDRAWN": "withdrawn",
        },
        granularities={"minute": "to the minute", "hour": "to the hour", "day": "the day only"},
        purpose_columns=(
            "What for",
            "Your choice",
            "from",
            "until",
            "What is kept",
            "Time",
            "How long",
            "Entries",
        ),
        event_columns=(
            "When (UTC)",
            "What",
            "Item",
            "Number",
            "Part of the shop",
            "Quantity",
            "Where",
            "What for",
        ),
        wishes="What you said",
        wish_sorts={
            "brands": "More of these brands",
            "categories": "More from these parts of the shop",
            "never_items": "Never these items again",
            "never_categories": "Never from these parts of the shop again",
        },
        wish_columns=("Wish", "What"),
        files={
            "wishes.json": "what you said",
            "readme.html": "this page",
            "history.json": "the entries, for people and programs to read (JSON)",
            "history.jsonld": (
                "the entries in an open format for other programs and devices (ActivityStreams 2.0 "
                "and schema.org, JSON-LD)"
            ),
            "choices.json": "what you allowed (JSON)",
            "manifest.json": "list of the files with checksums",
        },
    ),
}
