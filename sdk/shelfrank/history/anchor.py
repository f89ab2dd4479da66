"""The anchor beside the database: it knows how new the history must be (section 9).

Whatever is inside the database rolls back with it, so the newest commit is also remembered outside.
The rule that makes this free of false alarms: the anchor is written only after the commit is
durable, so it is never ahead of an honest history.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from shelfrank.errors import HistoryDamagedError, HistoryRolledBackError
from shelfrank.history.envelope import (
    OVERHEAD_BYTES,
    DeviceKeys,
    Place,
    open_sealed,
    seal,
)
from shelfrank.history.files import file_error, write_all
from shelfrank.history.head import DIGEST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

# Each slot lies in a page of its own: a torn write damages one, and the other still holds.
SLOT_STRIDE_BYTES: Final = 4096
SLOTS: Final = 2
FILE_BYTES: Final = SLOT_STRIDE_BYTES * SLOTS

_MARK: Final = struct.Struct(f"<Q{DIGEST_BYTES}s")
SLOT_BYTES: Final = _MARK.size + OVERHEAD_BYTES

ERASED: Final = b"shelfrank: the history that stood here was erased on purpose\n"
"""Stands at the start of the file while the rest is removed: a kill in between is then no alarm."""

_REANCHOR_HINT: Final = (
    "if the file was lost by accident and the history is the newest you have, Device.recover_at "
    "takes it over into a new folder"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorMark:
    """The newest commit that is known to be durable.

    Attributes:
        version: number of the commit.
        head_digest: 32 bytes; tells two histories apart that went different ways from one copy.
    """

    version: int
    head_digest: bytes


class AnchorFile(Protocol):
    """Where the anchor's bytes are."""

    def read(self) -> bytes | None:
        """Return the whole content, or None when there is no file."""
        ...

    def create(self) -> None:
        """Make the file, all zero and durable, unless it is there."""
        ...

    def write(self, offset: int, data: bytes, *, durable: bool) -> None:
        """Overwrite in place; OSError when there is no file."""
        ...

    def remove(self) -> None:
        """Remove the file if it is there."""
        ...


def check_anchor(
    content: bytes | None, keys: DeviceKeys, store_id: bytes, current: AnchorMark
) -> None:
    """Refuse a history that is not the newest one this device had.

    Args:
        content: what the anchor file holds, or None when there is none.
        keys: of this history.
        store_id: of this history.
        current: what the database says.

    Raises:
        HistoryRolledBackError: the anchor is ahead or of another course, or it is gone.
        HistoryDamagedError: no slot of it belongs to this history.
    """
    marks = read_marks(content, keys, store_id)
    if not marks:
        # Before the second commit the anchor is made durable, so only the first may be without one.
        if content is not None and current.version == 1:
            return
        raise HistoryRolledBackError(
            f"history is at commit {current.version}, but the anchor to confirm it is missing",
            hint=_REANCHOR_HINT,
        )
    newest = max(marks, key=lambda mark: mark.version)
    if newest.version > current.version:
        raise HistoryRolledBackError(
            f"history is at commit {current.version}, this device has already had {newest.version}",
            hint="an older copy was put back; bring the newer one or erase the history",
        )
    if newest.version == current.version and newest != current:
        raise HistoryRolledBackError(
            f"history has another commit {current.version} than this device has had",
            hint="a copy was used elsewhere and put back; bring the original or erase the history",
        )


def read_marks(content: bytes | None, keys: DeviceKeys, store_id: bytes) -> list[AnchorMark]:
    """Return the marks in an anchor: none when it is missing or still all zero.

    One unreadable slot is a torn write and passes; the other still holds.

    Raises:
        HistoryDamagedError: something is written there, and none of it belongs to this history.
    """
    if content is None:
        return []
    slots = [_slot(content, number) for number in range(SLOTS)]
    written = [(number, slot) for number, slot in enumerate(slots) if any(slot)]
    marks = []
    for number, slot in written:
        try:
            plain = open_sealed(keys.anchor, slot, _place(store_id, number))
        except HistoryDamagedError:
            continue
        marks.append(AnchorMark(version=(mark := _MARK.unpack(plain))[0], head_digest=mark[1]))
    if written and not marks:
        raise HistoryDamagedError(
            "the anchor beside the history is damaged or belongs to another one",
            hint=_REANCHOR_HINT,
        )
    return marks


def write_mark(
    file: AnchorFile, mark: AnchorMark, keys: DeviceKeys, store_id: bytes, *, durable: bool = False
) -> None:
    """Remember a durable commit, in the slot that does not hold the one before.

    Args:
        file: to write to.
        mark: the commit.
        keys: of this history.
        store_id: of this history.
        durable: wait until the disk has it. Needed once, before the second commit; later an older
            mark after a power cut only protects less, and never alarms.
    """
    slot = mark.version % SLOTS
    plain = _MARK.pack(mark.version, mark.head_digest)
    sealed = seal(keys.anchor, plain, _place(store_id, slot))
    file.write(slot * SLOT_STRIDE_BYTES, sealed, durable=durable)


def is_blank(content: bytes) -> bool:
    """Say whether an anchor was made but never written: the history never came to be."""
    return not any(content)


def is_erased(content: bytes) -> bool:
    """Say whether the history was being erased on purpose."""
    return content.startswith(ERASED)


class DiskAnchor:
    """An anchor in a file of 8 KiB with mode 0600.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return the whole content, or None when there is no file."""
        try:
            with self._path.open("rb") as file:
                return file.read(FILE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_error(error) from error

    def create(self) -> None:
        """Make the file, all zero and durable, unless it is there."""
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        try:
            write_all(handle, bytes(FILE_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)

    def write(self, offset: int, data: bytes, *, durable: bool) -> None:
        """Overwrite in place; OSError when there is no file."""
        handle = os.open(self._path, os.O_WRONLY)
        try:
            os.lseek(handle, offset, os.SEEK_SET)
            write_all(handle, data)
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Remove the file if it is there."""
        self._path.unlink(missing_ok=True)


class MemoryAnchor:
    """An anchor for a history that has no files."""

    def __init__(self) -> None:
        self._content: bytearray | None = None

    def read(self) -> bytes | None:
        """Return the whole content, or None when there is none."""
        return None if self._content is None else bytes(self._content)

    def create(self) -> None:
        """Make it, all zero, unless it is there."""
        if self._content is None:
            self._content = bytearray(FILE_BYTES)

    def write(self, offset: int, data: bytes, *, durable: bool) -> None:  # noqa: ARG002 no disk
        """Overwrite in place; OSError when there is none."""
        if self._content is None:
            raise FileNotFoundError
        self._content[offset : offset + len(data)] = data

    def remove(self) -> None:
        """Remove it."""
        self._content = None


def _slot(content: bytes, number: int) -> bytes:
    start = number * SLOT_STRIDE_BYTES
    return content[start : start + SLOT_BYTES]


def _place(store_id: bytes, slot: int) -> Place:
    return Place(store_id=store_id, kind="anchor", position=bytes([slot]))
