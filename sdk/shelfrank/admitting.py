"""The one door into the history: what is recorded and what is imported pass it alike."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from shelfrank.consent.admission import Admitted, admit_event, admit_item

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.consent.policy import Policy
    from shelfrank.types import DropReason, ItemId, Kind


class Door:
    """Decides what may be kept at one moment. Every doubt is a no.

    Args:
        policy: in force, or None.
        catalog: of the bundle that is served, or None.
        given: the purposes that permit keeping now; see `Consent.given`.
        now: aware; the distrustful clock, `Consent.effective_now`.
    """

    def __init__(
        self,
        policy: Policy | None,
        catalog: Catalog | None,
        *,
        given: Collection[str],
        now: datetime,
    ) -> None:
        self._policy = policy
        self._catalog = catalog
        self._given = frozenset(given)
        self._now = now
        # An import asks about the same items and days again and again.
        self._item_refused = lru_cache(maxsize=None)(self._refuse_item)
        self._event_admitted = lru_cache(maxsize=None)(self._admit_event)

    def admit(self, kind: Kind, item_id: ItemId, time: datetime) -> Admitted | DropReason:
        """Decide about one event.

        Args:
            kind: of the event.
            item_id: the shop's key.
            time: aware.
        """
        if self._policy is None:
            return "no_policy"
        if not self._given:
            return "no_consent"
        if self._catalog is None:
            return "no_bundle"
        return self._item_refused(item_id) or self._event_admitted(kind, time)

    def _refuse_item(self, item_id: ItemId) -> DropReason | None:
        policy, catalog = self._policy, self._catalog
        row = None if catalog is None else catalog.index_of(item_id)
        if policy is None or catalog is None or row is None:
            return "unmapped"
        return admit_item(policy, known=True, category=catalog.category(row))

    def _admit_event(self, kind: Kind, time: datetime) -> Admitted | DropReason:
        if self._policy is None:
            return "no_policy"
        return admit_event(self._policy, self._given, kind, time=time, now=self._now)
