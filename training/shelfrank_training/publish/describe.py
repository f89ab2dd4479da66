"""What a bundle says about itself, for people and for scripts. Nothing here is verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shelfrank.bundle import archive, strict
from shelfrank.bundle.label import Label
from shelfrank.bundle.manifest import Manifest
from shelfrank.bundle.signature import parse_detached
from shelfrank_training.publish.label_view import fact_rows
from shelfrank_training.publish.printable import cell

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A bundle, unverified.

    Attributes:
        size: of the whole file, in bytes.
        manifest: as parsed.
        label: everything in ``label.json``.
        signers: key ids that claim to have signed.
    """

    size: int
    manifest: Manifest
    label: Mapping[str, object]
    signers: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "version": manifest.version,
            "format": manifest.format,
            "issued_at": strict.format_time(manifest.issued_at),
            "expires": strict.format_time(manifest.expires),
            "size": self.size,
            "signers": list(self.signers),
            "parts": list(manifest.model.parts),
            "n_items": manifest.model.n_items,
            "n_categories": manifest.model.n_categories,
            "label": dict(self.label),
            "files": [
                {"path": entry.path, "size": entry.size, "critical": entry.critical}
                for entry in manifest.files
            ],
        }

    def summary(self) -> list[tuple[str, str]]:
        """Return the rows of a table: what, value; of the label all but its tables."""
        values = self.to_json()
        values["signers"] = ", ".join(self.signers) or "none"
        values["parts"] = ", ".join(self.manifest.model.parts)
        rows = [(what, values[what]) for what in values if what not in {"label", "files"}]
        labels = [(f"label: {what}", value) for what, value in fact_rows(self.label)]
        return [(cell(what), cell(value)) for what, value in (*rows, *labels)]

    def files(self) -> list[tuple[str, str, str]]:
        """Return the rows of a table: path, bytes, critical."""
        return [
            (entry.path, f"{entry.size:,}", "yes" if entry.critical else "no")
            for entry in self.manifest.files
        ]


def describe(data: bytes) -> Description:
    """Read a bundle's manifest, label and claimed signers without checking who made them.

    Raises:
        BundleError: it cannot be read that far.
    """
    members = archive.read_members(data)
    label = Label.parse(archive.member(members, archive.LABEL))
    raw_signatures = archive.member(members, archive.SIGNATURES)
    signatures = parse_detached(raw_signatures, where=archive.SIGNATURES)
    return Description(
        size=len(data),
        manifest=Manifest.parse(archive.member(members, archive.MANIFEST)),
        label=label.raw,
        signers=tuple(signature.key_id for signature in signatures),
    )
