"""What can still be read of a damaged history, and a clean one made from it (section 17).

Rows are read one by one, so that a page which SQLite refuses costs only what lies on it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shelfrank.errors import HistoryRolledBackError
from shelfrank.history.contents import Rows, append_block, insert_tail
from shelfrank.history.database import is_corrupt
from shelfrank.history.head import EMPTY_DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shelfrank.history.contents import Contents, SeqRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What `History.recover` saved.

    Attributes:
        kept: events in the new history.
        lost: events that could not be read, those lost before included.
        damaged: ranges of sequence numbers in which they stood.
        anchored: whether the anchor confirmed that nothing newer is missing.
    """

    kept: int
    lost: int
    damaged: tuple[SeqRange, ...]
    anchored: bool


def surviving_rows(connection: sqlite3.Connection, next_seq: int) -> Rows:
    """Return every row that SQLite can still read, in order of their numbers.

    Args:
        connection: inside a transaction.
        next_seq: the head's; no row has this number or a higher one.
    """
    blocks = _surviving(connection, "block", "first_seq, wrapped_key, sealed", next_seq)
    tail = _surviving(connection, "tail", "seq, sealed", next_seq)
    return Rows(
        blocks=((seq, wrapped, sealed) for seq, (wrapped, sealed) in blocks),
        tail=((seq, sealed) for seq, (sealed,) in tail),
    )


def write_recovered(
    connection: sqlite3.Connection, empty: Contents, salvaged: Contents
) -> Contents:
    """Write what was salvaged into a new history.

    Sequence numbers, visits and purposes stay; blocks and rows are sealed anew.

    Args:
        connection: inside a writing transaction.
        empty: the new history.
        salvaged: what could be read of the old one.

    Raises:
        HistoryRolledBackError: the new history is not empty: another process uses it.
    """
    if empty.head.next_seq:
        raise HistoryRolledBackError("the new history is in use already, wanted an empty folder")
    chain = EMPTY_DIGEST
    for block in salvaged.blocks:
        chain = append_block(connection, empty.keyset, block, chain)
    digest = insert_tail(connection, empty.keyset, salvaged.tail)
    head = replace(
        salvaged.head,
        generation=empty.head.generation,
        version=empty.head.version,
        live=salvaged.readable,
        lost=salvaged.lost,
        blocks=len(salvaged.blocks),
        tail=len(salvaged.tail),
        chain=chain,
        tail_digest=digest,
    )
    return replace(empty, head=head, tail=salvaged.tail, blocks=salvaged.blocks)


def _surviving(
    connection: sqlite3.Connection, table: str, columns: str, next_seq: int
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield number and values of each row.

    A row is looked for from its number on. Where a page of the tree is gone, that fails for all the
    numbers on it, so the next number is tried, until a page answers again: 100,000 numbers take a
    second. LIMIT keeps SQLite from looking at the row behind, which may be the bad one.
    """
    number = columns.partition(",")[0]
    lookup = f"SELECT {number} FROM {table} WHERE {number} >= ? ORDER BY {number} LIMIT 1"  # noqa: S608 - our names
    values = f"SELECT {columns} FROM {table} WHERE {number} = ?"  # noqa: S608 - our names
    position = 0
    while position < next_seq:
        found = _fetch(connection, lookup, position)
        if found is None:
            position += 1
            continue
        if not found:
            return
        (seq,) = found
        row = _fetch(connection, values, seq)
        if row:
            yield seq, row[1:]
        position = seq + 1


def _fetch(connection: sqlite3.Connection, query: str, seq: int) -> tuple[int, ...] | None:
    """Return a row, () when there is none, or None where SQLite refuses a page."""
    try:
        row: tuple[int, ...] | None = connection.execute(query, (seq,)).fetchone()
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            raise
        return None
    return row or ()
