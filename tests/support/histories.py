"""Makes histories for tests: a clock that stands where it is put, and events without ceremony."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shelfrank.history.events import NewEvent
from shelfrank.history.keyring import KeyFile
from shelfrank.history.store import History
from shelfrank.types import ItemId

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider
    from shelfrank.types import Kind

START = datetime(2017, 12, 1, 9, tzinfo=UTC)
RANK = "rank_products"


class StandingClock:
    """A clock that moves when it is told to."""

    def __init__(self, time: datetime = START) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)


class Profile:
    """A folder for a history, its key and its clock."""

    def __init__(self, root: Path, key: KeyProvider | None = None) -> None:
        self.folder = root / "profile"
        self.key_path = root / "key"
        self.key = key or KeyFile(self.key_path)
        self.clock = StandingClock()

    @property
    def database(self) -> Path:
        return self.folder / "history.db"

    @property
    def anchor(self) -> Path:
        return self.folder / "history.anchor"

    def open(self, key: KeyProvider | None = None) -> History:
        return History.open(self.folder, key or self.key, clock=self.clock)

    def files(self) -> dict[str, bytes]:
        """Return every file of the profile; no history may be open in this process."""
        paths = [*self.folder.iterdir(), self.key_path] if self.folder.exists() else []
        return {path.name: path.read_bytes() for path in paths if path.exists()}


def new_event(
    item_id: str = "sku-1",
    *,
    minutes: float = 0,
    kind: Kind = "view",
    quantity: float = 1.0,
    purposes: tuple[str, ...] = (RANK,),
    context: str = "",
) -> NewEvent:
    """Return an event `minutes` after the start, stored to the minute."""
    time = START + timedelta(minutes=minutes)
    return NewEvent(
        kind=kind,
        item_id=ItemId(item_id),
        time=time,
        stored_time=time.replace(second=0, microsecond=0),
        quantity=quantity,
        purposes=frozenset(purposes),
        context=context,
    )


def items_of(history: History, purpose: str = RANK) -> list[str]:
    """Return the item ids that a purpose sees, oldest first."""
    return [event.item_id for event in history.events(purpose)]
