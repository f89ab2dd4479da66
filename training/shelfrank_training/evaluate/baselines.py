"""The two rankings that any model must beat: what everyone buys, and what this shopper bought.

A scorer turns a history into one score per item of the universe. Baselines get the same history as
the model, and ties go to the more popular item for all of them: the second baseline falls back to
the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.types import Event
    from shelfrank_training.evaluate.protocol import Universe


class Scorer(Protocol):
    """Anything that can be measured."""

    def __call__(
        self, history: Sequence[Event], *, now: datetime, in_visit: bool
    ) -> npt.NDArray[np.float64]:
        """Score the universe for one history.

        Args:
            history: oldest first; may be empty.
            now: when the ranking is asked for.
            in_visit: whether the last visit of the history still lasts.

        Returns:
            Shape (n_items,), in the universe's order; minus infinity where an item cannot be
            ranked.
        """
        ...


class Popularity:
    """The same ranking for everyone: the aggregates' recency-weighted popularity."""

    def __init__(self, universe: Universe) -> None:
        self._weight = universe.weight

    def __call__(
        self,
        history: Sequence[Event],  # noqa: ARG002 - the protocol's
        *,
        now: datetime,  # noqa: ARG002
        in_visit: bool,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        """Return the weights, whatever the history."""
        return self._weight


class PersonalFrequency:
    """How often the history names an item; what it does not name follows by popularity."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe

    def __call__(
        self,
        history: Sequence[Event],
        *,
        now: datetime,  # noqa: ARG002
        in_visit: bool,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        """Count the history's events of each item; a dislike does not speak for an item."""
        index = self._universe.index
        named = [
            index[event.item_id]
            for event in history
            if event.kind != "dislike" and event.item_id in index
        ]
        return np.bincount(np.array(named, dtype=np.intp), minlength=self._universe.n_items).astype(
            np.float64
        )
