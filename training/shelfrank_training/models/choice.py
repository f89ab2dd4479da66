"""Which pairs a model keeps when it must be small: decided from the counts alone."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.base import clone

from shelfrank_training.models.blend import Blend, default_parts
from shelfrank_training.models.parts import TOP_CATEGORIES, TOP_TARGETS, Category
from shelfrank_training.models.size import always_bytes, head_bytes, tables_of
from shelfrank_training.models.tables import INT8_LIMIT, PairTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

LONGEST_ROW: Final = 255
"""Targets of one source, so that their number takes one byte; a page shows far fewer."""

FEWEST: Final = 3
"""Pairs that each source keeps before any other gets more, in whatever tables they are: an item
with three neighbours can still fill the top of a page."""

SITUATIONS: Final = ("in_visit_", "at_start_")
"""Tables that speak in one situation only: inside a visit, or where one starts; others in both."""

# Share of a situation in which nothing is said: finite, and less than any pair says.
_NOTHING: Final = 1e-12

# Half a step of int8, at the largest scale that `PairTable` gives a row: what is smaller becomes 0.
_LEAST: Final = 0.5 * 1.03 / INT8_LIMIT


def everything(blend: Blend) -> Blend:
    """Return an unfitted model like `blend` that keeps every pair, as float32."""
    parts = [clone(part) for part in blend.parts or default_parts()]
    for part in parts:
        if "top" in part.get_params():
            part.set_params(top=None)
    return Blend(parts=parts, reader=blend.reader, weights=blend.weights)


def fewest_bytes(blend: Blend) -> int:
    """Return the room in which every table has its head, and every source `FEWEST` pairs.

    Args:
        blend: fitted with every pair (`everything`).
    """
    tables = [(part, of) for part in blend.parts_ for of in tables_of(part).values()]
    entry = max((_entry_bytes(of) for _, of in tables), default=0)
    sources = {of.length.size for _, of in tables if of.target.size}
    return (
        sum(always_bytes(part) for part in blend.parts_)
        + sum(head_bytes(part, of) for part, of in tables if of.target.size)
        + FEWEST * entry * sum(sources)
    )


def within(blend: Blend, *, budget: int) -> Blend:
    """Return the model with the pairs that are worth most, in at most `budget` bytes.

    A pair is worth its absolute number (log-odds) as a share of all that is said in its situation:
    tables for inside a visit do not compete with those for its start, which speak more softly. One
    that speaks in both counts twice; the row of a category stands for all its items. How many
    shoppers a source has does not count: lists of popular items would grow beyond what a page can
    show, at the cost of all others (`training/docs/size.md`).

    First every source gets its `FEWEST` best. Rows are cut at their weak end alone, so what is left
    is the strongest of each source. A table is left out whole where the others, given its room, say
    more over all situations; a situation in which nothing would be left is never given up for
    another.

    Args:
        blend: fitted with every pair (`everything`); not changed.
        budget: for the numbers that `part_bytes` counts. Where it is too small for `fewest_bytes`,
            fewer are kept; where a model without a limit fits, it is that model.
    """
    tables = [
        _Rated.of(blend, at, name)
        for at, part in enumerate(blend.parts_)
        for name, table in tables_of(part).items()
        if table.target.size
    ]
    room = budget - sum(always_bytes(part) for part in blend.parts_)
    if _usual_bytes(tables) <= room:
        return _with(blend, tables, [of.usual for of in tables])
    held = _held(tables)
    choice = _best(tables, room, held)
    while tables:
        # Without each table in turn: what could the others do with its room?
        fewer = [tables[:at] + tables[at + 1 :] for at in range(len(tables))]
        without = [_best(others, room, held) for others in fewer]
        at = max(range(len(tables)), key=lambda left_out: without[left_out].worth)
        if without[at].worth <= choice.worth:
            break
        tables, choice = fewer[at], without[at]
    return _with(blend, tables, choice.kept)


@dataclass(frozen=True, slots=True)
class _Rated:
    """One table of the model, and the pairs of it that may be kept.

    Attributes:
        part: number of the part that has it.
        name: of the attribute.
        table: with every pair.
        head: bytes that keeping any of them takes.
        entry: int64, shape (M,), ascending.
        usual: bool, shape (M,): what a model without a limit keeps.
        says: float64, shape (M,), never rising along a row: absolute numbers, times the items
            that a source stands for.
    """

    part: int
    name: str
    table: PairTable
    head: int
    entry: npt.NDArray[np.int64]
    usual: npt.NDArray[np.bool_]
    says: npt.NDArray[np.float64]

    @classmethod
    def of(cls, blend: Blend, part: int, name: str) -> _Rated:
        table = tables_of(blend.parts_[part])[name]
        lengths = table.length.astype(np.int64)
        starts = np.cumsum(lengths) - lengths
        place = np.arange(table.target.size) - np.repeat(starts, lengths)
        number = np.abs(table.number)
        there = lengths > 0
        strongest = np.repeat(number[starts[there]], lengths[there])
        entry = np.flatnonzero((place < LONGEST_ROW) & (number > _LEAST * strongest))
        items_each = max(1.0, blend.space_.n_items / lengths.size)
        head = head_bytes(blend.parts_[part], table)
        top = TOP_CATEGORIES if isinstance(blend.parts_[part], Category) else TOP_TARGETS
        return cls(part, name, table, head, entry, place[entry] < top, items_each * number[entry])

    def speaks_in(self, situation: str) -> bool:
        return self.name == situation or self.name not in SITUATIONS


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which pairs of each table are kept, and what they are worth.

    Attributes:
        kept: bool, shape (M,), for each table.
        worth: sum over situations of the log of the share that is still said; comparable only.
    """

    kept: list[npt.NDArray[np.bool_]]
    worth: float


def _usual_bytes(tables: Sequence[_Rated]) -> int:
    """Return what the tables of a model without a limit take."""
    return sum(of.head + int(of.usual.sum()) * _entry_bytes(of.table) for of in tables)


def _held(tables: Sequence[_Rated]) -> dict[str, float]:
    """Return what a model of the usual size says in each situation that occurs."""
    occurring = [name for name in SITUATIONS if any(of.name == name for of in tables)]
    return {
        situation: sum(float(of.says[of.usual].sum()) for of in tables if of.speaks_in(situation))
        for situation in occurring or ("any",)
    }


def _best(tables: Sequence[_Rated], room: int, held: Mapping[str, float]) -> _Choice:
    """Choose within `room` bytes; where the heads of all tables do not fit, nothing."""
    room -= sum(of.head for of in tables)
    if not tables or room < 0:
        # Less than any choice, and the less the more is missing.
        return _Choice([np.zeros(of.entry.size, dtype=np.bool_) for of in tables], room - 1e9)
    worth = [
        of.says * sum(1 / held[situation] for situation in held if of.speaks_in(situation))
        for of in tables
    ]
    rating = np.concatenate(worth)
    size = np.repeat([_entry_bytes(of.table) for of in tables], [of.entry.size for of in tables])
    order = np.lexsort((-rating / size, _place(tables, rating) >= FEWEST))
    kept = np.zeros(rating.size, dtype=np.bool_)
    kept[order[np.cumsum(size[order]) <= room]] = True
    parts = np.split(kept, np.cumsum([of.entry.size for of in tables])[:-1])
    said = [float(of.says[some].sum()) for of, some in zip(tables, parts, strict=True)]
    shares = [
        sum(number for of, number in zip(tables, said, strict=True) if of.speaks_in(situation))
        / held[situation]
        for situation in held
    ]
    return _Choice(parts, float(np.log(np.maximum(shares, _NOTHING)).sum()))


def _place(tables: Sequence[_Rated], rating: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return each pair's place among all pairs of its source, whatever table they are in."""
    kinds = sorted({of.table.length.size for of in tables})
    first = dict(zip(kinds, np.cumsum([0, *kinds]).tolist(), strict=False))
    source = np.concatenate(
        [of.table.source[of.entry] + first[of.table.length.size] for of in tables]
    )
    order = np.lexsort((-rating, source))
    counts = np.bincount(source)
    place = np.empty(source.size, dtype=np.int64)
    place[order] = np.arange(source.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def _with(blend: Blend, tables: Sequence[_Rated], kept: Sequence[npt.NDArray[np.bool_]]) -> Blend:
    """Return a copy of a fitted model with some of its pairs, as int8."""
    sized = copy(blend)
    sized.parts_ = [copy(part) for part in blend.parts_]
    chosen = {(of.part, of.name): of.entry[some] for of, some in zip(tables, kept, strict=True)}
    for at, part in enumerate(sized.parts_):
        for name, table in tables_of(part).items():
            stays = np.zeros(table.target.size, dtype=np.bool_)
            if (at, name) in chosen:
                stays[chosen[at, name]] = True
            setattr(part, name, table.only(stays))
    return sized


def _entry_bytes(table: PairTable) -> int:
    """Return what an entry takes once it is int8."""
    return table.entry_bytes - table.value.itemsize + 1
