"""What a process does to its files, seen from below: strace, attached to a child that waits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from support.faults.disk import (
    Create,
    MakeFolder,
    Mark,
    Rename,
    Sync,
    Truncate,
    Unlink,
    Write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from support.faults.children import Child
    from support.faults.disk import Operation

# What changes a file or its name, and what is needed to know which file. A question mark: not
# every machine has the call.
TRACED: Final = (
    "open,openat,creat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,"
    "fallocate,fsync,fdatasync,sync_file_range,unlink,unlinkat,rename,renameat,renameat2,mkdir,"
    "mkdirat,rmdir,link,linkat,dup,dup2,dup3,copy_file_range,sendfile"
)

LONGEST_STRING: Final = 1 << 20


class NoTracerError(Exception):
    """This machine has no strace, or does not permit it."""


class Tracer:
    """strace on one process, until that ends.

    Args:
        child: waits for its release; it is released once strace watches it.
        arguments: of strace.

    Raises:
        NoTracerError: it cannot attach.
    """

    def __init__(self, child: Child, *arguments: str) -> None:
        found = shutil.which("strace")
        if found is None:
            raise NoTracerError("strace is not installed (apt-get install strace)")
        self._process = subprocess.Popen(  # noqa: S603 a fixed program
            [found, "-p", str(child.pid), *arguments], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if "attached" not in said:
            self._process.kill()
            self._process.communicate()
            raise NoTracerError(f"strace cannot attach: {said.strip()}")
        child.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def record(child: Child, root: Path, channel: str, output: Path) -> list[Operation]:
    """Let a child do its work and return what it did below a folder, in order.

    Args:
        child: waits for its release.
        root: files elsewhere do not count, and are refused when the child writes one.
        channel: how the trace shows what goes to the parent: the number of the descriptor.
        output: a file for the trace.
    """
    # Paths and data as hexadecimal numbers: nothing needs to be unescaped.
    with Tracer(
        child, "-xx", "-s", str(LONGEST_STRING), "-e", f"trace={_known()}", "-o", str(output)
    ):
        child.join()
    return list(parse(output.read_text(encoding="ascii"), root, channel))


def _known() -> str:
    return ",".join(f"?{name}" for name in TRACED.split(","))


_CALL: Final = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?: .*)?$")
_IGNORED: Final = re.compile(r"(?:\d+ +)?(?:\+\+\+|---)")


@dataclass
class _Handle:
    file: int
    path: str
    folder: bool = False
    at: int = 0


def parse(trace: str, root: Path, channel: str) -> Iterator[Operation]:
    """Yield the operations of a trace made with ``-xx``.

    Raises:
        ValueError: the trace has a call that this reader does not know.
    """
    reader = _Reader(str(root), channel)
    for line in trace.splitlines():
        if _IGNORED.match(line):
            continue
        call = _CALL.match(line)
        if call is None:
            if line.rstrip().endswith("= ?"):  # The call that never returned: exit.
                continue
            raise ValueError(f"cannot read the trace: {line[:200]}")
        name, arguments, result = call[1], _split(call[2]), int(call[3])
        if result >= 0:
            yield from reader.read(name, arguments, result)


class _Reader:
    """Keeps which descriptor is which file. Files are numbered, since names change."""

    def __init__(self, root: str, channel: str) -> None:
        self._root = root
        self._channel = channel
        self._open: dict[str, _Handle] = {}
        self._files: dict[str, int] = {}
        self._numbered = 0

    def read(self, name: str, arguments: Sequence[str], result: int) -> Iterator[Operation]:
        """Yield what one call does."""
        method = getattr(self, f"_{name}", None)
        if method is None:
            if self._concerns(arguments):
                raise ValueError(f"the history makes a call that is not modelled: {name}")
            return
        yield from method(arguments, result)

    def _concerns(self, arguments: Sequence[str]) -> bool:
        return any(
            argument in self._open or (argument.startswith('"') and self._inside(_text(argument)))
            for argument in arguments
        )

    def _inside(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + "/")

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self._root)

    def _openat(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:
        path, flags = _text(arguments[1]), arguments[2]
        self._open.pop(str(result), None)
        if not self._inside(path):
            if "O_CREAT" in flags:
                raise ValueError(f"a file is made elsewhere: {path}")
            return
        name = self._relative(path)
        folder = "O_DIRECTORY" in flags or (name not in self._files and "O_CREAT" not in flags)
        if not folder and name not in self._files:
            self._numbered += 1
            self._files[name] = self._numbered
            yield Create(name, self._numbered)
        self._open[str(result)] = _Handle(self._files.get(name, 0), name, folder)
        if "O_TRUNC" in flags and not folder:
            yield Truncate(self._files[name], 0)

    def _close(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:  # noqa: ARG002
        self._open.pop(arguments[0], None)
        yield from ()

    def _lseek(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:
        if handle := self._open.get(arguments[0]):
            handle.at = result
        yield from ()

    def _write(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:
        data = _bytes(arguments[1])[:result]
        if arguments[0] == self._channel:
            yield from (Mark(line) for line in data.decode().splitlines())
        elif handle := self._open.get(arguments[0]):
            yield Write(handle.file, handle.at, data)
            handle.at += result

    def _pwrite64(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:
        if handle := self._open.get(arguments[0]):
            yield Write(handle.file, int(arguments[3]), _bytes(arguments[1])[:result])

    def _ftruncate(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:  # noqa: ARG002
        if handle := self._open.get(arguments[0]):
            yield Truncate(handle.file, int(arguments[1]))

    def _fsync(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:  # noqa: ARG002
        if handle := self._open.get(arguments[0]):
            yield Sync(folder=handle.path) if handle.folder else Sync(file=handle.file)

    _fdatasync = _fsync

    def _mkdir(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:  # noqa: ARG002
        if self._inside(path := _text(arguments[0])):
            yield MakeFolder(self._relative(path))

    def _unlink(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:  # noqa: ARG002
        if self._inside(path := _text(arguments[0])):
            name = self._relative(path)
            yield Unlink(name, self._files.pop(name))

    def _rename(self, arguments: Sequence[str], result: int) -> Iterator[Operation]:  # noqa: ARG002
        old, new = map(_text, arguments[:2])
        if self._inside(old):
            file = self._files.pop(self._relative(old))
            self._files[self._relative(new)] = file
            yield Rename(self._relative(old), self._relative(new), file)


def _split(arguments: str) -> list[str]:
    # Strings are hexadecimal, so no comma is inside one.
    return [argument.strip() for argument in arguments.split(",")]


def _bytes(argument: str) -> bytes:
    if argument.endswith("..."):
        raise ValueError("the trace cuts what is written")
    return bytes.fromhex(argument.strip('"').replace("\\x", ""))


def _text(argument: str) -> str:
    return os.fsdecode(_bytes(argument))
