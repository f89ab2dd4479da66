"""Seal a million values in several processes and after a restored snapshot; no nonce comes twice.

    python tests/benchmarks/history/nonces.py --count 1000000

Every call of the cipher is noted, with a digest of its key and the nonce: those of values sealed
for the consent slot, and those of events, heads, anchors and block keys. A quarter is sealed by one
process, a quarter each by two at the same time, and a quarter by one that works on a copy of the
folder from before, as a restored backup or a snapshot of a virtual machine would. Half a minute.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shelfrank.history import envelope
from shelfrank.history.providers import HostSecret
from support.faults.children import FAILED, Child
from support.faults.command import Options, Progress, Tally, main
from support.histories import Profile, new_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.faults.children import Say

SECRET: Final = b"k" * 32
EVENTS_PER_SEAL: Final = 200
"""An event is appended for so many values, and all of them are erased now and then."""

LINE: Final = 1000


class Noting:
    """AES-GCM that notes key and nonce of all that it encrypts."""

    noted: Final[list[bytes]] = []

    def __init__(self, key: bytes) -> None:
        self._name = hashlib.sha256(key).digest()[:8]
        self._cipher = AESGCM(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        self.noted.append(self._name + nonce)
        return self._cipher.encrypt(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        return self._cipher.decrypt(nonce, data, associated_data)


@contextmanager
def noting() -> Iterator[None]:
    with patch.object(envelope, "AESGCM", Noting):
        yield


def seal_much(profile: Profile, count: int, say: Say) -> None:
    """Seal, append and erase; say every pair of key and nonce."""
    with profile.open() as history:
        for number in range(count):
            history.sealer.seal(b"value", b"context")
            if number % EVENTS_PER_SEAL == 0:
                history.append([new_event(f"sku-{number}", minutes=number)])
            if number % (EVENTS_PER_SEAL * 50) == EVENTS_PER_SEAL * 49:
                history.rotate()
    for start in range(0, len(Noting.noted), LINE):
        say(b"".join(Noting.noted[start : start + LINE]).hex())


def campaign(options: Options, tally: Tally) -> None:
    """Seal in four processes, and look for a pair that comes twice."""
    profile = Profile(options.folder / "one", HostSecret(SECRET))
    with profile.open() as history:
        history.append([new_event("first")])
    copy = Profile(options.folder / "copy", HostSecret(SECRET))
    shutil.copytree(profile.folder, copy.folder)
    share = options.count // 4
    seen: set[bytes] = set()
    total, progress = 0, Progress("nonces", 4)
    with noting():
        for together in ([profile], [profile, profile], [copy]):
            children = [
                Child(lambda say, where=where: seal_much(where, share, say))  # type: ignore[misc]
                for where in together
            ]
            for child in children:
                with child:
                    for line in child.all_lines():
                        total += take(line, seen)
                    if child.join() == FAILED:
                        tally.fault("nonces", "a process has failed")
                progress.step()
    tally.figures.update({"nonces": total, "repeated": total - len(seen)})
    if total < options.count:
        tally.fault("nonces", f"{total} were noted of {options.count}")
    if total > len(seen):
        tally.fault("nonces", f"{total - len(seen)} came twice under one key")


PAIR_BYTES: Final = 8 + envelope.NONCE_BYTES


def take(line: str, seen: set[bytes]) -> int:
    if line.startswith("failed"):
        print(line, file=sys.stderr)
        return 0
    pairs = bytes.fromhex(line)
    seen.update(pairs[at : at + PAIR_BYTES] for at in range(0, len(pairs), PAIR_BYTES))
    return len(pairs) // PAIR_BYTES


if __name__ == "__main__":
    main(campaign, name="nonces", doc=__doc__, count=1_000_000, guards=("random-nonces",))
