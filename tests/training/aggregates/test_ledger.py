"""The ledger: nothing is published that it does not hold, and nothing beyond its budget."""

from __future__ import annotations

import json
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
    whole_lines,
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


def test_every_changed_byte_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(1), after(2))
    data = path.read_bytes()
    last_line = data[:-1].rfind(b"\n") + 1
    whole = Ledger.parse(data)

    for place in range(last_line):
        changed = bytearray(data)
        changed[place] ^= 4
        with pytest.raises(PrivacyError):
            Ledger.parse(bytes(changed))
    assert len(whole.releases) == 3


def test_a_missing_line_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE, after(1), after(2))
    lines = path.read_bytes().splitlines(keepends=True)

    with pytest.raises(PrivacyError, match="ledger line 2 is damaged or changed"):
        Ledger.parse(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(PrivacyError, match="ledger line 3"):
        Ledger.parse(b"".join([*lines[:2], lines[3], lines[2]]))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "line 1"),
        (b"{}\n", "line 1"),
        (b"[]\n", "line 1"),
        (b'{"format":7,"epsilon_limit":4}\n', "has format 7; this version reads 0"),
        (b'{"format":0,"epsilon_limit":0}\n', "line 1"),
        (b'{"format":0,"epsilon_limit":Infinity}\n', "line 1"),
        (new_ledger(4.0) + b"\n", "line 2"),
        (new_ledger(4.0) + b"null\n", "line 2"),
    ],
)
def test_what_is_no_ledger_is_refused(head: bytes, message: str) -> None:
    with pytest.raises(PrivacyError, match=message):
        Ledger.parse(head)


@pytest.mark.parametrize("cost", ["rho", "key_delta", "conversion_delta"])
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_a_cost_that_is_none_is_refused(cost: str, value: float) -> None:
    ledger = Ledger.parse(new_ledger(4.0))
    line = json.loads(ledger.line(ONE)) | {cost: value}

    with pytest.raises(PrivacyError, match="line 2"):
        Ledger.parse(new_ledger(4.0) + json.dumps(line).encode() + b"\n")


def test_a_line_that_was_never_finished_is_forgotten_since_nothing_was_published(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE)
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(Ledger.parse(whole).line(after(1))[:-20])

    enter(path, after(2))

    assert whole_lines(path.read_bytes()) == path.read_bytes()
    assert [r.time for r in Ledger.parse(path.read_bytes()).releases] == [NOW, after(2).time]


def test_a_ledger_whose_head_was_never_finished_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(new_ledger(4.0)[:-3])

    enter(path, ONE)

    assert len(Ledger.parse(path.read_bytes()).releases) == 1


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX")
def test_two_runs_cannot_spend_the_same_budget(tmp_path: Path) -> None:
    path = tmp_path / "ledger"

    with (
        open_ledger(path, epsilon_limit=2),
        pytest.raises(PrivacyError, match="in use by another run"),
        open_ledger(path, epsilon_limit=2),
    ):
        pass


def test_the_ledger_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    enter(path, ONE)

    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("limit", [0.0, -1.0, math.inf, math.nan])
def test_a_budget_that_is_none_makes_no_ledger(tmp_path: Path, limit: float) -> None:
    with pytest.raises(PrivacyError, match="the yearly epsilon is"):
        enter(tmp_path / "ledger", ONE, limit=limit)

    assert not (tmp_path / "ledger").exists()
