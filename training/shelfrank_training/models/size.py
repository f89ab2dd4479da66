"""What a model takes: each part's numbers, and a bound from what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.types import DAYPARTS
from shelfrank_training.models.narrow import N_CODES, Coded, unsigned
from shelfrank_training.models.parts import Category
from shelfrank_training.models.tables import TWO_BYTES, PairTable

if TYPE_CHECKING:
    from shelfrank_training.models.parts import Part

GRAPH_BYTES: Final = 24 * 1024
"""Nodes, names and small constants of the graph: 10 to 20 KB, whatever the shop."""

_LEVEL_BYTES: Final = N_CODES * np.dtype(np.float32).itemsize

# Popularity, coming back, the weight of a source in `category`; a scale in each of four tables.
_CODED: Final = 7


def tables_of(part: Part) -> dict[str, PairTable]:
    """Return the tables of a fitted part by the name of their attribute."""
    return {name: of for name, of in vars(part).items() if isinstance(of, PairTable)}


def part_bytes(part: Part) -> int:
    """Return what the numbers of a fitted part take in the file; the graph's nodes come on top."""
    tables = sum(table.stored_bytes for table in tables_of(part).values())
    return tables + (_row_bytes(part) if tables else always_bytes(part))


def always_bytes(part: Part) -> int:
    """Return what a part stores even without any pair."""
    # Which category an item has is read for the table of categories alone.
    return 0 if isinstance(part, Category) else _row_bytes(part)


def head_bytes(part: Part, table: PairTable) -> int:
    """Return what a table stores at most before its first pair: a length and a scale a source.

    Args:
        part: that has the table.
        table: whose rows get no more than 255 pairs; with or without any now.
    """
    return 2 * table.length.size + _LEVEL_BYTES + _row_bytes(part) - always_bytes(part)


def most_bytes(
    *,
    n_items: int,
    n_categories: int,
    n_pairs: int,
    n_category_pairs: int,
    has_dayparts: bool = False,
) -> int:
    """Return what ``model.onnx`` takes at most, from what it holds.

    At least this less 32 KiB, where no table is empty and not all items are alike.

    Args:
        n_items: rows of the catalog.
        n_categories: of the catalog.
        n_pairs: pairs of items that are stored, all tables together.
        n_category_pairs: pairs of categories that are stored.
        has_dayparts: popularity differs by the time of day.
    """
    n_rows = n_items + n_categories + 1
    target = 1 if n_rows <= 1 << 8 else 2 if n_rows <= TWO_BYTES else 3
    category = np.dtype(unsigned(n_categories + 1)).itemsize
    # Three bytes, the category, and a byte for each daypart.
    each = 3 + category + (len(DAYPARTS) if has_dayparts else 0)
    # What each row takes; three tables of items with a length and a scale for each source, one of
    # categories.
    rows = n_rows * each + 3 * 2 * n_items + 2 * (n_categories + 1)
    pairs = n_pairs * (target + 1) + n_category_pairs * (category + 1)
    return GRAPH_BYTES + (_CODED + has_dayparts) * _LEVEL_BYTES + rows + pairs


def _row_bytes(part: Part) -> int:
    """Return what a part stores for rows, tables aside."""
    total = 0
    for of in vars(part).values():
        if isinstance(of, Coded):
            total += of.stored_bytes
        elif isinstance(of, np.ndarray):
            total += of.nbytes
    return total
