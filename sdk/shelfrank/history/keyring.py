"""Rings of wrapping keys, and two providers that keep one and can destroy it: file and memory.

Each root gets a wrapping key of its own. To rotate is to add a key, commit the history, and drop
the old key: a copy of the history from before then opens with nothing that still exists here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shelfrank.errors import (
    HistoryFullError,
    HistoryRolledBackError,
    KeyUnavailableError,
    WrongKeyError,
)
from shelfrank.history.envelope import (
    HEADER_BYTES,
    KEY_BYTES,
    KEY_ID_BYTES,
    STORE_ID_BYTES,
    Place,
    SealKey,
    Secret,
    open_sealed,
    seal,
)
from shelfrank.history.files import full_error, replace_file, wipe_file
from shelfrank.history.keys import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MAGIC: Final = b"shelfrank key file 1\n"
_MARKS_MAGIC: Final = b"shelfrank marks 1\n"
_DIGEST_BYTES: Final = 32
_ENTRY_BYTES: Final = STORE_ID_BYTES + KEY_ID_BYTES + KEY_BYTES

MAX_KEY_FILE_BYTES: Final = 64 * 1024
"""Room for 1,250 keys. A history has one, or two while it rotates."""


@dataclass(frozen=True, slots=True)
class _Entry:
    store_id: bytes
    key_id: bytes
    secret: bytes

    def __repr__(self) -> str:
        return "<_Entry>"


class Ring(Secret):
    """The rules of such providers: an immutable set of wrapping keys."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[_Entry] = ()) -> None:
        self._entries = tuple(entries)

    def wrap(self, root: bytes, store_id: bytes, position: bytes = b"") -> tuple[Ring, bytes]:
        """Return the ring with one more key, and the root wrapped with it.

        Args:
            root: 32 bytes.
            store_id: of the history.
            position: what else stands in plain beside the wrapped root; authenticated.
        """
        entry = _Entry(store_id, secrets.token_bytes(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES))
        wrapped = seal(_key(entry), root, _place(store_id, position))
        return Ring((*self._entries, entry)), wrapped

    def unwrap(self, wrapped: bytes, store_id: bytes, position: bytes = b"") -> bytes:
        """Return the root; see `KeyProvider.unwrap`, and `wrap` for `position`."""
        own = [entry for entry in self._entries if entry.store_id == store_id]
        if not own:
            raise WrongKeyError("there is no key for this history among those of the provider")
        key_id = _key_id(wrapped)
        for entry in own:
            if entry.key_id == key_id:
                return open_sealed(_key(entry), wrapped, _place(store_id, position))
        raise HistoryRolledBackError(
            "the key of this state of the history was destroyed when events were erased",
            hint="an older copy was put back; bring the newer one or erase the history",
        )

    def keeping(self, current: bytes, store_id: bytes) -> Ring:
        """Return the ring without the other keys of this history."""
        key_id = _key_id(current)
        return Ring(e for e in self._entries if e.store_id != store_id or e.key_id == key_id)

    def __len__(self) -> int:
        return len(self._entries)

    def to_bytes(self) -> bytes:
        """Return the content of a key file; the digest at its end tells damage from another key."""
        content = _MAGIC + b"".join(e.store_id + e.key_id + e.secret for e in self._entries)
        return content + hashlib.sha256(content).digest()

    @classmethod
    def parse(cls, data: bytes) -> Ring:
        """Read a key file; KeyUnavailableError when it is not one."""
        content, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        body = content[len(_MAGIC) :]
        whole = content.startswith(_MAGIC) and hashlib.sha256(content).digest() == digest
        if not whole or len(body) % _ENTRY_BYTES:
            raise KeyUnavailableError(
                "the key file is damaged or not one of this format",
                hint="bring a good copy of the key file back; the history itself may be whole",
            )
        return cls(_entry(body[at : at + _ENTRY_BYTES]) for at in range(0, len(body), _ENTRY_BYTES))


class MemoryKey(Secret):
    """Keys that live as long as this object: what they sealed dies with the process."""

    __slots__ = ("_ring",)
    name = "memory"
    can_destroy = True
    can_retire = True

    def __init__(self) -> None:
        self._ring = Ring()

    def wrap(self, root: bytes, store_id: bytes) -> bytes:
        """Return the root wrapped with a new key."""
        self._ring, wrapped = self._ring.wrap(root, store_id)
        return wrapped

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:
        """Return the root."""
        if not len(self._ring):
            raise KeyUnavailableError(
                "this history was made for the memory of a process that is over",
                hint="erase it; nothing can open it any more",
            )
        return self._ring.unwrap(wrapped, store_id)

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Forget the other keys of this history."""
        self._ring = self._ring.keeping(current, store_id)

    def destroy(self) -> None:
        """Forget every key."""
        self._ring = Ring()


class KeyFile(Secret):
    """Keys in a file with mode 0600, made with the first history that needs it.

    On flash storage a removed key may survive in spare cells; a key store of the host is better
    (history-format.md, section 15).

    Args:
        path: of the file; outside the folder of the history, and out of backups of it.
    """

    __slots__ = ("_path",)
    name = "file"
    can_destroy = True
    can_retire = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def lies_in(self, folder: Path) -> bool:
        """Say whether the key would lie beside what it locks."""
        return folder.resolve() in self._path.resolve().parents

    def wrap(self, root: bytes, store_id: bytes) -> bytes:
        """Return the root wrapped with a new key that is durable in the file."""
        ring, wrapped = (self._read() or Ring()).wrap(root, store_id)
        self._write(ring)
        return wrapped

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:
        """Return the root."""
        ring = self._read()
        if ring is None:
            raise KeyUnavailableError(
                "the key file is missing",
                hint="bring the file back, or erase the history: nothing else can open it",
            )
        return ring.unwrap(wrapped, store_id)

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Remove the other keys of this history from the file."""
        ring = self._read()
        if ring is None or len(kept := ring.keeping(current, store_id)) == len(ring):
            return
        try:
            self._write(kept)
        except HistoryFullError:
            # Not "no space, nothing changed": the events may be erased already.
            raise KeyUnavailableError(
                "the old key cannot be removed from the key file: no space left",
                hint="free some space; it is removed at the next opening",
            ) from None

    def remember(self, store_id: bytes, version: int) -> None:
        """Keep the number of a commit in a file beside the key."""
        marks = self._marks()
        if marks.get(store_id, 0) >= version:
            return
        marks[store_id] = version
        try:
            replace_file(self._marks_path, marks_to_bytes(marks))
        except OSError as error:
            raise KeyUnavailableError(
                f"the file of marks cannot be written: {error.strerror}"
            ) from None

    def recall(self, store_id: bytes) -> int:
        """Return the number kept for this history; 0 when there is none, or the file is damaged."""
        return self._marks().get(store_id, 0)

    def destroy(self) -> None:
        """Overwrite and remove the files."""
        try:
            wipe_file(self._path)
            wipe_file(self._marks_path)
        except OSError as error:
            raise KeyUnavailableError(f"the key file cannot be removed: {error.strerror}") from None

    @property
    def _marks_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.seen")

    def _marks(self) -> dict[bytes, int]:
        try:
            with self._marks_path.open("rb") as file:
                return marks_from_bytes(file.read(MAX_KEY_FILE_BYTES))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeyUnavailableError(
                f"the file of marks cannot be read: {error.strerror}"
            ) from None

    def _read(self) -> Ring | None:
        while True:
            try:
                with self._path.open("rb") as file:
                    _check_mode(os.fstat(file.fileno()).st_mode)
                    data = file.read(MAX_KEY_FILE_BYTES + 1)
                    replaced = os.fstat(file.fileno()).st_nlink == 0
            except FileNotFoundError:
                return None
            except OSError as error:
                raise KeyUnavailableError(
                    f"the key file cannot be read: {error.strerror}"
                ) from None
            # Another process has put a new file in place of the one that was read, and is
            # overwriting it: what was read may be zeros.
            if not replaced:
                break
        if len(data) > MAX_KEY_FILE_BYTES:
            raise KeyUnavailableError(f"the key file has over {MAX_KEY_FILE_BYTES} bytes")
        return Ring.parse(data)

    def _write(self, ring: Ring) -> None:
        try:
            replace_file(self._path, ring.to_bytes())
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise full_error() from None
            raise KeyUnavailableError(f"the key file cannot be written: {error.strerror}") from None


def _check_mode(mode: int) -> None:
    permissions = stat.S_IMODE(mode)
    if os.name == "posix" and permissions & 0o077:
        raise KeyUnavailableError(
            f"the key file has mode {permissions:04o}, wanted 0600",
            hint="anyone on this device can read the key; run chmod 600 on it",
        )


def marks_to_bytes(marks: dict[bytes, int]) -> bytes:
    """Return the numbers of commits, by store id, as they are kept beside a ring."""
    content = _MARKS_MAGIC + b"".join(MARK.pack(*pair) for pair in sorted(marks.items()))
    return content + hashlib.sha256(content).digest()


def marks_from_bytes(data: bytes) -> dict[bytes, int]:
    """Return what `marks_to_bytes` wrote; nothing when it is damaged."""
    # Damaged is as good as missing: a wrong number would raise a false alarm for ever.
    content, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    body = content[len(_MARKS_MAGIC) :]
    whole = content.startswith(_MARKS_MAGIC) and hashlib.sha256(content).digest() == digest
    if not whole or len(body) % MARK.size:
        return {}
    return dict(MARK.iter_unpack(body))


def _key(entry: _Entry) -> SealKey:
    return SealKey(entry.secret, entry.key_id)


def _place(store_id: bytes, position: bytes) -> Place:
    return Place(store_id=store_id, kind="root", position=position)


def _key_id(wrapped: bytes) -> bytes:
    return wrapped[HEADER_BYTES - KEY_ID_BYTES : HEADER_BYTES]


def _entry(data: bytes) -> _Entry:
    secret_at = STORE_ID_BYTES + KEY_ID_BYTES
    return _Entry(data[:STORE_ID_BYTES], data[STORE_ID_BYTES:secret_at], data[secret_at:])
