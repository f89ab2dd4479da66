"""Which models are made: one for each point of a curve, several where chance has a part in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from shelfrank_training.aggregates.settings import DEFAULT_DELTA, DEFAULT_MIN_SHOPPERS
from shelfrank_training.evaluate.bootstrap import N_RESAMPLES
from shelfrank_training.evaluate.run import SEED
from shelfrank_training.events import Columns, Holdout

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank.consent.policy import Policy

THRESHOLDS: Final = (1, 10, 20, 50, 100)
"""Values of `min_shoppers` that are compared: none, the floor, amber, the default, twice that."""

EPSILONS: Final = (8.0, 3.0, 1.0)
"""From "better than nothing" to "a usual promise"."""

MULTIPLES: Final = (0.1, 0.25, 0.5, 3.0, 10.0)
"""Numbers of shoppers that are compared, as multiples of those at hand."""

DRAWS: Final = 10
"""Of noise, for each epsilon: the mean of ten differs from that of many by a third of what one
draw differs by."""

RESAMPLES: Final = 3
"""Of the shoppers, for each share of them: a curve over their number needs a direction only."""

MAX_MEASURED: Final = 5_000
"""Shoppers measured at most: puts the ends of an interval for a share within 1 to 2 points of it,
and two hundred models through in minutes."""

MAX_EVENTS: Final = 15_000_000
"""Events of copied shoppers at most: a run with copies of 11 million took 9 GB of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How one kind of model is made.

    Attributes:
        multiple: of the shoppers at hand: below 1 some of them, above 1 copies of them.
        min_shoppers: distinct shoppers behind every number.
        epsilon: of noise; None adds none.
    """

    multiple: float = 1.0
    min_shoppers: int = 1
    epsilon: float | None = None

    @property
    def extrapolated(self) -> bool:
        """Whether shoppers are copied, so that no such shop was measured."""
        return self.multiple > 1


UNPROTECTED: Final = Setting()
"""All shoppers at hand, no threshold, no noise: what every share is a share of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSettings:
    """What is drawn, and how it is measured.

    Attributes:
        cutoff: aware; what lies before is counted and is history, what follows is to be foreseen.
        policy: its sensitive categories are kept out, and histories are what a device with it
            stores. Its `min_shoppers` is not asked: lower values are drawn for comparison, and no
            model leaves.
        holdout: the shoppers that are kept out of every model and measured; more than nobody.
        columns: what differs from the contract's column names, in either file.
        max_bad_rows: share of bad event rows in [0, 1] above which the run stops.
        epsilons: positive.
        delta: goes with each epsilon; less where there are so many shoppers that it must be.
        min_shoppers: held while epsilon and the number of shoppers change.
        thresholds: values of `min_shoppers` that are compared.
        multiples: numbers of shoppers that are compared; 1 is drawn anyway.
        draws: of noise, for each epsilon.
        resamples: of the shoppers, for each multiple below 1; of noise, for each above.
        max_measured: shoppers measured at most; a keyed hash chooses them among those kept out.
        n_resamples: bootstrap draws.
        seed: of resampling and bootstrap. Noise has none.
    """

    cutoff: datetime
    policy: Policy | None = None
    holdout: Holdout = field(default_factory=lambda: Holdout(share=0.2))
    columns: Columns = field(default_factory=Columns)
    max_bad_rows: float = 0.0
    epsilons: tuple[float, ...] = EPSILONS
    delta: float = DEFAULT_DELTA
    min_shoppers: int = DEFAULT_MIN_SHOPPERS
    thresholds: tuple[int, ...] = THRESHOLDS
    multiples: tuple[float, ...] = MULTIPLES
    draws: int = DRAWS
    resamples: int = RESAMPLES
    max_measured: int = MAX_MEASURED
    n_resamples: int = N_RESAMPLES
    seed: int = SEED

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ValueError: nobody is held out, or a number is out of its range.
        """
        if not self.holdout.share > 0:
            raise ValueError("nobody is held out, so nobody can be measured")
        counts = (
            self.min_shoppers,
            self.draws,
            self.resamples,
            self.max_measured,
            *self.thresholds,
        )
        if min(counts) < 1:
            raise ValueError(f"a count is {min(counts)}, wanted 1 or more")
        if min((*self.epsilons, *self.multiples, 1.0)) <= 0:
            raise ValueError("an epsilon or a number of shoppers is not above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Models that are made from the same shoppers.

    Attributes:
        multiple: of the shoppers at hand.
        models: what is made, and how often.
    """

    multiple: float
    models: tuple[tuple[Setting, int], ...]


def batches(settings: CurveSettings) -> list[Batch]:
    """Return what is made besides `UNPROTECTED`, the same setting never twice from all shoppers."""
    held = settings.min_shoppers
    exact = sorted({*settings.thresholds, held} - {UNPROTECTED.min_shoppers})
    epsilons = sorted(set(settings.epsilons), reverse=True)
    noisy = [Setting(min_shoppers=held, epsilon=epsilon) for epsilon in epsilons]
    found = [
        Batch(
            multiple=1.0,
            models=(
                *((Setting(min_shoppers=each), 1) for each in exact),
                *((setting, settings.draws) for setting in noisy),
            ),
        )
    ]
    for multiple in sorted({*settings.multiples} - {1.0}):
        without = Setting(multiple=multiple, min_shoppers=held)
        private = [replace(setting, multiple=multiple) for setting in noisy]
        if multiple > 1:
            # Counts of copies follow from the counts at hand: only the noise differs.
            models = ((without, 1), *((setting, settings.resamples) for setting in private))
            found.append(Batch(multiple=multiple, models=models))
        else:
            bare = Setting(multiple=multiple)
            once = dict.fromkeys((bare, without, *private), 1)
            found += [Batch(multiple=multiple, models=tuple(once.items()))] * settings.resamples
    return found
