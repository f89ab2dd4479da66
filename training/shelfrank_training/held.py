"""Folders that belong to a run for as long as it lives.

A run that is killed removes nothing. So each holds a lock on its temporary folders, which the
system gives up with the process, and the next run removes those that nobody holds. A lock says more
than a process number, which may be taken again, or mean another process in another container.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TRIES: Final = 10
"""Another run that cleans up may take a folder for left over in the moment before it is held."""


@contextmanager
def held_folder(parent: Path, prefix: str, *, mode: int = 0o777) -> Iterator[Path]:
    """Make a folder that is held while the context lasts, and gone after it unless it was moved.

    Args:
        parent: where; it exists.
        prefix: of the name; 16 hex digits follow.
        mode: permissions, which the umask narrows.
    """
    for _ in range(_TRIES):
        folder = parent / f"{prefix}{secrets.token_hex(8)}"
        folder.mkdir(mode=mode)
        try:
            held = hold(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        break
    else:
        raise BlockingIOError(0, "the folder is taken by other runs", str(parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        release(held)


def remove_dead(folders: Iterable[Path]) -> None:
    """Remove the folders that are this user's and held by nobody."""
    for folder in folders:
        try:
            held = hold(folder)
        except OSError:
            continue  # Somebody else's, or gone.
        if held is not None and os.fstat(held).st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)
        release(held)


def hold(folder: Path) -> int | None:
    """Hold a folder until `release`, or until this process ends.

    Returns:
        What `release` takes; None where folders cannot be locked (Windows, some network disks).

    Raises:
        BlockingIOError: another run holds it.
        FileNotFoundError: it is gone.
        OSError: it cannot be opened.
    """
    try:
        import fcntl
    except ImportError:
        return None
    # Neither a link nor a file that somebody put in its place.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = folder.stat().st_ino == os.fstat(handle).st_ino
    except (BlockingIOError, FileNotFoundError):
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None
    if not there:
        os.close(handle)
        raise FileNotFoundError(folder)
    return handle


def release(held: int | None) -> None:
    """Give up a folder that `hold` gave."""
    if held is not None:
        os.close(held)
