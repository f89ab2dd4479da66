"""The history against the plainest thing it could be: a list."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.histories import RANK, START, Profile, new_event

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank.types import Event

PURPOSES = (RANK, "measure")

purposes = st.sets(st.sampled_from(PURPOSES), min_size=1).map(frozenset)
items = st.integers(0, 5).map("sku-{}".format)


@dataclass(frozen=True)
class Row:
    event: Event
    purposes: frozenset[str]


class HistoryMachine(RuleBasedStateMachine):
    """Does the same to a history and to a list; both must show the same after every step."""

    @initialize()
    def start(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.profile = Profile(self.root)
        self.history = self.profile.open()
        self.other = self.profile.open()
        self.rows: list[Row] = []
        self.minute = 0.0

    @rule(
        batch=st.lists(st.tuples(items, purposes, st.integers(-50, 50)), max_size=4),
        repeats=st.sampled_from([1, 1, 1, 50]),
    )
    def append(self, batch: list[tuple[str, frozenset[str], int]], repeats: int) -> None:
        events = []
        for item, given, step in batch * repeats:
            self.minute += step
            events.append(new_event(item, minutes=self.minute, purposes=tuple(given)))
        stored = self.history.append(events)
        assert [e.item_id for e in stored] == [e.item_id for e in events]
        pairs = zip(stored, events, strict=True)
        self.rows += [Row(event, new.purposes) for event, new in pairs]

    @rule()
    def start_visit(self) -> None:
        self.history.new_visit()

    @rule()
    def swap(self) -> None:
        self.history, self.other = self.other, self.history

    @rule()
    def reopen(self) -> None:
        self.history.close()
        self.history = self.profile.open()

    @rule(item=items)
    def erase(self, item: str) -> None:
        expected = [row for row in self.rows if row.event.item_id != item]
        erased = self.history.erase(lambda stored: stored.event.item_id == item)
        assert erased == len(self.rows) - len(expected)
        self.rows = expected

    @rule(purpose=st.sampled_from(PURPOSES))
    def drop_purpose(self, purpose: str) -> None:
        erased = self._end(purpose, START + timedelta(days=10_000))
        assert self.history.drop_purpose(purpose) == erased

    @rule(purpose=st.sampled_from(PURPOSES), minutes=st.integers(-200, 200))
    def drop_older(self, purpose: str, minutes: int) -> None:
        limit = START + timedelta(minutes=minutes)
        erased = self._end(purpose, limit)
        assert self.history.drop_older(purpose, limit) == erased

    def _end(self, purpose: str, limit: datetime) -> int:
        before = len(self.rows)
        ended = [
            replace(row, purposes=row.purposes - {purpose}) if row.event.time < limit else row
            for row in self.rows
        ]
        self.rows = [row for row in ended if row.purposes]
        return before - len(self.rows)

    @rule()
    def destroy(self) -> None:
        self.history.destroy()
        self.rows = []

    @invariant()
    def both_openings_show_what_the_list_holds(self) -> None:
        if not hasattr(self, "rows"):
            return
        for history in (self.history, self.other):
            assert len(history) == len(self.rows)
            assert (history.damaged, history.lost) == ((), 0)
            for purpose in PURPOSES:
                expected = [row.event for row in self.rows if purpose in row.purposes]
                found = history.events(purpose)
                places = [(event.visit, event.order) for event in found]
                assert places == sorted(places)
                # Events of one place are unordered.
                assert sorted(found, key=_everything) == sorted(expected, key=_everything)

    def teardown(self) -> None:
        if hasattr(self, "rows"):
            self.history.close()
            self.other.close()
            shutil.rmtree(self.root)


def _everything(event: Event) -> tuple[int, int, datetime, str]:
    return event.visit, event.order, event.time, event.item_id


TestHistory = HistoryMachine.TestCase
TestHistory.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
