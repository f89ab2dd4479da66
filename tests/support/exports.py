"""Makes exports for tests: from a list of events, and damaged on purpose."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from shelfrank.bundle.archive import read_members, write_members
from shelfrank.history.events import PastEvent, StoredEvent
from shelfrank.history.store import History
from shelfrank.rights.exported import ACTIVITIES, CONTAINER, MANIFEST, Takeaway
from shelfrank.rights.writing import write_export
from shelfrank.types import ItemId
from support.histories import RANK, START, StandingClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shelfrank.types import Kind

Members = dict[str, bytes]


def past_event(  # noqa: PLR0913 - every field of an event, with a value that does not matter
    item_id: str = "sku-1",
    *,
    hours: float = 0,
    kind: Kind = "view",
    visit: int = 0,
    order: int = 0,
    quantity: float = 1.0,
    purposes: tuple[str, ...] = (RANK,),
    context: str = "",
) -> PastEvent:
    """Return an event of another device, `hours` after the start."""
    return PastEvent(
        kind=kind,
        item_id=ItemId(item_id),
        stored_time=START + timedelta(hours=hours),
        visit=visit,
        order=order,
        quantity=quantity,
        purposes=frozenset(purposes),
        context=context,
    )


def history_of(events: Sequence[PastEvent]) -> History:
    """Return a history in memory that holds just these events."""
    history = History.in_memory(clock=StandingClock(START + timedelta(days=9000)))
    history.merge(events)
    return history


def takeaway(events: Iterable[StoredEvent] = (), **changes: object) -> Takeaway:
    """Return what would be exported of events, without policy or catalog."""
    fields: dict[str, object] = {
        "events": tuple(events),
        "unreadable": 0,
        "choices": (),
        "policy": None,
        "catalog": None,
        "created": START,
        "language": "en",
    }
    return Takeaway(**{**fields, **changes})  # type: ignore[arg-type]


def export_of(events: Sequence[PastEvent]) -> bytes:
    """Return an export of events."""
    return write_export(takeaway(history_of(events).stored()))


def changed(export: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return an export with one part changed and its digest made to match: a careful forgery."""
    members = read_members(export, CONTAINER)
    members[part] = change(members[part])
    return relisted(members)


def relisted(members: Members) -> bytes:
    """Return the export of these parts, listed in the manifest that is among them."""
    manifest = json.loads(members[MANIFEST])
    manifest["parts"] = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
        if name != MANIFEST
    ]
    return write_members({**members, MANIFEST: json.dumps(manifest).encode()}, CONTAINER)


def with_event(export: bytes, **fields: object) -> bytes:
    """Return an export whose first event has other fields; ``...`` removes one, digests match."""

    def change(data: bytes) -> bytes:
        activities = json.loads(data)
        event = activities["orderedItems"][0]
        for name, value in fields.items():
            inside = event["object"] if name == "sku" else event
            if value is ...:
                del inside[name]
            else:
                inside[name] = value
        return json.dumps(activities, ensure_ascii=False).encode()

    return changed(export, ACTIVITIES, change)
