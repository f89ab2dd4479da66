"""A publisher that makes any bundle, good or bad, in one call.

It writes with the product's own writers but asks none of their checks, and its keys come from
names, so that the same test makes the same bytes every time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shelfrank.bundle import archive
from shelfrank.bundle.label import LabelledBundle
from shelfrank.bundle.manifest import Manifest
from shelfrank.bundle.signature import MANIFEST_TYPE, dump_detached
from shelfrank.bundle.verify import REQUIRED_FILES
from shelfrank_training.publish.build import describe_files
from shelfrank_training.publish.keys import SigningKey, make_root, role, sign_root
from support.tiny_model import INFO, label, model_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NOW = datetime(2017, 12, 1, 9, 30, tzinfo=UTC)
"""When the tests take place; nothing in them reads the computer's clock."""

YEAR = timedelta(days=365)


def key(name: str) -> SigningKey:
    """Return the key of this name, the same in every run."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Keys of one root: who signs roots, who signs bundles, and how many of them must."""

    root: tuple[SigningKey, ...]
    bundle: tuple[SigningKey, ...]
    root_threshold: int = 1
    bundle_threshold: int = 1


ALICE = Owners(root=(key("alice root"),), bundle=(key("alice bundle"),))
BOB = Owners(root=(key("bob root"),), bundle=(key("bob bundle"),))
TRIO = Owners(
    root=(key("one"), key("two"), key("three")),
    bundle=(key("red"), key("green"), key("blue")),
    root_threshold=2,
    bundle_threshold=2,
)


@dataclass(slots=True, kw_only=True)
class Forgery:
    """What to do wrong; the default does everything right.

    Attributes:
        files: members replaced or added before signing; None removes one.
        edit_manifest: changes the manifest's JSON object before signing.
        raw_manifest: changes the manifest's bytes before signing.
        signers: who signs; None for all the current bundle keys.
        payload_type: as what they sign.
        after: members replaced, added or removed after signing.
    """

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    edit_manifest: Callable[[dict[str, object]], object] | None = None
    raw_manifest: Callable[[bytes], bytes] | None = None
    signers: Sequence[SigningKey] | None = None
    payload_type: str = MANIFEST_TYPE
    after: Mapping[str, bytes | None] = field(default_factory=dict)


HONEST = Forgery()


class Publisher:
    """One line of bundles with its roots.

    Args:
        owners: keys of root 1.
        name: of the line.
        root_expires: when root 1 ends.
    """

    def __init__(
        self,
        owners: Owners = ALICE,
        *,
        name: str = "shop-14",
        root_expires: datetime = NOW + 5 * YEAR,
    ) -> None:
        self.name = name
        self.owners = owners
        self.roots: list[bytes] = []
        self.add_root(owners, expires=root_expires, signers=owners.root)

    @property
    def trust(self) -> bytes:
        """The root that ships in the application."""
        return self.roots[0]

    def add_root(
        self,
        owners: Owners,
        *,
        signers: Sequence[SigningKey],
        expires: datetime = NOW + 5 * YEAR,
        version: int | None = None,
    ) -> None:
        """Make the next root, signed by just these keys, and use its owners from now on."""
        root = make_root(
            version=version or len(self.roots) + 1,
            expires=expires,
            root_role=role(owners.root, threshold=owners.root_threshold),
            bundle_role=role(owners.bundle, threshold=owners.bundle_threshold),
        )
        for signer in signers:
            root = sign_root(root, signer)
        self.roots.append(root)
        self.owners = owners

    def rotate(self, owners: Owners) -> None:
        """Hand over to other owners as it should be: old and new sign."""
        self.add_root(owners, signers=(*self.owners.root, *owners.root))

    def bundle(
        self,
        *,
        version: int = 1,
        issued_at: datetime = NOW - timedelta(days=1),
        expires: datetime = NOW + YEAR,
        forgery: Forgery = HONEST,
    ) -> bytes:
        """Return a signed bundle."""
        members = self.members(
            version=version, issued_at=issued_at, expires=expires, forgery=forgery
        )
        return archive.write_members(members)

    def members(
        self, *, version: int, issued_at: datetime, expires: datetime, forgery: Forgery = HONEST
    ) -> dict[str, bytes]:
        """Return a signed bundle's members, for containers that are wrong themselves."""
        made = model_files()
        files = {name: made[name] for name in REQUIRED_FILES}
        bundle = LabelledBundle(
            name=self.name, version=version, created=issued_at, valid_until=expires
        )
        # The label is true of whatever graph a test puts in, unless the test replaces it too.
        graph = forgery.files.get(archive.MODEL) or files[archive.MODEL]
        files[archive.LABEL] = label(graph, bundle)
        files |= {archive.root_name(i): root for i, root in enumerate(self.roots, start=1)}
        files = _replaced(files, forgery.files)
        manifest = Manifest(
            format=0,
            name=self.name,
            version=version,
            issued_at=issued_at,
            expires=expires,
            min_sdk=(0, 1),
            files=describe_files(files),
            model=INFO,
        )
        raw = _edited(manifest.dump(), forgery)
        signers = self.owners.bundle if forgery.signers is None else forgery.signers
        signatures = [signer.sign(raw, payload_type=forgery.payload_type) for signer in signers]
        signed = {
            **files,
            archive.MANIFEST: raw,
            archive.SIGNATURES: dump_detached(signatures),
        }
        return _replaced(signed, forgery.after)


def _edited(raw: bytes, forgery: Forgery) -> bytes:
    if forgery.edit_manifest is not None:
        values: dict[str, object] = json.loads(raw)
        forgery.edit_manifest(values)
        raw = json.dumps(values).encode()
    return raw if forgery.raw_manifest is None else forgery.raw_manifest(raw)


def _replaced(files: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    merged = {**files, **changes}
    return {name: data for name, data in merged.items() if data is not None}
