"""The history against the plainest thing it could be: a list. A machine of rules for hypothesis.

Beside what a device does to its history there are rules for what happens to it: a process that dies
at a chosen moment, another process that writes, a flipped bit, a recovery into another folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from shelfrank.errors import HistoryError
from shelfrank.history import frame, session
from shelfrank.history.anchor import DiskAnchor
from shelfrank.history.keyring import KeyFile
from shelfrank.history.store import History
from support.faults.children import Child
from support.faults.command import MEMORY_DISK
from support.histories import RANK, START, Profile, new_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from shelfrank.types import Event
    from support.faults.children import Say

PURPOSES = (RANK, "measure")
KILLED = 9
DONE = 7

purposes = st.sets(st.sampled_from(PURPOSES), min_size=1).map(frozenset)
items = st.integers(0, 5).map("sku-{}".format)

MOMENTS = {
    "before the head": (session.Session, "_number"),
    "after the head": (frame, "_write"),
    "before the anchor": (session.Session, "_anchor_commit"),
    "in the anchor": (DiskAnchor, "write"),
    "before the old key goes": (session.Session, "retire_old_keys"),
    "before the mark": (KeyFile, "remember"),
}
"""Where a process dies: at the call of this function."""


def can_fork(_: object) -> bool:
    """Say whether this system can: without it there is no other process that dies."""
    return hasattr(os, "fork")


@dataclass(frozen=True)
class Row:
    event: Event
    purposes: frozenset[str]


class HistoryMachine(RuleBasedStateMachine):
    """Does the same to a history and to a list; both must show the same after every step."""

    counts: ClassVar[Counter[str]] = Counter()

    @initialize()
    def start(self) -> None:
        where = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(dir=where, prefix="history-model-"))
        self.profile = Profile(self.root)
        self.history = self.profile.open()
        self.other = self.profile.open()
        self.rows: list[Row] = []
        self.minute = 0.0
        self.counts["sequences"] += 1

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
    def rotate(self) -> None:
        if self.history.newest_time is not None:
            self.history.rotate()

    @rule()
    def destroy(self) -> None:
        self.history.destroy()
        self.rows = []

    # What happens to it.

    @precondition(can_fork)
    @rule(item=items, moment=st.sampled_from(sorted(MOMENTS)))
    def die_while_erasing(self, item: str, moment: str) -> None:
        after = [row for row in self.rows if row.event.item_id != item]
        self._die(moment, lambda history: history.erase(lambda s: s.event.item_id == item), after)

    @precondition(can_fork)
    @rule(moment=st.sampled_from(sorted(MOMENTS)))
    def die_while_appending(self, moment: str) -> None:
        # An event of no purpose of ours: the list need not know its visit.
        lost = new_event("in flight", minutes=self.minute, purposes=("nobody's",))
        self._die(moment, lambda history: history.append([lost]), self.rows)
        self.history.drop_purpose("nobody's")

    def _die(self, moment: str, act: Callable[[History], object], rows_after: list[Row]) -> None:
        """Let another process die in the middle of something; see that all or nothing is done."""
        owner, name = MOMENTS[moment]

        def work(_: Say) -> None:
            with ExitStack() as stack:
                history = self.profile.open()
                stack.enter_context(patch.object(owner, name, _killed))
                act(history)
            os._exit(DONE)

        self.history.close()
        self.other.close()
        with Child(work) as child:
            code = child.join()
            assert code in {KILLED, DONE}, child.all_lines()
        self.counts["processes killed"] += code == KILLED
        self.history, self.other = self.profile.open(), self.profile.open()
        durable = "head" not in moment
        if code == DONE or durable:
            self.rows = rows_after

    @precondition(can_fork)
    @rule(batch=st.lists(items, min_size=1, max_size=2))
    def write_in_another_process(self, batch: list[str]) -> None:
        def work(_: Say) -> None:
            history = self.profile.open()
            history.append([new_event(item, minutes=self.minute) for item in batch])

        with Child(work) as child:
            assert child.join() == 0, child.all_lines()
        known = Counter(row.event for row in self.rows if RANK in row.purposes)
        fresh = list((Counter(self.history.events(RANK)) - known).elements())
        assert sorted(event.item_id for event in fresh) == sorted(batch)
        self.rows += [Row(event, frozenset({RANK})) for event in fresh]

    @rule(place=st.floats(0, 1, exclude_max=True), anchor=st.booleans())
    def flip_a_bit(self, place: float, anchor: bool) -> None:
        path = self.profile.anchor if anchor else self.profile.database
        if not path.exists() or not path.stat().st_size:
            return  # A creation that was cut has left an empty file.
        self.history.close()
        self.other.close()
        files = {each: each.read_bytes() for each in self.root.rglob("*") if each.is_file()}
        bit = int(place * len(files[path]) * 8)
        data = bytearray(files[path])
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            with self.profile.open() as history:
                found, expected = _sorted(history.events(RANK)), self._expected(RANK)
                assert history.damaged or found == expected
                assert not Counter(found) - Counter(expected)
        except HistoryError:
            self.counts["flips refused"] += 1
        self.counts["bits flipped"] += 1
        for each in [each for each in self.root.rglob("*") if each.is_file()]:
            if each not in files:
                each.unlink()
        for each, content in files.items():
            each.write_bytes(content)
        self.history, self.other = self.profile.open(), self.profile.open()

    @rule()
    def recover(self) -> None:
        if self.history.newest_time is None:
            return
        beside = Profile(self.root / "beside")
        done = History.recover(
            self.profile.folder,
            self.profile.key,
            into=beside.folder,
            into_key=beside.key,
            clock=beside.clock,
        )
        assert (done.kept, done.lost) == (len(self.rows), 0)
        with beside.open() as history:
            assert _sorted(history.events(RANK)) == self._expected(RANK)
        shutil.rmtree(self.root / "beside")

    @invariant()
    def both_openings_show_what_the_list_holds(self) -> None:
        if not hasattr(self, "rows"):
            return
        self.counts["steps"] += 1
        for history in (self.history, self.other):
            assert len(history) == len(self.rows)
            assert (history.damaged, history.lost) == ((), 0)
            for purpose in PURPOSES:
                found = history.events(purpose)
                places = [(event.visit, event.order) for event in found]
                assert places == sorted(places)
                # Events of one place are unordered.
                assert _sorted(found) == self._expected(purpose)

    def _expected(self, purpose: str) -> list[Event]:
        return _sorted([row.event for row in self.rows if purpose in row.purposes])

    def teardown(self) -> None:
        if hasattr(self, "rows"):
            self.history.close()
            self.other.close()
            shutil.rmtree(self.root)


def _killed(*_: object, **__: object) -> None:
    os._exit(KILLED)


def _sorted(events: list[Event] | tuple[Event, ...]) -> list[Event]:
    return sorted(events, key=_everything)


def _everything(event: Event) -> tuple[int, int, datetime, str]:
    return event.visit, event.order, event.time, event.item_id
