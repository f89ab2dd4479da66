"""The key slot and the sealed head as bytes (history-format.md, sections 5 and 6). Pure."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shelfrank.errors import HistoryDamagedError, HistoryVersionError
from shelfrank.history.envelope import (
    FORMAT,
    KEY_BYTES,
    OVERHEAD_BYTES,
    STORE_ID_BYTES,
    Place,
    RootKeys,
    open_sealed,
    seal,
    tag_of,
    u64,
)
from shelfrank.history.events import from_microseconds, to_microseconds
from shelfrank.history.layout import LAYOUT, check_layout
from shelfrank.history.visits import VisitMark

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MAX_PURPOSES: Final = 32
"""One bit each beside every event."""

MAX_CONTEXTS: Final = 16
"""A byte beside every event; a shop has a few areas and channels."""

MAX_NAME_BYTES: Final = 64
"""Of a purpose or a context."""

DIGEST_BYTES: Final = 32
EMPTY_DIGEST: Final = bytes(DIGEST_BYTES)
"""Digest over no tags at all."""

_HEAD_PADDING_BYTES: Final = 256
_NO_TIME: Final = -(2**63)

# layout, generation, version, next seq, live events, lost events, blocks, tail rows, chain, tail
# digest, time of the last event, its visit, its order, newest time seen, purposes, contexts
_HEAD: Final = struct.Struct("<BQQQQQII32s32sqqIqBB")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySlot:
    """What must be readable before there is a key: the wrapped root and how to know it is right.

    Attributes:
        store_id: 16 random bytes.
        provider: name of the provider that wrapped the root.
        wrapped_root: what the provider made of it.
        check: key-check value of the root, 32 bytes.
        wrapped_device_key: the device key under the root's KEK.
    """

    store_id: bytes
    provider: str
    wrapped_root: bytes
    check: bytes
    wrapped_device_key: bytes

    def to_bytes(self) -> bytes:
        """Return the slot with a digest at its end, which tells damage from a wrong key."""
        name = self.provider.encode()
        content = b"".join(
            (
                bytes([FORMAT]),
                self.store_id,
                self.check,
                self.wrapped_device_key,
                struct.pack("<BH", len(name), len(self.wrapped_root)),
                name,
                self.wrapped_root,
            )
        )
        return content + hashlib.sha256(content).digest()

    @classmethod
    def parse(cls, data: bytes) -> KeySlot:
        """Read a slot.

        Raises:
            HistoryDamagedError: the digest does not match, or a length is wrong.
            HistoryVersionError: another format number.
        """
        content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
        if not content or not hmac.compare_digest(hashlib.sha256(content).digest(), digest):
            raise HistoryDamagedError("the key slot of the history is damaged")
        if content[0] != FORMAT:
            raise HistoryVersionError(f"history has format {content[0]}, this SDK reads {FORMAT}")
        cursor = 1
        fields = []
        for size in (STORE_ID_BYTES, KEY_BYTES, KEY_BYTES + OVERHEAD_BYTES):
            fields.append(content[cursor : cursor + size])
            cursor += size
        try:
            name_bytes, root_bytes = struct.unpack_from("<BH", content, cursor)
            name_at = cursor + 3
            root_at = name_at + name_bytes
            provider = content[name_at:root_at].decode()
        except (struct.error, UnicodeDecodeError):
            raise HistoryDamagedError("the key slot of the history is damaged") from None
        if len(content) != root_at + root_bytes:
            raise HistoryDamagedError("the key slot of the history is damaged")
        return cls(
            store_id=fields[0],
            check=fields[1],
            wrapped_device_key=fields[2],
            provider=provider,
            wrapped_root=content[root_at:],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The state of a history after one commit. Whatever the rows say must agree with it.

    Attributes:
        generation: how often the root was rotated.
        version: number of the commit, from 1.
        next_seq: sequence number of the next event.
        live: events in tail and blocks together.
        lost: events that were unreadable when a rewrite left them behind.
        blocks: number of blocks.
        tail: number of tail rows.
        chain: keyed digest over the blocks' tags, in order.
        tail_digest: keyed digest over the tail rows' tags, in order.
        mark: where the newest event stands, or None when there is none.
        newest_time: latest moment the clock showed at a commit: a clock set back prolongs nothing.
        purposes: names by bit; "" is a free bit.
        contexts: names by code less one; "" is a free code.
    """

    generation: int = 0
    version: int = 0
    next_seq: int = 0
    live: int = 0
    lost: int = 0
    blocks: int = 0
    tail: int = 0
    chain: bytes = EMPTY_DIGEST
    tail_digest: bytes = EMPTY_DIGEST
    mark: VisitMark | None = None
    newest_time: datetime | None = None
    purposes: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the head, padded to a multiple of 256 bytes."""
        names = [name.encode() for name in (*self.purposes, *self.contexts)]
        fixed = _HEAD.pack(
            LAYOUT,
            self.generation,
            self.version,
            self.next_seq,
            self.live,
            self.lost,
            self.blocks,
            self.tail,
            self.chain,
            self.tail_digest,
            _to_number(self.mark.last_at if self.mark else None),
            self.mark.visit if self.mark else -1,
            self.mark.order if self.mark else 0,
            _to_number(self.newest_time),
            len(self.purposes),
            len(self.contexts),
        )
        content = fixed + b"".join(bytes([len(name)]) + name for name in names)
        return content + bytes(-len(content) % _HEAD_PADDING_BYTES)

    @classmethod
    def parse(cls, plain: bytes) -> Head:
        """Read an authenticated head.

        Raises:
            HistoryDamagedError: it does not have the layout of its format.
            HistoryVersionError: a layout of a later SDK.
        """
        check_layout(plain)
        try:
            return cls._parse(plain)
        except (struct.error, UnicodeDecodeError, IndexError):
            raise HistoryDamagedError("the head does not have the layout of its format") from None

    @classmethod
    def _parse(cls, plain: bytes) -> Head:
        _, *fields = _HEAD.unpack_from(plain)
        last_at, visit, order, newest, n_purposes, n_contexts = fields[9:]
        names = []
        cursor = _HEAD.size
        for _ in range(n_purposes + n_contexts):
            size = plain[cursor]
            names.append(plain[cursor + 1 : cursor + 1 + size].decode())
            cursor += 1 + size
        mark = VisitMark(visit=visit, order=order, last_at=_to_time(last_at))
        return cls(
            generation=fields[0],
            version=fields[1],
            next_seq=fields[2],
            live=fields[3],
            lost=fields[4],
            blocks=fields[5],
            tail=fields[6],
            chain=fields[7],
            tail_digest=fields[8],
            mark=mark if visit >= 0 else None,
            newest_time=_to_time(newest),
            purposes=tuple(names[:n_purposes]),
            contexts=tuple(names[n_purposes:]),
        )

    def seal(self, keys: RootKeys, store_id: bytes) -> bytes:
        """Return the sealed head."""
        return seal(keys.head, self.to_bytes(), Place(store_id=store_id, kind="head"))

    @classmethod
    def open(cls, sealed: bytes, keys: RootKeys, store_id: bytes) -> Head:
        """Read a sealed head.

        Raises:
            HistoryDamagedError: it fails authentication.
        """
        return cls.parse(open_sealed(keys.head, sealed, Place(store_id=store_id, kind="head")))

    def with_purposes(self, names: Iterable[str]) -> Head:
        """Return the head with a bit for each of `names`.

        Raises:
            ValueError: a name is empty or over 64 bytes, or there are more than 32 in use.
        """
        found = _with_names(self.purposes, names, "purposes", MAX_PURPOSES)
        return self if found == self.purposes else replace(self, purposes=found)

    def with_contexts(self, names: Iterable[str]) -> Head:
        """Return the head with a code for each of `names`; the empty one needs none.

        Raises:
            ValueError: a name is over 64 bytes, or there are more than 16 in use.
        """
        named = {name for name in names if name}
        found = _with_names(self.contexts, named, "contexts", MAX_CONTEXTS)
        return self if found == self.contexts else replace(self, contexts=found)

    @property
    def context_names(self) -> tuple[str, ...]:
        """Name of each code; code 0 is none."""
        return ("", *self.contexts)

    def bits_of(self, names: Iterable[str]) -> int:
        """Return the bits of purposes; those without a bit have no events and count nothing."""
        slots = {name: 1 << bit for bit, name in enumerate(self.purposes) if name}
        return sum(slots.get(name, 0) for name in set(names))

    def names_of(self, bits: int) -> frozenset[str]:
        """Return the purposes that `bits` stand for."""
        return frozenset(
            name for bit, name in enumerate(self.purposes) if name and bits & (1 << bit)
        )


def _with_names(
    slots: tuple[str, ...], names: Iterable[str], what: str, most: int
) -> tuple[str, ...]:
    found = list(slots)
    for name in sorted(set(names) - set(slots)):
        if not 1 <= len(name.encode()) <= MAX_NAME_BYTES:
            raise ValueError(f"a name among {what} must have 1 to {MAX_NAME_BYTES} bytes")
        if "" in found:
            found[found.index("")] = name
        else:
            found.append(name)
    if len(found) > most:
        raise ValueError(f"{len(found)} {what}, a history keeps at most {most}")
    return tuple(found)


def extend_digest(keys: RootKeys, digest: bytes, seq: int, sealed: bytes) -> bytes:
    """Return the digest after one more row: keyed BLAKE2b over the old one, position and tag."""
    return hashlib.blake2b(
        digest + u64(seq) + tag_of(sealed), digest_size=DIGEST_BYTES, key=keys.chain
    ).digest()


def head_digest(sealed_head: bytes) -> bytes:
    """Return what the anchor remembers of a head: its nonce is random, so no two are alike."""
    return hashlib.blake2b(sealed_head, digest_size=DIGEST_BYTES).digest()


def _to_number(time: datetime | None) -> int:
    return _NO_TIME if time is None else to_microseconds(time)


def _to_time(number: int) -> datetime | None:
    return None if number == _NO_TIME else from_microseconds(number)
