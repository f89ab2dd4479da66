"""One model at a time: made from aggregates, opened as a device does, asked for every shopper.

Moments of all shoppers are kept, so that histories are read once for all models; of each model only
a number per shopper is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.evaluate.results import measures
from shelfrank_training.evaluate.shipped import open_shipped
from shelfrank_training.evaluate.tally import SCOPES, Scope, Tally
from shelfrank_training.export.folder import model_files
from shelfrank_training.progress import Silent
from shelfrank_training.train import catalog_rows, fit_and_export

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.types import Event
    from shelfrank_training.aggregates import Aggregates
    from shelfrank_training.evaluate.baselines import Scorer
    from shelfrank_training.evaluate.protocol import Moment, Universe
    from shelfrank_training.evaluate.shipped import Shipped
    from shelfrank_training.events import CatalogTable

METRICS: Final = ("ndcg@20", "recall@20")
"""What is measured, the more telling one first."""

Values = dict[Scope, "npt.NDArray[np.float64]"]
"""Scope → shape (len(METRICS), n_shoppers); 0 for who has no target in the scope."""


class Sample:
    """The shoppers that every model is measured on.

    Args:
        universe: the items that compete.
    """

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        self.shoppers: list[tuple[Moment, ...]] = []

    def add(self, moments: Iterable[Moment]) -> None:
        """Keep one shopper's moments (`shelfrank_training.evaluate.run.TakesMoments`)."""
        self.shoppers.append(tuple(moments))

    def measure(self, scorers: Mapping[str, Scorer]) -> dict[str, Values]:
        """Put all shoppers to some models.

        Returns:
            What each model is worth to each shopper.
        """
        return _values(self._ask(scorers))

    def present(self) -> dict[Scope, npt.NDArray[np.float64]]:
        """Return who counts in each scope: shape (n_shoppers,), 1 with a target in it, else 0."""
        tally = self._ask({"nothing": Fixed(np.full(self.universe.n_items, -np.inf))})
        present = {}
        for scope in SCOPES:
            present[scope] = np.zeros(tally.n_shoppers)
            present[scope][tally.trials[scope].shopper] = 1
        return present

    def _ask(self, scorers: Mapping[str, Scorer]) -> Tally:
        tally = Tally(self.universe, scorers)
        for moments in self.shoppers:
            tally.add(moments)
        return tally


class Fixed:
    """The same ranking for everyone.

    Args:
        scores: shape (n_items,), in the universe's order.
    """

    def __init__(self, scores: npt.NDArray[np.float64]) -> None:
        self._scores = scores

    def __call__(
        self,
        history: Sequence[Event],  # noqa: ARG002 - the protocol's
        *,
        now: datetime,  # noqa: ARG002
        in_visit: bool,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        """Return the scores, whatever the history."""
        return self._scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One model, measured.

    Attributes:
        model: what it is worth to each shopper.
        popularity: what its own part of that name is worth alone.
        n_items: items it holds.
        n_pairs: pairs of items it was fitted on.
    """

    model: Values
    popularity: Values
    n_items: int
    n_pairs: int


def measure(
    found: Aggregates | None, catalog: CatalogTable, sample: Sample, *, now: datetime
) -> Draw:
    """Make a model and put all shoppers to it.

    Args:
        found: what it is made from; None where nothing came through: then it ranks nothing.
        catalog: of the shop.
        sample: who is measured.
        now: the cutoff.
    """
    if found is None:
        nothing: Values = {
            scope: np.zeros((len(METRICS), len(sample.shoppers))) for scope in SCOPES
        }
        return Draw(model=nothing, popularity=nothing, n_items=0, n_pairs=0)
    shipped = ship(found, catalog, sample.universe, now=now)
    values = sample.measure({"model": shipped, "popularity": Fixed(shipped.popularity(now=now))})
    return Draw(
        model=values["model"],
        popularity=values["popularity"],
        n_items=found.table("items").num_rows,
        n_pairs=found.table("pairs").num_rows,
    )


def ship(found: Aggregates, catalog: CatalogTable, universe: Universe, *, now: datetime) -> Shipped:
    """Make a model and open it as a device does, by way of a folder that is gone afterwards."""
    rows, _ = catalog_rows(found, catalog)
    blend, exported = fit_and_export(found, rows, progress=Silent())
    with TemporaryDirectory(prefix="shelfrank-") as folder:
        for name, data in model_files(blend, exported, found, rows, policy=None).items():
            (Path(folder) / name).write_bytes(data)
        return open_shipped(Path(folder), universe, now=now)


def _values(tally: Tally) -> dict[str, Values]:
    known = measures("future")
    found: dict[str, Values] = {}
    for model in tally.models:
        found[model] = {}
        for scope in SCOPES:
            trials = tally.trials[scope]
            values = np.zeros((len(METRICS), tally.n_shoppers))
            if trials.shopper:
                hits = np.concatenate(trials.hits[model])
                n_targets = np.array(trials.n_targets, dtype=np.int64)
                for row, name in enumerate(METRICS):
                    metric, k = known[name]
                    values[row, trials.shopper] = metric(hits, n_targets, k)
            found[model][scope] = values
    return found
