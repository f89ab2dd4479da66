"""Make small event files and catalogs, and a policy for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from shelfrank.consent.policy import Policy, Sensitive
from shelfrank_training.aggregates import Aggregates, AggregateSettings, aggregate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

START: Final = datetime(2020, 1, 1)  # noqa: DTZ001 - naive times are UTC, and that is what is tested


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of an events file; `minute` counts from `START`."""

    shopper: str
    item: str
    minute: int = 0
    visit: str = "1"
    kind: str = "purchase"

    @property
    def time(self) -> datetime:
        """Naive, UTC."""
        return START + timedelta(minutes=self.minute)


def write_events(path: Path, lines: Sequence[Line]) -> Path:
    """Write lines to a Parquet or CSV file, by the name's ending."""
    table = pa.table(
        {
            "shopper_id": pa.array([line.shopper for line in lines], pa.string()),
            "item_id": pa.array([line.item for line in lines], pa.string()),
            "time": pa.array([line.time for line in lines], pa.timestamp("us")),
            "visit_id": pa.array([line.visit for line in lines], pa.string()),
            "kind": pa.array([line.kind for line in lines], pa.string()),
        }
    )
    return write_table(path, table)


def write_catalog(path: Path, category_of: Mapping[str, str | None]) -> Path:
    """Write items and their categories; without any category the column is left out."""
    columns = {"item_id": pa.array(list(category_of), pa.string())}
    if any(category is not None for category in category_of.values()):
        columns["category"] = pa.array(list(category_of.values()), pa.string())
    return write_table(path, pa.table(columns))


def write_table(path: Path, table: pa.Table) -> Path:
    """Write any table to a Parquet or CSV file, by the name's ending."""
    if path.suffix == ".csv":
        pa_csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path


def policy(
    *,
    sensitive: tuple[str, ...] = (),
    min_shoppers: int = 20,
    mode: Literal["exclude", "no-categories"] = "exclude",
) -> Policy:
    """Return a policy without purposes: aggregation looks only at these three."""
    return Policy(
        id="test",
        version=3,
        languages=("en",),
        controllers=(),
        sensitive=Sensitive(mode=mode, categories=sensitive),
        purposes=(),
        min_shoppers=min_shoppers,
    )


def random_lines(
    rng: np.random.Generator, n: int, *, shoppers: int, items: Sequence[str]
) -> list[Line]:
    """Return lines at few moments, so that ties, equal gaps and shared starts are common."""
    minutes = [0, 1, 2, 3, 40, 1440, 2 * 1440, 5 * 1440, 5 * 1440 + 1, 30 * 1440, 300 * 1440]
    kinds = ["purchase", "purchase", "purchase", "view", "dislike"]
    # Squared, so that some items are common and some are rare.
    places = (rng.random(n) ** 2 * len(items)).astype(int)
    return [
        Line(
            shopper=f"s|{rng.integers(shoppers)}",
            item=items[place],
            minute=int(rng.choice(minutes)),
            visit=str(rng.integers(6)),
            kind=str(rng.choice(kinds)),
        )
        for place in places
    ]


def aggregate_lines(
    folder: Path,
    lines: Sequence[Line],
    category_of: Mapping[str, str | None],
    settings: AggregateSettings,
) -> Aggregates:
    """Write the files and aggregate them to ``folder/out``."""
    return aggregate(
        write_events(folder / "events.parquet", lines),
        write_catalog(folder / "catalog.parquet", category_of),
        folder / "out",
        settings,
    )


def rows_of(aggregates: Aggregates, table: str) -> list[tuple[str | int, ...]]:
    """Return a table's rows as tuples."""
    found = aggregates.table(table)
    columns = [found[name].to_pylist() for name in found.column_names]
    return list(zip(*columns, strict=True))
