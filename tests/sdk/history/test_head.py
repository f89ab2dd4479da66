from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfrank.errors import HistoryDamagedError, HistoryVersionError
from shelfrank.history.head import MAX_CONTEXTS, MAX_PURPOSES, Head, KeySlot
from shelfrank.history.visits import VisitMark

times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers = st.integers(0, 2**63 - 1)
digests = st.binary(min_size=32, max_size=32)

heads = st.builds(
    Head,
    generation=numbers,
    version=numbers,
    next_seq=numbers,
    live=numbers,
    lost=numbers,
    blocks=st.integers(0, 2**32 - 1),
    tail=st.integers(0, 128),
    chain=digests,
    tail_digest=digests,
    mark=st.none()
    | st.builds(
        VisitMark,
        visit=st.integers(0, 2**32 - 1),
        order=st.integers(0, 2**16 - 1),
        last_at=st.none() | times,
    ),
    newest_time=st.none() | times,
    purposes=st.lists(st.text("abcü_", max_size=20), max_size=MAX_PURPOSES).map(tuple),
    contexts=st.lists(st.text("abcü_", max_size=20), max_size=MAX_CONTEXTS).map(tuple),
)

SLOT = KeySlot(
    store_id=b"s" * 16,
    provider="host",
    wrapped_root=b"w" * 66,
    check=b"c" * 32,
    wrapped_device_key=b"d" * 66,
)


@given(heads)
def test_a_head_comes_back_as_it_was(head: Head) -> None:
    plain = head.to_bytes()

    assert Head.parse(plain) == head
    assert len(plain) % 256 == 0


@given(st.binary(max_size=600))
def test_bytes_that_are_no_head_are_refused_with_a_typed_error(plain: bytes) -> None:
    try:
        Head.parse(plain)
    except (HistoryDamagedError, HistoryVersionError) as error:
        assert "layout" in str(error)  # noqa: PT017 anything but a typed error fails


def test_a_purpose_keeps_its_bit_and_a_free_bit_is_used_again() -> None:
    head = Head().with_purposes(["b", "a"])
    assert (head.bits_of(["a"]), head.bits_of(["b"]), head.bits_of(["a", "b"])) == (1, 2, 3)

    freed = Head(purposes=("", "b")).with_purposes(["c"])

    assert freed.purposes == ("c", "b")
    assert freed.names_of(3) == {"b", "c"}


def test_an_unknown_purpose_has_no_events() -> None:
    assert Head(purposes=("a", "")).bits_of(["z", ""]) == 0


def test_a_history_keeps_32_purposes_and_not_one_more() -> None:
    head = Head().with_purposes([f"p{number}" for number in range(MAX_PURPOSES)])
    assert head.bits_of(head.purposes) == 2**32 - 1

    with pytest.raises(ValueError, match="33 purposes"):
        head.with_purposes(["one more"])


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_purpose_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        Head().with_purposes([name])


def test_a_key_slot_comes_back_as_it_was() -> None:
    assert KeySlot.parse(SLOT.to_bytes()) == SLOT


def test_every_flipped_bit_of_a_key_slot_is_damage_and_not_a_wrong_key() -> None:
    data = SLOT.to_bytes()

    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(HistoryDamagedError):
            KeySlot.parse(bytes(flipped))


def test_every_shorter_key_slot_is_refused() -> None:
    data = SLOT.to_bytes()

    for size in range(len(data)):
        with pytest.raises(HistoryDamagedError):
            KeySlot.parse(data[:size])


def test_a_key_slot_of_another_format_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shelfrank.history.head.FORMAT", 9)
    data = SLOT.to_bytes()
    monkeypatch.undo()

    with pytest.raises(HistoryVersionError, match="format 9"):
        KeySlot.parse(data)
