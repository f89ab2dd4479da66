"""From a model folder to a bundle, and its signatures. The same inputs give the same bytes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shelfrank.bundle import archive
from shelfrank.bundle.label import Label, LabelledBundle
from shelfrank.bundle.manifest import FORMATS, FileEntry, Manifest, ModelInfo
from shelfrank.bundle.signature import MANIFEST_TYPE, dump_detached, parse_detached
from shelfrank.bundle.trust import newest_root, read_anchor, walk_roots
from shelfrank.bundle.verify import KNOWN_FILES, read_contents
from shelfrank.consent.policy import Policy
from shelfrank_training.errors import PublishError
from shelfrank_training.publish.card import card_for_bundle
from shelfrank_training.publish.keys import SigningKey, keygen
from shelfrank_training.publish.labelling import FACTS, ITEMS, digest, label_for_bundle
from shelfrank_training.publish.promises import check_promises

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from shelfrank_training.publish.card import Measured, ModelCard

MODEL_INFO: Final = "model.json"
"""File of a model folder that describes the graph; its description goes into the manifest."""

_FROM_FOLDER: Final = (archive.MODEL, archive.CATALOG, archive.LABEL, archive.GOLDEN)
_OPTIONAL: Final = (archive.POLICY,)
# What the label is made from and held against; it stays at home.
_KEPT: Final = (MODEL_INFO, FACTS, ITEMS)
# The first SDK that reads format 0.
_MIN_SDK: Final = (0, 1)
# Ends of the validity of what `throwaway` makes: it lives as long as one evaluation.
_THROWAWAY_VALIDITY: Final = timedelta(days=1)


def build_bundle(  # noqa: PLR0913 - each one is a statement of the bundle
    model_folder: Path,
    *,
    name: str,
    version: int,
    issued_at: datetime,
    expires: datetime,
    root: bytes | tuple[bytes, ...],
    figures: Measured | None = None,
) -> bytes:
    """Put a model folder into an unsigned bundle.

    All a device would check except signatures is checked here, so that a bad model fails at home.
    The label is made anew from the folder's facts.

    Args:
        model_folder: with ``model.onnx``, ``catalog.bin``, ``label.json``, ``golden.json``,
            ``model.json``, ``provenance.json``, ``items.parquet`` and perhaps ``policy.toml``.
        name: line of bundles: small letters, digits and hyphens.
        version: more than that of the last published bundle of this name.
        issued_at: aware.
        expires: aware, after `issued_at`.
        root: ``root.json``, or all roots so far, oldest first.
        figures: what was measured of this very model, for its card; None for a card that says that
            nothing was.

    Returns:
        The bundle, with a signature file that holds none; `sign_bundle` adds them.

    Raises:
        PublishError: a file that is missing, dates in the wrong order, a label that is not what
            was done, figures that the card of this bundle cannot hold, or more bytes than the
            model's size limit, the card's slices left out.
        BundleError: contents that a device would refuse.
        PolicyError: a policy that a device could not read.
    """
    if expires <= issued_at:
        raise PublishError(f"bundle would expire at {expires}, not after its issue at {issued_at}")
    roots = (root,) if isinstance(root, bytes) else root
    folder = read_model_folder(model_folder)
    info = ModelInfo.parse(folder[MODEL_INFO], where=MODEL_INFO)
    bundle = LabelledBundle(name=name, version=version, created=issued_at, valid_until=expires)
    label = label_for_bundle(folder, info, bundle)
    shipped = {path: data for path, data in folder.items() if path not in _KEPT}
    digests = {path: digest(data) for path, data in shipped.items()}
    card = card_for_bundle(figures, files=digests, label=Label.parse(label))
    named = _named_roots(roots)

    def packed(card: ModelCard) -> bytes:
        members = {**shipped, archive.LABEL: label, archive.CARD: card.dump(), **named}
        manifest = Manifest(
            format=FORMATS[-1],
            name=name,
            version=version,
            issued_at=issued_at,
            expires=expires,
            min_sdk=_MIN_SDK,
            files=describe_files(members),
            model=info,
        )
        # Read back what was written: a manifest that devices would refuse is refused before it is
        # signed.
        contents = read_contents(Manifest.parse(manifest.dump()), members)
        policy = None if contents.policy is None else Policy.parse(contents.policy)
        check_promises(contents.label, policy, contents.catalog.categories)
        return pack(manifest.dump(), members)

    limit = _size_limit(folder[MODEL_INFO])
    data = packed(card)
    if limit is not None and len(data) > limit:
        # Slices are most of a card, and the shop has them in its figures.
        data = packed(card.without_slices())
    if limit is not None and len(data) > limit:
        raise PublishError(
            f"bundle would have {len(data):,} bytes, the model was made for at most {limit:,}",
            hint="files were added since; train again with a limit that leaves them room",
        )
    return data


def describe_files(members: Mapping[str, bytes]) -> tuple[FileEntry, ...]:
    """Return path, size and SHA-256 of each member, ascending by path."""
    return tuple(
        FileEntry(
            path=path,
            size=len(members[path]),
            sha256=digest(members[path]),
            critical=path in KNOWN_FILES or archive.root_version(path) is not None,
        )
        for path in sorted(members)
    )


def pack(manifest: bytes, members: Mapping[str, bytes]) -> bytes:
    """Return the archive of a manifest, its files and an empty list of signatures."""
    return archive.write_members(
        {**members, archive.MANIFEST: manifest, archive.SIGNATURES: dump_detached(())}
    )


def sign_bundle(data: bytes, key: SigningKey) -> bytes:
    """Return the bundle with this key's signature added; signing twice changes nothing.

    Several owners sign one after the other, in any order and offline: the bytes come out the same.

    Raises:
        PublishError: the bundle's newest root does not let this key sign bundles.
        BundleError: a bundle that a device would refuse; it is not signed.
    """
    members = archive.read_members(data)
    raw = archive.member(members, archive.MANIFEST)
    read_contents(Manifest.parse(raw), members)
    trusted = newest_root(members)
    if key.key_id not in trusted.bundle_role.keys:
        raise PublishError(
            f"key {key.key_id} may not sign bundles under {trusted.name}, "
            f"which lists {', '.join(sorted(trusted.bundle_role.keys))}",
            hint="sign with the bundle key, not with the root key",
        )
    before = parse_detached(archive.member(members, archive.SIGNATURES), where=archive.SIGNATURES)
    others = [signature for signature in before if signature.key_id != key.key_id]
    signed = [*others, key.sign(raw, payload_type=MANIFEST_TYPE)]
    return archive.write_members({**members, archive.SIGNATURES: dump_detached(signed)})


def throwaway(model_folder: Path, now: datetime) -> tuple[bytes, bytes]:
    """Sign a model with keys that exist only in memory and are gone afterwards.

    So that `evaluate` measures what ships, through the device's own verification.

    Args:
        model_folder: see `build_bundle`.
        now: the moment at which it will be verified; aware.

    Returns:
        The signed bundle and the root that trusts it.
    """
    keys = keygen(expires=now + _THROWAWAY_VALIDITY)
    unsigned = build_bundle(
        model_folder,
        name="throwaway",
        version=1,
        issued_at=now - timedelta(seconds=1),
        expires=now + _THROWAWAY_VALIDITY,
        root=keys.root,
    )
    return sign_bundle(unsigned, keys.bundle_key), keys.root


def read_model_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a model folder by name.

    Raises:
        PublishError: one is missing.
    """
    found = {name: _read(folder / name) for name in (*_FROM_FOLDER, *_KEPT)}
    return found | {name: _read(folder / name) for name in _OPTIONAL if (folder / name).exists()}


def _size_limit(model_json: bytes) -> int | None:
    """Return the bytes of a bundle that the model was made for."""
    size = json.loads(model_json).get("size")
    limit = size.get("limit") if isinstance(size, dict) else None
    return limit if isinstance(limit, int) else None


def _named_roots(roots: tuple[bytes, ...]) -> dict[str, bytes]:
    """Return roots by member name, if a device that knows the first can walk to the last."""
    if not roots:
        raise PublishError("bundle needs a root")
    named = {read_anchor(root).name: root for root in roots}
    walk_roots(read_anchor(roots[0]), named)
    return named


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PublishError(
            f"model folder has no readable {path.name}: {error.strerror}",
            hint="make the folder with `shelfrank train --out`",
        ) from None
