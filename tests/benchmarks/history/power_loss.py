"""Cut the power at every system call of a history's life; see what every disk may then hold.

    python tests/benchmarks/history/power_loss.py --count 50000

strace records what a real process writes, syncs, truncates, makes, renames and removes, and between
which calls a step was acknowledged. For every boundary between two calls the disk is computed that
drops all that was not synced, keeps all, or keeps any part of it, down to torn sectors and names
that never came to be (the model: `support.faults.disk`). Each such state is put into a folder and
opened. It must hold exactly what was acknowledged, or the step in flight as well, without an alarm,
and take another event. After an acknowledged erasure no old key may be on the disk. Only states
that differ count. Some five minutes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from shelfrank.history.providers import HostSecret
from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.faults.disk import Disk, Image, Mark, any_part, everything, nothing
from support.faults.oracle import BEGIN, DONE, Allowed, Opened, State, Step, allowed_after, judge
from support.faults.tracing import record
from support.histories import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shelfrank.history.keys import KeyProvider
    from support.faults.children import Say, Work
    from support.faults.disk import Operation

SECRET: Final = b"k" * 32


def appends(count: int, first: int = 0, at_once: int = 1) -> list[Step]:
    """Return steps that append `count` times."""
    return [
        Step("append", tuple(f"sku-{first + number}-{at}" for at in range(at_once)))
        for number in range(count)
    ]


def erase(*items: str) -> Step:
    return Step("erase", items)


# What a device does, by name. The first state is always an empty folder.
LIVES: Final[dict[str, list[Step]]] = {
    "create and append": appends(8),
    "block": [*appends(1, at_once=125), *appends(6, first=1), *appends(1, first=7, at_once=260)],
    "erase": [*appends(4), erase("sku-1-0"), *appends(2, first=4), erase("sku-0-0", "sku-5-0")],
    "erase a block": [
        *appends(1, at_once=140),
        erase("sku-0-7", "sku-0-139"),
        *appends(1, first=1),
        erase(*(f"sku-0-{at}" for at in range(128))),
    ],
    "rotate": [*appends(1, at_once=129), Step("rotate"), *appends(1, first=1), Step("rotate")],
    "destroy": [*appends(3), Step("destroy"), *appends(2, first=3), Step("destroy")],
    "choices": [
        Step("choose", choice=1),
        *appends(2),
        Step("choose", choice=2),
        erase("sku-0-0"),
        Step("choose", choice=3),
        Step("void"),
        Step("choose", choice=4),
    ],
    "merge": [
        *appends(1, at_once=130),
        Step("merge", ("old-1", "old-2")),
        *appends(1, first=1),
        Step("merge", ("older-1",)),
    ],
    "recover": [*appends(2, at_once=70), Step("recover"), *appends(1, first=2)],
    "reopen": [*appends(2), Step("reopen"), *appends(2, first=2), Step("reopen")],
}


@dataclass
class Boundary:
    """A moment between two system calls.

    Attributes:
        where: life and number, for the report.
        disk: what is safe and what is on its way.
        allowed: what may be found.
        key: of the history.
    """

    where: str
    disk: Disk
    allowed: Allowed
    key: KeyProvider | None
    seen: set[bytes] = field(default_factory=set)


def live(profile: Profile, steps: Sequence[Step]) -> Work:
    """Return a child's work: the steps, each announced and acknowledged."""

    def work(say: Say) -> None:
        opened = Opened(profile)
        for step in steps:
            say(BEGIN + step.to_line())
            opened.do(step)
            say(DONE)
        opened.close()

    return work


def boundaries(name: str, key: KeyProvider | None, folder: Path) -> list[Boundary]:
    """Let a life be lived under strace and return the moments at which the power may go."""
    root = folder / f"{name}-{key.name if key else 'file'}".replace(" ", "-")
    root.mkdir()
    with Child(live(Profile(root, key), LIVES[name]), ready=_nothing_first) as child:
        operations = record(child, root, child.channel, folder / "trace")
        said = child.all_lines()
    if child.exit_code == FAILED:
        raise RuntimeError(said[-1])
    if not said or said != [o.line for o in operations if isinstance(o, Mark)]:
        raise RuntimeError("the trace does not show what the process said")
    return list(_replayed(name, key, operations))


def _nothing_first() -> None:
    """The life begins with an empty folder."""


def _replayed(
    name: str, key: KeyProvider | None, operations: Sequence[Operation]
) -> Iterator[Boundary]:
    disk, lines = Disk(), list[str]()
    for number, operation in enumerate(operations):
        disk.issue(operation)
        if isinstance(operation, Mark):
            lines.append(operation.line)
        where = f"{name} after call {number} ({type(operation).__name__})"
        yield Boundary(where, disk.copy(), allowed_after(lines, State()), key)


def put(image: Image, root: Path) -> None:
    """Make a folder hold an image and nothing else."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in image.folders:
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in image.files.items():
        (root / name).write_bytes(content)
        (root / name).chmod(0o600)


def digest(image: Image) -> bytes:
    return hashlib.blake2b(repr((image.folders, image.files)).encode()).digest()


def check(boundary: Boundary, image: Image, root: Path, tally: Tally) -> None:
    """Open one state and look."""
    put(image, root)
    erased = boundary.allowed.step is None and boundary.key is None
    key_bytes = len(image.files.get("key", b""))
    if erased and key_bytes > ONE_KEY_BYTES:
        tally.fault(boundary.where, "a key that was retired is still on the disk")
    found = judge(Profile(root, boundary.key), boundary.allowed)
    if isinstance(found, str):
        tally.fault(boundary.where, found)


ONE_KEY_BYTES: Final = len(b"shelfrank key file 1\n") + (16 + 4 + 32) + 32


def campaign(options: Options, tally: Tally) -> None:
    """Record every life, then look at states until there are enough."""
    rng = np.random.default_rng(options.seed)
    names = [options.part] if options.part else list(LIVES)
    moments: list[Boundary] = []
    for name in names:
        moments += boundaries(name, None, options.folder)
        if name in {"create and append", "erase"}:
            moments += boundaries(name, HostSecret(SECRET), options.folder)
    tally.figures["boundaries"] = len(moments)
    progress = Progress("power loss", options.count)
    for boundary, image in states(moments, rng, options.count):
        check(boundary, image, options.folder / "cut", tally)
        tally.figures["states"] += 1
        progress.step()


def states(
    moments: Sequence[Boundary], rng: np.random.Generator, count: int
) -> Iterator[tuple[Boundary, Image]]:
    """Yield `count` different states, or as many as there are: the plain ones first."""
    left = count
    open_moments = list(moments)
    for round_number in range(10_000):
        fruitful = []
        for at in rng.permutation(len(open_moments)):
            boundary = open_moments[at]
            rule = (nothing, everything)[round_number] if round_number < 2 else None
            image = boundary.disk.cut(rule or any_part(rng, float(rng.choice((0.2, 0.5, 0.9)))))
            known = digest(image)
            if known not in boundary.seen:
                boundary.seen.add(known)
                yield boundary, image
                left -= 1
                if not left:
                    return
            if boundary.disk.waiting and len(boundary.seen) * 4 > round_number - 40:
                fruitful.append(boundary)
        open_moments = fruitful
        if not open_moments:
            return


if __name__ == "__main__":
    main(
        campaign,
        name="power loss",
        doc=__doc__,
        count=50_000,
        guards=("syncs", "anchor-after-commit", "retire-after-commit", "retire", "name-syncs"),
        parts=tuple(LIVES),
    )
