"""What happened where a provisional model ranked: the table that weights are learned from."""

from __future__ import annotations

from shelfrank_training.outcomes.buckets import COLUMNS, PARTS, values_of
from shelfrank_training.outcomes.cells import INFLUENCE, Influence
from shelfrank_training.outcomes.maker import make_outcomes
from shelfrank_training.outcomes.moments import sampling_rate

__all__ = [
    "COLUMNS",
    "INFLUENCE",
    "PARTS",
    "Influence",
    "make_outcomes",
    "sampling_rate",
    "values_of",
]
