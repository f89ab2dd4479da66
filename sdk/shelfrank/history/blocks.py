"""Tail rows and columnar blocks as bytes (history-format.md, sections 7 and 8). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from shelfrank.errors import HistoryDamagedError
from shelfrank.history.events import Record, from_microseconds
from shelfrank.history.layout import LAYOUT, check_layout
from shelfrank.types import KINDS, Event, ItemId

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

BLOCK_SPAN: Final = 128
"""Sequence numbers that one block covers, so at most as many events."""

# Sizes are rounded up so that the length of a sealed value says little about what is in it: without
# padding, the kind of an event was guessed right twice as often as by chance.
ROW_PADDING_BYTES: Final = 128
BLOCK_PADDING_BYTES: Final = 128

# layout, time, visit, quantity, purposes, order, kind, context, id bytes
_ROW: Final = struct.Struct("<BqIfIHBBH")
# layout, events, ids, purpose sets, which sequence numbers
_BLOCK: Final = struct.Struct("<BHHH16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The events of one block, as arrays of equal length n (1 to 128), in order of `seq`.

    Attributes:
        first_seq: first sequence number that the block covers.
        seq: int64[n].
        time: int64[n], microseconds since 1970, UTC.
        visit: int64[n].
        order: int64[n].
        kind: uint8[n], codes.
        quantity: float32[n].
        purposes: uint32[n], bits.
        context: uint8[n], codes; see `Head.context_names`.
        item: uint8[n], row in `ids`.
        ids: the distinct item ids.
        oldest: the earliest `time`; retention asks for it at every write.
    """

    first_seq: int
    seq: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    visit: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]
    quantity: npt.NDArray[np.float32]
    purposes: npt.NDArray[np.uint32]
    context: npt.NDArray[np.uint8]
    item: npt.NDArray[np.uint8]
    ids: tuple[ItemId, ...]
    oldest: int

    def __repr__(self) -> str:
        """Say the size only."""
        return f"<Columns {len(self.seq)}>"

    def __len__(self) -> int:
        return len(self.seq)

    def events(self, bit: int, contexts: Sequence[str]) -> list[Event]:
        """Return the events that are kept for a purpose, in order of `seq`.

        Args:
            bit: of the purpose.
            contexts: names by code, see `Head.context_names`.
        """
        rows = np.flatnonzero(self.purposes & np.uint32(bit))
        columns = zip(
            self.kind[rows].tolist(),
            self.item[rows].tolist(),
            self.time[rows].tolist(),
            self.visit[rows].tolist(),
            self.order[rows].tolist(),
            self.quantity[rows].tolist(),
            self.context[rows].tolist(),
            strict=True,
        )
        return [
            Event(
                kind=KINDS[kind],
                item_id=self.ids[item],
                time=from_microseconds(time),
                visit=visit,
                order=order,
                quantity=quantity,
                context=contexts[context],
            )
            for kind, item, time, visit, order, quantity, context in columns
        ]

    def keeping(self, purposes: npt.NDArray[np.uint32]) -> Columns | None:
        """Return the events with other purposes; those without one, and their ids, are gone.

        Args:
            purposes: uint32[n], bits.

        Returns:
            None when no event is left.
        """
        rows = np.flatnonzero(purposes)
        if not len(rows):
            return None
        used, item = np.unique(self.item[rows], return_inverse=True)
        return Columns(
            first_seq=self.first_seq,
            seq=self.seq[rows],
            time=self.time[rows],
            visit=self.visit[rows],
            order=self.order[rows],
            kind=self.kind[rows],
            quantity=self.quantity[rows],
            purposes=purposes[rows],
            context=self.context[rows],
            item=item.astype(np.uint8),
            ids=tuple(self.ids[row] for row in used.tolist()),
            oldest=int(self.time[rows].min()),
        )

    def records(self) -> list[Record]:
        """Return the events one by one."""
        rows = zip(
            self.seq.tolist(),
            self.time.tolist(),
            self.visit.tolist(),
            self.order.tolist(),
            self.kind.tolist(),
            self.quantity.tolist(),
            self.purposes.tolist(),
            self.context.tolist(),
            self.item.tolist(),
            strict=True,
        )
        return [
            Record(
                seq=seq,
                time=time,
                visit=visit,
                order=order,
                kind=kind,
                quantity=quantity,
                purposes=purposes,
                context=context,
                item_id=self.ids[item],
            )
            for seq, time, visit, order, kind, quantity, purposes, context, item in rows
        ]


def encode_row(record: Record) -> bytes:
    """Return a tail row, padded to a multiple of 128 bytes."""
    item_id = record.item_id.encode()
    fixed = _ROW.pack(
        LAYOUT,
        record.time,
        record.visit,
        record.quantity,
        record.purposes,
        record.order,
        record.kind,
        record.context,
        len(item_id),
    )
    return _padded(fixed + item_id, ROW_PADDING_BYTES)


def decode_row(seq: int, plain: bytes) -> Record:
    """Return the event of a tail row; the inverse of `encode_row`.

    Raises:
        HistoryDamagedError: the row is shorter than it says.
        HistoryVersionError: a layout of a later SDK.
    """
    check_layout(plain)
    try:
        _, time, visit, quantity, purposes, order, kind, context, id_bytes = _ROW.unpack_from(plain)
        (item_id,) = _texts(plain[_ROW.size :], [id_bytes])
    except (struct.error, UnicodeDecodeError, ValueError):
        raise HistoryDamagedError("a tail row does not have the layout of its format") from None
    return Record(
        seq=seq,
        time=time,
        visit=visit,
        order=order,
        kind=kind,
        quantity=quantity,
        purposes=purposes,
        context=context,
        item_id=item_id,
    )


def split_full(records: Sequence[Record]) -> tuple[list[list[Record]], list[Record]]:
    """Split a tail into the blocks that are full and the rows that stay.

    A block is full when its last sequence number is given out; erased events leave it smaller.

    Args:
        records: in order of `seq`.
    """
    full: list[list[Record]] = []
    rest = list(records)
    while rest and rest[-1].seq - rest[0].seq >= BLOCK_SPAN - 1:
        last_seq = rest[0].seq + BLOCK_SPAN - 1
        size = sum(record.seq <= last_seq for record in rest[:BLOCK_SPAN])
        full.append(rest[:size])
        rest = rest[size:]
    return full, rest


def to_columns(first_seq: int, records: Sequence[Record]) -> Columns:
    """Return records as the columns of a block.

    Only what the events use gets in: an erased item id leaves the dictionary with its last event.

    Args:
        first_seq: first sequence number that the block covers.
        records: 1 to 128, in order of `seq`, all within the 128 numbers from `first_seq`.
    """
    seq, time, visit, order, kind, quantity, purposes, context, item_ids = zip(
        *records, strict=True
    )
    ids = {item_id: row for row, item_id in enumerate(dict.fromkeys(item_ids))}
    return Columns(
        first_seq=first_seq,
        seq=np.array(seq, dtype=np.int64),
        time=np.array(time, dtype=np.int64),
        visit=np.array(visit, dtype=np.int64),
        order=np.array(order, dtype=np.int64),
        kind=np.array(kind, dtype=np.uint8),
        quantity=np.array(quantity, dtype=np.float32),
        purposes=np.array(purposes, dtype=np.uint32),
        context=np.array(context, dtype=np.uint8),
        item=np.array([ids[item_id] for item_id in item_ids], dtype=np.uint8),
        ids=tuple(ids),
        oldest=min(time),
    )


def encode_block(columns: Columns) -> bytes:
    """Return a block, padded to a multiple of 128 bytes."""
    sizes, texts = _encoded(columns.ids)
    # Python's dictionary beats numpy's sorting where there are one or two distinct values.
    purposes = columns.purposes.tolist()
    row_of = {bits: row for row, bits in enumerate(dict.fromkeys(purposes))}
    present = np.zeros(BLOCK_SPAN, dtype=np.uint8)
    present[columns.seq - columns.first_seq] = 1
    return _padded(
        b"".join(
            (
                _BLOCK.pack(
                    LAYOUT, len(columns), len(sizes), len(row_of), np.packbits(present).tobytes()
                ),
                columns.time.astype("<i8").tobytes(),
                columns.visit.astype("<u4").tobytes(),
                columns.quantity.astype("<f4").tobytes(),
                np.array(list(row_of), dtype="<u4").tobytes(),
                columns.order.astype("<u2").tobytes(),
                np.array(sizes, dtype="<u2").tobytes(),
                columns.kind.tobytes(),
                columns.context.tobytes(),
                columns.item.tobytes(),
                bytes([row_of[bits] for bits in purposes]),
                texts,
            )
        ),
        BLOCK_PADDING_BYTES,
    )


def decode_block(first_seq: int, plain: bytes) -> Columns:
    """Return the columns of a block; the inverse of `encode_block`.

    Raises:
        HistoryDamagedError: it does not have the layout of its format.
        HistoryVersionError: a layout of a later SDK.
    """
    check_layout(plain)
    try:
        return _decode_block(first_seq, plain)
    except (struct.error, UnicodeDecodeError, ValueError, IndexError):
        raise HistoryDamagedError("a block does not have the layout of its format") from None


def _decode_block(first_seq: int, plain: bytes) -> Columns:
    _, n, n_ids, n_sets, bitmap = _BLOCK.unpack_from(plain)
    cursor = _Cursor(plain, _BLOCK.size)
    time = cursor.take("<i8", n).astype(np.int64)
    visit = cursor.take("<u4", n).astype(np.int64)
    quantity = cursor.take("<f4", n).astype(np.float32)
    sets = cursor.take("<u4", n_sets).astype(np.uint32)
    order = cursor.take("<u2", n).astype(np.int64)
    id_bytes = cursor.take("<u2", n_ids).tolist()
    kind = cursor.take("u1", n).astype(np.uint8)
    context = cursor.take("u1", n).astype(np.uint8)
    item = cursor.take("u1", n).astype(np.uint8)
    purposes = sets[cursor.take("u1", n)]
    present = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8))
    seq = (first_seq + np.flatnonzero(present)).astype(np.int64)
    if not len(seq) == n > 0 or item.max() >= n_ids or kind.max() >= len(KINDS):
        raise ValueError
    return Columns(
        first_seq=first_seq,
        seq=seq,
        time=time,
        visit=visit,
        order=order,
        kind=kind,
        quantity=quantity,
        purposes=purposes,
        context=context,
        item=item,
        ids=_texts(plain[cursor.position :], id_bytes),
        oldest=int(time.min()),
    )


class _Cursor:
    """Takes columns off a block, one after the other."""

    def __init__(self, plain: bytes, position: int) -> None:
        self._plain = plain
        self.position = position

    def take(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        """Return the next `count` values; ValueError when there are fewer."""
        column = np.frombuffer(self._plain, dtype=dtype, count=count, offset=self.position)
        self.position += column.nbytes
        return column


def _encoded(ids: Sequence[ItemId]) -> tuple[list[int], bytes]:
    """Return the lengths of texts in bytes, and the texts one behind the other."""
    joined = "".join(ids)
    if joined.isascii():
        return list(map(len, ids)), joined.encode("ascii")
    texts = [item_id.encode() for item_id in ids]
    return list(map(len, texts)), b"".join(texts)


def _texts(plain: bytes, sizes: Sequence[int]) -> tuple[ItemId, ...]:
    """Return the texts at the start of `plain`, whose lengths in bytes are given."""
    ends = list(accumulate(sizes, initial=0))
    if ends[-1] > len(plain):
        raise ValueError
    content = plain[: ends[-1]]
    if content.isascii():
        # One decoding for all: half of the time that opening a long history takes goes into this.
        text = content.decode("ascii")
        texts = [text[start:end] for start, end in pairwise(ends)]
    else:
        texts = [content[start:end].decode() for start, end in pairwise(ends)]
    return cast("tuple[ItemId, ...]", tuple(texts))


def _padded(content: bytes, multiple: int) -> bytes:
    return content + bytes(-len(content) % multiple)
