"""Where the record of choices lies: in slots of a file (`shelfrank.consent.slots`), or in memory.

A withdrawal must work when the disk is full, hence the slots; the journal that tells of it has its
own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from shelfrank.consent.journal import JOURNAL_BYTES
from shelfrank.consent.record import RECORD_BYTES
from shelfrank.consent.slots import SLOT_BYTES, Layout, Sealer, SlotFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "SLOT_BYTES",
    "ChoiceStore",
    "FileChoiceStore",
    "FileJournalStore",
    "MemoryChoiceStore",
    "Sealer",
]

CHOICES: Final = Layout(
    name="record of choices",
    magic=b"SFRC",
    context=b"shelfrank consent slot",
    content_bytes=RECORD_BYTES,
)

JOURNAL: Final = Layout(
    name="journal of choices",
    magic=b"SFRJ",
    context=b"shelfrank journal slot",
    content_bytes=JOURNAL_BYTES,
)


class ChoiceStore(Protocol):
    """Keeps one record of `RECORD_BYTES` bytes."""

    @property
    def writable(self) -> bool:
        """Whether a write may succeed; False on a read-only disk."""
        ...

    def stamp(self) -> bytes:
        """Return bytes that change with every write, whoever wrote.

        Raises:
            OSError: the disk failed.
        """
        ...

    def exclusive(self) -> AbstractContextManager[bool]:
        """Keep others from writing meanwhile; whether that worked."""
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
        self._writes = 0

    @property
    def writable(self) -> bool:
        """Always."""
        return True

    def stamp(self) -> bytes:
        """Return the number of writes."""
        return str(self._writes).encode()

    def exclusive(self) -> AbstractContextManager[bool]:
        """Nobody else can write."""
        return nullcontext(True)

    def read(self) -> bytes | None:
        """Return the record, or None."""
        return self._record

    def write(self, record: bytes) -> None:
        """Replace the record."""
        self._record = record
        self._writes += 1

    def void(self) -> None:
        """Drop the record."""
        self._record = None
        self._writes += 1


class FileChoiceStore(SlotFile):
    """Keeps the record in two slots of one file. Creates nothing before the first write.

    Args:
        path: of the file; its folder is made when needed, for its owner only.
        seal: keeps the record secret and whole.
    """

    def __init__(self, path: Path, seal: Sealer) -> None:
        super().__init__(path, seal, CHOICES)


class FileJournalStore(SlotFile):
    """Keeps the journal in two slots of a file of its own, like the choices.

    Args:
        path: of the file.
        seal: keeps the journal secret and whole.
    """

    def __init__(self, path: Path, seal: Sealer) -> None:
        super().__init__(path, seal, JOURNAL)
