"""Rank products on the device, from history that never leaves it.

Importing this package has one effect: unless the environment says otherwise, it sets
``ORT_DISABLE_TELEMETRY=1``, because onnxruntime 1.29 and later writes a device id and an upload
queue on its first import. Neither numpy nor onnxruntime nor cryptography is
loaded until a bundle or a history is opened.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from shelfrank import errors, keys
    from shelfrank.consent.signals import Signals
    from shelfrank.consent.subject import Subject
    from shelfrank.device import Device
    from shelfrank.ranking.page import Page, RankedItem
    from shelfrank.ranking.ranker import Ranker
    from shelfrank.types import Candidate, Dropped, Event, Stored

__version__ = "0.1.0.dev0"

__all__ = [
    "Candidate",
    "Device",
    "Dropped",
    "Event",
    "Page",
    "RankedItem",
    "Ranker",
    "Signals",
    "Stored",
    "Subject",
    "errors",
    "keys",
]

_HOME = {
    "Candidate": "shelfrank.types",
    "Device": "shelfrank.device",
    "Dropped": "shelfrank.types",
    "Event": "shelfrank.types",
    "Page": "shelfrank.ranking.page",
    "RankedItem": "shelfrank.ranking.page",
    "Ranker": "shelfrank.ranking.ranker",
    "Signals": "shelfrank.consent.signals",
    "Stored": "shelfrank.types",
    "Subject": "shelfrank.consent.subject",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: ``import shelfrank`` stays light."""
    if name in {"errors", "keys"}:
        return import_module(f"shelfrank.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'shelfrank' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
