"""A shopper's device at home: a folder, a key, a clock, the corner shop's bundle and policy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shelfrank import Device, keys
from shelfrank.consent.subject import Subject
from shelfrank.types import KINDS, RANK_PURPOSE
from support import corner_shop
from support.publisher import NOW
from support.shopper import SetClock, policy_data, purpose_data, to_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shelfrank.history.keys import KeyProvider
    from shelfrank.ranking.page import Page

SECRET = b"canary-key-0123456789abcdef-4711"


def policy(
    *, min_shoppers: int = 20, asked: Mapping[str, object] | None = None, **first_purpose: object
) -> bytes:
    """Return the shop's policy as TOML: spirits are sensitive, times are kept to the hour.

    Args:
        min_shoppers: what a label must reach.
        asked: other keys of the head, such as ``max_epsilon``.
        first_purpose: keys of the first purpose that differ.
    """
    data = policy_data()
    head = data["policy"]
    assert isinstance(head, dict)
    head |= {"min_shoppers": min_shoppers, **(asked or {})}
    kinds = list(KINDS)
    data["purpose"] = [
        purpose_data(**{"kinds": kinds, **first_purpose}),
        purpose_data(id="sort_offers", area="marketing", surfaces=["offers"], kinds=["purchase"]),
    ]
    return to_toml(data)


@cache
def bundle(**changes: object) -> bytes:
    """Return the shop's bundle with the policy in it."""
    return corner_shop.bundle_bytes(policy=policy(**changes))  # type: ignore[arg-type]


class Home:
    """Where one device lives.

    Args:
        root: an empty folder.
        key: None takes a secret of the host.
        bundle_bytes: None takes the shop's.
    """

    def __init__(
        self, root: Path, *, key: KeyProvider | None = None, bundle_bytes: bytes | None = None
    ) -> None:
        self.root = root
        self.folder = root / "profile"
        self.key = key or keys.host(SECRET)
        self.clock = SetClock(NOW)
        self.bundle: bytes | None = bundle_bytes or bundle()

    def open(self, **changes: object) -> Device:
        """Open the device; `changes` are arguments of `Device.open`."""
        given: dict[str, object] = {
            "bundle": self.bundle,
            "trust": corner_shop.TRUST,
            "key": self.key,
            "clock": self.clock,
            "subject": Subject(age="adult"),
        }
        return Device.open(self.folder, **{**given, **changes})  # type: ignore[arg-type]

    def confirm_the_clock(self) -> None:
        """Open it once: after a long absence, only the second session believes the clock."""
        self.open().close()

    def files(self) -> Mapping[str, bytes]:
        """Return every file below the root, whatever it is for."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


def grant(device: Device, purpose: str = RANK_PURPOSE) -> None:
    """Show the notice and say yes."""
    device.consent.grant(purpose, shown=device.consent.notice(purpose, language="nl"))


def days_pass(device: Device, clock: SetClock, days: int) -> None:
    """Let days go by on a device that is in use: its clock is looked at every day."""
    for _ in range(days):
        clock.turn(days=1)
        device.consent.effective_now()


def order_of(page: Page) -> list[str]:
    """Return the ids of a page."""
    return [item.item_id for item in page]


def outcome(page: Page) -> tuple[str, str, str]:
    """Return what really happened."""
    return page.mode, page.mode_reason, page.rung
