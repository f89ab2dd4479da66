"""A universe of sixty items, shoppers, models that say what they are told, and a model folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from shelfrank.types import ItemId
from shelfrank_training.evaluate.folder import Provenance
from shelfrank_training.evaluate.histories import SourceEvent
from shelfrank_training.evaluate.protocol import Universe
from shelfrank_training.events import Holdout
from support.tiny_model import INFO, write_model_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shelfrank.types import Event

CUTOFF: Final = datetime(2017, 12, 1, tzinfo=UTC)
N_ITEMS: Final = 60
UNIVERSE: Final = Universe.of({ItemId(f"i{at:02}"): 1000 - at for at in range(N_ITEMS)})
PROVENANCE: Final = Provenance(
    holdout=Holdout(share=0.2, salt="s"),
    trained_until=CUTOFF,
    min_shoppers=20,
    max_items=100,
    epsilon=None,
)


class Fixed:
    """A model that gives a known answer."""

    def __init__(self, answer: Callable[[Sequence[Event]], npt.NDArray[np.float64]]) -> None:
        self._answer = answer

    def __call__(
        self,
        history: Sequence[Event],
        *,
        now: datetime,  # noqa: ARG002 - the protocol's
        in_visit: bool,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        """Answer."""
        return self._answer(history)


def wants(*rows: int) -> Fixed:
    """Return a model that puts these items first, whatever the history."""
    scores = np.zeros(N_ITEMS)
    scores[list(rows)] = np.arange(len(rows), 0, -1)
    return Fixed(lambda _history: scores)


def shopper(before: Sequence[int], after: Sequence[int]) -> list[SourceEvent]:
    """Return one purchase a day: `before` up to the cutoff, `after` from the day after it."""
    return [
        SourceEvent(time=CUTOFF + timedelta(days=day), item_id=UNIVERSE.item_ids[item])
        for days, items in (
            (range(-len(before), 0), before),
            (range(1, len(after) + 1), after),
        )
        for day, item in zip(days, items, strict=True)
    ]


def write_measurable_folder(
    folder: Path, *, holdout: float = 0.0, policy: bytes | None = None
) -> Path:
    """Write a model folder that ranks 00042, 7, sku-17; its universe has `gone` above them.

    Args:
        folder: where.
        holdout: share of shoppers that training is said to have kept out.
        policy: ``policy.toml``, or None for none.
    """
    write_model_folder(folder)
    nothing: dict[str, list[float]] = {spec.name: [] for spec in INFO.inputs}
    inputs = nothing | {"candidate": [1], "situation": [0], "daypart": [-1]}
    golden = {"cases": [{"inputs": inputs, "parts": [[2.0, 0.25]]}]}
    (folder / "golden.json").write_text(json.dumps(golden))
    made = {
        "holdout": {"share": holdout, "salt": "s"},
        "time_range": {"from": "2017-01-01T00:00:00", "to": "2017-12-01T00:00:00"},
        "min_shoppers": 50,
        "max_items": 100,
        "epsilon": None,
    }
    described = json.loads((folder / "model.json").read_bytes())
    (folder / "model.json").write_text(json.dumps(described | made))
    items = {"item_id": ["gone", "00042", "7", "sku-17"], "weight": [9000, 800, 700, 600]}
    pq.write_table(pa.table(items | {"shoppers": [90, 80, 70, 60]}), folder / "items.parquet")
    if policy is not None:
        (folder / "policy.toml").write_bytes(policy)
    return folder
