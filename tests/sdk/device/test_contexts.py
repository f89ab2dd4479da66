"""What happened in one area of the shop is read only where a purpose lists that area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shelfrank import Dropped, Stored
from shelfrank.types import RANK_PURPOSE
from support import corner_shop
from support.corner_shop import MILK, TEA
from support.home import Home, grant
from support.shopper import policy_data, purpose_data, to_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shelfrank import Device


def bundle(*, rank: Sequence[str]) -> bytes:
    return corner_shop.bundle_bytes(policy=policy(rank=rank))


def policy(*, rank: Sequence[str]) -> bytes:
    data = policy_data()
    head = data["policy"]
    assert isinstance(head, dict)
    head["contexts"] = ["kiosk", "shop"]
    data["purpose"] = [
        purpose_data(contexts=list(rank)),
        purpose_data(id="sort_offers", area="marketing", surfaces=["offers"], contexts=["shop"]),
    ]
    return to_toml(data)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, bundle_bytes=bundle(rank=["kiosk", "shop"]))


def kept(device: Device, purpose: str = RANK_PURPOSE) -> list[str]:
    return [event.item_id for event in device._history.events(purpose)]


def test_an_event_is_kept_for_the_purposes_that_list_where_it_happened(home: Home) -> None:
    with home.open() as device:
        grant(device)
        grant(device, "sort_offers")

        assert device.record("purchase", TEA, context="kiosk") == Stored()
        assert device.record("purchase", MILK) == Stored()
        assert device.record("purchase", MILK, context="market stall") == Dropped("context")

        assert kept(device) == [TEA, MILK]
        assert kept(device, "sort_offers") == [MILK]


def test_a_place_that_a_purpose_lists_no_longer_is_not_used_and_goes_at_the_next_opening(
    home: Home,
) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA, context="kiosk")
        device.record("purchase", MILK)

    with home.open(policy=policy(rank=["shop"])) as device:
        # Narrower terms need no new yes.
        assert RANK_PURPOSE in device.consent.given()
        assert kept(device) == [MILK]
        assert list(device.rank()[0].contributions()) == [MILK]


def test_where_it_happened_goes_along_with_an_export(home: Home, tmp_path: Path) -> None:
    with home.open() as device:
        grant(device)
        device.record("purchase", TEA, context="kiosk")
        device.history.export(tmp_path / "mine.zip")
    other = Home(tmp_path / "other", bundle_bytes=bundle(rank=["shop"]))

    with other.open() as device:
        grant(device)
        brought = device.history.import_(tmp_path / "mine.zip")

    assert (brought.stored, dict(brought.dropped)) == (0, {"context": 1})
