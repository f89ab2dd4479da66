"""Find columns that say who somebody is or where, and refuse them.

Aggregates need to know that two events are of one shopper, never of whom. A column that looks like
a name, an address or a position was most likely exported by mistake, so it is refused, mapped or
not. Rules over names and values; no message holds a value.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shelfrank_training.errors import PrivacyError

if TYPE_CHECKING:
    from collections.abc import Iterable

Looks = Literal[
    "a name",
    "an e-mail address",
    "a phone number",
    "an IP address",
    "a postal address",
    "a position",
]

MAX_PERSONAL_SHARE: Final = 0.01
"""Of the values of a column. One product may be called 4.4.4.4; 1 in 100 is no accident."""

SAMPLED_VALUES: Final = 100_000
"""Looked at in a column, evenly spaced: a share of 1 % is met to 0.1 %, in a tenth of a second."""

HINT: Final = (
    "put a pseudonym in its place (HMAC-SHA256 of the value, with a key that stays with you), "
    "or leave the column out: --drop NAME"
)

_NEEDED: Final = frozenset({"shopper_id", "item_id", "time"})
"""Columns that cannot be left out."""

_NOT_OF_SHOPPERS: Final = frozenset({"item_id", "category", "brand", "title"})
"""Columns that name things: a pseudonym in their place would be of no use."""

# In English, German and Dutch, without accents. Short words must stand alone in a column's name;
# from five letters on they are found inside longer ones too (lieferadresse, telefoonnummer).
_WORDS: Final[dict[Looks, str]] = {
    "an e-mail address": "email mail emailadresse mailadresse emailadres",
    "an IP address": "ip ipv4 ipv6 ipaddr ipaddress ipadresse ipadres remoteaddr",
    "a phone number": (
        "phone telephone mobile cellphone tel fax msisdn telefon mobil handy rufnummer telefoon "
        "mobiel"
    ),
    "a postal address": (
        "address addr street postcode postalcode zip zipcode city town housenumber adresse "
        "anschrift strasse plz postleitzahl ort stadt wohnort hausnummer adres straat plaats "
        "woonplaats huisnummer"
    ),
    "a position": (
        "lat lon lng latitude longitude gps geo geohash geolocation location coordinate "
        "coordinates coords position standort koordinate koordinaten breitengrad laengengrad "
        "langengrad locatie coordinaat coordinaten breedtegraad lengtegraad"
    ),
    "a name": (
        "firstname lastname surname forename fullname givenname familyname middlename username "
        "vorname nachname familienname benutzername voornaam achternaam familienaam gebruikersnaam"
    ),
}

_NOT_INSIDE: Final = frozenset({"phone", "location", "position", "mobile", "mobil", "street"})
"""Words with harmless longer ones: headphones, allocation, composition, automobile."""

_PEOPLE: Final = (
    "first last given family middle full customer client shopper user person member contact "
    "household billing shipping kunde kunden familien nutzer benutzer besteller klant gebruiker "
    "voor achter vor nach"
)
"""What a "name" is a person's after."""

_HASHED: Final = frozenset({"hash", "hashed", "hmac", "pseudonym"})
"""In a column's name: what the hint asks for has been done."""

_PATTERNS: Final[dict[Looks, str]] = {
    "an e-mail address": r"^\s*[^@\s]+@[^@\s]+\.[A-Za-z]{2,}\s*$",
    "an IP address": (
        r"^\s*(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}"
        r"|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}"
        r"|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}"
        r"|(?:[0-9A-Fa-f]{1,4}:){1,7}:)\s*$"
    ),
    # Two numbers with three decimals or more, the first of up to 90: 100 m on the ground.
    "a position": (
        r"^\s*[\[(]?\s*[-+]?(?:[0-8]?\d|90)\.\d{3,}\s*[,;/ ]\s*[-+]?(?:1[0-7]\d|180|\d?\d)\.\d{3,}"
        r"\s*[\])]?\s*$"
    ),
}


def looks_personal(column: str, *, of_things: bool) -> Looks | None:
    """Say what a column seems to hold, by its name in English, German or Dutch.

    Args:
        column: as the file has it.
        of_things: the rows are things, whose own name is no person's.
    """
    words = _split(column)
    joined = "".join(words)
    # "post code" and "e-mail" are one word too.
    parts = {*words, *map("".join, pairwise(words))}
    if _HASHED & parts and "geohash" not in parts:
        return None
    for looks, listed in _WORDS.items():
        for word in listed.split():
            long = len(word) >= 5 and word not in _NOT_INSIDE
            if word in parts or (long and any(word in part for part in words)):
                return looks
    for ending in ("name", "naam"):
        before = joined.removesuffix(ending)
        if before != joined and (before in _PEOPLE.split() or (not before and not of_things)):
            return "a name"
    return None


def refuse_personal_names(columns: Iterable[str], *, file: str, of_things: bool) -> None:
    """Refuse columns by their names.

    Args:
        columns: names in the file, those apart that are left out.
        file: its name, for the message.
        of_things: see `looks_personal`.

    Raises:
        PrivacyError: one looks like a name, an address, a phone number or a position.
    """
    found = {
        column: looks
        for column in columns
        if (looks := looks_personal(column, of_things=of_things)) is not None
    }
    if found:
        named = ", ".join(f"column {column} looks like {looks}" for column, looks in found.items())
        raise PrivacyError(
            f"{file}: {named}; wanted nothing that says who somebody is or where",
            hint=HINT.replace("--drop NAME", " ".join(f"--drop {column}" for column in found)),
        )


def refuse_personal_values(values: pa.ChunkedArray, *, column: str, file: str) -> None:
    """Refuse a text column by what is in it.

    Args:
        values: text.
        column: its name in the file.
        file: the file's name, for the message.

    Raises:
        PrivacyError: more than `MAX_PERSONAL_SHARE` of the values, or of a sample of them, are
            e-mail addresses, IP addresses or positions.
    """
    places = np.linspace(0, len(values) - 1, min(len(values), SAMPLED_VALUES)).astype(np.int64)
    sample = values.take(pa.array(places)).drop_null()
    for looks, pattern in _PATTERNS.items():
        found = pc.sum(pc.match_substring_regex(sample, pattern)).as_py() or 0
        if found > MAX_PERSONAL_SHARE * len(sample):
            raise PrivacyError(
                f"{file}: {found:,} of {len(sample):,} values of column {column} look like "
                f"{looks}; wanted at most {MAX_PERSONAL_SHARE:.0%}",
                hint=_hint_for(column),
            )


def _hint_for(column: str) -> str:
    if column in _NOT_OF_SHOPPERS:
        return "give the shop's own words for products, none that say who or where somebody is"
    if column in _NEEDED:
        return HINT[: HINT.index(", or leave")]
    return HINT.replace("NAME", column)


def _split(column: str) -> list[str]:
    """Return the words of a name in lower case, without accents: kundenE-Mail → kunden, e, mail."""
    parted = re.sub(r"(?<=[a-zäöüß0-9])(?=[A-ZÄÖÜ])", " ", column)
    plain = unicodedata.normalize("NFKD", parted.casefold())
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.findall(r"[a-z]+\d?|\d+", kept)
