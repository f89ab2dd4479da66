"""``shelfrank aggregate``: bad input is a clear error and exit code 1, and nothing is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shelfrank_training.aggregates import read_aggregates
from shelfrank_training.cli.main import run
from support.shop import Line, write_catalog, write_events

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "shopper_id,item_id,time\n" + "".join(f"{n},00042,2020-01-01\n" for n in range(12))


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.csv"
    path.write_text("item_id,title,category\n00042,bread,FOOD\n")
    return path


def command(tmp_path: Path, events: str, catalog: Path, *options: str) -> int:
    (tmp_path / "events.csv").write_text(events)
    # Twelve shoppers are too few to set some apart for outcomes, unless `options` says so.
    out = ("--out", str(tmp_path / "out"), "--min-shoppers", "10", "--outcomes", "0")
    return run(["aggregate", str(tmp_path / "events.csv"), str(catalog), *out, *options])


def test_a_good_run_writes_the_folder_and_prints_nothing_but_what_was_asked(
    tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command(tmp_path, GOOD, catalog, "--json", "--until", "2020-01-02")

    printed = capsys.readouterr()
    found = read_aggregates(tmp_path / "out")
    assert code == 0
    assert json.loads(printed.out) == found.info.to_json()
    assert found.table("items").to_pylist() == [
        {"item_id": "00042", "shoppers": 12, "weight": 11_712}
    ]
    assert "amber: numbers may stand for as few as 10 shoppers" in printed.err
    assert "12 shoppers, at most 100 items each" in printed.err


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (GOOD.replace("item_id", "product"), "unknown columns product"),
        (GOOD.replace("time", "shopper_id", 1), "shopper_id more than once"),
        ("shopper_id,item_id\n1,00042\n", "has no column time"),
        (
            GOOD.replace("\n", ",phone\n", 1).replace("01-01\n", "01-01,1\n"),
            "column phone looks like a phone number",
        ),
        (GOOD + "13,00042,yesterday\n", "line 14: unreadable time"),
        (GOOD + "13,00042,2020-02-30\n", "line 14: unreadable time"),
        (GOOD + "13,42,2020-01-01\n", "line 14: item is not in the catalog"),
        (GOOD + "13,00042\n", "line 14: 2 cells, the header has 3"),
        (GOOD + "13,00042,2020-01-01T10:00:00+01:00\n", "mixes 1 times with a zone and 12 without"),
        ("shopper_id,item_id,time\n", "has no row"),
        ("", "has no column shopper_id, item_id, time"),
        (GOOD.replace("\n11,", "\n0,"), None),
    ],
)
def test_bad_events_are_named_and_nothing_is_written(
    tmp_path: Path,
    catalog: Path,
    capsys: pytest.CaptureFixture[str],
    events: str,
    message: str | None,
) -> None:
    code = command(tmp_path, events, catalog)

    if message is None:  # The sibling that differs from the bad ones only in being good.
        assert code == 0
        return
    assert code == 1
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.csv", "events.csv"]


def test_a_stated_share_of_bad_rows_is_left_out_and_reported(
    tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = GOOD + "13,42,2020-01-01\n"
    assert command(tmp_path, events, catalog, "--max-bad-rows", "0.07") == 1
    capsys.readouterr()

    code = command(tmp_path, events, catalog, "--max-bad-rows", "0.08")

    assert code == 0
    assert "1 bad rows of 13 left out (line 14: item is not in" in capsys.readouterr().err


def test_columns_are_mapped_in_whichever_file_has_them(tmp_path: Path, catalog: Path) -> None:
    catalog.write_text("product,colour\n00042,red\n")
    events = GOOD.replace("shopper_id", "household").replace("item_id", "product")
    mapped = ("--column", "shopper_id=household", "--column", "item_id=product")

    assert command(tmp_path, events, catalog, *mapped) == 1
    assert command(tmp_path, events, catalog, *mapped, "--drop", "colour", "--drop", "size") == 1
    code = command(tmp_path, events, catalog, *mapped, "--drop", "colour")

    assert code == 0
    assert read_aggregates(tmp_path / "out").table("items")["item_id"].to_pylist() == ["00042"]


def test_a_column_that_says_who_is_refused_even_where_it_is_mapped(
    tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = GOOD.replace("shopper_id", "email,household").replace("\n", "\nann@example.org,")
    events = events.removesuffix("ann@example.org,")

    assert command(tmp_path, events, catalog, "--column", "shopper_id=email") == 1
    error = capsys.readouterr().err
    assert "events.csv: column email looks like an e-mail address" in error
    assert "--drop email" in error
    assert "ann@" not in error
    assert not (tmp_path / "out").exists()
    dropped = ("--column", "shopper_id=household", "--drop", "email")
    assert command(tmp_path, events, catalog, *dropped) == 0


def test_a_column_that_holds_addresses_under_a_harmless_name_is_refused(
    tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = GOOD.replace(",00042", "@example.org,00042")

    assert command(tmp_path, events, catalog) == 1

    error = capsys.readouterr().err
    assert "12 of 12 values of column shopper_id look like an e-mail address; wanted" in error
    assert "@example.org" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--min-shoppers", "9"), 1),
        (("--min-shoppers", "0"), 2),
        (("--holdout", "1"), 2),
        (("--outcomes", "1"), 2),
        (("--until", "tomorrow"), 2),
        (("--column", "item_id"), 2),
        (("--policy", "no such file"), 1),
        (("--epsilon", "1"), 1),
        (("--epsilon", "0", "--until", "2020-01-02"), 1),
        (("--epsilon", "-1", "--until", "2020-01-02"), 1),
        (("--epsilon", "1", "--until", "2020-01-02", "--delta", "0"), 1),
        (("--ledger", "ledger.jsonl"), 1),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_read(
    tmp_path: Path, catalog: Path, options: tuple[str, ...], code: int
) -> None:
    assert command(tmp_path, "no events", catalog, *options) == code
    assert not (tmp_path / "out").exists()


def test_an_older_result_is_replaced_only_with_force(tmp_path: Path, catalog: Path) -> None:
    assert command(tmp_path, GOOD, catalog) == 0
    before = (tmp_path / "out" / "aggregates.json").read_bytes()

    assert command(tmp_path, GOOD, catalog, "--holdout", "0.1") == 1
    assert (tmp_path / "out" / "aggregates.json").read_bytes() == before


def test_csv_and_parquet_of_the_same_rows_give_the_same_tables(tmp_path: Path) -> None:
    lines = [Line(shopper=f"s{n}", item=i, minute=n) for n in range(12) for i in ("a", "0042")]
    category_of: dict[str, str | None] = {"a": "X", "0042": "Y"}

    for kind in ("csv", "parquet"):
        events = write_events(tmp_path / f"events.{kind}", lines)
        items = write_catalog(tmp_path / f"catalog.{kind}", category_of)
        arguments = [str(events), str(items), "--out", str(tmp_path / kind)]
        few = ("--min-shoppers", "10", "--outcomes", "0")
        assert run(["aggregate", *arguments, *few]) == 0

    first, second = (read_aggregates(tmp_path / kind) for kind in ("csv", "parquet"))
    assert first.info.tables == second.info.tables


def test_a_zone_is_recorded_and_dayparts_are_counted_in_it(tmp_path: Path, catalog: Path) -> None:
    # Half an hour before midnight in UTC, half an hour after it in Amsterdam.
    late = GOOD.replace("2020-01-01", "2020-01-01T23:30")
    day = "".join(f"{n},00042,2020-01-01T{hour}:00\n" for n in range(12) for hour in ("08", "13"))

    assert command(tmp_path, late + day, catalog, "--zone", "Europe/Amsterdam") == 0

    found = read_aggregates(tmp_path / "out")
    assert found.info.zone == "Europe/Amsterdam"
    assert [tuple(row.values()) for row in found.table("dayparts").to_pylist()] == [
        ("00042", 0, 12),
        ("00042", 1, 12),
        ("00042", 2, 12),
    ]


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "Europe", ""])
def test_an_unknown_zone_is_wrong_use(
    tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str], zone: str
) -> None:
    assert command(tmp_path, GOOD, catalog, "--zone", zone) == 2

    assert "no time zone" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_that_noise_leaves_no_dayparts_is_said(
    tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = ("--epsilon", "2", "--delta", "0.001", "--until", "2020-01-02")

    assert command(tmp_path, GOOD, catalog, *noise, "--zone", "UTC") == 0

    assert "with epsilon no dayparts are published" in capsys.readouterr().err
    assert read_aggregates(tmp_path / "out").table("dayparts").num_rows == 0
