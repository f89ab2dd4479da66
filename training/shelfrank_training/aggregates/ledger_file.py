"""The ledger on disk: read, decide, append, and only then publish (`ledger` has the rules)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from shelfrank_training.aggregates.ledger import Ledger, new_ledger, whole_lines
from shelfrank_training.errors import PrivacyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shelfrank_training.aggregates.info import LedgerNote
    from shelfrank_training.aggregates.ledger import Release


class OpenLedger:
    """A ledger that nobody else changes meanwhile.

    Args:
        file: open for reading and writing, locked.
        ledger: what it holds.
        length: bytes of it that count.
    """

    def __init__(self, file: BinaryIO, ledger: Ledger, length: int) -> None:
        self._file = file
        self._ledger = ledger
        self._length = length

    def note(self, release: Release) -> LedgerNote:
        """See `shelfrank_training.aggregates.ledger.Ledger.note`."""
        return self._ledger.note(release)

    def enter(self, release: Release) -> None:
        """Append a release; on disk when this returns. Publish after it, never before."""
        self._ledger.note(release)
        self._file.truncate(self._length)
        self._file.seek(self._length)
        self._file.write(self._ledger.line(release))
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_ledger(path: Path, *, epsilon_limit: float) -> Iterator[OpenLedger]:
    """Open a ledger, or make one, and keep others out for as long as the context lasts.

    Args:
        path: the file.
        epsilon_limit: of a new ledger; an existing one keeps its own.

    Raises:
        PrivacyError: it is damaged, or another run has it open.
    """
    head = new_ledger(epsilon_limit)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        _lock(file, path)
        data = whole_lines(file.read())
        if not data:  # New, or made by a run that was killed before its first line was whole.
            file.truncate(0)
            file.seek(0)
            file.write(head)
            file.flush()
            os.fsync(file.fileno())
            data = head
        yield OpenLedger(file, Ledger.parse(data), len(data))


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: a file open for writing elsewhere is not kept out.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PrivacyError(
            f"{path} is in use by another run", hint="wait until the other release is done"
        ) from None
