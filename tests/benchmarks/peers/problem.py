"""What is asked, of us and of the peers: made from events as ``evaluate`` makes it.

Two problems are made. The one that is reported asks at the cutoff for the shoppers that training
kept out. The one that peers are tuned on asks at an earlier moment for the other shoppers, and
nothing of the first one is in it: neither a kept-out shopper nor anything from the cutoff on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.peers.exchange import Rows, write_task
from shelfrank_training.evaluate.curves.measuring import Sample
from shelfrank_training.evaluate.histories import keep_all, record
from shelfrank_training.evaluate.run import Settings, collect
from shelfrank_training.evaluate.source import by_shopper
from shelfrank_training.events import open_engine, read_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from shelfrank.types import Event
    from shelfrank_training.evaluate.evaluation import LeftOut
    from shelfrank_training.evaluate.histories import DeviceRules, SourceEvent
    from shelfrank_training.evaluate.protocol import Moment, Universe
    from shelfrank_training.events import Columns, Holdout

MAX_TUNED_ON: Final = 1_000
"""Enough to tell settings apart, and some libraries take a tenth of a second for each shopper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shoppers:
    """Everybody's rows, oldest first.

    Attributes:
        kept_out: those that training did not see: they are measured.
        others: those that models are made from, and peers tuned on, in an order that
            says nothing about them.
    """

    kept_out: list[list[SourceEvent]]
    others: list[list[SourceEvent]]


def read_shoppers(events: Path, columns: Columns, holdout: Holdout) -> Shoppers:
    """Read an events file.

    Args:
        events: Parquet or CSV.
        columns: how its columns differ from the contract's.
        holdout: who is kept out.
    """
    kept_out: list[list[SourceEvent]] = []
    others: list[tuple[str, list[SourceEvent]]] = []
    with open_engine() as engine:
        table = read_events(events, None, engine=engine, columns=columns).as_stored()
        for shopper_id, rows in by_shopper(table):
            if holdout.contains(shopper_id):
                kept_out.append(rows)
            else:
                others.append((hashlib.sha256(shopper_id.encode()).hexdigest(), rows))
    # By hash: ids often grow with time, and the first ones would be the oldest customers.
    others.sort(key=itemgetter(0))
    return Shoppers(kept_out=kept_out, others=[rows for _, rows in others])


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Who is asked for at a cutoff, and what everybody did before it.

    Attributes:
        cutoff: aware, UTC.
        universe: the items that compete.
        moments: of each shopper who is asked for; its targets never leave this process.
        others: rows of the shoppers who are not asked for, all from before the cutoff.
        left_out: who and what does not count.
    """

    cutoff: datetime
    universe: Universe
    moments: tuple[Moment, ...]
    others: list[list[SourceEvent]]
    left_out: LeftOut

    def write(self, folder: Path) -> None:
        """Write what peers are given."""
        write_task(
            folder,
            item_ids=self.universe.item_ids,
            weight=self.universe.weight,
            histories=_rows((moment.history for moment in self.moments), self.universe, first=0),
            training=_rows(
                (record(rows, keep_all()).events for rows in self.others),
                self.universe,
                first=len(self.moments),
            ),
            shoppers=(len(self.moments), len(self.moments) + len(self.others)),
        )


def reported_problem(
    shoppers: Shoppers, universe: Universe, rules: DeviceRules, *, cutoff: datetime
) -> Problem:
    """Ask for the kept-out shoppers, exactly as ``evaluate`` does.

    Args:
        shoppers: everybody.
        universe: the items that compete.
        rules: what a device does to histories.
        cutoff: events before it are history, events at it or later are targets.
    """
    return _problem(shoppers.kept_out, shoppers.others, universe, rules, cutoff)


def tuning_problem(
    shoppers: Shoppers,
    universe: Universe,
    rules: DeviceRules,
    *,
    cutoff: datetime,
    inner: datetime,
) -> Problem:
    """Ask at an earlier moment for some of the shoppers that models are made from.

    Args:
        shoppers: everybody; the kept-out ones are not looked at.
        universe: the items that compete, weighed by what lay before `inner`.
        rules: what a device does to histories.
        cutoff: of the problem that is reported; nothing from here on is looked at.
        inner: events before it are history, events between it and `cutoff` are targets.
    """
    asked: list[list[SourceEvent]] = []
    others: list[list[SourceEvent]] = []
    for known in shoppers.others:
        rows = [row for row in known if row.time < cutoff]
        both = rows and rows[0].time < inner <= rows[-1].time
        (asked if both and len(asked) < MAX_TUNED_ON else others).append(rows)
    return _problem(asked, others, universe, rules, inner)


def _problem(
    asked: Iterable[Sequence[SourceEvent]],
    others: Sequence[Sequence[SourceEvent]],
    universe: Universe,
    rules: DeviceRules,
    cutoff: datetime,
) -> Problem:
    sample = Sample(universe)
    left_out = collect(sample, asked, rules, Settings(cutoff=cutoff))
    early = [[row for row in rows if row.time < cutoff] for rows in others]
    return Problem(
        cutoff=cutoff,
        universe=universe,
        moments=tuple(moment for moments in sample.shoppers for moment in moments),
        others=[rows for rows in early if rows],
        left_out=left_out,
    )


def _rows(histories: Iterable[Sequence[Event]], universe: Universe, *, first: int) -> Rows:
    """Return events of shoppers `first`, `first` + 1, …, those of items that compete."""
    found = [
        (shopper, universe.index[event.item_id], event.visit, event.time, event.kind)
        for shopper, history in enumerate(histories, start=first)
        for event in history
        if event.item_id in universe.index
    ]
    number = [np.array([row[column] for row in found], dtype=np.int64) for column in range(3)]
    # Naive UTC, as numpy knows no zones.
    times = np.array([row[3].replace(tzinfo=None) for row in found], dtype="datetime64[us]")
    return Rows(
        shopper=number[0],
        item=number[1],
        visit=number[2],
        time=times.astype(np.int64),
        kind=np.array([row[4] for row in found], dtype=np.str_),
    )
