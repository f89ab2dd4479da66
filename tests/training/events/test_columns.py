"""Which columns a file may have, and what may be said about them."""

from __future__ import annotations

import pytest

from shelfrank_training.errors import DataError
from shelfrank_training.events.columns import CATALOG, EVENTS, Columns, check_all_used, resolve

NEEDED = ["shopper_id", "item_id", "time"]


def test_only_the_required_columns_are_enough() -> None:
    assert resolve(NEEDED, Columns(), EVENTS, "f") == {name: name for name in NEEDED}
    assert resolve(["item_id"], Columns(), CATALOG, "f") == {"item_id": "item_id"}


def test_a_mapping_takes_the_place_of_a_name() -> None:
    columns = Columns(mapped={"shopper_id": "household", "price": "sales"})

    found = resolve(["household", "item_id", "time", "sales"], columns, EVENTS, "f")

    assert found == {
        "shopper_id": "household",
        "item_id": "item_id",
        "time": "time",
        "price": "sales",
    }


@pytest.mark.parametrize(
    ("found", "columns", "message"),
    [
        (NEEDED[:2], Columns(), "f has no column time; it has shopper_id, item_id"),
        ([], Columns(), "it has none"),
        ([*NEEDED, "colour"], Columns(), "unknown columns colour; events take shopper_id, item_id"),
        ([*NEEDED, "time"], Columns(), "the column time more than once"),
        (NEEDED, Columns(dropped=frozenset({"phone"})), "no column phone, which was to be dropped"),
        (NEEDED, Columns(dropped=frozenset({"time"})), "has no column time"),
        (NEEDED, Columns(mapped={"price": "sales"}), "no column sales, which price was mapped to"),
        (NEEDED, Columns(mapped={"colour": "time"}), "events have no column colour"),
        (
            [*NEEDED, "n"],
            Columns(mapped={"price": "n", "quantity": "n"}),
            "one column is mapped to two names",
        ),
        # The file has its own item_id beside the one that is mapped: which is meant?
        ([*NEEDED, "sku"], Columns(mapped={"item_id": "sku"}), "unknown columns item_id"),
    ],
)
def test_anything_else_is_refused_with_what_was_found(
    found: list[str], columns: Columns, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        resolve(found, columns, EVENTS, "f")


def test_one_set_of_options_serves_both_files() -> None:
    columns = Columns(
        mapped={"item_id": "product", "shopper_id": "household"}, dropped=frozenset({"colour"})
    )

    events = columns.within(["household", "product", "time"], EVENTS)
    catalog = columns.within(["product", "colour"], CATALOG)

    assert events == Columns(mapped={"item_id": "product", "shopper_id": "household"})
    assert catalog == Columns(mapped={"item_id": "product"}, dropped=frozenset({"colour"}))
    check_all_used(columns, [events, catalog])


@pytest.mark.parametrize(
    "columns", [Columns(mapped={"item_id": "produkt"}), Columns(dropped=frozenset({"color"}))]
)
def test_an_option_that_no_file_takes_up_is_a_typing_error(columns: Columns) -> None:
    parts = [columns.within(["product", "colour"], contract) for contract in (EVENTS, CATALOG)]

    with pytest.raises(DataError, match="no file has it"):
        check_all_used(columns, parts)
