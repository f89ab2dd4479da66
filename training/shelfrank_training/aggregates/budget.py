"""How the privacy budget of one release is split over its tables, and added up again.

The split is a rule stated beforehand, never a function of the data (that would have to be paid for,
too). Shares are shares of rho, the cost in zero-concentrated differential privacy, which adds up.
Half of delta pays for turning the sum of rho into epsilon, half for choosing keys, in equal parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank_training.aggregates import noise
from shelfrank_training.aggregates.info import Noise
from shelfrank_training.errors import PrivacyError

if TYPE_CHECKING:
    from shelfrank_training.aggregates.noise import Cost, Sensitivity

SPLIT: Final[dict[str, float]] = {
    "shoppers": 0.01,
    "items": 0.43,
    "items.shoppers": 0.03,
    "items.weight": 0.06,
    "items.total": 0.01,
    "categories": 0.08,
    "categories.weight": 0.01,
    "categories.total": 0.01,
    "category_pairs": 0.27,
    "pairs": 0.06,
    "category_repeats": 0.03,
}
"""Shares of rho, by pass. Most goes to choosing the items, without which nothing can be ranked, and
to the lifts between categories, which carry what is personal where counts of pairs drown in noise;
little to pairs of items, which need hundreds of thousands of shoppers and then need little. Chosen
by judgement after some ten splits on prototypes of the generated shop with other seeds, which no
command repeats; differences between neighbouring splits were about 1 %."""

_OF_CATEGORIES: Final = ("categories", "category_pairs", "category_repeats")


def split_for(*, has_categories: bool) -> dict[str, float]:
    """Return the shares of rho for a catalog: without categories theirs go to pairs of items.

    The catalog is public, so the choice costs nothing.
    """
    if has_categories:
        return dict(SPLIT)
    kept = {
        name: share for name, share in SPLIT.items() if name.split(".")[0] not in _OF_CATEGORIES
    }
    kept["pairs"] += 1 - math.fsum(kept.values())
    return kept


OUTCOMES_SPLIT: Final[dict[str, float]] = {
    "outcomes": 0.2,
    "outcomes.candidates": 0.3,
    "outcomes.bought": 0.5,
}
"""Of part B, whose shoppers are in no other table: the whole budget is theirs. What was bought is
the smallest number and gets most."""

KEYED: Final = ("items", "categories", "category_pairs", "pairs", "category_repeats", "outcomes")
"""The passes that choose keys, each for an equal part of the half of delta that pays for it."""

MAX_EPSILON: Final = 100.0
"""Beyond it a statement would be true and say nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised for one shopper more or less, over everything in a folder.

    Attributes:
        epsilon: positive.
        delta: in (0, 1).
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        """Refuse numbers that promise nothing.

        Raises:
            PrivacyError: epsilon is not in (0, `MAX_EPSILON`], or delta not in (0, 1).
        """
        if not 0 < self.epsilon <= MAX_EPSILON:
            raise PrivacyError(
                f"epsilon is {self.epsilon:g}, wanted more than 0 and at most {MAX_EPSILON:g}",
                hint="1 to 3 is usual; without noise leave --epsilon out",
            )
        if not 0 < self.delta < 1:
            raise PrivacyError(
                f"delta is {self.delta:g}, wanted more than 0 and less than 1",
                hint="1e-6, or a tenth of one over the number of shoppers",
            )

    def require_small_delta(self, n_shoppers: int) -> None:
        """Refuse a delta under which publishing one shopper's rows outright would be permitted.

        Raises:
            PrivacyError: delta is above one over the number of shoppers.
        """
        if self.delta * n_shoppers > 1:
            raise PrivacyError(
                f"delta is {self.delta:g}, more than one over the number of shoppers",
                hint="choose a tenth of one over the number of shoppers, or less",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one release costs one shopper.

    Attributes:
        target: epsilon and delta that cover it.
        rho: of zCDP, over all tables.
        conversion_delta: at which rho was turned into epsilon.
        key_delta: what choosing keys cost.
    """

    target: Target
    rho: float
    conversion_delta: float
    key_delta: float


class Account:
    """Hands out the budget of one release and keeps the bill.

    Args:
        target: what may be spent.
        split: shares of rho by pass, adding up to at most 1.
    """

    def __init__(self, target: Target, split: dict[str, float] | None = None) -> None:
        self._target = target
        self._split = SPLIT if split is None else split
        self._conversion_delta = target.delta / 2
        self._rho = noise.rho_for(target.epsilon, self._conversion_delta)
        self._bill: list[tuple[str, Noise]] = []

    def rho(self, name: str) -> float:
        """Return what the pass `name` may cost."""
        return self._rho * self._split[name]

    @property
    def key_delta(self) -> float:
        """What choosing the keys of one table may cost."""
        return self._target.delta / 2 / sum(name in self._split for name in KEYED)

    def charge(
        self,
        name: str,
        sensitivity: Sensitivity,
        scale: float,
        cost: Cost,
        *,
        threshold: int | None,
    ) -> None:
        """Enter one pass.

        Args:
            name: of `SPLIT`; what stands before a dot is the table.
            sensitivity: of what was disturbed.
            scale: standard deviation, in thousandths of a shopper.
            cost: by OpenDP.
            threshold: in thousandths of a shopper; None without a choice of keys.
        """
        entry = Noise(
            mechanism="gaussian" if threshold is None else "gaussian_threshold",
            l0=sensitivity.l0,
            l2=_readable(sensitivity.l2 / noise.UNIT),
            linf=_readable(sensitivity.linf / noise.UNIT),
            scale=_readable(scale / noise.UNIT),
            threshold=None if threshold is None else _readable(threshold / noise.UNIT),
            rho=cost.rho,
            epsilon=_readable(noise.epsilon_of(cost.rho, self._conversion_delta)),
            delta=cost.delta,
        )
        self._bill.append((name, entry))

    def of_table(self, table: str) -> tuple[Noise, ...]:
        """Return what was entered for a table."""
        return tuple(entry for name, entry in self._bill if name.split(".")[0] == table)

    def close(self) -> Bill:
        """Add everything up.

        Returns:
            What the release costs; the target covers it.

        Raises:
            PrivacyError: more was spent than promised; nothing may be published then.
        """
        rho = math.fsum(entry.rho for _, entry in self._bill)
        delta = self._conversion_delta + math.fsum(entry.delta for _, entry in self._bill)
        epsilon = noise.epsilon_of(rho, self._conversion_delta)
        if epsilon > self._target.epsilon or delta > self._target.delta:
            raise PrivacyError(
                f"the tables cost epsilon {epsilon:g} and delta {delta:g}, promised were "
                f"{self._target.epsilon:g} and {self._target.delta:g}; nothing is published"
            )
        return Bill(
            target=self._target,
            rho=rho,
            conversion_delta=self._conversion_delta,
            key_delta=delta - self._conversion_delta,
        )


def _readable(value: float) -> float:
    """Round up to six digits: a published cost or sensitivity is never below the true one."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 5)
    return float(f"{math.ceil(value / step) * step:.6g}")
