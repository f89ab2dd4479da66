"""The disk of the power cuts: what is synced is there, the rest may be; and its trace is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.faults.disk import (
    Create,
    Disk,
    MakeFolder,
    Mark,
    Operation,
    Rename,
    Sync,
    Truncate,
    Unlink,
    Write,
    any_part,
    everything,
    nothing,
)
from support.faults.tracing import parse

DATA = b"a" * 512 + b"b" * 512 + b"c" * 100


def disk(*operations: Operation) -> Disk:
    made = Disk()
    for operation in operations:
        made.issue(operation)
    return made


def test_a_file_is_there_when_it_and_its_folder_are_synced() -> None:
    written = (Create("f", 1), Write(1, 0, DATA))

    assert disk(*written, Sync(file=1), Sync(folder=".")).image().files == {"f": DATA}
    assert disk(*written, Sync(file=1)).cut(nothing).files == {}
    assert disk(*written, Sync(folder=".")).cut(nothing).files == {"f": b""}
    assert disk(*written).cut(everything).files == {"f": DATA}


def test_a_file_in_a_folder_without_a_safe_name_is_not_found() -> None:
    made = (MakeFolder("d"), Create("d/f", 1), Sync(folder="d"))

    assert disk(*made).cut(nothing).files == {}
    assert disk(*made, Sync(folder=".")).cut(nothing).files == {"d/f": b""}


def test_a_rename_is_whole_or_has_not_been() -> None:
    both = disk(
        *(Create("new", 1), Write(1, 0, b"new"), Create("old", 2), Write(2, 0, b"old")),
        *(Sync(file=1), Sync(file=2), Sync(folder="."), Rename("new", "old", 1)),
    )

    found = {tuple(both.cut(rule).files.items()) for rule in (nothing, everything)}
    assert found == {(("new", b"new"), ("old", b"old")), (("old", b"new"),)}


def test_writes_are_torn_at_sectors_only_and_in_any_order() -> None:
    written = disk(Create("f", 1), Sync(folder="."), Write(1, 0, DATA), Write(1, 0, b"z" * 512))
    rng = np.random.default_rng(1)

    found = {written.cut(any_part(rng, 0.3)).files["f"] for _ in range(500)}

    for content in found:
        for start, kept in (
            (0, {b"a" * 512, b"z" * 512}),
            (512, {b"b" * 512}),
            (1024, {b"c" * 100}),
        ):
            piece = content[start : start + 512]
            assert piece in kept or not piece.strip(b"\0")
    assert {DATA, b"z" * 512 + DATA[512:], b"", b"z" * 512} <= found


def test_a_length_and_a_removal_that_are_not_synced_may_not_have_been() -> None:
    kept = disk(
        *(Create("f", 1), Write(1, 0, DATA), Sync(file=1), Sync(folder=".")),
        *(Truncate(1, 0), Unlink("f", 1)),
    )

    assert kept.cut(nothing).files == {"f": DATA}
    assert kept.cut(everything).files == {}


def test_a_trace_is_read_as_what_it_did() -> None:
    def text(plain: str) -> str:
        return '"' + "".join(f"\\x{byte:02x}" for byte in plain.encode()) + '"'

    trace = "\n".join(
        [
            f"mkdir({text('/r/d')}, 0700) = 0",
            f"openat(AT_FDCWD, {text('/r/d/f')}, O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 4",
            f"write(4, {text('abc')}, 3) = 2",
            f"write(4, {text('c')}, 1) = 1",
            f"pwrite64(4, {text('x')}, 1, 9) = -1 EIO (Input/output error)",
            "fsync(4) = 0",
            f"write(5, {text('done')}, 4) = 4",
            f"rename({text('/r/d/f')}, {text('/r/d/g')}) = 0",
            "+++ exited with 0 +++",
        ]
    )

    assert list(parse(trace, Path("/r"), "5")) == [
        MakeFolder("d"),
        Create("d/f", 1),
        Write(1, 0, b"ab"),
        Write(1, 2, b"c"),
        Sync(file=1),
        Mark("done"),
        Rename("d/f", "d/g", 1),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "fallocate(4, 0, 0, 4096) = 0",
        'openat(AT_FDCWD, "\\x2f\\x65", O_RDWR|O_CREAT, 0600) = 9',
        "write(4, <unfinished ...>",
        'write(4, "\\x61"..., 99) = 99',
    ],
)
def test_a_trace_that_the_model_does_not_know_is_refused(line: str) -> None:
    opened = 'openat(AT_FDCWD, "\\x2f\\x72\\x2f\\x66", O_RDWR|O_CREAT, 0600) = 4'

    with pytest.raises(ValueError, match=r"trace|modelled|elsewhere"):
        list(parse(f"{opened}\n{line}", Path("/r"), "5"))
