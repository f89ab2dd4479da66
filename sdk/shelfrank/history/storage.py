"""The files of one history: found, made, removed (history-format.md, sections 1, 9 and 12)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shelfrank.errors import HistoryError, HistoryRolledBackError
from shelfrank.history.anchor import (
    ERASED,
    AnchorFile,
    DiskAnchor,
    MemoryAnchor,
    is_blank,
    is_erased,
)
from shelfrank.history.database import Database, create_file
from shelfrank.history.files import file_error, make_folder, sync_folder
from shelfrank.history.frame import COPIES

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_NAME: Final = "history.db"
ANCHOR_NAME: Final = "history.anchor"


class Storage:
    """The database and the anchor of a history. Knows no keys.

    Args:
        folder: where they are, or None to keep both in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._database: Database | None = None
        self.anchor: AnchorFile = DiskAnchor(folder / ANCHOR_NAME) if folder else MemoryAnchor()

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Storage>"

    def is_attached(self) -> bool:
        """Say whether the file that is open is still the one with the name."""
        return self._database is not None and self._database.is_current()

    def attach(self) -> Database | None:
        """Return the open database, or None when there is no history.

        Raises:
            HistoryRolledBackError: there is none, but there was one.
            HistoryError: see `Database`.
        """
        try:
            if not self.is_attached():
                self.detach()
            if self._database is None and self._folder is not None:
                self._database = self._open(self._folder / DATABASE_NAME)
        except OSError as error:
            raise file_error(error) from error
        return self._database

    def attach_without_anchor(self) -> Database:
        """Return the open database whatever the anchor says; HistoryError when there is none."""
        path = self._folder / DATABASE_NAME if self._folder else None
        try:
            there = path is not None and path.exists()
        except OSError as error:
            raise file_error(error) from error
        if path is None or not there:
            raise HistoryError("there is no history in this folder")
        self._database = Database(path)
        if not self._database.is_made():
            raise HistoryError("there is no history in this folder")
        return self._database

    def make(self) -> Database:
        """Make the files, whose database is empty unless another process was faster."""
        if self._folder is None:
            self.anchor.create()
            self._database = Database(None)
            return self._database
        try:
            make_folder(self._folder)
            self.finish_erasing()
            # Before the database, all zero: a history without an anchor file has lost it.
            self.anchor.create()
            create_file(self._folder / DATABASE_NAME)
            sync_folder(self._folder)
        except OSError as error:
            raise file_error(error) from error
        self._database = Database(self._folder / DATABASE_NAME)
        return self._database

    def finish_erasing(self) -> None:
        """Go on where a kill interrupted `remove`."""
        content = self.anchor.read()
        if content is not None and is_erased(content):
            self._unlink()

    def remove(self) -> None:
        """Remove everything; whatever the files hold, and again and again if called so."""
        with suppress(OSError):
            self.anchor.write(0, ERASED, durable=True)
        with suppress(HistoryError, OSError):
            # The wrapped root first, in place: unlinking leaves the bytes on the disk for a while.
            database = self._database or self.attach_without_anchor()
            with database.writing() as connection:
                for table in COPIES:
                    connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
        self.detach()
        self._unlink()

    def detach(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def discard_connection(self) -> None:
        """Close a connection whose disk failed, so that the next call reads everything anew."""
        if self._folder is not None:
            self.detach()

    def _open(self, path: Path) -> Database | None:
        # The anchor first: a history that another process is making gets its database before its
        # anchor.
        content = self.anchor.read()
        while True:
            database = _open_made(path)
            if database is not None:
                return database
            if content is None or is_blank(content) or is_erased(content):
                return None
            # Another process may be removing the history: then the anchor is gone by now, or says
            # so.
            if content == (content := self.anchor.read()):
                raise HistoryRolledBackError(
                    "the history is gone, but its anchor is still there",
                    hint="bring the history back, or erase what is left of it",
                )

    def _unlink(self) -> None:
        try:
            self._unlink_all()
        except OSError as error:
            raise file_error(error) from error

    def _unlink_all(self) -> None:
        if self._folder is not None:
            for suffix in ("", "-journal", "-wal", "-shm"):
                (self._folder / f"{DATABASE_NAME}{suffix}").unlink(missing_ok=True)
        self._sync_names()
        # The anchor last, when the others are gone from the disk: as long as it stands, it says
        # that this is no loss.
        self.anchor.remove()
        self._sync_names()

    def _sync_names(self) -> None:
        if self._folder is not None and self._folder.is_dir():
            sync_folder(self._folder)


def _open_made(path: Path) -> Database | None:
    if not path.exists():
        return None
    database = Database(path)
    try:
        made = database.is_made()
    except BaseException:
        database.close()
        raise
    if not made:
        database.close()
        return None
    return database
