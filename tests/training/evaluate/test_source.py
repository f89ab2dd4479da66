"""The rows of the shoppers to be measured."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shelfrank_training.evaluate.source import open_shoppers
from shelfrank_training.events import Columns, Holdout

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2017, 11, 1, 12)  # noqa: DTZ001 - naive times in a file are UTC
EVERYONE = Holdout(share=0.0)


def write(path: Path, rows: list[tuple[str, str, int]], **more: list[str]) -> Path:
    shoppers, items, hours = (list(column) for column in zip(*rows, strict=True))
    times = [NOON + timedelta(hours=hour) for hour in hours]
    table = pa.table({"shopper_id": shoppers, "item_id": items, "time": times, **more})
    pq.write_table(table, path)
    return path


@pytest.fixture
def rows() -> list[tuple[str, str, int]]:
    return [("s2", "b", 5), ("s1", "c", 9), ("s2", "a", 1), ("s1", "a", 2), ("s2", "a", 5)]


def test_each_shopper_comes_once_with_its_rows_in_order_of_time(
    tmp_path: Path, rows: list[tuple[str, str, int]]
) -> None:
    with open_shoppers(write(tmp_path / "e.parquet", rows), Columns(), EVERYONE) as shoppers:
        told = [[(row.item_id, row.time.hour) for row in source] for source in shoppers]

        assert shoppers.n_shoppers == 2
    assert told == [[("a", 14), ("c", 21)], [("a", 13), ("a", 17), ("b", 17)]]


def test_visits_are_left_to_the_device_where_the_file_names_none(
    tmp_path: Path, rows: list[tuple[str, str, int]]
) -> None:
    plain = write(tmp_path / "plain.parquet", rows)
    named = write(tmp_path / "named.parquet", rows, visit_id=["v"] * len(rows))

    for path, expected in ((plain, {None}), (named, {"v"})):
        with open_shoppers(path, Columns(), EVERYONE) as shoppers:
            assert {row.visit_id for source in shoppers for row in source} == expected


def test_only_shoppers_of_the_hold_out_are_read(tmp_path: Path) -> None:
    holdout = Holdout(share=0.3, salt="s")
    names = [f"s{at}" for at in range(40)]
    path = write(tmp_path / "e.parquet", [(name, "a", 1) for name in names])

    with open_shoppers(path, Columns(), holdout) as shoppers:
        assert shoppers.n_shoppers == sum(map(holdout.contains, names))
