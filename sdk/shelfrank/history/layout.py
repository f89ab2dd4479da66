"""The number that stands first in everything that is sealed of events (section 4 of the page).

The format number says how a history as a whole is read. A layout may grow on its own: a later one
adds columns, and what was written before stays as it is.
"""

from __future__ import annotations

from typing import Final

from shelfrank.errors import HistoryVersionError

LAYOUT: Final = 1


def check_layout(plain: bytes) -> None:
    """Refuse what a later SDK wrote.

    Args:
        plain: an authenticated head, tail row or block.

    Raises:
        HistoryVersionError: its layout is newer.
    """
    if plain[:1] > bytes([LAYOUT]):
        raise HistoryVersionError(
            f"history has layout {plain[0]}, this SDK reads up to layout {LAYOUT}",
            hint="a later version of the app wrote it: update the app",
        )
