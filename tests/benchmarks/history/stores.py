"""One store of events, measured in a process of its own; run by `speed.py`.

    python stores.py shelfrank|sqlite|sqlcipher STEP FOLDER EVENTS

Every step prints one line of JSON. All stores keep the same eight values of the same events, and
wait for the disk at every commit. It needs numpy, and what the store needs.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

START: Final = datetime(2017, 1, 2, 9, tzinfo=UTC)
BATCH: Final = 128
SINGLES: Final = 200
VISIT: Final = 20
ROUNDS: Final = 5
ITEMS: Final = 40_000
SEED: Final = 5

# Raw keys: no store is measured at stretching a passphrase.
KEY: Final = bytes(range(32))
NEW_KEY: Final = bytes(range(1, 33))


class Row(NamedTuple):
    """One event."""

    time: datetime
    kind: int
    quantity: float
    item_id: str


def make_rows(first: int, count: int) -> list[Row]:
    """Return events three minutes apart, twenty a visit, of items with 16-byte ids."""
    items = np.random.default_rng(SEED + first).integers(ITEMS, size=count).tolist()
    return [
        Row(
            START + timedelta(minutes=3 * number, hours=number // VISIT),
            number % 3,
            1.0,
            f"{item:016d}",
        )
        for number, item in enumerate(items, start=first)
    ]


class Store(Protocol):
    """What every store can do."""

    def prepare(self, rows: Sequence[Row]) -> Sequence[object]:
        """Return events as the store takes them; not measured, since apps have them so."""
        ...

    def append(self, events: Sequence[object]) -> None:
        """Commit events; they are on the disk when this returns."""
        ...

    def load(self) -> int:
        """Verify what the store can verify, and return how many events lie in arrays now."""
        ...

    def rotate(self) -> None:
        """Put everything under a new key."""
        ...

    def erase_item(self, item_id: str) -> None:
        """Erase the events of an item for good."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class Shelfrank:
    """The history of this SDK."""

    def __init__(self, folder: Path) -> None:
        from shelfrank.history.events import NewEvent
        from shelfrank.history.keyring import KeyFile
        from shelfrank.history.store import History, Selection
        from shelfrank.types import KINDS, ItemId
        from support.histories import StandingClock

        self._selection, self._item = Selection, ItemId
        self._purposes = frozenset({"rank_products"})
        self._new = lambda row: NewEvent(
            kind=KINDS[row.kind],
            item_id=ItemId(row.item_id),
            time=row.time,
            stored_time=row.time,
            quantity=row.quantity,
            purposes=self._purposes,
        )
        self._history = History.open(
            folder / "profile", KeyFile(folder / "key"), clock=StandingClock(START)
        )

    def prepare(self, rows: Sequence[Row]) -> Sequence[object]:
        """See `Store`."""
        return [self._new(row) for row in rows]

    def append(self, events: Sequence[object]) -> None:
        """See `Store`."""
        self._history.append(events)

    def load(self) -> int:
        """See `Store`: opening has verified everything and made the arrays."""
        return len(self._history)

    def rotate(self) -> None:
        """See `Store`."""
        self._history.rotate()

    def erase_item(self, item_id: str) -> None:
        """See `Store`."""
        self._history.erase_selected(self._selection(item_ids=frozenset({self._item(item_id)})))

    def close(self) -> None:
        """See `Store`."""
        self._history.close()


class Sqlite:
    """A table as one would write it, in a rollback journal that waits for the disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = self._connect(folder / "events.db")
        for pragma in ("journal_mode=TRUNCATE", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, time INTEGER, "
            "visit INTEGER, position INTEGER, kind INTEGER, quantity REAL, purposes INTEGER, "
            "item TEXT)"
        )

    def _connect(self, path: Path) -> sqlite3.Connection:
        import sqlite3

        return sqlite3.connect(path, isolation_level=None)

    def prepare(self, rows: Sequence[Row]) -> Sequence[object]:
        """See `Store`."""
        return [
            (int(row.time.timestamp() * 1e6), 0, at, row.kind, row.quantity, 1, row.item_id)
            for at, row in enumerate(rows)
        ]

    def append(self, events: Sequence[object]) -> None:
        """See `Store`."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO event (time, visit, position, kind, quantity, purposes, item)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            events,
        )
        self._connection.execute("COMMIT")

    def load(self) -> int:
        """See `Store`: what SQLite can verify are its pages and, with a key, their tags."""
        rows = self._connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
        seq, when, visit, position, kind, quantity, purposes, items = zip(*rows, strict=True)
        arrays = [
            np.array(seq, dtype=np.int64),
            np.array(when, dtype=np.int64),
            np.array(visit, dtype=np.int64),
            np.array(position, dtype=np.int64),
            np.array(kind, dtype=np.uint8),
            np.array(quantity, dtype=np.float32),
            np.array(purposes, dtype=np.uint32),
        ]
        codes: dict[str, int] = {}
        arrays.append(np.array([codes.setdefault(item, len(codes)) for item in items]))
        return min(map(len, arrays))

    def rotate(self) -> None:
        """See `Store`: there is no key."""

    def erase_item(self, item_id: str) -> None:
        """See `Store`: the freed cells are overwritten."""
        self._connection.execute("DELETE FROM event WHERE item = ?", (item_id,))

    def close(self) -> None:
        """See `Store`."""
        self._connection.close()


class Sqlcipher(Sqlite):
    """The same table in SQLCipher."""

    def _connect(self, path: Path) -> sqlite3.Connection:
        import sqlcipher3

        connection = sqlcipher3.connect(str(path), isolation_level=None)
        connection.execute(f"PRAGMA key = \"x'{KEY.hex()}'\"")
        return connection

    def rotate(self) -> None:
        """See `Store`: every page is encrypted anew."""
        self._connection.execute(f"PRAGMA rekey = \"x'{NEW_KEY.hex()}'\"")

    def erase_item(self, item_id: str) -> None:
        """See `Store`: as after an erasure here, older copies must not open any more."""
        super().erase_item(item_id)
        self.rotate()


STORES: Final[dict[str, Callable[[Path], Store]]] = {
    "shelfrank": Shelfrank,
    "sqlite": Sqlite,
    "sqlcipher": Sqlcipher,
}


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds of CPU (user and system) and of the wall."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu * 1e3, wall * 1e3


def measure(name: str, folder: Path, count: int) -> dict[str, float]:
    """Fill, read, rotate and erase one store."""
    make = STORES[name]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [make_rows(first, BATCH) for first in range(0, count, BATCH)]
    store = make(folder)
    batches = [store.prepare(batch) for batch in rows]
    # No store shall pay for the collector's walks over what only the benchmark holds.
    gc.freeze()
    cpu, wall = timed(lambda: [store.append(batch) for batch in batches])
    found = {"batch_cpu_us_per_event": cpu * 1e3 / count, "batch_events_per_s": count / wall * 1e3}
    store.close()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    found["bytes_per_event"] = size / count

    def open_and_load() -> None:
        with closing(make(folder)) as opened:
            assert opened.load() == count

    loads = [timed(open_and_load) for _ in range(ROUNDS)]
    found["load_cpu_ms"] = min(cpu for cpu, _ in loads)
    found["load_ms"] = min(wall for _, wall in loads)
    with closing(make(folder)) as store:
        single = [[event] for event in store.prepare(make_rows(count, SINGLES))]
        singles = [timed(lambda events=events: store.append(events)) for events in single]
        found["single_cpu_ms"] = statistics.fmean(cpu for cpu, _ in singles)
        found["single_ms"] = statistics.median(wall for _, wall in singles)
    with closing(make(folder)) as store:
        store.load()
        if name != "sqlite":
            found["rotate_cpu_ms"], found["rotate_ms"] = timed(store.rotate)
        item_id = rows[len(rows) // 2][0].item_id
        found["erase_cpu_ms"], found["erase_ms"] = timed(lambda: store.erase_item(item_id))
    return found


def append_singles(name: str, folder: Path, count: int) -> dict[str, float]:
    """Append one event at a time to a store that exists; for counting system calls."""
    with closing(STORES[name](folder)) as store:
        for event in store.prepare(make_rows(0, count + 1)):
            store.append([event])
    return {"appended": count}


def main() -> None:
    """Run one step."""
    name, step, folder, count = sys.argv[1:]
    steps = {"measure": measure, "singles": append_singles}
    print(json.dumps(steps[step](name, Path(folder), int(count))))


if __name__ == "__main__":
    main()
