"""Write ``catalog.bin``, which `shelfrank.bundle.catalog` reads (bundle-format.md, section 7)."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shelfrank.bundle import catalog as form
from shelfrank_training.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The catalog is written once and sent often.
_DEFLATE_LEVEL: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """One item as the shop's catalog has it; None where it has nothing.

    Attributes:
        item_id: the shop's key, not empty.
        title: for people.
        category: path with ``/``.
        brand: for rules.
        price: in the shop's currency, at least 0.
    """

    item_id: str
    title: str | None = None
    category: str | None = None
    brand: str | None = None
    price: float | None = None


def write_catalog(rows: Iterable[CatalogRow]) -> bytes:
    """Return the bytes of ``catalog.bin``; the order of `rows` does not matter.

    The same rows give the same bytes (with the same zlib).

    Raises:
        PublishError: no row, an id twice or empty, a text that is too long, or an impossible price.
    """
    ordered = sorted(rows, key=lambda row: row.item_id)
    _check(ordered)
    categories = sorted({row.category for row in ordered if row.category})
    category_idx = {category: idx for idx, category in enumerate(categories)}
    of_item = [category_idx[row.category] if row.category else -1 for row in ordered]
    prices = [math.nan if row.price is None else row.price for row in ordered]
    body = b"".join(
        (
            _column(form.ITEM_ID, _texts([row.item_id for row in ordered])),
            _column(form.CATEGORIES, _counted(_texts(categories), len(categories))),
            _column(form.CATEGORY_OF_ITEM, np.array(of_item, dtype="<i4").tobytes()),
            _column(form.TITLE, _texts([row.title or "" for row in ordered])),
            _column(form.BRAND, _texts([row.brand or "" for row in ordered])),
            _column(form.PRICE, np.array(prices, dtype="<f8").tobytes()),
        )
    )
    header = form.HEADER.pack(form.MAGIC, form.CATALOG_FORMATS[-1], len(ordered), len(body))
    return header + zlib.compress(body, _DEFLATE_LEVEL)


def _check(rows: Sequence[CatalogRow]) -> None:
    if not 1 <= len(rows) <= form.MAX_CATALOG_ITEMS:
        raise PublishError(
            f"catalog has {len(rows):,} items, 1..{form.MAX_CATALOG_ITEMS:,} are possible"
        )
    before = ""
    for row in rows:
        if row.item_id <= before:  # Sorted, so only an empty or a repeated id can be.
            raise PublishError(f"catalog has the item_id {row.item_id[:80]!r} twice or empty")
        before = row.item_id
        if row.price is not None and not 0 <= row.price < math.inf:
            raise PublishError(f"price of item {row.item_id[:80]!r} is {row.price}, not 0 or more")


def _texts(texts: Sequence[str]) -> bytes:
    try:
        encoded = [text.encode("utf-8") for text in texts]
    except UnicodeEncodeError:
        raise PublishError("catalog has a text that cannot be written as UTF-8") from None
    longest = max((len(text) for text in encoded), default=0)
    if longest > form.MAX_TEXT_BYTES:
        raise PublishError(
            f"catalog has a text of {longest:,} bytes, at most {form.MAX_TEXT_BYTES:,} are possible"
        )
    lengths = np.array([len(text) for text in encoded], dtype=np.int64)
    if lengths.sum() > form.MAX_BODY_BYTES:
        raise PublishError(
            f"catalog column has {int(lengths.sum()):,} bytes, "
            f"at most {form.MAX_BODY_BYTES:,} are possible"
        )
    return lengths.astype(form.LENGTH).tobytes() + b"".join(encoded)


def _counted(texts: bytes, n: int) -> bytes:
    return np.array([n], dtype="<u4").tobytes() + texts


def _column(name: str, data: bytes) -> bytes:
    return form.COLUMN.pack(name.encode("ascii"), len(data)) + data
