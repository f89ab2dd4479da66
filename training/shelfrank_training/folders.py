"""Write a folder whole or not at all, whatever happens to the run.

Everything goes to a staging folder beside the target, ``.NAME.HEX``, which is then renamed. An
older result is first moved aside, to ``.NAME.HEX.old``. A run that is killed leaves one or both
behind; the next run with the same target puts the older result back and removes the rest.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from shelfrank_training.errors import DataError
from shelfrank_training.held import held_folder, hold, release, remove_dead

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OLD: Final = ".old"


def check_out(out: Path, *, marker: str, what: str, overwrite: bool) -> None:
    """Refuse a target before any work is done, after putting right what a dead run left.

    Args:
        out: the folder to be written.
        marker: name of a file that every such folder holds.
        what: what the folder holds, for the message.
        overwrite: replace an older one.

    Raises:
        DataError: it exists and `overwrite` is not set, or it is something else.
    """
    _put_right(out)
    if not out.exists():
        return
    if not overwrite:
        raise DataError(f"{out} exists already", hint="choose another folder, or --force")
    if not (out / marker).is_file():
        raise DataError(f"{out} holds no {what}, so it is not replaced")


def replace_folder(out: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write all files into a folder beside `out`, then move it into place.

    Args:
        out: what is there is replaced; see `check_out`.
        files: name and bytes of each.

    Raises:
        DataError: the system does not let it be written: no room, no permission, another run. What
            was there is there still.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _put_right(out)
        with held_folder(out.parent, f".{out.name}.") as staged:
            for name, data in files:
                _write(staged / name, data)
            sync_folder(staged)
            _move(staged, out)
    except OSError as error:
        raise DataError(
            f"{out} cannot be written: {error.strerror or type(error).__name__}",
            hint="nothing was changed; make room there or choose another place, and run it again",
        ) from None


def _move(staged: Path, out: Path) -> None:
    """Put the staged folder in the place of what is there."""
    if not out.exists():
        staged.rename(out)
        sync_folder(out.parent)
        return
    old = staged.with_name(staged.name + _OLD)
    held = hold(out)
    try:
        out.rename(old)
        try:
            staged.rename(out)
        except OSError:
            old.rename(out)
            raise
        sync_folder(out.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        release(held)


def _put_right(out: Path) -> None:
    """Put an older result back that a dead run moved aside, and remove what else it left."""
    if not out.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{16}}(\{_OLD})?")
    left = [path for path in out.parent.iterdir() if name.fullmatch(path.name)]
    for old in left:
        if old.suffix == _OLD and not out.exists():
            _put_back(old, out)
    remove_dead(left)


def _put_back(old: Path, out: Path) -> None:
    try:
        held = hold(old)
    except OSError:
        return  # The run that moved it is about to put its own there.
    if not out.exists():
        old.rename(out)
    release(held)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, so that not even a power cut leaves half of them."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
