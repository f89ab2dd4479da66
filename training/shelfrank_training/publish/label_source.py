"""Where a label is read from: a bundle, a model folder, or aggregates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shelfrank.bundle import archive
from shelfrank.bundle.files import read_bundle_file, read_root_file
from shelfrank.bundle.label import Label
from shelfrank.bundle.manifest import Manifest, ModelInfo
from shelfrank.bundle.verify import verify_bundle
from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

Kind = Literal["bundle", "model", "aggregates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLabel:
    """A label and what it lies in.

    Attributes:
        label: parsed.
        kind: of what it lies in.
        verified: a trusted key signed it.
    """

    label: Label
    kind: Kind
    verified: bool = False

    @property
    def title(self) -> str:
        """What it is the label of; the name in it is plain ASCII, its pattern says so."""
        bundle = self.label.bundle
        if bundle is None:
            return {"bundle": "bundle", "model": "model folder"}.get(self.kind, "aggregates")
        return f"{bundle.name} version {bundle.version}"

    @property
    def standing(self) -> str:
        """How far it can be believed, in a few words."""
        if self.verified:
            return "verified: signed by a trusted key"
        if self.kind == "bundle":
            return "not verified: anybody may have written it"
        return "not signed yet: made from what was recorded here"


def read_label(path: Path, *, trust: Path | None = None, now: datetime) -> FoundLabel:
    """Read the label of a bundle, a model folder or aggregates.

    Args:
        path: a bundle's file, or one of the folders.
        trust: the application's ``root.json``, to verify a bundle; None believes nothing.
        now: the moment of the verification.

    Raises:
        BundleError: a bundle or label that a device would refuse.
        PublishError: a model folder whose label is not what was done.
        DataError: a folder of something else, or `trust` for what is not signed.
    """
    if not path.is_dir():
        return _of_bundle(path, trust=trust, now=now)
    if trust is not None:
        raise DataError(
            f"{path} is a folder, and only a bundle is signed", hint="leave out --trust"
        )
    if (path / "model.json").is_file():
        return FoundLabel(label=_of_model(path), kind="model")
    if (path / "aggregates.json").is_file():
        return FoundLabel(label=_of_aggregates(path), kind="aggregates")
    raise DataError(
        f"{path} holds no label",
        hint="give a .shelfrank file, a folder of shelfrank train, or one of shelfrank aggregate",
    )


def _of_bundle(path: Path, *, trust: Path | None, now: datetime) -> FoundLabel:
    data = read_bundle_file(path)
    if trust is not None:
        verified = verify_bundle(data, trust=read_root_file(trust), now=now)
        return FoundLabel(label=verified.label, kind="bundle", verified=True)
    members = archive.read_members(data)
    label = Label.parse(archive.member(members, archive.LABEL))
    label.check_fits(Manifest.parse(archive.member(members, archive.MANIFEST)))
    return FoundLabel(label=label, kind="bundle")


def _of_model(path: Path) -> Label:
    from shelfrank_training.publish.build import MODEL_INFO, read_model_folder
    from shelfrank_training.publish.labelling import label_for_bundle

    folder = read_model_folder(path)
    info = ModelInfo.parse(folder[MODEL_INFO], where=MODEL_INFO)
    return Label.parse(label_for_bundle(folder, info, None))


def _of_aggregates(path: Path) -> Label:
    from shelfrank_training.aggregates.folder import read_aggregates
    from shelfrank_training.publish.label import label_bytes, make_label

    return Label.parse(label_bytes(make_label(read_aggregates(path).info)))
