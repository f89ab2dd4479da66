"""The shopper's wishes on a device: said, seen, corrected, obeyed at once. Wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

from shelfrank.errors import HistoryError
from shelfrank.frames import tells_no_locals
from shelfrank.history.edits import Selection
from shelfrank.types import RANK_PURPOSE, Dropped, ItemId, ItemIdx, Stored
from shelfrank.wishes.wishes import Wishes, checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import RLock

    from shelfrank.bundle.verify import VerifiedBundle
    from shelfrank.consent.engine import Consent
    from shelfrank.consent.policy import Policy
    from shelfrank.history.store import History
    from shelfrank.types import Kind
    from shelfrank.wishes.store import WishStore
    from shelfrank.wishes.wishes import Preferable, Sort

Feedback = Literal["more", "less", "never", "wrong"]
FEEDBACK: Final[tuple[Feedback, ...]] = ("more", "less", "never", "wrong")

_SORT_OF: Final[dict[Preferable, Sort]] = {"brand": "brands", "category": "categories"}
KIND_OF_FEEDBACK: Final[dict[Feedback, Kind]] = {"more": "like", "less": "dislike"}


class Owner(Protocol):
    """What of a device its wishes ask for."""

    policy: Policy | None
    bundle: VerifiedBundle | None
    consent: Consent


class OwnWishes:
    """What the shopper said outright. Use it as `Device.wishes`.

    What is preferred is kept for the purpose ``rank_products`` and goes when it is withdrawn. What
    must never be used holds whatever else is permitted, needs no permission, and stays until the
    shopper takes it back or erases everything. Both hold for the very next ranking.
    """

    def __init__(self, owner: Owner, store: WishStore, history: History, *, lock: RLock) -> None:
        """Use `Device.wishes`."""
        self._owner = owner
        self._store = store
        self._history = history
        self._lock = lock
        self._known: Wishes | None = None
        self._stamp: object = None

    def __repr__(self) -> str:
        """Say the type only."""
        return "<OwnWishes>"

    def now(self) -> Wishes:
        """Return all wishes; what cannot be read counts as none, and hides nothing from a ranking.

        See `readable`.
        """
        return self._read() or Wishes()

    @property
    def readable(self) -> bool:
        """Whether the wishes could be read."""
        return self._read() is not None

    def used(self) -> Wishes:
        """Return the wishes that a ranking may use now: those that are preferred need a yes."""
        wishes, allowed = self.now(), self._allowed_fields()
        return Wishes(
            brands=wishes.brands if "brand" in allowed else frozenset(),
            categories=wishes.categories if "category" in allowed else frozenset(),
            never_items=wishes.never_items,
            never_categories=wishes.never_categories,
        )

    @tells_no_locals
    def prefer(self, what: Preferable, value: str) -> Stored | Dropped:
        """Note a brand or category that the shopper wants to see more of.

        Args:
            what: brand or category.
            value: as in the catalog; compared without regard to case and spacing.

        Returns:
            `Stored`, or `Dropped` where ``rank_products`` is not given (``no_consent``), does not
            list the field (``field``), or the policy keeps the category out (``sensitive``).

        Raises:
            ValueError: neither brand nor category; empty, over 512 bytes, or the 257th.
            HistoryError: it cannot be kept.
        """
        if what not in _SORT_OF:
            raise ValueError(f"got {what!a}, wanted brand or category")
        checked(_SORT_OF[what], value)
        policy = self._owner.policy
        if policy is None:
            return Dropped("no_policy")
        consent = self._owner.consent
        # What is given for this visit only must not reach a disk.
        if RANK_PURPOSE not in consent.given() - consent.visiting():
            return Dropped(consent.why_not(RANK_PURPOSE) or "no_consent")
        if what not in self._allowed_fields():
            return Dropped("field")
        if what == "category" and policy.sensitive.covers(value):
            return Dropped("sensitive")
        self._change(lambda wishes: wishes.with_one(_SORT_OF[what], value))
        return Stored()

    @tells_no_locals
    def never_use(self, *, category: str | None = None, item_id: str | None = None) -> int:
        """Rule a category or an item out: it is not kept, not used and not shown from now on.

        Args:
            category: with everything below it.
            item_id: the shop's key.

        Returns:
            How many events about it were erased.

        Raises:
            ValueError: neither or both; empty, over 512 bytes, or the 257th.
            HistoryError: it cannot be kept, or the events cannot be erased; then it holds all the
                same, and opening the device tries again.
        """
        if (category is None) is (item_id is None):
            raise ValueError("wanted a category or an item id, and not both")
        if category is not None:
            self._change(lambda wishes: wishes.with_one("never_categories", category))
        else:
            self._change(lambda wishes: wishes.with_one("never_items", item_id or ""))
        return self.erase_ruled_out()

    @tells_no_locals
    def take_back(self, sort: Sort, value: str) -> None:
        """Take a wish back; nothing happens when there is none.

        Args:
            sort: brands, categories, never_items or never_categories.
            value: as it was said.
        """
        self._change(lambda wishes: wishes.without_one(sort, value))

    def forget_preferred(self) -> None:
        """Forget preferred brands and categories: what they were kept for is withdrawn."""
        if self.now() != self._without_preferred(self.now()):
            self._change(self._without_preferred)

    def forget(self) -> None:
        """Forget what is known of the file: it is gone."""
        with self._lock:
            self._known = None

    def forbids(self, item_id: ItemId, category: str | None) -> bool:
        """Say whether an item must not be kept or used; where nothing can be read, every one."""
        wishes = self._read()
        return wishes is None or wishes.forbids_item(item_id, category)

    def erase_ruled_out(self) -> int:
        """Erase events about what was ruled out; return how many."""
        wishes = self.now()
        items = set(wishes.never_items)
        if wishes.never_categories and self._owner.bundle is not None:
            catalog = self._owner.bundle.catalog
            items |= {
                catalog.id_of(row)
                for row in map(ItemIdx, range(catalog.n_items))
                if wishes.forbids_category(catalog.category(row))
            }
        if not items:
            return 0
        with self._lock:
            return self._history.erase_selected(Selection(item_ids=frozenset(items)))

    def _read(self) -> Wishes | None:
        """Return the wishes, read anew where another process wrote; None if they cannot be."""
        with self._lock:
            stamp = self._store.stamp()
            if self._known is None or stamp != self._stamp:
                try:
                    self._known, self._stamp = self._store.read(), stamp
                except HistoryError:
                    self._known = None
            return self._known

    def _allowed_fields(self) -> frozenset[str]:
        policy = self._owner.policy
        if policy is None or self._owner.consent.why_not(RANK_PURPOSE) is not None:
            return frozenset()
        return frozenset(kept.name for kept in policy.purpose(RANK_PURPOSE).fields)

    def _change(self, change: Callable[[Wishes], Wishes]) -> None:
        with self._lock:
            changed = change(self._store.read())
            self._store.write(changed)
            self._known, self._stamp = changed, self._store.stamp()

    @staticmethod
    def _without_preferred(wishes: Wishes) -> Wishes:
        return Wishes(never_items=wishes.never_items, never_categories=wishes.never_categories)
