"""The ledger: nothing is published that it does not hold, and nothing beyond its budget."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shelfrank_training.aggregates import noise
from shelfrank_training.aggregates.ledger import (
    DAYS,
    Ledger,
    Release,
    new_ledger,
)
from shelfrank_training.aggregates.ledger_file import open_ledger
from shelfrank_training.errors import PrivacyError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DELTA = 5e-7
ONE = Release(
    time=NOW,
    rho=noise.rho_for(1.0, DELTA),
    conversion_delta=DELTA,
    key_delta=DELTA,
    digest="ab" * 32,
)
"""A release of epsilon 1."""


def after(days: float) -> Release:
    return replace(ONE, time=NOW + timedelta(days=days))


def enter(path: Path, *releases: Release, limit: float = 2.0) -> None:
    for release in releases:
        with open_ledger(path, epsilon_limit=limit) as ledger:
            ledger.enter(release)


def test_releases_of_a_year_are_added_up_as_zcdp(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(30), after(60), limit=3.0)

    with open_ledger(path, epsilon_limit=99) as ledger:
        note = ledger.note(after(90))

    # Four releases of epsilon 1 cost about 2, not 4: rho adds up, and epsilon goes with its root.
    together = noise.epsilon_of(4 * ONE.rho, DELTA)
    assert 1.9 < together < 2.2
    assert note.releases == 4
    assert together <= note.epsilon_spent < together + 1e-3
    assert (note.epsilon_limit, note.days) == (3.0, DAYS)


def test_a_release_that_overspends_is_refused_and_the_ledger_stays_as_it_was(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(1), limit=1.5)
    before = path.read_bytes()

    with pytest.raises(PrivacyError, match=r"to epsilon 1\.\d+, the ledger permits 1\.5"):
        enter(path, after(2), limit=1.5)

    assert path.read_bytes() == before
    enter(path, after(1 + DAYS), limit=1.5)


def test_what_is_older_than_a_year_counts_no_more(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, limit=1.2)

    with open_ledger(path, epsilon_limit=1.2) as ledger:
        with pytest.raises(PrivacyError, match="the ledger permits"):
            ledger.note(after(DAYS - 0.1))
        assert ledger.note(after(DAYS)).releases == 1


def test_an_existing_ledger_keeps_its_own_budget(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, limit=1.2)

    with pytest.raises(PrivacyError, match=r"permits 1\.2"):
        enter(path, after(1), limit=50)


def test_a_clock_set_back_frees_no_budget(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, after(10))

    with pytest.raises(PrivacyError, match="a clock set back"):
        enter(path, after(9))


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(1), after(2))
    data = path.read_bytes()

    for place in range(len(data)):
        for bit in (1, 4):
            changed = bytearray(data)
            changed[place] ^= bit
            with pytest.raises(PrivacyError):
                Ledger.parse(bytes(changed))
    assert len(Ledger.parse(data).releases) == 3


def test_a_ledger_cut_off_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(1))
    data = path.read_bytes()

    for length in range(len(data)):
        with pytest.raises(PrivacyError, match="damaged, changed or cut off"):
            Ledger.parse(data[:length])


def test_a_missing_line_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(1), after(2))
    lines = path.read_bytes().splitlines(keepends=True)

    for kept in ([0, 2, 3], [0, 1, 2], [0, 1, 3, 2], [1, 2, 3], [0]):
        with pytest.raises(PrivacyError, match="what was spent is not known"):
            Ledger.parse(b"".join(lines[place] for place in kept))


EMPTY = new_ledger(4.0).to_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (b"{}\n", "damaged"),
        (b"[]\n", "damaged"),
        (b"\xff\n", "damaged"),
        (b'{"format":7,"epsilon_limit":4}\n', "has format 7; this version reads 0"),
        (EMPTY.replace(b"4.0", b"0.0"), "damaged"),
        (EMPTY.replace(b"4.0", b"Infinity"), "damaged"),
        (EMPTY + b"\n", "damaged"),
        (EMPTY + b"null\n", "damaged"),
    ],
)
def test_what_is_no_ledger_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(PrivacyError, match=message):
        Ledger.parse(data)


@pytest.mark.parametrize("cost", ["rho", "key_delta", "conversion_delta"])
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_a_cost_that_is_none_is_refused(cost: str, value: float) -> None:
    wrong = new_ledger(4.0).with_release(replace(ONE, **{cost: value}))

    with pytest.raises(PrivacyError, match="what was spent is not known"):
        Ledger.parse(wrong.to_bytes())


def test_a_run_that_is_killed_while_it_enters_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE)
    before = path.read_bytes()

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        enter(path, after(1))

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_refused_release_makes_no_new_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger"

    with pytest.raises(PrivacyError, match="nothing is spent yet"):
        enter(path, ONE, limit=0.5)

    assert not path.exists()


def test_an_empty_file_is_no_new_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.touch()

    with pytest.raises(PrivacyError, match="what was spent is not known"):
        enter(path, ONE)


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX")
def test_two_runs_cannot_spend_the_same_budget(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE)

    with (
        open_ledger(path, epsilon_limit=2),
        pytest.raises(PrivacyError, match="in use by another run"),
        open_ledger(path, epsilon_limit=2),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX")
def test_two_runs_cannot_both_make_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger"

    with open_ledger(path, epsilon_limit=2) as late:
        enter(path, ONE)
        with pytest.raises(PrivacyError, match="in use by another run"):
            late.enter(after(1))

    assert len(Ledger.parse(path.read_bytes()).releases) == 1


def test_the_ledger_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE)

    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("limit", [0.0, -1.0, math.inf, math.nan])
def test_a_budget_that_is_none_makes_no_ledger(tmp_path: Path, limit: float) -> None:
    with pytest.raises(PrivacyError, match="the yearly epsilon is"):
        enter(tmp_path / "ledger", ONE, limit=limit)

    assert not (tmp_path / "ledger").exists()
