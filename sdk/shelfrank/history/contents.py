"""From rows to events, and from events to rows (history-format.md, sections 7, 8, 10 to 12).

Every function runs inside a transaction of the caller and takes what it returned before; nothing
here commits, waits or touches a file.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.errors import HistoryDamagedError, WrongKeyError
from shelfrank.history.anchor import AnchorMark
from shelfrank.history.blocks import (
    BLOCK_SPAN,
    Columns,
    decode_block,
    decode_row,
    encode_block,
    encode_row,
    split_full,
)
from shelfrank.history.envelope import (
    KEY_BYTES,
    STORE_ID_BYTES,
    DeviceKeys,
    Place,
    RootKeys,
    SealKey,
    SealKind,
    Secret,
    open_sealed,
    seal,
    u64,
)
from shelfrank.history.head import EMPTY_DIGEST, Head, KeySlot, extend_digest, head_digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from shelfrank.history.events import Record
    from shelfrank.history.keys import KeyProvider

KEYS_ROW: Final = "keys"
HEAD_ROW: Final = "head"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeqRange:
    """Sequence numbers whose events cannot be read, first and last included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One state of a history, verified.

    Attributes:
        keyset: its keys.
        head: its head.
        sealed_head: as it stands in the database.
        tail: the events of the tail, in order of `seq`.
        blocks: the readable blocks, in order of `first_seq`.
        damaged: ranges that fail authentication or are missing.
    """

    keyset: Keyset
    head: Head
    sealed_head: bytes = b""
    tail: tuple[Record, ...] = ()
    blocks: tuple[Columns, ...] = ()
    damaged: tuple[SeqRange, ...] = ()

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Contents>"

    @property
    def readable(self) -> int:
        """Number of events that can be read."""
        return len(self.tail) + sum(len(block) for block in self.blocks)

    @property
    def anchor_mark(self) -> AnchorMark:
        """What the anchor is to remember of this state."""
        return AnchorMark(version=self.head.version, head_digest=head_digest(self.sealed_head))


def read_value(connection: sqlite3.Connection, name: str) -> bytes:
    """Return a value of the table `meta`.

    Raises:
        HistoryDamagedError: it is missing, or no bytes.
    """
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise HistoryDamagedError(f"the row {name!r} of the history is missing")
    return _bytes(row[0])


def read_contents(connection: sqlite3.Connection, keyset: Keyset, sealed_head: bytes) -> Contents:
    """Read and verify everything (section 11).

    A row that fails is left out and reported; the others stay readable.

    Raises:
        HistoryDamagedError: the head fails authentication.
    """
    head = Head.open(sealed_head, keyset.root, keyset.store_id)
    blocks, block_damage = _read_blocks(connection, keyset, head)
    tail, tail_damage = _read_tail(connection, keyset, head)
    return Contents(
        keyset=keyset,
        head=head,
        sealed_head=sealed_head,
        tail=tail,
        blocks=blocks,
        damaged=(*block_damage, *tail_damage),
    )


def write_new(connection: sqlite3.Connection, keyset: Keyset) -> None:
    """Write the rows of an empty history into empty tables."""
    for name in (KEYS_ROW, HEAD_ROW):
        connection.execute("INSERT INTO meta VALUES (?, ?)", (name, b""))
    _write_value(connection, KEYS_ROW, keyset.slot_bytes)


def write_head(connection: sqlite3.Connection, contents: Contents, now: datetime) -> Contents:
    """Number the commit and write its head: the last step of every writing transaction."""
    newest = max(now, contents.head.newest_time or now)
    head = replace(contents.head, version=contents.head.version + 1, newest_time=newest)
    sealed = head.seal(contents.keyset.root, contents.keyset.store_id)
    _write_value(connection, HEAD_ROW, sealed)
    return replace(contents, head=head, sealed_head=sealed)


def append_records(
    connection: sqlite3.Connection, contents: Contents, records: Sequence[Record]
) -> Contents:
    """Write new events: full blocks first, the rest as tail rows.

    Args:
        connection: inside a writing transaction.
        contents: the state that the transaction sees; its head already knows purposes and mark.
        records: numbered from the head's `next_seq`, in order.

    Raises:
        HistoryDamagedError: a tail row is damaged, so the tail cannot be moved without losing it.
    """
    if contents.head.tail != len(contents.tail):
        raise HistoryDamagedError(
            f"{contents.head.tail - len(contents.tail)} of {contents.head.tail} recent events are "
            f"damaged, so nothing can be added",
            hint="erase the damaged events or the history",
        )
    full, rest = split_full([*contents.tail, *records])
    blocks = list(contents.blocks)
    chain = contents.head.chain
    for group in full:
        columns, chain = _insert_block(connection, contents.keyset, group, chain)
        blocks.append(columns)
    digest, fresh = contents.head.tail_digest, rest[len(contents.tail) :]
    if full:
        connection.execute("DELETE FROM tail")
        digest, fresh = EMPTY_DIGEST, rest
    for record in fresh:
        digest = _insert_row(connection, contents.keyset, record, digest)
    head = replace(
        contents.head,
        next_seq=contents.head.next_seq + len(records),
        live=contents.head.live + len(records),
        blocks=contents.head.blocks + len(full),
        tail=len(rest),
        chain=chain,
        tail_digest=digest,
    )
    return replace(contents, head=head, tail=tuple(rest), blocks=tuple(blocks))


def _read_tail(
    connection: sqlite3.Connection, keyset: Keyset, head: Head
) -> tuple[tuple[Record, ...], list[SeqRange]]:
    records: list[Record] = []
    damaged: list[SeqRange] = []
    digest = EMPTY_DIGEST
    # A row that has moved into a block would still open: put back, it would count twice.
    (last_block,) = connection.execute("SELECT max(first_seq) FROM block").fetchone()
    open_seqs = range(0 if last_block is None else last_block + BLOCK_SPAN, head.next_seq)
    for seq, sealed in connection.execute("SELECT seq, sealed FROM tail ORDER BY seq"):
        try:
            records.append(_open_row(keyset, seq, sealed, open_seqs))
        except HistoryDamagedError:
            damaged.append(SeqRange(first=seq, last=seq))
            continue
        digest = extend_digest(keyset.root, digest, seq, sealed)
    if not damaged and digest != head.tail_digest:
        first = max(0, head.next_seq - BLOCK_SPAN)
        damaged.append(SeqRange(first=first, last=max(first, head.next_seq - 1)))
    return tuple(records), damaged


def _open_row(keyset: Keyset, seq: int, sealed: object, open_seqs: range) -> Record:
    if seq not in open_seqs:
        raise HistoryDamagedError("a row of the history stands where it does not belong")
    place = row_place(keyset, "tail", seq)
    return decode_row(seq, open_sealed(keyset.root.tail, _bytes(sealed), place))


def _read_blocks(
    connection: sqlite3.Connection, keyset: Keyset, head: Head
) -> tuple[tuple[Columns, ...], list[SeqRange]]:
    blocks: list[Columns] = []
    damaged: list[SeqRange] = []
    chain = EMPTY_DIGEST
    rows = connection.execute("SELECT first_seq, wrapped_key, sealed FROM block ORDER BY first_seq")
    for first_seq, wrapped_key, sealed in rows:
        try:
            blocks.append(_open_block(keyset, first_seq, _bytes(wrapped_key), _bytes(sealed)))
        except HistoryDamagedError:
            damaged.append(SeqRange(first=first_seq, last=first_seq + BLOCK_SPAN - 1))
            continue
        chain = extend_digest(keyset.root, chain, first_seq, sealed)
    if not damaged and chain != head.chain:
        damaged.append(SeqRange(first=0, last=max(0, head.next_seq - 1)))
    return tuple(blocks), damaged


def _open_block(keyset: Keyset, first_seq: int, wrapped_key: bytes, sealed: bytes) -> Columns:
    place = row_place(keyset, "block-key", first_seq)
    key = SealKey(open_sealed(keyset.root.kek, wrapped_key, place))
    return decode_block(first_seq, open_sealed(key, sealed, row_place(keyset, "block", first_seq)))


def seal_block(keyset: Keyset, first_seq: int, plain: bytes) -> tuple[bytes, bytes]:
    """Seal a block with a new key; return the wrapped key and the sealed block."""
    secret = secrets.token_bytes(KEY_BYTES)
    wrapped = seal(keyset.root.kek, secret, row_place(keyset, "block-key", first_seq))
    return wrapped, seal(SealKey(secret), plain, row_place(keyset, "block", first_seq))


def _insert_block(
    connection: sqlite3.Connection, keyset: Keyset, group: Sequence[Record], chain: bytes
) -> tuple[Columns, bytes]:
    first_seq = group[0].seq
    plain = encode_block(first_seq, group)
    wrapped, sealed = seal_block(keyset, first_seq, plain)
    connection.execute("INSERT INTO block VALUES (?, ?, ?)", (first_seq, wrapped, sealed))
    return decode_block(first_seq, plain), extend_digest(keyset.root, chain, first_seq, sealed)


def _insert_row(
    connection: sqlite3.Connection, keyset: Keyset, record: Record, digest: bytes
) -> bytes:
    sealed = seal(keyset.root.tail, encode_row(record), row_place(keyset, "tail", record.seq))
    connection.execute("INSERT INTO tail VALUES (?, ?)", (record.seq, sealed))
    return extend_digest(keyset.root, digest, record.seq, sealed)


def insert_tail(connection: sqlite3.Connection, keyset: Keyset, records: Sequence[Record]) -> bytes:
    """Write tail rows into an empty table; return their digest."""
    digest = EMPTY_DIGEST
    for record in records:
        digest = _insert_row(connection, keyset, record, digest)
    return digest


def row_place(keyset: Keyset, kind: SealKind, seq: int) -> Place:
    """Return the place of a row: its plain sequence number is authenticated."""
    if not 0 <= seq < 2**63:
        raise HistoryDamagedError(f"a {kind} of the history has a number out of range")
    return Place(store_id=keyset.store_id, kind=kind, position=u64(seq))


def _device_key_place(store_id: bytes) -> Place:
    return Place(store_id=store_id, kind="device-key")


def write_keys(connection: sqlite3.Connection, keyset: Keyset) -> None:
    """Write the key slot."""
    _write_value(connection, KEYS_ROW, keyset.slot_bytes)


def _write_value(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise HistoryDamagedError(f"a value of the history is {type(value).__name__}, wanted bytes")
    return value


def newest_before(contents: Contents, time: int) -> tuple[int, int] | None:
    """Return visit and order of the newest event not after `time`, or of the oldest event.

    Args:
        contents: where to look.
        time: microseconds since 1970, UTC.

    Returns:
        None when there is no event that can be read.
    """
    columns = [
        np.array([[r.time, r.visit, r.order] for r in contents.tail], dtype=np.int64).reshape(-1, 3)
    ]
    columns += [np.stack([b.time, b.visit, b.order], axis=1) for b in contents.blocks]
    table = np.concatenate(columns)
    if not len(table):
        return None
    table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]
    row = max(0, int(np.searchsorted(table[:, 0], time, side="right")) - 1)
    return int(table[row, 1]), int(table[row, 2])
