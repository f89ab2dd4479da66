"""Who counts, what is asked, and what would have been right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.types import Event, ItemId
    from shelfrank_training.evaluate.histories import Recording, SourceEvent

ProtocolName = Literal["future", "next"]


@dataclass(frozen=True, slots=True)
class Universe:
    """The items that compete, the same for every model, in order of falling popularity.

    Attributes:
        item_ids: the more popular first; equal popularity in order of the id.
        weight: shape (n_items,); the aggregates' recency-weighted popularity, never rising.
        index: row of each item.
    """

    item_ids: tuple[ItemId, ...]
    weight: npt.NDArray[np.float64]
    index: dict[ItemId, int]

    @classmethod
    def of(cls, weights: dict[ItemId, int]) -> Universe:
        """Order items by weight.

        Args:
            weights: popularity of each item, as in the aggregates' table ``items``.
        """
        item_ids = tuple(sorted(weights, key=lambda item_id: (-weights[item_id], item_id)))
        return cls(
            item_ids=item_ids,
            weight=np.array([weights[item_id] for item_id in item_ids], dtype=np.float64),
            index={item_id: row for row, item_id in enumerate(item_ids)},
        )

    @property
    def n_items(self) -> int:
        """How many items compete."""
        return len(self.item_ids)

    def rows(
        self, item_ids: Iterator[ItemId] | Sequence[ItemId] | set[ItemId]
    ) -> npt.NDArray[np.intp]:
        """Return the distinct rows of those items that are in the universe, ascending."""
        known = {self.index[item_id] for item_id in item_ids if item_id in self.index}
        return np.array(sorted(known), dtype=np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One ranking that a device would have been asked for.

    Attributes:
        now: when.
        history: what the device could use then.
        in_visit: whether the last visit of the history still lasted.
        targets: shape (n_targets,), at least 1; universe rows that would have been right.
        together: True: one trial with all targets; False: one trial for each.
    """

    now: datetime
    history: Sequence[Event]
    in_visit: bool
    targets: npt.NDArray[np.intp]
    together: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one shopper is asked for.

    Attributes:
        moments: empty where the shopper does not count.
        outside: distinct targets (per moment) that are not in the universe.
        had_history: whether the shopper had an event before what could be a target.
        had_targets: whether anything happened from the cutoff on.
    """

    moments: tuple[Moment, ...]
    outside: int
    had_history: bool
    had_targets: bool


def ask(
    source: Sequence[SourceEvent],
    recording: Recording,
    universe: Universe,
    *,
    cutoff: datetime,
    protocol: ProtocolName,
) -> Asked:
    """Return the moments of one shopper.

    ``future``: one moment at the cutoff; every item from then on is a target. ``next``: one moment
    at each later time with something before it, whose items are each a target of their own; a visit
    that starts after the cutoff is asked from its second event on. A dislike is never a target.

    Args:
        source: the shopper's rows in order of time.
        recording: the same rows as the device stored them.
        universe: the items that compete.
        cutoff: events before it are history, events at it or later are targets.
        protocol: which of the two.
    """
    questions = _future(source, cutoff) if protocol == "future" else _next(source, cutoff)
    moments: list[Moment] = []
    outside = 0
    had_history = had_targets = False
    for now, visit_id, wanted in questions:
        had_targets = True
        if source[0].time >= now:
            continue
        had_history = True
        targets = universe.rows(wanted)
        outside += len(wanted) - targets.size
        if targets.size:
            moments.append(
                Moment(
                    now=now,
                    history=recording.before(now),
                    in_visit=recording.in_visit(now, visit_id=visit_id),
                    targets=targets,
                    together=protocol == "future",
                )
            )
    return Asked(
        moments=tuple(moments), outside=outside, had_history=had_history, had_targets=had_targets
    )


_Question: TypeAlias = "tuple[datetime, str | None, set[ItemId]]"


def _future(source: Sequence[SourceEvent], cutoff: datetime) -> Iterator[_Question]:
    wanted = {row.item_id for row in source if row.time >= cutoff and row.kind != "dislike"}
    if wanted:
        yield cutoff, None, wanted


def _next(source: Sequence[SourceEvent], cutoff: datetime) -> Iterator[_Question]:
    later = (row for row in source if row.time >= cutoff and row.kind != "dislike")
    for (now, visit_id), rows in groupby(later, key=lambda row: (row.time, row.visit_id)):
        yield now, visit_id, {row.item_id for row in rows}
