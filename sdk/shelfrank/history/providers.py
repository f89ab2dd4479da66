"""Providers whose key somebody else keeps: host bytes, host callbacks, a passphrase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.errors import HistoryDamagedError, KeyUnavailableError, WrongKeyError
from shelfrank.history.envelope import (
    KEY_BYTES,
    Place,
    SealKey,
    Secret,
    derive,
    open_sealed,
    seal,
)
from shelfrank.history.keys import MARK
from shelfrank.history.stretching import (
    PARAMETER_BYTES,
    Stretching,
    new_parameters,
    passphrase_bytes,
    stretch,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_SECRET_BYTES: Final = 16
"""128 random bits cannot be guessed; fewer are a mistake, or a password, to be stretched."""


MAX_WRAPPED_BYTES: Final = 16 * 1024
"""An RSA-4096 or TPM blob has under 2 KB; the key slot holds a length of two bytes."""


class HostSecret(Secret):
    """A secret that the host hands over at each start, and may copy: so it cannot destroy.

    Args:
        secret: at least 16 random bytes; 32 are usual.
    """

    __slots__ = ("_secret",)
    name = "host"
    can_destroy = False
    can_retire = False

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes):
            raise TypeError(f"secret is {type(secret).__name__}, wanted bytes")
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(f"secret has {len(secret)} bytes, wanted at least {MIN_SECRET_BYTES}")
        self._secret = secret

    def wrap(self, root: bytes, store_id: bytes) -> bytes:
        """Return the root wrapped with a key derived from the secret."""
        return seal(self._key(store_id), root, _place(store_id))

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:
        """Return the root."""
        return _open_or_wrong_key(self._key(store_id), wrapped, store_id)

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Do nothing: the host's secret opens older copies as well."""

    def destroy(self) -> None:
        """Do nothing: the host has the secret."""

    def _key(self, store_id: bytes) -> SealKey:
        return SealKey(derive(self._secret, store_id, "host"))


class HostCallbacks(Secret):
    """Wrapping by the host: Android Keystore, iOS Keychain, a TPM.

    Args:
        wrap: bytes in, wrapped bytes out.
        unwrap: the inverse. Whatever it raises counts as "not available now".
        destroy: removes the host's key, or None when the host cannot.
        remember: keeps 24 bytes outside the history's folder, or None.
        recall: returns the bytes kept last, or None when there are none.
    """

    __slots__ = ("_destroy", "_recall", "_remember", "_unwrap", "_wrap")
    name = "callbacks"
    can_retire = False

    def __init__(
        self,
        *,
        wrap: Callable[[bytes], bytes],
        unwrap: Callable[[bytes], bytes],
        destroy: Callable[[], None] | None,
        remember: Callable[[bytes], None] | None = None,
        recall: Callable[[], bytes | None] | None = None,
    ) -> None:
        if (remember is None) is not (recall is None):
            raise ValueError("remember and recall belong together, got one of them")
        self._wrap = wrap
        self._unwrap = unwrap
        self._destroy = destroy
        self._remember = remember
        self._recall = recall

    @property
    def can_destroy(self) -> bool:
        """Whether the host gave a way to."""
        return self._destroy is not None

    def wrap(self, root: bytes, store_id: bytes) -> bytes:  # noqa: ARG002 host's way
        """Return what the host made of the root."""
        return _called("wrap", self._wrap, root)

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:  # noqa: ARG002 see wrap
        """Return what the host gave back; WrongKeyError when that is not the length of a root."""
        root = _called("unwrap", self._unwrap, wrapped)
        if len(root) != KEY_BYTES:
            raise WrongKeyError(f"the host unwrapped {len(root)} bytes, wanted {KEY_BYTES}")
        return root

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Do nothing: the host's key opens older copies as well."""

    def remember(self, store_id: bytes, version: int) -> None:
        """Have the host keep the number of a commit, if it can."""
        if self._remember is None or self.recall(store_id) >= version:
            return
        try:
            self._remember(MARK.pack(store_id, version))
        except Exception as error:
            raise KeyUnavailableError(f"the host's remember failed: {_name(error)}") from error

    def recall(self, store_id: bytes) -> int:
        """Return the number that the host kept for this history, 0 when it keeps none."""
        if self._recall is None:
            return 0
        try:
            kept: object = self._recall()
        except Exception as error:
            raise KeyUnavailableError(f"the host's recall failed: {_name(error)}") from error
        if kept is None:
            return 0
        if not isinstance(kept, bytes) or len(kept) != MARK.size:
            raise KeyUnavailableError(f"the host recalled no mark, wanted {MARK.size} bytes")
        owner, version = MARK.unpack(kept)
        return version if owner == store_id else 0

    def destroy(self) -> None:
        """Have the host remove its key."""
        if self._destroy is None:
            return
        try:
            self._destroy()
        except Exception as error:
            raise KeyUnavailableError(f"the host's destroy failed: {_name(error)}") from error


class Passphrase(Secret):
    """A passphrase that the shopper remembers. It opens older copies too, so it cannot destroy.

    Args:
        text: not empty; normalised to Unicode NFC, since keyboards differ in how they make accents.
        stretching: cost of one try; the default takes 64 MiB and some tenths of a second.
    """

    __slots__ = ("_stretched", "_stretching", "_text")
    name = "passphrase"
    can_destroy = False
    can_retire = False

    def __init__(self, text: str, stretching: Stretching | None = None) -> None:
        self._text = passphrase_bytes(text)
        self._stretching = stretching
        # The key that opened or made this history, by its parameters: a rotation does not stretch
        # again.
        self._stretched: dict[bytes, SealKey] = {}

    def wrap(self, root: bytes, store_id: bytes) -> bytes:
        """Return the root wrapped with the stretched passphrase, after its parameters."""
        if not self._stretched:
            parameters = new_parameters(self._stretching)
            self._stretched = {parameters: SealKey(stretch(self._text, parameters))}
        ((parameters, key),) = self._stretched.items()
        return parameters + seal(key, root, _place(store_id, parameters))

    def unwrap(self, wrapped: bytes, store_id: bytes) -> bytes:
        """Return the root; HistoryDamagedError when the parameters are out of range."""
        parameters, sealed = wrapped[:PARAMETER_BYTES], wrapped[PARAMETER_BYTES:]
        key = self._stretched.get(parameters) or SealKey(stretch(self._text, parameters))
        root = _open_or_wrong_key(key, sealed, store_id, parameters)
        # Only now: parameters that a hostile file made cheap must not be used to wrap the next
        # root.
        self._stretched = {parameters: key}
        return root

    def retire(self, current: bytes, store_id: bytes) -> None:
        """Do nothing: the passphrase opens older copies as well."""

    def destroy(self) -> None:
        """Do nothing: the shopper has the passphrase."""


def _open_or_wrong_key(
    key: SealKey, wrapped: bytes, store_id: bytes, position: bytes = b""
) -> bytes:
    # The key slot's digest has matched, so the bytes are those that were written: it is the key.
    try:
        return open_sealed(key, wrapped, _place(store_id, position))
    except HistoryDamagedError:
        raise WrongKeyError("the key does not open this history") from None


def _called(what: str, callback: Callable[[bytes], bytes], argument: bytes) -> bytes:
    try:
        result = callback(argument)
    except Exception as error:
        raise KeyUnavailableError(f"the host's {what} failed: {_name(error)}") from error
    if not isinstance(result, bytes):
        raise TypeError(f"the host's {what} returned {_name(result)}, wanted bytes")
    if len(result) > MAX_WRAPPED_BYTES:
        raise ValueError(
            f"the host's {what} returned {len(result)} bytes, wanted at most {MAX_WRAPPED_BYTES}"
        )
    return result


def _name(thing: object) -> str:
    return type(thing).__name__


def _place(store_id: bytes, position: bytes = b"") -> Place:
    return Place(store_id=store_id, kind="root", position=position)
