"""Small files written so that a crash leaves the old or the new one. Input and output only."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from shelfrank.errors import HistoryError, HistoryFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def full_error() -> HistoryFullError:
    """Return the error for a disk without space."""
    return HistoryFullError(
        "no space to write to the history",
        hint="free some space; everything acknowledged is still there",
    )


def file_error(error: OSError) -> HistoryError:
    """Return the SDK's error for one of the system's."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return full_error()
    return HistoryError(f"a file of the history cannot be used: {error.strerror}")


def make_folder(folder: Path) -> None:
    """Make a folder and its parents with mode 0700 from the start, and durable, if it is not there.

    Syncing a file does not promise that the folder it lies in has a name after a power cut.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # Another process was faster.
        folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def is_empty(folder: Path) -> bool:
    """Say whether a folder is missing or holds nothing; HistoryError when the disk refuses."""
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise file_error(error) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` durably in place of a file, mode 0600 from the start, and wipe the old content."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with _exclusive(temporary) as handle:
            write_all(handle, data)
            os.fsync(handle)
        with _still_open(path) as old:
            temporary.replace(path)
            sync_folder(path.parent)
            if old is not None:
                _overwrite(old)
    finally:
        temporary.unlink(missing_ok=True)


def wipe_file(path: Path) -> None:
    """Overwrite a file with zeros and remove it; nothing happens when it is not there."""
    with _still_open(path) as handle:
        if handle is None:
            return
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        _overwrite(handle)


@contextmanager
def _exclusive(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _still_open(path: Path) -> Iterator[int | None]:
    try:
        handle = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _overwrite(handle: int) -> None:
    """Overwrite an unlinked file in place. Flash may keep the old cells; disks do not."""
    with suppress(OSError):  # It has no name any more: nothing depends on this.
        os.lseek(handle, 0, os.SEEK_SET)
        write_all(handle, bytes(os.fstat(handle).st_size))
        os.fsync(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`: a short write must not pass for a whole one."""
    while data:
        data = data[os.write(handle, data) :]
