"""What a model folder says about itself: universe, hold-out, bounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from shelfrank.types import ItemId
from shelfrank_training.errors import DataError
from shelfrank_training.evaluate.protocol import Universe
from shelfrank_training.events import Holdout
from shelfrank_training.zones import find_zone

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How the model came about, as far as a figure must be read with it.

    Attributes:
        holdout: the shoppers that were kept out of training.
        trained_until: end of the aggregates' time range, aware, UTC.
        min_shoppers: how many shoppers each published statistic covers at least.
        max_items: contribution bound, items a shopper.
        epsilon: of differential privacy, or None without.
        zone: of the shop, where its time of day is known; None otherwise.
    """

    holdout: Holdout
    trained_until: datetime
    min_shoppers: int
    max_items: int
    epsilon: float | None
    zone: ZoneInfo | None = None

    @classmethod
    def parse(cls, data: bytes) -> Provenance:
        """Parse ``model.json``.

        Raises:
            DataError: it is no JSON, something is missing, or this machine does not know the zone.
        """
        try:
            raw = json.loads(data)
            return cls(
                holdout=Holdout(share=float(raw["holdout"]["share"]), salt=raw["holdout"]["salt"]),
                trained_until=as_utc(datetime.fromisoformat(raw["time_range"]["to"])),
                min_shoppers=int(raw["min_shoppers"]),
                max_items=int(raw["max_items"]),
                epsilon=None if raw.get("epsilon") is None else float(raw["epsilon"]),
                zone=None if raw.get("zone") is None else find_zone(str(raw["zone"])),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"model.json is not what train writes ({type(error).__name__}: {error})"
            ) from None


def as_utc(time: datetime) -> datetime:
    """Return `time` aware in UTC; a naive one is UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def read_provenance(folder: Path) -> Provenance:
    """Read ``model.json``.

    Raises:
        DataError: the folder or the file is not there, or not what ``train`` writes.
    """
    return Provenance.parse(_read(folder, "model.json"))


def read_universe(folder: Path) -> Universe:
    """Read the items that compete: the aggregates' table ``items``, kept in the folder.

    Raises:
        DataError: the file is not there, is no such table, or has no row.
    """
    data = _read(folder, "items.parquet")
    try:
        table = pq.read_table(pa.BufferReader(data), columns=["item_id", "weight"])
    except (pa.ArrowException, KeyError) as error:
        raise DataError(f"items.parquet is not the table of items ({error})") from None
    if not table.num_rows:
        raise DataError("items.parquet has no row, so no item can be ranked")
    item_ids = [ItemId(item_id) for item_id in table["item_id"].to_pylist()]
    return Universe.of(dict(zip(item_ids, table["weight"].to_pylist(), strict=True)))


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise DataError(
            f"{folder} has no readable {name} ({error.strerror})",
            hint="MODEL is the folder that shelfrank train --out wrote",
        ) from None
