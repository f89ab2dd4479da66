"""Choices and journals written by earlier versions are read for ever, bit by bit as they were.

Run this file to write the vectors of a new format: ``python test_vectors.py``. One that was
released is never written again. They hold the content as it is sealed, without the filling: how it
is sealed is the history's, with vectors of its own.
"""

from __future__ import annotations

import json
import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shelfrank.consent import journal, record
from shelfrank.consent.journal import Chain, Entry
from shelfrank.consent.purposes import Controller
from shelfrank.consent.receipts import Asked, Receipt
from shelfrank.consent.rules import Choice, Mark, Record, Status, Terms
from shelfrank.consent.slots import SLOT_BYTES
from shelfrank.consent.store import FileChoiceStore
from support.shopper import AesSealer

VECTORS = Path(__file__).parents[2] / "vectors"
CHOICES, JOURNAL = VECTORS / "choices/v1/every-field.json", VECTORS / "journal/v1/every-field.json"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)

RECORD = Record(
    generation=7,
    clock=NOON,
    choices={
        "rank_products": Choice(
            answer=Status.RENEWED,
            at=NOON - timedelta(days=1),
            until=NOON + timedelta(days=300),
            language="nl",
            notice="0f" * 32,
            policy="corner-shop 3",
            terms=Terms(
                use="0123456789ab",
                controllers=("0a0a0a0a0a0a",),
                kinds=("view", "purchase"),
                fields=("item:observed", "item:observed:required"),
                surfaces=("products",),
                granularity="day",
                retention_days=180,
                excluded=("0b0b0b0b0b0b", "0c0c0c0c0c0c"),
                contexts=("kiosk", "shop"),
                max_events=500,
            ),
            method="voice",
            receipt="00000000-0000-4000-8000-000000000001",
            guardian="receipt 4711",
            told_of_gpc=True,
            paused=True,
            ended="gpc",
        ),
        "sort_offers": Choice(answer=Status.WITHDRAWN, at=NOON, method="gpc"),
        "greeting": Choice(answer=Status.REFUSED, at=NOON, method="staff_assisted"),
    },
    seen=NOON + timedelta(days=90),
    doubt=NOON + timedelta(days=80),
    policies={"corner-shop": 3},
    gpc="overridden",
    journal=Mark(number=12, hash="0d" * 32),
)

CHAIN = Chain(person="00000000-0000-4000-8000-000000000000").with_entries(
    [
        Entry(time=NOON, kind="asked", purpose="rank_products", note="nl"),
        Entry(
            time=NOON,
            kind="granted",
            purpose="rank_products",
            method="tap",
            receipt="00000000-0000-4000-8000-000000000001",
        ),
        Entry(
            time=NOON, kind="recorded", purpose="rank_products", counts={"view": 2, "purchase": 1}
        ),
    ],
    [
        Receipt(
            id="00000000-0000-4000-8000-000000000001",
            person="00000000-0000-4000-8000-000000000000",
            event="granted",
            status=Status.GIVEN,
            purpose="rank_products",
            time=NOON,
            until=NOON + timedelta(days=300),
            language="nl",
            notice="0f" * 32,
            text="Titel\nWas gezeigt wurde – ganz.",
            guardian="receipt 4711",
            told_of_gpc=True,
            asked=Asked(
                area="sales",
                use_case="product ranking",
                surfaces=("products",),
                contexts=("shop",),
                kinds=("view", "purchase"),
                fields=("item:observed", "quantity:declared"),
                granularity="day",
                retention_days=180,
                controllers=(Controller(name="Corner Shop", contact="privacy@shop.example"),),
                policy="corner-shop 3",
                presets=("eu_gdpr",),
                terms=("dpv:ProvideProductRecommendations",),
                data=("pd:Purchase",),
            ),
        )
    ],
)


def packed(content: bytes) -> bytes:
    data = zlib.compress(content)
    return len(data).to_bytes(4, "big") + data


def unpacked(data: bytes) -> bytes:
    return zlib.decompress(data[4 : 4 + int.from_bytes(data[:4], "big")])


def test_a_record_of_choices_of_format_1_is_read_and_written_as_it_was() -> None:
    data = CHOICES.read_bytes()

    assert record.decode(data) == RECORD
    assert record.encode(RECORD).rstrip() == data
    assert len(record.encode(RECORD)) == record.RECORD_BYTES


def test_a_journal_of_format_1_is_read_and_written_as_it_was() -> None:
    data = JOURNAL.read_bytes()

    assert journal.decode(packed(data)) == CHAIN
    assert unpacked(journal.encode(CHAIN)) == data


@pytest.mark.parametrize("path", [CHOICES, JOURNAL], ids=["choices", "journal"])
def test_there_are_vectors_of_every_format_written(path: Path) -> None:
    assert json.loads(path.read_bytes())["format"] == 1
    assert (record.FORMAT, journal.FORMAT) == (1, 1)


def test_a_slot_of_format_1_is_laid_out_as_the_page_says(tmp_path: Path) -> None:
    sealer, content = AesSealer(), record.encode(RECORD)
    slots = []
    for number in (0, 1):
        context = b"shelfrank consent slot" + struct.pack(">4sHB", b"SFRC", 1, number)
        sealed = sealer.seal(struct.pack(">Q", 9) + content, context)
        slot = struct.pack(">4sHI", b"SFRC", 1, len(sealed)) + sealed
        slots.append(slot.ljust(SLOT_BYTES, b"\0"))
    path = tmp_path / "choices"
    path.write_bytes(b"".join(slots))

    assert FileChoiceStore(path, sealer).read() == content


def write_vectors() -> None:
    """Write what there is not yet."""
    for path, data in (
        (CHOICES, record.encode(RECORD).rstrip()),
        (JOURNAL, unpacked(journal.encode(CHAIN))),
    ):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    write_vectors()
