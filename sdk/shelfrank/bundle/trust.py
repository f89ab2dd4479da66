"""Roots: which keys may sign, and how that changes (bundle-format.md, section 6).

TUF's rules with two roles, `root` and `bundle`: a bundle is one indivisible set, so snapshot and
timestamp would have nothing to protect. Root 1 ships inside the application; all later ones travel
in every bundle, so that a kiosk that was offline for two years can still walk from 1 to N. Bytes
and times in, decisions out.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import strict
from shelfrank.bundle.archive import root_name, root_version
from shelfrank.bundle.signature import (
    KEY_ID_PATTERN,
    ROOT_TYPE,
    Role,
    Signature,
    check_type,
    dump_signatures,
    key_id,
    parse_base64,
    parse_public_key,
    parse_signatures,
    verify_role,
)
from shelfrank.errors import BundleFormatError, BundleVersionError, SignatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

ROOT_FORMATS: Final = (0,)
"""Formats of roots this SDK reads. 0 is unreleased and may change."""

MAX_KEYS: Final = 32
_MAX_ROOT_VERSION: Final = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One statement of who may sign.

    Attributes:
        version: 1, 2, …; the next root has exactly one more.
        expires: aware, UTC; after it nothing new is accepted under this root.
        root_role: who signs the next root (and this one).
        bundle_role: who signs manifests.
        envelope: the file's bytes, with its signatures.
    """

    version: int
    expires: datetime
    root_role: Role
    bundle_role: Role
    envelope: bytes

    @property
    def name(self) -> str:
        """How messages and archives call it."""
        return root_name(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootEnvelope:
    """A root document with its signatures, nothing verified or parsed."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> RootEnvelope:
        """Read a DSSE envelope.

        Raises:
            BundleFormatError: malformed, of another type, or not in the spelling `dump` writes.
        """
        fields = strict.parse_object(data, where=where)
        check_type(fields, ROOT_TYPE)
        envelope = cls(payload=parse_base64(fields, "payload"), signatures=parse_signatures(fields))
        if envelope.dump() != data:
            raise BundleFormatError(f"{where} is not in canonical form")
        return envelope

    def dump(self) -> bytes:
        """Return the envelope's bytes."""
        return strict.dump(
            {
                "payloadType": ROOT_TYPE,
                "payload": base64.b64encode(self.payload).decode("ascii"),
                "signatures": dump_signatures(self.signatures),
            }
        )


def read_anchor(data: bytes) -> Root:
    """Read a root the caller trusts already: the application's, or one walked to before.

    Its own threshold must have signed it all the same, so that a damaged file is noticed here.

    Raises:
        BundleFormatError: malformed.
        BundleVersionError: a format of roots this SDK does not read.
        SignatureError: not signed by its own keys.
    """
    envelope = RootEnvelope.parse(data, where="trusted root")
    root = _parse_root(envelope.payload, data, where="trusted root")
    _verify_root(root.root_role, envelope, what="trusted root")
    return root


def walk_roots(anchor: Root, members: Mapping[str, bytes]) -> Root:
    """Step from the trusted root to the newest one in a bundle, one version at a time.

    Each step N → N+1 must be signed by the threshold of N (the old owners agree) and of N+1 (the
    new owners hold their keys). Expiry of roots on the way does not matter; the caller checks the
    last one.

    Args:
        anchor: trusted already.
        members: the bundle's members; roots not newer than `anchor` are passed over.

    Returns:
        The newest root, or `anchor` when the bundle has no newer one.

    Raises:
        BundleFormatError: a malformed root, or one whose version is not its name's.
        SignatureError: a gap, or a step that one side did not sign.
    """
    offered = sorted(v for v in map(root_version, members) if v is not None)
    current = anchor
    for version in offered:
        if version <= anchor.version:
            continue
        if version != current.version + 1:
            raise SignatureError(
                f"bundle has {root_name(version)} but not {root_name(current.version + 1)}: "
                f"trust cannot be handed on from {current.name}"
            )
        current = _step(current, members[root_name(version)])
    return current


def newest_root(members: Mapping[str, bytes]) -> Root:
    """Return the newest root a bundle brings, trusted by nobody yet: for publishing and display.

    Raises:
        SignatureError: the bundle brings none, or one not signed by its own keys.
    """
    versions = [version for version in map(root_version, members) if version is not None]
    if not versions:
        raise SignatureError("bundle brings no root")
    return read_anchor(members[root_name(max(versions))])


def retires(old: Root, new: Root) -> bool:
    """Say whether nothing that the old keys alone could sign is accepted under `new`.

    Then version numbers start afresh: it is how a publisher recovers after a stolen key signed an
    absurdly high version (TUF's fast-forward attack). Old bundles cannot be replayed, as their keys
    no longer count.
    """
    shared = set(old.bundle_role.keys.values()) & set(new.bundle_role.keys.values())
    return len(shared) < new.bundle_role.threshold


def root_payload(*, version: int, expires: datetime, root_role: Role, bundle_role: Role) -> bytes:
    """Return the bytes of a root document, to be signed."""
    keys = {**root_role.keys, **bundle_role.keys}
    return strict.dump(
        {
            "format": ROOT_FORMATS[-1],
            "version": version,
            "expires": strict.format_time(expires),
            "keys": {
                name: {"type": "ed25519", "public": base64.b64encode(public).decode("ascii")}
                for name, public in keys.items()
            },
            "roles": {
                "root": {"keys": sorted(root_role.keys), "threshold": root_role.threshold},
                "bundle": {"keys": sorted(bundle_role.keys), "threshold": bundle_role.threshold},
            },
        }
    )


def _step(old: Root, data: bytes) -> Root:
    where = root_name(old.version + 1)
    envelope = RootEnvelope.parse(data, where=where)
    # The old threshold is checked on the bytes, before they are parsed.
    _verify_root(old.root_role, envelope, what=f"{where} (by the keys of {old.name})")
    new = _parse_root(envelope.payload, data, where=where)
    if new.version != old.version + 1:
        raise BundleFormatError(f"{where} says it is version {new.version}")
    _verify_root(new.root_role, envelope, what=f"{where} (by its own keys)")
    return new


def _verify_root(role: Role, envelope: RootEnvelope, *, what: str) -> None:
    signatures: Sequence[Signature] = envelope.signatures
    verify_role(role, envelope.payload, payload_type=ROOT_TYPE, signatures=signatures, what=what)


def _parse_root(payload: bytes, envelope: bytes, *, where: str) -> Root:
    fields = strict.parse_object(payload, where=where)
    found = fields.integer("format", low=0)
    if found not in ROOT_FORMATS:
        raise BundleVersionError(
            f"{where} has format {found}, this SDK reads {', '.join(map(str, ROOT_FORMATS))}",
            offered=found,
            supported=ROOT_FORMATS,
        )
    keys = _parse_keys(fields)
    roles = fields.child("roles")
    return Root(
        version=fields.integer("version", low=1, high=_MAX_ROOT_VERSION),
        expires=fields.time("expires"),
        root_role=_parse_role(roles.child("root"), keys),
        bundle_role=_parse_role(roles.child("bundle"), keys),
        envelope=envelope,
    )


def _parse_keys(fields: strict.Fields) -> dict[str, bytes]:
    entries = fields.child("keys")
    if len(entries.names()) > MAX_KEYS:
        raise BundleFormatError(f"{fields.path('keys')} lists more than {MAX_KEYS} keys")
    keys: dict[str, bytes] = {}
    for name in entries.names():
        entry = entries.child(name)
        entry.text("type", pattern="ed25519")
        keys[name] = parse_public_key(entry, "public")
        # The id follows from the key, so one key cannot count twice under two names.
        if key_id(keys[name]) != name:
            raise BundleFormatError(f"{entries.path(name)} is not the id of the key it names")
    return keys


def _parse_role(fields: strict.Fields, keys: Mapping[str, bytes]) -> Role:
    names = fields.texts("keys", pattern=KEY_ID_PATTERN, longest=MAX_KEYS)
    unknown = set(names) - set(keys)
    if unknown:
        raise BundleFormatError(f"{fields.path('keys')} names {min(unknown)}, which is not listed")
    threshold = fields.integer("threshold", low=1, high=max(1, len(names)))
    return Role(keys={name: keys[name] for name in names}, threshold=threshold)
