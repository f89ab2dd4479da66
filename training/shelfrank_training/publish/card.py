"""The model card: what was measured of the model in a bundle, read from figures, never typed.

``model-card.json`` holds figures and what ties them to the model. All else that a card tells (what
the model is, what it was made from, what is promised) stands in manifest and label already, and
would only be a second word on the same thing: `shelfrank_training.publish.card_page` reads it
there.

A bundle says that its numbers cover at least `min_shoppers` shoppers, and that a stated epsilon
holds for the whole of it. Figures are numbers about shoppers too, so both hold for the card: what
covers fewer is left out, beside an epsilon there is no figure at all, and of how many shoppers are
measured only the whole is told: two counts that differ by three would be a number about three.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from shelfrank.bundle import archive, strict
from shelfrank.errors import BundleFormatError, BundleVersionError
from shelfrank_training.errors import PublishError
from shelfrank_training.evaluate.bootstrap import Estimate
from shelfrank_training.evaluate.slices import CUTS, Cut
from shelfrank_training.evaluate.tally import SCOPES, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shelfrank.bundle.label import Label
    from shelfrank.bundle.strict import Fields

CARD_VERSIONS: Final = (0,)
"""Cards that are read. 0 is unreleased and may change."""

MAX_FIGURES_BYTES: Final = 4 * 1024 * 1024
"""Most bytes of a file of figures: forty times what ``evaluate`` writes of three models."""

MODEL: Final = "shelfrank"
"""The model among those measured; the others are what it is held against."""

_SHA256: Final = "[0-9a-f]{64}"
_PROTOCOLS: Final = "future|next"
_NAME: Final = "[a-z][a-z0-9_]{0,31}"
_METRIC: Final = "[a-z]{1,16}@[1-9][0-9]{0,2}"
_SLICE: Final = "[a-z]{1,16}|[0-9]{1,9}(-[0-9]{1,9}|[+])?"
_DECIDES: Final = (archive.MODEL, archive.CATALOG, archive.POLICY)
# Models, metrics and slices of a card are few; what stands here keeps a hostile one short.
_MOST: Final = 32
# A percentile of resamples may miss its value by what adding up floats differs.
_ROUNDING: Final = 1e-9
# Six digits are far below any interval, and more would only be longer.
_DIGITS: Final = 6


Row = dict[str, Estimate]
"""Metric → figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSlice:
    """Figures on some of the trials or targets.

    Attributes:
        name: as `shelfrank_training.evaluate.results.Slice` has it.
        shoppers: how many; None in a card, which does not tell.
        metrics: model → figures.
        paired: the model minus each other one.
    """

    name: str
    shoppers: int | None
    metrics: dict[str, Row]
    paired: dict[str, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What ``shelfrank evaluate`` measured, as far as a card tells it.

    Attributes:
        files: file → SHA-256 of what decided the rankings.
        protocol: ``future`` or ``next``.
        cutoff: aware.
        trained_until: aware; end of the events that the model was made from.
        shoppers: how many were measured.
        new_shoppers: how many have a target that is new to them; None in a card.
        n_items: how many competed.
        n_items_not_in_bundle: of those, how many the bundle cannot rank.
        holdout_share: of the shoppers, kept out of training; 0 measured everybody.
        min_shoppers: of the model that was measured.
        resamples: of the bootstrap.
        metrics: model → scope → figures.
        paired: other model → scope → figures of the model minus it.
        slices: cut → scope → slices in order.
    """

    files: dict[str, str]
    protocol: Literal["future", "next"]
    cutoff: datetime
    trained_until: datetime
    shoppers: int
    new_shoppers: int | None
    n_items: int
    n_items_not_in_bundle: int
    holdout_share: float
    min_shoppers: int
    resamples: int
    metrics: dict[str, dict[Scope, Row]]
    paired: dict[str, dict[Scope, Row]]
    slices: dict[Cut, dict[Scope, tuple[MeasuredSlice, ...]]]

    @classmethod
    def parse(cls, fields: Fields) -> Measured:
        """Read the document of ``evaluate --json``, or the part of a card that is made from it.

        Raises:
            BundleFormatError: malformed.
        """
        universe = fields.child("universe")
        measured = cls(
            files=_files(fields.child("measured")),
            protocol=cast('Literal["future", "next"]', fields.text("protocol", pattern=_PROTOCOLS)),
            cutoff=fields.time("cutoff"),
            trained_until=fields.time("trained_until"),
            shoppers=fields.integer("shoppers", low=1),
            new_shoppers=_integer_or_none(fields, "new_shoppers"),
            n_items=universe.integer("items", low=1),
            n_items_not_in_bundle=universe.integer("not_in_bundle", low=0),
            holdout_share=fields.child("holdout").number("share", low=0.0, high=1.0),
            min_shoppers=fields.integer("min_shoppers", low=1),
            resamples=fields.child("intervals").integer("resamples", low=1),
            metrics=_models(fields.child("metrics")),
            paired=_models(fields.child("paired"), low=-1.0),
            slices=_cuts(fields.child("slices")),
        )
        if MODEL not in measured.metrics or not measured.metrics[MODEL]["all"]:
            raise BundleFormatError(f"{fields.path('metrics')} has no figure of {MODEL}")
        return measured

    def to_json(self) -> dict[str, object]:
        """Return what a card holds and `parse` reads."""
        return {
            "measured": self.files,
            "protocol": self.protocol,
            "cutoff": strict.format_time(self.cutoff),
            "trained_until": strict.format_time(self.trained_until),
            "shoppers": self.shoppers,
            "universe": {"items": self.n_items, "not_in_bundle": self.n_items_not_in_bundle},
            "holdout": {"share": self.holdout_share},
            "min_shoppers": self.min_shoppers,
            "intervals": {"resamples": self.resamples},
            "metrics": _plain_models(self.metrics),
            "paired": _plain_models(self.paired),
            "slices": {
                cut: {
                    scope: [
                        {
                            "name": one.name,
                            "metrics": _plain(one.metrics),
                            "paired": _plain(one.paired),
                        }
                        for one in slices
                    ]
                    for scope, slices in scopes.items()
                }
                for cut, scopes in self.slices.items()
            },
        }

    def covering(self, min_shoppers: int) -> Measured:
        """Leave out what covers fewer shoppers.

        All slices of a cut go if one does: the others and the whole would tell what it was.

        Args:
            min_shoppers: the label's.
        """
        stays: dict[Scope, bool] = {
            "all": self.shoppers >= min_shoppers,
            "new": (self.new_shoppers or 0) >= min_shoppers,
        }
        return replace(
            self,
            metrics=_kept(self.metrics, stays),
            paired=_kept(self.paired, stays),
            slices={
                cut: {
                    scope: slices
                    if stays[scope] and all((one.shoppers or 0) >= min_shoppers for one in slices)
                    else ()
                    for scope, slices in scopes.items()
                }
                for cut, scopes in self.slices.items()
            },
        )

    def check_measured(self, files: Mapping[str, str]) -> None:
        """Refuse figures of another model.

        Args:
            files: file → SHA-256 of the model at hand.

        Raises:
            PublishError: another graph, catalog or policy was measured.
        """
        for name in _DECIDES:
            was, found = self.files.get(name), files.get(name)
            if was != found:
                raise PublishError(
                    f"the figures were measured with {_named(name, was)}, "
                    f"the model at hand has {_named(name, found)}",
                    hint="measure this model: shelfrank evaluate MODEL EVENTS --json FILE",
                )


@dataclass(frozen=True, slots=True)
class ModelCard:
    """``model-card.json``.

    Attributes:
        measured: None where nothing was measured.
    """

    measured: Measured | None

    @classmethod
    def parse(cls, data: bytes) -> ModelCard:
        """Read a card.

        Raises:
            BundleFormatError: malformed.
            BundleVersionError: a card that this version does not read.
        """
        fields = strict.parse_object(data, where=archive.CARD)
        found = fields.integer("card_version", low=0)
        if found not in CARD_VERSIONS:
            raise BundleVersionError(
                f"{archive.CARD} has version {found}, "
                f"read are {', '.join(map(str, CARD_VERSIONS))}",
                offered=found,
                supported=CARD_VERSIONS,
            )
        if fields.raw.get("evaluation") is None:
            return cls(None)
        return cls(Measured.parse(fields.child("evaluation")))

    def without_slices(self) -> ModelCard:
        """Return the card with the figures over everybody alone."""
        if self.measured is None:
            return self
        cuts: dict[Cut, dict[Scope, tuple[MeasuredSlice, ...]]] = {
            cut: dict.fromkeys(scopes, ()) for cut, scopes in self.measured.slices.items()
        }
        return ModelCard(replace(self.measured, slices=cuts))

    def dump(self) -> bytes:
        """Return the bytes of ``model-card.json``: the same card, the same bytes."""
        evaluation = None if self.measured is None else self.measured.to_json()
        return strict.dump({"card_version": CARD_VERSIONS[-1], "evaluation": evaluation})


def read_figures(data: bytes, *, where: str) -> Measured:
    """Read what ``shelfrank evaluate --json`` wrote.

    Args:
        data: the file's bytes.
        where: its name, for messages.

    Raises:
        PublishError: it is no such file.
    """
    if len(data) > MAX_FIGURES_BYTES:
        raise PublishError(
            f"{where} has {len(data):,} bytes, figures have at most {MAX_FIGURES_BYTES:,}"
        )
    try:
        return Measured.parse(strict.parse_object(data, where=where))
    except BundleFormatError as error:
        raise PublishError(
            f"{error}",
            hint="figures are what shelfrank evaluate MODEL EVENTS --json FILE wrote",
        ) from None


def card_for_bundle(
    figures: Measured | None, *, files: Mapping[str, str], label: Label
) -> ModelCard:
    """Return the card of a bundle.

    Args:
        figures: what was measured, or None.
        files: file → SHA-256 of the bundle's own.
        label: of the bundle; it says how many shoppers a number covers at least.

    Raises:
        PublishError: figures of another model, or such as the label does not allow.
    """
    if figures is None:
        return ModelCard(None)
    figures.check_measured(files)
    if label.epsilon is not None:
        raise PublishError(
            f"the label promises epsilon {label.epsilon:g} for the whole bundle, and figures are "
            "exact means over shoppers",
            hint="build without figures; shelfrank bundle show FILE --card --figures FIGURES "
            "prints the card with them, to be kept at home",
        )
    if figures.min_shoppers != label.min_shoppers:
        raise PublishError(
            f"the figures are of a model with min_shoppers {figures.min_shoppers}, "
            f"the label says {label.min_shoppers}"
        )
    if figures.shoppers < label.min_shoppers:
        raise PublishError(
            f"the figures cover {figures.shoppers} shoppers, and the label promises that every "
            f"number covers at least {label.min_shoppers}",
            hint="measure more shoppers: keep out a larger share in shelfrank aggregate --holdout",
        )
    return ModelCard(figures.covering(label.min_shoppers))


def _named(name: str, sha256: str | None) -> str:
    return f"no {name}" if sha256 is None else f"{name} {sha256[:12]}…"


def _files(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name, pattern=_SHA256) for name in _DECIDES if name in fields.names()}


def _models(fields: Fields, *, low: float = 0.0) -> dict[str, dict[Scope, Row]]:
    return {
        model: {scope: _row(fields.child(model).child(scope), low=low) for scope in SCOPES}
        for model in _names(fields)
    }


def _cuts(fields: Fields) -> dict[Cut, dict[Scope, tuple[MeasuredSlice, ...]]]:
    return {
        cut: {
            scope: tuple(_slice(one) for one in fields.child(cut).objects(scope, longest=_MOST))
            for scope in SCOPES
        }
        for cut in CUTS
    }


def _slice(fields: Fields) -> MeasuredSlice:
    metrics, paired = fields.child("metrics"), fields.child("paired")
    return MeasuredSlice(
        name=fields.text("name", pattern=_SLICE),
        shoppers=_integer_or_none(fields, "shoppers"),
        metrics={model: _row(metrics.child(model)) for model in _names(metrics)},
        paired={model: _row(paired.child(model), low=-1.0) for model in _names(paired)},
    )


def _kept(
    models: dict[str, dict[Scope, Row]], stays: Mapping[Scope, bool]
) -> dict[str, dict[Scope, Row]]:
    return {
        model: {scope: row if stays[scope] else {} for scope, row in scopes.items()}
        for model, scopes in models.items()
    }


def _integer_or_none(fields: Fields, name: str) -> int | None:
    return None if fields.raw.get(name) is None else fields.integer(name, low=0)


def _row(fields: Fields, *, low: float = 0.0) -> Row:
    return {name: _figure(fields.child(name), low=low) for name in _names(fields, pattern=_METRIC)}


def _figure(fields: Fields, *, low: float) -> Estimate:
    value, lower, upper = (
        round(fields.number(name, low=low - _ROUNDING, high=1.0 + _ROUNDING), _DIGITS)
        for name in ("value", "low", "high")
    )
    if lower > upper:
        raise BundleFormatError(f"{fields.path('low')} is above {fields.path('high')}")
    return Estimate(value=value, low=lower, high=upper)


def _names(fields: Fields, *, pattern: str = _NAME) -> tuple[str, ...]:
    """Return a member's own names, all of them of the form given, few."""
    names = strict.Fields({"names": list(fields.names())}, where=fields.path("names"))
    return names.texts("names", pattern=pattern, longest=_MOST)


def _plain_models(models: dict[str, dict[Scope, Row]]) -> dict[str, object]:
    return {
        model: {scope: _plain_row(row) for scope, row in scopes.items()}
        for model, scopes in models.items()
    }


def _plain(models: dict[str, Row]) -> dict[str, object]:
    return {model: _plain_row(row) for model, row in models.items()}


def _plain_row(row: Row) -> dict[str, object]:
    return {name: {"value": of.value, "low": of.low, "high": of.high} for name, of in row.items()}
