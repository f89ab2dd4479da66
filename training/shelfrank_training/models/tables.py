"""Sparse tables of one number per pair: top-K per source row, int8 with a scale per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

INT8_LIMIT = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """For each source, its K strongest targets.

    Trimming per source costs nothing where trimming per target does, and int8 costs nothing that
    was measurable; for a history, only the rows of its own items are read.

    Attributes:
        target: uint16 or int32, shape (n_sources, K), rows of the target; padding repeats target 0.
        value: int8, shape (n_sources, K); padding is 0.
        scale: float32, shape (n_sources,); the number is ``value * scale``.
        n_targets: one more than the largest target allowed.
    """

    target: npt.NDArray[np.uint16] | npt.NDArray[np.int32]
    value: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]
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
        top: int,
    ) -> PairTable:
        """Keep the `top` largest absolute numbers of each source; ties go to the lower target.

        Args:
            source: shape (N,), 0..n_sources-1; a pair stands once.
            target: shape (N,), 0..n_targets-1.
            number: shape (N,).
            n_sources: rows of the table.
            n_targets: one more than the largest target.
            top: the most targets a source keeps, at least 1. With fewer everywhere, the table is
                narrower.
        """
        order = np.lexsort((target, -np.abs(number), source))
        source, target, number = source[order], target[order], number[order]
        counts = np.bincount(source, minlength=n_sources)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        place = np.arange(source.size) - starts[source]
        kept = place < top
        width = max(1, min(top, int(counts.max(initial=0))))
        index = np.zeros((n_sources, width), dtype=np.int32 if n_targets > 1 << 16 else np.uint16)
        dense = np.zeros((n_sources, width))
        index[source[kept], place[kept]] = target[kept]
        dense[source[kept], place[kept]] = number[kept]
        scale = (np.abs(dense).max(axis=1) / INT8_LIMIT).astype(np.float32)
        safe = np.where(scale > 0, scale, 1).astype(np.float64)
        value = np.rint(dense / safe[:, None]).clip(-INT8_LIMIT, INT8_LIMIT).astype(np.int8)
        return cls(target=index, value=value, scale=scale, n_targets=n_targets)

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
        numbers = self.value[source] * self.scale[source].astype(np.float64)[:, None]
        dense: npt.NDArray[np.float64] = np.bincount(
            self.target[source].ravel().astype(np.int64),
            weights=(numbers * weight[:, None]).ravel(),
            minlength=self.n_targets,
        ).astype(np.float64)
        return dense
