"""An export under a passphrase opens whole, with that passphrase, or not at all."""

from __future__ import annotations

import hashlib
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from shelfrank.errors import ExportDamagedError, HistoryVersionError, WrongKeyError
from shelfrank.history.stretching import Stretching
from shelfrank.rights import sealing
from shelfrank.rights.sealing import is_sealed, open_export, seal_export, sealed_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

CHEAP = Stretching(function=1, time=1, memory_kib=8, lanes=1)
WORDS = "correct horse"
HEADER = 96
SMALL_CHUNK = 8
SEALED_CHUNK = SMALL_CHUNK + 34


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "CHUNK_BYTES", SMALL_CHUNK)
    monkeypatch.setattr(sealing, "_SEALED_CHUNK_BYTES", SEALED_CHUNK)


def sealed(plain: bytes = b"one chunk, another, and more") -> bytes:
    return seal_export(plain, WORDS, CHEAP)


def chunks(data: bytes) -> list[bytes]:
    return [data[at : at + SEALED_CHUNK] for at in range(HEADER, len(data), SEALED_CHUNK)]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 17, 100])
def test_what_is_sealed_opens_with_its_passphrase(size: int) -> None:
    plain = bytes(range(size))

    data = sealed(plain)

    assert is_sealed(data)
    assert len(data) == sealed_bytes(size)
    assert open_export(data, WORDS) == plain


def test_accents_are_one_passphrase_however_the_keyboard_makes_them() -> None:
    data = seal_export(b"x", "caf\u00e9", CHEAP)

    assert open_export(data, "cafe\u0301") == b"x"


def test_scrypt_is_read_as_well() -> None:
    scrypt = Stretching(function=2, time=1, memory_kib=16, lanes=1)

    assert open_export(seal_export(b"x", WORDS, scrypt), WORDS) == b"x"


def test_another_passphrase_is_told_from_damage() -> None:
    with pytest.raises(WrongKeyError, match="passphrase does not open"):
        open_export(sealed(), "correct horses")


@pytest.mark.parametrize("words", ["", None, b"correct horse"])
def test_no_passphrase_is_no_passphrase(words: object) -> None:
    for use in (lambda: seal_export(b"x", words), lambda: open_export(sealed(), words)):  # type: ignore[arg-type]
        with pytest.raises((ValueError, TypeError), match="passphrase is"):
            use()


def test_every_flipped_bit_is_noticed() -> None:
    data = sealed()

    for at in range(8, len(data)):
        for bit in range(8):
            wrong = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            with pytest.raises((ExportDamagedError, HistoryVersionError)):
                open_export(wrong, WORDS)


def test_every_cut_is_noticed() -> None:
    data = sealed()

    for size in range(9, len(data)):
        with pytest.raises(ExportDamagedError):
            open_export(data[:size], WORDS)


def test_what_is_added_is_noticed() -> None:
    data = sealed()

    for more in (b"\0", bytes(34), bytes(SEALED_CHUNK), chunks(data)[0], chunks(data)[-1]):
        with pytest.raises(ExportDamagedError, match="fails authentication"):
            open_export(data + more, WORDS)


def test_chunks_in_any_other_order_or_number_are_noticed() -> None:
    data = sealed(bytes(24))
    parts = chunks(data)
    others: list[Sequence[bytes]] = [
        order for size in (1, 2, 3) for order in permutations(parts, size) if list(order) != parts
    ]
    others += [[parts[0], *parts], [parts[0], parts[0], parts[2]]]

    assert len(parts) == 3
    for other in others:
        with pytest.raises(ExportDamagedError, match="fails authentication"):
            open_export(data[:HEADER] + b"".join(other), WORDS)


def test_a_chunk_of_another_export_under_the_same_passphrase_does_not_fit() -> None:
    mine, other = sealed(bytes(24)), sealed(bytes(24))

    with pytest.raises(ExportDamagedError, match="chunk 2 of 3"):
        open_export(mine[: HEADER + SEALED_CHUNK] + other[HEADER + SEALED_CHUNK :], WORDS)


@pytest.mark.parametrize(
    ("field", "value"),
    [("<B", 0), ("<B", 3), ("time", 0), ("time", 17), ("memory", 2**20 + 1), ("lanes", 17)],
)
def test_a_cost_out_of_range_is_refused_before_any_work(field: str, value: int) -> None:
    places = {"<B": (9, 1), "time": (10, 1), "memory": (11, 4), "lanes": (15, 1)}
    at, size = places[field]
    data = bytearray(sealed())
    data[at : at + size] = value.to_bytes(size, "little")
    data[64:96] = hashlib.sha256(data[:64]).digest()

    with pytest.raises(ExportDamagedError, match="out of range"):
        open_export(bytes(data), WORDS)


def test_a_later_format_is_told_from_damage() -> None:
    data = bytearray(sealed())
    data[8] = 2

    with pytest.raises(HistoryVersionError, match="has format 2, this SDK reads 1"):
        open_export(bytes(data), WORDS)


def test_the_passphrase_stands_in_no_error() -> None:
    with pytest.raises(WrongKeyError) as caught:
        open_export(sealed(), "canary words")

    assert "canary" not in str(caught.value) + str(caught.value.hint)


def test_two_exports_of_the_same_share_no_byte_beyond_their_header() -> None:
    mine, other = sealed(bytes(24)), sealed(bytes(24))

    assert mine[:9] == other[:9]
    assert not set(chunks(mine)) & set(chunks(other))
