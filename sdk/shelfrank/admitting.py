"""The one door into the history: what is recorded and what is imported pass it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shelfrank.consent.admission import Admitted, admit_event, admit_item

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.consent.policy import Policy
    from shelfrank.types import DropReason, ItemId, Kind


class Door:
    """Decides what may be kept at one moment. Every doubt is a no.

    Make one for one call: it remembers what it decided.

    Args:
        policy: in force, or None.
        catalog: of the bundle that is served, or None.
        given: the purposes that permit keeping now; see `Consent.given`.
        now: aware; the distrustful clock, `Consent.effective_now`.
        ruled_out: says whether the shopper wants nothing kept of an item, from its id and category.
    """

    def __init__(
        self,
        policy: Policy | None,
        catalog: Catalog | None,
        *,
        given: Collection[str],
        now: datetime,
        ruled_out: Callable[[ItemId, str | None], bool],
    ) -> None:
        self._ruled_out = ruled_out
        self._policy = policy
        self._catalog = catalog
        self._given = frozenset(given)
        self._now = now
        # An import asks about the same items and days again and again.
        self._items: dict[ItemId, DropReason | None] = {}
        self._events: dict[tuple[Kind, str, datetime], Admitted | DropReason] = {}

    def admit(
        self, kind: Kind, item_id: ItemId, time: datetime, *, context: str
    ) -> Admitted | DropReason:
        """Decide about one event.

        Args:
            kind: of the event.
            item_id: the shop's key.
            time: aware.
            context: the area or channel it happened in.
        """
        if self._policy is None:
            return "no_policy"
        if not self._given:
            return "no_consent"
        if self._catalog is None:
            return "no_bundle"
        if item_id not in self._items:
            row = self._catalog.index_of(item_id)
            category = None if row is None else self._catalog.category(row)
            refused = admit_item(self._policy, known=row is not None, category=category)
            if refused is None and self._ruled_out(item_id, category):
                refused = "never_use"
            self._items[item_id] = refused
        if (kind, context, time) not in self._events:
            self._events[kind, context, time] = admit_event(
                self._policy, self._given, kind, context=context, time=time, now=self._now
            )
        return self._items[item_id] or self._events[kind, context, time]
