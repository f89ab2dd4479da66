"""From a file's bytes to a bundle that may be used (bundle-format.md, section 10).

The steps stand in the order of the specification, and their numbers are its numbers. Nothing is
parsed before the check that allows it. The caller gives the time, so that one decision sees one
moment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import archive, strict
from shelfrank.bundle.catalog import Catalog
from shelfrank.bundle.label import Label
from shelfrank.bundle.manifest import Manifest
from shelfrank.bundle.scan import scan_model
from shelfrank.bundle.signature import MANIFEST_TYPE, parse_detached, verify_role
from shelfrank.bundle.trust import Root, read_anchor, retires, walk_roots
from shelfrank.errors import (
    BundleError,
    BundleExpiredError,
    BundleFormatError,
    ModelMismatchError,
    RollbackError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KNOWN_FILES: Final = frozenset(
    {archive.MODEL, archive.CATALOG, archive.LABEL, archive.GOLDEN, archive.POLICY}
)
"""Files this SDK acts on, beside roots; any other is refused if critical, else passed over."""

REQUIRED_FILES: Final = (archive.MODEL, archive.CATALOG, archive.LABEL, archive.GOLDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What a device remembers of the bundle it serves; kept where an attacker cannot set it back.

    Attributes:
        name: line of bundles.
        version: the highest ever accepted under `root`.
        digest: SHA-256 of that bundle's manifest, 64 hexadecimal digits.
        newest_issued_at: the newest `issued_at` ever accepted; time was at least this.
        root: envelope of the newest root walked to.
    """

    name: str
    version: int
    digest: str
    newest_issued_at: datetime
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The files of a bundle, checked against its manifest and against each other."""

    model: bytes = field(repr=False)
    catalog: Catalog
    label: Label
    golden: bytes = field(repr=False)
    policy: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """A bundle that may be used. Only `verify_bundle` makes one.

    Attributes:
        manifest: what it is.
        digest: SHA-256 of the manifest's bytes, 64 hexadecimal digits; names this very bundle.
        model: the graph's bytes, scanned; make the session from these and from no file.
        catalog: its items.
        label: its privacy label.
        golden: golden vectors (JSON object); they must match before the bundle is activated.
        policy: the policy's bytes, or None when the bundle has none; not parsed here.
        root: envelope of the newest root walked to.
        stale: expired, and usable only because this very bundle is installed already.
    """

    manifest: Manifest
    digest: str
    model: bytes = field(repr=False)
    catalog: Catalog
    label: Label
    golden: bytes = field(repr=False)
    policy: bytes | None = field(repr=False)
    root: bytes = field(repr=False)
    stale: bool

    def mark(self, before: Installed | None = None) -> Installed:
        """Return what to remember once this bundle is active.

        Args:
            before: what was remembered until now.
        """
        newest = self.manifest.issued_at
        if before is not None:
            newest = max(newest, before.newest_issued_at)
        return Installed(
            name=self.manifest.name,
            version=self.manifest.version,
            digest=self.digest,
            newest_issued_at=newest,
            root=self.root,
        )


def verify_bundle(
    data: bytes, *, trust: bytes, now: datetime, installed: Installed | None = None
) -> VerifiedBundle:
    """Check a bundle from container to graph.

    Args:
        data: the whole file, read once; what is returned comes from these bytes.
        trust: root the application ships (``root.json``).
        now: aware; moments before `installed.newest_issued_at` count as that one, so that a clock
            set back revives nothing.
        installed: what this device serves, or None if nothing was ever installed.

    Raises:
        BundleFormatError: not a bundle, damaged, or over a limit.
        BundleVersionError: a format this SDK does not read.
        SignatureError: not signed by enough trusted keys, or trust cannot be handed on.
        RollbackError: older than what is installed.
        BundleExpiredError: bundle or root is past its date, and this bundle is not installed.
        ModelMismatchError: the graph is not what the manifest promises.
        BundleError: for another line of bundles than the installed one.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware, got a naive time")
    members = archive.read_members(data)  # Step 1: limits, names, canonical container.
    anchor = _anchor(trust, installed)
    root = walk_roots(anchor, members)  # Step 2: from the trusted root to the newest.
    raw_manifest = archive.member(members, archive.MANIFEST)
    _verify_manifest(raw_manifest, members, root)  # Step 3: on bytes, before parsing.
    manifest = Manifest.parse(raw_manifest)
    digest = hashlib.sha256(raw_manifest).hexdigest()
    stale = _accept(manifest, digest=digest, root=root, now=now, installed=installed)  # Steps 4, 5
    _check_sdk(manifest)
    contents = read_contents(manifest, members)  # Steps 6, 7
    return VerifiedBundle(
        manifest=manifest,
        digest=digest,
        model=contents.model,
        catalog=contents.catalog,
        label=contents.label,
        golden=contents.golden,
        policy=contents.policy,
        root=root.envelope,
        stale=stale,
    )


def read_contents(manifest: Manifest, members: Mapping[str, bytes]) -> Contents:
    """Check files against a manifest and against each other; says nothing about who made them.

    The device calls it behind the signature; the publisher calls it before signing.

    Raises:
        BundleFormatError: a file is missing, added, changed, malformed or unknown and critical; or
            a label that contradicts itself or is for another bundle.
        ModelMismatchError: the graph is not what the manifest or the label promises.
    """
    _check_files(manifest, members)  # Step 6: every byte is listed, and as it was listed.
    # Step 7: parse, innermost last. The graph is scanned before any runtime could see it.
    label = Label.parse(members[archive.LABEL])
    label.check_fits(manifest)
    strict.parse_object(members[archive.GOLDEN], where=archive.GOLDEN)
    catalog = Catalog.parse(members[archive.CATALOG])
    found = (catalog.n_items, len(catalog.categories))
    promised = (manifest.model.n_items, manifest.model.n_categories)
    if found != promised:
        raise ModelMismatchError(
            f"catalog has {found[0]} items and {found[1]} categories, "
            f"the manifest promises {promised[0]} and {promised[1]}"
        )
    scan_model(members[archive.MODEL], manifest.model)
    return Contents(
        model=members[archive.MODEL],
        catalog=catalog,
        label=label,
        golden=members[archive.GOLDEN],
        policy=members.get(archive.POLICY),
    )


def _anchor(trust: bytes, installed: Installed | None) -> Root:
    """Return the newer of the application's root and the one walked to before."""
    shipped = read_anchor(trust)
    if installed is None:
        return shipped
    walked = read_anchor(installed.root)
    return walked if walked.version > shipped.version else shipped


def _verify_manifest(raw: bytes, members: Mapping[str, bytes], root: Root) -> None:
    signatures = parse_detached(
        archive.member(members, archive.SIGNATURES), where=archive.SIGNATURES
    )
    verify_role(
        root.bundle_role,
        raw,
        payload_type=MANIFEST_TYPE,
        signatures=signatures,
        what=archive.MANIFEST,
    )


def _accept(
    manifest: Manifest, *, digest: str, root: Root, now: datetime, installed: Installed | None
) -> bool:
    """Refuse what is older, expired or for someone else; return whether it is past its date."""
    same = installed is not None and installed.digest == digest
    if installed is not None:
        _check_successor(manifest, same=same, root=root, installed=installed)
        now = max(now, installed.newest_issued_at)
    overdue = [
        f"{what} expired on {strict.format_time(expires)}"
        for what, expires in ((root.name, root.expires), ("bundle", manifest.expires))
        if now >= expires
    ]
    if overdue and not same:
        raise BundleExpiredError(
            f"{' and '.join(overdue)}, it is {strict.format_time(now)}",
            hint="publish a new bundle; what is installed keeps serving",
        )
    return bool(overdue)


def _check_sdk(manifest: Manifest) -> None:
    # The version stands in the package itself, which is loaded since this module is; a plain import
    # would read as if bundles depended on everything the package offers.
    version = str(import_module("shelfrank").__version__)
    major, minor = map(int, version.split(".")[:2])
    if manifest.min_sdk > (major, minor):
        raise BundleError(
            f"bundle needs shelfrank {'.'.join(map(str, manifest.min_sdk))}, this is {version}",
            hint="update the SDK",
        )


def _check_successor(manifest: Manifest, *, same: bool, root: Root, installed: Installed) -> None:
    if manifest.name != installed.name:
        raise BundleError(
            f"offered bundle is called {manifest.name}, the installed one {installed.name}",
            hint="a device takes bundles of one name only",
        )
    if same or retires(read_anchor(installed.root), root):
        return
    if manifest.version <= installed.version:
        again = manifest.version == installed.version
        other = " with other contents" if again else ""
        raise RollbackError(
            f"offered bundle has version {manifest.version}{other}, "
            f"the installed one has {installed.version}",
            offered=manifest.version,
            installed=installed.version,
            hint="to go back on purpose, publish the old model under a higher version",
        )


def _check_files(manifest: Manifest, members: Mapping[str, bytes]) -> None:
    listed = {entry.path: entry for entry in manifest.files}
    present = set(members) - {archive.MANIFEST, archive.SIGNATURES}
    for name in REQUIRED_FILES:
        archive.member(members, name)
    if present != set(listed):
        name = min(present ^ set(listed))
        state = "is not in the manifest" if name in present else "is in the manifest but missing"
        raise BundleFormatError(f"bundle member {name} {state}")
    for path, entry in listed.items():
        data = members[path]
        if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BundleFormatError(f"bundle member {path} is not the one that was signed")
        known = path in KNOWN_FILES or archive.root_version(path) is not None
        if entry.critical and not known:
            raise BundleFormatError(
                f"bundle needs {path} to be understood, which this SDK does not know",
                hint="update the SDK",
            )
