"""From contributions to the tables that may leave: counted, and what is or tells small left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from shelfrank_training.aggregates import counts
from shelfrank_training.aggregates.folder import schema
from shelfrank_training.aggregates.withholding import (
    Shown,
    withhold_again,
    withhold_categories,
    withhold_dayparts,
    withhold_items,
    withhold_next,
)
from shelfrank_training.events.engine import keep
from shelfrank_training.zones import offsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.aggregates.info import Noise
    from shelfrank_training.aggregates.settings import AggregateSettings
    from shelfrank_training.events.catalog import CatalogTable
    from shelfrank_training.progress import Progress


SMALL_TABLE: Final = 1000
"""Counted rows of which 1 % is ten rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table that may leave.

    Attributes:
        rows: sorted by its key; columns of `shelfrank_training.aggregates.folder.schema`.
        n_counted: rows there were before small numbers were left out.
        max_rows_per_shopper: rows one shopper can change; None where the bound on items says it.
        noise: passes of a mechanism that the table went through on its own.
    """

    rows: pa.Table
    n_counted: int
    max_rows_per_shopper: int | None = None
    noise: tuple[Noise, ...] = ()

    @property
    def suppressed_share(self) -> float | None:
        """The share of the counted rows that is not published, in whole per cent, down.

        None for a table of fewer than `SMALL_TABLE` rows: there a per cent gives the number of rows
        that were left out, and if every row there could be was counted, none of them is empty.
        """
        if self.n_counted < SMALL_TABLE:
            return None
        n_left_out: int = self.n_counted - self.rows.num_rows
        return n_left_out * 100 // self.n_counted / 100


class Publisher:
    """Counts units over bounded contributions and lets out what reaches the threshold.

    Args:
        engine: where the contributions live.
        settings: threshold, half-life and time zone.
        start: naive, UTC; the start of the time range.
        end: naive, UTC; its end.
        progress: hears about the steps.
    """

    def __init__(
        self,
        engine: Backend,
        settings: AggregateSettings,
        *,
        start: datetime,
        end: datetime,
        progress: Progress,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._start = start
        self._end = end
        self._progress = progress
        self._n_counted: dict[str, int] = {}

    def publish(
        self, contributions: Table, catalog: CatalogTable, *, n_items: int
    ) -> dict[str, Published]:
        """Count every table.

        Args:
            contributions: see `shelfrank_training.aggregates.contributions.bound`.
            catalog: names the items, and gives their categories.
            n_items: how many items there were before those were left out that cannot reach the
                threshold.

        Returns:
            A table for each name in `KEYS`, but ``outcomes``; ``dayparts`` with a time zone alone.
        """
        k = self._settings.min_shoppers
        total = int(contributions.shopper.nunique().to_pyarrow().as_py())
        units = contributions.rename(unit="item")
        items = self._popularity("items", units)
        self._n_counted["items"] = n_items
        # A pair that reaches the threshold has two items that do, so nothing is lost here.
        units = self._only(units, items)
        pairs = self._count("pairs", counts.pairs(units))
        items, pairs = withhold_items(items, pairs, total=total, k=k)
        units = self._only(units, items)
        steps = keep(self._engine, counts.steps_in_visit(units))
        following = withhold_next(items, pairs, self._count("next", counts.following(units, steps)))
        again = self._again(units, catalog, items, pairs)
        shown = Shown(
            units=items,
            pairs=pairs,
            following=following,
            repeats=self._count("repeats", counts.repeats(units)),
            steps=self._steps(steps, following),
        )
        names = catalog.table["item_id"].combine_chunks()
        tables = ("items", "pairs", "next", "repeats")
        complete = replace(shown, following=_in_order([following, again]))
        published = self._publish(tables, complete, names)
        published |= self._dayparts(units, items, names)
        return published | self._categories(units, catalog, shown, total)

    def _dayparts(self, units: Table, items: pa.Table, names: pa.Array) -> dict[str, Published]:
        """Count items by the time of day, where the shop's is known."""
        if self._settings.zone is None:
            return {}
        clocks = offsets(self._settings.zone, self._start, self._end)
        counted = self._count("dayparts", counts.dayparts(units, clocks))
        found = withhold_dayparts(items, counted, k=self._settings.min_shoppers)
        rows = _named("dayparts", found, names)
        return {"dayparts": Published(rows=rows, n_counted=self._n_counted["dayparts"])}

    def _again(
        self, units: Table, catalog: CatalogTable, items: pa.Table, pairs: pa.Table
    ) -> pa.Table:
        """Count who comes back to an item in a visit: rows of `next` from an item to itself."""
        returns = counts.next_in_visit(counts.returns_in_visit(units))
        found = self._count("returns", returns.mutate(scope=ibis.literal("visit")))
        self._n_counted["next"] += self._n_counted.pop("returns")
        n_countable = pc.sum(pc.invert(catalog.table["sensitive"])).as_py() or 0
        return withhold_again(
            items, pairs, found, n_items=n_countable, k=self._settings.min_shoppers
        )

    def _categories(
        self, units: Table, catalog: CatalogTable, shown: Shown, total: int
    ) -> dict[str, Published]:
        """Count categories over published items only, so that they say nothing about the others."""
        tables = ("categories", "category_pairs", "category_next", "category_repeats")
        of_item = catalog.table["category"].take(shown.units["unit"]).combine_chunks()
        names = of_item.drop_null().unique().sort()
        if len(names) == 0:
            return {
                name: Published(rows=schema(name).empty_table(), n_counted=0) for name in tables
            }
        category = pc.index_in(of_item, value_set=names).cast(pa.int64())
        groups = pa.table({"unit": shown.units["unit"], "category": category}).drop_null()
        by_category = keep(self._engine, counts.regroup(units, ibis.memtable(groups)))
        steps = keep(self._engine, counts.steps_in_visit(by_category))
        following = self._count("category_next", counts.following(by_category, steps))
        counted = Shown(
            units=self._popularity("categories", by_category),
            pairs=self._count("category_pairs", counts.pairs(by_category)),
            following=following,
            repeats=self._count("category_repeats", counts.repeats(by_category)),
            steps=self._steps(steps, following),
        )
        numbers = pc.fill_null(category, -1).to_numpy()
        k = self._settings.min_shoppers
        found = withhold_categories(shown, numbers, counted, total=total, k=k)
        return self._publish(tables, found, names)

    def _steps(self, steps: Table, following: pa.Table) -> pa.Table:
        """Return the steps of the rows that reach the threshold."""
        rows = following.filter(pc.equal(following["scope"], "visit")).select(["unit", "next"])
        return self._engine.to_pyarrow(steps.semi_join(ibis.memtable(rows), ["unit", "next"]))

    def _popularity(self, name: str, units: Table) -> pa.Table:
        counted = counts.popularity(
            units, end=self._end, half_life_days=self._settings.half_life_days
        )
        return self._count(name, counted)

    def _count(self, name: str, counted: Table) -> pa.Table:
        """Compute a table, drop what is small, sort."""
        with self._progress.stage(f"count {name}"):
            kept = keep(self._engine, counted)
            self._n_counted[name] = int(kept.count().to_pyarrow().as_py())
            large = counts.at_least(kept, self._settings.min_shoppers)
            # The numbers of units order like their ids; so do the names of the scopes.
            order = [
                column
                for column in ("unit", "other", "next", "gap_days", "daypart", "scope")
                if column in kept.columns
            ]
            return large.order_by(order).to_pyarrow()

    def _publish(self, names: Sequence[str], shown: Shown, ids: pa.Array) -> dict[str, Published]:
        rows = (shown.units, shown.pairs, shown.following, shown.repeats)
        return {
            name: Published(rows=_named(name, found, ids), n_counted=self._n_counted[name])
            for name, found in zip(names, rows, strict=True)
        }

    def _only(self, units: Table, items: pa.Table) -> Table:
        published = ibis.memtable(items.select(["unit"]))
        return keep(self._engine, units.semi_join(published, "unit"))


def _in_order(following: Sequence[pa.Table]) -> pa.Table:
    columns = following[0].column_names
    together = pa.concat_tables([rows.select(columns) for rows in following])
    return together.sort_by([(key, "ascending") for key in ("unit", "next", "scope")])


def _named(name: str, found: pa.Table, names: pa.Array) -> pa.Table:
    columns: Mapping[str, str] = {
        "item_id": "unit",
        "category": "unit",
        "other_id": "other",
        "next_item_id": "next",
        "next_category": "next",
    }
    wanted = schema(name)
    arrays = []
    for field in wanted:
        values = found[columns.get(field.name, field.name)]
        if field.name != "scope" and pa.types.is_string(field.type):
            values = names.take(values.combine_chunks())
        arrays.append(values.cast(field.type))
    return pa.table(arrays, schema=wanted)
