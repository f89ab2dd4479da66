"""Which pairs a model keeps when it must be small, and what each part takes.

Decided from the counts alone, never from rows about shoppers.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.base import clone

from shelfrank_training.models.blend import Blend, default_parts
from shelfrank_training.models.narrow import N_CODES, Coded
from shelfrank_training.models.parts import Category
from shelfrank_training.models.tables import PairTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from shelfrank_training.models.parts import Part

LONGEST_ROW: Final = 255
"""Targets of one source, so that their number takes one byte; a page shows far fewer."""

FEWEST: Final = 3
"""Targets that each source keeps before any other gets more: an item with three neighbours can still
fill the top of a page."""

_SCALE_BYTES: Final = N_CODES * np.dtype(np.float32).itemsize


def part_bytes(part: Part) -> int:
    """Return what the numbers of a fitted part take in the file; the nodes of the graph come on top."""
    tables = sum(table.stored_bytes for table in _tables(part).values())
    if isinstance(part, Category) and not tables:
        return 0
    return tables + _row_bytes(part)


def everything(blend: Blend) -> Blend:
    """Return an unfitted model like `blend` that keeps every pair, as float32."""
    parts = [clone(part) for part in blend.parts or default_parts()]
    for part in parts:
        if "top" in part.get_params():
            part.set_params(top=None)
    return Blend(parts=parts, reader=blend.reader)


def fewest_bytes(blend: Blend) -> int:
    """Return the room in which every source keeps `FEWEST` targets in every table.

    Args:
        blend: fitted with every pair (`everything`).
    """
    rows = sum(_row_bytes(part) for part in blend.parts_)
    return rows + sum(
        _head_bytes(table)
        + int(np.minimum(table.length.astype(np.int64), FEWEST).sum()) * _entry_bytes(table)
        for part in blend.parts_
        for table in _tables(part).values()
    )


def within(blend: Blend, *, budget: int) -> Blend:
    """Return the model with the pairs that are worth most, in at most `budget` bytes.

    What a pair is worth is how much it adds to a score: its absolute number, on the scale of
    log-odds. Not by how many shoppers its source has: lists of popular items would grow beyond what a
    page can show, at the cost of all others (`training/docs/size.md`). The row of a category stands
    for all its items. First every source gets its `FEWEST` strongest; rows are cut at their weak end
    alone, so what is left is the strongest of each source.

    A table that is worth less than what others could keep in its room is left out whole.

    Args:
        blend: fitted with every pair (`everything`); not changed.
        budget: for the numbers that `part_bytes` counts. Where it is too small for `fewest_bytes`,
            fewer are kept.
    """
    room = budget - sum(_row_bytes(part) for part in blend.parts_)
    tables = [
        _Rated(place, name, table, _worth(table, blend.space_.n_items))
        for place, part in enumerate(blend.parts_)
        for name, table in _tables(part).items()
        if table.target.size
    ]
    kept, worth = _best(tables, room)
    while tables:
        # Without each table in turn: what could the others do with its room?
        fewer = [(tables[:at] + tables[at + 1 :]) for at in range(len(tables))]
        without = [_best(others, room) for others in fewer]
        best = max(range(len(tables)), key=lambda at: without[at][1])
        if without[best][1] <= worth:
            break
        tables, (kept, worth) = fewer[best], without[best]
    return _with(blend, tables, kept)


@dataclass(frozen=True, slots=True)
class _Rated:
    """One table of the model and what each of its pairs is worth."""

    part: int
    name: str
    table: PairTable
    worth: npt.NDArray[np.float64]


def _worth(table: PairTable, n_items: int) -> npt.NDArray[np.float64]:
    return np.abs(table.number) * max(1.0, n_items / table.length.size)


def _best(
    tables: Sequence[_Rated], room: int
) -> tuple[list[npt.NDArray[np.bool_]], float]:
    """Return what to keep of each table within `room` bytes, and what that is worth in all.

    Heads of all tables must fit too; where they do not, that is worth less than nothing.
    """
    room -= sum(_head_bytes(rated.table) for rated in tables)
    if not tables or room < 0:
        return [np.zeros(rated.table.target.size, dtype=np.bool_) for rated in tables], min(room, 0)
    place = np.concatenate([_place(rated.table) for rated in tables])
    worth = np.concatenate([rated.worth for rated in tables])
    size = np.concatenate(
        [np.full(rated.worth.size, _entry_bytes(rated.table)) for rated in tables]
    )
    order = np.lexsort((-worth / size, place >= FEWEST, place >= LONGEST_ROW))
    kept = np.zeros(worth.size, dtype=np.bool_)
    kept[order] = np.cumsum(size[order]) <= room
    kept &= place < LONGEST_ROW
    ends = np.cumsum([rated.worth.size for rated in tables])
    return np.split(kept, ends[:-1]), float(worth[kept].sum())


def _with(
    blend: Blend, tables: Sequence[_Rated], kept: Sequence[npt.NDArray[np.bool_]]
) -> Blend:
    """Return a copy of a fitted model with some of its pairs, as int8."""
    sized = copy(blend)
    sized.parts_ = [copy(part) for part in blend.parts_]
    for part in sized.parts_:
        for name, table in _tables(part).items():
            setattr(part, name, table.only(np.zeros(table.target.size, dtype=np.bool_)))
    for rated, some in zip(tables, kept, strict=True):
        setattr(sized.parts_[rated.part], rated.name, rated.table.only(some))
    return sized


def _tables(part: Part) -> dict[str, PairTable]:
    return {name: of for name, of in vars(part).items() if isinstance(of, PairTable)}


def _row_bytes(part: Part) -> int:
    """Return what a part stores for rows, tables aside."""
    total = 0
    for of in vars(part).values():
        if isinstance(of, Coded):
            total += of.stored_bytes
        elif isinstance(of, np.ndarray):
            total += of.nbytes
    return total


def _head_bytes(table: PairTable) -> int:
    """Return what a trimmed table stores for its sources: a length and a scale each."""
    return 2 * table.length.size + _SCALE_BYTES if table.target.size else 0


def _entry_bytes(table: PairTable) -> int:
    """Return what an entry takes once it is int8."""
    return table.entry_bytes - table.value.itemsize + 1


def _place(table: PairTable) -> npt.NDArray[np.int64]:
    """Return each entry's place in its row, 0 for the strongest."""
    lengths = table.length.astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    return np.arange(table.target.size) - np.repeat(starts, lengths)
