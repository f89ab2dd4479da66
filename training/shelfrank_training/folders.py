"""Write a folder whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def check_out(out: Path, *, marker: str, what: str, overwrite: bool) -> None:
    """Refuse a target before any work is done.

    Args:
        out: the folder to be written.
        marker: name of a file that every such folder holds.
        what: what the folder holds, for the message.
        overwrite: replace an older one.

    Raises:
        DataError: it exists and `overwrite` is not set, or it is something else.
    """
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
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = out.with_name(f".{out.name}.{secrets.token_hex(8)}")
    staged.mkdir()
    try:
        for name, data in files:
            (staged / name).write_bytes(data)
        if out.exists():
            old = staged.with_name(f"{staged.name}.old")
            out.rename(old)
            staged.rename(out)
            shutil.rmtree(old)
        else:
            staged.rename(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
