"""Reading files: ids exact, times in UTC, bad rows found by line, sensitive items set apart."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shelfrank_training.errors import DataError, PrivacyError
from shelfrank_training.events import Columns, Events, open_engine, read_catalog, read_events
from support.shop import policy, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ibis.backends.duckdb import Backend

MORNING = datetime(2020, 1, 1, 8, 30)  # noqa: DTZ001 - what tables hold: naive, UTC


@pytest.fixture(scope="module")
def engine() -> Iterator[Backend]:
    with open_engine() as opened:
        yield opened


def rows(found: Events) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = found.table.to_pyarrow().to_pylist()
    return sorted(
        listed, key=lambda row: (str(row["shopper_id"]), row["time"], str(row["item_id"]))
    )


def read_text(engine: Backend, folder: Path, text: str, max_bad_rows: float = 0.0) -> Events:
    path = folder / "events.csv"
    path.write_text(text, encoding="utf-8")
    return read_events(path, None, engine=engine, max_bad_rows=max_bad_rows)


def read_arrays(engine: Backend, folder: Path, **changed: pa.Array) -> Events:
    columns = {
        "shopper_id": pa.array(["s"]),
        "item_id": pa.array(["i"]),
        "time": pa.array([MORNING], pa.timestamp("us")),
    }
    path = write_table(folder / "events.parquet", pa.table(columns | changed))
    return read_events(path, None, engine=engine)


# ids


def test_ids_in_csv_stay_the_text_they_are(engine: Backend, tmp_path: Path) -> None:
    text = (
        "shopper_id,item_id,time\n"
        "007,00042,2020-01-01\n"
        '1e3,"a,""b""\nc",2020-01-01\n'
        "NA,nan,2020-01-01\n"
    )

    found = rows(read_text(engine, tmp_path, text))

    assert [(row["shopper_id"], row["item_id"]) for row in found] == [
        ("007", "00042"),
        ("1e3", 'a,"b"\nc'),
        ("NA", "nan"),
    ]


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (pa.array([2**53 + 1]), "9007199254740993"),
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
        (pa.array([-1], pa.int8()), "-1"),
        (pa.array(["00042"], pa.large_string()), "00042"),
        (pa.array(["00042"]).dictionary_encode(), "00042"),
    ],
)
def test_ids_in_parquet_are_cast_exactly(
    engine: Backend, tmp_path: Path, array: pa.Array, wanted: str
) -> None:
    assert rows(read_arrays(engine, tmp_path, item_id=array))[0]["item_id"] == wanted


@pytest.mark.parametrize("array", [pa.array([7.0]), pa.array([True]), pa.array([b"x"])])
def test_ids_of_a_type_that_could_lose_something_are_refused(
    engine: Backend, tmp_path: Path, array: pa.Array
) -> None:
    with pytest.raises(DataError, match=r"column item_id holds \w+; wanted text or integers"):
        read_arrays(engine, tmp_path, item_id=array)


# times


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("2020-01-01 08:30", 8, 30),
        ("2020-01-01T08:30:00.000000000", 8, 30),
        ("2020-01-01T08:30:00Z", 8, 30),
        ("2020-01-01T08:30:00+05:30", 3, 0),
        ("2020-01-01T08:30:00-0330", 12, 0),
        ("2020-01-01", 0, 0),
    ],
)
def test_times_in_text_become_utc(
    engine: Backend, tmp_path: Path, text: str, hour: int, minute: int
) -> None:
    found = rows(read_text(engine, tmp_path, f"shopper_id,item_id,time\ns,i,{text}\n"))

    assert found[0]["time"] == MORNING.replace(hour=hour, minute=minute)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "yesterday",
            "01.02.2020",
            "2020-02-30",
            "2020-01-01 25:00",
            "20200101",
            "1577836800",
            "",
        ),
        *("2020-01-01T08:30:00+15:00", "2020-01-01 08:30 Europe/Berlin", " 2020-01-01"),
    ],
)
def test_text_that_is_no_unambiguous_time_is_a_bad_row(
    engine: Backend, tmp_path: Path, text: str
) -> None:
    with pytest.raises(DataError, match="line 2: unreadable time"):
        read_text(engine, tmp_path, f"shopper_id,item_id,time\ns,i,{text}\n")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
def test_times_in_parquet_become_utc(
    engine: Backend, tmp_path: Path, unit: str, zone: str | None
) -> None:
    array = pa.array([MORNING], pa.timestamp(unit, zone))  # naive input is taken as UTC by pyarrow

    assert rows(read_arrays(engine, tmp_path, time=array))[0]["time"] == MORNING


def test_a_moment_with_an_offset_is_the_same_moment_in_parquet(
    engine: Backend, tmp_path: Path
) -> None:
    local = datetime(2020, 1, 1, 14, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    array = pa.array([local.astimezone(UTC)], pa.timestamp("ns", "Asia/Kolkata"))

    assert rows(read_arrays(engine, tmp_path, time=array))[0]["time"] == MORNING


def test_dates_are_midnight(engine: Backend, tmp_path: Path) -> None:
    array = pa.array([date(2020, 1, 1)])

    found = rows(read_arrays(engine, tmp_path, time=array))

    assert found[0]["time"] == MORNING.replace(hour=0, minute=0)


def test_numbers_are_no_times(engine: Backend, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column time holds int64; wanted times, dates or ISO 8601"):
        read_arrays(engine, tmp_path, time=pa.array([1577836800]))


def test_a_missing_time_in_parquet_is_a_bad_row(engine: Backend, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: unreadable time"):
        read_arrays(engine, tmp_path, time=pa.array([None], pa.timestamp("us")))


def test_times_with_and_without_a_zone_are_not_mixed(engine: Backend, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mixes 1 times with a zone and 2 without") as caught:
        read_text(
            engine,
            tmp_path,
            "shopper_id,item_id,time\ns,i,2020-01-01\ns,i,2020-01-01T00:00:00Z\ns,i,2020-01-02\n",
        )

    assert "UTC" in str(caught.value.hint)


# other columns


def test_absent_columns_have_their_defaults(engine: Backend, tmp_path: Path) -> None:
    found = rows(read_arrays(engine, tmp_path))

    assert found == [
        {
            "shopper_id": "s",
            "item_id": "i",
            "time": MORNING,
            "kind": "purchase",
            "visit_id": "0",
            "quantity": 1.0,
            "price": None,
        }
    ]


@pytest.mark.parametrize(
    ("name", "cell", "problem"),
    [
        ("kind", "bought", "kind is none of view, cart, purchase, like, dislike"),
        ("kind", "", "kind is none of"),
        ("visit_id", "", "no visit_id"),
        ("quantity", "-1", "quantity is no number of 0 or more"),
        ("quantity", "inf", "quantity is no number"),
        ("quantity", "two", "quantity is no number"),
        ("price", "nan", "price is no number of 0 or more"),
        ("kind", "like", None),
        ("visit_id", "0", None),
        ("quantity", "0.5", None),
        ("price", "", None),
    ],
)
def test_a_cell_that_means_nothing_makes_a_bad_row(
    engine: Backend, tmp_path: Path, name: str, cell: str, problem: str | None
) -> None:
    text = f"shopper_id,item_id,time,{name}\ns,i,2020-01-01,{cell}\n"

    if problem is None:
        assert read_text(engine, tmp_path, text).n_bad_rows == 0
        return
    with pytest.raises(DataError, match=f"line 2: {problem}"):
        read_text(engine, tmp_path, text)


# bad rows


def test_bad_rows_are_named_by_the_line_they_stand_on(engine: Backend, tmp_path: Path) -> None:
    text = (
        "shopper_id,item_id,time\n"
        's,"two\nlines",2020-01-01\n'  # lines 2 and 3
        "\n"
        "s,i,never\n"  # line 5
        "s,i\n"  # line 6
        "s,,2020-01-01\n"  # line 7
        "s,i,2020-01-01,x\n"  # line 8
        "s,i,2020-01-02\n"
    )

    found = read_text(engine, tmp_path, text, max_bad_rows=0.7)

    assert [(bad.line, bad.problem) for bad in found.bad_rows] == [
        (5, "unreadable time"),
        (6, "2 cells, the header has 3"),
        (7, "no item_id"),
        (8, "4 cells, the header has 3"),
    ]
    assert (found.n_rows, found.n_bad_rows, len(rows(found))) == (6, 4, 2)


def test_only_the_first_bad_rows_are_named_but_all_are_counted(
    engine: Backend, tmp_path: Path
) -> None:
    text = "shopper_id,item_id,time\n" + "s,i,never\n" * 50 + "s,i,2020-01-01\n" * 50

    with pytest.raises(DataError, match="50 bad rows of 100") as caught:
        read_text(engine, tmp_path, text, max_bad_rows=0.49)

    assert str(caught.value).count("line ") == 5
    assert read_text(engine, tmp_path, text, max_bad_rows=0.5).n_bad_rows == 50


def test_a_file_of_nothing_but_bad_rows_is_refused_whatever_the_share(
    engine: Backend, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="1 bad rows of 1"):
        read_text(engine, tmp_path, "shopper_id,item_id,time\ns,i,never\n", max_bad_rows=1.0)


def test_messages_name_no_shopper_and_no_item(engine: Backend, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_text(engine, tmp_path, "shopper_id,item_id,time\nanna,canary,never\n")

    assert not {"anna", "canary", "never"} & set(str(caught.value).replace(":", " ").split())


# files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.txt", b"", "neither .parquet nor .csv"),
        ("events.parquet", b"shopper_id,item_id,time\n", "cannot be read"),
        ("events.csv", b"shopper_id,item_id,time\ns,\xff,2020-01-01\n", "cannot be read"),
        ("events.csv", b"shopper_id,\xff,time\n", "cannot be read"),
    ],
)
def test_files_that_are_no_tables_are_refused(
    engine: Backend, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError, match=message):
        read_events(path, None, engine=engine)
    with pytest.raises(DataError, match="there is no file"):
        read_events(path.with_name("absent.csv"), None, engine=engine)


def test_a_truncated_parquet_file_is_refused(engine: Backend, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "shopper_id": rng.integers(0, 9, 10_000),
            "item_id": rng.integers(0, 2**60, 10_000),
            "time": pa.array([MORNING] * 10_000),
        }
    )
    path = write_table(tmp_path / "events.parquet", table)
    data = path.read_bytes()
    path.write_bytes(b"PAR1" + bytes(len(data) // 2) + data[len(data) // 2 + 4 :])

    with pytest.raises(DataError, match="cannot be read"):
        read_events(path, None, engine=engine)


def test_a_byte_order_mark_is_no_part_of_a_name(engine: Backend, tmp_path: Path) -> None:
    found = read_text(engine, tmp_path, "\ufeffshopper_id,item_id,time\ns,i,2020-01-01\n")

    assert rows(found)[0]["shopper_id"] == "s"


# visits


def test_thirty_minutes_without_an_event_start_a_visit(engine: Backend, tmp_path: Path) -> None:
    minutes = [0, 29, 58, 88, 88, 117]  # the gaps are 29, 29, 30, 0, 29
    lines = [f"s,i{n},{MORNING + timedelta(minutes=m)}" for n, m in enumerate(minutes)]
    lines.append(f"other,i,{MORNING + timedelta(minutes=45)}")
    for order in (lines, lines[::-1]):
        text = "\n".join(["shopper_id,item_id,time", *order]) + "\n"

        found = rows(read_text(engine, tmp_path, text))

        visits = [row["visit_id"] for row in found if row["shopper_id"] == "s"]
        assert visits == ["0", "0", "0", "1", "1", "1"]


# catalog


def catalog_file(folder: Path, text: str) -> Path:
    path = folder / "catalog.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_events_of_unknown_items_are_bad_and_those_of_sensitive_ones_set_apart(
    engine: Backend, tmp_path: Path
) -> None:
    path = catalog_file(tmp_path, "item_id,sensitive\nbread,\npills,true\nmilk,0\n")
    catalog = read_catalog(path)
    (tmp_path / "events.csv").write_text(
        "shopper_id,item_id,time\n"
        f"s,bread,{MORNING}\n"
        f"s,pills,{MORNING + timedelta(minutes=20)}\n"
        f"s,milk,{MORNING + timedelta(minutes=40)}\n"
        f"s,beer,{MORNING}\n"
    )

    found = read_events(tmp_path / "events.csv", catalog, engine=engine, max_bad_rows=0.25)

    # Without the pills between them, bread and milk are two visits: not even that is left of them.
    assert [(row["item_id"], row["visit_id"]) for row in rows(found)] == [
        ("bread", "0"),
        ("milk", "1"),
    ]
    assert found.sensitive.to_pyarrow()["item_id"].to_pylist() == ["pills"]
    assert [bad.problem for bad in found.bad_rows] == ["item is not in the catalog"]


def test_a_catalog_is_sorted_and_keeps_what_it_knows(tmp_path: Path) -> None:
    text = "item_id,title,category,brand,price\nz,Zebra,TOYS/ANIMALS,,3.5\n00042,,,own,\n"

    found = read_catalog(catalog_file(tmp_path, text))

    assert found.has_categories
    assert found.table.to_pylist() == [
        {
            "item_id": "00042",
            "title": None,
            "category": None,
            "brand": "own",
            "price": None,
            "sensitive": False,
        },
        {
            "item_id": "z",
            "title": "Zebra",
            "category": "TOYS/ANIMALS",
            "brand": None,
            "price": 3.5,
            "sensitive": False,
        },
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id\na\nb\na\n", "line 2: item_id is in the catalog more than once"),
        ("item_id,title\na,x\n,y\n", "line 3: no item_id"),
        ("item_id,price\na,-1\n", "line 2: price is no number"),
        ("item_id,sensitive\na,perhaps\n", "line 2: sensitive is neither true nor false"),
        ("item_id,title\na\n", "line 2: 1 cells, the header has 2"),
        ("item_id,colour\na,red\n", "unknown columns colour"),
        ("title\na\n", "no column item_id"),
    ],
)
def test_a_catalog_with_a_bad_row_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_catalog(catalog_file(tmp_path, text))


def test_the_policy_marks_its_categories_and_whatever_it_cannot_judge(tmp_path: Path) -> None:
    text = "item_id,category,sensitive\na,FOOD,\nb,DRUGS/COUGH,\nc,,\nd,FOOD,true\ne,DRUGSTORE,\n"

    found = read_catalog(catalog_file(tmp_path, text), policy=policy(sensitive=("drugs",)))

    marks = dict(zip(*(found.table[n].to_pylist() for n in ("item_id", "sensitive")), strict=True))
    assert marks == {"a": False, "b": True, "c": True, "d": True, "e": False}
    assert found.n_sensitive == 3


def test_without_categories_the_policy_must_say_that_nothing_can_be_filtered(
    tmp_path: Path,
) -> None:
    path = catalog_file(tmp_path, "item_id\na\n")

    with pytest.raises(PrivacyError, match="no item of the catalog has a category") as caught:
        read_catalog(path, policy=policy(sensitive=("drugs",)))

    assert "no-categories" in str(caught.value.hint)
    assert read_catalog(path, policy=policy(mode="no-categories")).n_sensitive == 0
    assert read_catalog(path).n_sensitive == 0


def test_columns_of_a_parquet_catalog_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    pq.write_table(pa.table({"sku": [7, 5], "colour": ["red", "blue"]}), path)

    found = read_catalog(
        path, columns=Columns(mapped={"item_id": "sku"}, dropped=frozenset({"colour"}))
    )

    assert found.table["item_id"].to_pylist() == ["5", "7"]
