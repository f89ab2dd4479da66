"""A withdrawal on a disk that is really full (invariant P4)."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shelfrank.consent.engine import Consent, Status
from shelfrank.consent.store import FileChoiceStore
from shelfrank.errors import ConsentError
from support.shopper import AesSealer, SetClock, policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RANK = "rank_products"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 256 KiB, where the machine lets us."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if sys.platform != "linux" or mount is None or unmount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes Linux and root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:  # noqa: S603
        pytest.skip("this machine does not let its root mount")
    yield folder
    subprocess.run([unmount, str(folder)], check=True)  # noqa: S603 - what was mounted above


def fill(folder: Path) -> None:
    """Write until not even one byte more fits."""
    with (folder / "other").open("wb", buffering=0) as other:
        try:
            while True:
                other.write(bytes(512))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - any other error is not a full disk


def device(folder: Path) -> Consent:
    store = FileChoiceStore(folder / "choices", AesSealer())
    return Consent(policy(), store, SetClock(), lambda _purpose: None)


def test_a_withdrawal_is_kept_on_a_full_disk(small_disk: Path) -> None:
    consent = device(small_disk)
    consent.grant(RANK, shown=consent.notice(RANK, language="de"))
    fill(small_disk)

    assert consent.withdraw(RANK).durable

    assert device(small_disk).status(RANK) is Status.WITHDRAWN


def test_a_first_yes_that_finds_no_room_is_refused_and_leaves_nothing(small_disk: Path) -> None:
    fill(small_disk)
    consent = device(small_disk)

    with pytest.raises(ConsentError, match="nothing changed"):
        consent.grant(RANK, shown=consent.notice(RANK, language="de"))

    assert consent.given() == frozenset()
    assert [path.name for path in small_disk.iterdir()] == ["other"]


def test_a_refusal_without_room_is_a_no_all_the_same(small_disk: Path) -> None:
    fill(small_disk)
    consent = device(small_disk)

    consent.refuse(RANK)

    assert consent.status(RANK) is Status.REFUSED
    assert device(small_disk).given() == frozenset()
