"""From loosely typed columns to the contract's, as expressions; a row's fault is a column too.

Pure: tables in, tables out. Nothing here is peculiar to one engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import ibis

from shelfrank.types import KINDS, VISIT_GAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ibis.expr.types import BooleanValue, Column, Scalar, StringValue, Table

# A date, then optionally a time of day, then optionally a zone (the unambiguous part of ISO 8601).
_TIME: Final = (
    r"^(\d{4}-\d{2}-\d{2})"
    r"(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?)?$"
)
_VISIT_GAP_MICROSECONDS: Final = int(VISIT_GAP.total_seconds()) * 1_000_000


def normalise_events(raw: Table, known_items: Table | None) -> Table:
    """Type the columns of an events file and say what is wrong with each row.

    Args:
        raw: ``row`` and those columns of the contract that the file has; times are timestamps or
            text.
        known_items: ``item_id`` of every item in the catalog, or None to take any item.

    Returns:
        row, shopper_id, item_id, time (naive, UTC), kind, visit_id (null where the file has none),
        quantity, price, ``zoned`` (the time's text carries a zone; null where it is no text),
        ``problem`` (null for a good row).
    """
    time, zoned, time_ok = _time(raw.time)
    found = raw.columns
    quantity, quantity_ok = _number(raw, "quantity", absent=1.0)
    price, price_ok = _number(raw, "price", absent=None)
    table = raw.select(
        "row",
        "shopper_id",
        "item_id",
        time=time,
        kind=raw.kind if "kind" in found else ibis.literal("purchase"),
        visit_id=raw.visit_id if "visit_id" in found else ibis.null("string"),
        quantity=quantity,
        price=price,
        zoned=zoned,
        time_ok=time_ok,
        quantity_ok=quantity_ok,
        price_ok=price_ok,
    )
    checks = [
        (_empty(table.shopper_id), "no shopper_id"),
        (_empty(table.item_id), "no item_id"),
        (~table.time_ok, "unreadable time"),
        (~table.kind.isin(KINDS).fill_null(False), f"kind is none of {', '.join(KINDS)}"),
        (~table.quantity_ok, "quantity is no number of 0 or more"),
        (~table.price_ok, "price is no number of 0 or more"),
    ]
    if "visit_id" in found:
        checks.append((_empty(table.visit_id), "no visit_id"))
    if known_items is not None:
        known = known_items.select(known_item=known_items.item_id)
        table = table.left_join(known, table.item_id == known.known_item)
        checks.append((table.known_item.isnull(), "item is not in the catalog"))
    return table.mutate(problem=_first(checks)).drop(
        *(
            name
            for name in ("time_ok", "quantity_ok", "price_ok", "known_item")
            if name in table.columns
        )
    )


def normalise_catalog(raw: Table) -> Table:
    """Type the columns of a catalog file and say what is wrong with each row.

    Returns:
        row, item_id, title, category, brand, price, sensitive (false where not stated),
        ``problem``.
    """
    found = raw.columns
    price, price_ok = _number(raw, "price", absent=None)
    sensitive, sensitive_ok = _flag(raw)
    texts = {
        name: raw[name].nullif("") if name in found else ibis.null("string")
        for name in ("title", "category", "brand")
    }
    table = raw.select(
        "row",
        "item_id",
        **texts,
        price=price,
        sensitive=sensitive,
        price_ok=price_ok,
        sensitive_ok=sensitive_ok,
    )
    twice = table.count().over(group_by=table.item_id) > 1
    checks = [
        (_empty(table.item_id), "no item_id"),
        (twice, "item_id is in the catalog more than once"),
        (~table.price_ok, "price is no number of 0 or more"),
        (~table.sensitive_ok, "sensitive is neither true nor false"),
    ]
    return table.mutate(problem=_first(checks)).drop("price_ok", "sensitive_ok")


def number_visits(events: Table) -> Table:
    """Fill ``visit_id`` where the file has none: `VISIT_GAP` without an event starts a visit.

    Args:
        events: shopper_id, time and a ``visit_id`` that is all null.

    Returns:
        The same rows, with a number as text for ``visit_id``. Rows at one time are in one visit, so
        the order of the input does not matter.
    """
    by_time = ibis.window(group_by=events.shopper_id, order_by=events.time)
    gap = events.time.delta(events.time.lag().over(by_time), unit="microsecond")
    marked = events.mutate(starts=(gap.fill_null(0) >= _VISIT_GAP_MICROSECONDS).cast("int64"))
    so_far = ibis.window(
        group_by=marked.shopper_id, order_by=marked.time, preceding=None, following=0
    )
    numbered = marked.mutate(visit_id=marked.starts.sum().over(so_far).cast("string"))
    return numbered.drop("starts")


def _time(column: Column) -> tuple[Column, Column, BooleanValue]:
    """Return the time (naive, UTC), whether its text has a zone, and whether it could be read."""
    if not column.type().is_string():
        return column, ibis.null("boolean"), column.notnull()
    clock = column.re_extract(_TIME, 2)
    zone = column.re_extract(_TIME, 3)
    local = (column.re_extract(_TIME, 1) + " " + (clock == "").ifelse("00:00", clock)).try_cast(
        "timestamp"
    )
    minutes = zone.substr(1, 2).try_cast("int64") * 60 + zone.right(2).try_cast("int64")
    offset = zone.startswith("-").ifelse(-minutes, minutes).fill_null(0)
    time = local - offset.as_interval("m")
    return time, (zone != ""), time.notnull()


def _number(raw: Table, name: str, *, absent: float | None) -> tuple[Column, BooleanValue]:
    """Return a float64 column, `absent` where the file says nothing, and whether it is good."""
    empty: Scalar = ibis.null("float64") if absent is None else ibis.literal(absent, "float64")
    if name not in raw.columns:
        return empty, ibis.literal(True)
    column = raw[name]
    value = column.try_cast("float64") if column.type().is_string() else column
    good = (value >= 0) & ~value.isinf() & ~value.isnan()
    return value.fill_null(empty), column.isnull() | good.fill_null(False)


def _flag(raw: Table) -> tuple[Column, BooleanValue]:
    if "sensitive" not in raw.columns:
        return ibis.literal(False), ibis.literal(True)
    column = raw.sensitive
    if not column.type().is_string():
        return column.fill_null(False), ibis.literal(True)
    text = column.fill_null("false").lower()
    return text.isin(["true", "1"]), text.isin(["true", "false", "1", "0"])


def _empty(column: StringValue) -> BooleanValue:
    return column.isnull() | (column == "")


def _first(checks: Sequence[tuple[BooleanValue, str]]) -> StringValue:
    """Return the text of the first check that is true, null if none is."""
    return ibis.cases(*checks, else_=ibis.null("string"))
