"""Columns that say who somebody is or where are refused, by name and by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from shelfrank_training.errors import PrivacyError
from shelfrank_training.events import Columns, open_engine, read_catalog, read_events
from shelfrank_training.events.columns import CATALOG, EVENTS, resolve
from shelfrank_training.events.personal import (
    MAX_PERSONAL_SHARE,
    SAMPLED_VALUES,
    looks_personal,
    refuse_personal_values,
)
from support.shop import write_table

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = ["shopper_id", "item_id", "time"]


@pytest.mark.parametrize(
    ("looks", "columns"),
    [
        ("a name", "first_name lastName surname Vorname nachname Kundenname kunde_name voornaam"),
        ("a name", "achternaam klantnaam customer_name username Benutzername gebruikersnaam"),
        ("an e-mail address", "email e-mail E_MAIL kundenEMail emailAddress Mailadresse mail"),
        ("a phone number", "phone phone_number Telefonnummer telefoonnummer handy mobile tel"),
        ("a postal address", "address shipping_address Lieferadresse bezorgadres PLZ zip_code"),
        ("a postal address", "Postleitzahl Straße straatnaam post_code city Wohnort woonplaats"),
        ("an IP address", "ip ip_address clientIP IPv4 remote_addr ip-adresse"),
        ("a position", "lat lng latitude gps_fix geoHash location Breitengrad Längengrad"),
        ("a position", "lengtegraad coordinates store_lat"),
    ],
)
def test_a_name_in_english_german_or_dutch_gives_a_column_away(looks: str, columns: str) -> None:
    for column in columns.split():
        assert looks_personal(column, of_things=False) == looks, column
        assert looks_personal(column, of_things=True) == looks, column


@pytest.mark.parametrize(
    "column",
    [
        *sorted({*EVENTS.types, *CATALOG.types}),
        *("household", "customer_id", "user_id", "kundennummer", "klant_id", "bon_nr", "basket"),
        *("product_name", "item name", "artikelname", "productnaam", "brandName", "store_name"),
        *("latest", "platform", "template", "slate", "headphones", "allocation", "composition"),
        *("export", "ship_date", "zipped", "tape_mailing", "email_hmac", "phone_hash", "Datum"),
        *("uhrzeit", "Preis", "aantal", "menge", "description", "EAN", "stock"),
    ],
)
def test_other_columns_are_left_alone(column: str) -> None:
    assert looks_personal(column, of_things=False) is None


def test_the_name_of_a_thing_is_no_name_of_a_person() -> None:
    assert looks_personal("name", of_things=True) is None
    assert looks_personal("Naam", of_things=True) is None
    assert looks_personal("name", of_things=False) == "a name"
    assert resolve(["item_id", "name"], Columns(mapped={"title": "name"}), CATALOG, "f")


@pytest.mark.parametrize("mapped", [{}, {"shopper_id": "email"}, {"visit_id": "email"}])
def test_a_column_is_refused_mapped_or_not_and_fine_when_dropped(mapped: dict[str, str]) -> None:
    found = [*NEEDED, "email"]

    with pytest.raises(PrivacyError, match="column email looks like an e-mail address") as caught:
        resolve(found, Columns(mapped=mapped), EVENTS, "f")

    assert "--drop email" in str(caught.value.hint)
    dropped = resolve(found, Columns(dropped=frozenset({"email"})), EVENTS, "f")
    assert "email" not in dropped.values()


def text(values: list[str | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


@pytest.mark.parametrize(
    ("looks", "value"),
    [
        ("an e-mail address", "ann.lee+shop@mail.example.org"),
        ("an e-mail address", " ANN@EXAMPLE.NL"),
        ("an IP address", "192.168.0.12"),
        ("an IP address", "2001:0db8:0000:0000:0000:ff00:0042:8329"),
        ("an IP address", "2001:db8::ff00:42:8329"),
        ("an IP address", "fe80::1"),
        ("a position", "52.3702,4.8952"),
        ("a position", "(-33.8688; 151.2093)"),
    ],
)
def test_values_give_a_column_away_and_are_in_no_message(looks: str, value: str) -> None:
    with pytest.raises(
        PrivacyError, match=f"2 of 2 values of column c look like {looks}"
    ) as caught:
        refuse_personal_values(text([value, None, value]), column="c", file="f")

    assert value.strip() not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "value",
    [
        *("00042", "sku-18", "1.2.3", "256.1.1.1", "12:30", "2020-01-01 10:00:00", "1.50,2.25"),
        *("Milk, 3.5 %", "@home", "a@b", "DAIRY/MILK", "::", "10.5 12.5", "7", "", "1,234.567"),
    ],
)
def test_other_values_are_left_alone(value: str) -> None:
    refuse_personal_values(text([value] * 3), column="c", file="f")


def test_a_few_such_values_are_no_column_of_them() -> None:
    few = int(1 / MAX_PERSONAL_SHARE)

    refuse_personal_values(text(["4.4.4.4"] + ["x"] * (few - 1)), column="c", file="f")
    with pytest.raises(PrivacyError, match="wanted at most 1%"):
        refuse_personal_values(text(["4.4.4.4"] + ["x"] * (few - 2)), column="c", file="f")


def test_a_long_column_is_sampled_from_end_to_end() -> None:
    first = text(["x"] * (3 * SAMPLED_VALUES) + ["a@b.de"] * (SAMPLED_VALUES // 10))

    with pytest.raises(PrivacyError, match="of 100,000 values of column c"):
        refuse_personal_values(first, column="c", file="f")
    refuse_personal_values(text([]), column="c", file="f")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_text_column_that_is_taken_is_looked_at(tmp_path: Path, kind: str) -> None:
    cells = {"shopper_id": ["s"], "item_id": ["i"], "time": ["2020-01-01"], "visit_id": ["v"]}
    with open_engine() as engine:
        for column in ("shopper_id", "item_id", "visit_id"):
            table = pa.table(cells | {column: ["a@b.de"]})
            path = write_table(tmp_path / f"events.{kind}", table)
            with pytest.raises(PrivacyError, match=f"1 of 1 values of column {column} look"):
                read_events(path, None, engine=engine)
    for column in ("item_id", "title", "category", "brand"):
        table = pa.table({"item_id": ["i"], column: ["10.1.2.3"]})
        with pytest.raises(PrivacyError, match=f"1 of 1 values of column {column} look"):
            read_catalog(write_table(tmp_path / f"catalog.{kind}", table))


def test_what_is_dropped_is_never_read(tmp_path: Path) -> None:
    # A column of a type that cannot be read at all.
    table = pa.table(
        {"shopper_id": ["s"], "item_id": ["i"], "time": ["2020-01-01"], "email": [["a@b.de"]]}
    )
    path = write_table(tmp_path / "events.parquet", table)

    with open_engine() as engine:
        found = read_events(
            path, None, engine=engine, columns=Columns(dropped=frozenset({"email"}))
        )
        assert found.n_rows == 1
