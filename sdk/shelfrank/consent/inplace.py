"""A file whose whole length is taken from the disk once and overwritten in place ever after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# Windows knows neither of these two, and text files otherwise.
_FLAGS: Final = (
    os.O_RDWR
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)


class FilledFile:
    """An open file of `size` bytes; made and filled with zeros when it is missing or short.

    Written by hand rather than left to a sparse file: only written blocks are ours on a full disk.

    Args:
        path: of the file.
        size: its length in bytes.

    Raises:
        OSError: from entering the context; a file that could not be filled is removed again.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(self._path, _FLAGS)
        except FileNotFoundError:
            self._create()
            return self
        try:
            self._fill(from_byte=os.fstat(self._fd).st_size)
        except OSError:
            os.close(self._fd)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def overwrite(self, at: int, data: bytes) -> None:
        """Put `data` at byte `at`; it is on the disk when this returns."""
        os.lseek(self._fd, at, os.SEEK_SET)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fsync(self._fd)

    def _create(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._fill(from_byte=0)
            _sync_folder(self._path.parent)
        except OSError:
            os.close(self._fd)
            self._path.unlink()
            raise

    def _fill(self, *, from_byte: int) -> None:
        if from_byte < self._size:
            self.overwrite(from_byte, bytes(self._size - from_byte))


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut; Windows cannot, and does not need it."""
    if os.name == "posix":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
