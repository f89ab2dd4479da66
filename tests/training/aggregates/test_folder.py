"""The folder: whole or not at all, and refused when anything in it was changed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from shelfrank_training.aggregates import Aggregates, AggregateSettings, read_aggregates
from shelfrank_training.aggregates.folder import KEYS, check_out, parquet_bytes, write_folder
from shelfrank_training.errors import DataError
from support.shop import Line, aggregate_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Aggregates]:
    folder = tmp_path_factory.mktemp("made")
    lines = [
        Line(shopper=f"s{number}", item=item, minute=day * 1440, visit=str(day))
        for number in range(12)
        for day, item in enumerate(["a", "b", "a"])
    ]
    asked = AggregateSettings(min_shoppers=10, zone=ZoneInfo("UTC"))
    found = aggregate_lines(folder, lines, {"a": "X", "b": "Y"}, asked)
    return folder / "out", found


@pytest.fixture
def copy(made: tuple[Path, Aggregates], tmp_path: Path) -> Path:
    shutil.copytree(made[0], tmp_path / "copy")
    return tmp_path / "copy"


def files_of(made: tuple[Path, Aggregates]) -> dict[str, bytes]:
    return {name: parquet_bytes(made[1].table(name)) for name in KEYS}


def test_what_is_read_is_what_was_written(made: tuple[Path, Aggregates]) -> None:
    folder, written = made

    found = read_aggregates(folder)

    assert found.info == written.info
    assert all(found.table(name).equals(written.table(name)) for name in KEYS)
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        *("catalog.parquet", "events.parquet", "out")
    ]


def test_the_numbers_are_those_of_the_shoppers(made: tuple[Path, Aggregates]) -> None:
    tables = made[1]

    assert tables.table("pairs").to_pylist() == [{"item_id": "a", "other_id": "b", "shoppers": 12}]
    assert tables.table("repeats").to_pylist() == [{"item_id": "a", "gap_days": 3, "shoppers": 12}]
    assert [tuple(row.values()) for row in tables.table("next").to_pylist()] == [
        ("a", "b", "visits", 12, 12_000, 12),
        ("b", "a", "visits", 12, 12_000, 12),
    ]


def test_an_unknown_table_is_a_misuse(made: tuple[Path, Aggregates]) -> None:
    with pytest.raises(ValueError, match="no table brands"):
        made[1].table("brands")


@pytest.mark.parametrize("name", sorted(KEYS))
def test_one_changed_byte_in_any_table_is_refused(copy: Path, name: str) -> None:
    read_aggregates(copy)
    path = copy / f"{name}.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(DataError, match=f"{name}.parquet has sha256"):
        read_aggregates(copy)


def test_a_missing_table_is_refused(copy: Path) -> None:
    (copy / "pairs.parquet").unlink()

    with pytest.raises(DataError, match=r"pairs\.parquet is missing"):
        read_aggregates(copy)


def test_a_table_of_other_columns_is_refused_even_with_the_right_digest(
    copy: Path, made: tuple[Path, Aggregates]
) -> None:
    shutil.copy(copy / "items.parquet", copy / "pairs.parquet")
    info = made[1].info.to_json()
    tables = info["tables"]
    assert isinstance(tables, dict)
    tables["pairs"] = tables["items"]
    (copy / "aggregates.json").write_text(json.dumps(info))

    with pytest.raises(DataError, match="has columns item_id, shoppers, weight"):
        read_aggregates(copy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": 0}', "is damaged"),
        ('{"format": 1}', "has format 1; this version reads 0"),
    ],
)
def test_a_damaged_or_newer_description_is_refused(copy: Path, text: str, message: str) -> None:
    (copy / "aggregates.json").write_text(text)

    with pytest.raises(DataError, match=message):
        read_aggregates(copy)


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no aggregates\.json") as caught:
        read_aggregates(tmp_path)

    assert caught.value.hint is not None


def test_an_existing_folder_is_replaced_only_on_request(
    copy: Path, made: tuple[Path, Aggregates]
) -> None:
    (copy / "left over").write_text("from the last run")
    with pytest.raises(DataError, match="exists already"):
        write_folder(copy, made[1].info, files_of(made), overwrite=False)
    assert (copy / "left over").exists()

    write_folder(copy, made[1].info, files_of(made), overwrite=True)

    assert not (copy / "left over").exists()
    assert read_aggregates(copy).info == made[1].info
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_folder_that_holds_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "summer.jpg").write_text("…")

    with pytest.raises(DataError, match="holds no aggregates, so it is not replaced"):
        check_out(tmp_path / "photos", overwrite=True)


class _FullDisk(dict[str, bytes]):
    """Gives the first file, then fails as a full disk would."""

    def items(self) -> Iterator[tuple[str, bytes]]:  # type: ignore[override]
        yield next(iter(super().items()))
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_half_way_leaves_everything_as_it_was(
    copy: Path, made: tuple[Path, Aggregates], overwrite: bool
) -> None:
    target = copy if overwrite else copy.with_name("new")
    before = sorted(path for path in copy.parent.rglob("*"))
    files: Mapping[str, bytes] = _FullDisk(files_of(made))

    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        write_folder(target, made[1].info, files, overwrite=overwrite)

    assert sorted(path for path in copy.parent.rglob("*")) == before
    read_aggregates(copy)
