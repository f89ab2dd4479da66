"""Sparse tables of one number per pair: ragged rows, int8 with a scale per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.models.narrow import Coded, unsigned

if TYPE_CHECKING:
    import numpy.typing as npt

INT8_LIMIT: Final = 127

TWO_BYTES: Final = 1 << 16
"""Targets that two bytes can tell apart; beyond, a file holds three bytes for each."""

MOST_TARGETS: Final = 1 << 24
"""Targets that three bytes can tell apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """For each source its strongest targets, one row behind the other without padding.

    Trimming per source costs nothing where trimming per target does, and int8 costs nothing that
    was measurable; for a history, only the rows of its own items are read.

    Attributes:
        length: uint8 or wider, shape (n_sources,): how many of the N entries each source has.
        target: uint8, uint16 or uint32, shape (N,), sources ascending, each one's strongest first.
        value: int8, or float32 where nothing was rounded, shape (N,).
        scale: of each source; the number is ``value * scale``. None: it is `value`.
        n_targets: one more than the largest target allowed, at most `MOST_TARGETS`.
    """

    length: npt.NDArray[np.unsignedinteger]
    target: npt.NDArray[np.unsignedinteger]
    value: npt.NDArray[np.int8] | npt.NDArray[np.float32]
    scale: Coded | None
    n_targets: int

    @classmethod
    def of(
        cls,
        source: npt.NDArray[np.int64],
        target: npt.NDArray[np.int64],
        number: npt.NDArray[np.float64],
        *,
        n_sources: int,
        n_targets: int,
        top: int | None,
    ) -> PairTable:
        """Keep the `top` largest absolute numbers of each source; ties go to the lower target.

        A number that int8 makes 0 is not stored: it says nothing.

        Args:
            source: shape (N,), 0..n_sources-1; a pair stands once.
            target: shape (N,), 0..n_targets-1.
            number: shape (N,).
            n_sources: rows of the table.
            n_targets: one more than the largest target.
            top: the most targets a source keeps, at least 1. None keeps every pair, as float32:
                what a size limit chooses from, and what compression is measured against.
        """
        order = np.lexsort((target, -np.abs(number), source))
        source, target, number = source[order], target[order], number[order]
        if top is None:
            return _stored(source, target, number.astype(np.float32), None, n_sources, n_targets)
        counts = np.bincount(source, minlength=n_sources)
        place = np.arange(source.size) - (np.cumsum(counts) - counts)[source]
        kept = place < top
        return _rounded(source[kept], target[kept], number[kept], n_sources, n_targets)

    def only(self, kept: npt.NDArray[np.bool_]) -> PairTable:
        """Return a table of some of the entries, as int8.

        Args:
            kept: shape (N,), True for those that stay.
        """
        source, target = self.source[kept], self.target[kept].astype(np.int64)
        return _rounded(source, target, self.number[kept], self.length.size, self.n_targets)

    @property
    def source(self) -> npt.NDArray[np.int64]:
        """The source of each entry, shape (N,)."""
        return np.repeat(np.arange(self.length.size), self.length)

    @property
    def number(self) -> npt.NDArray[np.float64]:
        """The number of each entry, shape (N,)."""
        numbers = self.value.astype(np.float64)
        return numbers if self.scale is None else numbers * self.scale.values[self.source]

    @property
    def entry_bytes(self) -> int:
        """What one entry takes in a file."""
        wide = 3 if self.n_targets > TWO_BYTES else self.target.itemsize
        return wide + self.value.itemsize

    @property
    def stored_bytes(self) -> int:
        """What the table takes in a file; one without entries is left out."""
        if not self.target.size:
            return 0
        scale = 0 if self.scale is None else self.scale.stored_bytes
        return self.length.nbytes + scale + self.target.size * self.entry_bytes

    def spread(
        self, source: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the weighted sum of some source rows as one dense vector.

        Args:
            source: shape (N,), rows of this table; one may stand several times.
            weight: shape (N,).

        Returns:
            float64, shape (n_targets,); all 0 without sources.
        """
        lengths = self.length.astype(np.int64)
        starts = np.cumsum(lengths) - lengths
        own = lengths[source]
        before = np.cumsum(own) - own
        at = np.arange(own.sum()) + np.repeat(starts[source] - before, own)
        factor = weight if self.scale is None else weight * self.scale.values[source]
        dense: npt.NDArray[np.float64] = np.bincount(
            self.target[at].astype(np.int64),
            weights=self.value[at] * np.repeat(factor, own),
            minlength=self.n_targets,
        ).astype(np.float64)
        return dense


def _rounded(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    number: npt.NDArray[np.float64],
    n_sources: int,
    n_targets: int,
) -> PairTable:
    """Return entries that stand in order, as int8 with a scale per source."""
    largest = np.zeros(n_sources)
    np.maximum.at(largest, source, np.abs(number))
    scale = Coded.not_below(largest / INT8_LIMIT)
    own = scale.values[source].astype(np.float64)
    value = np.zeros(number.size)
    np.divide(number, own, out=value, where=own > 0)
    value = np.rint(value).clip(-INT8_LIMIT, INT8_LIMIT)
    said = value != 0
    return _stored(
        source[said], target[said], value[said].astype(np.int8), scale, n_sources, n_targets
    )


def _stored(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    value: npt.NDArray[np.int8] | npt.NDArray[np.float32],
    scale: Coded | None,
    n_sources: int,
    n_targets: int,
) -> PairTable:
    length = np.bincount(source, minlength=n_sources)
    return PairTable(
        length=length.astype(unsigned(int(length.max(initial=0)) + 1)),
        target=target.astype(unsigned(n_targets)),
        value=value,
        scale=scale,
        n_targets=n_targets,
    )
