"""Read files of unknown origin, once and within a limit (bundle-format.md, section 10, step 0)."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from shelfrank.bundle.archive import MAX_BUNDLE_BYTES, MAX_ROOT_BYTES
from shelfrank.errors import BundleError, BundleFormatError

if TYPE_CHECKING:
    from pathlib import Path


def read_bundle_file(path: Path) -> bytes:
    """Return a bundle's bytes, to be verified; use these and do not read the file again.

    Raises:
        BundleError: it cannot be read.
        BundleFormatError: no regular file, or larger than any bundle.
    """
    return read_within(path, limit=MAX_BUNDLE_BYTES, what="bundle")


def read_root_file(path: Path) -> bytes:
    """Return the bytes of ``root.json``.

    Raises:
        BundleError: it cannot be read.
        BundleFormatError: no regular file, or larger than any root.
    """
    return read_within(path, limit=MAX_ROOT_BYTES, what="root")


def read_within(path: Path, *, limit: int, what: str) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: of the file.
        limit: most bytes it may have.
        what: the word for it in messages.

    Raises:
        BundleError: it cannot be read.
        BundleFormatError: no regular file, or larger than `limit`.
    """
    try:
        # A pipe or device that pretends to be a file could block for ever or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BundleFormatError(f"{what} {path.name} is not a regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BundleError(f"{what} {path.name} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise BundleFormatError(f"{what} {path.name} is larger than {limit:,} bytes")
    return data
