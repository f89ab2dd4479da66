"""Write what is published, whole or not at all; read what is secret."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from shelfrank_training.errors import PublishError
from shelfrank_training.publish.keys import MAX_KEY_FILE_BYTES

PUBLIC_MODE: Final = 0o644
PRIVATE_MODE: Final = 0o600
"""Only the owner may read a private key."""


def write_file(path: Path, data: bytes, *, mode: int = PUBLIC_MODE, force: bool = False) -> None:
    """Write a file so that a reader sees the old one, none, or all of the new one.

    Args:
        path: in a folder that exists.
        data: the whole content.
        mode: permissions from the first byte on; the umask can only narrow them.
        force: replace a file that is there.

    Raises:
        PublishError: there is one and `force` is not set, or it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if not force:
            # Claim the name first: two runs at once cannot both find it free.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        _write_draft(draft, data, mode=mode)
        draft.replace(path)
    except FileExistsError:
        raise PublishError(
            f"{path.name} exists already", hint="choose another name, or replace it with --force"
        ) from None
    except OSError as error:
        draft.unlink(missing_ok=True)
        if not force and path.exists() and path.stat().st_size == 0:
            path.unlink()
        raise PublishError(f"{path.name} cannot be written: {error.strerror}") from None


def read_secret(name: str, *, what: str) -> bytes:
    """Read a key or passphrase file within a limit.

    Args:
        name: path, or ``-`` for stdin.
        what: for messages, which never hold the content.

    Raises:
        PublishError: it cannot be read, is empty, or too long to be one.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise PublishError(f"{what} cannot be read: {error.strerror}") from None
    if not 0 < len(data) <= MAX_KEY_FILE_BYTES:
        raise PublishError(f"{what} must have 1..{MAX_KEY_FILE_BYTES:,} bytes")
    return data


def read_passphrase(name: str | None) -> bytes | None:
    """Read a passphrase: the first line of a file, without its end.

    Args:
        name: path, ``-`` for stdin, or None for no passphrase.

    Raises:
        PublishError: it cannot be read, is empty, or too long.
    """
    if name is None:
        return None
    line = read_secret(name, what="passphrase file").split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        raise PublishError("passphrase is empty")
    return line


def _write_draft(draft: Path, data: bytes, *, mode: int) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
