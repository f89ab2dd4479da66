"""Strict JSON: one document, one meaning."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.bundle.strict import Fields, dump, format_time, parse_object, parse_time
from shelfrank.errors import BundleFormatError

plain_text = st.text(st.characters(codec="utf-8"), max_size=10)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain_text
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_text, inner)
)


@given(st.dictionaries(plain_text, values))
def test_what_was_dumped_is_parsed_back(value):
    assert parse_object(dump(value), where="x").raw == value


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_parsed_or_refused_with_the_one_error(data):
    with contextlib.suppress(BundleFormatError):
        parse_object(data, where="x")


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 2}',
        b'{"b": {"a": 1, "a": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1} {"a": 1}',
        b'{"a": 1,}',
        b"[1]",
        b"null",
        b"",
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000,
    ],
    ids=range(18),
)
def test_a_second_meaning_is_refused(text):
    with pytest.raises(BundleFormatError):
        parse_object(text, where="x")


def test_true_is_no_number_and_one_is_not_true():
    fields = Fields({"true": True, "one": 1, "real": 1.0}, where="x")

    with pytest.raises(BundleFormatError, match=r"x: `true` must be a whole number .* got true"):
        fields.integer("true", low=0)
    with pytest.raises(BundleFormatError):
        fields.integer("real", low=0)
    with pytest.raises(BundleFormatError):
        fields.number("true", low=0, high=2)
    with pytest.raises(BundleFormatError):
        fields.boolean("one")
    assert fields.number("one", low=0, high=2) == 1.0


def test_a_missing_member_is_named():
    with pytest.raises(BundleFormatError, match=r"x: `version` is missing"):
        Fields({}, where="x").integer("version", low=1)


def test_a_long_value_is_not_repeated_in_full():
    with pytest.raises(BundleFormatError) as caught:
        Fields({"a": "y" * 10_000}, where="x").text("a")

    assert len(str(caught.value)) < 200


def test_bounds_are_inside():
    fields = Fields({"n": 5}, where="x")

    assert fields.integer("n", low=5, high=5) == 5
    for low, high in ((6, 9), (0, 4)):
        with pytest.raises(BundleFormatError):
            fields.integer("n", low=low, high=high)


@given(st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_is_read_back_to_the_second(time):
    assert parse_time(format_time(time), where="x") == time.replace(microsecond=0)


def test_a_time_elsewhere_is_written_in_utc():
    amsterdam = timezone(timedelta(hours=2))

    assert format_time(datetime(2026, 7, 1, 1, tzinfo=amsterdam)) == "2026-06-30T23:00:00Z"
    with pytest.raises(ValueError, match="aware"):
        format_time(datetime(2026, 7, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21",
        "2026-11-21T09:30:00",
        "2026-11-21T09:30:00+00:00",
        "2026-11-21 09:30:00Z",
        "2026-11-21T09:30:00.5Z",
        "2026-02-30T00:00:00Z",
        "٢٠٢٦-11-21T09:30:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T09:30:00Z\n",
    ],
)
def test_another_spelling_of_a_time_is_refused(text):
    with pytest.raises(BundleFormatError):
        parse_time(text, where="x")
