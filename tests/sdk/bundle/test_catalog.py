"""The catalog: columns in, the same columns out, and nothing but typed errors otherwise."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle import catalog as form
from shelfrank.bundle.catalog import Catalog
from shelfrank.errors import BundleError, BundleFormatError, BundleVersionError
from shelfrank.types import ItemId, ItemIdx
from shelfrank_training.errors import PublishError
from shelfrank_training.publish.catalog import CatalogRow, write_catalog
from support.tiny_model import ROWS

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
rows = st.builds(
    CatalogRow,
    item_id=texts,
    title=st.none() | texts,
    category=st.none() | texts,
    brand=st.none() | texts,
    price=st.none() | st.floats(0, 1e9),
)
tables = st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row.item_id)


@given(tables)
def test_every_row_is_read_back(table):
    catalog = Catalog.parse(write_catalog(table))

    assert catalog.n_items == len(table)
    for row in table:
        idx = catalog.index_of(ItemId(row.item_id))
        assert idx is not None
        assert catalog.id_of(idx) == row.item_id
        found = (catalog.title(idx), catalog.category(idx), catalog.brand(idx), catalog.price(idx))
        assert found == (row.title, row.category, row.brand, row.price)


@given(tables)
def test_rows_and_categories_ascend_by_code_point_whatever_the_order_given(table):
    catalog = Catalog.parse(write_catalog(table))

    assert catalog.item_ids == sorted(row.item_id for row in table)
    assert list(catalog.categories) == sorted({row.category for row in table if row.category})
    assert write_catalog(reversed(table)) == write_catalog(table)


def test_a_category_is_found_by_its_path_and_its_row_stands_at_the_items():
    catalog = Catalog.parse(write_catalog(ROWS))

    assert catalog.category_idx_of("dairy/milk") == 1
    assert catalog.category_idx_of("dairy") is None
    assert catalog.category_of_item.dtype == np.int64
    assert catalog.category_of_item.tolist() == [0, 1, 1]


def test_an_item_without_category_has_none_and_its_row_says_minus_one():
    catalog = Catalog.parse(write_catalog([CatalogRow(item_id="a")]))

    assert catalog.category(ItemIdx(0)) is None
    assert catalog.category_of_item.tolist() == [-1]
    assert catalog.categories == ()


def test_an_id_is_text_and_never_a_number():
    catalog = Catalog.parse(write_catalog(ROWS))

    assert catalog.index_of(ItemId("00042")) == 0
    assert catalog.index_of(ItemId("42")) is None


@given(st.data())
def test_a_changed_byte_gives_a_catalog_or_a_typed_error(data):
    written = bytearray(write_catalog(ROWS))
    position = data.draw(st.integers(0, len(written) - 1))
    written[position] ^= data.draw(st.integers(1, 255))

    _read_everything_or_refuse(bytes(written))


@given(st.data())
def test_a_changed_byte_under_the_compression_gives_a_catalog_or_a_typed_error(data):
    body = bytearray(_body(write_catalog(ROWS)))
    position = data.draw(st.integers(0, len(body) - 1))
    body[position] ^= data.draw(st.integers(1, 255))

    _read_everything_or_refuse(_pack(bytes(body)))


def test_an_unknown_column_is_passed_over():
    extra = form.COLUMN.pack(b"colour", 3) + b"red"

    catalog = Catalog.parse(_pack(_body(write_catalog(ROWS)) + extra))

    assert catalog.n_items == 3


def test_a_catalog_that_inflates_to_more_than_it_says_is_stopped_early():
    bomb = form.HEADER.pack(form.MAGIC, 0, 3, 1000) + zlib.compress(bytes(50_000_000))

    tracemalloc.start()
    with pytest.raises(BundleFormatError, match="does not inflate to the 1,000 bytes"):
        Catalog.parse(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000


def test_a_catalog_that_states_more_than_the_limit_is_refused_by_its_header():
    with pytest.raises(BundleFormatError, match="are read"):
        Catalog.parse(form.HEADER.pack(form.MAGIC, 0, 3, form.MAX_BODY_BYTES + 1))


def test_another_format_of_catalogs_is_named():
    written = bytearray(write_catalog(ROWS))
    struct.pack_into("<I", written, 8, 7)

    with pytest.raises(BundleVersionError) as caught:
        Catalog.parse(bytes(written))

    assert (caught.value.offered, caught.value.supported) == (7, (0,))


@pytest.mark.parametrize(
    ("column", "data", "complaint"),
    [
        ("item_id", struct.pack("<3H", 1, 1, 1) + b"cba", "must ascend"),
        ("item_id", struct.pack("<3H", 1, 1, 1) + b"aab", "must ascend"),
        ("item_id", struct.pack("<3H", 0, 1, 1) + b"ab", "empty text"),
        ("title", struct.pack("<3H", 1, 1, 1) + b"ab", "lengths that do not fit"),
        ("title", struct.pack("<3H", 1, 1, 0) + b"abc", "lengths that do not fit"),
        ("title", struct.pack("<3H", 1, 1, 65_535) + b"abc", "lengths that do not fit"),
        ("title", struct.pack("<3H", 1, 1, 1) + b"a\xffc", "not UTF-8"),
        ("title", struct.pack("<3H", 1, 1, 0) + "ä".encode(), "inside a character"),
        ("title", struct.pack("<3H", 0, 0, 1025) + bytes(1025), "1,025 bytes"),
        ("title", b"\0\0", "shorter than its lengths"),
        ("price", struct.pack("<3d", 1, 2, -0.5), "at least 0"),
        ("price", struct.pack("<3d", 1, 2, float("inf")), "finite"),
        ("price", struct.pack("<2d", 1, 2), "3 items need 24"),
        ("category_of_item", struct.pack("<3i", 0, 1, 2), "must hold -1..1"),
        ("category_of_item", struct.pack("<3i", 0, 1, -2), "must hold -1..1"),
        ("categories", b"\1", "too short"),
        ("categories", struct.pack("<I", 2**32 - 1), "shorter than its lengths"),
    ],
)
def test_a_column_that_lies_is_refused(column, data, complaint):
    columns = _columns(_body(write_catalog(ROWS)))
    columns[column] = data

    with pytest.raises(BundleFormatError, match=complaint):
        Catalog.parse(_pack(_join(columns)))


@pytest.mark.parametrize("column", ["item_id", "title", "brand", "price", "categories"])
def test_a_missing_column_is_named(column):
    columns = _columns(_body(write_catalog(ROWS)))
    del columns[column]

    with pytest.raises(BundleFormatError, match=f"no column {column}"):
        Catalog.parse(_pack(_join(columns)))


def test_a_column_that_ends_behind_the_catalog_is_refused_known_or_not():
    torn = _body(write_catalog(ROWS)) + form.COLUMN.pack(b"colour", 4) + b"red"

    with pytest.raises(BundleFormatError, match="ends inside a column"):
        Catalog.parse(_pack(torn))
    with pytest.raises(BundleFormatError, match="ends inside a column's header"):
        Catalog.parse(_pack(torn[:-5]))


@pytest.mark.parametrize(
    "change",
    [lambda data: data + b"x", lambda data: data[:-1], lambda data: data[:-4] + bytes(4)],
    ids=["more", "less", "checksum"],
)
def test_a_catalog_with_more_or_less_than_its_body_is_refused(change):
    with pytest.raises(BundleFormatError, match="inflate"):
        Catalog.parse(change(write_catalog(ROWS)))


def test_a_column_given_twice_is_refused():
    body = _body(write_catalog(ROWS))
    again = form.COLUMN.pack(b"price", 24) + bytes(24)

    with pytest.raises(BundleFormatError, match="twice"):
        Catalog.parse(_pack(body + again))


@pytest.mark.parametrize(
    "table",
    [
        [],
        [CatalogRow(item_id="")],
        [CatalogRow(item_id="a"), CatalogRow(item_id="a")],
        [CatalogRow(item_id="a", price=-1.0)],
        [CatalogRow(item_id="a", price=float("nan"))],
        [CatalogRow(item_id="a", price=float("inf"))],
        [CatalogRow(item_id="a" * 1025)],
        [CatalogRow(item_id="a", title="\ud800")],
    ],
    ids=range(8),
)
def test_a_table_that_no_device_would_read_is_not_written(table):
    with pytest.raises(PublishError):
        write_catalog(table)


def _read_everything_or_refuse(data: bytes) -> None:
    try:
        catalog = Catalog.parse(data)
    except BundleError:
        return
    for row in range(catalog.n_items):
        idx = ItemIdx(row)
        catalog.title(idx), catalog.category(idx), catalog.brand(idx), catalog.price(idx)


def _body(data: bytes) -> bytes:
    return zlib.decompress(data[form.HEADER.size :])


def _pack(body: bytes, n_items: int = 3) -> bytes:
    return form.HEADER.pack(form.MAGIC, 0, n_items, len(body)) + zlib.compress(body)


def _columns(body: bytes) -> dict[str, bytes]:
    columns = {}
    while body:
        name, size = form.COLUMN.unpack_from(body)
        columns[name.rstrip(b"\0").decode()] = body[form.COLUMN.size : form.COLUMN.size + size]
        body = body[form.COLUMN.size + size :]
    return columns


def _join(columns: dict[str, bytes]) -> bytes:
    return b"".join(form.COLUMN.pack(n.encode(), len(d)) + d for n, d in columns.items())
