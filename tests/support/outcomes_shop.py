"""Shoppers of the corner shop as part B: random rows, as objects and as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import ibis
import pyarrow as pa

from shelfrank.types import KINDS, ItemId
from shelfrank_training.evaluate.histories import SourceEvent
from shelfrank_training.events import CatalogTable
from support.corner_shop import ROWS
from support.publisher import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from ibis.expr.types import Table

    from shelfrank.types import Kind

SALT: Final = "test"


def catalog() -> CatalogTable:
    """Return the corner shop's items as `aggregate` read them."""
    names = ("item_id", "title", "category", "brand", "price")
    columns = {name: [getattr(row, name) for row in ROWS] for name in names}
    types = {"price": pa.float64()}
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    table = pa.table(arrays | {"sensitive": pa.array([False] * len(ROWS))})
    return CatalogTable(table=table.sort_by("item_id"), has_categories=True)


def shopped(item_id: str, *, days: float, kind: Kind = "purchase") -> SourceEvent:
    """Return one row, `days` after a first day."""
    return SourceEvent(time=NOW + timedelta(days=days), item_id=ItemId(item_id), kind=kind)


def random_shopper(
    rng: np.random.Generator, n: int, *, visit_ids: bool = False, strangers: bool = False
) -> list[SourceEvent]:
    """Return rows of one shopper, oldest first, in few visits, with ties.

    Args:
        rng: makes them up.
        n: rows.
        visit_ids: the shop says which visit a row belongs to.
        strangers: a third of the rows, and all of the first day, are of items no model has.
    """
    rows = []
    for _ in range(n):
        day, minute = int(rng.integers(15)), int(rng.choice([0, 1, 2, 50]))
        stranger = strangers and (day == 0 or rng.random() < 1 / 3)
        item_id = "no such item" if stranger else ROWS[int(len(ROWS) * rng.random() ** 2)].item_id
        rows.append(
            SourceEvent(
                time=NOW + timedelta(days=day, minutes=minute),
                item_id=ItemId(item_id),
                kind=KINDS[rng.choice(len(KINDS), p=[0.3, 0.1, 0.4, 0.1, 0.1])],
                visit_id=f"visit {day}" if visit_ids else None,
            )
        )
    return in_order(rows)


def in_order(rows: Sequence[SourceEvent]) -> list[SourceEvent]:
    """Return rows as they come out of a table."""
    return sorted(rows, key=lambda row: (row.time, row.visit_id or "", row.item_id, row.kind))


def table_of(shoppers: Mapping[str, Sequence[SourceEvent]], rng: np.random.Generator) -> Table:
    """Return all rows as the table that a maker is given, in random order."""
    rows = [(shopper_id, row) for shopper_id, source in shoppers.items() for row in source]
    rows = [rows[int(place)] for place in rng.permutation(len(rows))]
    return ibis.memtable(
        pa.table(
            {
                "shopper_id": pa.array([shopper_id for shopper_id, _ in rows], pa.string()),
                "item_id": pa.array([row.item_id for _, row in rows], pa.string()),
                "time": pa.array(
                    [row.time.replace(tzinfo=None) for _, row in rows], pa.timestamp("us")
                ),
                "kind": pa.array([row.kind for _, row in rows], pa.string()),
                "visit_id": pa.array([row.visit_id for _, row in rows], pa.string()),
                "quantity": pa.array([row.quantity for _, row in rows], pa.float64()),
            }
        )
    )
