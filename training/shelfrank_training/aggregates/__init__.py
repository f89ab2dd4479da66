"""From events to numbers over many shoppers: bounded, counted, thresholded."""

from __future__ import annotations

from shelfrank_training.aggregates.counting import Counting, Made, prepare
from shelfrank_training.aggregates.folder import Aggregates, read_aggregates
from shelfrank_training.aggregates.info import AggregatesInfo, TableInfo
from shelfrank_training.aggregates.run import aggregate
from shelfrank_training.aggregates.settings import AggregateSettings, LedgerUse

__all__ = [
    "AggregateSettings",
    "Aggregates",
    "AggregatesInfo",
    "Counting",
    "LedgerUse",
    "Made",
    "TableInfo",
    "aggregate",
    "prepare",
    "read_aggregates",
]
