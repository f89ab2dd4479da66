"""The outcome of an evaluation, and its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from shelfrank.bundle import strict
from shelfrank_training.evaluate.bootstrap import LEVEL
from shelfrank_training.evaluate.tally import SCOPES
from shelfrank_training.standing import from_aggregates, stands_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shelfrank_training.evaluate.bootstrap import Estimate
    from shelfrank_training.evaluate.folder import Provenance
    from shelfrank_training.evaluate.protocol import ProtocolName
    from shelfrank_training.evaluate.results import Figures, Results, Slice

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Shoppers who do not count, and targets that no model could hit.

    Attributes:
        without_history: shoppers without an event before their first target.
        without_targets: shoppers with nothing from the cutoff on.
        targets_outside_only: shoppers all of whose targets are outside the universe.
        targets_outside: targets outside the universe, of all shoppers with a history.
    """

    without_history: int = 0
    without_targets: int = 0
    targets_outside_only: int = 0
    targets_outside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Every figure, with all that it must be read with.

    Attributes:
        results: the figures.
        provenance: how the model was made.
        protocol: ``future`` or ``next``.
        cutoff: aware, UTC.
        events: name of the events file.
        n_items: size of the universe.
        n_items_not_in_bundle: items of the universe the bundle lacks: they stay as misses.
        left_out: who and what does not count.
        device_rules: one line on what the policy does to histories.
        n_resamples: bootstrap draws.
        seed: of the bootstrap.
        measured: file → SHA-256 of what decided the rankings; ties the figures to the model.
        warnings: what weakens the figures, one sentence each.
    """

    results: Results
    provenance: Provenance
    protocol: ProtocolName
    cutoff: datetime
    events: str
    n_items: int
    n_items_not_in_bundle: int
    left_out: LeftOut
    device_rules: str
    n_resamples: int
    seed: int
    measured: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def bounds(self) -> str:
        """Return what must stand beside every figure."""
        epsilon = self.provenance.epsilon
        noise = "no noise" if epsilon is None else f"epsilon {epsilon:g}"
        standing = "" if from_aggregates(self.provenance.min_shoppers) else " · not from aggregates"
        return (
            f"min_shoppers {self.provenance.min_shoppers} · "
            f"max_items {self.provenance.max_items} a shopper · {noise}{standing}"
        )

    def to_json(self) -> dict[str, Json]:
        """Return the document of ``--json``: the figures and what else a reader needs."""
        return {
            "shoppers": self.results.shoppers["all"],
            "cutoff": self.cutoff.isoformat().replace("+00:00", "Z"),
            "trained_until": strict.format_time(self.provenance.trained_until),
            "protocol": self.protocol,
            "metrics": _plain(self.results.metrics),
            "paired": _plain(self.results.paired),
            "recall_by_k": {
                model: {scope: [_figure(of) for of in curve] for scope, curve in scopes.items()}
                for model, scopes in self.results.recall_by_k.items()
            },
            "slices": {
                cut: {scope: [_slice(one) for one in slices] for scope, slices in scopes.items()}
                for cut, scopes in self.results.slices.items()
            },
            "new_shoppers": self.results.shoppers["new"],
            "trials": {scope: self.results.trials[scope] for scope in SCOPES},
            "targets": {
                **{scope: self.results.targets[scope] for scope in SCOPES},
                "outside": self.left_out.targets_outside,
            },
            "left_out": {
                "without_history": self.left_out.without_history,
                "without_targets": self.left_out.without_targets,
                "targets_outside_only": self.left_out.targets_outside_only,
            },
            "universe": {"items": self.n_items, "not_in_bundle": self.n_items_not_in_bundle},
            "holdout": {
                "share": self.provenance.holdout.share,
                "every_shopper": self.provenance.holdout.share == 0,
            },
            "min_shoppers": self.provenance.min_shoppers,
            "from_aggregates": from_aggregates(self.provenance.min_shoppers),
            "stands_on": stands_on(self.provenance.min_shoppers),
            "max_items": self.provenance.max_items,
            "epsilon": self.provenance.epsilon,
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap over shoppers, percentiles",
                "resamples": self.n_resamples,
                "seed": self.seed,
            },
            "measured": dict(self.measured),
            "events": self.events,
            "histories": self.device_rules,
            "warnings": list(self.warnings),
        }


def _plain(figures: Figures) -> dict[str, Json]:
    return {
        model: {
            scope: {name: _figure(of) for name, of in row.items()} for scope, row in scopes.items()
        }
        for model, scopes in figures.items()
    }


def _figure(of: Estimate) -> Json:
    return {"value": of.value, "low": of.low, "high": of.high}


def _slice(of: Slice) -> Json:
    return {
        "name": of.name,
        "shoppers": of.shoppers,
        "trials": of.trials,
        "targets": of.targets,
        "metrics": _rows(of.metrics),
        "paired": _rows(of.paired),
    }


def _rows(models: dict[str, dict[str, Estimate]]) -> Json:
    return {model: {name: _figure(of) for name, of in row.items()} for model, row in models.items()}
