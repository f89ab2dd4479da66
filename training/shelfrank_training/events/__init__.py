"""Read events and catalog, and choose the shoppers that are kept out."""

from __future__ import annotations

from shelfrank_training.events.catalog import CatalogTable, read_catalog
from shelfrank_training.events.columns import Columns
from shelfrank_training.events.engine import open_engine
from shelfrank_training.events.holdout import Holdout
from shelfrank_training.events.reader import BadRow, Events, read_events

__all__ = [
    "BadRow",
    "CatalogTable",
    "Columns",
    "Events",
    "Holdout",
    "open_engine",
    "read_catalog",
    "read_events",
]
