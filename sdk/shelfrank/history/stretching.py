"""From a passphrase to a key: what one try costs, and the bounds on what a file may ask for.

The one place for it: histories (history-format.md, section 13) and exports (export-format.md,
section 6) stretch alike.
"""

from __future__ import annotations

import hashlib
import os
import struct
import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from shelfrank.errors import HistoryDamagedError
from shelfrank.history.envelope import KEY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretching:
    """What one try of a passphrase costs.

    Attributes:
        function: 1 is Argon2id, 2 is scrypt.
        time: Argon2id: passes; scrypt: parallelisation p.
        memory_kib: KiB of memory; scrypt: n = memory / (128 r) with r = 8, a power of two.
        lanes: Argon2id only, else 1.
    """

    function: int
    time: int
    memory_kib: int
    lanes: int


# RFC 9106, section 4, second recommended option: 3 passes, 4 lanes, 64 MiB.
ARGON2ID: Final = Stretching(function=1, time=3, memory_kib=64 * 1024, lanes=4)
# OWASP password storage cheat sheet: N = 2**16, r = 8, p = 2 costs as much memory. For an OpenSSL
# without Argon2.
SCRYPT: Final = Stretching(function=2, time=2, memory_kib=64 * 1024, lanes=1)

# A hostile file must not make a device allocate gigabytes or think for hours: refused before any
# work.
MAX_TIME: Final = 16
MAX_MEMORY_KIB: Final = 1024 * 1024
MAX_LANES: Final = 16

SALT_BYTES: Final = 16
_SCRYPT_R: Final = 8
_PARAMETERS: Final = struct.Struct(f"<BBIB{SALT_BYTES}s")
PARAMETER_BYTES: Final = _PARAMETERS.size
"""Function, time, memory, lanes, salt: what has to stand in plain beside what is sealed."""


def passphrase_bytes(text: str) -> bytes:
    """Return a passphrase as it is stretched.

    Args:
        text: not empty; normalised to Unicode NFC, since keyboards differ in how they make accents.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, or no text that UTF-8 can hold.
    """
    if not isinstance(text, str):
        raise TypeError(f"passphrase is {type(text).__name__}, wanted text")
    if not text:
        raise ValueError("passphrase is empty")
    try:
        return unicodedata.normalize("NFC", text).encode()
    except UnicodeEncodeError:
        # The original error quotes the passphrase.
        raise ValueError("passphrase is not text that UTF-8 can hold") from None


def new_parameters(cost: Stretching | None = None) -> bytes:
    """Return parameters with a new salt, `PARAMETER_BYTES` long.

    Args:
        cost: None takes Argon2id where OpenSSL has it, else scrypt, both with 64 MiB.
    """
    cost = cost or (ARGON2ID if _has_argon2() else SCRYPT)
    salt = os.urandom(SALT_BYTES)
    return _PARAMETERS.pack(cost.function, cost.time, cost.memory_kib, cost.lanes, salt)


def stretch(text: bytes, parameters: bytes) -> bytes:
    """Return the 32-byte key of a passphrase under the parameters of a file.

    Raises:
        HistoryDamagedError: the parameters are cut short or out of range; nothing was computed.
    """
    try:
        function, time, memory_kib, lanes, salt = _PARAMETERS.unpack(parameters)
    except struct.error:
        raise HistoryDamagedError("the parameters of the passphrase are cut short") from None
    in_range = 1 <= time <= MAX_TIME and 1 <= lanes <= MAX_LANES
    if not in_range or not 8 * lanes <= memory_kib <= MAX_MEMORY_KIB:
        raise HistoryDamagedError("the parameters of the passphrase are out of range")
    if function == ARGON2ID.function:
        return Argon2id(
            salt=salt, length=KEY_BYTES, iterations=time, lanes=lanes, memory_cost=memory_kib
        ).derive(text)
    n = memory_kib * 1024 // (128 * _SCRYPT_R)
    if function != SCRYPT.function or n & (n - 1):
        raise HistoryDamagedError("the parameters of the passphrase are out of range")
    return hashlib.scrypt(
        text,
        salt=salt,
        n=n,
        r=_SCRYPT_R,
        p=time,
        dklen=KEY_BYTES,
        maxmem=(memory_kib + 2048) * 1024,
    )


def _has_argon2() -> bool:
    try:
        Argon2id(salt=bytes(SALT_BYTES), length=KEY_BYTES, iterations=1, lanes=1, memory_cost=8)
    except UnsupportedAlgorithm:
        return False
    return True
