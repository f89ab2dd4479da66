"""Erasing and rotating in one transaction (history-format.md, section 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shelfrank.history.blocks import Columns, split_full, to_columns
from shelfrank.history.contents import (
    Contents,
    insert_tail,
    row_place,
    seal_block,
)
from shelfrank.history.envelope import open_sealed, seal
from shelfrank.history.frame import write_keys
from shelfrank.history.head import EMPTY_DIGEST, Head, extend_digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from shelfrank.history.events import Record
    from shelfrank.history.keyset import Keyset
    from shelfrank.history.visits import VisitMark

Edit = Callable[[Columns], npt.NDArray[np.uint32]]
"""Takes n events, returns for each the bits of the purposes it keeps (uint32[n]); 0 erases."""


def changes_anything(contents: Contents, edit: Edit) -> bool:
    """Say whether an edit would change an event. Only reads."""
    groups = [*_tail_columns(contents.tail), *contents.blocks]
    return any(not np.array_equal(edit(group), group.purposes) for group in groups)


def rewrite(
    connection: sqlite3.Connection, contents: Contents, keyset: Keyset, edit: Edit
) -> Contents:
    """Write everything that an edit keeps under a new root.

    What cannot be read is left behind: after the rotation nothing could read it either, and it may
    hold what is to be erased. The head counts it as lost.

    Args:
        connection: inside a writing transaction.
        contents: the state that the transaction sees.
        keyset: the keys to write under; its root is new.
        edit: what to keep.
    """
    tail = [record for group in _tail_columns(contents.tail) for record in _edited(group, edit)]
    blocks, chain = _rewrite_blocks(connection, contents, keyset, edit)
    connection.execute("DELETE FROM tail")
    digest = insert_tail(connection, keyset, tail)
    write_keys(connection, keyset)
    live = len(tail) + sum(len(block) for block in blocks)
    head = replace(
        contents.head,
        generation=contents.head.generation + 1,
        live=live,
        lost=contents.lost,
        blocks=len(blocks),
        tail=len(tail),
        chain=chain,
        tail_digest=digest,
        mark=_mark_after(contents, tail, blocks),
        purposes=_purposes_after(contents.head, tail, blocks),
        contexts=_contexts_after(contents.head, tail, blocks),
    )
    return Contents(keyset=keyset, head=head, tail=tuple(tail), blocks=tuple(blocks))


def _rewrite_blocks(
    connection: sqlite3.Connection, contents: Contents, keyset: Keyset, edit: Edit
) -> tuple[list[Columns], bytes]:
    old = {block.first_seq: block for block in contents.blocks}
    kept: list[Columns] = []
    chain = EMPTY_DIGEST
    rows = connection.execute("SELECT first_seq, wrapped_key FROM block ORDER BY first_seq")
    for first_seq, wrapped_key in rows.fetchall():
        block = old.get(first_seq)
        if block is not None and np.array_equal(edit(block), block.purposes):
            kept.append(block)
            sealed = _rewrap(connection, contents.keyset, keyset, (first_seq, wrapped_key))
        elif block is not None and (keep := block.keeping(edit(block))) is not None:
            kept.append(keep)
            sealed = _replace_block(connection, keyset, keep)
        else:
            connection.execute("DELETE FROM block WHERE first_seq = ?", (first_seq,))
            continue
        chain = extend_digest(keyset.root, chain, first_seq, sealed)
    return kept, chain


def _rewrap(
    connection: sqlite3.Connection, old: Keyset, new: Keyset, row: tuple[int, bytes]
) -> bytes:
    first_seq, wrapped_key = row
    place = row_place(new, "block-key", first_seq)
    wrapped = seal(new.root.kek, open_sealed(old.root.kek, wrapped_key, place), place)
    connection.execute("UPDATE block SET wrapped_key = ? WHERE first_seq = ?", (wrapped, first_seq))
    sealed: bytes = connection.execute(
        "SELECT sealed FROM block WHERE first_seq = ?", (first_seq,)
    ).fetchone()[0]
    return sealed


def _replace_block(connection: sqlite3.Connection, keyset: Keyset, columns: Columns) -> bytes:
    wrapped, sealed = seal_block(keyset, columns)
    connection.execute(
        "UPDATE block SET wrapped_key = ?, sealed = ? WHERE first_seq = ?",
        (wrapped, sealed, columns.first_seq),
    )
    return sealed


def _edited(columns: Columns, edit: Edit) -> list[Record]:
    pairs = zip(columns.records(), edit(columns).tolist(), strict=True)
    return [record._replace(purposes=bits) for record, bits in pairs if bits]


def _tail_columns(tail: Sequence[Record]) -> list[Columns]:
    full, rest = split_full(tail)
    groups = [*full, rest] if rest else full
    return [to_columns(group[0].seq, group) for group in groups]


def _mark_after(
    contents: Contents, tail: Sequence[Record], blocks: Sequence[Columns]
) -> VisitMark | None:
    # The exact time of the last event is about that event: it goes when the event goes.
    mark = contents.head.mark
    if mark is None or not (tail or blocks):
        return None
    before = _in_visit(mark.visit, contents.tail, contents.blocks)
    if _in_visit(mark.visit, tail, blocks) < before:
        return mark._replace(last_at=None)
    return mark


def _in_visit(visit: int, tail: Sequence[Record], blocks: Sequence[Columns]) -> int:
    in_blocks = sum(int(np.count_nonzero(block.visit == visit)) for block in blocks)
    return in_blocks + sum(record.visit == visit for record in tail)


def _purposes_after(
    head: Head, tail: Sequence[Record], blocks: Sequence[Columns]
) -> tuple[str, ...]:
    # The name of a purpose without events says that there were some: it goes too.
    used = 0
    for record in tail:
        used |= record.purposes
    for block in blocks:
        used |= _all_bits(block.purposes)
    return _trimmed([name if used & (1 << bit) else "" for bit, name in enumerate(head.purposes)])


def _contexts_after(
    head: Head, tail: Sequence[Record], blocks: Sequence[Columns]
) -> tuple[str, ...]:
    used = {record.context for record in tail}
    for block in blocks:
        used.update(np.unique(block.context).tolist())
    return _trimmed([name if code in used else "" for code, name in enumerate(head.contexts, 1)])


def _trimmed(names: list[str]) -> tuple[str, ...]:
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _all_bits(purposes: npt.NDArray[np.uint32]) -> int:
    return int(np.bitwise_or.reduce(purposes))
