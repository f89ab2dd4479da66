"""How long a ranking takes, from the call to the page."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank import Event, Ranker
from shelfrank.bundle.verify import verify_bundle
from shelfrank.types import ItemId, ItemIdx

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import numpy.typing as npt

    from shelfrank_training.demo.household import Purchase

N_CANDIDATES: Final = 1000
N_EVENTS: Final = 300
N_RUNS: Final = 300
_WARM_UP: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTimes:
    """Times of single calls.

    Attributes:
        milliseconds: float64, shape (N_RUNS,).
        n_candidates: candidates ranked.
        n_events: events of the history.
    """

    milliseconds: npt.NDArray[np.float64]
    n_candidates: int
    n_events: int

    def quantile(self, share: float) -> float:
        """Return a quantile in milliseconds; 0.5 is the median."""
        return float(np.quantile(self.milliseconds, share))


def time_ranking(
    bundle: Path, root: Path, purchases: list[Purchase], *, now: datetime
) -> RankTimes:
    """Time `Ranker.rank` on `N_CANDIDATES` candidates and the newest `N_EVENTS` purchases.

    Args:
        bundle: signed.
        root: trusts it.
        purchases: oldest first; those of items the bundle lacks do not count.
        now: aware, after the purchases.
    """
    verified = verify_bundle(bundle.read_bytes(), trust=root.read_bytes(), now=now)
    ranker = Ranker(verified)
    known = [p for p in purchases if ranker.catalog.index_of(ItemId(p.item_id)) is not None]
    events = [
        Event(
            kind="purchase",
            item_id=ItemId(purchase.item_id),
            time=purchase.time,
            visit=purchase.time.timetuple().tm_yday,
            order=0,
        )
        for purchase in known[-N_EVENTS:]
    ]
    n_candidates = min(N_CANDIDATES, ranker.catalog.n_items)
    candidates = [ranker.catalog.id_of(ItemIdx(row)) for row in range(n_candidates)]
    took = []
    for _ in range(_WARM_UP + N_RUNS):
        start = perf_counter()
        ranker.rank(events, candidates, now=now)
        took.append(perf_counter() - start)
    return RankTimes(
        milliseconds=np.array(took[_WARM_UP:]) * 1000,
        n_candidates=n_candidates,
        n_events=len(events),
    )
