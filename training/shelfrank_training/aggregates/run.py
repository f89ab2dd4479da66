"""One run: read, bound, count, threshold, write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Final, Protocol

import ibis
import numpy as np
import pyarrow as pa

from shelfrank_training.aggregates.contributions import (
    Bounds,
    bound,
    digest_items,
    eligible_items,
)
from shelfrank_training.aggregates.counts import MAX_DISTANCE
from shelfrank_training.aggregates.folder import (
    Aggregates,
    check_out,
    parquet_bytes,
    schema,
    write_folder,
)
from shelfrank_training.aggregates.info import AggregatesInfo, TableInfo
from shelfrank_training.aggregates.publication import Published, Publisher
from shelfrank_training.aggregates.scope import Scope, find_scope, part_b, restrict
from shelfrank_training.aggregates.settings import (
    MAX_VISITS,
    UNPROTECTED_MIN_SHOPPERS,
    AggregateSettings,
    check_min_shoppers,
    choose_max_items,
)
from shelfrank_training.events.catalog import CatalogTable, read_catalog
from shelfrank_training.events.columns import CATALOG, EVENTS, Columns, check_all_used
from shelfrank_training.events.engine import keep, open_engine
from shelfrank_training.events.files import open_source
from shelfrank_training.events.reader import Events, read_events
from shelfrank_training.progress import Progress, Silent

if TYPE_CHECKING:
    from pathlib import Path

    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

_SILENT: Final = Silent()


class OutcomesMaker(Protocol):
    """Makes the table ``outcomes``: what happened where a model of part A ranked for part B.

    It needs a model, and models are made from aggregates; so it is handed in
    (`shelfrank_training.outcomes`) and nothing here imports one.
    """

    def __call__(
        self,
        found: Aggregates,
        catalog: CatalogTable,
        events: Table,
        settings: AggregateSettings,
        progress: Progress,
    ) -> Published:
        """Return the table.

        Args:
            found: all other tables, of part A.
            catalog: of the run.
            events: of part B, in the range of time that part A gave; columns as in
                `shelfrank_training.events.reader.Events`, ``visit_id`` null where the file has
                none; nothing sensitive, nobody held out.
            settings: of the run.
            progress: hears about the steps.
        """
        ...


def aggregate(
    events: Path,
    catalog: Path,
    out: Path,
    settings: AggregateSettings,
    *,
    outcomes: OutcomesMaker | None = None,
    progress: Progress = _SILENT,
) -> Aggregates:
    """Turn events into aggregates.

    Args:
        events: Parquet or CSV, see ``training/docs/data.md``.
        catalog: Parquet or CSV.
        out: folder to write; all of it appears, or nothing.
        settings: bounds, threshold, hold-out, columns.
        outcomes: makes the table of that name from part B; None leaves it empty.
        progress: hears about the steps.

    Returns:
        What was written, with notes for the person who runs it.

    Raises:
        DataError: an input does not keep the contract, or the target exists.
        PrivacyError: a setting or input would break a promise.
    """
    notes = check_min_shoppers(settings)
    check_out(out, overwrite=settings.overwrite)
    items, columns = _read_catalog(events, catalog, settings)
    with open_engine() as engine:
        with progress.stage(f"read {events.name}"):
            read = read_events(
                events, items, engine=engine, columns=columns, max_bad_rows=settings.max_bad_rows
            )
        result = _count(engine, read, items, settings, progress)
        info = _info(events, catalog, items, settings, result)
        others = Aggregates(info, {name: table.rows for name, table in result.tables.items()})
        made = _no_outcomes()
        if outcomes is not None and settings.outcomes.share > 0:
            of_b = _within(part_b(read.as_stored(), settings), result.scope)
            made = outcomes(others, items, of_b, settings, progress)
    published = {**result.tables, "outcomes": made}
    tables = {name: table.rows for name, table in published.items()}
    files = {name: parquet_bytes(rows) for name, rows in tables.items()}
    info = replace(
        info,
        tables={
            name: _describe(name, table, files[name], result.max_items)
            for name, table in published.items()
        },
    )
    write_folder(out, info, files, overwrite=settings.overwrite)
    return Aggregates(info, tables, notes + _notes(read, items, settings))


def _no_outcomes() -> Published:
    return Published(rows=schema("outcomes").empty_table(), n_counted=0, max_rows_per_shopper=0)


def _within(events: Table, scope: Scope) -> Table:
    return events.filter(events.time >= scope.start, events.time < scope.end)


def _info(
    events: Path,
    catalog: Path,
    items: CatalogTable,
    settings: AggregateSettings,
    result: _Result,
) -> AggregatesInfo:
    """Return how the numbers came about, without the tables."""
    return AggregatesInfo(
        events_file=events.name,
        catalog_file=catalog.name,
        time_from=result.scope.start.replace(tzinfo=UTC),
        time_to=result.scope.end.replace(tzinfo=UTC),
        shoppers=result.shoppers,
        holdout=settings.holdout,
        min_shoppers=settings.min_shoppers,
        unprotected=settings.min_shoppers < UNPROTECTED_MIN_SHOPPERS,
        max_items=result.max_items,
        max_visits=MAX_VISITS,
        max_distance=MAX_DISTANCE,
        half_life_days=settings.half_life_days,
        outcomes=settings.outcomes if settings.outcomes.share > 0 else None,
        policy=None if settings.policy is None else (settings.policy.id, settings.policy.version),
        has_categories=items.has_categories,
        sensitive_items=items.n_sensitive,
        sensitive_events=result.sensitive_events,
        engine=result.engine,
        tables={},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """Everything that comes out of the engine."""

    tables: dict[str, Published]
    scope: Scope
    shoppers: int
    max_items: int
    sensitive_events: int | None
    engine: str


def _count(
    engine: Backend,
    read: Events,
    items: CatalogTable,
    settings: AggregateSettings,
    progress: Progress,
) -> _Result:
    with progress.stage("bound what each shopper contributes"):
        scope = find_scope(engine, read.table, settings)
        max_items = choose_max_items(settings, scope.n_events)
        contributions, n_items = _bound(engine, scope, items, settings, max_items)
    publisher = Publisher(engine, settings, end=scope.end, progress=progress)
    return _Result(
        tables=publisher.publish(contributions, items, n_items=n_items),
        scope=scope,
        shoppers=int(contributions.shopper.nunique().to_pyarrow().as_py()),
        max_items=max_items,
        sensitive_events=_count_sensitive(read.sensitive, settings),
        engine=f"{engine.name} {engine.version}",
    )


def _read_catalog(
    events: Path, catalog: Path, settings: AggregateSettings
) -> tuple[CatalogTable, Columns]:
    """Read the catalog, and return it with what the column settings mean for the events."""
    in_events = settings.columns.within(open_source(events).schema.names, EVENTS)
    in_catalog = settings.columns.within(open_source(catalog).schema.names, CATALOG)
    check_all_used(settings.columns, [in_events, in_catalog])
    return read_catalog(catalog, columns=in_catalog, policy=settings.policy), in_events


def _bound(
    engine: Backend,
    scope: Scope,
    catalog: CatalogTable,
    settings: AggregateSettings,
    max_items: int,
) -> tuple[Table, int]:
    """Return the bounded contributions, and how many items anybody has."""
    bounds = Bounds(max_items=max_items, max_visits=MAX_VISITS, salt=settings.holdout.salt)
    digested = keep(engine, digest_items(scope.events, bounds.salt))
    eligible = eligible_items(digested, max_items=max_items, min_shoppers=settings.min_shoppers)
    chosen = keep(engine, digested.semi_join(keep(engine, eligible), "item_id"))
    contributions = keep(engine, bound(scope.events, chosen, _numbered(catalog), bounds))
    return contributions, int(digested.item_id.nunique().to_pyarrow().as_py())


def _numbered(catalog: CatalogTable) -> Table:
    numbers = pa.array(np.arange(catalog.table.num_rows, dtype=np.int64))
    return ibis.memtable(pa.table({"item_id": catalog.table["item_id"], "item": numbers}))


def _count_sensitive(sensitive: Table, settings: AggregateSettings) -> int | None:
    """Count the events that were kept out, unless too few shoppers have one."""
    kept_out = restrict(sensitive, settings)
    found = kept_out.aggregate(
        events=kept_out.count(), shoppers=kept_out.shopper_id.nunique()
    ).to_pyarrow()
    shoppers, events = int(found["shoppers"][0].as_py()), int(found["events"][0].as_py())
    return events if shoppers >= settings.min_shoppers or events == 0 else None


def _describe(name: str, table: Published, data: bytes, max_items: int) -> TableInfo:
    rows = table.rows.num_rows
    ordered_pairs = max_items * (max_items - 1)
    bounds = {
        "pairs": ordered_pairs // 2,
        "category_pairs": ordered_pairs // 2,
        "next": 2 * ordered_pairs,  # one for each scope
        "category_next": 2 * ordered_pairs,
    }
    own_bound = table.max_rows_per_shopper
    return TableInfo(
        rows=rows,
        suppressed_share=(table.n_counted - rows) * 100 // max(table.n_counted, 1) / 100,
        max_rows_per_shopper=bounds.get(name, max_items) if own_bound is None else own_bound,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _notes(read: Events, catalog: CatalogTable, settings: AggregateSettings) -> tuple[str, ...]:
    notes = []
    if read.n_bad_rows:
        shown = "; ".join(f"line {bad.line}: {bad.problem}" for bad in read.bad_rows)
        notes.append(f"{read.n_bad_rows} bad rows of {read.n_rows} left out ({shown})")
    if not catalog.has_categories:
        notes.append("red: the catalog has no categories, so nothing could be filtered by them")
    elif settings.policy is None:
        notes.append("no policy given: only what the catalog marks as sensitive was kept out")
    return tuple(notes)
