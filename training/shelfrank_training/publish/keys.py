"""Signing keys and the first root (bundle-format.md, sections 5 and 6).

A private key exists in memory as a `SigningKey` and on disk as PKCS #8 PEM, for its owner alone
(0600), with a passphrase where one is given. It is never an argument of a command and never part of
a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shelfrank.bundle.signature import ROOT_TYPE, Role, Signature, key_id, pae
from shelfrank.bundle.trust import RootEnvelope, root_payload
from shelfrank_training.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

# PKCS #8 of an Ed25519 key is 48 bytes; PEM with encryption stays below 400.
MAX_KEY_FILE_BYTES: Final = 16 * 1024


class SigningKey:
    """An Ed25519 private key. Made by `generate` or `from_pem`."""

    __slots__ = ("_private", "key_id", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()
        self.key_id: str = key_id(self.public)

    def __repr__(self) -> str:
        return f"<SigningKey {self.key_id}>"

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Return the key of a 32-byte seed (RFC 8032): for test vectors that must not change."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, data: bytes, *, passphrase: bytes | None = None) -> SigningKey:
        """Read a key file.

        Raises:
            PublishError: not an Ed25519 key in PKCS #8 PEM, or a wrong, missing or needless
                passphrase.
        """
        try:
            private = serialization.load_pem_private_key(data, password=passphrase)
        except TypeError:
            wanted = "needs a passphrase" if passphrase is None else "has no passphrase"
            raise PublishError(
                f"key file {wanted}", hint="give the passphrase with --passphrase-file, or leave it"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise PublishError(
                "key file cannot be read: no private key in PEM, or a wrong passphrase"
            ) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise PublishError("key file holds another kind of key, an Ed25519 one is needed")
        return cls(private)

    def to_pem(self, *, passphrase: bytes | None = None) -> bytes:
        """Return PKCS #8 PEM, encrypted if there is a passphrase."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            if not passphrase:
                raise PublishError("passphrase is empty")
            encryption = serialization.BestAvailableEncryption(passphrase)
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def sign(self, payload: bytes, *, payload_type: str) -> Signature:
        """Sign exactly these bytes as a document of this type (DSSE)."""
        value = self._private.sign(pae(payload_type, payload))
        return Signature(key_id=self.key_id, value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """What `keygen` makes: keep `root_key` offline, sign bundles with `bundle_key`.

    Attributes:
        root_key: signs roots only.
        bundle_key: signs manifests only.
        root: ``root.json``, version 1; goes into the application.
    """

    root_key: SigningKey = field(repr=False)
    bundle_key: SigningKey = field(repr=False)
    root: bytes = field(repr=False)


def keygen(*, expires: datetime) -> KeySet:
    """Make two keys and a first root that names them, each alone in its role.

    Args:
        expires: until when the root is good for new bundles; aware.
    """
    root_key, bundle_key = SigningKey.generate(), SigningKey.generate()
    root = make_root(
        version=1, expires=expires, root_role=role([root_key]), bundle_role=role([bundle_key])
    )
    return KeySet(root_key=root_key, bundle_key=bundle_key, root=sign_root(root, root_key))


def role(keys: Sequence[SigningKey], *, threshold: int = 1) -> Role:
    """Return a role of these keys' public halves.

    Raises:
        PublishError: a threshold that these keys cannot reach, or none.
    """
    public = {key.key_id: key.public for key in keys}
    if not 1 <= threshold <= len(public):
        raise PublishError(f"threshold is {threshold}, with {len(public)} keys 1..{len(public)}")
    return Role(keys=public, threshold=threshold)


def make_root(*, version: int, expires: datetime, root_role: Role, bundle_role: Role) -> bytes:
    """Return a root without signatures; `sign_root` adds them, one owner at a time."""
    payload = root_payload(
        version=version, expires=expires, root_role=root_role, bundle_role=bundle_role
    )
    return RootEnvelope(payload=payload, signatures=()).dump()


def sign_root(root: bytes, key: SigningKey) -> bytes:
    """Return a root with this key's signature added; signing twice changes nothing.

    Which keys count is the verifier's business: those of this root and of the one before it.
    """
    envelope = RootEnvelope.parse(root, where="root")
    others = tuple(s for s in envelope.signatures if s.key_id != key.key_id)
    signature = key.sign(envelope.payload, payload_type=ROOT_TYPE)
    return replace(envelope, signatures=(*others, signature)).dump()
