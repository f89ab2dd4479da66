"""Measure a model folder: who counts, what each model ranks for them, how good it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.baselines import PersonalFrequency, Popularity
from shelfrank_training.evaluate.bootstrap import N_RESAMPLES
from shelfrank_training.evaluate.crew import Crew, default_workers
from shelfrank_training.evaluate.evaluation import Evaluation, LeftOut
from shelfrank_training.evaluate.folder import read_provenance, read_universe
from shelfrank_training.evaluate.histories import record
from shelfrank_training.evaluate.protocol import ask
from shelfrank_training.evaluate.results import FEWEST, results
from shelfrank_training.evaluate.shipped import open_shipped
from shelfrank_training.evaluate.source import open_shoppers
from shelfrank_training.evaluate.tally import Tally
from shelfrank_training.events import Columns
from shelfrank_training.progress import Silent
from shelfrank_training.standing import from_aggregates, stands_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from shelfrank_training.evaluate.folder import Provenance
    from shelfrank_training.evaluate.histories import DeviceRules, SourceEvent
    from shelfrank_training.evaluate.protocol import Asked, Moment, ProtocolName, Universe
    from shelfrank_training.progress import Progress

MODEL: Final = "shelfrank"
"""How the model is called in tables and in the JSON."""

SEED: Final = 20
"""Of the bootstrap: fixed, so that the same data give the same intervals; any number would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        cutoff: aware; events before it are history, events at it or later are targets.
        protocol: ``future`` (one ranking a shopper) or ``next`` (one before each later event).
        columns: how the events file's columns differ from the contract's.
        n_resamples: bootstrap draws.
        seed: of the bootstrap.
        workers: threads that rank; the figures do not depend on it.
    """

    cutoff: datetime
    protocol: ProtocolName = "future"
    columns: Columns = field(default_factory=Columns)
    n_resamples: int = N_RESAMPLES
    seed: int = SEED
    workers: int = field(default_factory=default_workers)


def evaluate(
    model: Path, events: Path, settings: Settings, *, progress: Progress | None = None
) -> Evaluation:
    """Measure a model folder on the shoppers its training kept out.

    Args:
        model: folder written by ``shelfrank train``.
        events: Parquet or CSV.
        settings: how to measure.
        progress: who hears about the long steps.

    Returns:
        The figures, `MODEL` first, with all that they must be read with.

    Raises:
        DataError: the folder or file is not what it should be, or no shopper counts.
        BundleError: a device would not accept the model.
    """
    progress = progress or Silent()
    with progress.stage("open the model as a device does"):
        provenance = read_provenance(model)
        universe = read_universe(model)
        # One ranking for all that comes later is asked at no time of day.
        zone = provenance.zone if settings.protocol == "next" else None
        shipped = open_shipped(model, universe, now=settings.cutoff, zone=zone)
    tally = Tally(
        universe,
        {
            MODEL: shipped,
            "popularity": Popularity(universe),
            "personal_frequency": PersonalFrequency(universe),
        },
    )
    with open_shoppers(events, settings.columns, provenance.holdout) as shoppers:
        rows = progress.track(shoppers, description="rank", total=shoppers.n_shoppers)
        with Crew(tally, workers=settings.workers) as crew:
            left_out = collect(crew, rows, shipped.rules, settings)
    if not tally.n_shoppers:
        raise _nobody(left_out, provenance, settings)
    with progress.stage("bootstrap over shoppers"):
        measured = results(
            tally,
            settings.protocol,
            rng=np.random.default_rng(settings.seed),
            n_resamples=settings.n_resamples,
            fewest=max(FEWEST, provenance.min_shoppers),
        )
    return Evaluation(
        results=measured,
        provenance=provenance,
        protocol=settings.protocol,
        cutoff=settings.cutoff,
        events=events.name,
        n_items=universe.n_items,
        n_items_not_in_bundle=shipped.n_missing,
        left_out=left_out,
        device_rules=shipped.rules.stated,
        n_resamples=settings.n_resamples,
        seed=settings.seed,
        measured=shipped.measured,
        warnings=tuple(weaknesses(provenance, settings.cutoff)),
    )


class TakesMoments(Protocol):
    """What shoppers' moments are put to: a `Tally`, or who keeps them for later."""

    @property
    def universe(self) -> Universe:
        """The items that compete."""
        ...

    def add(self, moments: Iterable[Moment]) -> None:
        """Take one shopper's moments, at least one."""
        ...


def collect(
    tally: TakesMoments,
    shoppers: Iterable[Sequence[SourceEvent]],
    rules: DeviceRules,
    settings: Settings,
) -> LeftOut:
    """Put every shopper's moments to the models.

    Args:
        tally: takes the rankings; its universe says what a target can be.
        shoppers: each one's rows, oldest first.
        rules: what a device does to histories.
        settings: cutoff and protocol.

    Returns:
        Who and what does not count.
    """
    left_out: Counter[str] = Counter()
    for source in shoppers:
        if source[-1].time < settings.cutoff:  # Most shoppers of a year: nothing to be replayed.
            left_out["without_targets"] += 1
            continue
        asked = ask(
            source,
            record(source, rules),
            tally.universe,
            cutoff=settings.cutoff,
            protocol=settings.protocol,
        )
        left_out["targets_outside"] += asked.outside
        if asked.moments:
            tally.add(asked.moments)
        else:
            left_out[_why(asked)] += 1
    return LeftOut(**left_out)


def weaknesses(provenance: Provenance, cutoff: datetime) -> Iterator[str]:
    """Yield what weakens the figures, one sentence each."""
    if not from_aggregates(provenance.min_shoppers):
        yield f"{stands_on(provenance.min_shoppers).capitalize()}."
    late = provenance.trained_until > cutoff
    if provenance.holdout.share == 0:
        yield (
            "Nobody was kept out of training, so every shopper of the events is measured, on the "
            "caller's word that training did not see what is asked here."
        )
    if late:
        yield (
            f"The model was made from events up to {provenance.trained_until:%Y-%m-%d}, past the "
            f"cutoff {cutoff:%Y-%m-%d}: it knows something of the time it is asked about."
        )
    if provenance.epsilon is not None:
        yield (
            "Only items that came through the noise compete. That makes the task easier the fewer "
            "they are: do not compare with a model of other protection. `shelfrank privacy curve` "
            "measures all on the same items."
        )


def _why(asked: Asked) -> str:
    if not asked.had_targets:
        return "without_targets"
    return "targets_outside_only" if asked.had_history else "without_history"


def _nobody(left_out: LeftOut, provenance: Provenance, settings: Settings) -> DataError:
    share = provenance.holdout.share
    return DataError(
        f"no shopper is left to measure: {left_out.without_targets} without an event from "
        f"{settings.cutoff:%Y-%m-%d %H:%M} UTC on, {left_out.without_history} without one before, "
        f"{left_out.targets_outside_only} whose later items are not in the universe",
        hint=f"training kept out a share of {share:g}; check --cutoff against the times of EVENTS",
    )
