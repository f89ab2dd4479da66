"""What an export holds, as values (export-format.md, sections 1 to 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shelfrank.bundle.archive import Container
from shelfrank.wishes.wishes import Wishes

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.rules import Choice, Status
    from shelfrank.history.events import StoredEvent
    from shelfrank.types import ItemId, Kind, Language

FORMAT: Final = 1
"""Number of the export's format."""

MANIFEST: Final = "manifest.json"
README: Final = "readme.html"
HISTORY: Final = "history.json"
ACTIVITIES: Final = "history.jsonld"
CHOICES: Final = "choices.json"
WISHES: Final = "wishes.json"
"""Only where the shopper said any."""

PARTS: Final = (CHOICES, HISTORY, ACTIVITIES, README)
"""Every part but the manifest, which lists them."""

# 100,000 events take about 60 MB in the three forms they stand in; a device reads the whole file
# into memory.
MAX_EXPORT_BYTES: Final = 512 * 1024 * 1024
MAX_PART_BYTES: Final = 192 * 1024 * 1024
# It lists at most 32 parts of about 150 bytes.
MAX_MANIFEST_BYTES: Final = 64 * 1024


def part_limit(name: str) -> int:
    """Return the most bytes a part of an export may have."""
    return MAX_MANIFEST_BYTES if name == MANIFEST else MAX_PART_BYTES


CONTAINER: Final = Container("export", MAX_EXPORT_BYTES, part_limit)

ACTIVITY_OF_KIND: Final[dict[Kind, str]] = {
    "view": "View",
    "cart": "Add",
    "purchase": "BuyAction",
    "like": "Like",
    "dislike": "Dislike",
}
"""ActivityStreams 2.0; buying is schema.org's, which ActivityStreams lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceNow:
    """How one purpose stands at the moment of the export.

    Attributes:
        purpose: its id.
        status: what follows now from answer, policy and time.
        answer: what the shopper said, or None when not asked.
    """

    purpose: str
    status: Status
    answer: Choice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeaway:
    """Everything that goes into one export.

    Attributes:
        events: all that can be read, oldest first.
        unreadable: how many events are damaged, or were when something was erased.
        choices: by purpose.
        policy: in force, or None.
        catalog: of the bundle that is served, or None: then items have no titles.
        created: when; UTC.
        language: of ``readme.html``.
        wishes: what the shopper said outright.
    """

    events: tuple[StoredEvent, ...]
    unreadable: int
    choices: tuple[ChoiceNow, ...]
    policy: Policy | None
    catalog: Catalog | None
    created: datetime
    language: Language
    wishes: Wishes = field(default=Wishes())
    _abouts: dict[ItemId, tuple[str | None, str | None]] = field(
        default_factory=dict, init=False, compare=False
    )

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Takeaway>"

    def about(self, item_id: ItemId) -> tuple[str | None, str | None]:
        """Return title and category of an item, each None where the catalog knows none."""
        if item_id not in self._abouts:
            self._abouts[item_id] = self._look_up(item_id)
        return self._abouts[item_id]

    def _look_up(self, item_id: ItemId) -> tuple[str | None, str | None]:
        row = None if self.catalog is None else self.catalog.index_of(item_id)
        if self.catalog is None or row is None:
            return None, None
        return self.catalog.title(row), self.catalog.category(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtEvent:
    """An event of an export, checked for its form; whether it may be kept is another question.

    Attributes:
        kind: view, cart, purchase, like or dislike.
        item_id: the shop's key, 1 to 512 bytes.
        time: UTC; as coarse as it was kept.
        visit: ordinal on the device it comes from.
        order: position in the visit.
        quantity: 0 or more, finite in 32 bits.
        context: where in the shop it happened, at most 64 bytes, or "".
    """

    kind: Kind
    item_id: ItemId
    time: datetime
    visit: int
    order: int
    quantity: float
    context: str = ""

    def __repr__(self) -> str:
        """Say the kind only."""
        return f"<BroughtEvent {self.kind}>"
