"""The shoppers models are made from: read once, drawn or copied, counted in an engine of their own.

Rows about shoppers stay in here; what comes out are aggregates, in memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import ibis
import numpy as np
import pyarrow as pa

from shelfrank_training.aggregates import AggregateSettings, Counting, prepare
from shelfrank_training.aggregates.scope import restrict
from shelfrank_training.errors import DataError
from shelfrank_training.events import Holdout, open_engine
from shelfrank_training.events.engine import keep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from shelfrank_training.aggregates import Aggregates
    from shelfrank_training.evaluate.curves.plan import CurveSettings, Setting
    from shelfrank_training.events import CatalogTable, Events
    from shelfrank_training.progress import Progress

DELTA_SHARE: Final = 10
"""Delta is at most one over this many times the number of shoppers: what is usually advised."""

_COPY: Final = "\x1f"
"""Between a shopper's id and the number of the copy; the first keeps the id as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The events that models may be made from: nobody held out, nothing at the cutoff or later.

    Attributes:
        catalog: of the shop.
        shopper_ids: ascending; those with an event that counts.
    """

    catalog: CatalogTable
    shopper_ids: pa.Array
    _rows: pa.Table
    _shopper: npt.NDArray[np.int64]
    _read: Events
    _names: tuple[str, str]
    _settings: AggregateSettings

    @property
    def n_shoppers(self) -> int:
        """How many shoppers."""
        return len(self.shopper_ids)

    @property
    def n_events(self) -> int:
        """How many events they have."""
        return int(self._rows.num_rows)

    @contextmanager
    def drawn(self, copies: npt.NDArray[np.int64]) -> Iterator[Shoppers]:
        """Open an engine that holds some of the shoppers, or several copies of each.

        Args:
            copies: shape (n_shoppers,); how often each one is there.
        """
        rows = copied(self._rows, self._shopper, copies)
        with open_engine() as engine:
            table = keep(engine, ibis.memtable(rows))
            counting = Counting(
                engine=engine,
                events=replace(self._read, table=table, sensitive=keep(engine, table.limit(0))),
                catalog=self.catalog,
                events_file=self._names[0],
                catalog_file=self._names[1],
            )
            yield Shoppers(int(copies.sum()), counting, self._settings)


@dataclass(frozen=True, slots=True)
class Shoppers:
    """Shoppers in an open engine.

    Attributes:
        n_shoppers: how many, copies included.
    """

    n_shoppers: int
    _counting: Counting
    _settings: AggregateSettings

    def release(self, setting: Setting, *, delta: float) -> Aggregates | None:
        """Count them.

        Args:
            setting: threshold and noise; its number of shoppers is theirs already.
            delta: goes with noise; see `delta_for`.

        Returns:
            None where no item comes through, so that nothing could be ranked.
        """
        if self.n_shoppers < setting.min_shoppers:
            return None
        settings = replace(
            self._settings,
            min_shoppers=setting.min_shoppers,
            epsilon=setting.epsilon,
            delta=delta_for(delta, self.n_shoppers),
        )
        found = self._counting.release(settings).aggregates
        return found if found.table("items").num_rows else None


def delta_for(delta: float, n_shoppers: int) -> float:
    """Return `delta`, or less where so many shoppers need it."""
    return min(delta, 1 / (DELTA_SHARE * max(1, n_shoppers)))


@contextmanager
def open_training(
    events: Path, catalog: Path, settings: CurveSettings, *, progress: Progress
) -> Iterator[Training]:
    """Read the events once.

    Args:
        events: Parquet or CSV.
        catalog: Parquet or CSV.
        settings: policy, hold-out, cutoff and columns are used.
        progress: hears about the steps.

    Raises:
        DataError: an input does not keep the contract, or nobody is left to learn from.
        PrivacyError: the policy cannot be kept.
    """
    policy = None if settings.policy is None else replace(settings.policy, min_shoppers=1)
    asked = AggregateSettings(
        policy=policy,
        min_shoppers=1,
        unprotected=True,
        holdout=settings.holdout,
        until=settings.cutoff,
        columns=settings.columns,
        max_bad_rows=settings.max_bad_rows,
    )
    with prepare(events, catalog, asked, progress=progress) as counting:
        rows = restrict(counting.events.table, asked).to_pyarrow()
        # A dislike is no sign that items go together: who has nothing else is never counted.
        liked = pa.compute.filter(rows["shopper_id"], pa.compute.not_equal(rows["kind"], "dislike"))
        ids = pa.compute.unique(liked).sort()
        if not len(ids):
            raise DataError(
                f"{events.name} has no shopper to learn from before "
                f"{settings.cutoff:%Y-%m-%d %H:%M} UTC",
                hint="check --cutoff against the times of EVENTS",
            )
        kept = rows.filter(pa.compute.is_in(rows["shopper_id"], value_set=ids))
        yield Training(
            catalog=counting.catalog,
            shopper_ids=ids,
            _rows=kept,
            _shopper=_places(kept["shopper_id"], ids),
            _read=counting.events,
            _names=(events.name, catalog.name),
            # Nobody of those held out is left: a copy, under an id of its own, must stay.
            _settings=replace(asked, holdout=Holdout(share=0.0, salt=settings.holdout.salt)),
        )


def draw(rng: np.random.Generator, n_shoppers: int, n: int) -> npt.NDArray[np.int64]:
    """Return how often each shopper is there when `n` are drawn.

    Without replacement as long as there are enough; beyond, everybody is there as often as that
    goes, and the rest are drawn.

    Args:
        rng: where the chance comes from.
        n_shoppers: at hand, at least 1.
        n: wanted.

    Returns:
        Shape (n_shoppers,); sums to `n`.
    """
    everybody, rest = divmod(n, n_shoppers)
    copies = np.full(n_shoppers, everybody, dtype=np.int64)
    copies[rng.permutation(n_shoppers)[:rest]] += 1
    return copies


def copied(
    rows: pa.Table, shopper: npt.NDArray[np.int64], copies: npt.NDArray[np.int64]
) -> pa.Table:
    """Return the rows of drawn shoppers, each copy of a shopper under an id of its own.

    Args:
        rows: ``shopper_id``, …
        shopper: shape (n_rows,); whose row it is.
        copies: shape (n_shoppers,); how often each shopper is there. With 1 everywhere the rows
            come back as they are.
    """
    if (copies == 1).all():
        return rows
    times = copies[shopper]
    row = np.repeat(np.arange(shopper.size), times)
    number = np.arange(row.size) - np.repeat(np.cumsum(times) - times, times)
    taken = rows.take(pa.array(row))
    named = pa.compute.binary_join_element_wise(
        taken["shopper_id"], pa.array(number).cast(pa.string()), _COPY
    )
    ids = pa.compute.if_else(pa.array(number == 0), taken["shopper_id"], named)
    return taken.set_column(taken.column_names.index("shopper_id"), "shopper_id", ids)


def _places(of: pa.ChunkedArray, ids: pa.Array) -> npt.NDArray[np.int64]:
    places = pa.compute.index_in(of, value_set=ids).to_numpy()
    return np.asarray(places, dtype=np.int64)
