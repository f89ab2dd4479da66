"""Read event files: columns matched, times in UTC, bad rows found, sensitive items set apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import ibis

from shelfrank_training.errors import DataError
from shelfrank_training.events.columns import EVENTS, Columns, resolve
from shelfrank_training.events.engine import keep
from shelfrank_training.events.files import SourceFile, line_of, load, open_source
from shelfrank_training.events.normalise import normalise_events, number_visits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.events.catalog import CatalogTable

SHOWN_BAD_ROWS: Final = 5
"""Bad rows named in a message: enough to see a pattern, few enough to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was left out.

    Attributes:
        line: line of a CSV file, row of a Parquet file; both from 1.
        problem: what is wrong, without the row's values.
    """

    line: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """An events file, normalised, as tables of the engine it was read with.

    Attributes:
        table: shopper_id, item_id, time (naive, UTC, microseconds), kind, visit_id, quantity,
            price; good rows of items that are not sensitive. The order of the rows means nothing.
        sensitive: the same columns for sensitive items, to be counted and nothing else.
        has_visits: the file says which visit an event belongs to; else the reader found the visits.
        n_rows: rows in the file.
        n_bad_rows: rows left out because something is wrong with them.
        bad_rows: the first `SHOWN_BAD_ROWS` of them.
    """

    table: Table
    sensitive: Table
    has_visits: bool
    n_rows: int
    n_bad_rows: int
    bad_rows: tuple[BadRow, ...]

    def as_stored(self) -> Table:
        """Return `table` with those visits alone that the file states; others are null.

        A device finds them among the events it stores, which the reader does not know.
        """
        return self.table if self.has_visits else self.table.mutate(visit_id=ibis.null("string"))


def read_events(
    path: Path,
    catalog: CatalogTable | None,
    *,
    engine: Backend,
    columns: Columns | None = None,
    max_bad_rows: float = 0.0,
) -> Events:
    """Read a Parquet or CSV file of events.

    Args:
        path: the file.
        catalog: an event of an item that is not in it is a bad row; sensitive items are set apart.
            None takes every item.
        engine: where the tables live (`shelfrank_training.events.open_engine`).
        columns: what differs from the contract's names.
        max_bad_rows: share of bad rows in [0, 1] above which the file is refused.

    Raises:
        DataError: the file does not keep the contract, mixes times with and without a zone, has no
            row, or too many bad ones.
        PrivacyError: a column that is not dropped says who somebody is or where
            (`shelfrank_training.events.personal`).
    """
    source = open_source(path)
    names = resolve(source.schema.names, columns or Columns(), EVENTS, path.name)
    loaded = load(source, names, EVENTS.types)
    raw = ibis.memtable(loaded.table)
    known = None
    if catalog is not None:
        items = catalog.table.select(["item_id", "sensitive"])
        known = ibis.memtable(items)
    rows = keep(engine, normalise_events(raw, known))
    _check_zones(rows, path.name)
    bad_rows, n_bad_rows = _find_bad_rows(rows, loaded.ragged, source)
    n_rows = loaded.table.num_rows + len(loaded.ragged)
    _check_share(path.name, n_rows, n_bad_rows, bad_rows, max_bad_rows)
    good = rows.filter(rows.problem.isnull()).select(*EVENTS.types)
    # Visits are found without the sensitive events: not even a boundary may come from one.
    table, sensitive = _set_apart(good, known)
    has_visits = "visit_id" in names
    if not has_visits:
        table = number_visits(table)
    return Events(
        table=keep(engine, table.select(*EVENTS.types)),
        sensitive=sensitive,
        has_visits=has_visits,
        n_rows=n_rows,
        n_bad_rows=n_bad_rows,
        bad_rows=bad_rows,
    )


def _set_apart(good: Table, known: Table | None) -> tuple[Table, Table]:
    if known is None:
        return good, good.limit(0)
    marked = known.filter(known.sensitive).select("item_id")
    return good.anti_join(marked, "item_id"), good.semi_join(marked, "item_id")


def _check_zones(rows: Table, file: str) -> None:
    counts = rows.filter(rows.problem.isnull()).aggregate(
        aware=rows.zoned.sum(), naive=(~rows.zoned).sum()
    )
    found = counts.to_pyarrow().to_pylist()[0]
    if found["aware"] and found["naive"]:
        raise DataError(
            f"{file} mixes {found['aware']} times with a zone and {found['naive']} without",
            hint="write all with a zone, or all without (then they are UTC)",
        )


def _find_bad_rows(
    rows: Table, ragged: Mapping[int, str], source: SourceFile
) -> tuple[tuple[BadRow, ...], int]:
    bad = rows.filter(rows.problem.notnull())
    n_bad_rows = int(bad.count().to_pyarrow().as_py()) + len(ragged)
    first = bad.order_by("row").limit(SHOWN_BAD_ROWS).select("row", "problem").to_pyarrow()
    problems = dict(ragged)
    problems.update(zip(first["row"].to_pylist(), first["problem"].to_pylist(), strict=True))
    shown = sorted(problems)[:SHOWN_BAD_ROWS]
    return tuple(
        BadRow(line=line_of(source, row), problem=problems[row]) for row in shown
    ), n_bad_rows


def _check_share(
    file: str, n_rows: int, n_bad_rows: int, bad_rows: tuple[BadRow, ...], max_bad_rows: float
) -> None:
    if n_rows == 0:
        raise DataError(f"{file} has no row")
    if n_bad_rows <= max_bad_rows * n_rows and n_bad_rows < n_rows:
        return
    shown = "; ".join(f"line {bad.line}: {bad.problem}" for bad in bad_rows)
    raise DataError(
        f"{file} has {n_bad_rows} bad rows of {n_rows}, more than the allowed share "
        f"{max_bad_rows:g} ({shown}{'; …' if n_bad_rows > len(bad_rows) else ''})",
        hint="mend the file, or allow a share with --max-bad-rows",
    )
