"""Withdrawing: as easy as granting, at once, whatever is broken (P4)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from shelfrank import Device, Dropped, Stored
from shelfrank.errors import HistoryFullError
from shelfrank.history.store import History
from shelfrank.types import RANK_PURPOSE
from support import corner_shop
from support.corner_shop import MILK, TEA
from support.disks import fill, small_disk
from support.home import Home, grant, order_of, outcome, policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shelfrank.ranking.page import Page
    from shelfrank.ranking.session import GraphInputs, GraphOutputs

OFFERS = "sort_offers"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home whose device knows one purchase."""
    home = Home(tmp_path)
    with home.open() as device:
        grant(device)
        assert device.record("purchase", TEA) == Stored()
    return home


def kept(device: Device) -> list[str]:
    return [event.item_id for event in device._history.events(RANK_PURPOSE)]


def test_a_withdrawal_erases_and_the_ranking_is_everybodys(home: Home) -> None:
    with home.open() as device:
        done = device.consent.withdraw(RANK_PURPOSE)
        page = device.rank()
        assert (done.durable, done.erased) == (True, True)
        assert kept(device) == []
        assert device.record("purchase", TEA) == Dropped("no_consent")

    with home.open() as device:
        assert kept(device) == []
        assert outcome(device.rank()) == outcome(page) == ("generic", "no_consent", "popular")


def test_what_another_purpose_keeps_stays_for_that_purpose_alone(home: Home) -> None:
    with home.open() as device:
        grant(device, OFFERS)
        device.record("purchase", MILK)
        device.consent.withdraw(RANK_PURPOSE)

        assert kept(device) == []
        assert [event.item_id for event in device._history.events(OFFERS)] == [MILK]
        assert device.rank().mode == "generic"


@pytest.mark.parametrize("own_policy", [None, policy()])
def test_a_withdrawal_needs_no_bundle(home: Home, own_policy: bytes | None) -> None:
    with home.open(bundle=None, trust=None, policy=own_policy) as device:
        done = device.consent.withdraw(RANK_PURPOSE)
        assert (done.durable, done.erased) == (True, True)

    with home.open() as device:
        assert kept(device) == []
        assert device.rank().mode_reason == "no_consent"


def test_opening_without_a_bundle_erases_nothing_that_was_not_withdrawn(home: Home) -> None:
    with home.open(bundle=None, trust=None) as device:
        assert outcome(device.rank([MILK])) == ("generic", "no_bundle", "caller_order")

    with home.open() as device:
        assert kept(device) == [TEA]
        assert device.rank().mode == "personal"


def test_a_withdrawal_that_could_not_erase_is_made_good_at_the_next_opening(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "no space left")

    with home.open() as device:
        with monkeypatch.context() as patch:
            patch.setattr(History, "drop_purpose", fail)
            done = device.consent.withdraw(RANK_PURPOSE)
        assert (done.durable, done.erased) == (True, False)
        assert kept(device) == [TEA]
        assert device.rank().mode == "generic"

    with home.open() as device:
        assert kept(device) == []


class ReadOnly:
    """A disk that takes nothing any more; the process may be root, so permissions do not help."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(30, "read-only file system")

        patch.setattr("shelfrank.consent.inplace.FilledFile.overwrite", refuse)
        patch.setattr("shelfrank.consent.inplace.FilledFile.__enter__", refuse)
        patch.setattr("pathlib.Path.unlink", refuse)
        patch.setattr(History, "drop_purpose", refuse)


def test_on_a_read_only_disk_a_withdrawal_holds_here_and_says_that_it_is_not_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.open() as device:
        ReadOnly(monkeypatch)
        done = device.consent.withdraw(RANK_PURPOSE)

        assert (done.durable, done.erased) == (False, False)
        assert not device.consent.durable
        assert outcome(device.rank()) == ("generic", "no_consent", "popular")
        assert device.record("purchase", TEA) == Dropped("no_consent")


def test_on_a_full_disk_a_withdrawal_is_kept_and_nothing_more_is_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=512) as disk:
        home = Home(disk)
        with home.open() as device:
            grant(device)
            device.record("purchase", TEA)
            fill(disk)
            with pytest.raises(HistoryFullError):  # noqa: PT012 one of them does not fit any more
                for _ in range(500):
                    device.record("purchase", MILK)
            assert device.rank().mode == "personal"

            done = device.consent.withdraw(RANK_PURPOSE)

            assert done.durable
            assert device.rank().mode == "generic"

        (disk / "other").unlink()
        with home.open() as device:
            assert kept(device) == []
            assert device.rank().mode_reason == "no_consent"


# --- In flight ---


class Gate:
    """Stops the first run of a device's graph until it is opened."""

    def __init__(self, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
        assert device._ranker is not None
        self._run: Callable[[GraphInputs], GraphOutputs] = device._ranker._session.run
        self._reached = threading.Barrier(2, timeout=20)
        self._open = threading.Barrier(2, timeout=20)
        self._first = True
        monkeypatch.setattr(device._ranker._session, "run", self._wait)

    def _wait(self, inputs: GraphInputs) -> GraphOutputs:
        outputs = self._run(inputs)
        if self._first:
            self._first = False
            self._reached.wait()
            self._open.wait()
        return outputs

    def during(self, ranking: Callable[[], Page], act: Callable[[], object]) -> Page:
        """Run `act` while the graph has already answered, and return the page that comes out."""
        pages: list[Page] = []
        thread = threading.Thread(target=lambda: pages.append(ranking()))
        thread.start()
        self._reached.wait()
        act()
        self._open.wait()
        thread.join(timeout=20)
        return pages[0]


def withdraw(device: Device) -> None:
    device.consent.withdraw(RANK_PURPOSE)


def erase(device: Device) -> None:
    device.erase()


def erase_and_grant_again(device: Device) -> None:
    device.erase()
    grant(device)


@pytest.mark.parametrize("act", [withdraw, erase, erase_and_grant_again])
def test_a_choice_made_while_a_ranking_runs_is_obeyed(
    home: Home, monkeypatch: pytest.MonkeyPatch, act: Callable[[Device], object]
) -> None:
    with home.open() as device:
        generic = Device.open(None, bundle=home.bundle, trust=corner_shop.TRUST, clock=home.clock)
        personal = device.rank()
        gate = Gate(device, monkeypatch)

        page = gate.during(device.rank, lambda: act(device))

        assert personal.mode == "personal"
        assert outcome(page) == ("generic", "consent_changed", "popular")
        assert order_of(page) == order_of(generic.rank())
        assert all(not item.contributions() for item in page)


def test_without_a_choice_in_between_the_page_stays_personal(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.open() as device:
        gate = Gate(device, monkeypatch)
        assert gate.during(device.rank, lambda: None).mode == "personal"


def test_a_permission_that_runs_out_while_a_ranking_runs_is_over(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.open() as device:
        gate = Gate(device, monkeypatch)
        page = gate.during(device.rank, lambda: home.clock.turn(days=366))

    assert outcome(page) == ("generic", "consent_changed", "popular")


@pytest.mark.parametrize("with_offers", [False, True])
@pytest.mark.parametrize("act", [withdraw, erase])
def test_an_event_whose_consent_goes_while_it_is_written_is_not_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch, act: Callable[[Device], object], with_offers: bool
) -> None:
    with home.open() as device:
        if with_offers:
            grant(device, OFFERS)
        append = device._history.append
        acting = threading.Thread(target=lambda: act(device))

        def act_first(events):  # type: ignore[no-untyped-def] # as History.append
            acting.start()
            # Long enough for it to end, if nothing holds it back.
            acting.join(timeout=0.3)
            return append(events)

        monkeypatch.setattr(device._history, "append", act_first)
        assert device.record("purchase", MILK) == Stored()
        acting.join(timeout=20)

        assert kept(device) == []
        offers = [event.item_id for event in device._history.events(OFFERS)]
        assert offers == ([MILK] if with_offers and act is withdraw else [])
    if act is erase:
        assert home.files() == {}
