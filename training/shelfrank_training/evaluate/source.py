"""Reads the events of the shoppers to be measured, one shopper at a time, in order of time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from shelfrank.types import ItemId
from shelfrank_training.evaluate.histories import SourceEvent
from shelfrank_training.events import open_engine, read_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ibis.expr.types import Table

    from shelfrank_training.events import Columns, Holdout

_COLUMNS: Final = ("shopper_id", "time", "item_id", "kind", "visit_id", "quantity")

# Rows turned into objects at a time.
_CHUNK: Final = 100_000


@dataclass(frozen=True, slots=True)
class Shoppers:
    """The shoppers to be measured.

    Attributes:
        n_shoppers: how many.
    """

    n_shoppers: int
    _table: Table

    def __iter__(self) -> Iterator[list[SourceEvent]]:
        """Yield each shopper's rows, oldest first; equal times in an order that never changes."""
        for _, rows in by_shopper(self._table):
            yield rows


def by_shopper(events: Table) -> Iterator[tuple[str, list[SourceEvent]]]:
    """Yield each shopper's id and rows, oldest first; equal times in an order that never changes.

    Args:
        events: columns as in `shelfrank_training.events.reader.Events`, the order of the rows means
            nothing; ``visit_id`` null where a device finds the visits itself.
    """
    for shopper_id, rows in groupby(_rows(events), key=itemgetter(0)):
        yield (
            shopper_id,
            [
                SourceEvent(
                    time=time.replace(tzinfo=UTC),
                    item_id=ItemId(item_id),
                    kind=kind,
                    visit_id=visit_id,
                    quantity=quantity,
                )
                for _, time, item_id, kind, visit_id, quantity in rows
            ],
        )


def _rows(events: Table) -> Iterator[tuple]:  # type: ignore[type-arg]  # rows as the engine gives them
    by = ["shopper_id", "time", "visit_id", "item_id", "kind", "quantity"]
    # As one table in columns, a tenth of what the rows take as objects: ibis 12 cannot yet ask
    # duckdb 2 for batches.
    ordered = events.select(*_COLUMNS).order_by(by).to_pyarrow()
    for batch in ordered.to_batches(max_chunksize=_CHUNK):
        yield from zip(*(batch.column(name).to_pylist() for name in _COLUMNS), strict=True)


@contextmanager
def open_shoppers(events: Path, columns: Columns, holdout: Holdout) -> Iterator[Shoppers]:
    """Read an events file and keep the shoppers that training did not see.

    Args:
        events: Parquet or CSV.
        columns: how its columns differ from the contract's.
        holdout: the shoppers to keep; with a share of 0 every one.

    Raises:
        DataError: the file does not keep the contract.
    """
    with open_engine() as engine:
        table = read_events(events, None, engine=engine, columns=columns).as_stored()
        if holdout.share:
            table = table.filter(holdout.matches(table.shopper_id))
        yield Shoppers(int(table.shopper_id.nunique().to_pyarrow().as_py()), table)
