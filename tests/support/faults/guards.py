"""Guards of the history that a campaign can do without: each of them must then be missed.

A campaign that finds nothing proves little until the same campaign finds something in a history
that is broken. These are the ways to break it, by name.
"""

from __future__ import annotations

import importlib
import itertools
import os
import pkgutil
import types
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import shelfrank.history
from shelfrank.history import database, envelope, session
from shelfrank.history.keyring import KeyFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from shelfrank.history.contents import Contents


@contextmanager
def _no_syncs() -> Iterator[None]:
    """SQLite never waits for the disk."""
    pragmas = tuple(p.replace("synchronous=FULL", "synchronous=OFF") for p in database.PRAGMAS)
    assert pragmas != database.PRAGMAS
    with patch.object(database, "PRAGMAS", pragmas):
        yield


@contextmanager
def _no_journal() -> Iterator[None]:
    """A transaction that is cut cannot be rolled back."""

    def off(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=OFF")

    with patch.object(database, "_set_journal_mode", off):
        yield


@contextmanager
def _anchor_first() -> Iterator[None]:
    """The anchor is written, and synced, before the commit that it speaks of."""
    plain = session.Session._number

    def number(self: session.Session, connection: sqlite3.Connection, after: Contents) -> Contents:
        numbered = plain(self, connection, after)
        self._write_mark(numbered, durable=True)
        return numbered

    with patch.object(session.Session, "_number", number):
        yield


@contextmanager
def _old_key_first() -> Iterator[None]:
    """The key of the present state goes before the next state is committed."""
    plain = KeyFile.wrap

    def wrap(self: KeyFile, root: bytes, store_id: bytes) -> bytes:
        wrapped = plain(self, root, store_id)
        self.retire(wrapped, store_id)
        return wrapped

    with patch.object(KeyFile, "wrap", wrap):
        yield


@contextmanager
def _anything_authenticates() -> Iterator[None]:
    """Ciphertext is decrypted without a look at its tag."""

    class Trusting:
        def __init__(self, key: bytes) -> None:
            self._key = key

        def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
            return AESGCM(self._key).encrypt(nonce, data, associated_data)

        def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
            assert associated_data is not None
            # GCM is counter mode that starts at 2, and a tag.
            counter = modes.CTR(bytes(nonce) + (2).to_bytes(4, "big"))
            body = data[: -envelope.TAG_BYTES]
            return Cipher(algorithms.AES(self._key), counter).decryptor().update(body)

    with patch.object(envelope, "AESGCM", Trusting):
        yield


@contextmanager
def _no_chain() -> Iterator[None]:
    """The head says nothing about which rows must be there."""
    with _everywhere("extend_digest", lambda *_: bytes(32)):
        yield


@contextmanager
def _short_writes_pass() -> Iterator[None]:
    """A short write of a small file passes for a whole one."""

    def once(handle: int, data: bytes) -> None:
        os.write(handle, data)

    with _everywhere("write_all", once):
        yield


@contextmanager
def _stale_state() -> Iterator[None]:
    """A process never looks at what the others have committed."""
    plain = session.Session._refresh

    def refresh(self: session.Session, connection: sqlite3.Connection) -> Contents:
        return self.known or plain(self, connection)

    with patch.object(session.Session, "_refresh", refresh):
        yield


@contextmanager
def _errors_pass() -> Iterator[None]:
    """A transaction whose commit fails is acknowledged."""
    plain = session.Session.write

    def write(self: session.Session, change: session.Change) -> tuple[Contents, Contents]:
        try:
            return plain(self, change)
        except Exception:  # noqa: BLE001 that is the fault
            known = self.read()
            assert known is not None
            return known, known

    with patch.object(session.Session, "write", write):
        yield


@contextmanager
def _nonces_by_counter() -> Iterator[None]:
    """Nonces are counted, as a design without randomness would."""
    numbers = itertools.count()

    def counted(length: int) -> bytes:
        return next(numbers).to_bytes(length, "big")

    with patch.object(envelope, "os", types.SimpleNamespace(urandom=counted)):
        yield


@contextmanager
def _kept_after_erasing() -> Iterator[None]:
    """Nobody has the provider drop the key of what was erased."""
    with (
        patch.object(session.Session, "retire_old_keys", lambda _: None),
        patch.object(KeyFile, "retire", lambda *_: None),
    ):
        yield


@contextmanager
def _names_not_synced() -> Iterator[None]:
    """New and removed names of files are left to the system."""
    with _everywhere("sync_folder", lambda _: None):
        yield


@contextmanager
def _everywhere(name: str, substitute: Callable[..., object]) -> Iterator[None]:
    """Replace a function in every module of the history that has it."""
    owners = [
        module
        for info in pkgutil.iter_modules(shelfrank.history.__path__)
        if hasattr(module := importlib.import_module(f"shelfrank.history.{info.name}"), name)
    ]
    assert owners, f"no module of the history has {name}"
    patches = [patch.object(module, name, substitute) for module in owners]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


GUARDS: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {
    "syncs": _no_syncs,
    "journal": _no_journal,
    "anchor-after-commit": _anchor_first,
    "retire-after-commit": _old_key_first,
    "retire": _kept_after_erasing,
    "authentication": _anything_authenticates,
    "chain": _no_chain,
    "whole-writes": _short_writes_pass,
    "fresh-state": _stale_state,
    "errors": _errors_pass,
    "random-nonces": _nonces_by_counter,
    "name-syncs": _names_not_synced,
}


def without(guard: str | None) -> AbstractContextManager[None]:
    """Return a context in which the history lacks a guard; None takes nothing away."""
    return nullcontext() if guard is None else GUARDS[guard]()
