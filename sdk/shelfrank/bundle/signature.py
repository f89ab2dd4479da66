"""Ed25519 over the DSSE encoding of exact bytes (bundle-format.md, section 5).

No canonical JSON: what is signed is what is stored. The type of the document is inside the signed
bytes, so that a root can never pass for a manifest (the confusion behind CVE-2022-35929).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shelfrank.bundle import strict
from shelfrank.errors import BundleFormatError, SignatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANIFEST_TYPE: Final = "application/vnd.shelfrank.bundle-manifest.v0+json"
ROOT_TYPE: Final = "application/vnd.shelfrank.root.v0+json"

KEY_ID_PATTERN: Final = "[0-9a-f]{16}"
MAX_SIGNATURES: Final = 32
_PUBLIC_KEY_BYTES: Final = 32  # RFC 8032, section 5.1.5
_SIGNATURE_BYTES: Final = 64  # RFC 8032, section 5.1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature, not verified.

    Attributes:
        key_id: which key claims it.
        value: 64 bytes.
    """

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who must sign: at least `threshold` distinct ones of `keys` (key id to 32 public bytes)."""

    keys: Mapping[str, bytes]
    threshold: int


def key_id(public: bytes) -> str:
    """Return the first 16 hexadecimal digits of the public key's SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: what an Ed25519 signature covers.

    Source: Dead Simple Signing Envelope, protocol.md, "PAE". Lengths are ASCII decimal byte counts.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def verify_role(
    role: Role, payload: bytes, *, payload_type: str, signatures: Sequence[Signature], what: str
) -> None:
    """Return only if enough keys of `role` signed exactly `payload` as a `payload_type`.

    A signature by a key that the role does not list is passed over: after a rotation the other
    signers still count. A signature by a listed key that does not match is always refused.

    Args:
        role: the keys and how many of them must have signed.
        payload: the signed bytes, not parsed.
        payload_type: what kind of document they are; part of what is signed.
        signatures: at most one for each key, as `parse_signatures` returns them.
        what: the document's name, for messages.

    Raises:
        SignatureError: fewer than the threshold, or one that does not match.
    """
    signed = pae(payload_type, payload)
    valid: set[bytes] = set()
    for signature in signatures:
        public = role.keys.get(signature.key_id)
        if public is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature.value, signed)
        except (InvalidSignature, ValueError):
            raise SignatureError(
                f"signature by key {signature.key_id} does not match {what}",
                hint="the file was changed after signing, or damaged on the way",
            ) from None
        valid.add(public)
    if len(valid) < role.threshold:
        raise SignatureError(
            f"{what} is signed by {len(valid)} trusted keys, {role.threshold} are needed "
            f"(trusted: {', '.join(sorted(role.keys))})"
        )


def parse_signatures(fields: strict.Fields) -> tuple[Signature, ...]:
    """Read the member `signatures`: at most 32, each key once.

    Raises:
        BundleFormatError: malformed, or a key twice.
    """
    found: dict[str, Signature] = {}
    for entry in fields.objects("signatures", longest=MAX_SIGNATURES):
        name = entry.text("keyid", pattern=KEY_ID_PATTERN)
        if name in found:
            raise BundleFormatError(f"{fields.path('signatures')} has key {name} twice")
        value = parse_base64(entry, "sig", size=_SIGNATURE_BYTES)
        found[name] = Signature(key_id=name, value=value)
    return tuple(found.values())


def dump_signatures(signatures: Sequence[Signature]) -> list[dict[str, str]]:
    """Return `signatures` as JSON values, by key: the order of signing must not change bytes."""
    ordered = sorted(signatures, key=lambda signature: signature.key_id)
    return [{"keyid": s.key_id, "sig": base64.b64encode(s.value).decode("ascii")} for s in ordered]


def parse_detached(data: bytes, *, where: str) -> tuple[Signature, ...]:
    """Read ``manifest.sig.json``: type and signatures of a manifest that stands beside it.

    Raises:
        BundleFormatError: malformed, of another type, or not in the spelling `dump_detached`
            writes.
    """
    fields = strict.parse_object(data, where=where)
    check_type(fields, MANIFEST_TYPE)
    signatures = parse_signatures(fields)
    if dump_detached(signatures) != data:
        raise BundleFormatError(f"{where} is not in canonical form")
    return signatures


def dump_detached(signatures: Sequence[Signature]) -> bytes:
    """Return ``manifest.sig.json`` with these signatures: none for a bundle still unsigned."""
    return strict.dump({"payloadType": MANIFEST_TYPE, "signatures": dump_signatures(signatures)})


def check_type(fields: strict.Fields, wanted: str) -> None:
    """Refuse a document of another type.

    Raises:
        BundleFormatError: `payloadType` is not `wanted`.
    """
    found = fields.text("payloadType")
    if found != wanted:
        raise BundleFormatError(f"{fields.path('payloadType')} must be {wanted}, got {found}")


def parse_base64(fields: strict.Fields, name: str, *, size: int | None = None) -> bytes:
    """Read base64 in its one canonical spelling (RFC 4648, section 3.5).

    Args:
        fields: the object that holds it.
        name: the member.
        size: how many bytes it must give, or None for any number.

    Raises:
        BundleFormatError: no base64, another spelling of it, or another size.
    """
    text = fields.text(name, longest=64 * 1024)
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BundleFormatError(f"{fields.path(name)} is not base64") from None
    if base64.b64encode(value).decode("ascii") != text:
        raise BundleFormatError(f"{fields.path(name)} is not canonical base64")
    if size is not None and len(value) != size:
        raise BundleFormatError(f"{fields.path(name)} must give {size} bytes, got {len(value)}")
    return value


def parse_public_key(fields: strict.Fields, name: str) -> bytes:
    """Read the 32 bytes of an Ed25519 public key."""
    return parse_base64(fields, name, size=_PUBLIC_KEY_BYTES)
