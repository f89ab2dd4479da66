"""Events in an open engine, and the way out: bounded, counted, thresholded, with noise if asked."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Final, Protocol

import ibis
import numpy as np
import pyarrow as pa

from shelfrank.types import DAYPARTS
from shelfrank_training.aggregates.budget import Account, split_for
from shelfrank_training.aggregates.contributions import (
    Bounds,
    bound,
    digest_items,
    eligible_items,
)
from shelfrank_training.aggregates.counts import MAX_DISTANCE
from shelfrank_training.aggregates.folder import (
    Aggregates,
    parquet_bytes,
    schema,
)
from shelfrank_training.aggregates.info import AggregatesInfo, TableInfo
from shelfrank_training.aggregates.noise import OPENDP, accountant
from shelfrank_training.aggregates.private import release
from shelfrank_training.aggregates.publication import Published, Publisher
from shelfrank_training.aggregates.scope import Scope, before_until, find_scope, part_b, restrict
from shelfrank_training.aggregates.secret_counts import CHOOSING, SecretCounts
from shelfrank_training.aggregates.settings import (
    MAX_VISITS,
    UNPROTECTED_MIN_SHOPPERS,
    AggregateSettings,
    check_min_shoppers,
    check_noise,
    choose_max_items,
)
from shelfrank_training.events.catalog import CatalogTable, read_catalog
from shelfrank_training.events.columns import CATALOG, EVENTS, Columns, check_all_used
from shelfrank_training.events.engine import keep, open_engine, scratch
from shelfrank_training.events.files import open_source
from shelfrank_training.events.reader import Events, read_events
from shelfrank_training.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.aggregates.budget import Bill, Target
    from shelfrank_training.aggregates.info import Noise
    from shelfrank_training.aggregates.noise import NoiseSource

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
        source: NoiseSource,
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
            source: of noise, where the settings ask for some.
            progress: hears about the steps.
        """
        ...


@contextmanager
def prepare(
    events: Path, catalog: Path, settings: AggregateSettings, *, progress: Progress = _SILENT
) -> Iterator[Counting]:
    """Read events once, to release numbers from them under one or more settings.

    Args:
        events: see `aggregate`.
        catalog: see `aggregate`.
        settings: policy and columns are used.
        progress: hears about the steps.

    Raises:
        DataError, PrivacyError: see `aggregate`.
    """
    check_min_shoppers(settings)
    check_noise(settings)
    items, columns = _read_catalog(events, catalog, settings)
    with open_engine() as engine:
        with progress.stage(f"read {events.name}"):
            read = read_events(
                events, items, engine=engine, columns=columns, max_bad_rows=settings.max_bad_rows
            )
        yield Counting(
            engine=engine,
            events=read,
            catalog=items,
            events_file=events.name,
            catalog_file=catalog.name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One release.

    Attributes:
        aggregates: everything, in memory.
        files: Parquet file of each table.
        bill: what it costs one shopper; None without noise.
    """

    aggregates: Aggregates
    files: Mapping[str, bytes]
    bill: Bill | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Events in an open engine. They are secret; `release` is the way out.

    Attributes:
        engine: holds the tables.
        events: as read.
        catalog: as read.
        events_file: name of the file.
        catalog_file: name of the file.
    """

    engine: Backend
    events: Events
    catalog: CatalogTable
    events_file: str
    catalog_file: str
    _private: dict[object, SecretCounts] = field(default_factory=dict)

    def release(
        self,
        settings: AggregateSettings,
        *,
        outcomes: OutcomesMaker | None = None,
        source: NoiseSource = OPENDP,
        progress: Progress = _SILENT,
    ) -> Made:
        """Count, protect, and say how it was done.

        Args:
            settings: policy and columns as prepared.
            outcomes: see `aggregate`.
            source: of noise; anything but the default protects nobody.
            progress: hears about the steps.

        Raises:
            PrivacyError: a setting would break a promise.
        """
        notes = check_min_shoppers(settings)
        target = check_noise(settings)
        result = (
            self._exact(settings, progress)
            if target is None
            else self._noisy(settings, target, source, progress)
        )
        files = {name: parquet_bytes(table.rows) for name, table in result.tables.items()}
        info = AggregatesInfo(
            events_file=self.events_file,
            catalog_file=self.catalog_file,
            time_from=result.start,
            time_to=result.end,
            shoppers=result.shoppers,
            holdout=settings.holdout,
            min_shoppers=settings.min_shoppers,
            unprotected=settings.min_shoppers < UNPROTECTED_MIN_SHOPPERS,
            max_items=result.max_items,
            max_visits=MAX_VISITS,
            max_distance=MAX_DISTANCE,
            half_life_days=settings.half_life_days,
            zone=None if settings.zone is None else settings.zone.key,
            mechanism="threshold" if target is None else "gaussian_threshold",
            epsilon=None if target is None else target.epsilon,
            delta=None if target is None else target.delta,
            accountant=None if target is None else accountant(),
            policy=None
            if settings.policy is None
            else (settings.policy.id, settings.policy.version),
            has_categories=self.catalog.has_categories,
            excluded_categories=()
            if settings.policy is None
            else settings.policy.sensitive.categories,
            sensitive_items=self.catalog.n_sensitive,
            sensitive_events=result.sensitive_events,
            engine=f"{self.engine.name} {self.engine.version}",
            outcomes=settings.outcomes if settings.outcomes.share > 0 else None,
            tables={name: result.describe(name, files[name]) for name in result.tables},
        )
        tables = {name: table.rows for name, table in result.tables.items()}
        notes += _notes(self.events, self.catalog, settings)
        if not result.tables["items"].rows.num_rows:
            notes += ("no item came through: too few shoppers for this protection",)
        part_a = Aggregates(info, tables, notes)
        made = _no_outcomes()
        if outcomes is not None and settings.outcomes.share > 0:
            of_b = self._of_part_b(settings, result)
            made = outcomes(part_a, self.catalog, of_b, settings, source, progress)
        files["outcomes"] = parquet_bytes(made.rows)
        described = result.describe_other("outcomes", made, files["outcomes"])
        found = Aggregates(
            replace(info, tables={**info.tables, "outcomes": described}),
            {**tables, "outcomes": made.rows},
            notes,
        )
        return Made(aggregates=found, files=files, bill=result.bill)

    def _of_part_b(self, settings: AggregateSettings, result: _Result) -> Table:
        events = part_b(self.events.as_stored(), settings)
        events = events.filter(events.time < result.end.replace(tzinfo=None))
        if result.start is None:
            return events
        return events.filter(events.time >= result.start.replace(tzinfo=None))

    def _exact(self, settings: AggregateSettings, progress: Progress) -> _Result:
        with scratch(self.engine):
            return self._without_noise(settings, progress)

    def _without_noise(self, settings: AggregateSettings, progress: Progress) -> _Result:
        with progress.stage("bound what each shopper contributes"):
            scope = find_scope(self.engine, self.events.table, settings)
            max_items = choose_max_items(settings, scope.n_events)
            contributions, n_items = _bound(self.engine, scope, self.catalog, settings, max_items)
        publisher = Publisher(
            self.engine, settings, start=scope.start, end=scope.end, progress=progress
        )
        shoppers = int(contributions.shopper.nunique().to_pyarrow().as_py())
        return _Result(
            tables=publisher.publish(contributions, self.catalog, n_items=n_items),
            start=scope.start.replace(tzinfo=UTC),
            end=scope.end.replace(tzinfo=UTC),
            shoppers=shoppers,
            max_items=max_items,
            sensitive_events=_count_sensitive(self.events.sensitive, settings),
            totals=dict.fromkeys(("items", "pairs", "categories", "category_pairs"), shoppers),
        )

    def _noisy(
        self,
        settings: AggregateSettings,
        target: Target,
        source: NoiseSource,
        progress: Progress,
    ) -> _Result:
        events, end = before_until(self.events.table, settings)
        # What a release counts does not depend on how much noise it gets.
        key = (
            settings.holdout,
            settings.outcomes,
            settings.min_shoppers,
            settings.half_life_days,
            end,
        )
        if key not in self._private:
            self._private.clear()
            self._private[key] = SecretCounts(
                self.engine, events, self.catalog, end=end, settings=settings
            )
        exact = self._private[key]
        account = Account(target, split_for(has_categories=self.catalog.has_categories))
        with progress.stage("count and add noise"):
            made = release(exact, account, source)
        # Of the number with noise, since a refusal is seen, too.
        target.require_small_delta(made.shoppers)
        tables = made.tables if settings.zone is None else made.tables | _no_dayparts()
        return _Result(
            tables=tables,
            start=None,
            end=end.replace(tzinfo=UTC),
            shoppers=made.shoppers,
            max_items=CHOOSING.widest,
            sensitive_events=None,
            totals=made.totals,
            noise={name: account.of_table(name) for name in tables},
            bill=made.bill,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """Everything that comes out of the engine."""

    tables: dict[str, Published]
    start: datetime | None
    end: datetime
    shoppers: int
    max_items: int
    sensitive_events: int | None
    totals: Mapping[str, int]
    noise: Mapping[str, tuple[Noise, ...]] = field(default_factory=dict)
    bill: Bill | None = None

    def describe(self, name: str, data: bytes) -> TableInfo:
        """Return what ``aggregates.json`` says about a table and its file."""
        return self._describe(name, self.tables[name], self.noise.get(name, ()), data)

    def describe_other(self, name: str, table: Published, data: bytes) -> TableInfo:
        """Return the same for a table of part B."""
        return self._describe(name, table, table.noise, data)

    def _describe(
        self, name: str, table: Published, noise: tuple[Noise, ...], data: bytes
    ) -> TableInfo:
        rows = table.rows.num_rows
        return TableInfo(
            rows=rows,
            suppressed_share=table.suppressed_share if self.bill is None else None,
            max_rows_per_shopper=self._max_rows(name, table)
            if self.bill is None
            else max((entry.l0 for entry in noise), default=0),
            sha256=hashlib.sha256(data).hexdigest(),
            total=self.totals.get(name),
            noise=noise,
        )

    def _max_rows(self, name: str, table: Published) -> int:
        own = table.max_rows_per_shopper
        return _max_rows(name, self.max_items) if own is None else own


def _no_outcomes() -> Published:
    return Published(rows=schema("outcomes").empty_table(), n_counted=0, max_rows_per_shopper=0)


def _no_dayparts() -> dict[str, Published]:
    """Return the table as it is with noise: asked for, and not released."""
    return {"dayparts": Published(rows=schema("dayparts").empty_table(), n_counted=0)}


def _max_rows(name: str, max_items: int) -> int:
    """Return how many rows of a table one shopper can change, without noise."""
    ordered_pairs = max_items * (max_items - 1)
    bounds = {
        "pairs": ordered_pairs // 2,
        "category_pairs": ordered_pairs // 2,
        "next": 2 * ordered_pairs + max_items,  # one for each scope, and coming back to an item
        "category_next": 2 * ordered_pairs,
        "dayparts": len(DAYPARTS) * max_items,
    }
    return bounds.get(name, max_items)


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


def _notes(read: Events, catalog: CatalogTable, settings: AggregateSettings) -> tuple[str, ...]:
    notes = []
    if read.n_bad_rows:
        shown = "; ".join(f"line {bad.line}: {bad.problem}" for bad in read.bad_rows)
        notes.append(f"{read.n_bad_rows} bad rows of {read.n_rows} left out ({shown})")
    if not catalog.has_categories:
        notes.append("red: the catalog has no categories, so nothing could be filtered by them")
    elif settings.policy is None:
        notes.append("no policy given: only what the catalog marks as sensitive was kept out")
    if settings.zone is not None and settings.epsilon is not None:
        notes.append("with epsilon no dayparts are published: the time zone changes nothing")
    return tuple(notes)
