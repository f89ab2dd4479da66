"""The table ``outcomes`` as it would be if parts weighed as we say: nothing random."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import product
from typing import Final

import numpy as np
import pyarrow as pa

from shelfrank_training.aggregates.folder import KEYS, Aggregates, parquet_bytes, schema
from shelfrank_training.aggregates.info import Noise
from shelfrank_training.outcomes import buckets as b
from support import corner_shop

Weights = tuple[float, ...]

AFFINE: Final[Weights] = (1.0, 1.0, 2.0, 0.5, 1.0)
"""Affinity should count twice, category half."""

MUCH: Final = 40_000
"""Items that compete in a cell: enough for weights to be learned to the second digit."""


def outcomes(
    truth: Weights | tuple[Weights, Weights],
    *,
    each: int = MUCH,
    situation: int = 1,
    intercept: float = -1.0,
    slope: float = 0.7,
) -> pa.Table:
    """Return cells in which exactly the expected number of items was taken.

    Args:
        truth: weights by part that decide what is taken, or one for each half.
        each: items that compete in a cell.
        situation: of all cells.
        intercept: log-odds of a score of 0.
        slope: log-odds of a score of 1.
    """
    by_half = truth if isinstance(truth[0], tuple) else (truth, truth)
    next_ = b.NEXT_IN_VISIT if situation == b.IN_VISIT else b.NEXT_AT_START
    used = (b.POPULARITY, next_, b.AFFINITY, b.CATEGORY, b.REPEAT)
    grid = np.array(list(product(*(one.values for one in used))))
    # Popularity from -4.5 up, as in a small shop.
    grid = grid[grid[:, 0] >= -4.5]
    columns: list[list[np.ndarray]] = []
    for half, weights in enumerate(by_half):
        cells = b.cells_of(situation, grid, half=half)
        chance = 1 / (1 + np.exp(-(intercept + slope * (grid @ np.array(weights)))))
        bought = np.round(each * chance).astype(np.int64)
        shoppers = np.full(len(grid), 20, dtype=np.int64)
        order = np.argsort(cells)
        counts = (shoppers, np.full(len(grid), each, dtype=np.int64), bought)
        columns.append([*b.columns_of(cells[order]), *(column[order] for column in counts)])
    joined = [np.concatenate(pair) for pair in zip(*columns, strict=True)]
    return pa.table([pa.array(column, pa.int64()) for column in joined], schema=schema("outcomes"))


def aggregates(table: pa.Table, *, noise: float = 0.0) -> Aggregates:
    """Return the corner shop's numbers with this table.

    Args:
        table: of `outcomes`.
        noise: standard deviation of the noise that is said to be on every number; none is added.
    """
    found = corner_shop.aggregates()
    tables = {name: found.table(name) for name in KEYS} | {"outcomes": table}
    digest = sha256(parquet_bytes(table)).hexdigest()
    described = replace(found.info.tables["outcomes"], rows=table.num_rows, sha256=digest)
    if noise:
        drawn = Noise(
            mechanism="gaussian", l0=300, l2=300, linf=300, scale=noise, threshold=None,
            rho=1, epsilon=1, delta=0,
        )  # fmt: skip
        described = replace(described, noise=(drawn,) * 3)
    info = replace(found.info, tables={**found.info.tables, "outcomes": described})
    return Aggregates(info, tables)
