from __future__ import annotations

import traceback
import unicodedata
from typing import TYPE_CHECKING

import pytest

from shelfrank import keys
from shelfrank.errors import (
    HistoryDamagedError,
    HistoryRolledBackError,
    KeyUnavailableError,
    WrongKeyError,
)
from shelfrank.history.keyring import KeyFile, MemoryKey
from shelfrank.history.providers import HostCallbacks, HostSecret, Passphrase
from shelfrank.history.stretching import ARGON2ID, SCRYPT, Stretching
from support.histories import Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider

ROOT = b"r" * 32
STORE = b"s" * 16

# The least that the functions take: tests try the way, not the cost.
CHEAP_ARGON2 = Stretching(function=1, time=1, memory_kib=8, lanes=1)
CHEAP_SCRYPT = Stretching(function=2, time=1, memory_kib=16, lanes=1)


class HostKeyStore:
    """A host's key store in one variable."""

    def __init__(self) -> None:
        self.mask: int | None = 0x5A

    def turn(self, data: bytes) -> bytes:
        if self.mask is None:
            raise PermissionError("key was removed")
        return bytes(byte ^ self.mask for byte in data)

    def destroy(self) -> None:
        self.mask = None

    def provider(self) -> HostCallbacks:
        return HostCallbacks(wrap=self.turn, unwrap=self.turn, destroy=self.destroy)


def providers(folder: Path) -> dict[str, Callable[[], KeyProvider]]:
    host, memory = HostKeyStore(), MemoryKey()
    return {
        "host": lambda: HostSecret(b"k" * 32),
        "callbacks": host.provider,
        "file": lambda: KeyFile(folder / "key"),
        "argon2id": lambda: Passphrase("correct horse", CHEAP_ARGON2),
        "scrypt": lambda: Passphrase("correct horse", CHEAP_SCRYPT),
        "memory": lambda: memory,
    }


@pytest.fixture(params=["host", "callbacks", "file", "argon2id", "scrypt", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], KeyProvider]:
    """Return a function that opens the same key again, as a later process would."""
    return providers(tmp_path)[request.param]


def test_a_root_comes_back_in_a_later_process(make: Callable[[], KeyProvider]) -> None:
    wrapped = make().wrap(ROOT, STORE)

    assert make().unwrap(wrapped, STORE) == ROOT
    assert ROOT not in wrapped


def test_old_and_new_root_open_until_the_old_one_is_retired(
    make: Callable[[], KeyProvider],
) -> None:
    provider = make()
    old, new = provider.wrap(ROOT, STORE), provider.wrap(b"n" * 32, STORE)
    assert (make().unwrap(old, STORE), make().unwrap(new, STORE)) == (ROOT, b"n" * 32)

    provider.retire(new, STORE)

    assert make().unwrap(new, STORE) == b"n" * 32
    if provider.can_retire:
        with pytest.raises(HistoryRolledBackError):
            make().unwrap(old, STORE)


def test_destroying_ends_what_it_says_it_ends(make: Callable[[], KeyProvider]) -> None:
    provider = make()
    wrapped = provider.wrap(ROOT, STORE)

    provider.destroy()
    provider.retire(wrapped, STORE)

    if provider.can_destroy:
        with pytest.raises(KeyUnavailableError):
            make().unwrap(wrapped, STORE)
    else:
        assert make().unwrap(wrapped, STORE) == ROOT


def test_a_history_lives_and_erases_with_every_provider(
    make: Callable[[], KeyProvider], tmp_path: Path
) -> None:
    profile = Profile(tmp_path, make())
    with profile.open() as history:
        history.append([new_event("a"), new_event("b", minutes=1)])
        history.erase(lambda stored: stored.event.item_id == "a")
    with profile.open(make()) as history:
        assert items_of(history) == ["b"]

        history.destroy()

        assert len(history) == 0


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (HostSecret(b"k" * 32), HostSecret(b"x" * 32)),
        (HostSecret(b"k" * 32), HostSecret(bytes(32))),
        (HostSecret(b"k" * 32), HostSecret(b"k" * 16)),
        (Passphrase("right", CHEAP_ARGON2), Passphrase("wrong")),
        (Passphrase("right", CHEAP_SCRYPT), Passphrase("wrong")),
        (HostKeyStore().provider(), HostCallbacks(wrap=bytes, unwrap=bytes, destroy=None)),
        (HostSecret(b"k" * 32), MemoryKey()),
    ],
    ids=["host", "zero", "short", "argon2id", "scrypt", "callbacks", "provider"],
)
def test_a_wrong_key_is_never_damage_and_changes_nothing(
    tmp_path: Path, right: KeyProvider, wrong: KeyProvider
) -> None:
    profile = Profile(tmp_path, right)
    with profile.open() as history:
        history.append([new_event("a")])
    before = profile.files()

    with pytest.raises(WrongKeyError):
        profile.open(wrong)

    assert profile.files() == before
    with profile.open() as history:
        assert items_of(history) == ["a"]


def test_the_key_file_of_another_history_is_a_wrong_key(tmp_path: Path) -> None:
    mine, other = Profile(tmp_path / "mine"), Profile(tmp_path / "other")
    for profile in (mine, other):
        with profile.open() as history:
            history.append([new_event()])

    with pytest.raises(WrongKeyError):
        mine.open(KeyFile(other.key_path))


def test_two_histories_may_share_a_key_file_until_one_is_destroyed(tmp_path: Path) -> None:
    key = KeyFile(tmp_path / "key")
    first, second = Profile(tmp_path / "1", key), Profile(tmp_path / "2", key)
    with first.open() as history, second.open() as other:
        history.append([new_event("a")])
        other.append([new_event("b")])

        history.erase(lambda _: True)

    with second.open() as other:
        assert items_of(other) == ["b"]


def test_a_missing_key_file_is_a_key_unavailable_and_all_is_well_when_it_is_back(
    tmp_path: Path,
) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event("a")])
    away = profile.key_path.rename(tmp_path / "away")

    with pytest.raises(KeyUnavailableError, match="missing"):
        profile.open()

    away.rename(profile.key_path)
    with profile.open() as history:
        assert items_of(history) == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"not a key file", b"shelfrank key file 0\n" + b"x" * 51, b"x" * 70_000]
)
def test_a_key_file_that_is_none_is_a_key_unavailable(tmp_path: Path, content: bytes) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event()])
    profile.key_path.write_bytes(content)

    with pytest.raises(KeyUnavailableError):
        profile.open()


def test_a_changed_byte_of_the_key_file_is_never_blamed_on_the_history(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event()])
    whole = profile.key_path.read_bytes()

    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        profile.key_path.write_bytes(damaged)
        with pytest.raises(KeyUnavailableError, match="key file is damaged"):
            profile.open()
    profile.key_path.write_bytes(whole)
    with profile.open() as history:
        assert len(history) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_a_key_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event()])
    profile.key_path.chmod(mode)

    with pytest.raises(KeyUnavailableError, match="0600"):
        profile.open()


def test_a_key_file_holds_one_key_after_any_number_of_rotations(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        sizes = set()
        for number in range(3):
            history.append([new_event(str(number))])
            history.erase(lambda _: True)
            sizes.add(profile.key_path.stat().st_size)

    assert sizes == {len(b"shelfrank key file 1\n") + 16 + 4 + 32 + 32}
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files == {"key", "key.seen"}


def test_a_memory_key_of_another_process_says_that_the_history_is_over(tmp_path: Path) -> None:
    profile = Profile(tmp_path, MemoryKey())
    with profile.open() as history:
        history.append([new_event()])

    with pytest.raises(KeyUnavailableError, match="process that is over"):
        profile.open(MemoryKey())


def test_a_host_that_cannot_unwrap_now_is_a_key_unavailable(tmp_path: Path) -> None:
    host = HostKeyStore()
    profile = Profile(tmp_path, host.provider())
    with profile.open() as history:
        history.append([new_event("a")])
    mask, host.mask = host.mask, None

    with pytest.raises(KeyUnavailableError, match="PermissionError"):
        profile.open()

    host.mask = mask
    with profile.open() as history:
        assert items_of(history) == ["a"]


def test_a_host_that_cannot_wrap_leaves_everything_as_it_was(tmp_path: Path) -> None:
    host = HostKeyStore()
    profile = Profile(tmp_path, host.provider())
    with profile.open() as history:
        history.append([new_event("a")])
        mask, host.mask = host.mask, None

        with pytest.raises(KeyUnavailableError):
            history.erase(lambda _: True)

        host.mask = mask
        assert items_of(history) == ["a"]
        assert history.erase(lambda _: True) == 1


def _fails() -> None:
    raise ZeroDivisionError


def test_a_host_that_fails_to_destroy_is_reported_and_the_files_are_gone(tmp_path: Path) -> None:
    host = HostKeyStore()
    provider = HostCallbacks(wrap=host.turn, unwrap=host.turn, destroy=_fails)
    profile = Profile(tmp_path, provider)
    with profile.open() as history:
        history.append([new_event()])

        with pytest.raises(KeyUnavailableError, match="ZeroDivisionError"):
            history.destroy()

        assert list(profile.folder.iterdir()) == []


def test_a_host_that_returns_no_bytes_is_misuse(tmp_path: Path) -> None:
    profile = Profile(
        tmp_path,
        HostCallbacks(wrap=lambda _: None, unwrap=bytes, destroy=None),  # type: ignore[arg-type,return-value] # the point
    )

    with profile.open() as history, pytest.raises(TypeError, match="NoneType"):
        history.append([new_event()])


def test_a_host_that_wraps_into_too_much_is_misuse(tmp_path: Path) -> None:
    provider = HostCallbacks(wrap=lambda _: bytes(16_385), unwrap=bytes, destroy=None)
    profile = Profile(tmp_path, provider)

    with profile.open() as history:
        with pytest.raises(ValueError, match="16385 bytes"):
            history.append([new_event()])
        assert len(history) == 0


def test_a_short_secret_and_an_empty_passphrase_are_refused() -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        keys.host(b"x" * 15)
    with pytest.raises(TypeError, match="str"):
        keys.host("x" * 32)  # type: ignore[arg-type] # the point
    with pytest.raises(ValueError, match="empty"):
        keys.passphrase("")


def test_a_passphrase_is_the_same_however_the_keyboard_makes_accents() -> None:
    composed = unicodedata.normalize("NFC", "Käsebrötchen")
    decomposed = unicodedata.normalize("NFD", "Käsebrötchen")
    assert composed != decomposed

    wrapped = Passphrase(composed, CHEAP_ARGON2).wrap(ROOT, STORE)

    assert Passphrase(decomposed).unwrap(wrapped, STORE) == ROOT


@pytest.mark.parametrize(
    "stretching",
    [
        Stretching(function=0, time=1, memory_kib=8, lanes=1),
        Stretching(function=3, time=1, memory_kib=8, lanes=1),
        Stretching(function=1, time=0, memory_kib=8, lanes=1),
        Stretching(function=1, time=17, memory_kib=8, lanes=1),
        Stretching(function=1, time=1, memory_kib=7, lanes=1),
        Stretching(function=1, time=1, memory_kib=2**20 + 1, lanes=1),
        Stretching(function=1, time=1, memory_kib=2**32 - 1, lanes=1),
        Stretching(function=1, time=1, memory_kib=2**20, lanes=0),
        Stretching(function=1, time=1, memory_kib=2**20, lanes=17),
        Stretching(function=2, time=1, memory_kib=17, lanes=1),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused_before_any_work(stretching: Stretching) -> None:
    import struct

    parameters = struct.pack(
        "<BBIB16s",
        stretching.function,
        stretching.time,
        stretching.memory_kib,
        stretching.lanes,
        b"salt" * 4,
    )

    with pytest.raises(HistoryDamagedError, match="out of range"):
        Passphrase("correct horse").unwrap(parameters + bytes(66), STORE)


def test_cheap_parameters_that_did_not_open_are_never_used_to_wrap() -> None:
    hostile = Passphrase("guess", CHEAP_ARGON2).wrap(ROOT, STORE)
    provider = Passphrase("correct horse", CHEAP_SCRYPT)

    with pytest.raises(WrongKeyError):
        provider.unwrap(hostile, STORE)

    assert provider.wrap(ROOT, STORE)[0] == CHEAP_SCRYPT.function


def test_a_rotation_keeps_the_parameters_that_opened_and_does_not_stretch_again() -> None:
    wrapped = Passphrase("correct horse", CHEAP_SCRYPT).wrap(ROOT, STORE)
    provider = Passphrase("correct horse")
    provider.unwrap(wrapped, STORE)

    again = provider.wrap(b"n" * 32, STORE)

    # Function, cost and salt stand before the envelope.
    assert again[:23] == wrapped[:23]
    assert again[23:] != wrapped[23:]


def test_the_default_costs_64_mebibytes_a_try() -> None:
    assert ARGON2ID.memory_kib == SCRYPT.memory_kib == 64 * 1024

    wrapped = keys.passphrase("correct horse").wrap(ROOT, STORE)

    assert keys.passphrase("correct horse").unwrap(wrapped, STORE) == ROOT


@pytest.mark.parametrize(("make", "secret"), [(keys.host, b"hunter2"), (keys.passphrase, "")])
def test_a_secret_that_is_refused_is_in_no_frame_of_its_error(make, secret):
    with pytest.raises(ValueError, match=r"wanted|empty") as caught:
        make(secret)

    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [
        frame for frame in frames if "shelfrank" in frame.filename and "tests" not in frame.filename
    ]
    assert ours
    assert all("hunter2" not in repr(frame.locals) for frame in ours)
