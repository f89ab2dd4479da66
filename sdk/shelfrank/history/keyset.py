"""The key slot of a history and the keys it leads to (history-format.md, sections 4 and 5)."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from shelfrank.errors import WrongKeyError
from shelfrank.history.envelope import (
    KEY_BYTES,
    STORE_ID_BYTES,
    DeviceKeys,
    Place,
    RootKeys,
    Secret,
    open_sealed,
    seal,
)
from shelfrank.history.head import KeySlot

if TYPE_CHECKING:
    from shelfrank.history.keys import KeyProvider


class Keyset(Secret):
    """The key slot of a history and the keys it leads to.

    Args:
        slot: as it stands in the database.
        root: the keys of its root.
        device: the keys that rotation leaves alone.
    """

    __slots__ = ("device", "root", "slot", "slot_bytes")

    def __init__(self, slot: KeySlot, root: RootKeys, device: DeviceKeys) -> None:
        self.slot = slot
        self.slot_bytes = slot.to_bytes()
        self.root = root
        self.device = device

    @property
    def store_id(self) -> bytes:
        """Random id of the history, 16 bytes."""
        return self.slot.store_id

    @classmethod
    def make(cls, provider: KeyProvider) -> Keyset:
        """Make the keys of a new history."""
        store_id = secrets.token_bytes(STORE_ID_BYTES)
        device = DeviceKeys(secrets.token_bytes(KEY_BYTES), store_id)
        return cls._under_new_root(store_id, device, provider)

    def rotated(self, provider: KeyProvider) -> Keyset:
        """Return the keys under a new root; the device key stays."""
        return self._under_new_root(self.store_id, self.device, provider)

    @classmethod
    def open(cls, slot_bytes: bytes, provider: KeyProvider) -> Keyset:
        """Open a key slot.

        Raises:
            HistoryDamagedError: the slot is damaged.
            KeyUnavailableError: the provider cannot give its key now.
            WrongKeyError: it has another one.
            HistoryRolledBackError: it has retired the key of this state.
        """
        slot = KeySlot.parse(slot_bytes)
        if slot.provider != provider.name:
            raise WrongKeyError(
                f"history has a key from {slot.provider!r}, got one from {provider.name!r}"
            )
        root = RootKeys(provider.unwrap(slot.wrapped_root, slot.store_id), slot.store_id)
        # The slot's digest holds, so its check value is the one that was written: it is the key.
        if not hmac.compare_digest(root.check, slot.check):
            raise WrongKeyError("the key does not open this history")
        place = _device_key_place(slot.store_id)
        secret = open_sealed(root.kek, slot.wrapped_device_key, place)
        return cls(slot, root, DeviceKeys(secret, slot.store_id))

    @classmethod
    def _under_new_root(cls, store_id: bytes, device: DeviceKeys, provider: KeyProvider) -> Keyset:
        secret = secrets.token_bytes(KEY_BYTES)
        root = RootKeys(secret, store_id)
        slot = KeySlot(
            store_id=store_id,
            provider=provider.name,
            wrapped_root=provider.wrap(secret, store_id),
            check=root.check,
            wrapped_device_key=seal(root.kek, device.secret, _device_key_place(store_id)),
        )
        return cls(slot, root, device)


def _device_key_place(store_id: bytes) -> Place:
    return Place(store_id=store_id, kind="device-key")
