"""A provider whose wrapping keys lie in the keyring of the operating system.

Windows Credential Manager, macOS Keychain, Secret Service and KWallet, through the package of the
extra `keyring`, which nothing else imports (history-format.md, section 13).
"""

from __future__ import annotations

import base64
import binascii
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from shelfrank.errors import HistoryDamagedError, KeyUnavailableError, MissingExtraError
from shelfrank.history.envelope import Secret
from shelfrank.history.keyring import Ring, marks_from_bytes, marks_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# What `keyring` itself calls a back end that can be recommended; below are those that keep secrets
# in the open, keep none, or only fail.
_RECOMMENDED_PRIORITY: Final = 1
_REFUSED_MODULES: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")

_MAX_NAME_BYTES: Final = 255
"""Of a back end's name: its length is one byte beside the wrapped root."""


class Backend(Protocol):
    """What of a back end of `keyring` is used."""

    @property
    def priority(self) -> float:
        """1 or more where `keyring` recommends it."""
        ...

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret, or None."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Remove a secret."""
        ...


class SystemKeyring(Secret):
    """Wrapping keys in one entry of the system's keyring: each root has one of its own.

    Any program of the same user may be able to read the entry; that depends on the system.

    Args:
        service: name of the app, as the shopper sees it in the system's own tool.
        account: tells histories of one app apart; one history to an account.
    """

    __slots__ = ("_account", "_service")
    name = "keyring"
    can_destroy = True
    can_retire = True

    def __init__(self, service: str, account: str) -> None:
        for what, text in (("service", service), ("account", account)):
            if not isinstance(text, str):
                raise TypeError(f"{what} is {type(text).__name__}, wanted text")
            if not text:
                raise ValueError(f"{what} is empty")
        _package()
        self._service = service
        self._account = account

    def wrap(self, root: bytes, store_id: bytes) -> bytes:
        """Return the name of the back end, and the root wrapped with a new key that lies in it."""
        backend = _backend()
        mark = _mark(backend)
        ring, wrapped = (self._read(backend) or Ring()).wrap(root, store_id, mark)
        self._write(backend, ring)
        return mark + wrapped

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:
        """Return the root; KeyUnavailableError where another back end is in use than then."""
        mark, rest = _parted(wrapped)
        backend = _backend()
        if _mark(backend) != mark:
            raise KeyUnavailableError(
                f"the key of this history lies in the keyring {mark[1:].decode('ascii', 'replace')}"
                f", and this process uses {_name(backend)}",
                hint="configure the package `keyring` to use the former again",
            )
        ring = self._read(backend)
        if ring is None:
            raise KeyUnavailableError(
                f"the keyring {_name(backend)} has no entry of that service and account",
                hint="bring it back, or erase the history: nothing else can open it",
            )
        return ring.unwrap(rest, store_id, mark)

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Remove the other keys of this history from the entry."""
        _, rest = _parted(current)
        backend = _backend()
        ring = self._read(backend)
        if ring is not None and len(kept := ring.keeping(rest, store_id)) < len(ring):
            self._write(backend, kept)

    def remember(self, store_id: bytes, version: int) -> None:
        """Keep the number of a commit in an entry beside the key."""
        backend = _backend()
        marks = self._marks(backend)
        if marks.get(store_id, 0) < version:
            entry = base64.b64encode(marks_to_bytes({**marks, store_id: version})).decode("ascii")
            self._set(backend, self._marks_account, entry)

    def recall(self, store_id: bytes) -> int:
        """Return the number kept for this history; 0 when there is none, or it is damaged."""
        return self._marks(_backend()).get(store_id, 0)

    def destroy(self) -> None:
        """Remove the entries."""
        backend = _backend()
        for account in (self._account, self._marks_account):
            if self._entry(backend, account) is not None:
                self._remove(backend, account)

    @property
    def _marks_account(self) -> str:
        return f"{self._account} (seen)"

    def _marks(self, backend: Backend) -> dict[bytes, int]:
        entry = self._entry(backend, self._marks_account) or ""
        try:
            return marks_from_bytes(base64.b64decode(entry, validate=True))
        except (binascii.Error, ValueError):
            return {}

    def _remove(self, backend: Backend, account: str) -> None:
        _asked(lambda: backend.delete_password(self._service, account), backend, "removed")
        if self._entry(backend, account) is not None:
            raise KeyUnavailableError(f"the entry is still in the keyring {_name(backend)}")

    def _entry(self, backend: Backend, account: str) -> str | None:
        return _asked(lambda: backend.get_password(self._service, account), backend, "read")

    def _read(self, backend: Backend) -> Ring | None:
        entry = self._entry(backend, self._account)
        if entry is None:
            return None
        try:
            return Ring.parse(base64.b64decode(entry, validate=True))
        except (KeyUnavailableError, binascii.Error, ValueError):
            pass
        raise KeyUnavailableError(
            f"the entry in the keyring {_name(backend)} was not written by shelfrank",
            hint="give another service or account",
        )

    def _write(self, backend: Backend, ring: Ring) -> None:
        before = self._entry(backend, self._account)
        entry = base64.b64encode(ring.to_bytes()).decode("ascii")
        self._set(backend, self._account, entry)
        # Some back ends cut long secrets or forget them without a word; a history must not be
        # committed under a key that is not there, nor lose the one it has.
        if self._entry(backend, self._account) != entry:
            if before is not None:
                self._set(backend, self._account, before)
            raise KeyUnavailableError(f"the keyring {_name(backend)} did not keep the key")

    def _set(self, backend: Backend, account: str, entry: str) -> None:
        _asked(lambda: backend.set_password(self._service, account, entry), backend, "written")


def _package() -> object:
    try:
        return import_module("keyring")
    except ImportError:
        pass
    raise MissingExtraError(
        "the system's keyring needs the package keyring", hint="pip install 'shelfrank[keyring]'"
    )


def _backend() -> Backend:
    """Return the back end in use; of several that are chained, the first, which is written to.

    Raises:
        KeyUnavailableError: there is none, or it keeps secrets in the open.
    """
    try:
        backend = _package().get_keyring()  # type: ignore[attr-defined]
        chained = getattr(backend, "backends", None)
        if chained is not None:
            backend = next(iter(chained), backend)
        priority = backend.priority
    except MissingExtraError:
        raise
    except Exception as error:
        raise KeyUnavailableError(
            f"the system's keyring cannot be used: {type(error).__name__}"
        ) from error
    refused = any(
        f"{kind.__module__}.".startswith(f"{module}.")
        for kind in type(backend).__mro__
        for module in _REFUSED_MODULES
    )
    if refused or chained == [] or priority < _RECOMMENDED_PRIORITY:
        raise KeyUnavailableError(
            f"the keyring {_name(backend)} keeps no secrets, or keeps them in the open",
            hint="install a keyring that the system protects, or use keys.file",
        )
    found: Backend = backend
    return found


def _asked(call: Callable[[], T], backend: Backend, what: str) -> T:
    """Ask a back end; a locked one, a refusal and its own errors all mean "not now"."""
    try:
        return call()
    except Exception as error:
        raise KeyUnavailableError(
            f"the entry in the keyring {_name(backend)} cannot be {what}: {type(error).__name__}",
            hint="it may be locked, or access was refused: unlock it and try again",
        ) from error


def _name(backend: object) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _mark(backend: object) -> bytes:
    name = _name(backend).encode("ascii", "replace")[:_MAX_NAME_BYTES]
    return bytes([len(name)]) + name


def _parted(wrapped: bytes) -> tuple[bytes, bytes]:
    """Return the mark of the back end, and what it wrapped."""
    size = 1 + (wrapped[0] if wrapped else 0)
    if len(wrapped) <= size:
        raise HistoryDamagedError("the wrapped root of the keyring is cut short")
    return wrapped[:size], wrapped[size:]
