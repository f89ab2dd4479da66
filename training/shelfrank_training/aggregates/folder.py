"""The folder of aggregates: ``aggregates.json`` and Parquet tables; all that training reads.

Writing is atomic: everything goes to a folder beside the target, which is then renamed.
"""

from __future__ import annotations

import hashlib
import io
import json
from itertools import chain
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shelfrank_training import folders
from shelfrank_training.aggregates.info import FORMAT, AggregatesInfo, parse_info
from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INFO_FILE: Final = "aggregates.json"

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "items": ("item_id",),
    "pairs": ("item_id", "other_id"),
    "next": ("item_id", "next_item_id", "scope"),
    "repeats": ("item_id", "gap_days"),
    "dayparts": ("item_id", "daypart"),
    "categories": ("category",),
    "category_pairs": ("category", "other"),
    "category_next": ("category", "next_category", "scope"),
    "category_repeats": ("category", "gap_days"),
    "outcomes": ("half", "situation", "popularity", "next", "affinity", "category", "repeat"),
}
"""The columns that identify a row, by table; the tables are sorted by them."""

OPTIONAL: Final = ("dayparts",)
"""Tables that a folder has only if they were asked for; where it has none, they have no row."""

_NUMBERS: Final[dict[str, tuple[str, ...]]] = {
    "items": ("shoppers", "weight"),
    "next": ("shoppers", "weight", "distance"),
    "categories": ("shoppers", "weight"),
    "category_next": ("shoppers", "weight", "distance"),
    "outcomes": ("shoppers", "candidates", "bought"),
}


def schema(table: str) -> pa.Schema:
    """Return the columns of a table: its key, shoppers, and what else it counts.

    Text for ids, categories and scopes; int64 for everything else.
    """
    numbered = KEYS[table] if table == "outcomes" else ("gap_days", "daypart")
    fields = [pa.field(key, pa.int64() if key in numbered else pa.string()) for key in KEYS[table]]
    numbers = _NUMBERS.get(table, ("shoppers",))
    return pa.schema([*fields, *(pa.field(name, pa.int64()) for name in numbers)])


class Aggregates:
    """Numbers over at least `min_shoppers` shoppers each, and how they came about.

    Args:
        info: what ``aggregates.json`` says.
        tables: every table of `KEYS`, sorted by its key; those of `OPTIONAL` may be missing.
        notes: what the person who ran it should know (thresholds, bad rows); not in the folder.
    """

    def __init__(
        self, info: AggregatesInfo, tables: Mapping[str, pa.Table], notes: tuple[str, ...] = ()
    ) -> None:
        self.info = info
        self.notes = notes
        self._tables = {name: schema(name).empty_table() for name in OPTIONAL} | dict(tables)

    def table(self, name: str) -> pa.Table:
        """Return a table by its name in `KEYS`; ids are text, numbers int64.

        Raises:
            ValueError: there is no table of that name.
        """
        if name not in self._tables:
            raise ValueError(f"no table {name}, wanted one of {', '.join(KEYS)}")
        return self._tables[name]


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file; the same table gives the same bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a target before any work is done.

    Raises:
        DataError: it exists and `overwrite` is not set, or it is something other than aggregates.
    """
    folders.check_out(out, marker=INFO_FILE, what="aggregates", overwrite=overwrite)


def write_folder(
    out: Path, info: AggregatesInfo, files: Mapping[str, bytes], *, overwrite: bool
) -> None:
    """Write the whole folder or nothing.

    Args:
        out: the target; see `check_out`.
        info: goes to ``aggregates.json``.
        files: Parquet file of each table.
        overwrite: replace what is there.
    """
    check_out(out, overwrite=overwrite)
    text = json.dumps(info.to_json(), indent=2, ensure_ascii=False)
    tables = ((f"{name}.parquet", data) for name, data in files.items())
    folders.replace_folder(out, chain(tables, [(INFO_FILE, f"{text}\n".encode())]))


def read_aggregates(folder: Path) -> Aggregates:
    """Read a folder of aggregates and check every digest.

    Raises:
        DataError: something is missing, damaged, or of a format this version does not read.
    """
    path = folder / INFO_FILE
    if not path.is_file():
        raise DataError(
            f"{folder} holds no {INFO_FILE}",
            hint="make it with: shelfrank aggregate EVENTS CATALOG",
        )
    try:
        found = json.loads(path.read_bytes())
        number = found["format"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} is damaged", hint="aggregate again") from None
    if number != FORMAT:
        raise DataError(f"{path} has format {number}; this version reads {FORMAT}")
    try:
        info = parse_info(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{path} is damaged", hint="aggregate again") from None
    there = [name for name in KEYS if name in info.tables or name not in OPTIONAL]
    return Aggregates(info, {name: _read_table(folder, name, info) for name in there})


def _read_table(folder: Path, name: str, info: AggregatesInfo) -> pa.Table:
    path = folder / f"{name}.parquet"
    try:
        data = path.read_bytes()
    except OSError:
        raise DataError(f"{path} is missing") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != info.tables[name].sha256:
        raise DataError(f"{path} has sha256 {digest}, {INFO_FILE} says {info.tables[name].sha256}")
    table = pq.read_table(pa.BufferReader(data))
    if table.schema.remove_metadata() != schema(name):
        raise DataError(f"{path} has columns {', '.join(table.column_names)}, or other types")
    return table
