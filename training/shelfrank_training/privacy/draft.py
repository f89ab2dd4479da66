"""A policy as it was written, readable where it can be read: a check names every fault, not one.

`Policy.parse` stops at the first mistake, as it must. Here nothing is refused: what is missing or
of the wrong type is empty, and the rules say so.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.consent.purposes import Text
from shelfrank.consent.strict import Table
from shelfrank.errors import PolicyError
from shelfrank.types import LANGUAGES, Language
from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT_PARTS: Final = ("title", "short", "benefit", "without")


@dataclass(frozen=True, slots=True)
class DraftPurpose:
    """One ``[[purpose]]`` as written.

    Attributes:
        name: ``purpose ID``, or ``purpose NUMBER`` where there is no id.
        values: the table.
    """

    name: str
    values: Mapping[str, object]

    def text(self, key: str) -> str:
        """Return a text; empty where there is none."""
        return as_text(self.values.get(key))

    def days(self, key: str) -> int | None:
        """Return a duration in days; None where it cannot be read."""
        try:
            return Table(dict(self.values), where=self.name).days(key)
        except PolicyError:
            return None

    def texts(self) -> Iterator[tuple[Language, Text]]:
        """Yield the words in each language they are written in."""
        tables = as_table(self.values.get("text"))
        for language in LANGUAGES:
            if language in tables:
                table = as_table(tables[language])
                yield language, Text(**{part: as_text(table.get(part)) for part in TEXT_PARTS})

    def lines(self) -> Iterator[tuple[str, Language, str]]:
        """Yield (where, language, line) for every line a shopper reads."""
        for language, text in self.texts():
            for part in TEXT_PARTS:
                yield f"{self.name}.text.{language}.{part}", language, getattr(text, part)

    def fields(self) -> list[Mapping[str, object]]:
        """Return what it keeps."""
        return [as_table(entry) for entry in as_list(self.values.get("field"))]


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole file as written.

    Attributes:
        values: its tables.
    """

    values: Mapping[str, object]

    @classmethod
    def read(cls, data: bytes) -> Draft:
        """Read a file.

        Raises:
            DataError: it is not TOML at all, so nothing can be said about it.
        """
        try:
            return cls(tomllib.loads(data.decode("utf-8")))
        except (ValueError, RecursionError) as error:
            raise DataError(f"policy is not TOML in UTF-8: {error}") from None

    @property
    def head(self) -> Mapping[str, object]:
        """``[policy]``."""
        return as_table(self.values.get("policy"))

    @property
    def controller(self) -> Mapping[str, object]:
        """``[policy.controller]``."""
        return as_table(self.head.get("controller"))

    @property
    def sensitive(self) -> Mapping[str, object]:
        """``[sensitive]``."""
        return as_table(self.values.get("sensitive"))

    @property
    def languages(self) -> list[str]:
        """The languages it promises."""
        return [as_text(language) for language in as_list(self.head.get("languages"))]

    def purposes(self) -> list[DraftPurpose]:
        """Return its purposes."""
        tables = [as_table(entry) for entry in as_list(self.values.get("purpose"))]
        return [
            DraftPurpose(f"purpose {as_text(table.get('id')) or row}", table)
            for row, table in enumerate(tables, start=1)
        ]

    def words(self) -> Iterator[tuple[str, str]]:
        """Yield (where, word or line) for every key and text that is about purposes.

        Postal addresses and catalog paths are left out: they name places and goods, not uses.
        """
        for key, value in self.values.items():
            if key == "policy":
                rest = {name: inner for name, inner in self.head.items() if name not in _NOT_USES}
                yield from _walk(rest, "policy")
            elif key not in {"sensitive", "purpose"}:
                yield from _walk({key: value}, "")
        for purpose in self.purposes():
            yield from _walk(purpose.values, purpose.name)


_NOT_USES: Final = {"controller", "must_exclude", "reviewed_by"}


def as_text(value: object) -> str:
    """Return a text, or the empty one."""
    return value if isinstance(value, str) else ""


def as_table(value: object) -> Mapping[str, object]:
    """Return a table, or the empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a list, or the empty one."""
    return value if isinstance(value, list) else []


def _walk(value: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            place = f"{where}.{key}" if where else str(key)
            yield place, str(key)
            yield from _walk(inner, place)
    elif isinstance(value, list):
        for row, inner in enumerate(value, start=1):
            yield from _walk(inner, f"{where} {row}")
    elif isinstance(value, str):
        yield where, value
