"""A ranking for passing shoppers: one guest at a time, in memory, gone when the session ends.

    python kiosk.py

There is no screen here: `Guest` is what stands between a user interface and a device. Two scripted
guests show what happens.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from shelfrank import Device, testing
from shelfrank.types import RANK_PURPOSE

if TYPE_CHECKING:
    from shelfrank.consent.notice import Notice
    from shelfrank.types import Clock, Kind, Language

IDLE: Final = timedelta(seconds=60)
"""A guest who has not touched the screen for this long has left."""


class Guest:
    """One guest's session. Use it with ``with``: whatever happens, leaving it closes the device.

    Args:
        bundle: the shop's bundle.
        trust: the shop's root.
        clock: tells when the guest has left.
        language: chosen on the start screen.
    """

    def __init__(self, *, bundle: bytes, trust: bytes, clock: Clock, language: Language) -> None:
        # No folder: history and choices live in memory and end with the device.
        self._device = Device.open(None, bundle=bundle, trust=trust, clock=clock)
        self._clock = clock
        self._language = language
        self._last_touch: datetime = clock.now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._device.close()

    def notice(self) -> Notice:
        """Return what to show before the guest decides."""
        return self._device.consent.notice(RANK_PURPOSE, language=self._language)

    def agree(self, shown: Notice) -> None:
        """The guest touched yes below the notice."""
        self._touch()
        self._device.consent.grant(RANK_PURPOSE, shown=shown)

    def touch_item(self, item_id: str, kind: Kind = "view") -> None:
        """The guest opened a product. Without a yes nothing is kept, and nothing is said."""
        self._touch()
        self._device.record(kind, item_id)

    def screen(self, *, k: int = 4) -> list[tuple[str, str]]:
        """Return products and reasons that anyone in the shop may read.

        A reason for a bystander names no product that the guest looked at before.
        """
        page = self._device.rank(k=k)
        return [
            (item.item_id, item.why(language=self._language, audience="bystander")) for item in page
        ]

    @property
    def has_left(self) -> bool:
        """Whether the user interface's timer must end the session."""
        return self._clock.now() - self._last_touch >= IDLE

    def _touch(self) -> None:
        self._last_touch = self._clock.now()


def main() -> None:
    """Play two guests, one after the other."""
    # The demo bundle trusts public keys. A kiosk reads its own files, and the machine's clock.
    clock = testing.FixedClock()
    bundle, trust = testing.demo_bundle(), testing.demo_root()

    with Guest(bundle=bundle, trust=trust, clock=clock, language="de") as guest:
        notice = guest.notice()
        print(f"first guest sees: {notice.title}")
        guest.agree(notice)
        guest.touch_item("espresso-machine")
        _draw(guest)
        clock.advance(IDLE)
        print(f"first guest has left: {guest.has_left}\n")

    with Guest(bundle=bundle, trust=trust, clock=clock, language="nl") as guest:
        print("second guest says nothing")
        guest.touch_item("teapot")
        _draw(guest)


def _draw(guest: Guest) -> None:
    for item_id, reason in guest.screen():
        print(f"  {item_id:16} {reason}")


if __name__ == "__main__":
    main()
