"""Strict JSON: one document, one meaning (bundle-format.md, section 4).

Two parsers that read one signed text differently are a way round a signature. So: UTF-8, one
object, no member twice, no NaN or infinity, no lone surrogates, bounded depth; numbers and times in
stated ranges. Everything else is `BundleFormatError`, never an untyped error.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shelfrank.errors import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_JSON_INTEGER: Final = 2**53 - 1
"""Above it, readers that keep numbers as doubles (JavaScript, many others) see another number."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(data: bytes, *, where: str) -> Fields:
    """Parse one JSON object.

    Args:
        data: UTF-8 JSON text; the caller has bounded its size.
        where: the file's name, for messages.

    Raises:
        BundleFormatError: not strict JSON, or not an object.
    """
    try:
        value: object = json.loads(
            _text(data),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise BundleFormatError(f"{where} is nested too deeply") from None
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors.
        raise BundleFormatError(f"{where} is not strict JSON: {error}") from None
    return Fields(value, where=where)


def dump(value: Mapping[str, object]) -> bytes:
    """Return the one spelling shelfrank writes: sorted, indented, UTF-8, final newline."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def format_time(time: datetime) -> str:
    """Return an aware time as ``2026-11-21T09:30:00Z``; fractions of a second are cut off."""
    if time.tzinfo is None:
        raise ValueError("time must be aware, got a naive one")
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def parse_time(text: str, *, where: str) -> datetime:
    """Return the aware UTC time written as ``2026-11-21T09:30:00Z``; no other spelling is taken."""
    try:
        if _TIME.fullmatch(text) is not None:
            return datetime.fromisoformat(text)
    except ValueError:  # The right form but no date: 30 February.
        pass
    raise BundleFormatError(
        f"{where} must be a UTC time such as 2026-11-21T09:30:00Z, got {_short(text)}"
    )


class Fields:
    """Typed access to one JSON object; every miss is a `BundleFormatError` that names the place.

    Members that nobody asks for are ignored: a change that old readers must notice raises the
    format number instead.

    Args:
        value: what the JSON text said.
        where: file and path inside it, for messages.
    """

    def __init__(self, value: object, *, where: str) -> None:
        if not isinstance(value, dict):
            raise BundleFormatError(f"{where} must be a JSON object, got {_short(value)}")
        self._values: dict[str, object] = value
        self._where = where

    @property
    def raw(self) -> Mapping[str, object]:
        """The object as parsed."""
        return self._values

    def names(self) -> tuple[str, ...]:
        """Return the members' names in the order written."""
        return tuple(self._values)

    def path(self, name: str) -> str:
        """Return file and place of a member, for messages."""
        return f"{self._where}: `{name}`"

    def text(self, name: str, *, pattern: str | None = None, longest: int = 256) -> str:
        """Return a string of 1..`longest` characters that matches `pattern` in full."""
        value = self._get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise self._wrong(name, value, f"a text of 1..{longest} characters")
        if pattern is not None and re.fullmatch(pattern, value, re.ASCII) is None:
            raise self._wrong(name, value, f"a text like {pattern}")
        return value

    def integer(self, name: str, *, low: int, high: int = MAX_JSON_INTEGER) -> int:
        """Return a whole number in ``low..high``; true and 1.0 are no whole numbers."""
        value = self._get(name)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(name, value, f"a whole number in {low}..{high}")
        return value

    def number(self, name: str, *, low: float, high: float) -> float:
        """Return a finite number in ``low..high``."""
        value = self._get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise self._wrong(name, value, f"a number in {low}..{high}")

    def number_or_none(self, name: str, *, low: float, high: float) -> float | None:
        """Return a finite number, or None where the member is null or absent."""
        if self._values.get(name) is None:
            return None
        return self.number(name, low=low, high=high)

    def boolean(self, name: str) -> bool:
        """Return true or false; 0 and 1 are neither."""
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def time(self, name: str) -> datetime:
        """Return an aware UTC time."""
        return parse_time(self.text(name), where=self.path(name))

    def child(self, name: str) -> Fields:
        """Return a member that is an object."""
        return Fields(self._get(name), where=self.path(name))

    def array(self, name: str, *, longest: int) -> list[object]:
        """Return a member that is a list of at most `longest`."""
        value = self._get(name)
        if not isinstance(value, list) or len(value) > longest:
            raise self._wrong(name, value, f"a list of at most {longest}")
        return list(value)

    def objects(self, name: str, *, longest: int) -> list[Fields]:
        """Return a member that is a list of objects."""
        values = self.array(name, longest=longest)
        return [Fields(v, where=self.path(f"{name}[{i}]")) for i, v in enumerate(values)]

    def texts(self, name: str, *, pattern: str, longest: int) -> tuple[str, ...]:
        """Return a member that is a list of distinct texts, each matching `pattern` in full."""
        found: list[str] = []
        for value in self.array(name, longest=longest):
            if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
                raise self._wrong(name, value, f"a list of texts like {pattern}")
            found.append(value)
        if len(set(found)) != len(found):
            raise BundleFormatError(f"{self.path(name)} names something twice")
        return tuple(found)

    def _get(self, name: str) -> object:
        if name not in self._values:
            raise BundleFormatError(f"{self.path(name)} is missing")
        return self._values[name]

    def _wrong(self, name: str, value: object, wanted: str) -> BundleFormatError:
        return BundleFormatError(f"{self.path(name)} must be {wanted}, got {_short(value)}")


def _text(data: bytes) -> str:
    text = data.decode("utf-8")
    if _SURROGATE.search(text):
        raise ValueError("characters outside the BMP must stand as UTF-8, not as escapes")
    return text


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has the same member twice")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large for a double")
    return number


def _short(value: object) -> str:
    """Return the kind of a value, with the value itself where it is short."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
