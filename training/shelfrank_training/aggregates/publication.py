"""From contributions to the tables that may leave: everything counted, small numbers left out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shelfrank_training.aggregates import counts
from shelfrank_training.aggregates.folder import KEYS, schema
from shelfrank_training.events.engine import keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt
    from ibis.backends.duckdb import Backend
    from ibis.expr.types import Table

    from shelfrank_training.aggregates.info import Noise
    from shelfrank_training.aggregates.settings import AggregateSettings
    from shelfrank_training.events.catalog import CatalogTable
    from shelfrank_training.progress import Progress


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


class Publisher:
    """Counts units over bounded contributions and lets out what reaches the threshold.

    Args:
        engine: where the contributions live.
        settings: threshold and half-life.
        end: naive, UTC; the end of the time range.
        progress: hears about the steps.
    """

    def __init__(
        self, engine: Backend, settings: AggregateSettings, *, end: datetime, progress: Progress
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._end = end
        self._progress = progress

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
            A table for each name in `KEYS`, but ``outcomes``.
        """
        item_ids = catalog.table["item_id"].combine_chunks()
        units = contributions.rename(unit="item")
        items = self._popularity("items", units, item_ids)
        tables = {"items": replace(items, n_counted=n_items)}
        published = _positions(items.rows["item_id"], item_ids)
        # A pair that reaches the threshold has two items that do, so nothing is lost here.
        units = self._only(units, published)
        tables["pairs"] = self._count("pairs", counts.pairs(units), item_ids)
        tables["next"] = self._count("next", counts.following(units), item_ids)
        tables["repeats"] = self._count("repeats", counts.repeats(units), item_ids)
        return tables | self._categories(units, catalog, published, tables["pairs"].rows)

    def _categories(
        self,
        units: Table,
        catalog: CatalogTable,
        published: Sequence[int],
        pairs: pa.Table,
    ) -> dict[str, Published]:
        """Count categories over published items only, so that they say nothing about the others."""
        members = _publishable_categories(catalog, published, pairs)
        if not members:
            return {
                name: Published(rows=schema(name).empty_table(), n_counted=0)
                for name in KEYS
                if name.startswith("categor")
            }
        names = pa.array(list(members), pa.string())
        of_item = pa.table(
            {
                "unit": np.concatenate(list(members.values())),
                "category": np.repeat(np.arange(len(members)), [len(m) for m in members.values()]),
            }
        )
        by_category = keep(self._engine, counts.regroup(units, ibis.memtable(of_item)))
        return {
            "categories": self._popularity("categories", by_category, names),
            "category_pairs": self._count("category_pairs", counts.pairs(by_category), names),
            "category_next": self._count("category_next", counts.following(by_category), names),
            "category_repeats": self._count("category_repeats", counts.repeats(by_category), names),
        }

    def _popularity(self, name: str, units: Table, names: pa.Array) -> Published:
        counted = counts.popularity(
            units, end=self._end, half_life_days=self._settings.half_life_days
        )
        return self._count(name, counted, names)

    def _count(self, name: str, counted: Table, names: pa.Array) -> Published:
        """Compute a table, drop what is small, give ids for numbers, sort."""
        with self._progress.stage(f"count {name}"):
            kept = keep(self._engine, counted)
            n_counted = int(kept.count().to_pyarrow().as_py())
            large = counts.at_least(kept, self._settings.min_shoppers)
            # The numbers of units order like their ids; so do the names of the scopes.
            order = [
                column
                for column in ("unit", "other", "next", "gap_days", "scope")
                if column in kept.columns
            ]
            found = large.order_by(order).to_pyarrow()
        return Published(rows=_named(name, found, names), n_counted=n_counted)

    def _only(self, units: Table, published: Sequence[int]) -> Table:
        allowed = pa.table({"unit": pa.array(published, pa.int64())})
        return keep(self._engine, units.semi_join(ibis.memtable(allowed), "unit"))


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


def _positions(ids: pa.ChunkedArray, names: pa.Array) -> list[int]:
    return [int(index) for index in pc.index_in(ids, value_set=names).to_pylist()]


def _publishable_categories(
    catalog: CatalogTable, published: Sequence[int], pairs: pa.Table
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the published items of each category that may be counted, sorted by category.

    A category of two items whose pair is suppressed may not: shoppers(category) = shoppers(a) +
    shoppers(b) - shoppers(a and b), so the suppressed number would follow from the three published.
    With three or more items it does not.
    """
    item_ids, category_of = (catalog.table[name].to_pylist() for name in ("item_id", "category"))
    members: dict[str, list[int]] = defaultdict(list)
    for item in published:
        if category_of[item] is not None:
            members[category_of[item]].append(item)
    twos = {(item_ids[m[0]], item_ids[m[1]]) for m in members.values() if len(m) == 2}
    open_pairs = twos & set(zip(*(pairs[key].to_pylist() for key in KEYS["pairs"]), strict=True))
    return {
        category: np.array(items, np.int64)
        for category, items in sorted(members.items())
        if len(items) != 2 or (item_ids[items[0]], item_ids[items[1]]) in open_pairs
    }
