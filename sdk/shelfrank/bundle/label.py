"""The privacy label: promises behind the model's numbers (bundle-format.md, section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from shelfrank.bundle import archive, label_truth, strict
from shelfrank.errors import BundleFormatError, BundleVersionError, LabelError, ModelMismatchError
from shelfrank.types import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shelfrank.bundle.manifest import Manifest
    from shelfrank.types import Language

LABEL_VERSIONS: Final = (0,)
"""Labels this SDK reads. 0 is unreleased and may change; later ones stay readable."""

_SHA256: Final = "[0-9a-f]{64}"
_NAME: Final = "[a-z][a-z0-9_]{0,63}"
_PATH: Final = r"[^\x00-\x1f]{1,256}"
# Lists of a label are short; what stands here only keeps a hostile one from costing time.
_MOST: Final = 64
_MOST_PATHS: Final = 4096
_MOST_SHOPPERS: Final = strict.MAX_JSON_INTEGER

Mechanism = Literal["threshold", "gaussian_threshold"]
"""Exact counts with small ones left out, or noise by which they are promised to tell little."""


class LabelTerms(Protocol):
    """What a label must reach; a policy says so (`shelfrank.consent.policy.Policy`)."""

    @property
    def min_shoppers(self) -> int:
        """Shoppers that each published statistic must cover."""
        ...

    @property
    def max_epsilon(self) -> float | None:
        """Most that may be spent; None without a wish."""
        ...

    @property
    def must_exclude(self) -> tuple[str, ...]:
        """Category paths in normal form that must be named as left out, or a path above each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBundle:
    """The bundle a label is for.

    Attributes:
        name: line of bundles.
        version: of the bundle.
        created: aware; when it was issued.
        valid_until: aware; from then on devices do not take it up.
    """

    name: str
    version: int
    created: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledModel:
    """The graph a label is for.

    Attributes:
        sha256: of ``model.onnx``, 64 hexadecimal digits.
        parts: pieces of a score, by name.
        inputs: of the graph, by name.
    """

    sha256: str
    parts: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSource:
    """Events that were learned from.

    Attributes:
        time_from: aware; None where it is not stated.
        time_to: aware, exclusive.
        shoppers: as published: with epsilon, not the exact number.
    """

    time_from: datetime | None
    time_to: datetime
    shoppers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledNoise:
    """One pass of a mechanism over a table.

    Attributes:
        l2: Euclidean length of what one shopper changes at most, in shoppers.
        scale: standard deviation of the noise, in shoppers.
        rho: cost in zero-concentrated differential privacy.
        epsilon: what this pass alone would be at the release's delta.
        delta: of the choice of keys; 0 without one.
    """

    l2: float
    scale: float
    rho: float
    epsilon: float
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTable:
    """One table that was learned from.

    Attributes:
        name: as in the aggregates.
        min_shoppers: each of its numbers covers at least as many.
        rows: published.
        noise: one for each pass; none without epsilon.
    """

    name: str
    min_shoppers: int
    rows: int
    noise: tuple[LabelledNoise, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledLedger:
    """The budget over releases.

    Attributes:
        epsilon_spent: over the window, this release included.
        epsilon_limit: most that may be spent.
    """

    epsilon_spent: float
    epsilon_limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the publisher states, signed with the bundle.

    Attributes:
        bundle: which bundle it is for; None before there is one.
        model: which graph it is for; None before there is one.
        sources: what was learned from; at least one.
        policy: id and version of the policy that was applied to the events, or None.
        has_categories: the catalog has categories, so sensitive ones could be filtered.
        excluded_categories: paths in normal form that were kept out of everything.
        tables: what the model was fitted on.
        min_shoppers: every published statistic covers at least as many shoppers.
        unprotected: made without the usual floor (research, public data); devices refuse it unless
            told.
        mechanism: ``threshold`` (no differential privacy) or ``gaussian_threshold``.
        epsilon: differential privacy at shopper level for the whole bundle, or None: no such
            promise.
        delta: goes with epsilon; None without.
        ledger: the budget over releases, or None.
        warnings: codes, the red ones first (`shelfrank.bundle.label_truth.warnings_of`).
        raw: everything in the file, for display.
    """

    bundle: LabelledBundle | None
    model: LabelledModel | None
    sources: tuple[LabelledSource, ...]
    policy: tuple[str, int] | None
    has_categories: bool
    excluded_categories: tuple[str, ...]
    tables: tuple[LabelledTable, ...]
    min_shoppers: int
    unprotected: bool
    mechanism: Mechanism
    epsilon: float | None
    delta: float | None
    ledger: LabelledLedger | None
    warnings: tuple[str, ...]
    raw: Mapping[str, object] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes) -> Label:
        """Read ``label.json``.

        Raises:
            BundleFormatError: malformed, or promises that contradict each other.
            BundleVersionError: a label this SDK does not read.
        """
        fields = strict.parse_object(data, where=archive.LABEL)
        _check_version(fields)
        privacy, excluded = fields.child("privacy"), fields.child("excluded")
        bundle, model, policy = (_or_none(fields, name) for name in ("bundle", "model", "policy"))
        ledger = _or_none(privacy, "ledger")
        label = cls(
            bundle=None if bundle is None else _bundle(bundle),
            model=None if model is None else _model(model),
            sources=tuple(_source(source) for source in fields.objects("sources", longest=_MOST)),
            policy=None
            if policy is None
            else (policy.text("id"), policy.integer("version", low=1)),
            has_categories=excluded.boolean("has_categories"),
            excluded_categories=excluded.texts("categories", pattern=_PATH, longest=_MOST_PATHS),
            tables=tuple(_table(table) for table in fields.objects("aggregates", longest=_MOST)),
            min_shoppers=privacy.integer("min_shoppers", low=1),
            unprotected=privacy.boolean("unprotected"),
            mechanism=_mechanism(privacy),
            epsilon=privacy.number_or_none("epsilon", low=0.0, high=1e6),
            delta=privacy.number_or_none("delta", low=0.0, high=1.0),
            ledger=None if ledger is None else _ledger(ledger),
            warnings=tuple(
                warning.text("code", pattern=_NAME)
                for warning in fields.objects("warnings", longest=_MOST)
            ),
            raw=fields.raw,
        )
        if privacy.boolean("differential_privacy") != (label.epsilon is not None):
            raise BundleFormatError(
                f"{privacy.path('differential_privacy')} is not what epsilon says"
            )
        label_truth.check(label)
        return label

    def main_parameters(self, language: Language) -> tuple[str, ...]:
        """Return what decides the order, most important first; none where the label says none.

        Raises:
            ValueError: another language than de, nl and en.
        """
        if language not in LANGUAGES:
            raise ValueError(f"language is {language!a}, wanted one of {', '.join(LANGUAGES)}")
        stated = self.raw.get("main_parameters")
        found = stated.get(language) if isinstance(stated, dict) else None
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def check_fits(self, manifest: Manifest) -> None:
        """Refuse a label that was made for something else.

        Args:
            manifest: of the bundle that the label lies in.

        Raises:
            BundleFormatError: it names another bundle, or none.
            ModelMismatchError: it describes another graph, or none.
        """
        own = (manifest.name, manifest.version, manifest.issued_at, manifest.expires)
        of = self.bundle
        if of is None or (of.name, of.version, of.created, of.valid_until) != own:
            named = "none" if of is None else f"{of.name} version {of.version}"
            raise BundleFormatError(
                f"label.json is for bundle {named}, "
                f"this is {manifest.name} version {manifest.version} with its own dates"
            )
        if self.model is None:
            raise ModelMismatchError("label.json describes no graph")
        for what, stated, wanted in (
            ("model.onnx with SHA-256", self.model.sha256, _model_sha256(manifest)),
            ("parts", self.model.parts, manifest.model.parts),
            ("inputs", self.model.inputs, tuple(spec.name for spec in manifest.model.inputs)),
        ):
            if stated != wanted:
                raise ModelMismatchError(
                    f"label.json describes a graph of {what} {_listed(stated)}, "
                    f"the manifest {_listed(wanted)}"
                )

    def require(self, terms: LabelTerms | None, *, allow_unprotected: bool = False) -> None:
        """Refuse what promises less than is asked for.

        Args:
            terms: the policy in force; None without one.
            allow_unprotected: take numbers about however few shoppers, with any epsilon or none;
                for research on public data. What must be left out must be so all the same.

        Raises:
            LabelError: the label says unprotected, or less than the policy asks for.
        """
        if not allow_unprotected:
            self._require_protection(terms)
        missing = [] if terms is None else [p for p in terms.must_exclude if not self.excludes(p)]
        if missing:
            raise LabelError(
                f"the policy wants {', '.join(missing)} left out, the bundle's label names "
                f"{', '.join(self.excluded_categories) or 'no category'}",
                term="must_exclude",
                got=self.excluded_categories,
                wanted=tuple(missing),
                hint="aggregate with a policy whose [sensitive] categories cover them",
            )

    def excludes(self, path: str) -> bool:
        """Say whether a category, or one above it, is named as left out.

        Args:
            path: in normal form (`shelfrank.consent.purposes.normal_category`).
        """
        return any(
            path == named or path.startswith(f"{named}/") for named in self.excluded_categories
        )

    def _require_protection(self, terms: LabelTerms | None) -> None:
        if self.unprotected:
            raise LabelError(
                "the bundle's label says unprotected: numbers about few shoppers may be in it",
                term="unprotected",
                got=self.min_shoppers,
                wanted=label_truth.PROTECTED_MIN_SHOPPERS,
                hint="for research on public data, pass allow_unprotected=True",
            )
        if terms is None:
            return
        if self.min_shoppers < terms.min_shoppers:
            raise LabelError(
                f"the bundle's numbers cover at least {self.min_shoppers} shoppers, "
                f"the policy wants {terms.min_shoppers}",
                term="min_shoppers",
                got=self.min_shoppers,
                wanted=terms.min_shoppers,
            )
        wanted = terms.max_epsilon
        if wanted is not None and (self.epsilon is None or self.epsilon > wanted):
            promised = "no epsilon" if self.epsilon is None else f"epsilon {self.epsilon:g}"
            raise LabelError(
                f"the bundle's label promises {promised}, the policy wants at most {wanted:g}",
                term="max_epsilon",
                got=self.epsilon,
                wanted=wanted,
                hint="aggregate with --epsilon",
            )


def _check_version(fields: strict.Fields) -> None:
    found = fields.integer("label_version", low=0)
    if found not in LABEL_VERSIONS:
        raise BundleVersionError(
            f"label has version {found}, this SDK reads {', '.join(map(str, LABEL_VERSIONS))}",
            offered=found,
            supported=LABEL_VERSIONS,
            hint="update the SDK",
        )


def _or_none(fields: strict.Fields, name: str) -> strict.Fields | None:
    """Return a member that is an object or null; it must be there."""
    return None if fields.raw.get(name, "") is None else fields.child(name)


def _bundle(fields: strict.Fields) -> LabelledBundle:
    return LabelledBundle(
        name=fields.text("name"),
        version=fields.integer("version", low=1),
        created=fields.time("created"),
        valid_until=fields.time("valid_until"),
    )


def _model(fields: strict.Fields) -> LabelledModel:
    return LabelledModel(
        sha256=fields.text("sha256", pattern=_SHA256),
        parts=fields.texts("parts", pattern=_NAME, longest=_MOST),
        inputs=tuple(
            entry.text("input", pattern=_NAME)
            for entry in fields.objects("inputs_on_device", longest=_MOST)
        ),
    )


def _source(fields: strict.Fields) -> LabelledSource:
    return LabelledSource(
        time_from=None if fields.raw.get("from", "") is None else fields.time("from"),
        time_to=fields.time("to"),
        shoppers=fields.integer("shoppers", low=0, high=_MOST_SHOPPERS),
    )


def _table(fields: strict.Fields) -> LabelledTable:
    return LabelledTable(
        name=fields.text("table", pattern=_NAME),
        min_shoppers=fields.integer("min_shoppers", low=1),
        rows=fields.integer("rows", low=0),
        noise=tuple(_noise(entry) for entry in fields.objects("noise", longest=_MOST)),
    )


def _noise(fields: strict.Fields) -> LabelledNoise:
    return LabelledNoise(
        l2=fields.number("l2", low=0.0, high=1e12),
        scale=fields.number("scale", low=1e-9, high=1e12),
        rho=fields.number("rho", low=0.0, high=1e9),
        epsilon=fields.number("epsilon", low=0.0, high=1e9),
        delta=fields.number("delta", low=0.0, high=1.0),
    )


def _ledger(fields: strict.Fields) -> LabelledLedger:
    return LabelledLedger(
        epsilon_spent=fields.number("epsilon_spent", low=0.0, high=1e9),
        epsilon_limit=fields.number("epsilon_limit", low=0.0, high=1e9),
    )


def _mechanism(fields: strict.Fields) -> Mechanism:
    found = fields.text("mechanism")
    if found == "threshold":
        return "threshold"
    if found == "gaussian_threshold":
        return "gaussian_threshold"
    raise BundleFormatError(
        f"{fields.path('mechanism')} must be threshold or gaussian_threshold, got {found!a}",
        hint="a label whose promise this SDK cannot judge is no promise; update the SDK",
    )


def _model_sha256(manifest: Manifest) -> str:
    return next((entry.sha256 for entry in manifest.files if entry.path == archive.MODEL), "none")


def _listed(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
