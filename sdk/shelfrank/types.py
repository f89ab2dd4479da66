"""Values that several parts share. No rules, no input or output, standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, NewType, Protocol, get_args, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime

ItemId = NewType("ItemId", str)
"""The shop's key of an item: text, never sniffed, so "00042" stays "00042"."""

ItemIdx = NewType("ItemIdx", int)
"""Row of an item in one bundle's catalog, 0..n_items-1."""

Kind = Literal["view", "cart", "purchase", "like", "dislike"]
"""What happened to an item. The order is the code in the graph: view 0 … dislike 4."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

KIND_CODES: Final[dict[Kind, int]] = {kind: code for code, kind in enumerate(KINDS)}
"""The number each kind has in the graph's input `event_kind` and in the history format."""

Language = Literal["de", "nl", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

VISIT_GAP: Final = timedelta(minutes=30)
"""Without an event for this long, the next one starts a visit: the usual gap in web analytics."""

Daypart = Literal["night", "morning", "afternoon", "evening"]
"""What part of the day it is on the clock on the wall. The order is the code in the graph: night 0
(0:00 to 5:59) … evening 3 (18:00 to 23:59)."""

DAYPARTS: Final[tuple[Daypart, ...]] = get_args(Daypart)

HOURS_PER_DAYPART: Final = 6
"""The day in four: fine enough to tell breakfast from supper, and coarse enough that most items
have enough shoppers in each. A daypart's code is the local hour divided by this, downwards."""

RANK_PURPOSE: Final = "rank_products"
"""The purpose under which histories are used to rank."""


class Clock(Protocol):
    """Where a device takes the time from; the data may be years old, so it is injected."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        ...


@runtime_checkable
class LocalClock(Clock, Protocol):
    """A clock that also knows what the clock on the wall shows; needed for dayparts alone.

    A device whose clock is none takes the daypart as unknown.
    """

    def local(self, moment: datetime) -> datetime | None:
        """Return a moment in the time zone of the place; None: the zone is not known.

        Args:
            moment: aware.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one item on this device.

    Attributes:
        kind: view, cart, purchase, like or dislike.
        item_id: the shop's key.
        time: aware, UTC; as coarse as the policy says (a day is stored as its first moment).
        visit: ordinal of the visit on this device, growing with time, from 0.
        order: position inside the visit, growing with time, from 0; equal means unordered.
        quantity: how many; 1 where it makes no sense.
        context: where in the shop it happened, a name of the policy such as ``kiosk``; "" where
            nothing was said.
    """

    kind: Kind
    item_id: ItemId
    time: datetime
    visit: int
    order: int
    quantity: float = 1.0
    context: str = ""

    def __repr__(self) -> str:
        """Say the kind only: an item id must not reach a log or a traceback."""
        return f"<Event {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An item to rank that the bundle may not know, scored by back-off.

    Attributes:
        item_id: the shop's key.
        category: exactly as in the catalog, such as ``coffee/machines``, or None; another path
            counts as none. Candidates are ranked whatever their category: what may be *kept* is
            filtered, what the app offers is not.
        brand: or None; carried for rules, not scored.
        price: in the shop's currency, or None; carried for rules, not scored.
    """

    item_id: ItemId
    category: str | None = None
    brand: str | None = None
    price: float | None = None

    def __post_init__(self) -> None:
        """Refuse an id or a category that is no text.

        Raises:
            TypeError: it is something else.
        """
        given: dict[str, object] = {"item_id": self.item_id, "category": self.category or ""}
        for name, value in given.items():
            if not isinstance(value, str):
                raise TypeError(f"{name} is {type(value).__name__}, wanted text")


DropReason = Literal[
    "no_policy",
    "no_consent",
    "policy_older",
    "minor",
    "gpc",
    "paused",
    "clock",
    "kind",
    "context",
    "sensitive",
    "unmapped",
    "too_old",
    "no_bundle",
    "never_use",
    "field",
]


@dataclass(frozen=True, slots=True)
class Stored:
    """The event is on the disk: it survives a crash and a power cut."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The event was not stored, and why.

    Attributes:
        reason: ``no_policy`` (neither bundle nor app brings one), ``no_consent`` (no purpose is
            given), ``policy_older`` (an older policy than one that was in force here counts as
            none), ``minor`` (a shopper who is, or may be, too young, without a guardian's
            agreement), ``gpc`` (Global Privacy Control), ``paused`` (by the shopper), ``clock`` (it
            jumped far ahead, and nothing has confirmed that yet), ``kind`` (no given purpose admits
            this kind), ``context`` (none that does lists this area or channel), ``sensitive`` (the
            category is excluded by the policy), ``unmapped`` (the item or its category is not
            known, so it cannot be shown not to be sensitive), ``too_old`` (outside the retention),
            ``no_bundle`` (no bundle is open, so nothing can be filtered), ``never_use`` (the
            shopper ruled the item or its category out), ``field`` (the purpose does not list this
            sort of preference).
    """

    reason: DropReason
