"""The journal: a chain the shopper can read, without items, that says what is missing."""

from __future__ import annotations

import errno
import json
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfrank import Device
from shelfrank.consent.engine import Consent
from shelfrank.consent.journal import (
    ENTRY_KINDS,
    JOURNAL_BYTES,
    MAX_ENTRIES,
    Chain,
    Entry,
    Journal,
    MemoryJournalStore,
    decode,
    encode,
)
from shelfrank.consent.rules import Mark, Status
from shelfrank.consent.slots import SLOT_BYTES
from shelfrank.consent.store import FileChoiceStore, FileJournalStore
from shelfrank.errors import ConsentError
from shelfrank.types import RANK_PURPOSE
from support.corner_shop import MILK, ROWS, TEA
from support.disks import fill, small_disk
from support.home import Home, grant
from support.shopper import START, AesSealer, SetClock, adult, policy

if TYPE_CHECKING:
    from pathlib import Path

RANK, OFFERS = "rank_products", "sort_offers"


def chain_of(count: int) -> Chain:
    entries = [
        Entry(time=START.replace(second=0) + timedelta(hours=n), kind="used", counts={"times": n})
        for n in range(count)
    ]
    return Chain(person="somebody").with_entries(entries, ())


def unpacked(data: bytes) -> dict[str, object]:
    length = int.from_bytes(data[:4], "big")
    content = json.loads(zlib.decompress(data[4 : 4 + length]))
    assert isinstance(content, dict)
    return content


def packed(content: object) -> bytes:
    data = zlib.compress(json.dumps(content).encode())
    return len(data).to_bytes(4, "big") + data.ljust(JOURNAL_BYTES - 4, b"\0")


@given(st.integers(0, 40))
def test_reads_back_as_written_in_one_size(count: int) -> None:
    chain = chain_of(count)

    data = encode(chain)

    assert len(data) == JOURNAL_BYTES
    assert decode(data) == chain


def test_it_is_bounded_and_says_how_many_went() -> None:
    chain = chain_of(MAX_ENTRIES + 7)

    assert [chain.entries[0].number, chain.newest.number] == [8, MAX_ENTRIES + 7]
    assert decode(encode(chain)) == chain
    assert chain.has(Mark(number=3, hash="of an entry that went"))


def remove(entries: list[dict[str, object]]) -> None:
    del entries[2]


def change(entries: list[dict[str, object]]) -> None:
    entries[2]["kind"] = "granted"


def swap(entries: list[dict[str, object]]) -> None:
    entries[1], entries[2] = entries[2], entries[1]


def cut(entries: list[dict[str, object]]) -> None:
    entries.pop()


@pytest.mark.parametrize("tamper", [remove, change, swap, cut])
def test_whoever_has_the_key_cannot_change_the_past_unnoticed(tamper) -> None:
    content = unpacked(encode(chain_of(5)))
    entries = content["entries"]
    assert isinstance(entries, list)
    decode(packed(content))
    tamper(entries)

    with pytest.raises(ConsentError, match="does not follow"):
        decode(packed(content))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_the_one_error(data: bytes) -> None:
    with pytest.raises(ConsentError):
        decode(data)


@pytest.mark.parametrize("where", ["before", "after"])
def test_what_explodes_when_unpacked_is_refused(where: str) -> None:
    good, filling = json.dumps(unpacked(encode(chain_of(2)))).encode(), b" " * 2_000_000
    data = zlib.compress(filling + good if where == "before" else good + filling)

    with pytest.raises(ConsentError, match="when unpacked"):
        decode(len(data).to_bytes(4, "big") + data)


def test_counts_become_one_entry_a_day_and_are_not_lost_when_a_write_fails() -> None:
    class Refusing(MemoryJournalStore):
        works = False

        def write(self, content: bytes) -> None:
            if not self.works:
                raise OSError(errno.ENOSPC, "no space left")
            super().write(content)

    store = Refusing()
    journal = Journal(store, "somebody")
    for hours in (0, 1, 30):
        journal.count("used", now=START + timedelta(hours=hours), purpose=RANK, what="times")

    assert not journal.write()
    store.works = True
    assert journal.write()

    counted = [(entry.time.day, dict(entry.counts)) for entry in journal.entries()]
    assert counted == [(1, {"times": 2}), (2, {"times": 1})]


# --- On a device ---


class Shopper:
    """A device with choices and journal on a disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sealer = AesSealer()
        self.clock = SetClock()
        self.consent = self.open()

    def open(self) -> Consent:
        self.consent = Consent(
            policy(),
            FileChoiceStore(self.folder / "choices", self.sealer),
            self.clock,
            lambda _purpose: None,
            circumstances=adult(),
            journal=FileJournalStore(self.folder / "journal", self.sealer),
        )
        return self.consent

    def say_yes(self, purpose: str = RANK) -> None:
        self.consent.grant(purpose, shown=self.consent.notice(purpose, language="de"))


@pytest.fixture
def shopper(tmp_path: Path) -> Shopper:
    return Shopper(tmp_path / "profile")


def kinds(consent: Consent) -> list[str]:
    return [entry.kind for entry in consent.journal()]


def test_nothing_is_written_before_the_first_choice(shopper: Shopper) -> None:
    shopper.consent.notice(RANK, language="de")
    shopper.consent.note("exported")
    shopper.consent.keep_house()
    shopper.consent.close()

    assert not shopper.folder.exists()


def test_it_tells_a_life_in_order_after_a_restart_too(shopper: Shopper) -> None:
    shopper.say_yes()
    shopper.consent.pause(RANK)
    shopper.consent.resume(RANK)
    shopper.consent.refuse(OFFERS)
    shopper.consent.withdraw(RANK)
    told = ["asked", "granted", "paused", "resumed", "refused", "withdrawn"]

    assert kinds(shopper.consent) == told
    assert kinds(shopper.open()) == told
    assert shopper.consent.journal_state == "whole"
    assert [entry.number for entry in shopper.consent.journal()] == [1, 2, 3, 4, 5, 6]


def test_a_yes_that_could_not_be_kept_is_not_in_it(shopper: Shopper, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    shopper.say_yes()
    monkeypatch.setattr(FileChoiceStore, "write", refuse)
    with pytest.raises(ConsentError):
        shopper.say_yes(OFFERS)
    monkeypatch.undo()

    assert "granted" not in [e.kind for e in shopper.consent.journal() if e.purpose == OFFERS]
    assert [receipt.purpose for receipt in shopper.consent.receipts()] == [RANK]


@pytest.mark.parametrize("language", ["de", "nl", "en"])
def test_it_can_be_read_in_three_languages(shopper: Shopper, language) -> None:
    shopper.say_yes()
    shopper.consent.count("recorded", purpose=RANK, what="purchase")
    for kind in ENTRY_KINDS:
        shopper.consent.note(kind, purpose=RANK)

    text = shopper.consent.journal_text(language)

    assert len(text.splitlines()) == len(ENTRY_KINDS) + 3
    assert text.splitlines()[0].startswith("2017-12-01 09:30  ")
    other = "nl" if language != "nl" else "de"
    assert text != shopper.consent.journal_text(other)


def test_a_language_nobody_wrote_is_a_mistake(shopper: Shopper) -> None:
    with pytest.raises(ValueError, match="'fr'"):
        shopper.consent.journal_text("fr")  # type: ignore[arg-type]


# --- Damage, loss, rollback ---


@settings(max_examples=30)
@given(st.integers(0, SLOT_BYTES - 1), st.integers(1, 255))
def test_a_flipped_byte_is_said_and_nothing_else_breaks(tmp_path_factory, at, flip) -> None:
    shopper = Shopper(tmp_path_factory.mktemp("flipped"))
    shopper.say_yes()
    path = shopper.folder / "journal"
    data = bytearray(path.read_bytes())
    for slot in (0, 1):
        data[slot * SLOT_BYTES + at] ^= flip
    path.write_bytes(data)

    consent = shopper.open()

    assert consent.journal_state == "damaged"
    assert consent.journal() == ()
    assert "Attention" in consent.journal_text("en")
    assert consent.given() == {RANK}
    assert path.read_bytes() == data
    consent.withdraw(RANK)
    assert kinds(shopper.open()) == ["journal_restarted", "withdrawn"]
    assert shopper.consent.journal_state == "whole"


def test_without_a_key_it_says_so_and_overwrites_nothing(shopper: Shopper) -> None:
    shopper.say_yes()
    before = (shopper.folder / "journal").read_bytes()
    shopper.sealer.locked = True

    consent = shopper.open()
    assert consent.journal_state == "damaged"
    consent.note("exported")
    consent.withdraw(RANK)
    consent.close()

    assert (shopper.folder / "journal").read_bytes() == before


def test_an_older_copy_put_back_or_a_removed_one_is_noticed(shopper: Shopper) -> None:
    shopper.say_yes()
    path = shopper.folder / "journal"
    older = path.read_bytes()
    shopper.consent.refuse(OFFERS)

    path.write_bytes(older)
    assert shopper.open().journal_state == "incomplete"
    assert "fehlen" in shopper.consent.journal_text("de")
    path.unlink()
    assert shopper.open().journal_state == "incomplete"
    assert shopper.consent.given() == {RANK}


def test_a_withdrawal_on_a_full_disk_is_journalled_in_its_place(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=512) as disk:
        shopper = Shopper(disk / "profile")
        shopper.say_yes()
        fill(disk)

        assert shopper.consent.withdraw(RANK).durable

        assert kinds(shopper.open()) == ["asked", "granted", "withdrawn"]
        assert shopper.consent.status(RANK) is Status.WITHDRAWN


def test_a_withdrawal_that_cannot_be_journalled_holds_and_is_journalled_later(
    shopper: Shopper, monkeypatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    shopper.say_yes()
    with monkeypatch.context() as patch:
        patch.setattr(FileJournalStore, "write", refuse)
        assert shopper.consent.withdraw(RANK).durable
        assert shopper.consent.journal_state == "behind"
        assert kinds(shopper.consent)[-1] == "withdrawn"
        assert shopper.consent.journal_text("nl").startswith("De nieuwste regels")
    other = Shopper(shopper.folder)
    assert (other.consent.given(), other.consent.journal_state) == (frozenset(), "incomplete")

    shopper.consent.keep_house()

    assert shopper.consent.journal_state == "whole"
    assert kinds(shopper.open())[-1] == "withdrawn"


def test_a_device_without_a_journal_opens_and_begins_one(home: Home) -> None:
    with home.open() as device:
        grant(device)
    (home.folder / "journal").unlink()

    with home.open() as device:
        assert device.consent.journal_state == "incomplete"
        device.record("purchase", TEA)
    with home.open() as device:
        assert [entry.kind for entry in device.consent.journal()] == ["recorded"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_nothing_in_journal_or_receipts_names_an_item(home: Home) -> None:
    with home.open() as device:
        grant(device)
        for item in (TEA, MILK):
            device.record("purchase", item)
        device.rank()
        device.consent.withdraw(RANK_PURPOSE)
        device.consent.close()
        written = json.dumps(
            [
                [(e.kind, e.purpose, e.note, dict(e.counts)) for e in device.consent.journal()],
                [receipt.as_27560() for receipt in device.consent.receipts()],
                [receipt.as_kantara() for receipt in device.consent.receipts()],
                [receipt.as_text("de") for receipt in device.consent.receipts()],
            ]
        )
        counted = {e.kind: dict(e.counts) for e in device.consent.journal() if e.counts}

    assert counted == {"recorded": {"purchase": 2}, "used": {"times": 1}}
    titles = [str(row.title) for row in ROWS] + [str(row.item_id) for row in ROWS]
    assert [name for name in titles if len(name) > 3 and name in written] == []


def test_it_goes_with_erasing(home: Home) -> None:
    with home.open() as device:
        grant(device)
        assert (home.folder / "journal").exists()
        person = device.consent.receipts()[0].person
        device.erase()
        assert device.consent.journal() == device.consent.receipts() == ()
        assert home.files() == {}
        grant(device)
        assert device.consent.receipts()[0].person != person
    Device.erase_at(home.folder, key=home.key)
    assert home.files() == {}


def test_what_retention_erased_is_in_it(home: Home) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    home.clock.turn(days=200)
    home.confirm_the_clock()
    with home.open() as device:
        purged = [dict(e.counts) for e in device.consent.journal() if e.kind == "purged"]

    assert purged == [{"events": 1}]


def test_a_grant_that_ran_out_is_noted_once(shopper: Shopper) -> None:
    shopper.say_yes()
    shopper.clock.turn(days=400)
    for _ in range(4):
        shopper.open().keep_house()

    assert kinds(shopper.consent).count("expired") == 1
    (entry,) = [e for e in shopper.consent.journal() if e.kind == "expired"]
    assert (entry.purpose, entry.method) == (RANK, "expiry")


def test_an_entry_is_changed_by_nothing_but_its_chain() -> None:
    entry = Entry(time=START, kind="asked")
    one = entry.after(Mark(number=1, hash="a"))

    assert (one.number, replace(one, number=0, hash="")) == (2, entry)
    assert one.hash != entry.after(Mark(number=1, hash="b")).hash
