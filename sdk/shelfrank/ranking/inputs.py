"""Turn a history and candidates into the graph's inputs: row numbers and ages, no features.

Everything the model computes of a history stands in the graph; what is here only
translates ids to rows and times to ages. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from shelfrank.ranking.session import GraphInputs
from shelfrank.types import (
    DAYPARTS,
    HOURS_PER_DAYPART,
    KIND_CODES,
    VISIT_GAP,
    Candidate,
    ItemId,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.types import Daypart, Event

NO_HISTORY: Final = 0
VISIT_STARTS: Final = 1
IN_VISIT: Final = 2

UNKNOWN_DAYPART: Final = -1

_SECONDS_PER_DAY: Final = 86_400.0

# The graph packs item, visit and kind into one number and leaves 17 bits for the visit; older
# visits than that share a number, which only merges what has long faded.
_OLDEST_VISIT: Final = (1 << 17) - 1


def candidate_rows(
    candidates: Sequence[str | Candidate], catalog: Catalog
) -> npt.NDArray[np.int64]:
    """Return the graph's row of each candidate.

    Args:
        candidates: ids or `Candidate`; an id outside the catalog is scored as a new item of its
            category, or of none.
        catalog: the bundle's.

    Returns:
        int64, shape (C,): see `GraphInputs.candidate`.

    Raises:
        TypeError: something else than text or `Candidate`.
    """
    unknown = catalog.n_items + len(catalog.categories)
    rows = catalog.rows_of(candidate_ids(candidates), missing=unknown)
    for place in np.flatnonzero(rows == unknown):
        rows[place] = _new_item_row(candidates[int(place)], catalog, unknown)
    return rows


def check_k(k: object) -> None:
    """Refuse a list length that is none.

    Raises:
        TypeError: not a whole number.
        ValueError: less than 1.
    """
    if not isinstance(k, int) or isinstance(k, bool):
        raise TypeError(f"k is {type(k).__name__}, wanted a whole number")
    if k < 1:
        raise ValueError(f"k is {k}, wanted 1 or more")


def distinct_candidates(
    candidates: Iterable[str | Candidate],
) -> Mapping[ItemId, str | Candidate]:
    """Return candidates by id, in their order; the first of several with one id stands.

    Raises:
        TypeError: no list, or one in it is neither text nor `Candidate`.
    """
    if not isinstance(candidates, Iterable):
        raise TypeError(f"candidates is {type(candidates).__name__}, wanted a list")
    listed = candidates if isinstance(candidates, str | list) else list(candidates)
    ids = candidate_ids(listed)
    # The first of several with one id stands: filled from the back, the front wins.
    by_id = dict(zip(reversed(ids), reversed(listed), strict=True))
    return {item_id: by_id[item_id] for item_id in ids}


def candidate_ids(candidates: Sequence[str | Candidate]) -> Sequence[ItemId]:
    """Return the shop's key of each candidate.

    Raises:
        TypeError: one is neither text nor `Candidate`, or a text stands in place of the list.
    """
    if isinstance(candidates, str):
        raise TypeError("candidates are one text, wanted a list: it would be ranked by letter")
    # Plain ids are the usual case, and a thousand calls per ranking can be felt.
    if set(map(type, candidates)) <= {str}:
        return cast("Sequence[ItemId]", candidates)
    return [candidate_id(candidate) for candidate in candidates]


def candidate_id(candidate: str | Candidate) -> ItemId:
    """Return the shop's key of a candidate.

    Raises:
        TypeError: it is something else than text or `Candidate`.
    """
    if isinstance(candidate, str):
        return ItemId(candidate)
    if isinstance(candidate, Candidate):
        return candidate.item_id
    raise TypeError(f"a candidate is {type(candidate).__name__}, wanted str or Candidate")


def _new_item_row(candidate: str | Candidate, catalog: Catalog, unknown: int) -> int:
    """Return the row that stands for new items of the candidate's category."""
    if isinstance(candidate, str) or candidate.category is None:
        return unknown
    category = catalog.category_idx_of(candidate.category)
    return unknown if category is None else catalog.n_items + category


def graph_inputs(
    events: Sequence[Event],
    catalog: Catalog,
    rows: npt.NDArray[np.int64],
    *,
    now: datetime,
    in_visit: bool | None = None,
    daypart: Daypart | None = None,
) -> GraphInputs:
    """Ask the graph for the scores of `rows` after `events`.

    Args:
        events: any order; items outside the catalog are left out.
        catalog: the bundle's.
        rows: see `candidate_rows`.
        now: aware; an event after it counts as now.
        in_visit: whether the newest visit still lasts; None decides by `VISIT_GAP`, which needs
            times that were not coarsened.
        daypart: what part of the day it is where the shopper is; None: not known.

    Raises:
        ValueError: a daypart that is none.
    """
    known = [
        (event, row) for event in events if (row := catalog.index_of(event.item_id)) is not None
    ]
    visits = np.array([event.visit for event, _ in known], dtype=np.int64)
    orders = np.array([event.order for event, _ in known], dtype=np.int64)
    ages = [(now - event.time).total_seconds() / _SECONDS_PER_DAY for event, _ in known]
    if in_visit is None:
        in_visit = any(now - event.time <= VISIT_GAP for event, _ in known)
    return GraphInputs(
        event_item=np.array([row for _, row in known], dtype=np.int64),
        event_kind=np.array([KIND_CODES[event.kind] for event, _ in known], dtype=np.int64),
        event_age_days=np.maximum(np.array(ages, dtype=np.float32), np.float32(0)),
        event_visit=_visits_ago(visits, in_visit=in_visit),
        event_rank=_newest_first(visits, orders),
        event_quantity=np.array([event.quantity for event, _ in known], dtype=np.float32),
        candidate=rows,
        situation=np.array([_situation(bool(known), in_visit=in_visit)], dtype=np.int64),
        daypart=np.array([_daypart_code(daypart)], dtype=np.int64),
    )


def daypart_of(local: datetime) -> Daypart:
    """Return the daypart at a time on the clock on the wall; its zone is not looked at."""
    return DAYPARTS[local.hour // HOURS_PER_DAYPART]


def _daypart_code(daypart: Daypart | None) -> int:
    if daypart is None:
        return UNKNOWN_DAYPART
    if daypart not in DAYPARTS:
        raise ValueError(f"daypart is {daypart!r}, wanted one of {', '.join(DAYPARTS)}, or None")
    return DAYPARTS.index(daypart)


def _situation(has_history: bool, *, in_visit: bool) -> int:
    if not has_history:
        return NO_HISTORY
    return IN_VISIT if in_visit else VISIT_STARTS


def _visits_ago(visits: npt.NDArray[np.int64], *, in_visit: bool) -> npt.NDArray[np.int64]:
    """Return 0 for the current visit, 1 for the one before …, counting visits with events left."""
    distinct, place = np.unique(visits, return_inverse=True)
    ago = (distinct.size - 1 - place) + (0 if in_visit else 1)
    return np.minimum(ago, _OLDEST_VISIT).astype(np.int64)


def _newest_first(
    visits: npt.NDArray[np.int64], orders: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return 0 for the newest event; events of one moment share a rank."""
    if not visits.size:
        return visits
    moments = visits * (int(orders.max()) + 1) + orders
    distinct, place = np.unique(moments, return_inverse=True)
    rank: npt.NDArray[np.int64] = distinct.size - 1 - place
    return rank
