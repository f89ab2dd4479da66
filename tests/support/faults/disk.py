"""A disk that loses its power: which states of the files can be found afterwards. Pure.

The model is harsher than the file systems that phones and kiosks have. Of what was not synced,
any part may have reached the disk, in any order:

* each write wholly, not at all, or torn at sectors of 512 bytes, with or without the new length;
* each change of length or not;
* each new, renamed or removed name or not, unless the *folder* was synced. Syncing a file does
  not make its name safe. A rename is atomic.

What was synced is there. Sectors that were written are not garbled later (disks correct or report
that), and a sector is written wholly or not at all.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

SECTOR: Final = 512


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes put into a file."""

    file: int
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A new length."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Create:
    """A new name for a new, empty file."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Unlink:
    """A name removed."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Rename:
    """A name replaced."""

    old: str
    new: str
    file: int


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """A new folder."""

    name: str


@dataclass(frozen=True, slots=True)
class Sync:
    """A file, or the names in a folder, made safe."""

    file: int = 0
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that the process says to whoever watches."""

    line: str


@dataclass(frozen=True, slots=True)
class Grow:
    """A length that has grown before the data came: zeros are read."""

    file: int
    size: int


Operation = Write | Truncate | Grow | Create | Unlink | Rename | MakeFolder | Sync | Mark
Named = Create | Unlink | Rename | MakeFolder


@dataclass(frozen=True)
class Image:
    """What is on the disk: contents by name, relative to the root, and folders."""

    files: dict[str, bytes]
    folders: tuple[str, ...]


@dataclass
class Disk:
    """What is safe, and what is on its way. Files are numbers; names lead to them."""

    contents: dict[int, bytearray] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {"."})
    waiting: list[Operation] = field(default_factory=list)

    def issue(self, operation: Operation) -> None:
        """Take one operation: it waits, or makes others safe."""
        if isinstance(operation, Mark):
            return
        if not isinstance(operation, Sync):
            self.waiting.append(operation)
            return
        safe = [waits for waits in self.waiting if _is_made_safe(waits, operation)]
        self.waiting = [waits for waits in self.waiting if waits not in safe]
        for waits in safe:
            self._apply(waits)

    def cut(self, reaches: Callable[[Operation], tuple[Operation, ...]]) -> Image:
        """Return what is found after a power cut now.

        Args:
            reaches: says of each operation that waits which parts of it reach the disk; asked in
                order.
        """
        after = self.copy()
        for waits in self.waiting:
            for part in reaches(waits):
                after._apply(part)
        return after.image()

    def copy(self) -> Disk:
        """Return a disk of its own in the same state."""
        return Disk(
            {file: bytearray(content) for file, content in self.contents.items()},
            dict(self.names),
            set(self.folders),
            list(self.waiting),
        )

    def image(self) -> Image:
        """Return what is safe."""
        folders = tuple(sorted(name for name in self.folders if self._reachable(name)))
        files = {
            name: bytes(self.contents.get(file, b""))
            for name, file in sorted(self.names.items())
            if posixpath.dirname(name) in {"", *folders}
        }
        return Image(files, folders)

    def _reachable(self, folder: str) -> bool:
        parent = posixpath.dirname(folder) or "."
        return folder == "." or (parent in self.folders and self._reachable(parent))

    def _apply(self, operation: Operation) -> None:
        if isinstance(operation, Write | Truncate | Grow):
            self._change(operation)
        elif isinstance(operation, MakeFolder):
            self.folders.add(operation.name)
        elif isinstance(operation, Create | Unlink | Rename):
            self._name(operation)

    def _change(self, change: Write | Truncate | Grow) -> None:
        content = self.contents.setdefault(change.file, bytearray())
        size = change.at + len(change.data) if isinstance(change, Write) else change.size
        content.extend(bytes(max(0, size - len(content))))
        if isinstance(change, Write):
            content[change.at : size] = change.data
        elif isinstance(change, Truncate):
            del content[size:]

    def _name(self, change: Create | Unlink | Rename) -> None:
        old = change.old if isinstance(change, Rename) else change.name
        if not isinstance(change, Create) and self.names.get(old) == change.file:
            del self.names[old]
        if not isinstance(change, Unlink):
            self.names[change.new if isinstance(change, Rename) else old] = change.file


def _is_made_safe(waits: Operation, sync: Sync) -> bool:
    if sync.folder is None:
        return isinstance(waits, Write | Truncate) and waits.file == sync.file
    return isinstance(waits, Create | Unlink | Rename | MakeFolder) and any(
        (posixpath.dirname(name) or ".") == sync.folder for name in _names(waits)
    )


def _names(named: Named) -> tuple[str, ...]:
    return (named.old, named.new) if isinstance(named, Rename) else (named.name,)


# Which part of what waits reaches the disk.


def nothing(_: Operation) -> tuple[Operation, ...]:
    """Drop everything that was not synced."""
    return ()


def everything(operation: Operation) -> tuple[Operation, ...]:
    """Keep everything."""
    return (operation,)


def any_part(rng: np.random.Generator, kept: float) -> Callable[[Operation], tuple[Operation, ...]]:
    """Return a rule that keeps each operation with a probability, or else a part of it or nothing.

    Args:
        rng: makes the choices.
        kept: probability, 0 to 1.
    """

    def reaches(operation: Operation) -> tuple[Operation, ...]:
        if rng.random() < kept:
            return (operation,)
        if isinstance(operation, Write) and rng.random() < 0.5:
            return tuple(_torn(operation, rng))
        return ()

    return reaches


def _torn(write: Write, rng: np.random.Generator) -> Iterator[Operation]:
    if rng.random() < 0.5:
        yield Grow(write.file, write.at + len(write.data))
    start = 0
    while start < len(write.data):
        # Sectors lie at multiples of their size in the file, wherever the write begins.
        end = min(len(write.data), start + SECTOR - (write.at + start) % SECTOR)
        if rng.random() < 0.5:
            yield Write(write.file, write.at + start, write.data[start:end])
        start = end
