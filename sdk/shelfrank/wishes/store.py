"""Where wishes lie: one sealed file beside the history, or memory. Input and output only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from shelfrank.history.files import file_error, replace_file
from shelfrank.wishes.wishes import Wishes, dump, parse

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.history.store import Sealer

WISHES_FILE: Final = "wishes"
"""Beside the history; sealed with a key of its own that outlives rotation and dies with it all."""

_CONTEXT: Final = b"wishes"


class WishStore(Protocol):
    """Keeps the wishes of one shopper."""

    def stamp(self) -> object:
        """Return what changes whenever another process writes; one look at the folder."""
        ...

    def read(self) -> Wishes:
        """Return them; none where nothing was ever said.

        Raises:
            HistoryError: something is there, and it cannot be read.
        """
        ...

    def write(self, wishes: Wishes) -> None:
        """Replace them; they are on the disk when this returns.

        Raises:
            HistoryError: they cannot be kept; what was there is still whole.
        """
        ...


class MemoryWishStore:
    """Keeps wishes until the process ends: for guests."""

    def __init__(self) -> None:
        self._wishes = Wishes()

    def stamp(self) -> object:
        """Nobody else writes here."""
        return None

    def read(self) -> Wishes:
        """Return them."""
        return self._wishes

    def write(self, wishes: Wishes) -> None:
        """Replace them."""
        self._wishes = wishes


class FileWishStore:
    """Keeps wishes in one sealed file; makes nothing before the first.

    Args:
        folder: of the device.
        sealer: of its history.
    """

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._path = folder / WISHES_FILE
        self._sealer = sealer

    def stamp(self) -> object:
        """See `WishStore.stamp`: a file is replaced by renaming, so it has another inode."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def read(self) -> Wishes:
        """See `WishStore.read`."""
        try:
            sealed = self._path.read_bytes()
        except FileNotFoundError:
            return Wishes()
        except OSError as error:
            raise file_error(error) from None
        return parse(self._sealer.open(sealed, _CONTEXT))

    def write(self, wishes: Wishes) -> None:
        """See `WishStore.write`."""
        try:
            replace_file(self._path, self._sealer.seal(dump(wishes), _CONTEXT))
        except OSError as error:
            raise file_error(error) from None
