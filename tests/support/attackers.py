"""Attackers: what they see of a release, and what they conclude from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from shelfrank_training.aggregates import Aggregates
from shelfrank_training.aggregates.folder import KEYS
from shelfrank_training.models.counts import Counts
from shelfrank_training.models.parts import Affinity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from shelfrank_training.aggregates.private import PrivateRelease
    from shelfrank_training.models.space import ItemSpace

Number: TypeAlias = tuple[str, ...]
"""What names one published number: its table, the row's key, the column."""

WHOLE: Final = "whole release"
"""All tables of a release together."""


def numbers_of(release: Aggregates | PrivateRelease) -> dict[Number, int]:
    """Return every number that a release publishes, those in ``aggregates.json`` included."""
    if isinstance(release, Aggregates):
        tables = {name: release.table(name) for name in KEYS}
        totals = {name: table.total for name, table in release.info.tables.items()}
        shoppers = release.info.shoppers
    else:
        tables = {name: table.rows for name, table in release.tables.items()}
        totals, shoppers = dict(release.totals), release.shoppers
    found: dict[Number, int] = {("shoppers", "total"): shoppers}
    found |= {(name, "total"): total for name, total in totals.items() if total is not None}
    for name, table in tables.items():
        found |= _cells(name, table)
    return found


def _cells(name: str, table: pa.Table) -> dict[Number, int]:
    keys = zip(*(map(str, table[key].to_pylist()) for key in KEYS[name]), strict=True)
    rows = list(keys)
    return {
        (name, *row, column): value
        for column in table.column_names
        if column not in KEYS[name]
        for row, value in zip(rows, table[column].to_pylist(), strict=True)
    }


class Likelihood:
    """Weighs every number by how far the shopper moves it and how uncertain it is.

    Against Gaussian noise nobody can do better: it is the logarithm of how much likelier the
    numbers are with the shopper than without, up to a constant. The attacker knows everything about
    everybody else, and what the shopper would have bought.

    Args:
        without: the exact numbers without the shopper.
        with_shopper: with the shopper. Numbers that neither has are not looked at.
    """

    def __init__(self, without: Mapping[Number, int], with_shopper: Mapping[Number, int]) -> None:
        self.names = sorted({*without, *with_shopper})
        self._place = {name: place for place, name in enumerate(self.names)}
        known = [(without.get(name), with_shopper.get(name)) for name in self.names]
        # A number that shows only with the shopper: it is the showing that tells, not its size.
        self._usual = np.array([b if a is None else a for a, b in known], dtype=np.float64)
        new = [b if b is not None else a for a, b in known]
        self._step = np.array(new, dtype=np.float64) - self._usual
        self._moved = np.array([a != b for a, b in known], dtype=np.bool_)
        self._weight = self._step

    @property
    def tables(self) -> list[str]:
        """The tables in which the shopper moves something, and all of them together."""
        moved = {name[0] for name, moves in zip(self.names, self._moved, strict=True) if moves}
        return [*sorted(moved), WHOLE]

    def see(self, numbers: Mapping[Number, int]) -> npt.NDArray[np.float64]:
        """Return the numbers in the order of `names`; NaN where one does not show."""
        row = np.full(len(self.names), np.nan)
        for name, value in numbers.items():
            place = self._place.get(name)
            if place is not None:
                row[place] = value
        return row

    def learn(self, seen: npt.NDArray[np.float64]) -> None:
        """Learn how uncertain each number is.

        Args:
            seen: shape (releases, numbers), all of one input or of two with the same share.
        """
        shown = ~np.isnan(seen)
        enough = np.maximum(shown.sum(axis=0), 1)
        mean = np.where(shown, seen, 0).sum(axis=0) / enough
        variance = (np.where(shown, seen - mean, 0) ** 2).sum(axis=0) / enough
        # A twelfth: numbers are rounded, so that even an exact one is uncertain by that much.
        self._weight = self._step / (variance + 1 / 12)

    def by_size(self, seen: npt.NDArray[np.float64], table: str) -> npt.NDArray[np.float64]:
        """Score releases by what the numbers of a table say, higher with the shopper.

        Args:
            seen: shape (releases, numbers).
            table: of `tables`.

        Returns:
            Shape (releases,).
        """
        off = np.where(np.isnan(seen), 0, seen - self._usual)
        score: npt.NDArray[np.float64] = off @ np.where(self._in(table), self._weight, 0)
        return score

    def by_showing(self, seen: npt.NDArray[np.float64], table: str) -> npt.NDArray[np.float64]:
        """Score releases by how many of the shopper's numbers show at all; see `by_size`."""
        score: npt.NDArray[np.float64] = (~np.isnan(seen[:, self._in(table) & self._moved])).sum(
            axis=1, dtype=np.float64
        )
        return score

    def _in(self, table: str) -> npt.NDArray[np.bool_]:
        return np.array([table in (WHOLE, name[0]) for name in self.names], dtype=np.bool_)


class ListWatcher:
    """Watches the lists "goes with this item" from release to release.

    Calandrino, Kilzer, Narayanan, Felten, Shmatikov: "You might also like": privacy risks of
    collaborative filtering, IEEE S&P 2011. Who knows some items of a target sees a new one rise in
    the lists of several of them at once.

    Args:
        space: rows of the items.
    """

    def __init__(self, space: ItemSpace) -> None:
        self._space = space
        self._places: list[npt.NDArray[np.int64]] = []

    def watch(self, release: Aggregates) -> None:
        """Look at one more release: the lists of the model that is made from it, as it ships."""
        table = Affinity().fit(Counts.of(release, self._space)).table_
        n_items = self._space.n_items
        places = np.full((n_items, n_items), n_items, dtype=np.int64)
        rows, numbers = table.source, table.number
        for source in range(n_items):
            listed = table.target[(rows == source) & (numbers > 0)]
            places[source, listed.astype(np.int64)] = np.arange(listed.size)
        self._places.append(places)

    def rises(self, known: Sequence[int], *, release: int) -> npt.NDArray[np.int64]:
        """Count for each item the lists in which it rose from the release before to this one.

        Args:
            known: rows of the target's items, whose lists are watched.
            release: number of the release, from 1.

        Returns:
            int64, shape (n_items,).
        """
        before, after = self._places[release - 1], self._places[release]
        rises: npt.NDArray[np.int64] = (after[list(known)] < before[list(known)]).sum(axis=0)
        return rises


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """How good guesses were.

    Attributes:
        right: guesses that were right.
        guesses: how many there were.
        truths: how much there was to find.
    """

    right: int
    guesses: int
    truths: int

    @classmethod
    def of(cls, guesses: Iterable[tuple[int | None, Collection[int]]]) -> Success:
        """Count: an item guessed (or None) and the items that would have been right."""
        pairs = list(guesses)
        return cls(
            right=sum(item in truth for item, truth in pairs),
            guesses=sum(item is not None for item, _ in pairs),
            truths=sum(len(truth) for _, truth in pairs),
        )

    @property
    def precision(self) -> float:
        """Share of the guesses that were right; 0 without guesses."""
        return self.right / max(1, self.guesses)

    @property
    def recall(self) -> float:
        """Share of what there was to find."""
        return self.right / max(1, self.truths)
