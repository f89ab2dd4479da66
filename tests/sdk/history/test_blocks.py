from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.errors import HistoryDamagedError, HistoryVersionError
from shelfrank.history.blocks import (
    BLOCK_SPAN,
    decode_block,
    decode_row,
    encode_block,
    encode_row,
    split_full,
    to_columns,
)
from shelfrank.history.events import MAX_ITEM_ID_BYTES, Record
from shelfrank.types import ItemId

item_ids = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_ITEM_ID_BYTES // 4
).map(ItemId)

records = st.builds(
    Record,
    seq=st.just(0),
    time=st.integers(-(2**62), 2**62),
    visit=st.integers(0, 2**32 - 1),
    order=st.integers(0, 2**16 - 1),
    kind=st.integers(0, 4),
    quantity=st.floats(width=32, allow_nan=False, allow_infinity=False),
    purposes=st.integers(1, 2**32 - 1),
    context=st.integers(0, 16),
    item_id=item_ids,
)


@st.composite
def numbered(draw: st.DrawFn, span: int = BLOCK_SPAN) -> list[Record]:
    seqs = sorted(draw(st.sets(st.integers(0, span - 1), min_size=1, max_size=20)))
    start = draw(st.integers(0, 2**40))
    drawn = draw(st.lists(records, min_size=len(seqs), max_size=len(seqs)))
    return [record._replace(seq=start + seq) for record, seq in zip(drawn, seqs, strict=True)]


def encoded(records: list[Record]) -> bytes:
    return encode_block(to_columns(0, records))


def plain_record(seq: int, item_id: str = "sku-1") -> Record:
    return Record(
        seq=seq,
        time=seq,
        visit=0,
        order=0,
        kind=0,
        quantity=1.0,
        purposes=1,
        context=0,
        item_id=ItemId(item_id),
    )


@given(records)
def test_a_row_comes_back_as_it_was(record: Record) -> None:
    plain = encode_row(record)

    assert decode_row(0, plain) == record
    assert len(plain) % 128 == 0


@given(numbered())
def test_a_block_comes_back_as_it_was(block: list[Record]) -> None:
    first_seq = block[0].seq

    plain = encode_block(to_columns(first_seq, block))

    assert decode_block(first_seq, plain).records() == block
    assert len(plain) % 128 == 0


@given(numbered(span=1000))
def test_splitting_a_tail_keeps_every_record_and_bounds_every_span(tail: list[Record]) -> None:
    full, rest = split_full(tail)

    assert [record for group in (*full, rest) for record in group] == tail
    assert all(group[-1].seq - group[0].seq < BLOCK_SPAN for group in (*full, rest) if group)
    assert all(group for group in full)
    assert not rest or rest[-1].seq - rest[0].seq < BLOCK_SPAN - 1


def test_128_events_without_a_gap_make_one_full_block() -> None:
    tail = [plain_record(seq) for seq in range(BLOCK_SPAN)]

    assert split_full(tail) == ([tail], [])
    assert split_full(tail[:-1]) == ([], tail[:-1])


def test_rows_and_blocks_of_different_events_have_the_same_size() -> None:
    view, like = plain_record(0, "1"), plain_record(0, "0123456789" * 4)._replace(kind=3)
    short = [plain_record(seq, "12345678") for seq in range(BLOCK_SPAN)]
    varied = [plain_record(seq, "87654321")._replace(kind=seq % 5) for seq in range(BLOCK_SPAN)]

    assert len(encode_row(view)) == len(encode_row(like))
    assert len(encoded(short)) == len(encoded(varied))


def test_an_item_id_leaves_the_block_with_its_last_event() -> None:
    kept = [plain_record(0, "kept"), plain_record(2, "kept")]

    whole = encoded([kept[0], plain_record(1, "erased"), kept[1]])
    rest = encoded(kept)

    assert b"erased" in whole
    assert b"erased" not in rest


def test_a_full_block_of_long_ids_takes_at_most_48_bytes_an_event() -> None:
    block = [plain_record(seq, f"{seq:016d}")._replace(order=seq) for seq in range(BLOCK_SPAN)]

    assert len(encoded(block)) <= 42 * BLOCK_SPAN


@given(st.binary(max_size=400))
def test_bytes_that_are_no_block_or_row_are_refused_with_a_typed_error(plain: bytes) -> None:
    for read in (decode_block, decode_row):
        try:
            read(0, plain)
        except (HistoryDamagedError, HistoryVersionError) as error:
            assert "layout" in str(error)  # noqa: PT017 anything but a typed error fails


def test_an_empty_block_is_refused() -> None:
    with pytest.raises(HistoryDamagedError):
        decode_block(0, struct.pack("<BHHH16s", 1, 0, 0, 0, bytes(16)) + bytes(233))


def test_events_in_a_layout_of_the_future_are_no_damage() -> None:
    for plain in (encoded([plain_record(0)]), encode_row(plain_record(0))):
        read = decode_block if len(plain) > 128 else decode_row
        with pytest.raises(HistoryVersionError, match="layout 2"):
            read(0, b"\x02" + plain[1:])


@given(numbered(), st.data())
def test_keeping_some_events_of_a_block_is_what_a_list_would_keep(
    block: list[Record], data: st.DataObject
) -> None:
    columns = to_columns(block[0].seq, block)
    bits = data.draw(st.lists(st.integers(0, 3), min_size=len(block), max_size=len(block)))

    kept = columns.keeping(np.array(bits, dtype=np.uint32))

    expected = [r._replace(purposes=b) for r, b in zip(block, bits, strict=True) if b]
    assert (kept.records() if kept else []) == expected
    assert kept is None or set(kept.ids) == {record.item_id for record in expected}
