"""The slots: nothing before the first choice, in place ever after, and damage permits nothing."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank.consent.record import RECORD_BYTES
from shelfrank.consent.store import SLOT_BYTES, FileChoiceStore
from shelfrank.errors import ConsentError, KeyUnavailableError
from support.shopper import AesSealer

OLD = b"old".ljust(RECORD_BYTES)
NEW = b"new".ljust(RECORD_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profile" / "choices"


@pytest.fixture
def store(path: Path) -> FileChoiceStore:
    return FileChoiceStore(path, AesSealer())


def reopened(path: Path, key: bytes = bytes(32)) -> FileChoiceStore:
    return FileChoiceStore(path, AesSealer(key))


def test_nothing_is_written_before_the_first_record(store, path):
    assert store.read() is None
    store.void()
    assert store.writable

    assert not path.parent.exists()


def test_a_record_reads_back_after_a_restart(store, path):
    for record in (OLD, NEW, OLD):
        store.write(record)
        assert reopened(path).read() == record


def test_the_file_has_one_size_and_one_owner_and_shows_nothing(store, path):
    for record in (OLD, NEW):
        store.write(record)

        assert path.stat().st_size == 2 * SLOT_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert record[:3] not in path.read_bytes()


def test_at_rest_both_slots_hold_the_newest(store, path):
    store.write(OLD)
    store.write(NEW)

    for slot in (0, 1):
        damaged = bytearray(path.read_bytes())
        damaged[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] = os.urandom(SLOT_BYTES)
        path.with_name("copy").write_bytes(damaged)
        assert reopened(path.with_name("copy")).read() == NEW


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("store") / "choices"
    FileChoiceStore(path, AesSealer()).write(NEW)
    return path.read_bytes()


@settings(max_examples=60)
@given(st.integers(0, SLOT_BYTES - 1), st.integers(1, 255))
def test_one_changed_byte_in_both_slots_makes_it_unreadable(written, tmp_path_factory, at, flip):
    path = tmp_path_factory.getbasetemp() / "flipped"
    data = bytearray(written)
    for slot in (0, 1):
        data[slot * SLOT_BYTES + at] ^= flip
    path.write_bytes(data)

    with pytest.raises(ConsentError, match="damaged"):
        reopened(path).read()


def test_every_byte_of_the_header_counts(written, tmp_path):
    path = tmp_path / "choices"
    for at in range(16):
        data = bytearray(written)
        data[at] ^= 1
        data[SLOT_BYTES + at] ^= 1
        path.write_bytes(data)

        with pytest.raises(ConsentError):
            reopened(path).read()


def test_slots_cannot_change_places(written, tmp_path):
    path = tmp_path / "choices"
    path.write_bytes(written[SLOT_BYTES:] + written[:SLOT_BYTES])

    with pytest.raises(ConsentError):
        reopened(path).read()


def test_another_key_opens_nothing(store, path):
    store.write(NEW)

    with pytest.raises(ConsentError, match="another key"):
        reopened(path, key=b"x" * 32).read()


@pytest.mark.parametrize("cut", [1, SLOT_BYTES // 2, SLOT_BYTES, SLOT_BYTES + 1])
def test_a_write_cut_off_by_a_power_failure_leaves_the_old_record_or_the_new(store, path, cut):
    store.write(OLD)
    before = path.read_bytes()
    store.write(NEW)
    after = path.read_bytes()

    path.write_bytes(after[:cut] + before[cut:])

    assert reopened(path).read() == (OLD if cut < SLOT_BYTES else NEW)


def test_a_first_write_cut_off_permits_nothing_and_can_be_repeated(store, path):
    store.write(NEW)
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(ConsentError):
        reopened(path).read()
    reopened(path).write(OLD)
    assert reopened(path).read() == OLD


@pytest.mark.parametrize("torn", [0, 1])
def test_a_write_that_fails_halfway_never_touches_the_only_whole_slot(
    store, path, torn, monkeypatch
):
    store.write(OLD)
    data = bytearray(path.read_bytes())
    data[torn * SLOT_BYTES] ^= 1
    path.write_bytes(data)
    write = os.write

    def half(fd: int, rest: memoryview) -> int:
        write(fd, rest[: len(rest) // 2])
        raise OSError(errno.EIO, "the disk failed")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="the disk failed"):
        store.write(NEW)
    monkeypatch.undo()

    assert reopened(path).read() == OLD


def test_a_record_that_is_safe_in_one_slot_is_written(store, path, monkeypatch):
    store.write(OLD)
    write, left = os.write, [SLOT_BYTES]

    def one_slot(fd: int, rest: memoryview) -> int:
        if not left:
            raise OSError(errno.EIO, "the disk failed")
        left.pop()
        return write(fd, rest)

    monkeypatch.setattr(os, "write", one_slot)
    store.write(NEW)
    monkeypatch.undo()

    assert reopened(path).read() == NEW


def test_void_needs_no_key_and_leaves_no_choice(store, path):
    sealer = AesSealer()
    store = FileChoiceStore(path, sealer)
    store.write(NEW)
    sealer.locked = True

    store.void()

    assert reopened(path).read() is None
    assert path.read_bytes() == bytes(2 * SLOT_BYTES)


def test_without_a_key_a_write_changes_nothing(path):
    sealer = AesSealer()
    store = FileChoiceStore(path, sealer)
    store.write(OLD)
    before = path.read_bytes()
    sealer.locked = True

    with pytest.raises(KeyUnavailableError):
        store.write(NEW)

    assert path.read_bytes() == before


def test_a_link_to_another_file_is_not_followed(store, path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    path.parent.mkdir()
    path.symlink_to(victim)

    with pytest.raises(OSError, match="symbolic"):
        store.write(NEW)

    assert victim.read_bytes() == b"mine"


def in_a_process(code: str, path: Path) -> str:
    """Run `code` in a process of its own, which may limit itself, and return what it prints."""
    tests = Path(__file__).resolve().parents[2]
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", PROLOGUE + code, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


PROLOGUE = """
import resource, signal, sys
from pathlib import Path
from shelfrank.consent.record import RECORD_BYTES
from shelfrank.consent.store import SLOT_BYTES, FileChoiceStore
from support.shopper import AesSealer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
store = FileChoiceStore(path, AesSealer())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the file size the POSIX way")
def test_after_the_first_write_no_file_ever_grows(path):
    out = in_a_process(
        """
store.write(b"old".ljust(RECORD_BYTES))
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
store.write(b"new".ljust(RECORD_BYTES))
print(store.read()[:3])
store.void()
print(store.read())
""",
        path,
    )

    assert out.split() == ["b'new'", "None"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the file size the POSIX way")
def test_a_first_write_that_finds_no_room_leaves_no_file(path):
    out = in_a_process(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (SLOT_BYTES, SLOT_BYTES))
try:
    store.write(b"old".ljust(RECORD_BYTES))
except OSError:
    print("refused", path.exists())
""",
        path,
    )

    assert out.split() == ["refused", "False"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the file size the POSIX way")
def test_where_nothing_can_be_overwritten_void_removes_the_file(path):
    out = in_a_process(
        """
store.write(b"old".ljust(RECORD_BYTES))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
store.void()
print(path.exists(), store.read())
""",
        path,
    )

    assert out.split() == ["False", "None"]
