"""From rows to events, and from events to rows (history-format.md, sections 7, 8, 10 to 12).

Every function runs inside a transaction of the caller and takes what it returned before; nothing
here commits, waits or touches a file.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shelfrank.errors import HistoryDamagedError
from shelfrank.history.anchor import AnchorMark
from shelfrank.history.blocks import (
    BLOCK_SPAN,
    Columns,
    decode_block,
    decode_row,
    encode_block,
    encode_row,
    split_full,
    to_columns,
)
from shelfrank.history.envelope import (
    KEY_BYTES,
    Place,
    SealKey,
    SealKind,
    open_sealed,
    seal,
    u64,
)
from shelfrank.history.head import EMPTY_DIGEST, extend_digest, head_digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from shelfrank.history.events import Record
    from shelfrank.history.frame import Frame
    from shelfrank.history.head import Head
    from shelfrank.history.keyset import Keyset


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
        whole: whether both copies of key slot and head are good.
    """

    keyset: Keyset
    head: Head
    sealed_head: bytes = b""
    tail: tuple[Record, ...] = ()
    blocks: tuple[Columns, ...] = ()
    damaged: tuple[SeqRange, ...] = ()
    whole: bool = True

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Contents>"

    @property
    def readable(self) -> int:
        """Number of events that can be read."""
        return len(self.tail) + sum(len(block) for block in self.blocks)

    @property
    def oldest(self) -> int | None:
        """Earliest time of an event that can be read, in microseconds; None without events."""
        times = [block.oldest for block in self.blocks] + [record.time for record in self.tail]
        return min(times, default=None)

    @property
    def lost(self) -> int:
        """Number of events that are unreadable, or were when something was erased."""
        return self.head.lost + max(0, self.head.live - self.readable)

    @property
    def anchor_mark(self) -> AnchorMark:
        """What the anchor is to remember of this state."""
        return AnchorMark(version=self.head.version, head_digest=head_digest(self.sealed_head))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a history, ordered by sequence number.

    Attributes:
        blocks: `first_seq`, wrapped key and sealed block of each.
        tail: `seq` and sealed event of each.
    """

    blocks: Iterable[tuple[int, object, object]]
    tail: Iterable[tuple[int, object]]


def all_rows(connection: sqlite3.Connection) -> Rows:
    """Return the rows as SQLite gives them, which it refuses when a page is corrupt."""
    return Rows(
        blocks=connection.execute(
            "SELECT first_seq, wrapped_key, sealed FROM block ORDER BY first_seq"
        ),
        tail=connection.execute("SELECT seq, sealed FROM tail ORDER BY seq"),
    )


def verify_contents(frame: Frame, rows: Rows) -> Contents:
    """Open and verify everything (section 11).

    A row that fails is left out and reported; the others stay readable.

    Raises:
        HistoryVersionError: a row has a layout of a later SDK.
    """
    keyset, head = frame.keyset, frame.head
    blocks, block_damage = _verify_blocks(rows, keyset, head)
    # A row that has moved into a block would still open: put back, it would count twice. Only
    # blocks that open say where they stand: a changed number must not take the tail with it.
    open_seqs = range(blocks[-1].first_seq + BLOCK_SPAN if blocks else 0, head.next_seq)
    tail, tail_damage = _verify_tail(rows, keyset, head, open_seqs)
    return Contents(
        keyset=keyset,
        head=head,
        sealed_head=frame.sealed_head,
        tail=tail,
        blocks=blocks,
        damaged=(*block_damage, *tail_damage),
        whole=frame.whole,
    )


def append_records(
    connection: sqlite3.Connection, contents: Contents, records: Sequence[Record]
) -> Contents:
    """Write new events: full blocks first, the rest as tail rows.

    With a damaged tail they are added behind it, and no block is made: that would leave behind what
    is damaged, which only an erasure may.

    Args:
        connection: inside a writing transaction.
        contents: the state that the transaction sees; its head already knows purposes and mark.
        records: numbered from the head's `next_seq`, in order.
    """
    everything = [*contents.tail, *records]
    tail_is_whole = contents.head.tail == len(contents.tail)
    full, rest = split_full(everything) if tail_is_whole else ([], everything)
    blocks = list(contents.blocks)
    chain = contents.head.chain
    for group in full:
        columns = to_columns(group[0].seq, group)
        chain = append_block(connection, contents.keyset, columns, chain)
        blocks.append(columns)
    before, digest, fresh = contents.head.tail, contents.head.tail_digest, records
    if full:
        connection.execute("DELETE FROM tail")
        before, digest, fresh = 0, EMPTY_DIGEST, rest
    for record in fresh:
        digest = _insert_row(connection, contents.keyset, record, digest)
    head = replace(
        contents.head,
        next_seq=contents.head.next_seq + len(records),
        live=contents.head.live + len(records),
        blocks=contents.head.blocks + len(full),
        tail=before + len(fresh),
        chain=chain,
        tail_digest=digest,
    )
    return replace(contents, head=head, tail=tuple(rest), blocks=tuple(blocks))


def _verify_tail(
    rows: Rows, keyset: Keyset, head: Head, open_seqs: range
) -> tuple[tuple[Record, ...], list[SeqRange]]:
    records: list[Record] = []
    damaged: list[SeqRange] = []
    digest = EMPTY_DIGEST
    for seq, value in rows.tail:
        try:
            sealed = _bytes(value)
            records.append(_open_row(keyset, seq, sealed, open_seqs))
        except HistoryDamagedError:
            damaged.append(SeqRange(first=seq, last=seq))
            continue
        digest = extend_digest(keyset.root, digest, seq, sealed)
    if not damaged and digest != head.tail_digest:
        first = open_seqs.start
        damaged.append(SeqRange(first=first, last=max(first, head.next_seq - 1)))
    return tuple(records), damaged


def _open_row(keyset: Keyset, seq: int, sealed: bytes, open_seqs: range) -> Record:
    if seq not in open_seqs:
        raise HistoryDamagedError("a row of the history stands where it does not belong")
    place = row_place(keyset, "tail", seq)
    return decode_row(seq, open_sealed(keyset.root.tail, sealed, place))


def _verify_blocks(
    rows: Rows, keyset: Keyset, head: Head
) -> tuple[tuple[Columns, ...], list[SeqRange]]:
    blocks: list[Columns] = []
    damaged: list[SeqRange] = []
    chain = EMPTY_DIGEST
    for first_seq, wrapped_key, value in rows.blocks:
        try:
            sealed = _bytes(value)
            blocks.append(_open_block(keyset, first_seq, _bytes(wrapped_key), sealed))
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


def seal_block(keyset: Keyset, columns: Columns) -> tuple[bytes, bytes]:
    """Seal a block with a new key; return the wrapped key and the sealed block."""
    first_seq, secret = columns.first_seq, secrets.token_bytes(KEY_BYTES)
    wrapped = seal(keyset.root.kek, secret, row_place(keyset, "block-key", first_seq))
    place = row_place(keyset, "block", first_seq)
    return wrapped, seal(SealKey(secret), encode_block(columns), place)


def append_block(
    connection: sqlite3.Connection, keyset: Keyset, columns: Columns, chain: bytes
) -> bytes:
    """Write a block behind the others; return the chain with it."""
    wrapped, sealed = seal_block(keyset, columns)
    connection.execute("INSERT INTO block VALUES (?, ?, ?)", (columns.first_seq, wrapped, sealed))
    return extend_digest(keyset.root, chain, columns.first_seq, sealed)


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
