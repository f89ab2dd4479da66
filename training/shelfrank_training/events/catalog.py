"""Read the catalog, and mark what the policy keeps out of everything (invariant P5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from shelfrank_training.errors import DataError, PrivacyError
from shelfrank_training.events.columns import CATALOG, Columns, resolve
from shelfrank_training.events.engine import open_engine
from shelfrank_training.events.files import line_of, load, open_source
from shelfrank_training.events.normalise import normalise_catalog

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.consent.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTable:
    """The items a shop has.

    Attributes:
        table: item_id, title, category, brand, price, sensitive; one row per item, sorted by
            item_id.
        has_categories: at least one item has a category.
    """

    table: pa.Table
    has_categories: bool

    @property
    def n_sensitive(self) -> int:
        """How many items are kept out."""
        return int(self.table["sensitive"].to_pylist().count(True))


def read_catalog(
    path: Path, *, columns: Columns | None = None, policy: Policy | None = None
) -> CatalogTable:
    """Read a Parquet or CSV file of items.

    Args:
        path: the file.
        columns: what differs from the contract's names.
        policy: its sensitive categories are marked; the file's own ``sensitive`` marks stay.

    Raises:
        DataError: the file does not keep the contract. A catalog with a bad row is always refused.
        PrivacyError: the policy names sensitive categories and no item has a category, or a column
            that is not dropped says who somebody is or where.
    """
    source = open_source(path)
    names = resolve(source.schema.names, columns or Columns(), CATALOG, path.name)
    loaded = load(source, names, CATALOG.types)
    with open_engine() as engine:
        checked = normalise_catalog(ibis.memtable(loaded.table)).order_by("item_id", "row")
        rows = engine.to_pyarrow(checked)
    problems = dict(loaded.ragged) | {
        row: problem
        for row, problem in zip(rows["row"].to_pylist(), rows["problem"].to_pylist(), strict=True)
        if problem is not None
    }
    if problems:
        row = min(problems)
        raise DataError(
            f"{path.name} line {line_of(source, row)}: {problems[row]} "
            f"(and {len(problems) - 1} more bad rows)"
        )
    table = rows.drop_columns(["row", "problem"])
    has_categories = table["category"].null_count < table.num_rows
    if policy is not None:
        table = _mark_sensitive(table, policy, has_categories=has_categories)
    return CatalogTable(table=table, has_categories=has_categories)


def _mark_sensitive(table: pa.Table, policy: Policy, *, has_categories: bool) -> pa.Table:
    if not has_categories and policy.sensitive.mode == "exclude":
        raise PrivacyError(
            "no item of the catalog has a category, so none of the policy's can be kept out",
            hint='add categories, or say [sensitive] mode = "no-categories" in the policy',
        )
    # A shop has few categories and many items: ask the policy once for each.
    categories = table["category"].to_pylist()
    covered = {category: policy.sensitive.covers(category) for category in set(categories)}
    marks = [
        own or covered[category]
        for own, category in zip(table["sensitive"].to_pylist(), categories, strict=True)
    ]
    position = table.column_names.index("sensitive")
    return table.set_column(position, "sensitive", pa.array(marks, pa.bool_()))
