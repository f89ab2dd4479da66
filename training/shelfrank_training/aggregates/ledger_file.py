"""The ledger on disk: read, decide, write anew, and only then publish (`ledger` has the rules)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from shelfrank_training.aggregates.ledger import Ledger, new_ledger
from shelfrank_training.errors import PrivacyError
from shelfrank_training.folders import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shelfrank_training.aggregates.info import LedgerNote
    from shelfrank_training.aggregates.ledger import Release


class OpenLedger:
    """A ledger that nobody else changes meanwhile.

    Args:
        path: the file.
        ledger: what it holds.
        is_new: whether there is no file yet.
    """

    def __init__(self, path: Path, ledger: Ledger, *, is_new: bool) -> None:
        self._path = path
        self._ledger = ledger
        self._is_new = is_new

    def note(self, release: Release) -> LedgerNote:
        """See `shelfrank_training.aggregates.ledger.Ledger.note`."""
        return self._ledger.note(release)

    def enter(self, release: Release) -> None:
        """Add a release; on disk when this returns. Publish after it, never before.

        Raises:
            PrivacyError: it would overspend, or another run made the ledger meanwhile.
        """
        self._ledger.note(release)
        self._ledger = self._ledger.with_release(release)
        # A file that replaces the other is there whole or not at all, whenever a run is killed.
        with NamedTemporaryFile(dir=self._path.parent, prefix=".ledger-", delete=False) as file:
            made = Path(file.name)
            try:
                file.write(self._ledger.to_bytes())
                file.flush()
                os.fsync(file.fileno())
                self._put(made)
            finally:
                made.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def _put(self, made: Path) -> None:
        if not self._is_new:
            made.replace(self._path)
            return
        try:
            os.link(made, self._path)
        except FileExistsError:
            raise _in_use(self._path) from None


@contextmanager
def open_ledger(path: Path, *, epsilon_limit: float) -> Iterator[OpenLedger]:
    """Open a ledger, and keep others out for as long as the context lasts.

    Where there is none, the first release that is entered makes it.

    Args:
        path: the file.
        epsilon_limit: of a new ledger; an existing one keeps its own.

    Raises:
        PrivacyError: it is damaged, or another run has it open.
    """
    new = new_ledger(epsilon_limit)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield OpenLedger(path, new, is_new=True)
        return
    with file:
        _lock(file, path)
        if os.fstat(file.fileno()).st_ino != path.stat().st_ino:
            raise _in_use(path)  # Replaced between opening and locking.
        yield OpenLedger(path, Ledger.parse(file.read()), is_new=False)


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: a file open for writing elsewhere is not kept out.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _in_use(path) from None


def _in_use(path: Path) -> PrivacyError:
    return PrivacyError(
        f"{path} is in use by another run", hint="wait until the other release is done"
    )
