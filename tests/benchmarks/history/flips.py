"""Flip every bit of a small history, and random bits of a large one; see that none is silent.

    python tests/benchmarks/history/flips.py --count 10000

`small` flips every bit of the database, the anchor, the key file and its marks, of a history with a
block and a tail; `journal` every bit of the journal that a large transaction leaves when it is cut;
`large` flips `--count` random bits in the database of 100,000 events. After each flip the history
is opened. It must say so, by an error or in `damaged` with the rest intact, or show exactly what
was there: a bit that means nothing, or one of something that is there twice. Of every byte with
such a bit, a small history must also take another event with one of them flipped, and show all of
them again. `--count 0` leaves `large` out, and `--stride N` takes every N-th bit of the others.
Every bit takes some ten minutes of CPU, 10,000 flips in the large one twenty.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from shelfrank.errors import HistoryError, WrongKeyError
from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.histories import Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

    from support.faults.children import Say

SMALL: Final = 131
LARGE: Final = 100_000
BLOCK: Final = 128
COMPARED: Final = 50
"""In the large history every so many-th report of damage is held against each event: it is slow."""


class Files:
    """The files of a profile, put back before each flip.

    Args:
        profile: nobody has it open.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.whole = {path: path.read_bytes() for path in self._paths()}

    def _paths(self) -> list[Path]:
        root = self.profile.folder.parent
        return sorted(path for path in root.rglob("*") if path.is_file())

    def bits(self) -> int:
        """Return how many bits there are."""
        return 8 * sum(map(len, self.whole.values()))

    def place(self, bit: int) -> tuple[Path, int]:
        """Return the file of a bit and its number there."""
        for path, content in self.whole.items():
            if bit < 8 * len(content):
                return path, bit
            bit -= 8 * len(content)
        raise IndexError(bit)

    def restore(self) -> None:
        """Put every file back as it was: opening one that is damaged may write."""
        for path in self._paths():
            if path not in self.whole:
                path.unlink()
        for path, content in self.whole.items():
            path.write_bytes(content)

    def flip(self, path: Path, bit: int) -> None:
        """Change one bit."""
        with path.open("r+b") as file:
            file.seek(bit // 8)
            file.write(bytes([self.whole[path][bit // 8] ^ 1 << bit % 8]))


class Found(NamedTuple):
    """What an opened history shows."""

    items: list[str]
    damaged: bool
    lost: int
    whole: bool


def look(profile: Profile) -> Found | HistoryError | str:
    """Return what is shown, the error of the SDK, or a fault."""
    try:
        with profile.open() as history:
            return Found(items_of(history), bool(history.damaged), history.lost, history.whole)
    except HistoryError as error:
        return error
    except Exception as error:  # noqa: BLE001 whatever it is, it is not the SDK's
        return f"fault: {type(error).__name__}"


def judge(profile: Profile, items: list[str], name: str, *, thorough: bool) -> str:
    """Return the word under which the outcome counts; one that begins with fault is a fault."""
    found = look(profile)
    if not isinstance(found, Found):
        return judge_error(found, name)
    if found.damaged:
        return judge_damage(found, items)
    if found.items != items or found.lost:
        return f"fault: shows {len(found.items)} of {len(items)} events in silence"
    if thorough and not goes_on(profile, items):
        return "fault: is not seen, and breaks the next event"
    return "no meaning" if found.whole else "one of two copies damaged, all events there"


def judge_error(found: HistoryError | str, name: str) -> str:
    if isinstance(found, str):
        return found
    # Only the key file can make the key look like another one.
    if isinstance(found, WrongKeyError) and name != "key":
        return "fault: passes for a wrong key"
    return type(found).__name__


def judge_damage(found: Found, items: list[str]) -> str:
    if not is_subsequence(found.items, items):
        return "fault: reports damage and shows events that never were"
    if len(items) - len(found.items) > BLOCK:
        return f"fault: one bit takes {len(items) - len(found.items)} events"
    return "damaged, rest intact"


def is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)


def goes_on(profile: Profile, items: list[str]) -> bool:
    """Say whether a history that shows nothing takes an event, or then says what is wrong."""
    try:
        with profile.open() as history:
            history.append([new_event("after", minutes=1e6)])
    except HistoryError:
        return True
    found = look(profile)
    if isinstance(found, str):
        return False
    return isinstance(found, HistoryError) or found.items == [*items, "after"] or found.damaged


def flip_all(files: Files, bits: Iterable[int], tally: Tally, items: list[str]) -> None:
    """Flip bits one at a time."""
    chosen = list(bits)
    step = chosen[1] - chosen[0]
    progress = Progress("flips", len(chosen))
    for number in chosen:
        files.restore()
        path, bit = files.place(number)
        files.flip(path, bit)
        word = judge(files.profile, items, path.name, thorough=number // step % 8 == 0)
        tally.figures["flips"] += 1
        tally.figures[f"{path.name}: {word}"] += 1
        if word.startswith("fault"):
            tally.fault(f"{path.name}, bit {bit}", word)
        progress.step()
    files.restore()


def small(options: Options, tally: Tally) -> None:
    """Flip the bits of a history with one block and a tail."""
    profile = Profile(options.folder / "small")
    items = [f"sku-{number}" for number in range(SMALL)]
    with profile.open() as history:
        history.append([new_event(item, minutes=at) for at, item in enumerate(items)])
    files = Files(profile)
    flip_all(files, range(0, files.bits(), options.stride), tally, items)


def journal(options: Options, tally: Tally) -> None:
    """Flip the bits of what a cut transaction leaves: the journal is to undo what is half done."""
    profile = Profile(options.folder / "journal")
    items = [f"sku-{number}" for number in range(SMALL)]
    with profile.open() as history:
        history.append([new_event(item, minutes=at) for at, item in enumerate(items)])
    leave_half_done(profile)
    files = Files(profile)
    if not files.whole[profile.folder / "history.db-journal"]:
        raise RuntimeError("the transaction has left no journal")
    journal_bits = [
        bit
        for bit in range(0, files.bits(), options.stride)
        if files.place(bit)[0].name == "history.db-journal"
    ]
    flip_all(files, journal_bits, tally, items)


def leave_half_done(profile: Profile) -> None:
    """Die in the middle of a commit: pages are written, and the journal still stands."""

    def work(say: Say) -> None:
        history = profile.open()
        say("open")
        database = history._storage.attach()
        assert database is not None
        connection = database.connection
        # With no room in its cache SQLite writes pages before the commit.
        connection.execute("PRAGMA cache_size=1")
        connection.execute("PRAGMA cache_spill=1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE block SET sealed = zeroblob(length(sealed))")
        connection.execute("UPDATE tail SET sealed = zeroblob(length(sealed))")
        connection.execute("UPDATE spare SET value = zeroblob(length(value))")
        connection.execute("UPDATE meta SET value = zeroblob(length(value))")
        connection.execute("INSERT INTO block VALUES (100000, zeroblob(9), zeroblob(60000))")

    with Child(work) as child:
        child.join()
        if child.exit_code == FAILED:
            raise RuntimeError(child.all_lines()[-1])


def large(options: Options, tally: Tally) -> None:
    """Flip random bits in the database of a large history."""
    profile = Profile(options.folder / "large")
    items = [f"sku-{number:06}" for number in range(LARGE)]
    with profile.open() as history:
        history.append([new_event(item, minutes=at) for at, item in enumerate(items)])
    rng = np.random.default_rng(options.seed)
    size = 8 * profile.database.stat().st_size
    progress = Progress("flips in 100,000 events", options.count)
    reports = 0
    for _ in range(options.count):
        bit = int(rng.integers(size))
        with profile.database.open("r+b") as file:
            flip_in_place(file, bit)
        word = judge_large(profile, items, thorough=reports % COMPARED == 0)
        reports += word == "damaged, rest intact"
        with profile.database.open("r+b") as file:
            flip_in_place(file, bit)
        tally.figures["flips"] += 1
        tally.figures[f"large: {word}"] += 1
        if word.startswith("fault"):
            tally.fault(f"large, bit {bit}", word)
        progress.step()


def flip_in_place(file: IO[bytes], bit: int) -> None:
    file.seek(bit // 8)
    (byte,) = file.read(1)
    file.seek(bit // 8)
    file.write(bytes([byte ^ 1 << bit % 8]))


def judge_large(profile: Profile, items: list[str], *, thorough: bool) -> str:
    """As `judge`; every event is compared where nothing is reported, else now and then."""
    try:
        with profile.open() as history:
            count, damaged, lost = len(history), bool(history.damaged), history.lost
            if damaged and not thorough:
                return "damaged, rest intact" if 0 <= len(items) - count <= BLOCK else "fault: gone"
            found = Found(items_of(history), damaged, lost, history.whole)
    except WrongKeyError:
        return "fault: passes for a wrong key"
    except HistoryError as error:
        return type(error).__name__
    if damaged:
        return judge_damage(found, items)
    if found.items != items or lost:
        return "fault: silent"
    return "no meaning" if found.whole else "one of two copies damaged, all events there"


def campaign(options: Options, tally: Tally) -> None:
    """Flip in each of the three, or in the one that is asked for."""
    for part in (small, journal, large):
        if options.part in {None, part.__name__} and not (part is large and not options.count):
            part(options, tally)


if __name__ == "__main__":
    main(
        campaign,
        name="flips",
        doc=__doc__,
        count=10_000,
        guards=("authentication", "chain"),
        parts=("small", "journal", "large"),
    )
