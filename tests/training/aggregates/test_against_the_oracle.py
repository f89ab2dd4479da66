"""The Ibis queries against obvious Python, on random small shops."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

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

    oracle = expected(lines, CATEGORY_OF, k=min_shoppers, m=max_items, end=END)
    assert {name: rows_of(found, name) for name in KEYS} == oracle
    assert sum(len(rows) for rows in oracle.values()) > 10
