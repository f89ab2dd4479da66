"""The Ibis queries against obvious Python, on random small shops."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shelfrank_training.aggregates import AggregateSettings
from shelfrank_training.aggregates.folder import KEYS
from support.aggregates_oracle import expected
from support.shop import START, aggregate_lines, random_lines, rows_of

if TYPE_CHECKING:
    from pathlib import Path

CATEGORY_OF: dict[str, str | None] = {
    "a": "X",
    "b": "X",
    "c": "Y",
    "d": "Y",
    "e": "Y",
    "f": "Z/1",
    "g": None,
    "ü": "Z/2",
    "00042": "Z/2",
    "42": "Z/3",
}
END = START + timedelta(days=400)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "n_lines", "min_shoppers", "max_items"),
    [(1, 60, 1, 9), (2, 400, 5, 6), (3, 900, 3, 2), (4, 900, 9, 10), (5, 700, 2, 10)],
)
def test_every_table_is_what_obvious_python_counts(
    tmp_path: Path, seed: int, n_lines: int, min_shoppers: int, max_items: int
) -> None:
    rng = np.random.default_rng(seed)
    lines = random_lines(rng, n_lines, shoppers=20, items=list(CATEGORY_OF))
    settings = AggregateSettings(
        min_shoppers=min_shoppers,
        unprotected=True,
        max_items=max_items,
        until=END.replace(tzinfo=UTC),
    )

    found = aggregate_lines(tmp_path, lines, CATEGORY_OF, settings)

    assert found.info.zone is None
    assert "dayparts" not in found.info.tables
    oracle = expected(lines, CATEGORY_OF, k=min_shoppers, m=max_items, end=END)
    assert {name: rows_of(found, name) for name in KEYS} == oracle
    assert sum(len(rows) for rows in oracle.values()) > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "n_lines", "min_shoppers", "zone", "hours"),
    [
        (6, 400, 5, "Europe/Amsterdam", 24),
        (7, 500, 8, "America/St_Johns", 24),
        (8, 300, 1, "Asia/Kolkata", 24),
        (9, 300, 6, "UTC", 12),
        (10, 200, 3, "UTC", 6),
    ],
)
def test_dayparts_are_what_obvious_python_counts(
    tmp_path: Path, seed: int, n_lines: int, min_shoppers: int, zone: str, hours: int
) -> None:
    rng = np.random.default_rng(seed)
    lines = [
        replace(line, minute=line.minute + int(rng.integers(hours * 60)))
        for line in random_lines(rng, n_lines, shoppers=20, items=list(CATEGORY_OF))
    ]
    settings = AggregateSettings(
        min_shoppers=min_shoppers,
        unprotected=True,
        max_items=9,
        until=END.replace(tzinfo=UTC),
        zone=ZoneInfo(zone),
    )

    found = aggregate_lines(tmp_path, lines, CATEGORY_OF, settings)

    oracle = expected(lines, CATEGORY_OF, k=min_shoppers, m=9, end=END, zone=ZoneInfo(zone))
    assert {name: rows_of(found, name) for name in KEYS} == oracle
    told = {item for item, *_ in oracle["dayparts"]}
    if min_shoppers > 1:
        assert len(told) < len(oracle["items"]), "else nothing is withheld"
    assert (len(told) > 4) is (hours > 6)
