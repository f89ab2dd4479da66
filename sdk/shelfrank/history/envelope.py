"""Sealed values and the keys that seal them (history-format.md, sections 2 to 4). Pure.

The only module of the history that imports `cryptography`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shelfrank.errors import HistoryDamagedError

FORMAT: Final = 1
"""Number of the history format. From 1 on old readers stay; 0 was never released."""

LABEL: Final = b"shelfrank/history/v1"
"""Domain separation: nothing sealed for another use or format number opens here."""

ENVELOPE_VERSION: Final = 1
AES_256_GCM: Final = 1

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
HEADER_BYTES: Final = 2 + KEY_ID_BYTES
OVERHEAD_BYTES: Final = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
"""How much longer a sealed value is than the plain one: 34 bytes."""

STORE_ID_BYTES: Final = 16

SealKind = Literal[
    "root", "block-key", "device-key", "head", "tail", "block", "anchor", "slot", "export"
]


class Secret:
    """Base of everything that holds key material: it neither prints nor pickles."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say the type only."""
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: a key must not reach a file by accident."""
        raise TypeError(f"{type(self).__name__} holds a key and cannot be pickled or copied")


class SealKey(Secret):
    """One AES-256-GCM key and the id that stands in the envelopes it makes.

    Args:
        secret: 32 bytes.
        key_id: 4 bytes; plain in the envelope, and authenticated.
    """

    __slots__ = ("cipher", "key_id")

    def __init__(self, secret: bytes, key_id: bytes = bytes(KEY_ID_BYTES)) -> None:
        self.cipher = AESGCM(secret)
        self.key_id = key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a sealed value is and where it belongs; all of it is authenticated (section 3).

    Attributes:
        store_id: 16 bytes, random per history.
        kind: what is sealed.
        position: what else is known in plain about the value, such as its sequence number.
    """

    store_id: bytes
    kind: SealKind
    position: bytes = b""

    def associated_data(self, header: bytes) -> bytes:
        """Return the associated data: every field has a fixed or a stated length."""
        kind = self.kind.encode()
        return b"".join(
            (LABEL, bytes([len(kind)]), kind, self.store_id, header, self.position),
        )


def seal(key: SealKey, plain: bytes, place: Place) -> bytes:
    """Return `plain` as an envelope, 34 bytes longer.

    The nonce is always random, never a counter: a restored backup or a snapshot of a virtual
    machine would use a counter twice, which is fatal in GCM.
    """
    header = bytes([ENVELOPE_VERSION, AES_256_GCM]) + key.key_id
    nonce = os.urandom(NONCE_BYTES)
    return header + nonce + key.cipher.encrypt(nonce, plain, place.associated_data(header))


def open_sealed(key: SealKey, sealed: bytes, place: Place) -> bytes:
    """Return the plain value of an envelope.

    Raises:
        HistoryDamagedError: it is too short, has an unknown version, algorithm or key id, or is not
            what was sealed for this place.
    """
    if len(sealed) < OVERHEAD_BYTES:
        raise HistoryDamagedError(
            f"sealed {place.kind} has {len(sealed)} bytes, wanted at least {OVERHEAD_BYTES}"
        )
    header = sealed[:HEADER_BYTES]
    if header != bytes([ENVELOPE_VERSION, AES_256_GCM]) + key.key_id:
        raise HistoryDamagedError(
            f"sealed {place.kind} has envelope version {header[0]}, algorithm {header[1]} "
            f"or a key id that this history does not use"
        )
    nonce = sealed[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
    body = sealed[HEADER_BYTES + NONCE_BYTES :]
    try:
        return key.cipher.decrypt(nonce, body, place.associated_data(header))
    except InvalidTag:
        raise HistoryDamagedError(f"sealed {place.kind} fails authentication") from None


def tag_of(sealed: bytes) -> bytes:
    """Return the authentication tag of an envelope: it stands for the whole value in a chain."""
    return sealed[-TAG_BYTES:]


def derive(secret: bytes, salt: bytes, name: str) -> bytes:
    """Return a 32-byte sub-key by HKDF-SHA256 (RFC 5869); `name` separates the uses."""
    info = LABEL + b"/" + name.encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret)


class RootKeys(Secret):
    """The keys that follow from one root (section 4). The root itself is not kept.

    Args:
        root: 32 random bytes.
        store_id: 16 bytes; salts the derivation.

    Attributes:
        kek: wraps the block keys and the device key. tail: seals tail rows. head: seals the head.
        chain: keys the digests over tags. check: 32 bytes stored in plain; they tell a wrong key
        from a damaged file, and commit to the
            key, which GCM alone does not.
    """

    __slots__ = ("chain", "check", "head", "kek", "tail")

    def __init__(self, root: bytes, store_id: bytes) -> None:
        key_id = derive(root, store_id, "id")[:KEY_ID_BYTES]
        self.kek = SealKey(derive(root, store_id, "kek"), key_id)
        self.tail = SealKey(derive(root, store_id, "tail"), key_id)
        self.head = SealKey(derive(root, store_id, "head"), key_id)
        self.chain = derive(root, store_id, "chain")
        self.check = derive(root, store_id, "check")


class DeviceKeys(Secret):
    """The keys of what must stay readable when the root is rotated: anchor and consent slot.

    Args:
        secret: 32 random bytes, made once, wrapped under every root.
        store_id: 16 bytes.
    """

    __slots__ = ("anchor", "secret", "slot")

    def __init__(self, secret: bytes, store_id: bytes) -> None:
        self.secret = secret
        key_id = derive(secret, store_id, "id")[:KEY_ID_BYTES]
        self.anchor = SealKey(derive(secret, store_id, "anchor"), key_id)
        self.slot = SealKey(derive(secret, store_id, "slot"), key_id)


def u64(number: int) -> bytes:
    """Return a number as it stands in associated data: 8 bytes, big-endian."""
    return number.to_bytes(8, "big")
