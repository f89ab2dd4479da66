"""Protobuf's wire format, for reading untrusted messages field by field (no generated code).

Stricter than the standard, because onnxruntime's own parser reads the same bytes afterwards: an
unknown field, a group, a wrong wire type or a single field given twice is refused, so that both
read one meaning.
Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from shelfrank.errors import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_FIXED: Final = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10  # 64 bits in groups of 7


class Field(NamedTuple):
    """One field a message may have.

    Attributes:
        name: as in the schema.
        wire: the wire types it may come in.
        repeated: it may come more than once.
    """

    name: str
    wire: tuple[int, ...] = (BYTES,)
    repeated: bool = False


class Value(NamedTuple):
    """One field found: a number for varints and fixed sizes, else the bytes."""

    name: str
    number: int
    data: memoryview


_NO_DATA: Final = memoryview(b"")


def read_message(data: memoryview, schema: Mapping[int, Field], *, what: str) -> Iterator[Value]:
    """Yield the fields of one message in the order written.

    Args:
        data: the message.
        schema: field number to field; no other number is allowed.
        what: the message's kind, for errors.

    Raises:
        BundleFormatError: not a message of this kind.
    """
    seen: set[int] = set()
    offset = 0
    while offset < len(data):
        key, offset = read_varint(data, offset, what=what)
        number, wire = key >> 3, key & 7
        field = schema.get(number)
        if field is None or wire not in field.wire:
            raise BundleFormatError(f"model has a field {number} in {what} that is not allowed")
        if number in seen and not field.repeated:
            raise BundleFormatError(f"model has {field.name} twice in {what}")
        seen.add(number)
        value, offset = _read_value(data, offset, field.name, wire)
        yield value


def read_varint(data: memoryview, offset: int, *, what: str) -> tuple[int, int]:
    """Return an unsigned number below 2**64 and the offset behind it."""
    number = 0
    for position in range(_MAX_VARINT_BYTES):
        if offset + position >= len(data):
            break
        byte = data[offset + position]
        number |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            if number >= 1 << 64:
                break
            return number, offset + position + 1
    raise BundleFormatError(f"model has a damaged number in {what}")


def signed(number: int) -> int:
    """Return a 64-bit number as the signed one it stands for (two's complement)."""
    return number - (1 << 64) if number >= 1 << 63 else number


def read_packed(value: Value, *, what: str) -> list[int]:
    """Return the numbers of a repeated varint field, packed or one at a time."""
    if not value.data:
        # An empty packed list and a single 0 look alike here; a field with one number carries it.
        return [value.number] if value.number >= 0 else []
    numbers: list[int] = []
    offset = 0
    while offset < len(value.data):
        number, offset = read_varint(value.data, offset, what=what)
        numbers.append(number)
    return numbers


def text(value: Value) -> str:
    """Return a name; one that is not UTF-8 is refused."""
    try:
        return str(value.data, "utf-8")
    except UnicodeDecodeError:
        raise BundleFormatError(f"model has a {value.name} that is not UTF-8") from None


def _read_value(data: memoryview, offset: int, name: str, wire: int) -> tuple[Value, int]:
    if wire == VARINT:
        number, offset = read_varint(data, offset, what=name)
        return Value(name, number, _NO_DATA), offset
    if wire == BYTES:
        size, offset = read_varint(data, offset, what=name)
    else:
        size = _FIXED[wire]
    if size > len(data) - offset:
        raise BundleFormatError(f"model ends inside {name}")
    # -1 tells an empty packed list from the number 0.
    return Value(name, -1, data[offset : offset + size]), offset + size
