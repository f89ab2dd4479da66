"""One whole life of a device, for a process of its own: ``python -m support.life FOLDER``.

FOLDER holds ``shop.shelfrank`` and ``root.json``; the device's data go to ``FOLDER/profile``. What
was seen is printed as one JSON object.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import shelfrank

NOW = datetime(2017, 12, 1, 9, 30, tzinfo=UTC)
SECRET = b"canary-key-0123456789abcdef-4711"
ITEM = "sku-canary-18"


class Clock:
    """Stands still."""

    def now(self) -> datetime:
        return NOW


def live(folder: Path) -> dict[str, object]:
    """Open, grant, record, rank, explain, reopen and withdraw."""
    after_import = set(sys.modules)
    modes: list[str] = []
    for _ in range(2):
        with shelfrank.Device.open(
            folder / "profile",
            bundle=folder / "shop.shelfrank",
            trust=folder / "root.json",
            key=shelfrank.keys.host(SECRET),
            clock=Clock(),
        ) as device:
            if not modes:
                notice = device.consent.notice("rank_products", language="de")
                device.consent.grant("rank_products", shown=notice)
                device.record("purchase", ITEM)
            page = device.rank()
            modes.append(page.mode)
            page[0].why("nl")
            page[0].contributions()
    kept = sorted(path.name for path in (folder / "profile").iterdir())
    return {
        "modes": modes,
        "kept": kept,
        "after_import": sorted(after_import),
        "after_life": sorted(sys.modules),
    }


if __name__ == "__main__":
    print(json.dumps(live(Path(sys.argv[1]))))  # noqa: T201 - its report
