"""What one shopper of part B is asked: which moments, and which items compete there.

Pure. Every choice is made by a keyed hash of what it is about, so it is the same on every machine
and for every order of the rows, and no shopper changes what another is asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank_training.evaluate.histories import split_visits
from shelfrank_training.events import Holdout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.types import Event, ItemId
    from shelfrank_training.evaluate.histories import Recording, SourceEvent

MOMENTS: Final = 10
"""Moments of one shopper, each in a visit of its own: more would tell little that is new, and all
bounds grow with it."""

TAKEN: Final = 5
"""Taken items that count at one moment. On the Complete Journey half of all visits take no more of
the model's items; more would double how far one bulk buyer moves the table."""

SLOTS: Final = 25
"""Draws of one moment for items that compete, a fifth of them blanks. Weights learned on the
Complete Journey and on Online Retail ranked other shoppers as well with 20 items as with 50."""

MAX_CANDIDATES: Final = TAKEN + SLOTS
"""Items that compete at one moment at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One moment at which a device could have ranked, and what was taken after it.

    Attributes:
        now: when.
        history: what the device could use then.
        in_visit: whether the last visit of the history still lasted.
        candidates: int64, shape (C,), rows of the model, distinct, ascending; C is at most
            `MAX_CANDIDATES`.
        bought: bool, shape (C,), what the shopper took in this visit, then or later; at least 1 and
            at most `TAKEN`.
    """

    now: datetime
    history: Sequence[Event]
    in_visit: bool
    candidates: npt.NDArray[np.int64]
    bought: npt.NDArray[np.bool_]


def half_of(shopper_id: str, *, salt: str) -> int:
    """Return the half of part B that a shopper is in, 0 or 1: one and no other, with even chances.

    Args:
        shopper_id: whose.
        salt: of the hashes; its own word is added, so that the halves go with no other choice.
    """
    return int(Holdout(share=0.5, salt=f"{salt}|half").contains(shopper_id))


def sampling_rate(n_items: int) -> float:
    """Return the chance that an item which was not taken competes at a moment.

    The same for every item, moment and shopper, so it moves the intercept of what is learned and no
    weight; counts of items that were not taken, divided by it, stand for all of them.

    Args:
        n_items: of the provisional model, which are the rows of the published table ``items``.
    """
    return 1 - (1 - 1 / _numbers(n_items)) ** min(SLOTS, n_items)


def questions(
    shopper_id: str,
    source: Sequence[SourceEvent],
    recording: Recording,
    row_of: Callable[[ItemId], int | None],
    *,
    n_items: int,
    salt: str,
) -> list[Question]:
    """Return what one shopper is asked, oldest moment first, at most `MOMENTS`.

    Up to `MOMENTS` visits are chosen among those with a moment to ask about; in each, one moment:
    its start, or, for half of the visits that go on after it, a later one. A moment can be asked
    about when the shopper had an event before it, and took an item of the model at it or later in
    the visit. A dislike takes nothing.

    Args:
        shopper_id: whose.
        source: the shopper's rows in order of time.
        recording: the same rows as the device stored them.
        row_of: the model's row of an item, None where it has none.
        n_items: of the model, rows 0..n_items-1.
        salt: of the hashes.
    """
    chosen = sorted(_moments(shopper_id, source, row_of, salt), key=attrgetter("digest"))[:MOMENTS]
    return [
        _question(moment, recording, n_items)
        for moment in sorted(chosen, key=attrgetter("now", "digest"))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """A moment that may be asked about, and the hash that decides.

    Attributes:
        digest: of the visit.
        now: when.
        visit_id: the shop's key of the visit, or None.
        taken: time and row of each item of the model that the visit takes.
    """

    digest: str
    now: datetime
    visit_id: str | None
    taken: Sequence[tuple[datetime, int]]


def _moments(
    shopper_id: str,
    source: Sequence[SourceEvent],
    row_of: Callable[[ItemId], int | None],
    salt: str,
) -> Iterator[_Moment]:
    """Yield one moment of every visit that has any."""
    for visit in split_visits(source):
        taken = [
            (event.time, row)
            for event in visit
            if event.kind != "dislike" and (row := row_of(event.item_id)) is not None
        ]
        if not taken:
            continue
        first = visit[0]
        starts = first.time > source[0].time
        later = sorted({event.time for event in visit if first.time < event.time <= taken[-1][0]})
        digest = _digest(salt, shopper_id, first.time.isoformat(), first.visit_id or "")
        # The last digits, since the first ones decide which visits are chosen.
        dice = int(digest[-16:], 16)
        if later and not (starts and dice % 2):
            now = later[dice // 2 % len(later)]
        elif starts:
            now = first.time
        else:
            continue
        yield _Moment(digest=digest, now=now, visit_id=first.visit_id, taken=taken)


def _question(moment: _Moment, recording: Recording, n_items: int) -> Question:
    taken = {row for time, row in moment.taken if time >= moment.now}
    by_digest = sorted(taken, key=lambda row: (_digest(moment.digest, str(row)), row))
    counted = by_digest[:TAKEN]
    others = [row for row in _draw(moment.digest, n_items) if row not in taken]
    candidates = np.array(sorted([*counted, *others]), dtype=np.int64)
    return Question(
        now=moment.now,
        history=recording.before(moment.now),
        in_visit=recording.in_visit(moment.now, visit_id=moment.visit_id),
        candidates=candidates,
        bought=np.isin(candidates, counted),
    )


def _draw(key: str, n_items: int) -> list[int]:
    """Return distinct rows, each with chance `sampling_rate`.

    There are blanks in the draw, and never more draws than items, so how many come out is chance.
    With a fixed number, all counts of the table would add up to a multiple of it, and what a
    suppressed row holds would follow from the published ones.
    """
    bits = hashlib.shake_256(key.encode()).digest(8 * min(SLOTS, n_items))
    numbers = np.frombuffer(bits, dtype="<u8") % np.uint64(_numbers(n_items))
    return [int(number) for number in np.unique(numbers) if number < n_items]


def _numbers(n_items: int) -> int:
    """Return how many numbers are drawn from: one for each item, and a blank for every four."""
    return n_items + -(-n_items // 4)


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
