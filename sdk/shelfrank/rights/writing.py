"""Write an export: the same takeaway, the same bytes (export-format.md, sections 1 to 5). Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from shelfrank.bundle.archive import write_members
from shelfrank.bundle.strict import dump, format_time
from shelfrank.errors import BundleFormatError, HistoryError
from shelfrank.rights.exported import (
    ACTIVITIES,
    ACTIVITY_OF_KIND,
    CHOICES,
    CONTAINER,
    FORMAT,
    HISTORY,
    MANIFEST,
    README,
    WISHES,
)
from shelfrank.rights.page import write_page
from shelfrank.wishes.wishes import as_lists

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from shelfrank.history.events import StoredEvent
    from shelfrank.rights.exported import ChoiceNow, Takeaway

# One for all rows: to make one takes as long as to use it.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

# ActivityStreams names what it can; what it cannot say stands under names of this format.
CONTEXT: Final = [
    "https://www.w3.org/ns/activitystreams",
    {
        "schema": "https://schema.org/",
        "export": "urn:shelfrank:export:1:",
        "BuyAction": "schema:BuyAction",
        "Product": "schema:Product",
        "sku": "schema:sku",
        "category": "schema:category",
        "quantity": "export:quantity",
        "visit": "export:visit",
        "order": "export:order",
        "purpose": "export:purpose",
        "channel": "export:channel",
    },
]


def write_export(takeaway: Takeaway) -> bytes:
    """Return the zip.

    Raises:
        HistoryError: the history is too long for one file.
    """
    parts = {
        README: write_page(takeaway),
        HISTORY: _history(takeaway),
        ACTIVITIES: _activities(takeaway),
        CHOICES: dump({"format": FORMAT, "choices": [_choice(c) for c in takeaway.choices]}),
    }
    if takeaway.wishes:
        parts[WISHES] = dump({"format": FORMAT, **as_lists(takeaway.wishes)})
    manifest = {
        "format": FORMAT,
        "created": format_time(takeaway.created),
        "language": takeaway.language,
        "counts": {"events": len(takeaway.events), "unreadable": takeaway.unreadable},
        "parts": [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(parts.items())
        ],
    }
    try:
        return write_members({**parts, MANIFEST: dump(manifest)}, CONTAINER)
    except BundleFormatError as error:
        raise HistoryError(f"the history is too long for one export: {error}") from None


def _history(takeaway: Takeaway) -> bytes:
    return _listing(
        {"format": FORMAT, "unreadable": takeaway.unreadable},
        "events",
        (_readable(takeaway, stored) for stored in takeaway.events),
    )


def _activities(takeaway: Takeaway) -> bytes:
    return _listing(
        {"@context": CONTEXT, "type": "OrderedCollection", "totalItems": len(takeaway.events)},
        "orderedItems",
        (_activity(takeaway, stored) for stored in takeaway.events),
    )


def _listing(head: Mapping[str, object], name: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """Return an object whose last member is a list with a line for each entry."""
    top = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    lines = ",\n".join(map(_ENCODER.encode, rows))
    return f'{top},\n "{name}": [\n{lines}\n]}}\n'.encode()


def _readable(takeaway: Takeaway, stored: StoredEvent) -> dict[str, object]:
    event = stored.event
    title, category = takeaway.about(event.item_id)
    return {
        "time": written_time(event.time),
        "kind": event.kind,
        "item_id": event.item_id,
        **_known(title=title, category=category),
        "quantity": _number(event.quantity),
        "visit": event.visit,
        "order": event.order,
        "purposes": sorted(stored.purposes),
        **({"context": event.context} if event.context else {}),
    }


def _activity(takeaway: Takeaway, stored: StoredEvent) -> dict[str, object]:
    event = stored.event
    title, category = takeaway.about(event.item_id)
    return {
        "type": ACTIVITY_OF_KIND[event.kind],
        "published": written_time(event.time),
        "object": {
            "type": "Product",
            "sku": event.item_id,
            **_known(name=title, category=category),
        },
        "quantity": _number(event.quantity),
        "visit": event.visit,
        "order": event.order,
        "purpose": sorted(stored.purposes),
        **({"channel": event.context} if event.context else {}),
    }


def _known(**texts: str | None) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text is not None}


def _choice(now: ChoiceNow) -> dict[str, object]:
    answer = now.answer
    found: dict[str, object] = {
        "purpose": now.purpose,
        "status": now.status.name.lower(),
        "dpv": now.status.dpv,
    }
    if answer is not None:
        found["answered"] = format_time(answer.at)
    if answer is not None and answer.until is not None:
        found |= {
            "until": format_time(answer.until),
            "language": answer.language,
            "policy": answer.policy,
            "notice_sha256": answer.notice,
        }
    return found


def written_time(time: datetime) -> str:
    """Return a stored time as it stands in an export, such as ``2026-11-21T09:00:00Z``.

    It is exactly what is kept: fractions of a second stand there only where they were kept.
    """
    return time.replace(tzinfo=None).isoformat() + "Z"


def _number(quantity: float) -> float | int:
    return int(quantity) if quantity.is_integer() else quantity
