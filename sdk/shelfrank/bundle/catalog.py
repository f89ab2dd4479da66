"""The catalog a bundle carries: columns, deflated (bundle-format.md, section 7).

Texts of 100,000 items as Python objects would cost 30 MB on a kiosk. So titles and brands stay one
UTF-8 blob, and a text is decoded when it is asked for; ids alone are looked up on every call, so
they get a dictionary. The file holds lengths, which deflate to almost nothing where offsets, which
never repeat, take more than a byte a text.
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from shelfrank.errors import BundleFormatError, BundleVersionError
from shelfrank.types import ItemId, ItemIdx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CATALOG_FORMATS: Final = (0,)
MAGIC: Final = b"shelfcat"
HEADER: Final = struct.Struct("<8sIIQ")
"""Magic, format, number of items, size of the inflated body."""
COLUMN: Final = struct.Struct("<16sQ")
"""Before each column: its name, padded with zero bytes, and its size in bytes."""

MAX_CATALOG_ITEMS: Final = 2**24
# Deflate grows at most 1,032-fold, so without a bound 64 MiB could ask for 64 GiB.
MAX_BODY_BYTES: Final = 256 * 1024 * 1024
MAX_TEXT_BYTES: Final = 1024
"""Longest id, title, category or brand."""

ITEM_ID: Final = "item_id"
TITLE: Final = "title"
BRAND: Final = "brand"
PRICE: Final = "price"
CATEGORIES: Final = "categories"
CATEGORY_OF_ITEM: Final = "category_of_item"

LENGTH: Final = np.dtype("<u2")
"""Of a text, in bytes; wide enough for `MAX_TEXT_BYTES`."""

_COUNT: Final = np.dtype("<u4")


class TextColumn:
    """`n` texts in one blob; the empty text means "absent".

    Args:
        data: ``n`` little-endian uint16 lengths in bytes, then the UTF-8 blob they cut.
        n: number of texts.
        name: for messages.

    Raises:
        BundleFormatError: lengths that are not those of the blob, a cut inside a character, no
            UTF-8, or a text that is too long.
    """

    __slots__ = ("_blob", "_offsets")

    def __init__(self, data: bytes, *, n: int, name: str) -> None:
        head = n * LENGTH.itemsize
        if len(data) < head:
            raise BundleFormatError(f"catalog column {name} is shorter than its lengths")
        lengths = np.frombuffer(data, dtype=LENGTH, count=n).astype(np.int64)
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])
        self._blob = data[head:]
        if self._offsets[-1] != len(self._blob):
            raise BundleFormatError(f"catalog column {name} has lengths that do not fit its texts")
        if n and int(lengths.max()) > MAX_TEXT_BYTES:
            raise BundleFormatError(
                f"catalog column {name} has a text of {int(lengths.max()):,} bytes, "
                f"at most {MAX_TEXT_BYTES:,} are read"
            )
        self._check_utf8(name)

    def __getitem__(self, row: int) -> str:
        start, end = self._offsets[row], self._offsets[row + 1]
        return self._blob[start:end].decode("utf-8")

    def to_list(self) -> list[str]:
        """Return all texts."""
        edges = self._offsets.tolist()
        blob = self._blob
        return [blob[start:end].decode("utf-8") for start, end in pairwise(edges)]

    def _check_utf8(self, name: str) -> None:
        # A valid blob cut at character starts only has valid pieces, so nothing can fail later,
        # when a text is asked for.
        try:
            self._blob.decode("utf-8")
        except UnicodeDecodeError:
            raise BundleFormatError(f"catalog column {name} is not UTF-8") from None
        cuts = self._offsets[self._offsets < len(self._blob)]
        first = np.frombuffer(self._blob, dtype=np.uint8)[cuts]
        if ((first & 0xC0) == 0x80).any():  # RFC 3629: continuation bytes are 10xxxxxx.
            raise BundleFormatError(f"catalog column {name} is cut inside a character")


class Catalog:
    """The items of one bundle; the row of an item is its `ItemIdx`, ascending by `ItemId`.

    Made by `parse` alone.
    """

    __slots__ = (
        "_brand",
        "_category_idx",
        "_price",
        "_rows",
        "_title",
        "categories",
        "category_of_item",
        "item_ids",
    )

    item_ids: list[ItemId]
    categories: tuple[str, ...]
    category_of_item: npt.NDArray[np.int64]

    @classmethod
    def parse(cls, data: bytes) -> Catalog:
        """Read ``catalog.bin``.

        Raises:
            BundleFormatError: malformed, or over a limit.
            BundleVersionError: another format of catalogs.
        """
        n_items, columns = _columns(data)
        catalog = cls()
        ids = TextColumn(_column(columns, ITEM_ID), n=n_items, name=ITEM_ID).to_list()
        _check_ascending(ids, ITEM_ID)
        catalog.item_ids = [ItemId(text) for text in ids]
        catalog._rows = {item_id: ItemIdx(row) for row, item_id in enumerate(catalog.item_ids)}
        catalog.categories = _categories(columns)
        catalog._category_idx = {text: row for row, text in enumerate(catalog.categories)}
        catalog.category_of_item = _category_of_item(
            columns, n_items=n_items, n_categories=len(catalog.categories)
        )
        catalog._title = TextColumn(_column(columns, TITLE), n=n_items, name=TITLE)
        catalog._brand = TextColumn(_column(columns, BRAND), n=n_items, name=BRAND)
        catalog._price = _prices(columns, n_items=n_items)
        return catalog

    def __repr__(self) -> str:
        return f"<Catalog {self.n_items} items>"

    @property
    def n_items(self) -> int:
        """Number of rows, at least 1."""
        return len(self.item_ids)

    def index_of(self, item_id: ItemId) -> ItemIdx | None:
        """Return an item's row, or None if this bundle does not know it."""
        return self._rows.get(item_id)

    def rows_of(self, item_ids: Iterable[ItemId], *, missing: int) -> npt.NDArray[np.int64]:
        """Return the rows of many items at once: int64, in their order.

        Args:
            item_ids: any.
            missing: stands for an item that this bundle does not know.
        """
        find = self._rows.get
        return np.array([find(item_id, missing) for item_id in item_ids], dtype=np.int64)

    def id_of(self, item_idx: ItemIdx) -> ItemId:
        """Return the id of the item in a row."""
        return self.item_ids[item_idx]

    def title(self, item_idx: ItemIdx) -> str | None:
        """Return the title, or None where the catalog has none."""
        return self._title[item_idx] or None

    def brand(self, item_idx: ItemIdx) -> str | None:
        """Return the brand, or None where the catalog has none."""
        return self._brand[item_idx] or None

    def price(self, item_idx: ItemIdx) -> float | None:
        """Return the price in the shop's currency, or None where the catalog has none."""
        price = float(self._price[item_idx])
        return None if np.isnan(price) else price

    def category(self, item_idx: ItemIdx) -> str | None:
        """Return the category path, or None where the catalog has none."""
        category_idx = int(self.category_of_item[item_idx])
        return None if category_idx < 0 else self.categories[category_idx]

    def category_idx_of(self, category: str) -> int | None:
        """Return the row of a category path in `categories`, or None if no item has it."""
        return self._category_idx.get(category)

    _rows: dict[ItemId, ItemIdx]
    _category_idx: dict[str, int]
    _title: TextColumn
    _brand: TextColumn
    _price: npt.NDArray[np.float64]


def _columns(data: bytes) -> tuple[int, dict[str, bytes]]:
    n_items, body = _inflate(data)
    columns: dict[str, bytes] = {}
    offset = 0
    while offset < len(body):
        if offset + COLUMN.size > len(body):
            raise BundleFormatError("catalog ends inside a column's header")
        padded, size = COLUMN.unpack_from(body, offset)
        name = padded.rstrip(b"\0").decode("latin-1")
        start = offset + COLUMN.size
        if size > len(body) - start:
            raise BundleFormatError("catalog ends inside a column")
        if name in columns:
            raise BundleFormatError(f"catalog has the column {name!r} twice")
        columns[name] = body[start : start + size]
        offset = start + size
    return n_items, columns


def _inflate(data: bytes) -> tuple[int, bytes]:
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise BundleFormatError("catalog does not start like one")
    _, found, n_items, size = HEADER.unpack_from(data)
    if found not in CATALOG_FORMATS:
        raise BundleVersionError(
            f"catalog has format {found}, this SDK reads {', '.join(map(str, CATALOG_FORMATS))}",
            offered=found,
            supported=CATALOG_FORMATS,
        )
    if not 1 <= n_items <= MAX_CATALOG_ITEMS or size > MAX_BODY_BYTES:
        raise BundleFormatError(
            f"catalog states {n_items:,} items and {size:,} bytes, "
            f"1..{MAX_CATALOG_ITEMS:,} and at most {MAX_BODY_BYTES:,} are read"
        )
    inflater = zlib.decompressobj()
    try:
        # One byte more than stated, so that a body that is too long shows without being inflated
        # whole.
        body = inflater.decompress(memoryview(data)[HEADER.size :], size + 1)
    except zlib.error:
        raise BundleFormatError("catalog is damaged: it does not inflate") from None
    if len(body) != size or not inflater.eof or inflater.unused_data:
        raise BundleFormatError(f"catalog does not inflate to the {size:,} bytes it states")
    return n_items, body


def _column(columns: Mapping[str, bytes], name: str) -> bytes:
    if name not in columns:
        raise BundleFormatError(f"catalog has no column {name}")
    return columns[name]


def _categories(columns: Mapping[str, bytes]) -> tuple[str, ...]:
    data = _column(columns, CATEGORIES)
    # The column's own first number is how many there are: it is the one text column that is not one
    # row for each item.
    if len(data) < _COUNT.itemsize:
        raise BundleFormatError(f"catalog column {CATEGORIES} is too short")
    n = int(np.frombuffer(data, dtype=_COUNT, count=1)[0])
    texts = TextColumn(data[_COUNT.itemsize :], n=n, name=CATEGORIES).to_list()
    _check_ascending(texts, CATEGORIES)
    return tuple(texts)


def _category_of_item(
    columns: Mapping[str, bytes], *, n_items: int, n_categories: int
) -> npt.NDArray[np.int64]:
    rows = _numbers(columns, CATEGORY_OF_ITEM, np.dtype("<i4"), n_items=n_items).astype(np.int64)
    if int(rows.min()) < -1 or int(rows.max()) >= n_categories:
        raise BundleFormatError(
            f"catalog column {CATEGORY_OF_ITEM} must hold -1..{n_categories - 1}, "
            f"got {int(rows.min())}..{int(rows.max())}"
        )
    rows.setflags(write=False)
    return rows


def _prices(columns: Mapping[str, bytes], *, n_items: int) -> npt.NDArray[np.float64]:
    prices = _numbers(columns, PRICE, np.dtype("<f8"), n_items=n_items).astype(np.float64)
    if np.isinf(prices).any() or (prices < 0).any():
        raise BundleFormatError(f"catalog column {PRICE} must hold finite prices of at least 0")
    return prices


def _numbers(
    columns: Mapping[str, bytes], name: str, dtype: np.dtype[np.generic], *, n_items: int
) -> npt.NDArray[np.generic]:
    data = _column(columns, name)
    if len(data) != n_items * dtype.itemsize:
        raise BundleFormatError(
            f"catalog column {name} has {len(data):,} bytes, "
            f"{n_items:,} items need {n_items * dtype.itemsize:,}"
        )
    return np.frombuffer(data, dtype=dtype)


def _check_ascending(texts: list[str], name: str) -> None:
    if texts and not texts[0]:
        raise BundleFormatError(f"catalog column {name} has an empty text")
    for first, second in pairwise(texts):
        if first >= second:
            raise BundleFormatError(f"catalog column {name} must ascend by code point, none twice")
