"""Where the record of choices lies: two slots of fixed size in one file, or memory.

A withdrawal must work when the disk is full. So the first write sets both slots aside, filled to
the last byte, and every later one overwrites them in place: first the older one, then, once that is
safe on the disk, the other. At rest both hold the same record, so that damage to one cannot bring
an older choice back. (A copy-on-write file system may still need a free block to overwrite; then
the file is removed.)

Slot, format 0: ``SFRC``, format (uint16), length of what is sealed (uint32), the sealed sequence
number and record, zeros to the end; all big-endian. The header and the slot's number are
authenticated with it.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from shelfrank.consent.inplace import FilledFile
from shelfrank.consent.record import RECORD_BYTES
from shelfrank.errors import ConsentError, ShelfrankError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = 0
SLOT_BYTES: Final = 32 * 1024
SLOTS: Final = 2

_HEADER: Final = struct.Struct(">4sHI")
_MAGIC: Final = b"SFRC"
_SEQUENCE: Final = struct.Struct(">Q")
_BLANK: Final = bytes(SLOT_BYTES)


class Sealer(Protocol):
    """Encrypts and authenticates; the device hands in the history's."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return `plain` sealed, bound to `context`."""
        ...

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            ShelfrankError: no key, the wrong one, or not what was sealed with this context.
        """
        ...


class ChoiceStore(Protocol):
    """Keeps one record of `RECORD_BYTES` bytes."""

    @property
    def writable(self) -> bool:
        """Whether a write may succeed; False on a read-only disk."""
        ...

    def read(self) -> bytes | None:
        """Return the record, or None if no choice was ever made, or all were made void.

        Raises:
            ConsentError: something is there, and it cannot be read.
            OSError: the disk failed.
        """
        ...

    def write(self, record: bytes) -> None:
        """Replace the record; it is on the disk when this returns.

        Raises:
            ShelfrankError: it cannot be sealed; nothing changed.
            OSError: it cannot be written; what was there is still whole.
        """
        ...

    def void(self) -> None:
        """Make every choice void, without needing a key or space.

        Raises:
            OSError: the disk does not let anything be changed.
        """
        ...


class MemoryChoiceStore:
    """Keeps the record until the process ends: guests at a kiosk, and tests."""

    def __init__(self) -> None:
        self._record: bytes | None = None

    @property
    def writable(self) -> bool:
        """Always."""
        return True

    def read(self) -> bytes | None:
        """Return the record, or None."""
        return self._record

    def write(self, record: bytes) -> None:
        """Replace the record."""
        self._record = record

    def void(self) -> None:
        """Drop the record."""
        self._record = None


class FileChoiceStore:
    """Keeps the record in two slots of one file. Creates nothing before the first write.

    Args:
        path: of the file; its folder is made when needed, for its owner only.
        seal: keeps the record secret and whole.
    """

    def __init__(self, path: Path, seal: Sealer) -> None:
        self._path = path
        self._seal = seal

    @property
    def writable(self) -> bool:
        """Whether the file, or else the nearest folder that exists, may be written."""
        path = self._path.absolute()
        there = next(place for place in (path, *path.parents) if place.exists())
        return os.access(there, os.W_OK)

    def read(self) -> bytes | None:
        """Return the newest record that opens; see `ChoiceStore.read`."""
        slots = self._slots()
        opened = [content for content in map(self._open, range(SLOTS), slots) if content]
        if opened:
            return max(opened)[1]
        if any(slot.strip(b"\0") for slot in slots):
            raise ConsentError(
                "record of choices: got one that is damaged or sealed with another key",
                hint="withdrawing makes it void; then the shopper can choose anew",
            )
        return None

    def write(self, record: bytes) -> None:
        """Overwrite the older slot, then the other; see `ChoiceStore.write`."""
        opened = map(self._open, range(SLOTS), self._slots())
        sequences = [content[0] if content else -1 for content in opened]
        sequence = max(sequences) + 1
        # Both are sealed before the file is touched: without a key nothing changes.
        slots = [self._sealed(number, sequence, record) for number in range(SLOTS)]
        first, second = sorted(range(SLOTS), key=sequences.__getitem__)
        with FilledFile(self._path, SLOTS * SLOT_BYTES) as file:
            file.overwrite(first * SLOT_BYTES, slots[first])
            # The record is safe by now, and the next write starts with the slot that failed.
            with suppress(OSError):
                file.overwrite(second * SLOT_BYTES, slots[second])

    def void(self) -> None:
        """Blank both slots or, where even that needs space, remove the file."""
        if not self._path.exists():
            return
        try:
            with FilledFile(self._path, SLOTS * SLOT_BYTES) as file:
                for number in range(SLOTS):
                    file.overwrite(number * SLOT_BYTES, _BLANK)
        except OSError:
            self._path.unlink()

    def _slots(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                return [file.read(SLOT_BYTES) for _ in range(SLOTS)]
        except FileNotFoundError:
            return [b""] * SLOTS

    def _sealed(self, number: int, sequence: int, record: bytes) -> bytes:
        if len(record) != RECORD_BYTES:
            raise ValueError(f"got a record of {len(record)} bytes, wanted {RECORD_BYTES}")
        sealed = self._seal.seal(_SEQUENCE.pack(sequence) + record, _context(number))
        slot = _HEADER.pack(_MAGIC, FORMAT, len(sealed)) + sealed
        if len(slot) > SLOT_BYTES:
            raise ValueError(f"sealed record has {len(slot)} bytes, wanted at most {SLOT_BYTES}")
        return slot.ljust(SLOT_BYTES, b"\0")

    def _open(self, number: int, slot: bytes) -> tuple[int, bytes] | None:
        """Return sequence number and record of a slot, or None if it is blank, torn or not ours."""
        if len(slot) != SLOT_BYTES:
            return None
        magic, version, length = _HEADER.unpack_from(slot)
        end = _HEADER.size + length
        if (magic, version) != (_MAGIC, FORMAT) or end > SLOT_BYTES or slot[end:].strip(b"\0"):
            return None
        try:
            plain = self._seal.open(slot[_HEADER.size : end], _context(number))
        except ShelfrankError:
            return None
        if len(plain) != _SEQUENCE.size + RECORD_BYTES:
            return None
        return _SEQUENCE.unpack_from(plain)[0], plain[_SEQUENCE.size :]


def _context(number: int) -> bytes:
    return b"shelfrank consent slot" + struct.pack(">4sHB", _MAGIC, FORMAT, number)
