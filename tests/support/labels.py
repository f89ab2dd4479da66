"""Facts to make labels from, with noise and without, and labels with one statement changed."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shelfrank.bundle.label import Label, LabelledBundle, LabelledModel
from shelfrank_training.aggregates.info import AggregatesInfo, LedgerNote, Noise, TableInfo
from shelfrank_training.events import Holdout
from shelfrank_training.publish.label import label_bytes, make_label

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL: Final = LabelledModel(
    sha256="0" * 64, parts=("popularity", "repeat"), inputs=("event_item", "candidate")
)
BUNDLE: Final = LabelledBundle(
    name="shop-14",
    version=3,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    valid_until=datetime(2027, 1, 1, tzinfo=UTC),
)
_BASE: Final = AggregatesInfo(
    events_file="events.parquet",
    catalog_file="catalog.parquet",
    time_from=datetime(2025, 1, 1, tzinfo=UTC),
    time_to=datetime(2026, 1, 1, tzinfo=UTC),
    shoppers=12_345,
    holdout=Holdout(salt="salt-that-stays-at-home"),
    min_shoppers=50,
    unprotected=False,
    max_items=100,
    max_visits=200,
    max_distance=20,
    half_life_days=28,
    policy=("corner-shop", 3),
    has_categories=True,
    excluded_categories=("drug/baby", "spirits"),
    sensitive_items=7,
    sensitive_events=812,
    engine="made up",
    tables={},
)
_ROWS: Final = {"items": 61, "pairs": 1597, "next": 1818}


def facts(**changes: object) -> AggregatesInfo:
    """Return what a run with a threshold says about itself, with some fields changed."""
    tables = {
        name: TableInfo(rows=rows, suppressed_share=0.25, max_rows_per_shopper=100, sha256="1" * 64)
        for name, rows in _ROWS.items()
    }
    return replace(_BASE, **({"tables": tables} | changes))  # type: ignore[arg-type]


def noisy_facts(
    rhos: Sequence[float] = (0.01, 0.004, 0.002), *, delta: float = 1e-6, **changes: object
) -> AggregatesInfo:
    """Return what a run with noise says about itself.

    Args:
        rhos: cost of each pass; the first two are of ``items``, the last is of ``pairs``.
        delta: of the release; half of it turns costs into epsilon.
        changes: of fields.
    """
    tables = {
        "items": _noisy_table(61, rhos[:2], delta),
        "pairs": _noisy_table(400, rhos[2:], delta),
        "next": TableInfo(rows=0, suppressed_share=None, max_rows_per_shopper=0, sha256="1" * 64),
    }
    made: dict[str, object] = {
        "tables": tables,
        "mechanism": "gaussian_threshold",
        "epsilon": epsilon_of(sum(rhos), delta / 2),
        "delta": delta,
        "accountant": "zCDP, OpenDP 0.14.0",
        "ledger": LedgerNote(days=365, epsilon_spent=2.0, epsilon_limit=4.0, releases=2),
        "time_from": None,
    }
    return replace(_BASE, **(made | changes))  # type: ignore[arg-type]


def noise(rho: float, delta: float) -> Noise:
    """Return one pass over counts that a shopper moves by at most 5."""
    return Noise(
        mechanism="gaussian_threshold",
        l0=100,
        l2=5.0,
        linf=1.0,
        scale=5.0 / math.sqrt(2 * rho),
        threshold=300.0,
        rho=rho,
        epsilon=epsilon_of(rho, delta / 2),
        delta=delta / 20,
    )


def epsilon_of(rho: float, delta: float) -> float:
    """Return an epsilon that `rho` (of zCDP) implies (Bun and Steinke, proposition 1.3)."""
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def label(info: AggregatesInfo | None = None, *, bundle: LabelledBundle | None = BUNDLE) -> Label:
    """Return the label of some facts, as a device reads it."""
    return Label.parse(label_bytes(make_label(info or facts(), model=MODEL, bundle=bundle)))


def edited(data: bytes, *path_and_value: object) -> bytes:
    """Return a label with the value at a path replaced by the last argument."""
    *path, last, value = path_and_value
    whole = copy.deepcopy(json.loads(data))
    here = whole
    for step in path:
        here = here[step]
    here[last] = value
    return json.dumps(whole, ensure_ascii=False).encode()


def _noisy_table(rows: int, rhos: Sequence[float], delta: float) -> TableInfo:
    return TableInfo(
        rows=rows,
        suppressed_share=None,
        max_rows_per_shopper=100,
        sha256="1" * 64,
        noise=tuple(noise(rho, delta) for rho in rhos),
    )
