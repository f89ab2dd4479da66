"""With epsilon nothing that depends on the data leaves but through the noise (P8).

The noise here is a constant. Then two inputs that differ by one shopper must give the same bytes,
digests included, whatever the shopper is like: any difference got past the noise.
"""

from __future__ import annotations

import io
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq
import pytest

from shelfrank_training.aggregates import AggregateSettings, prepare
from support.noise_sources import Constant, Exact
from support.shop import START, Line, policy, write_catalog, write_events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shelfrank_training.aggregates.noise import NoiseSource

DAY: Final = 24 * 60
UNTIL: Final = (START + timedelta(days=30)).replace(tzinfo=UTC)
CATEGORY_OF: Final[dict[str, str | None]] = {
    **{f"staple-{number}": f"category-{number}" for number in range(3)},
    **{f"rare-{number}": "rare" for number in range(300)},
    "odd": None,
    "pills": "drugs",
}
EVERYBODY: Final = [
    Line(shopper=f"s{number}", item=f"staple-{item}", minute=day * DAY, visit=str(day))
    for number in range(400)
    for item in range(3)
    for day in (10, 17)
]
"""Enough shoppers that all their rows are published at epsilon 3, and a pair of items, too."""

ONE_MORE: Final[dict[str, list[Line]]] = {
    "ordinary": [Line(shopper="one", item="staple-0", minute=10 * DAY)],
    "years before everybody": [Line(shopper="one", item="staple-0", minute=-3650 * DAY)],
    "after everybody": [Line(shopper="one", item="staple-0", minute=30 * DAY - 1)],
    "too late to be counted": [Line(shopper="one", item="staple-0", minute=30 * DAY)],
    "an item nobody has": [Line(shopper="one", item="rare-0", minute=10 * DAY)],
    "an item without category": [Line(shopper="one", item="odd", minute=10 * DAY)],
    "hundreds of items": [
        Line(shopper="one", item=f"rare-{number}", minute=10 * DAY) for number in range(300)
    ],
    "thousands of events": [
        Line(shopper="one", item="staple-0", minute=number, visit=str(number))
        for number in range(3000)
    ],
    "something sensitive": [Line(shopper="one", item="pills", minute=10 * DAY)],
    "bad rows": [Line(shopper="one", item="not in the catalog")] * 50,
    "a dislike": [Line(shopper="one", item="staple-0", minute=10 * DAY, kind="dislike")],
}


SETTINGS: Final = AggregateSettings(
    policy=policy(sensitive=("drugs",)),
    min_shoppers=20,
    until=UNTIL,
    epsilon=3.0,
    max_bad_rows=0.5,
)


def publish(folder: Path, lines: Sequence[Line], source: NoiseSource) -> dict[str, object]:
    """Return everything that would be written: ``aggregates.json`` and the tables' files."""
    folder.mkdir()
    events = write_events(folder / "events.parquet", lines)
    catalog = write_catalog(folder / "catalog.parquet", CATEGORY_OF)
    with prepare(events, catalog, SETTINGS) as counting:
        made = counting.release(SETTINGS, source=source)
    return {"aggregates.json": made.aggregates.info.to_json(), **made.files}


def rows(found: dict[str, object]) -> dict[str, int]:
    """Return how many rows each table has, by its file."""
    return {
        name: pq.read_metadata(io.BytesIO(data)).num_rows
        for name, data in found.items()
        if isinstance(data, bytes)
    }


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return publish(tmp_path_factory.mktemp("base") / "without", EVERYBODY, Constant(500_000))


@pytest.mark.parametrize("kind", ONE_MORE)
def test_one_shopper_more_changes_no_bit_but_through_the_noise(
    tmp_path: Path, without: dict[str, object], kind: str
) -> None:
    found = publish(tmp_path / "with", EVERYBODY + ONE_MORE[kind], Constant(500_000))

    assert found == without


def test_the_constant_noise_publishes_tables_that_could_differ(without: dict[str, object]) -> None:
    assert {name: n_rows for name, n_rows in rows(without).items() if n_rows} == {
        "items": 3,
        "pairs": 3,
        "categories": 3,
        "category_pairs": 3,
        "category_repeats": 3,
    }


def test_without_the_noise_one_shopper_more_changes_numbers_and_digests(tmp_path: Path) -> None:
    before = publish(tmp_path / "without", EVERYBODY, Exact())
    after = publish(tmp_path / "with", EVERYBODY + ONE_MORE["ordinary"], Exact())

    assert {name for name in before if before[name] != after[name]} == {
        *("aggregates.json", "items", "categories")
    }
