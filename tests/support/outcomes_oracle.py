"""What the table ``outcomes`` must hold, in obvious Python; only the scores come from the model."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from shelfrank.types import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from shelfrank import Ranker
    from shelfrank_training.evaluate.histories import SourceEvent

Rows = list[tuple[int, ...]]

EDGES = {
    "popularity": (-8, -7, -6, -5, -4, -3, -2),
    "next": (-0.1, 0.1),
    "next in a visit": (0.5, 6, 12, 24),
    "affinity": (0.1, 1),
    "category": (-0.1, 0.05, 0.2),
    "repeat": (0.5, 2.5, 5.75, 10),
}


def expected(
    shoppers: Mapping[str, Sequence[SourceEvent]], ranker: Ranker, *, salt: str, k: int
) -> Rows:
    """Return the rows of the table.

    Args:
        shoppers: each one's rows, oldest first; every item is in the model, devices store all.
        ranker: the provisional model.
        salt: of the hashes.
        k: min_shoppers.
    """
    who = defaultdict(set)
    candidates: dict[tuple[int, ...], int] = defaultdict(int)
    bought: dict[tuple[int, ...], int] = defaultdict(int)
    for shopper, rows in shoppers.items():
        half = sha(f"{salt}|half|{shopper}")[0] < "8"
        for parts, taken in answers(shopper, rows, ranker, salt):
            cell = (int(half), *parts)
            who[cell].add(shopper)
            candidates[cell] += 1
            bought[cell] += taken
    return sorted(
        (*cell, len(who[cell]), candidates[cell], bought[cell])
        for cell in who
        if len(who[cell]) >= k
    )


def answers(
    shopper: str, rows: Sequence[SourceEvent], ranker: Ranker, salt: str
) -> list[tuple[tuple[int, ...], bool]]:
    """Return the cell of every candidate of a shopper, and whether it was taken."""
    asked = []
    for visit in split(rows):
        start = visit[0].time
        key = sha(f"{salt}|{shopper}|{start.isoformat()}|{visit[0].visit_id or ''}")
        liked = [row for row in visit if row.kind != "dislike"]
        if not liked:
            continue
        later = sorted({row.time for row in visit if start < row.time <= liked[-1].time})
        dice = int(key[-16:], 16)
        may_start = any(row.time < start for row in rows)
        if may_start and (not later or dice % 2 == 1):
            asked.append((key, start, visit))
        elif later:
            asked.append((key, later[(dice // 2) % len(later)], visit))
    found = []
    for key, now, visit in sorted(asked, key=lambda one: one[0])[:10]:
        later_rows = [row for row in visit if row.time >= now and row.kind != "dislike"]
        index = {ranker.catalog.index_of(row.item_id) for row in later_rows}
        taken = sorted(
            (item for item in index if item is not None), key=lambda item: sha(f"{key}|{item}")
        )
        others = [item for item in draw(key, ranker.catalog.n_items) if item not in taken]
        found += [(cell, True) for cell in score(rows, visit, now, taken[:5], ranker)]
        found += [(cell, False) for cell in score(rows, visit, now, others, ranker)]
    return found


def split(rows: Sequence[SourceEvent]) -> list[list[SourceEvent]]:
    """Return the visits of a shopper."""
    visits: list[list[SourceEvent]] = []
    for row in rows:
        last = visits[-1][-1] if visits else None
        same = last is not None and (
            last.visit_id == row.visit_id
            if row.visit_id or last.visit_id
            else row.time - last.time < timedelta(minutes=30)
        )
        if same:
            visits[-1].append(row)
        else:
            visits.append([row])
    return visits


def draw(key: str, n_items: int) -> list[int]:
    """Return the items that compete besides those taken."""
    draws = min(25, n_items)
    bits = hashlib.shake_256(key.encode()).digest(8 * draws)
    numbers = {
        int.from_bytes(bits[8 * at : 8 * at + 8], "little") % (n_items + (n_items + 3) // 4)
        for at in range(draws)
    }
    return sorted(number for number in numbers if number < n_items)


def score(
    rows: Sequence[SourceEvent],
    visit: Sequence[SourceEvent],
    now: datetime,
    items: Sequence[int],
    ranker: Ranker,
) -> list[tuple[int, ...]]:
    """Return the cells of some items at a moment in a visit."""
    history = []
    for number, inside in enumerate(split(rows)):
        times = sorted({row.time for row in inside})
        history += [
            Event(
                kind=row.kind,
                item_id=row.item_id,
                time=row.time,
                visit=number,
                order=times.index(row.time),
                quantity=row.quantity,
            )
            for row in inside
            if row.time < now
        ]
    # A device takes half an hour without an event for the end of a visit, whatever the shop says.
    half_an_hour = timedelta(minutes=30)
    in_visit = any(now - half_an_hour < row.time < now for row in visit)
    parts = ranker.scores(
        history, now=now, candidates=np.array(items, dtype=np.int64), in_visit=in_visit
    ).parts
    situation = (2 if in_visit else 1) if history else 0
    return [(situation, *buckets(row.tolist(), situation)) for row in parts]


def buckets(parts: Sequence[float], situation: int) -> list[int]:
    """Return the bucket of each part: how many edges it reaches."""
    names = ["popularity", "next in a visit" if situation == 2 else "next"]
    names += ["affinity", "category", "repeat"]
    return [
        sum(part >= edge for edge in EDGES[name]) for name, part in zip(names, parts, strict=True)
    ]


def sha(text: str) -> str:
    """Return the hex digest."""
    return hashlib.sha256(text.encode()).hexdigest()
