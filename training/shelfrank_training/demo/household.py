"""One household of the data set on a device of its own: asked, recorded, ranked, explained."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shelfrank import Device, keys
from shelfrank.types import RANK_PURPOSE, Stored
from shelfrank_training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank import Page, RankedItem
    from shelfrank.types import ItemId
    from shelfrank_training.events import Holdout
    from shelfrank_training.progress import Progress


class StandingClock:
    """A clock that stands still: the data are from 2017, and the device lives at the cutoff."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the moment given."""
        return self._now


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One line of a household; public data, so it may be shown."""

    time: datetime
    item_id: str
    quantity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a device of the demo is opened with.

    Attributes:
        bundle: the signed bundle file.
        root: the root file that trusts it.
        events: Parquet file with every household's lines.
    """

    bundle: Path
    root: Path
    events: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the device of one household did.

    Attributes:
        household: its id in the public data set.
        purchases: lines before the cutoff.
        outcomes: how many were stored, and dropped for which reason.
        before: the page before consent.
        page: the page after.
        discoveries: a page of products the household never bought before the cutoff.
        titles: of the items on the pages.
        bought: items of both pages that the household did buy after the cutoff.
        history_bytes: the encrypted history on disk.
        record_ms: median milliseconds of one durable `Device.record`.
    """

    household: str
    purchases: int
    outcomes: Counter[str]
    before: Page
    page: Page
    discoveries: Page
    titles: dict[str, str]
    bought: frozenset[str]
    history_bytes: int
    record_ms: float


def held_out_by_lines(events: Path, holdout: Holdout, cutoff: datetime) -> list[str]:
    """Return the held-out households by their number of lines before the cutoff, fewest first.

    Those that also bought afterwards. The demo shows the one in the middle and times a ranking on
    the last: rules, so that nobody chose a household for its looks.

    Raises:
        DataError: there is none.
    """
    lines = pq.read_table(events, columns=["shopper_id", "time"])
    early = pc.less(lines["time"], cutoff.replace(tzinfo=None))
    later = set(lines.filter(pc.invert(early))["shopper_id"].unique().to_pylist())
    counts = Counter(lines.filter(early)["shopper_id"].to_pylist())
    ordered = sorted(
        (count, household)
        for household, count in counts.items()
        if household in later and holdout.contains(household)
    )
    if not ordered:
        raise DataError("no household was held out that bought before and after the cutoff")
    return [household for _, household in ordered]


def read_purchases(events: Path, household: str) -> list[Purchase]:
    """Return a household's lines, oldest first."""
    table = pq.read_table(events, filters=[("shopper_id", "=", household)])
    rows = table.sort_by([("time", "ascending"), ("item_id", "ascending")]).to_pylist()
    return [
        Purchase(
            time=row["time"].replace(tzinfo=UTC),
            item_id=row["item_id"],
            quantity=row["quantity"],
        )
        for row in rows
    ]


def show_household(
    folder: Path, signed: Signed, household: str, *, cutoff: datetime, progress: Progress
) -> Shown:
    """Open a device at the cutoff, ask, replay the purchases, rank, explain.

    Args:
        folder: for the device's files.
        signed: what the device serves, and the events to replay from.
        household: its id.
        cutoff: where the device's clock stands; later lines are what came true.
        progress: who hears about the replay.
    """
    purchases = read_purchases(signed.events, household)
    past = [line for line in purchases if line.time < cutoff]
    future = {line.item_id for line in purchases if line.time >= cutoff}
    outcomes: Counter[str] = Counter()
    took: list[float] = []
    with Device.open(
        folder / "profile",
        bundle=signed.bundle,
        trust=signed.root,
        key=keys.file(folder / "profile.key"),
        clock=StandingClock(cutoff),
    ) as device:
        before = device.rank()
        notice = device.consent.notice(RANK_PURPOSE, language="en")
        device.consent.grant(RANK_PURPOSE, shown=notice)
        for line in progress.track(past, description="record a household", total=len(past)):
            start = perf_counter()
            outcome = device.record(
                "purchase", line.item_id, quantity=line.quantity, time=line.time
            )
            took.append(perf_counter() - start)
            outcomes["stored" if isinstance(outcome, Stored) else outcome.reason] += 1
        page = device.rank()
        discoveries = device.rank(_never_bought(device, past))
        titles = _titles(device, [*page, *discoveries])
    return Shown(
        household=household,
        purchases=len(past),
        outcomes=outcomes,
        before=before,
        page=page,
        discoveries=discoveries,
        titles=titles,
        bought=frozenset(future & titles.keys()),
        history_bytes=(folder / "profile" / "history.db").stat().st_size,
        record_ms=float(np.median(took) * 1000) if took else 0.0,
    )


def _never_bought(device: Device, past: list[Purchase]) -> list[ItemId]:
    bought = {purchase.item_id for purchase in past}
    known = device.bundle.catalog.item_ids if device.bundle is not None else []
    return [item_id for item_id in known if item_id not in bought]


def _titles(device: Device, items: list[RankedItem]) -> dict[str, str]:
    catalog = device.bundle.catalog if device.bundle is not None else None
    titles: dict[str, str] = {}
    for item in items:
        row = catalog.index_of(item.item_id) if catalog is not None else None
        title = None if catalog is None or row is None else catalog.title(row)
        titles[item.item_id] = title or item.item_id
    shared = {title for title, count in Counter(titles.values()).items() if count > 1}
    return {
        item_id: f"{title} ({item_id})" if title in shared else title
        for item_id, title in titles.items()
    }
