"""A device remembers which bundle it served: an older one is no update (R5; TUF's rollback)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shelfrank.bundle.mark import dump_mark, parse_mark
from shelfrank.errors import BundleFormatError, RollbackError
from shelfrank.remembered import BUNDLE_FILE
from support import corner_shop
from support.corner_shop import TEA
from support.home import Home, grant, policy
from support.publisher import NOW

if TYPE_CHECKING:
    from pathlib import Path


def version(number: int) -> bytes:
    return corner_shop.bundle_bytes(policy=policy(), version=number)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home that has served version 5 to a shopper who said yes."""
    home = Home(tmp_path, bundle_bytes=version(5))
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA)
    return home


def test_an_older_bundle_is_refused_and_changes_nothing(home: Home) -> None:
    before = home.files()

    with pytest.raises(RollbackError) as caught:
        home.open(bundle=version(4))

    assert (caught.value.offered, caught.value.installed) == (4, 5)
    assert home.files() == before


def test_the_same_bundle_again_and_a_newer_one_are_taken(home: Home) -> None:
    home.open().close()
    home.open(bundle=version(6)).close()

    with pytest.raises(RollbackError):
        home.open()


def test_the_same_version_with_other_contents_is_refused(home: Home) -> None:
    other = corner_shop.bundle_bytes(policy=policy(retention="P100D"), version=5)

    with pytest.raises(RollbackError):
        home.open(bundle=other)


def test_an_expired_bundle_that_served_already_goes_on_serving(home: Home) -> None:
    home.clock.turn(days=4 * 365)

    with home.open() as device:
        assert device.bundle is not None
        assert device.bundle.stale
        assert len(device.rank(k=2)) == 2


def test_a_clock_set_back_does_not_make_an_expired_bundle_new(home: Home) -> None:
    assert home.bundle is not None
    home.clock.turn(days=-2 * 365)

    with home.open() as device:
        assert device.bundle is not None
        assert device.consent.effective_now() >= NOW - timedelta(days=1)


def test_before_the_first_choice_no_bundle_is_remembered(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with home.open() as device:
        device.rank()
        device.record("purchase", TEA)

    assert home.files() == {}


def test_what_is_remembered_is_sealed_and_goes_with_everything_else(home: Home) -> None:
    sealed = home.files()[f"profile/{BUNDLE_FILE}"]
    assert b"corner-shop" not in sealed

    with home.open() as device:
        device.erase()

    assert home.files() == {}


def test_a_file_that_cannot_be_read_counts_as_nothing_and_is_written_anew(home: Home) -> None:
    file = home.folder / BUNDLE_FILE
    file.write_bytes(b"not what was sealed")

    home.open().close()

    with pytest.raises(RollbackError):
        home.open(bundle=version(4))


def test_a_mark_reads_back_as_it_was() -> None:
    mark = corner_shop.verified().mark()

    assert parse_mark(dump_mark(mark)) == mark


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff"])
def test_bytes_that_are_no_mark_are_refused(data: bytes) -> None:
    with pytest.raises(BundleFormatError):
        parse_mark(data)


def test_a_root_that_is_no_base64_is_refused() -> None:
    data = dump_mark(corner_shop.verified().mark()).replace(b'"root": "', b'"root": "!')

    with pytest.raises(BundleFormatError, match="base64"):
        parse_mark(data)


def test_a_bundle_is_remembered_anew_after_everything_was_erased(home: Home) -> None:
    with home.open() as device:
        device.erase()
        grant(device)
        device.record("purchase", TEA)

    with pytest.raises(RollbackError):
        home.open(bundle=version(4))
