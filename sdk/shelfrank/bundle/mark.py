"""What a device remembers of its bundle, as bytes (bundle-format.md, section 10)."""

from __future__ import annotations

import base64
import binascii
import json

from shelfrank.bundle import archive, strict
from shelfrank.bundle.verify import Installed
from shelfrank.errors import BundleFormatError


def dump_mark(mark: Installed) -> bytes:
    """Return `mark` as JSON; `parse_mark` reads it back. The device seals it."""
    return json.dumps(
        {
            "name": mark.name,
            "version": mark.version,
            "digest": mark.digest,
            "newest_issued_at": strict.format_time(mark.newest_issued_at),
            "root": base64.b64encode(mark.root).decode(),
        }
    ).encode()


def parse_mark(data: bytes) -> Installed:
    """Read what `dump_mark` wrote.

    Raises:
        BundleFormatError: it is something else.
    """
    fields = strict.parse_object(data, where="bundle mark")
    try:
        root = base64.b64decode(
            fields.text("root", longest=archive.MAX_ROOT_BYTES * 2), validate=True
        )
    except binascii.Error:
        raise BundleFormatError(f"{fields.path('root')} must be base64") from None
    return Installed(
        name=fields.text("name"),
        version=fields.integer("version", low=1),
        digest=fields.text("digest"),
        newest_issued_at=fields.time("newest_issued_at"),
        root=root,
    )
