"""Read an export from anywhere: all of it is checked before anything is used. Pure.

Digests show damage, not forgery: whoever edits an export can write new ones. So every value is
checked as if a stranger had made it (export-format.md, section 7).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shelfrank.bundle.archive import read_members
from shelfrank.bundle.strict import parse_object
from shelfrank.errors import BundleFormatError, ExportDamagedError, HistoryVersionError
from shelfrank.history.events import (
    MAX_ITEM_ID_BYTES,
    MAX_ORDER,
    MAX_PAST_VISIT,
    item_id_bytes,
    to_float32,
)
from shelfrank.history.head import MAX_NAME_BYTES
from shelfrank.rights.exported import (
    ACTIVITIES,
    ACTIVITY_OF_KIND,
    CONTAINER,
    FORMAT,
    MANIFEST,
    MAX_PART_BYTES,
    PARTS,
    BroughtEvent,
)
from shelfrank.types import ItemId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.bundle.strict import Fields
    from shelfrank.types import Kind

_KIND_OF_ACTIVITY: Final[dict[object, Kind]] = {
    activity: kind for kind, activity in ACTIVITY_OF_KIND.items()
}
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z", re.ASCII
)
_SHA256: Final = r"[0-9a-f]{64}"
MAX_PARTS: Final = 32


def read_export(data: bytes) -> tuple[BroughtEvent, ...]:
    """Return the events of an export.

    Args:
        data: the zip.

    Raises:
        ExportDamagedError: no export, damaged, edited, or a value out of range. The message never
            quotes an event.
        HistoryVersionError: another format number.
    """
    trouble = ""
    members: Mapping[str, bytes] = {}
    try:
        members = read_members(data, CONTAINER)
    except BundleFormatError as error:
        trouble = str(error)
    if trouble:
        raise ExportDamagedError(trouble)
    if MANIFEST not in members:
        raise ExportDamagedError(f"export has no {MANIFEST}")
    manifest = _parse(members[MANIFEST], MANIFEST)
    _check_format(manifest)
    n_events = _check_parts(manifest, members)
    return _events(_parse(members[ACTIVITIES], ACTIVITIES), n_events)


def _parse(data: bytes, name: str) -> Fields:
    """Parse a part. What the parser says of it is not passed on: it may quote an event."""
    try:
        return parse_object(data, where=name)
    except BundleFormatError:
        pass
    raise ExportDamagedError(f"{name} of the export is not strict JSON, or no object")


def _check_format(manifest: Fields) -> None:
    found = manifest.raw.get("format")
    if type(found) is not int:
        raise ExportDamagedError(f"{MANIFEST} of the export states no format number")
    if found != FORMAT:
        raise HistoryVersionError(
            f"export has format {found}, this SDK reads {FORMAT}",
            hint="a later version of the app may read it",
        )


def _check_parts(manifest: Fields, members: Mapping[str, bytes]) -> int:
    """Compare every part with what the manifest says; return how many events it states."""
    stated: dict[str, tuple[int, str]] = {}
    n_events = -1
    try:
        manifest.time("created")
        n_events = manifest.child("counts").integer("events", low=0)
        for part in manifest.objects("parts", longest=MAX_PARTS):
            size = part.integer("bytes", low=0, high=MAX_PART_BYTES)
            stated[part.text("name")] = size, part.text("sha256", pattern=_SHA256)
    except BundleFormatError:
        n_events = -1
    if n_events < 0:
        raise ExportDamagedError(f"{MANIFEST} of the export is not as the format says")
    if set(stated) != set(members) - {MANIFEST} or not set(stated) >= set(PARTS):
        raise ExportDamagedError(f"the parts of the export are not those that {MANIFEST} lists")
    for name, (size, digest) in stated.items():
        found = hashlib.sha256(members[name]).hexdigest()
        if len(members[name]) != size or not hmac.compare_digest(found, digest):
            raise ExportDamagedError(f"{name} of the export is not what {MANIFEST} says: damaged")
    return n_events


def _events(activities: Fields, n_events: int) -> tuple[BroughtEvent, ...]:
    found = activities.raw.get("orderedItems")
    if not isinstance(found, list):
        raise ExportDamagedError(f"{ACTIVITIES} of the export has no list of events")
    if not len(found) == n_events == activities.raw.get("totalItems"):
        raise ExportDamagedError(
            f"the export has {len(found)} events, {MANIFEST} states {n_events}, or "
            f"{ACTIVITIES} another number"
        )
    return tuple(_event(value, place) for place, value in enumerate(found))


def _event(value: object, place: int) -> BroughtEvent:
    """Check one event; members nobody asks for are ignored, as in every format here."""
    fields = value if isinstance(value, dict) else {}
    product = fields.get("object")
    sku = product.get("sku") if isinstance(product, dict) else None
    activity = fields.get("type")
    kind = _KIND_OF_ACTIVITY.get(activity) if isinstance(activity, str) else None
    time, quantity = _time(fields.get("published")), _quantity(fields.get("quantity", 1))
    visit = _ordinal(fields.get("visit"), MAX_PAST_VISIT)
    order = _ordinal(fields.get("order"), MAX_ORDER)
    if kind is None or not isinstance(sku, str) or not _is_item_id(sku) or time is None:
        raise ExportDamagedError(f"event {place + 1} of the export has a wrong kind, item or time")
    if visit is None or order is None or quantity is None:
        raise ExportDamagedError(
            f"event {place + 1} of the export has a visit, order or quantity out of range"
        )
    context = fields.get("channel", "")
    if not isinstance(context, str) or not _is_name(context):
        raise ExportDamagedError(f"event {place + 1} of the export has a channel that is none")
    return BroughtEvent(
        kind=kind,
        item_id=ItemId(sku),
        time=time,
        visit=visit,
        order=order,
        quantity=quantity,
        context=context,
    )


def _is_item_id(text: str) -> bool:
    try:
        return 1 <= item_id_bytes(ItemId(text)) <= MAX_ITEM_ID_BYTES
    except ValueError:
        return False


def _is_name(text: str) -> bool:
    try:
        return len(text.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False


def _time(value: object) -> datetime | None:
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None  # The right form but no date: 30 February.


def _ordinal(value: object, highest: int) -> int | None:
    return value if type(value) is int and 0 <= value <= highest else None


def _quantity(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    try:
        return to_float32(float(value))
    except (ValueError, OverflowError):
        return None
