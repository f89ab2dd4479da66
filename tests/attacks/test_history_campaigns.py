"""The campaigns against the history in their short form, each beside the same without its guard.

A campaign that finds nothing is worth something only if it finds the fault in a history from which
the guard is taken (`support.faults.guards`). What each does, and the long form, is at the top of
the module it names in ``tests/benchmarks/history``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).parent.parent
CAMPAIGNS = TESTS / "benchmarks" / "history"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a campaign's command and returns its report."""

    def run(name: str, *arguments: object) -> dict[str, Any]:
        target = tmp_path / "report.json"
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [
                sys.executable,
                CAMPAIGNS / f"{name}.py",
                *map(str, arguments),
                "--json",
                target,
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert target.exists(), done.stderr
        report: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        assert done.returncode == (1 if report["faults"] else 0), done.stderr
        return report

    return run


@pytest.fixture
def strace(tmp_path: Path) -> None:
    """Skip where system calls cannot be traced."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    probe = [found, "-o", str(tmp_path / "probe"), "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode != 0:  # noqa: S603
        pytest.skip("this machine does not permit ptrace")


def assert_nothing_found(report: dict[str, Any]) -> None:
    assert report["faults"] == 0, report["examples"]


# Kills.


def test_kills_at_random_moments_lose_nothing_and_undo_no_erasure(
    run: Callable[..., dict[str, Any]],
) -> None:
    report = run("kills", "--count", 60)

    assert_nothing_found(report)
    assert report["figures"]["kills"] == 60
    assert report["figures"]["steps acknowledged"] > 60


def test_kills_are_noticed_when_the_old_key_goes_before_the_commit(
    run: Callable[..., dict[str, Any]],
) -> None:
    assert run("kills", "--count", 60, "--without", "retire-after-commit")["faults"] > 0


# Power cuts.


@pytest.mark.usefixtures("strace")
def test_power_cuts_lose_nothing_and_raise_no_false_alarm(
    run: Callable[..., dict[str, Any]],
) -> None:
    report = run("power_loss", "--count", 700)

    assert_nothing_found(report)
    assert report["figures"]["states"] == 700


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    ("guard", "part"),
    [
        ("syncs", "create and append"),
        ("anchor-after-commit", "create and append"),
        ("retire-after-commit", "erase"),
        ("retire", "erase"),
        ("name-syncs", "destroy"),
    ],
)
def test_power_cuts_are_noticed_without(
    run: Callable[..., dict[str, Any]], guard: str, part: str
) -> None:
    assert run("power_loss", "--count", 120, "--part", part, "--without", guard)["faults"] > 0


# Errors of the system.


@pytest.mark.usefixtures("strace")
def test_an_error_of_any_system_call_is_typed_and_loses_nothing(
    run: Callable[..., dict[str, Any]],
) -> None:
    report = run("io_errors", "--count", 4)

    assert_nothing_found(report)
    assert report["figures"]["injections"] >= 40


@pytest.mark.usefixtures("strace")
def test_errors_that_are_passed_over_are_noticed(run: Callable[..., dict[str, Any]]) -> None:
    report = run("io_errors", "--count", 40, "--part", "append", "--without", "errors")

    assert report["faults"] > 0


# Flipped bits.


def test_no_flipped_bit_of_a_small_history_or_its_journal_is_silent(
    run: Callable[..., dict[str, Any]],
) -> None:
    report = run("flips", "--count", 0, "--stride", 499)

    assert_nothing_found(report)
    assert report["figures"]["history.db: damaged, rest intact"] > 10
    assert report["figures"]["history.db-journal: damaged, rest intact"] > 10


def test_no_flipped_bit_of_a_large_history_is_silent(run: Callable[..., dict[str, Any]]) -> None:
    report = run("flips", "--part", "large", "--count", 8)

    assert_nothing_found(report)
    assert report["figures"]["flips"] == 8


def test_flipped_bits_are_silent_without_authentication(
    run: Callable[..., dict[str, Any]],
) -> None:
    arguments = ("--part", "small", "--stride", 1999, "--without", "authentication")

    assert run("flips", *arguments)["faults"] > 0


# Crowds.


def test_a_crowd_with_random_kills_leaves_exact_counts(run: Callable[..., dict[str, Any]]) -> None:
    report = run("crowd", "--count", 3)

    assert_nothing_found(report)
    assert report["figures"]["kills"] > 0
    assert report["figures"]["locked for over 5 seconds"] == 0


def test_a_crowd_that_does_not_look_at_what_others_commit_is_noticed(
    run: Callable[..., dict[str, Any]],
) -> None:
    assert run("crowd", "--count", 2, "--without", "fresh-state")["faults"] > 0


# Nonces.


def test_no_nonce_comes_twice_in_several_processes_and_after_a_restored_copy(
    run: Callable[..., dict[str, Any]],
) -> None:
    report = run("nonces", "--count", 20_000)

    assert_nothing_found(report)
    assert report["figures"]["nonces"] >= 20_000


def test_counted_nonces_do_come_twice(run: Callable[..., dict[str, Any]]) -> None:
    assert run("nonces", "--count", 400, "--without", "random-nonces")["faults"] > 0
