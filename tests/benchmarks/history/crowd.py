"""Let a crowd work on one history and kill its members at random; count what is there at the end.

    python tests/benchmarks/history/crowd.py --count 60

For `--count` seconds four processes append, one erases what they appended, one appends and erases
its own and rotates the root, and two read. Each says what it begins and what is
acknowledged; every moment one of them gets SIGKILL and is replaced. At the end every event that was
acknowledged and not erased must be there, once and in its writer's order; none whose erasure was
acknowledged; beside them at most those that were in flight. No process may end by an error: waiting
for another one for over five seconds (`HistoryLockedError`) is counted, and the step tried again.
Readers must never see damage, nor an event come back.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from shelfrank.errors import HistoryError, HistoryLockedError
from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.histories import Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from shelfrank.history.store import History
    from support.faults.children import Say

ROLES: Final = ("writer", "writer", "writer", "writer", "eraser", "rotator", "reader", "reader")

BETWEEN_KILLS: Final = 0.15
"""Seconds, on average."""

KEPT: Final = 300
"""The eraser lets this many events stand: verifying costs time in proportion."""


def insist(say: Say, act: Callable[[], object]) -> None:
    """Do something; when others hold the lock too long, say so and try again."""
    while True:
        try:
            act()
        except HistoryLockedError:
            say("locked")
            continue
        return


def write(history: History, name: str, say: Say, rng: np.random.Generator) -> None:
    """Append for ever."""
    for number in itertools.count():
        item = f"{name}-{number}"
        say(f"+? {item}")
        insist(say, lambda item=item: history.append([new_event(item)]))  # type: ignore[misc]
        say(f"+ {item}")
        time.sleep(rng.uniform(0, 0.01))


def erase(history: History, name: str, say: Say, rng: np.random.Generator) -> None:  # noqa: ARG001
    """Erase events of the writers, some at a time, when there are many."""
    while True:
        mine = [item for item in items_of(history) if item.startswith("writer")]
        if len(mine) <= KEPT:
            time.sleep(0.05)
            continue
        chosen = rng.choice(len(mine), len(mine) - KEPT + KEPT // 3, replace=False)
        doomed = [mine[at] for at in chosen]
        for item in doomed:
            say(f"-? {item}")
        gone = frozenset(doomed)
        insist(say, lambda gone=gone: history.erase(lambda s: s.event.item_id in gone))  # type: ignore[misc]
        for item in doomed:
            say(f"- {item}")


def rotate(history: History, name: str, say: Say, rng: np.random.Generator) -> None:
    """Append one event and erase it, then rotate, for ever: the root is replaced twice a time."""
    for number in itertools.count():
        item = f"{name}-{number}"
        say(f"+? {item}")
        insist(say, lambda item=item: history.append([new_event(item)]))  # type: ignore[misc]
        say(f"+ {item}")
        say(f"-? {item}")
        insist(say, lambda item=item: history.erase(lambda s: s.event.item_id == item))  # type: ignore[misc]
        say(f"- {item}")
        insist(say, history.rotate)
        say("rotated")
        time.sleep(rng.uniform(0, 0.05))


def read(history: History, name: str, say: Say, rng: np.random.Generator) -> None:  # noqa: ARG001
    """Read for ever; an event that went must not come back."""
    gone: set[str] = set()
    before: set[str] = set()
    while True:
        now = items_of(history)
        if history.damaged or history.lost:
            say(f"bad reader saw damage {history.damaged}")
        if len(set(now)) < len(now):
            say("bad reader saw an event twice")
        gone |= before - set(now)
        if back := gone & set(now):
            say(f"bad reader saw {len(back)} events come back")
        before = set(now)
        say("read")
        time.sleep(rng.uniform(0, 0.02))


WORK: Final = {"writer": write, "eraser": erase, "rotator": rotate, "reader": read}


class Log:
    """What everybody has said, taken together."""

    def __init__(self) -> None:
        self.begun: set[str] = set()
        self.appended: set[str] = set()
        self.doomed: set[str] = set()
        self.erased: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.bad: list[str] = []

    def hear(self, line: str) -> None:
        """Take one line."""
        sign, _, item = line.partition(" ")
        marks = {"+?": self.begun, "+": self.appended, "-?": self.doomed, "-": self.erased}
        if sign in marks:
            marks[sign].add(item)
        elif sign in {"bad", "failed"}:
            self.bad.append(line)
        else:
            self.counts[sign] += 1


def start(profile: Profile, role: str, name: str, seed: list[int]) -> Child:
    """Start a member of the crowd."""

    def work(say: Say) -> None:
        with profile.open() as history:
            WORK[role](history, name, say, np.random.default_rng(seed))

    return Child(work)


def campaign(options: Options, tally: Tally) -> None:
    """Let them work, kill, and count."""
    rng = np.random.default_rng(options.seed)
    profile, log = Profile(options.folder), Log()
    numbers = itertools.count()

    def fresh(role: str) -> Child:
        number = next(numbers)
        return start(profile, role, f"{role}{number}", [options.seed, number])

    members = [(role, fresh(role)) for role in ROLES]
    end, progress, shown = time.monotonic() + options.count, Progress("crowd", options.count), 0.0
    next_kill = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.callback(end_all, members)
        while (left := end - time.monotonic()) > 0:
            listen([child for _, child in members], log)
            for at, (role, child) in enumerate(members):
                if child.has_ended():
                    log.bad.append(f"failed {role} ended with {child.exit_code}")
                    members[at] = (role, fresh(role))
            if time.monotonic() >= next_kill:
                at = int(rng.integers(len(members)))
                role, child = members[at]
                tally.figures["kills"] += 1
                bury(child, log)
                members[at] = (role, fresh(role))
                next_kill = time.monotonic() + rng.exponential(BETWEEN_KILLS)
            if options.count - left >= shown + 1:
                shown += 1
                progress.step()
        for _, child in members:
            bury(child, log)
    settle(profile, log, tally)


def end_all(members: list[tuple[str, Child]]) -> None:
    for _, child in members:
        child.kill()


def listen(children: list[Child], log: Log) -> None:
    ready, _, _ = select.select(children, [], [], 0.01)
    for child in ready:
        for line in child.some_lines() or []:
            log.hear(line)


def bury(child: Child, log: Log) -> None:
    """Kill a member and hear what it said last."""
    with child:
        child.kill()
        for line in child.all_lines():
            log.hear(line)
    if child.exit_code == FAILED and not log.bad:
        log.bad.append("failed without a word")


def settle(profile: Profile, log: Log, tally: Tally) -> None:
    """Hold what is there against what was said."""
    try:
        with profile.open() as history:
            items, reported = items_of(history), (history.damaged, history.lost)
    except HistoryError as error:
        tally.fault("crowd", f"does not open at the end: {type(error).__name__}: {error}")
        return
    stored = set(items)
    for what, wrong in (
        ("acknowledged events are missing", log.appended - log.doomed - stored),
        ("erased events are back", log.erased & stored),
        ("events are there that nobody appended", stored - log.begun),
    ):
        if wrong:
            tally.fault("crowd", f"{len(wrong)} {what}, such as {min(wrong)}")
    if len(stored) < len(items):
        tally.fault("crowd", f"{len(items) - len(stored)} events are there twice")
    if reported != ((), 0):
        tally.fault("crowd", f"damage is reported: {reported}")
    for line in log.bad:
        tally.fault("crowd", line[-300:])
    tally.figures.update(
        {
            "appends acknowledged": len(log.appended),
            "erasures acknowledged": len(log.erased),
            "rotations acknowledged": log.counts["rotated"],
            "readings": log.counts["read"],
            "locked for over 5 seconds": log.counts["locked"],
            "in flight and kept": len(stored - log.appended),
            "events at the end": len(items),
        }
    )


if __name__ == "__main__":
    main(campaign, name="crowd", doc=__doc__, count=60, guards=("fresh-state",))
