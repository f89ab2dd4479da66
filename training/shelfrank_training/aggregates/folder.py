"""The folder of aggregates: ``aggregates.json`` and Parquet tables; all that training reads.

Writing is atomic: everything goes to a folder beside the target, which is then renamed.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shelfrank_training.errors import DataError
from shelfrank_training.events.holdout import Holdout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 0
"""Unreleased: it may change without notice until it is 1 (design, R6)."""

INFO_FILE: Final = "aggregates.json"

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "items": ("item_id",),
    "pairs": ("item_id", "other_id"),
    "next": ("item_id", "next_item_id", "scope"),
    "repeats": ("item_id", "gap_days"),
    "categories": ("category",),
    "category_pairs": ("category", "other"),
    "category_repeats": ("category", "gap_days"),
}
"""The columns that identify a row, by table; the tables are sorted by them."""

_WEIGHED: Final = {"items", "next", "categories"}


def schema(table: str) -> pa.Schema:
    """Return the columns of a table: its key, shoppers, and weight where it has one."""
    fields = [
        pa.field(key, pa.int64() if key == "gap_days" else pa.string()) for key in KEYS[table]
    ]
    numbers = ["shoppers", "weight"] if table in _WEIGHED else ["shoppers"]
    return pa.schema([*fields, *(pa.field(name, pa.int64()) for name in numbers)])


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """What ``aggregates.json`` says about one table.

    Attributes:
        rows: rows published.
        suppressed_share: share of the counted rows that are not published, in whole per cent, down.
        max_rows_per_shopper: how many of its rows one shopper can change, each count by at most 1.
        sha256: digest of the file.
    """

    rows: int
    suppressed_share: float
    max_rows_per_shopper: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatesInfo:
    """How the numbers came about.

    There is no digest of the events and no count of their rows: either would let somebody test a guess
    about a shopper's rows, held out or not.

    Attributes:
        events_file: name of the events file.
        catalog_file: name of the catalog file.
        time_from: aware; the day before which fewer than `min_shoppers` shoppers have an event.
        time_to: aware; end of the range, exclusive; popularity decays from here.
        shoppers: distinct shoppers counted, those held out excluded.
        holdout: who was kept out.
        min_shoppers: distinct shoppers behind every published number.
        unprotected: `min_shoppers` is below the floor; for research on public data only.
        max_items: items counted for one shopper.
        max_visits: visits counted for one shopper.
        max_distance: steps in a visit that still count as next.
        half_life_days: after which a shopper counts half for popularity.
        mechanism: ``threshold``: exact counts, small ones left out.
        epsilon: None without noise.
        delta: None without noise.
        accountant: None without noise.
        policy: id and version of the policy, or None.
        has_categories: the catalog has categories; if not, nothing could be filtered by them.
        sensitive_items: items of the catalog that were kept out.
        sensitive_events: events of those items, or None when fewer than `min_shoppers` shoppers
            have one.
        engine: name and version.
        tables: what each table holds.
    """

    events_file: str
    catalog_file: str
    time_from: datetime
    time_to: datetime
    shoppers: int
    holdout: Holdout
    min_shoppers: int
    unprotected: bool
    max_items: int
    max_visits: int
    max_distance: int
    half_life_days: int
    mechanism: str = "threshold"
    epsilon: float | None = None
    delta: float | None = None
    accountant: str | None = None
    policy: tuple[str, int] | None
    has_categories: bool
    sensitive_items: int
    sensitive_events: int | None
    engine: str
    tables: Mapping[str, TableInfo]

    def to_json(self) -> dict[str, object]:
        """Return the object that is written to ``aggregates.json``."""
        policy = None if self.policy is None else {"id": self.policy[0], "version": self.policy[1]}
        return {
            "format": FORMAT,
            "source": {"events": self.events_file, "catalog": self.catalog_file},
            "time_range": {"from": self.time_from.isoformat(), "to": self.time_to.isoformat()},
            "shoppers": self.shoppers,
            "holdout": {"share": self.holdout.share, "salt": self.holdout.salt},
            "bounds": {
                "max_items": self.max_items,
                "max_visits": self.max_visits,
                "max_distance": self.max_distance,
            },
            "half_life_days": self.half_life_days,
            "min_shoppers": self.min_shoppers,
            "unprotected": self.unprotected,
            "mechanism": self.mechanism,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "accountant": self.accountant,
            "policy": policy,
            "has_categories": self.has_categories,
            "excluded": {
                "sensitive_items": self.sensitive_items,
                "sensitive_events": self.sensitive_events,
            },
            "engine": self.engine,
            "tables": {
                name: {
                    "file": f"{name}.parquet",
                    "rows": info.rows,
                    "suppressed_share": info.suppressed_share,
                    "max_rows_per_shopper": info.max_rows_per_shopper,
                    "sha256": info.sha256,
                }
                for name, info in self.tables.items()
            },
        }


class Aggregates:
    """Numbers over at least `min_shoppers` shoppers each, and how they came about.

    Args:
        info: what ``aggregates.json`` says.
        tables: every table of `KEYS`, sorted by its key.
        notes: what the person who ran it should know (thresholds, bad rows); not in the folder.
    """

    def __init__(
        self, info: AggregatesInfo, tables: Mapping[str, pa.Table], notes: tuple[str, ...] = ()
    ) -> None:
        self.info = info
        self.notes = notes
        self._tables = dict(tables)

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
    if not out.exists():
        return
    if not overwrite:
        raise DataError(f"{out} exists already", hint="choose another folder, or --force")
    if not (out / INFO_FILE).is_file():
        raise DataError(f"{out} holds no aggregates, so it is not replaced")


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
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = out.with_name(f".{out.name}.{secrets.token_hex(8)}")
    staged.mkdir()
    try:
        for name, data in files.items():
            (staged / f"{name}.parquet").write_bytes(data)
        text = json.dumps(info.to_json(), indent=2, ensure_ascii=False)
        (staged / INFO_FILE).write_text(text + "\n", encoding="utf-8")
        if out.exists():
            old = staged.with_name(f"{staged.name}.old")
            out.rename(old)
            staged.rename(out)
            shutil.rmtree(old)
        else:
            staged.rename(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


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
        raise DataError(f"{path} is damaged") from None
    if number != FORMAT:
        raise DataError(f"{path} has format {number}; this version reads {FORMAT}")
    try:
        info = _parse_info(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{path} is damaged") from None
    return Aggregates(info, {name: _read_table(folder, name, info) for name in KEYS})


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


def _parse_info(found: Mapping[str, object]) -> AggregatesInfo:
    raw = json.loads(json.dumps(found))
    policy = raw["policy"]
    return AggregatesInfo(
        events_file=raw["source"]["events"],
        catalog_file=raw["source"]["catalog"],
        time_from=datetime.fromisoformat(raw["time_range"]["from"]).astimezone(UTC),
        time_to=datetime.fromisoformat(raw["time_range"]["to"]).astimezone(UTC),
        shoppers=int(raw["shoppers"]),
        holdout=Holdout(share=float(raw["holdout"]["share"]), salt=str(raw["holdout"]["salt"])),
        min_shoppers=int(raw["min_shoppers"]),
        unprotected=bool(raw["unprotected"]),
        max_items=int(raw["bounds"]["max_items"]),
        max_visits=int(raw["bounds"]["max_visits"]),
        max_distance=int(raw["bounds"]["max_distance"]),
        half_life_days=int(raw["half_life_days"]),
        mechanism=str(raw["mechanism"]),
        epsilon=raw["epsilon"],
        delta=raw["delta"],
        accountant=raw["accountant"],
        policy=None if policy is None else (policy["id"], int(policy["version"])),
        has_categories=bool(raw["has_categories"]),
        sensitive_items=int(raw["excluded"]["sensitive_items"]),
        sensitive_events=raw["excluded"]["sensitive_events"],
        engine=str(raw["engine"]),
        tables={
            name: TableInfo(
                rows=int(entry["rows"]),
                suppressed_share=float(entry["suppressed_share"]),
                max_rows_per_shopper=int(entry["max_rows_per_shopper"]),
                sha256=str(entry["sha256"]),
            )
            for name, entry in raw["tables"].items()
        },
    )
