from __future__ import annotations

import copy
import pickle  # noqa: TID251 only to see it refused
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shelfrank.errors import HistoryDamagedError
from shelfrank.history.envelope import (
    OVERHEAD_BYTES,
    DeviceKeys,
    Place,
    RootKeys,
    SealKey,
    open_sealed,
    seal,
)
from shelfrank.history.keyring import MemoryKey
from shelfrank.history.providers import HostSecret, Passphrase

PLACE = Place(store_id=bytes(range(16)), kind="tail", position=b"\x00\x07")
KEY = SealKey(b"k" * 32, b"kid1")


def test_what_was_sealed_opens_and_is_34_bytes_longer() -> None:
    sealed = seal(KEY, b"plain", PLACE)

    assert open_sealed(KEY, sealed, PLACE) == b"plain"
    assert len(sealed) == len(b"plain") + OVERHEAD_BYTES == 39


def test_an_envelope_is_what_the_format_page_says() -> None:
    # Section 2 and 3 of history-format.md, written out by hand.
    header = b"\x01\x01" + b"kid1"
    nonce = b"n" * 12
    associated = b"shelfrank/history/v1" + b"\x04tail" + bytes(range(16)) + header + b"\x00\x07"
    by_hand = header + nonce + AESGCM(b"k" * 32).encrypt(nonce, b"plain", associated)

    assert open_sealed(KEY, by_hand, PLACE) == b"plain"


def test_every_flipped_bit_of_an_envelope_is_refused() -> None:
    sealed = seal(KEY, b"plain", PLACE)

    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(HistoryDamagedError):
            open_sealed(KEY, bytes(flipped), PLACE)


def test_every_shorter_or_longer_envelope_is_refused() -> None:
    sealed = seal(KEY, b"plain", PLACE)

    for wrong in (*(sealed[:size] for size in range(len(sealed))), sealed + b"\x00"):
        with pytest.raises(HistoryDamagedError):
            open_sealed(KEY, wrong, PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, store_id=bytes(16)),
        replace(PLACE, kind="block"),
        replace(PLACE, position=b"\x00\x08"),
        replace(PLACE, position=b"\x00"),
    ],
)
def test_a_value_does_not_open_in_another_place(elsewhere: Place) -> None:
    sealed = seal(KEY, b"plain", PLACE)

    with pytest.raises(HistoryDamagedError):
        open_sealed(KEY, sealed, elsewhere)


def test_a_value_does_not_open_with_another_key_of_the_same_id() -> None:
    sealed = seal(KEY, b"plain", PLACE)

    with pytest.raises(HistoryDamagedError):
        open_sealed(SealKey(b"x" * 32, KEY.key_id), sealed, PLACE)


def test_no_nonce_comes_twice() -> None:
    nonces = {seal(KEY, b"", PLACE)[6:18] for _ in range(5_000)}

    assert len(nonces) == 5_000


def test_every_use_of_a_root_has_its_own_key() -> None:
    keys = RootKeys(b"r" * 32, PLACE.store_id)
    sealed = seal(keys.tail, b"plain", PLACE)

    for other in (keys.kek, keys.head):
        with pytest.raises(HistoryDamagedError):
            open_sealed(other, sealed, PLACE)
    assert len({keys.chain, keys.check, b"r" * 32}) == 3


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        RootKeys(b"r" * 32, PLACE.store_id),
        DeviceKeys(b"d" * 32, PLACE.store_id),
        MemoryKey(),
        HostSecret(b"s" * 32),
        Passphrase("correct horse"),
    ],
    ids=lambda secret: type(secret).__name__,
)
def test_a_key_neither_prints_nor_pickles_nor_copies(secret: object) -> None:
    assert repr(secret) == str(secret) == f"<{type(secret).__name__}>"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a key"):
            leak(secret)
