"""What was drawn, and its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from shelfrank_training.evaluate.bootstrap import LEVEL, Estimate
from shelfrank_training.evaluate.tally import SCOPES, Scope

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank_training.evaluate.curves.plan import Setting
    from shelfrank_training.evaluate.evaluation import Json, LeftOut
    from shelfrank_training.events import Holdout

CAUTION: Final = (
    "These figures were made from the events themselves, with and without protection. No epsilon "
    "covers them: they are for the shop that holds the events, not for publishing."
)
"""Stands on everything that shows them."""

Figures: TypeAlias = dict[Scope, dict[str, Estimate]]
"""Scope → metric → figure; a scope in which nobody has a target is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One kind of model.

    Attributes:
        setting: how it is made.
        n_shoppers: it is made from.
        delta: goes with epsilon; None without.
        draws: models it stands for.
        n_items: items a model holds, on average.
        n_pairs: pairs of items it was fitted on, on average.
        quality: its metrics.
        share: of the unprotected model's metrics.
        popularity: what its popularity part alone reaches of the unprotected model's metrics: the
            same for everyone, under the same protection.
        ahead: `share` minus `popularity`, paired.
    """

    setting: Setting
    n_shoppers: int
    delta: float | None
    draws: int
    n_items: float
    n_pairs: float
    quality: Figures
    share: Figures
    popularity: Figures
    ahead: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Every point, with all that it must be read with.

    Attributes:
        points: the unprotected model first.
        popularity: share that the unprotected popularity reaches.
        measured: shoppers in each scope.
        n_shoppers: models were made from, multiples aside.
        n_items: size of the universe.
        min_shoppers: held while epsilon and the number of shoppers change.
        left_out: who and what does not count.
        device_rules: one line on what the policy does to histories.
        events: name of the events file.
        cutoff: aware, UTC.
        holdout: the shoppers that were kept out.
        max_items: items a shopper contributes without noise.
        n_resamples: bootstrap draws.
        seed: of resampling and bootstrap.
        notes: what was not drawn, and why.
    """

    points: tuple[Point, ...]
    popularity: Figures
    measured: dict[Scope, int]
    n_shoppers: int
    n_items: int
    min_shoppers: int
    left_out: LeftOut
    device_rules: str
    events: str
    cutoff: datetime
    holdout: Holdout
    max_items: int
    n_resamples: int
    seed: int
    notes: tuple[str, ...]

    @property
    def scopes(self) -> list[Scope]:
        """Return the scopes in which somebody has a target, new items first."""
        return [scope for scope in reversed(SCOPES) if self.measured[scope]]

    @property
    def unprotected(self) -> Point:
        """What every share is a share of."""
        return self.points[0]

    def against_epsilon(self) -> list[Point]:
        """Return noisy models from all shoppers, the most noise first, then the one without."""
        here = [p for p in self.points if p.setting.multiple == 1]
        noisy = [p for p in here if p.setting.epsilon is not None]
        exact = [
            p
            for p in here
            if p.setting.epsilon is None and p.setting.min_shoppers == self.min_shoppers
        ]
        return sorted(noisy, key=lambda p: p.setting.epsilon or 0) + exact

    def against_min_shoppers(self) -> list[Point]:
        """Return models without noise from all shoppers, the lowest threshold first."""
        here = [p for p in self.points if p.setting.multiple == 1 and p.setting.epsilon is None]
        return sorted(here, key=lambda p: p.setting.min_shoppers)

    def against_shoppers(self, *, min_shoppers: int, epsilon: float | None) -> list[Point]:
        """Return models under one protection, the fewest shoppers first."""
        found = [
            p
            for p in self.points
            if (p.setting.min_shoppers, p.setting.epsilon) == (min_shoppers, epsilon)
        ]
        return sorted(found, key=lambda p: p.setting.multiple)

    @property
    def epsilons(self) -> list[float]:
        """Return the values that were drawn, the least noise first."""
        found = {p.setting.epsilon for p in self.points}
        return sorted((e for e in found if e is not None), reverse=True)

    def to_json(self) -> dict[str, Json]:
        """Return the document of ``--json``."""
        from shelfrank_training.evaluate.curves.advice import advice

        return {
            "caution": CAUTION,
            "shoppers": self.n_shoppers,
            "measured": {scope: self.measured[scope] for scope in SCOPES},
            "cutoff": self.cutoff.isoformat().replace("+00:00", "Z"),
            "events": self.events,
            "holdout": {"share": self.holdout.share, "salt": self.holdout.salt},
            "universe": {"items": self.n_items},
            "min_shoppers": self.min_shoppers,
            "max_items": self.max_items,
            "popularity": _plain(self.popularity),
            "points": [_point(point) for point in self.points],
            "advice": list(advice(self)),
            "left_out": {
                "without_history": self.left_out.without_history,
                "without_targets": self.left_out.without_targets,
                "targets_outside_only": self.left_out.targets_outside_only,
                "targets_outside": self.left_out.targets_outside,
            },
            "histories": self.device_rules,
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap over shoppers and draws of noise, percentiles",
                "resamples": self.n_resamples,
                "seed": self.seed,
            },
            "notes": list(self.notes),
        }


def _point(point: Point) -> dict[str, Json]:
    return {
        "shoppers": point.n_shoppers,
        "multiple": point.setting.multiple,
        "extrapolated": point.setting.extrapolated,
        "min_shoppers": point.setting.min_shoppers,
        "epsilon": point.setting.epsilon,
        "delta": point.delta,
        "draws": point.draws,
        "items": point.n_items,
        "pairs": point.n_pairs,
        "quality": _plain(point.quality),
        "share": _plain(point.share),
        "private_popularity": _plain(point.popularity),
        "ahead_of_private_popularity": _plain(point.ahead),
    }


def _plain(figures: Figures) -> dict[str, Json]:
    return {
        scope: {
            name: {"value": of.value, "low": of.low, "high": of.high} for name, of in row.items()
        }
        for scope, row in figures.items()
    }
