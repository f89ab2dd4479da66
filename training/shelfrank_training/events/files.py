"""Open Parquet and CSV files as tables with few, known types.

Everything is read by pyarrow: ids become text exactly (an integer through its digits, never through
a float), times become microseconds in UTC, and CSV cells stay text: nothing is guessed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq

from shelfrank_training.errors import DataError
from shelfrank_training.events.personal import refuse_personal_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shelfrank_training.events.columns import Type

_MICROSECONDS: Final = pa.timestamp("us")


_ANEW: Final = "is the file whole? copy or export it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file whose header has been read.

    Attributes:
        path: where it is.
        is_csv: CSV, else Parquet.
        schema: names and types; all text for CSV.
    """

    path: Path
    is_csv: bool
    schema: pa.Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The wanted columns of a file.

    Attributes:
        table: text, timestamp[us] (UTC), float64 or bool columns under our names, and ``row``: the
            number of the row in the file, from 1, header and blank lines not counted.
        ragged: row → what is wrong, for the rows of a CSV file that have too many or too few cells
            and are therefore not in the table.
    """

    table: pa.Table
    ragged: Mapping[int, str]


def open_source(path: Path) -> SourceFile:
    """Read the header of a Parquet or CSV file.

    Raises:
        DataError: there is no such file, or it is neither Parquet nor CSV.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    is_csv = path.suffix.lower() == ".csv"
    if not is_csv and path.suffix.lower() not in {".parquet", ".pq"}:
        raise DataError(f"{path.name} is neither .parquet nor .csv")
    try:
        schema = _csv_schema(path) if is_csv else pq.read_schema(path)
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} cannot be read: {_first_line(error)}", hint=_ANEW) from None
    return SourceFile(path=path, is_csv=is_csv, schema=schema)


def load(source: SourceFile, names: Mapping[str, str], types: Mapping[str, Type]) -> Loaded:
    """Read the columns of a file under our names.

    Args:
        source: the file.
        names: our name → the file's name.
        types: what each of our columns holds. A text cell of any type stays text.

    Raises:
        DataError: a column has a type that cannot be turned into the wanted one without loss, or
            the file is damaged.
        PrivacyError: a text column holds e-mail addresses, IP addresses or positions.
    """
    loaded = _load(source, names, types)
    for ours, theirs in names.items():
        if types[ours] == "text":
            values = loaded.table[ours]
            refuse_personal_values(values, column=theirs, file=source.path.name)
    return loaded


def _load(source: SourceFile, names: Mapping[str, str], types: Mapping[str, Type]) -> Loaded:
    casts = {
        ours: _cast(source.schema.field(theirs), types[ours], source.path.name)
        for ours, theirs in names.items()
    }
    try:
        if source.is_csv:
            return _load_csv(source, names)
        table = pa_dataset.dataset(source.path, format="parquet").to_table(columns=casts)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{source.path.name} cannot be read: {_first_line(error)}", hint=_ANEW
        ) from None
    rows = np.arange(1, table.num_rows + 1, dtype=np.int64)
    return Loaded(table=table.append_column("row", pa.array(rows)), ragged={})


def line_of(source: SourceFile, row: int) -> int:
    """Return the line of a CSV file on which its `row` (from 1, without the header) ends.

    They differ where a quoted cell holds a line break. For Parquet the row itself is the answer.
    """
    if not source.is_csv:
        return row
    with source.path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        seen = -1  # The header is row 0. A blank line is no row to either reader.
        for cells in reader:
            seen += bool(cells)
            if seen == row:
                return reader.line_num
    return row + 1


def _csv_schema(path: Path) -> pa.Schema:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    return pa.schema([pa.field(name, pa.string()) for name in names])


def _load_csv(source: SourceFile, names: Mapping[str, str]) -> Loaded:
    ragged: dict[int, str] = {}

    def skip(row: pa_csv.InvalidRow) -> str:
        # The header is row 1 of pyarrow's count.
        ragged[row.number - 1] = (
            f"{row.actual_columns} cells, the header has {row.expected_columns}"
        )
        return "skip"

    table = pa_csv.read_csv(
        source.path,
        # One thread: only then does pyarrow know the number of a ragged row.
        read_options=pa_csv.ReadOptions(use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(source.schema.names, pa.string()),
            include_columns=list(names.values()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    ).rename_columns(list(names))
    rows = np.arange(1, table.num_rows + len(ragged) + 1, dtype=np.int64)
    kept = np.delete(rows, np.fromiter(ragged, dtype=np.int64, count=len(ragged)) - 1)
    return Loaded(table=table.append_column("row", pa.array(kept)), ragged=ragged)


def _cast(field: pa.Field, type_: Type, file: str) -> pc.Expression:
    value = pc.field(field.name)
    if _is_text(field.type) or pa.types.is_null(field.type):
        return value.cast(pa.string())
    if type_ == "text" and pa.types.is_integer(field.type):
        return value.cast(pa.string())
    if type_ == "time" and pa.types.is_timestamp(field.type):
        # Through the integer: a cast that drops the zone must not go through local time. Anything
        # finer than a microsecond is cut off.
        precise = value.cast(pa.timestamp("us", field.type.tz), safe=False)
        return precise.cast(pa.int64()).cast(_MICROSECONDS)
    if type_ == "time" and pa.types.is_date(field.type):
        return value.cast(_MICROSECONDS)
    if type_ == "number" and _is_number(field.type):
        return value.cast(pa.float64(), safe=False)
    if type_ == "flag" and pa.types.is_boolean(field.type):
        return value
    wanted = {
        "text": "text or integers",
        "time": "times, dates or ISO 8601 text",
        "number": "numbers",
        "flag": "true and false",
    }[type_]
    raise DataError(f"{file}: column {field.name} holds {field.type}; wanted {wanted}")


def _is_text(type_: pa.DataType) -> bool:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
