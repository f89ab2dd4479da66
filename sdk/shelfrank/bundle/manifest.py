"""What a bundle says about itself, parsed only after verification (bundle-format.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.bundle import archive, strict
from shelfrank.errors import BundleFormatError, BundleVersionError, ModelMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FORMATS: Final = (0,)
"""Formats of bundles this SDK reads. 0 is unreleased and may change; later ones stay readable."""

NAME_PATTERN: Final = "[a-z0-9][a-z0-9-]{0,62}"
MAX_VERSION: Final = strict.MAX_JSON_INTEGER
_SHA256_PATTERN: Final = "[0-9a-f]{64}"
_VERSION_PATTERN: Final = r"[0-9]{1,4}\.[0-9]{1,4}"
_TENSOR_NAME: Final = "[a-z][a-z0-9_]{0,63}"
_PART_NAME: Final = "[a-z][a-z0-9_]{0,31}"

# The parts are columns of one tensor and lines of one explanation; five are known, ten are planned.
MAX_PARTS: Final = 32
# Row numbers are int64 in the graph but stay exact in float32 up to here, and a catalog row costs
# memory.
MAX_ITEMS: Final = 2**24

ElementType = Literal["int64", "float32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of the graph.

    Attributes:
        name: as in the graph.
        element: int64 or float32.
        shape: one name (any size, such as E) or number for each axis.
    """

    name: str
    element: ElementType
    shape: tuple[str | int, ...]

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {"name": self.name, "type": self.element, "shape": list(self.shape)}


def _spec(name: str, element: ElementType, *shape: str | int) -> TensorSpec:
    return TensorSpec(name=name, element=element, shape=shape)


GRAPH_INPUTS: Final = (
    _spec("event_item", "int64", "E"),
    _spec("event_kind", "int64", "E"),
    _spec("event_age_days", "float32", "E"),
    _spec("event_visit", "int64", "E"),
    _spec("event_rank", "int64", "E"),
    _spec("event_quantity", "float32", "E"),
    _spec("candidate", "int64", "C"),
    _spec("situation", "int64", 1),
    _spec("daypart", "int64", 1),
)
"""Everything this SDK can feed to a graph; a model may leave some out."""

SITUATIONS: Final = ("no_history", "visit_starts", "in_visit")
"""Names of the values of the input `situation`, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What the graph takes and gives; `shelfrank.bundle.scan` holds the graph to it.

    Attributes:
        parts: names of the columns of the output `parts`, each piece of a score.
        n_items: rows of the catalog; item indices in the graph are 0..n_items-1.
        n_categories: distinct categories of the catalog.
        opset: version of the ONNX operators.
        tolerance: most that `score` and the sum of `parts`, or two runtimes, may differ (absolute).
        situations: names of the values of `situation`, from 0.
        inputs: see `GRAPH_INPUTS`.
        outputs: `score` float32[C] and `parts` float32[C, P].
    """

    parts: tuple[str, ...]
    n_items: int
    n_categories: int
    opset: int
    tolerance: float
    situations: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @classmethod
    def standard(
        cls, *, parts: tuple[str, ...], n_items: int, n_categories: int, tolerance: float
    ) -> ModelInfo:
        """Return the description of a graph with all inputs this SDK feeds, opset 18."""
        return cls(
            parts=parts,
            n_items=n_items,
            n_categories=n_categories,
            opset=18,
            tolerance=tolerance,
            situations=SITUATIONS,
            inputs=GRAPH_INPUTS,
            outputs=_outputs(len(parts)),
        )

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> ModelInfo:
        """Read a file that holds one (``model.json``); other members in it are passed over."""
        return cls.from_fields(strict.parse_object(data, where=where))

    @classmethod
    def from_fields(cls, fields: strict.Fields) -> ModelInfo:
        """Read it from parsed JSON.

        Raises:
            BundleFormatError: malformed.
            ModelMismatchError: a graph this SDK cannot feed or read.
        """
        info = cls(
            parts=fields.texts("parts", pattern=_PART_NAME, longest=MAX_PARTS),
            n_items=fields.integer("n_items", low=1, high=MAX_ITEMS),
            n_categories=fields.integer("n_categories", low=0, high=MAX_ITEMS),
            opset=fields.integer("opset", low=1, high=1000),
            tolerance=fields.number("tolerance", low=0.0, high=1.0),
            situations=fields.texts("situations", pattern=_PART_NAME, longest=MAX_PARTS),
            inputs=tuple(_tensor(f) for f in fields.objects("inputs", longest=MAX_PARTS)),
            outputs=tuple(_tensor(f) for f in fields.objects("outputs", longest=MAX_PARTS)),
        )
        _check_usable(info)
        return info

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values; `from_fields` reads them back."""
        return {
            "parts": list(self.parts),
            "n_items": self.n_items,
            "n_categories": self.n_categories,
            "opset": self.opset,
            "tolerance": self.tolerance,
            "situations": list(self.situations),
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of the bundle.

    Attributes:
        path: the member's name.
        size: in bytes.
        sha256: 64 hexadecimal digits.
        critical: a device that does not know this file must refuse the bundle.
    """

    path: str
    size: int
    sha256: str
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle is, who it is for and what is in it.

    Attributes:
        format: number of the bundle format.
        name: which line of bundles it belongs to; a device takes only successors of its own.
        version: 1, 2, …; never goes down on a device.
        issued_at: aware, UTC.
        expires: aware, UTC; after it the bundle is not installed any more.
        min_sdk: the oldest SDK (major, minor) that can use it.
        files: every member except the manifest itself and its signatures, ascending by path.
        model: what the graph takes and gives.
    """

    format: int
    name: str
    version: int
    issued_at: datetime
    expires: datetime
    min_sdk: tuple[int, int]
    files: tuple[FileEntry, ...]
    model: ModelInfo

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read a manifest; `shelfrank.bundle.verify` checks the signature before it calls this.

        Raises:
            BundleFormatError: malformed.
            BundleVersionError: another format.
            ModelMismatchError: a graph this SDK cannot feed or read.
        """
        fields = strict.parse_object(data, where=archive.MANIFEST)
        # The number comes first: nothing else is known to mean what it means here.
        found = fields.integer("format", low=0)
        if found not in FORMATS:
            raise BundleVersionError(
                f"bundle has format {found}, this SDK reads {', '.join(map(str, FORMATS))}",
                offered=found,
                supported=FORMATS,
                hint="update the SDK" if found > max(FORMATS) else "publish the bundle anew",
            )
        major, minor = fields.text("min_sdk", pattern=_VERSION_PATTERN).split(".")
        return cls(
            format=found,
            name=fields.text("name", pattern=NAME_PATTERN),
            version=fields.integer("version", low=1, high=MAX_VERSION),
            issued_at=fields.time("issued_at"),
            expires=fields.time("expires"),
            min_sdk=(int(major), int(minor)),
            files=_files(fields),
            model=ModelInfo.from_fields(fields.child("model")),
        )

    def dump(self) -> bytes:
        """Return the manifest's bytes, to be signed; `parse` reads them back."""
        return strict.dump(
            {
                "format": self.format,
                "name": self.name,
                "version": self.version,
                "issued_at": strict.format_time(self.issued_at),
                "expires": strict.format_time(self.expires),
                "min_sdk": ".".join(map(str, self.min_sdk)),
                "files": [
                    {"path": f.path, "size": f.size, "sha256": f.sha256, "critical": f.critical}
                    for f in self.files
                ],
                "model": self.model.to_json(),
            }
        )

    def sizes(self) -> Mapping[str, int]:
        """Return path to size in bytes."""
        return {entry.path: entry.size for entry in self.files}


def _files(fields: strict.Fields) -> tuple[FileEntry, ...]:
    longest = archive.MAX_MEMBERS + archive.MAX_ROOTS
    files = tuple(_file(entry) for entry in fields.objects("files", longest=longest))
    paths = [entry.path for entry in files]
    if paths != sorted(set(paths)):
        raise BundleFormatError(f"{fields.path('files')} must be ascending by path, none twice")
    return files


def _file(fields: strict.Fields) -> FileEntry:
    path = fields.text("path")
    if not archive.is_member_name(path) or path in {archive.MANIFEST, archive.SIGNATURES}:
        raise BundleFormatError(f"{fields.path('path')} is not the name of a file of a bundle")
    return FileEntry(
        path=path,
        size=fields.integer("size", low=0, high=archive.member_limit(path)),
        sha256=fields.text("sha256", pattern=_SHA256_PATTERN),
        critical=fields.boolean("critical"),
    )


def _tensor(fields: strict.Fields) -> TensorSpec:
    element = fields.text("type")
    if element not in {"int64", "float32"}:
        raise BundleFormatError(f"{fields.path('type')} must be int64 or float32, got {element}")
    shape = fields.array("shape", longest=4)
    return TensorSpec(
        name=fields.text("name", pattern=_TENSOR_NAME),
        element="int64" if element == "int64" else "float32",
        shape=tuple(_axis(axis, fields.path("shape")) for axis in shape),
    )


def _axis(axis: object, where: str) -> str | int:
    if type(axis) is int and 0 < axis <= MAX_PARTS:
        return axis
    if isinstance(axis, str) and axis in {"E", "C"}:
        return axis
    raise BundleFormatError(f"{where} must hold E, C or a number in 1..{MAX_PARTS}")


def _outputs(n_parts: int) -> tuple[TensorSpec, ...]:
    return (_spec("score", "float32", "C"), _spec("parts", "float32", "C", n_parts))


def _check_usable(info: ModelInfo) -> None:
    known = {spec.name: spec for spec in GRAPH_INPUTS}
    names = [spec.name for spec in info.inputs]
    if len(set(names)) != len(names):
        raise ModelMismatchError("manifest names an input of the graph twice")
    for spec in info.inputs:
        if known.get(spec.name) != spec:
            raise ModelMismatchError(
                f"graph wants an input {spec.name} {spec.element}{list(spec.shape)}, "
                "which this SDK does not give"
            )
    if info.outputs != _outputs(len(info.parts)):
        raise ModelMismatchError(
            f"graph must give score float32[C] and parts float32[C, {len(info.parts)}], "
            f"the manifest names {', '.join(spec.name for spec in info.outputs) or 'nothing'}"
        )
