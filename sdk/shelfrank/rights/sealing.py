"""An export under a passphrase: one file of sealed chunks (export-format.md, section 6). Pure.

The chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each is bound
to its place and to whether it is the last, so none can be left out, added, moved or cut off.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.errors import (
    ExportDamagedError,
    HistoryDamagedError,
    HistoryVersionError,
    KeyUnavailableError,
    WrongKeyError,
)
from shelfrank.history.envelope import (
    KEY_BYTES,
    OVERHEAD_BYTES,
    Place,
    SealKey,
    open_sealed,
    seal,
    u64,
)
from shelfrank.history.stretching import (
    PARAMETER_BYTES,
    new_parameters,
    passphrase_bytes,
    stretch,
)

if TYPE_CHECKING:
    from shelfrank.history.stretching import Stretching

MAGIC: Final = b"SHFREXPT"
SEALED_FORMAT: Final = 1

CHUNK_BYTES: Final = 64 * 1024
"""Of plain text in every chunk but the last."""

_LABEL: Final = b"shelfrank/export/v1"
_DIGEST_BYTES: Final = 32
_CHECKED_BYTES: Final = len(MAGIC) + 1 + PARAMETER_BYTES + KEY_BYTES
_HEADER_BYTES: Final = _CHECKED_BYTES + _DIGEST_BYTES
_SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChunkPlace(Place):
    """Where a chunk belongs. Its label is the export's own: other things sealed do not open."""

    def associated_data(self, header: bytes) -> bytes:
        """Return label, envelope header, file header, number and whether it is the last."""
        return _LABEL + header + self.position


def sealed_bytes(plain_bytes: int) -> int:
    """Return the size of a sealed export of `plain_bytes` (at least 1)."""
    chunks = -(-plain_bytes // CHUNK_BYTES)
    return _HEADER_BYTES + plain_bytes + chunks * OVERHEAD_BYTES


def is_sealed(data: bytes) -> bool:
    """Say whether this is an export under a passphrase."""
    return data.startswith(MAGIC)


def plain_export(data: bytes, passphrase: str | None) -> bytes:
    """Return the zip of an export, sealed or not.

    Args:
        data: the whole file.
        passphrase: None for one that is not sealed.

    Raises:
        KeyUnavailableError: it is sealed, and no passphrase was given.
        ExportDamagedError: it is not sealed, though a passphrase was given; or as in `open_export`.
        HistoryVersionError: as there.
        WrongKeyError: as there.
    """
    if not is_sealed(data):
        if passphrase is None:
            return data
        # Whoever expects a sealed file must not be handed an open one in its place.
        raise ExportDamagedError("the file is not under a passphrase, got one")
    if passphrase is None:
        raise KeyUnavailableError(
            "the export is under a passphrase, got none",
            hint="ask for the one it was exported with",
        )
    return open_export(data, passphrase)


def seal_export(plain: bytes, passphrase: str, cost: Stretching | None = None) -> bytes:
    """Return an export sealed under a passphrase.

    Args:
        plain: the zip; not empty.
        passphrase: not empty.
        cost: of one try; see `shelfrank.history.stretching.new_parameters`.

    Raises:
        ValueError: the passphrase is empty.
    """
    parameters = new_parameters(cost)
    secret = stretch(passphrase_bytes(passphrase), parameters)
    checked = MAGIC + bytes([SEALED_FORMAT]) + parameters + _sub_key(secret, b"check")
    key = SealKey(_sub_key(secret, b"chunk"))
    starts = range(0, len(plain), CHUNK_BYTES)
    chunks = [
        seal(key, plain[at : at + CHUNK_BYTES], _place(checked, number, at == starts[-1]))
        for number, at in enumerate(starts)
    ]
    return b"".join((checked, hashlib.sha256(checked).digest(), *chunks))


def open_export(data: bytes, passphrase: str) -> bytes:
    """Return the zip inside a sealed export: all of it, or nothing.

    Args:
        data: the whole file.
        passphrase: not empty.

    Raises:
        ExportDamagedError: damaged, cut short, extended, reordered, or parameters out of range.
        HistoryVersionError: another format number.
        WrongKeyError: the passphrase is another one; the file itself may be fine.
        ValueError: the passphrase is empty.
    """
    text = passphrase_bytes(passphrase)
    checked = data[:_CHECKED_BYTES]
    if len(data) > len(MAGIC) and data[len(MAGIC)] != SEALED_FORMAT:
        raise HistoryVersionError(
            f"export under a passphrase has format {data[len(MAGIC)]}, "
            f"this SDK reads {SEALED_FORMAT}",
            hint="a later version of the app may read it",
        )
    digest = data[_CHECKED_BYTES:_HEADER_BYTES]
    # It protects against nobody: it tells a damaged header from a wrong passphrase.
    if not is_sealed(data) or not hmac.compare_digest(hashlib.sha256(checked).digest(), digest):
        raise ExportDamagedError("the header of the export is damaged or cut short")
    parameters = checked[len(MAGIC) + 1 : -KEY_BYTES]
    try:
        secret = stretch(text, parameters)
    except HistoryDamagedError as error:
        raise ExportDamagedError(str(error)) from None
    if not hmac.compare_digest(_sub_key(secret, b"check"), checked[-KEY_BYTES:]):
        raise WrongKeyError(
            "the passphrase does not open this export", hint="it is the one it was exported with"
        )
    return _open_chunks(SealKey(_sub_key(secret, b"chunk")), checked, data)


def _open_chunks(key: SealKey, checked: bytes, data: bytes) -> bytes:
    starts = range(_HEADER_BYTES, len(data), _SEALED_CHUNK_BYTES)
    if not starts:
        raise ExportDamagedError("the export is cut short: it has no content")
    plain: list[bytes] = []
    for number, at in enumerate(starts):
        sealed = data[at : at + _SEALED_CHUNK_BYTES]
        try:
            plain.append(open_sealed(key, sealed, _place(checked, number, at == starts[-1])))
        except HistoryDamagedError:
            raise ExportDamagedError(
                f"chunk {number + 1} of {len(starts)} of the export fails authentication: "
                "it is damaged, cut short, or something was added or moved"
            ) from None
    return b"".join(plain)


def _sub_key(secret: bytes, name: bytes) -> bytes:
    # HKDF-Expand of RFC 5869 with SHA-256: one block is 32 bytes, and `secret` is uniform already.
    return hmac.digest(secret, _LABEL + b"/" + name + b"\x01", "sha256")


def _place(checked: bytes, number: int, last: bool) -> _ChunkPlace:
    position = checked + u64(number) + bytes([last])
    return _ChunkPlace(store_id=b"", kind="export", position=position)
