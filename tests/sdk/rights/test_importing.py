"""Bringing a history along: data, never permission; everything is checked first; all or nothing."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from shelfrank import Dropped
from shelfrank.bundle.archive import read_members
from shelfrank.errors import (
    ExportDamagedError,
    HistoryError,
    HistoryFullError,
    KeyUnavailableError,
    ShelfrankError,
    WrongKeyError,
)
from shelfrank.history.store import History
from shelfrank.history.stretching import Stretching
from shelfrank.rights import sealing
from shelfrank.rights.exported import CONTAINER
from shelfrank.rights.own import Imported
from shelfrank.types import KINDS, RANK_PURPOSE
from support import corner_shop
from support.corner_shop import BAG, BREAD, GIN, MILK, TEA
from support.exports import export_of, past_event, relisted
from support.histories import START
from support.home import Home, bundle, grant, policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shelfrank import Device
    from shelfrank.history.events import PastEvent

OFFERS = "sort_offers"
WORDS = "correct horse"


@pytest.fixture
def old(tmp_path: Path) -> Home:
    """Return a home whose device has two visits, and has exported them plain and sealed."""
    (tmp_path / "old").mkdir()
    home = Home(tmp_path / "old")
    with home.open() as device:
        grant(device)
        grant(device, OFFERS)
        device.record("view", TEA)
        home.clock.turn(hours=1)
        device.record("view", MILK)
        home.clock.turn(minutes=1)
        device.record("purchase", MILK, quantity=2)
        device.history.export(tmp_path / "mine.zip")
        device.history.export(tmp_path / "sealed", passphrase=WORDS)
    return home


@pytest.fixture
def new(tmp_path: Path) -> Home:
    (tmp_path / "new").mkdir()
    home = Home(tmp_path / "new")
    home.clock.turn(days=2)
    return home


def listed(device: Device) -> list[tuple[object, ...]]:
    return [
        (e.kind, e.item_id, e.time, e.visit, e.quantity, e.purposes)
        for e in device.history.events()
    ]


def file_with(path: Path, events: Sequence[PastEvent]) -> Path:
    path.write_bytes(export_of(events))
    return path


# --- Permission ---


@pytest.mark.usefixtures("old")
def test_without_a_grant_nothing_is_stored_nor_written(new: Home, tmp_path: Path) -> None:
    with new.open() as device:
        done = device.history.import_(tmp_path / "mine.zip")

        assert done == Imported(stored=0, already_here=0, dropped={"no_consent": 3})
        assert device.consent.given() == frozenset()
        assert listed(device) == []
    assert not new.folder.exists()


def test_without_a_grant_no_item_is_even_looked_at(new: Home, tmp_path: Path) -> None:
    path = file_with(tmp_path / "theirs.zip", [past_event(item) for item in (GIN, "unknown", TEA)])
    with new.open() as device:
        assert device.history.import_(path).dropped == {"no_consent": 3}


@pytest.mark.usefixtures("old")
def test_a_purpose_of_the_file_that_is_not_given_here_is_not_brought_along(
    new: Home, tmp_path: Path
) -> None:
    with new.open() as device:
        grant(device, OFFERS)

        done = device.history.import_(tmp_path / "mine.zip")

        # The offers keep purchases only; the ranking was given there, and is not given here.
        assert done == Imported(stored=1, already_here=0, dropped={"kind": 2})
        assert [row[-1] for row in listed(device)] == [{OFFERS}]
        assert device.consent.given() == {OFFERS}
        assert device.rank().mode_reason == "no_consent"


@pytest.mark.usefixtures("old")
def test_after_a_withdrawal_the_file_brings_nothing_back(new: Home, tmp_path: Path) -> None:
    with new.open() as device:
        grant(device)
        device.history.import_(tmp_path / "mine.zip")
        device.consent.withdraw(RANK_PURPOSE)

        done = device.history.import_(tmp_path / "mine.zip")

        assert done.dropped == {"no_consent": 3}
        assert listed(device) == []


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bundle": None, "trust": None}, "no_policy"),
        ({"bundle": None, "trust": None, "policy": bundle}, "no_bundle"),
    ],
    ids=["no policy", "no bundle"],
)
def test_without_bundle_or_policy_nothing_can_be_filtered_so_nothing_is_stored(
    new: Home, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    with new.open() as device:
        grant(device)
    if "policy" in changes:
        changes = {**changes, "policy": read_members(bundle())["policy.toml"]}
    with new.open(**changes) as device:
        assert device.history.import_(tmp_path / "mine.zip").dropped == {reason: 3}


# --- The rules of the door ---


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (past_event(GIN), "sensitive"),
        (past_event(BAG), "unmapped"),
        (past_event("sku-nobody-knows"), "unmapped"),
        (past_event(TEA, hours=-24 * 181), "too_old"),
    ],
    ids=["sensitive", "no category", "unknown item", "too old"],
)
def test_what_would_not_be_recorded_is_not_imported_for_the_same_reason(
    new: Home, tmp_path: Path, event: PastEvent, reason: str
) -> None:
    path = file_with(tmp_path / "theirs.zip", [event, past_event(MILK, hours=1)])
    with new.open() as device:
        grant(device)
        recorded = device.record(event.kind, event.item_id, time=event.stored_time)

        done = device.history.import_(path)

        assert recorded == Dropped(reason)  # type: ignore[arg-type]
        assert done == Imported(stored=1, already_here=0, dropped={reason: 1})  # type: ignore[dict-item]
        assert [row[1] for row in listed(device)] == [MILK]


def test_times_and_quantities_become_as_coarse_as_the_policy_here_says(
    new: Home, tmp_path: Path
) -> None:
    fields = [{"name": name, "origin": "observed"} for name in ("item", "kind", "time", "visit")]
    path = file_with(tmp_path / "theirs.zip", [past_event(TEA, hours=1.5, quantity=3)])
    new.bundle = bundle_with(granularity="day", field=fields)
    with new.open() as device:
        grant(device)
        assert device.history.import_(path).stored == 1

        (event,) = device.history.events()
        assert (event.time, event.quantity) == (START.replace(hour=0), 1)
        assert event.day_only
        # Once more: it is recognised in the form in which it is kept here.
        assert device.history.import_(path).already_here == 1


def bundle_with(**purpose: object) -> bytes:
    return corner_shop.bundle_bytes(policy=policy(**purpose))  # type: ignore[arg-type]


def test_an_event_in_the_future_and_none_is_imported(new: Home, tmp_path: Path) -> None:
    ahead = past_event(TEA, hours=24 * 3)
    path = file_with(tmp_path / "theirs.zip", [past_event(MILK), ahead])
    with new.open() as device:
        grant(device)
        with pytest.raises(ExportDamagedError, match="in the future"):
            device.history.import_(path)

        assert listed(device) == []


# --- There and back ---


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(("name", "passphrase"), [("mine.zip", None), ("sealed", WORDS)])
def test_another_device_has_what_this_one_had(
    old: Home, new: Home, tmp_path: Path, name: str, passphrase: str | None
) -> None:
    with old.open() as device:
        before = listed(device)
    with new.open() as device:
        grant(device)
        grant(device, OFFERS)
        done = device.history.import_(tmp_path / name, passphrase=passphrase)

        assert done == Imported(stored=3, already_here=0, dropped={})
        assert listed(device) == before
        assert device.rank().mode == "personal"
        device.record("view", TEA)
        assert [row[3] for row in listed(device)] == [0, 1, 1, 2]
    with new.open() as device:
        assert listed(device)[:3] == before


@pytest.mark.usefixtures("old")
def test_the_same_file_twice_stores_nothing_twice(new: Home, tmp_path: Path) -> None:
    with new.open() as device:
        grant(device)
        device.history.import_(tmp_path / "mine.zip")
        before = listed(device)

        done = device.history.import_(tmp_path / "sealed", passphrase=WORDS)

        assert done == Imported(stored=0, already_here=3, dropped={})
        assert listed(device) == before


def test_what_was_erased_here_comes_back_only_if_it_is_imported(old: Home, tmp_path: Path) -> None:
    with old.open() as device:
        device.history.erase_item(MILK)
        assert [row[1] for row in listed(device)] == [TEA]

        assert device.history.import_(tmp_path / "mine.zip").stored == 2
        assert [row[1] for row in listed(device)] == [TEA, MILK, MILK]


@pytest.mark.usefixtures("old")
def test_a_history_that_has_begun_gets_the_older_visits_before_its_own(
    new: Home, tmp_path: Path
) -> None:
    with new.open() as device:
        grant(device)
        device.record("like", BREAD)
        device.history.import_(tmp_path / "mine.zip")

        assert [(row[1], row[3]) for row in listed(device)] == [
            (TEA, 0),
            (MILK, 1),
            (MILK, 1),
            (BREAD, 2),
        ]
        new.clock.turn(minutes=5)
        device.record("view", BREAD)
        assert listed(device)[-1][3] == 2
        assert device.rank().rung == "visit"


def test_every_kind_comes_along(new: Home, tmp_path: Path) -> None:
    path = file_with(
        tmp_path / "theirs.zip",
        [past_event(TEA, kind=kind, order=at) for at, kind in enumerate(KINDS)],
    )
    with new.open() as device:
        grant(device)
        device.history.import_(path)

        assert [row[0] for row in listed(device)] == list(KINDS)


# --- All or nothing ---


def cheap_sealed(data: bytes) -> bytes:
    return sealing.seal_export(data, WORDS, Stretching(function=1, time=1, memory_kib=8, lanes=1))


def test_every_cut_and_every_flipped_byte_imports_nothing(new: Home, tmp_path: Path) -> None:
    plain = export_of([past_event(TEA), past_event(MILK, hours=1)])
    path = tmp_path / "damaged"
    with new.open() as device:
        grant(device)
        for data, words in ((plain, None), (cheap_sealed(plain), WORDS)):
            # A prime step, so that every part of both is hit; test_reading and test_sealing go
            # through every byte.
            for at in range(0, len(data), 37):
                for wrong in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
                    path.write_bytes(wrong)
                    with pytest.raises(ShelfrankError):
                        device.history.import_(path, passphrase=words)

        assert listed(device) == []
        path.write_bytes(data)
        assert device.history.import_(path, passphrase=WORDS).stored == 2


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    ("name", "passphrase", "error"),
    [
        ("sealed", "wrong horse", WrongKeyError),
        ("sealed", None, KeyUnavailableError),
        ("mine.zip", WORDS, ExportDamagedError),
        ("nothing.zip", None, HistoryError),
        (".", None, ExportDamagedError),
    ],
)
def test_each_trouble_has_an_error_of_its_own(
    new: Home, tmp_path: Path, name: str, passphrase: str | None, error: type[Exception]
) -> None:
    with new.open() as device:
        grant(device)
        with pytest.raises(HistoryError) as caught:
            device.history.import_(tmp_path / name, passphrase=passphrase)

        assert type(caught.value) is error
        assert listed(device) == []


@pytest.mark.usefixtures("old")
def test_a_full_disk_stores_none_of_them(
    new: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new.open() as device:
        grant(device)
        device.record("view", BREAD)

        def full(*_: object) -> None:
            raise HistoryFullError("no space")

        with monkeypatch.context() as patch:
            patch.setattr("shelfrank.history.session.write_head", full)
            with pytest.raises(HistoryFullError):
                device.history.import_(tmp_path / "mine.zip")

        assert [row[1] for row in listed(device)] == [BREAD]


@pytest.mark.usefixtures("old")
def test_everything_is_checked_before_anything_is_written(
    new: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (tmp_path / "mine.zip").read_bytes()
    members = read_members(data, CONTAINER)
    wrong = members["history.jsonld"].replace(b'"visit": 1', b'"visit": -1')
    (tmp_path / "mine.zip").write_bytes(relisted({**members, "history.jsonld": wrong}))
    merged: list[object] = []
    monkeypatch.setattr(History, "merge", lambda _, events: merged.append(events))
    with new.open() as device:
        grant(device)
        with pytest.raises(ExportDamagedError, match="event 2 of the export"):
            device.history.import_(tmp_path / "mine.zip")

    assert merged == []


@pytest.mark.usefixtures("old")
def test_a_withdrawal_during_an_import_waits_and_then_erases_it(
    new: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = History.merge
    with new.open() as device:
        grant(device)
        withdrawing = threading.Thread(target=lambda: device.consent.withdraw(RANK_PURPOSE))

        def slow(history: History, events: Sequence[PastEvent]) -> int:
            withdrawing.start()
            withdrawing.join(0.05)
            return merge(history, events)

        monkeypatch.setattr(History, "merge", slow)
        device.history.import_(tmp_path / "mine.zip")
        withdrawing.join(10)

        assert listed(device) == []


# --- Nothing leaks ---


def leaks(error: BaseException, words: Sequence[str]) -> list[str]:
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(
        [*told.format_exception_only()]
        + [repr(frame.locals) for frame in told.stack if "/shelfrank/" in frame.filename]
    )
    return [word for word in words if word in text]


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("passphrase", ["canary words", None])
def test_no_error_of_an_import_quotes_an_event_or_a_passphrase(
    new: Home, tmp_path: Path, passphrase: str | None
) -> None:
    data = (tmp_path / "sealed" if passphrase else tmp_path / "mine.zip").read_bytes()
    (tmp_path / "wrong").write_bytes(data if passphrase else data.replace(b'"Dairy"', b'"DAIRY"'))
    with new.open() as device:
        grant(device)
        with pytest.raises(ShelfrankError) as caught:
            device.history.import_(tmp_path / "wrong", passphrase=passphrase)

    assert leaks(caught.value, [TEA, "Canary tea", "canary words"]) == []


@pytest.mark.usefixtures("old")
def test_at_debug_level_nothing_of_the_shopper_is_logged_printed_or_represented(
    new: Home,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with new.open() as device:
        grant(device)
        told = [device.history.import_(tmp_path / "sealed", passphrase=WORDS)]
        told += [device.history, *device.history.events()]  # type: ignore[list-item]
        told.append(device.history.export(tmp_path / "again", passphrase=WORDS))  # type: ignore[arg-type]
        device.history.erase_item(MILK)

    printed = capfd.readouterr()
    text = caplog.text + printed.out + printed.err + repr(told)
    assert [word for word in (TEA, "Canary tea", WORDS) if word in text] == []
    assert (printed.out, printed.err) == ("", "")


def test_a_long_history_comes_along(new: Home, tmp_path: Path) -> None:
    events = [
        past_event(TEA if at % 2 else MILK, hours=-at / 60, visit=2000 - at // 3, order=at % 3)
        for at in range(6000)
    ]
    path = file_with(tmp_path / "theirs.zip", events)
    with new.open() as device:
        grant(device)
        device.record("view", BREAD)

        assert device.history.import_(path).stored == 6000
        assert device.history.import_(path).already_here == 6000
        assert len(listed(device)) == 6001
        assert device.history.events()[-1].item_id == BREAD
