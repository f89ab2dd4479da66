"""Read TOML tables strictly: every key is asked for by name and type, and none may be left over.

A policy decides what may be stored about a person. A key that is misspelt or of the wrong type must
stop the reading; silently falling back to a default would enforce something nobody wrote.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from shelfrank.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T", bound=str)

# The largest policy we have written is 7 KiB; 16 purposes in three languages and a thousand
# excluded categories stay below 80 KiB. The bound keeps a hostile file from filling a small
# device's memory.
MAX_POLICY_BYTES: Final = 128 * 1024

# Ten years. Longer than any retention or validity a shop could give a reason for, and far from the
# end of the calendar, so that adding it to a date never overflows.
MAX_DAYS: Final = 3650

_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_DURATION: Final = re.compile(r"P([0-9]{1,6})([DWMY])")
_DAYS_PER_UNIT: Final = {"D": (1, 1), "W": (7, 1), "M": (365, 12), "Y": (365, 1)}


def read_toml(data: bytes) -> Table:
    """Parse `data` as TOML.

    Raises:
        PolicyError: too large, not UTF-8, not TOML, or nested beyond reason.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyError(f"policy has {len(data)} bytes, wanted at most {MAX_POLICY_BYTES}")
    try:
        values = tomllib.loads(data.decode("utf-8"))
    # tomllib lets through the ValueError of an integer with thousands of digits and the
    # RecursionError of a deep nest; both are just unreadable policies.
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PolicyError(f"policy is not TOML in UTF-8: {reason}") from None
    return Table(values, where="")


class Table:
    """One TOML table whose keys are taken one by one; `finish` refuses what nobody took.

    Args:
        values: the table as tomllib gives it.
        where: how messages name the table, for example ``purpose rank_products``; empty for the
            whole file.
    """

    def __init__(self, values: Mapping[str, object], *, where: str) -> None:
        self._values = values
        self._taken: set[str] = set()
        self.where = where

    def refuse(self, key: str, *, got: str, wanted: str, hint: str | None = None) -> NoReturn:
        """Raise the error for `key`, naming where it stands, what is there and what is wanted."""
        raise PolicyError(f"{self._path(key)}: got {got}, wanted {wanted}", hint=hint)

    def finish(self) -> None:
        """Refuse the keys that no reader took.

        Raises:
            PolicyError: naming the first of them.
        """
        for key in sorted(set(self._values) - self._taken):
            known = ", ".join(sorted(self._taken))
            shown = key if _ID.fullmatch(key) else _shown(key)
            self.refuse(shown, got="an unknown key", wanted=f"only {known}")

    def has(self, key: str) -> bool:
        """Whether `key` is written; it still has to be taken."""
        return key in self._values

    def text(self, key: str, *, max_chars: int, default: str | None = None) -> str:
        """Take a line of text: not empty, no control or invisible characters."""
        value = self._take(key, str, "text", default)
        if not value.strip() and value != default:
            self.refuse(key, got="nothing", wanted="text")
        if len(value) > max_chars:
            self.refuse(key, got=f"{len(value)} characters", wanted=f"at most {max_chars}")
        if not _is_plain_line(value):
            self.refuse(key, got="control or invisible characters", wanted="one line of plain text")
        return value

    def identifier(self, key: str) -> str:
        """Take an id: a lower-case letter, then letters, digits, ``_`` or ``-``; at most 64."""
        value = self._take(key, str, "an id")
        if not _ID.fullmatch(value):
            self.refuse(key, got=_shown(value), wanted="lower-case letters, digits, _ and -")
        return value

    def identifiers(self, key: str, *, max_count: int, max_chars: int) -> tuple[str, ...]:
        """Take a list of at least one id, none twice; sorted."""
        values = self.texts(key, max_count=max_count, max_chars=max_chars)
        for value in values:
            if not _ID.fullmatch(value):
                self.refuse(key, got=_shown(value), wanted="lower-case letters, digits, _ and -")
        if not values or len(values) != len(set(values)):
            self.refuse(key, got=f"{len(values)} values", wanted="at least one, and none twice")
        return tuple(sorted(values))

    def day(self, key: str) -> date:
        """Take a TOML date without a time, such as ``2026-11-21``."""
        self._taken.add(key)
        value = self._values.get(key)
        # `type … is`, because a moment is a date to isinstance.
        if type(value) is not date:
            got = "nothing" if value is None else _kind_of(value)
            self.refuse(key, got=got, wanted="a day such as 2026-11-21, without quotes")
        return value

    def integer(self, key: str, *, at_least: int, at_most: int, default: int | None = None) -> int:
        """Take a whole number within bounds, both included."""
        value = self._take(key, int, "a whole number", default)
        if not at_least <= value <= at_most:
            self.refuse(key, got=_shown(value), wanted=f"a number from {at_least} to {at_most}")
        return value

    def positive(self, key: str, *, at_most: float) -> float | None:
        """Take a number above 0, whole or decimal; None where the key is absent."""
        self._taken.add(key)
        if key not in self._values:
            return None
        value = self._values[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(key, got=_kind_of(value), wanted="a number")
        if not 0 < value <= at_most:  # nan fails every comparison
            self.refuse(key, got=_shown(value), wanted=f"above 0 and at most {at_most:g}")
        return float(value)

    def days(self, key: str, *, default: int | None = None) -> int:
        """Take a duration (``P400D``, ``P8W``, ``P12M``, ``P1Y``) in whole days.

        A year is 365 days and a month a twelfth of it, rounded down: never longer than what was
        said.
        """
        if default is not None and not self.has(key):
            self._taken.add(key)
            return default
        value = self._take(key, str, 'a duration such as "P400D"')
        match = _DURATION.fullmatch(value)
        if match is None:
            self.refuse(key, got=_shown(value), wanted='a duration such as "P400D" or "P12M"')
        numerator, denominator = _DAYS_PER_UNIT[match[2]]
        days = int(match[1]) * numerator // denominator
        if not 1 <= days <= MAX_DAYS:
            self.refuse(key, got=f"{days} days", wanted=f"from 1 to {MAX_DAYS} days")
        return days

    def choice(
        self, key: str, allowed: Sequence[T], *, default: T | None = None, hint: str | None = None
    ) -> T:
        """Take one of `allowed`."""
        if default is not None and not self.has(key):
            self._taken.add(key)
            return default
        value = self._take(key, str, _one_of(allowed))
        known = next((candidate for candidate in allowed if candidate == value), None)
        if known is None:
            self.refuse(key, got=_shown(value), wanted=_one_of(allowed), hint=hint)
        return known

    def choices(self, key: str, allowed: Sequence[T], *, hint: str | None = None) -> tuple[T, ...]:
        """Take a list of at least one of `allowed`, none twice, in the order of `allowed`."""
        values = self._take(key, list, f"a list out of {', '.join(allowed)}")
        for value in values:
            if value not in allowed:
                self.refuse(key, got=_shown(value), wanted=_one_of(allowed), hint=hint)
        if not values or len(values) != len(set(values)):
            self.refuse(key, got=f"{len(values)} values", wanted="at least one, and none twice")
        return tuple(candidate for candidate in allowed if candidate in values)

    def texts(self, key: str, *, max_count: int, max_chars: int) -> tuple[str, ...]:
        """Take a list of lines of text; it may be empty or absent."""
        values = self._take(key, list, "a list of texts", [])
        if len(values) > max_count:
            self.refuse(key, got=f"{len(values)} texts", wanted=f"at most {max_count}")
        entries = Table(
            {str(row): value for row, value in enumerate(values)}, where=self._path(key)
        )
        return tuple(entries.text(str(row), max_chars=max_chars) for row in range(len(values)))

    def table(self, key: str, *, where: str | None = None) -> Table:
        """Take a table."""
        value = self._take(key, dict, "a table")
        return Table(value, where=where or self._path(key))

    def tables(self, key: str, *, at_least: int = 1, at_most: int) -> list[Table]:
        """Take a list of tables (``[[key]]``)."""
        values = self._take(key, list, f"tables [[{self._path(key)}]]")
        if not at_least <= len(values) <= at_most:
            self.refuse(key, got=f"{len(values)} tables", wanted=f"from {at_least} to {at_most}")
        rows = Table(
            {str(row + 1): value for row, value in enumerate(values)}, where=self._path(key)
        )
        return [
            rows.table(str(row + 1), where=f"{self._path(key)} {row + 1}")
            for row in range(len(values))
        ]

    def _take(self, key: str, kind: type[_V], wanted: str, default: _V | None = None) -> _V:
        self._taken.add(key)
        if key not in self._values:
            if default is None:
                self.refuse(key, got="nothing", wanted=wanted)
            return default
        value = self._values[key]
        # `type … is`, because True is an int to isinstance.
        if type(value) is not kind:
            self.refuse(key, got=_kind_of(value), wanted=wanted)
        return value

    def _path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key


_V = TypeVar("_V", str, int, "list[object]", "dict[str, object]")


def _one_of(allowed: Sequence[str]) -> str:
    return f"one of {', '.join(allowed)}"


def _shown(value: object) -> str:
    """Show a value of the policy, shortened: it is the shop's text, nothing of a shopper's."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _kind_of(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a whole number", float: "a decimal number"}
    names |= {list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def _is_plain_line(text: str) -> bool:
    """Whether `text` can be shown as written: no control, bidirectional or unassigned character."""
    return all(
        unicodedata.category(char)[0] != "C" and unicodedata.category(char) not in {"Zl", "Zp"}
        for char in text
    )
