"""What integrators test with: a demo bundle, a fixed clock, a device in memory.

    from shelfrank import testing

    device = testing.granted_device()
    device.record("view", "espresso-machine")
    assert device.rank(k=3)[0].item_id == "tamper"

**The shop, its shoppers and their purchases are simulated, and the private keys behind `demo_root`
are public.** A device that trusts that root trusts everybody: use it in tests and to try things
out, never in an app that ships. How the bundle was made stands in
``tests/support/make_demo_bundle.py`` of the repository: by the pipeline that makes real ones.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from shelfrank.testing.clock import DEMO_NOW, FixedClock
from shelfrank.types import RANK_PURPOSE

if TYPE_CHECKING:
    from shelfrank.device import Device
    from shelfrank.types import Clock

__all__ = [
    "DEMO_NOW",
    "FixedClock",
    "demo_bundle",
    "demo_device",
    "demo_policy",
    "demo_root",
    "granted_device",
]


def demo_bundle() -> bytes:
    """Return a signed bundle of a simulated kitchen-and-coffee shop with 61 items.

    Its item ids are words, such as ``espresso-machine``, ``milk-jug``, ``flour``. It was issued on
    2026-01-01, expires in 2126, carries `demo_policy`, and states that every number in it covers at
    least 20 (simulated) shoppers.
    """
    return _data("demo.shelfrank")


def demo_root() -> bytes:
    """Return the ``root.json`` that trusts `demo_bundle`. Its keys are public: for tests only."""
    return _data("root.json")


def demo_policy() -> bytes:
    """Return the ``policy.toml`` inside `demo_bundle`.

    It has the purpose ``rank_products`` with texts in de, nl and en, keeps events for 180 days and
    times to the day, and excludes the category ``spirits``.
    """
    from shelfrank.bundle import archive

    return archive.member(archive.read_members(demo_bundle()), archive.POLICY)


def demo_device(clock: Clock | None = None) -> Device:
    """Open a device in memory on the demo bundle; the shopper has not been asked yet.

    Args:
        clock: None takes a `FixedClock` at `DEMO_NOW`.
    """
    from shelfrank.device import Device

    return Device.open(None, bundle=demo_bundle(), trust=demo_root(), clock=clock or FixedClock())


def granted_device(clock: Clock | None = None) -> Device:
    """Open a demo device whose shopper has said yes to ``rank_products``.

    It stands for a shopper who was shown the notice and agreed, so that a test of something else
    can start there. Nothing in an app may do this: there, a person answers.

    Args:
        clock: None takes a `FixedClock` at `DEMO_NOW`.
    """
    device = demo_device(clock)
    notice = device.consent.notice(RANK_PURPOSE, language="en")
    device.consent.grant(RANK_PURPOSE, shown=notice)
    return device


def _data(name: str) -> bytes:
    return files(__name__).joinpath("data", name).read_bytes()
