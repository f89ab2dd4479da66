"""A whole folder put back is noticed where the provider remembers how new it must be."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

import pytest

from shelfrank import keys
from shelfrank.errors import HistoryRolledBackError, KeyUnavailableError, WrongKeyError
from shelfrank.history import session
from shelfrank.history.keyring import KeyFile
from shelfrank.history.providers import HostSecret
from support.histories import Profile, items_of, new_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider


class KeyStore:
    """A platform's key store: wraps, and keeps a value of its own."""

    def __init__(self) -> None:
        self.wrapping = HostSecret(b"k" * 32)
        self.kept: bytes | None = None
        self.times = 0
        self.locked = False

    def remember(self, mark: bytes) -> None:
        if self.locked:
            raise PermissionError
        self.kept = mark
        self.times += 1

    def recall(self) -> bytes | None:
        if self.locked:
            raise PermissionError
        return self.kept

    def provider(self) -> KeyProvider:
        store_id = bytes(16)
        return keys.host_callbacks(
            wrap=lambda root: self.wrapping.wrap(root, store_id),
            unwrap=lambda wrapped: self.wrapping.unwrap(wrapped, store_id),
            remember=self.remember,
            recall=self.recall,
        )


@pytest.fixture
def store() -> KeyStore:
    return KeyStore()


def put_back(profile: Profile, copy: Path) -> None:
    shutil.rmtree(profile.folder)
    shutil.copytree(copy, profile.folder)


@pytest.mark.parametrize("kind", ["callbacks", "file"])
def test_a_whole_folder_put_back_is_refused_and_the_newer_one_opens(
    tmp_path: Path, store: KeyStore, kind: str
) -> None:
    profile = Profile(tmp_path, store.provider() if kind == "callbacks" else None)
    with profile.open() as history:
        history.append([new_event("a")])
    shutil.copytree(profile.folder, tmp_path / "older")
    with profile.open() as history:
        history.append([new_event("b", minutes=1)])
    shutil.copytree(profile.folder, tmp_path / "newer")

    put_back(profile, tmp_path / "older")
    with pytest.raises(HistoryRolledBackError, match="already seen"):
        profile.open()

    put_back(profile, tmp_path / "newer")
    with profile.open() as history:
        assert items_of(history) == ["a", "b"]


def test_without_a_mark_a_whole_folder_put_back_is_not_noticed(tmp_path: Path) -> None:
    # The negative control: what host bytes cannot do, `remember` and `recall` add.
    profile = Profile(tmp_path, HostSecret(b"k" * 32))
    with profile.open() as history:
        history.append([new_event("a")])
    shutil.copytree(profile.folder, tmp_path / "older")
    with profile.open() as history:
        history.append([new_event("b", minutes=1)])

    put_back(profile, tmp_path / "older")

    with profile.open() as history:
        assert items_of(history) == ["a"]


def test_the_provider_is_not_asked_for_every_event(
    tmp_path: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MARK_EVERY", 10)
    profile = Profile(tmp_path, store.provider())

    with profile.open() as history:
        for number in range(25):
            history.append([new_event(minutes=number)])
        # The 25 commits come after the one that made the history.
        assert store.times == 2
        history.erase(lambda _: True)
        assert store.times == 3
        history.append([new_event()])
    assert store.times == 4
    with profile.open():
        pass
    assert store.times == 4


def test_a_kill_between_commit_and_mark_raises_no_alarm(tmp_path: Path, store: KeyStore) -> None:
    profile = Profile(tmp_path, store.provider())
    killed = profile.open()
    killed.append([new_event("a")])
    # Never closed, so never marked.

    with profile.open() as history:
        assert items_of(history) == ["a"]
        history.append([new_event("b", minutes=1)])


def test_a_key_store_that_cannot_keep_a_mark_costs_no_event(
    tmp_path: Path, store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    profile = Profile(tmp_path, store.provider())
    with profile.open() as history, caplog.at_level(logging.WARNING):
        history.append([new_event("a")])
        store.locked = True
        assert history.erase(lambda _: False) == 0
        history.append([new_event("b", minutes=1)])
    assert "cannot be remembered" in caplog.text

    with pytest.raises(KeyUnavailableError, match="recall"):
        profile.open()
    store.locked = False
    with profile.open() as history:
        assert items_of(history) == ["a", "b"]


@pytest.mark.parametrize("kept", [b"", b"x" * 23, b"x" * 25])
def test_a_mark_of_the_wrong_length_is_a_key_store_out_of_order(
    tmp_path: Path, store: KeyStore, kept: bytes
) -> None:
    profile = Profile(tmp_path, store.provider())
    with profile.open() as history:
        history.append([new_event("a")])
    store.kept = kept

    with pytest.raises(KeyUnavailableError, match="wanted 24 bytes"):
        profile.open()


def test_the_mark_of_an_erased_history_does_not_speak_about_the_next(
    tmp_path: Path, store: KeyStore
) -> None:
    profile = Profile(tmp_path, store.provider())
    with profile.open() as history:
        for number in range(20):
            history.append([new_event(minutes=number)])
        history.destroy()
        history.append([new_event("fresh")])

    with profile.open() as history:
        assert items_of(history) == ["fresh"]


def test_a_damaged_file_of_marks_raises_no_alarm(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event("a")])
    marks = tmp_path / "key.seen"
    content = bytearray(marks.read_bytes())

    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        marks.write_bytes(damaged)
        with profile.open() as history:
            assert items_of(history) == ["a"]


def test_destroying_a_key_file_takes_its_marks_along(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    with profile.open() as history:
        history.append([new_event("a")])
    assert (tmp_path / "key.seen").exists()

    with profile.open() as history:
        history.destroy()

    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_remember_and_recall_belong_together(store: KeyStore) -> None:
    with pytest.raises(ValueError, match="belong together"):
        keys.host_callbacks(wrap=bytes, unwrap=bytes, remember=store.remember)


@pytest.mark.parametrize(
    "make",
    [lambda _: HostSecret(b"n" * 32), lambda root: KeyFile(root / "new-key")],
    ids=["host", "file"],
)
def test_a_history_can_change_its_key_and_the_old_one_opens_nothing(
    tmp_path: Path, make: Callable[[Path], KeyProvider]
) -> None:
    profile = Profile(tmp_path)
    new_key = make(tmp_path)
    items = [f"sku-{number}" for number in range(200)]
    with profile.open() as history:
        history.append([new_event(item, minutes=at) for at, item in enumerate(items)])
        shutil.copytree(profile.folder, tmp_path / "older")

        history.rotate(new_key)

        history.append([new_event("more", minutes=300)])
        assert items_of(history) == [*items, "more"]
    with pytest.raises(WrongKeyError):
        profile.open()
    with profile.open(new_key) as history:
        assert items_of(history) == [*items, "more"]
        assert (history.whole, history.generation) == (True, 1)
    put_back(profile, tmp_path / "older")
    with pytest.raises(WrongKeyError):
        profile.open()
