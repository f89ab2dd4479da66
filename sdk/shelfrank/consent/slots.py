"""One sealed content of fixed size, in two slots of one file that are overwritten in place.

What must be written when the disk is full has its place set aside: the first write fills both slots
to the last byte, and every later one overwrites them: first the older one, then, once that is safe
on the disk, the other. At rest both hold the same content, so that damage to one cannot bring an
older one back. (A copy-on-write file system may still need a free block to overwrite; then the file
is removed.)

Slot, format 1: four letters that say what it is, format (uint16), length of what is sealed
(uint32), the sealed sequence number and content, zeros to the end; all big-endian. The header and
the slot's number are authenticated with it.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from shelfrank.consent.inplace import FilledFile
from shelfrank.errors import ConsentError, ShelfrankError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 1
SLOT_BYTES: Final = 32 * 1024
SLOTS: Final = 2

_HEADER: Final = struct.Struct(">4sHI")
_SEQUENCE: Final = struct.Struct(">Q")
_BLANK: Final = bytes(SLOT_BYTES)

# Whatever seals begins with something new every time (a nonce), so a few bytes of each slot tell
# whether anybody wrote since.
_STAMP_BYTES: Final = _HEADER.size + 64

# Windows does not know it, and has text files otherwise.
_CLOSED_ON_EXEC: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

# A write takes some milliseconds; whoever holds the lock for seconds hangs.
_LOCK_TRIES: Final = 100
_LOCK_PAUSE_SECONDS: Final = 0.05


class Sealer(Protocol):
    """Encrypts and authenticates; the device hands in the history's."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return `plain` sealed, bound to `context`; no two results begin alike."""
        ...

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            ShelfrankError: no key, the wrong one, or not what was sealed with this context.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a file of slots holds.

    Attributes:
        name: how messages call it.
        magic: the four letters each slot begins with.
        context: what the seal is bound to, before header and slot number.
        content_bytes: size of the content; with sequence number, header and seal it fits a slot.
    """

    name: str
    magic: bytes
    context: bytes
    content_bytes: int


class SlotFile:
    """Keeps one content in two slots of one file. Creates nothing before the first write.

    Args:
        path: of the file; its folder is made when needed, for its owner only.
        seal: keeps the content secret and whole.
        layout: what it is.
    """

    def __init__(self, path: Path, seal: Sealer, layout: Layout) -> None:
        self._path = path
        self._seal = seal
        self._layout = layout

    @property
    def writable(self) -> bool:
        """Whether the file, or else the nearest folder that exists, may be written."""
        path = self._path.absolute()
        there = next(place for place in (path, *path.parents) if place.exists())
        return os.access(there, os.W_OK)

    def stamp(self) -> bytes:
        """Return bytes that change with every write, whoever wrote; empty without a file.

        Raises:
            OSError: the disk failed.
        """
        # Every ranking asks several times, hence by hand.
        try:
            handle = os.open(self._path, os.O_RDONLY | _CLOSED_ON_EXEC)
        except FileNotFoundError:
            return b""
        try:
            first = os.read(handle, _STAMP_BYTES)
            os.lseek(handle, SLOT_BYTES, os.SEEK_SET)
            return first + os.read(handle, _STAMP_BYTES)
        finally:
            os.close(handle)

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Keep other processes from writing meanwhile; whether that worked.

        It does at once before the first write, where there is nothing to lock. Not reentrant.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | _CLOSED_ON_EXEC)
        except OSError:
            yield True
            return
        try:
            yield _lock(handle)
        finally:
            os.close(handle)  # And with it the lock.

    def read(self) -> bytes | None:
        """Return the newest content that opens, or None if there is none or it was made void.

        Raises:
            ConsentError: something is there, and it cannot be read.
            OSError: the disk failed.
        """
        slots = self._slots()
        opened = [content for content in map(self._open, range(SLOTS), slots) if content]
        if opened:
            return max(opened)[1]
        if any(slot.strip(b"\0") for slot in slots):
            raise ConsentError(
                f"{self._layout.name}: got one that is damaged or sealed with another key",
                hint="withdrawing makes it void; then the shopper can choose anew",
            )
        return None

    def write(self, content: bytes) -> None:
        """Overwrite the older slot, then the other; on the disk when this returns.

        Raises:
            ShelfrankError: it cannot be sealed; nothing changed.
            OSError: it cannot be written; what was there is still whole.
        """
        opened = map(self._open, range(SLOTS), self._slots())
        sequences = [content[0] if content else -1 for content in opened]
        sequence = max(sequences) + 1
        # Both are sealed before the file is touched: without a key nothing changes.
        slots = [self._sealed(number, sequence, content) for number in range(SLOTS)]
        first, second = sorted(range(SLOTS), key=sequences.__getitem__)
        with FilledFile(self._path, SLOTS * SLOT_BYTES) as file:
            file.overwrite(first * SLOT_BYTES, slots[first])
            # The content is safe by now, and the next write starts with the slot that failed.
            with suppress(OSError):
                file.overwrite(second * SLOT_BYTES, slots[second])

    def void(self) -> None:
        """Blank both slots or, where even that needs space, remove the file. Needs no key.

        Raises:
            OSError: the disk does not let anything be changed.
        """
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

    def _sealed(self, number: int, sequence: int, content: bytes) -> bytes:
        wanted = self._layout.content_bytes
        if len(content) != wanted:
            raise ValueError(f"got a content of {len(content)} bytes, wanted {wanted}")
        sealed = self._seal.seal(_SEQUENCE.pack(sequence) + content, self._context(number))
        slot = _HEADER.pack(self._layout.magic, FORMAT, len(sealed)) + sealed
        if len(slot) > SLOT_BYTES:
            raise ValueError(f"sealed content has {len(slot)} bytes, wanted at most {SLOT_BYTES}")
        return slot.ljust(SLOT_BYTES, b"\0")

    def _open(self, number: int, slot: bytes) -> tuple[int, bytes] | None:
        """Return sequence number and content; None if the slot is blank, torn or not ours."""
        if len(slot) != SLOT_BYTES:
            return None
        magic, version, length = _HEADER.unpack_from(slot)
        end = _HEADER.size + length
        known = (magic, version) == (self._layout.magic, FORMAT)
        if not known or end > SLOT_BYTES or slot[end:].strip(b"\0"):
            return None
        try:
            plain = self._seal.open(slot[_HEADER.size : end], self._context(number))
        except ShelfrankError:
            return None
        if len(plain) != _SEQUENCE.size + self._layout.content_bytes:
            return None
        return _SEQUENCE.unpack_from(plain)[0], plain[_SEQUENCE.size :]

    def _context(self, number: int) -> bytes:
        return self._layout.context + struct.pack(">4sHB", self._layout.magic, FORMAT, number)


def _lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows, where a device on a disk is not supported.
        return True
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_SECONDS)
        except OSError:  # A file system without locks: as before there were any.
            return True
        else:
            return True
    return False
