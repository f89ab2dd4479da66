"""The notices that were written here and not answered yet: only they can be granted."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from shelfrank.consent.notice import Notice
from shelfrank.errors import NoticeNotShownError

if TYPE_CHECKING:
    from shelfrank.consent.receipts import Receipt

# Far more screens than wait for an answer at one time; the bound keeps an app that writes a notice
# at every redraw from growing without end.
MAX_NOTICES_SHOWN: Final = 64


class ShownNotices:
    """Notices of this process. Whoever uses it holds a lock."""

    def __init__(self) -> None:
        self._open: dict[str, Notice] = {}
        self._told: set[str] = set()
        self._used: dict[str, tuple[str, Receipt]] = {}

    @staticmethod
    def new_token() -> str:
        """Return what has not been used before."""
        return secrets.token_hex(16)

    def add(self, notice: Notice, *, told_of_gpc: bool) -> None:
        """Take a notice as shown."""
        self._open[notice.token] = notice
        if told_of_gpc:
            self._told.add(notice.token)
        while len(self._open) > MAX_NOTICES_SHOWN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            self._told.discard(oldest)

    def answered(self, purpose: str, shown: object) -> Receipt | None:
        """Return the receipt of the last grant if this very notice made it: a double tap."""
        token, receipt = self._used.get(purpose, ("", None))
        return receipt if token and token == _token(shown) else None

    def require(self, purpose: str, shown: Notice) -> None:
        """Refuse what was not shown for this purpose since the last choice.

        Raises:
            NoticeNotShownError: the notice is for another purpose, was not written here, was
                changed, or a choice was made since.
        """
        if _token(shown) not in self._open or self._open[shown.token] != shown:
            raise NoticeNotShownError(
                "grant: got something else than a notice written here since the last choice",
                hint="call notice(), show it, and pass that very object",
            )
        if shown.purpose != purpose:
            raise NoticeNotShownError(
                f"grant: got the notice of purpose {shown.purpose!r}, wanted that of {purpose!r}"
            )

    def told_of_gpc(self, shown: Notice) -> bool:
        """Whether a notice said that Global Privacy Control is on."""
        return shown.token in self._told

    def granted(self, purpose: str, shown: Notice, receipt: Receipt) -> None:
        """Note that a notice made a grant."""
        self.forget(purpose)
        self._used[purpose] = (shown.token, receipt)

    def forget(self, purpose: str) -> None:
        """After a choice, whatever was shown before it counts no longer."""
        self._used.pop(purpose, None)
        self._open = {t: notice for t, notice in self._open.items() if notice.purpose != purpose}
        self._told &= set(self._open)


def _token(shown: object) -> str:
    """Return the token of a notice; whatever else an app passes has none."""
    return shown.token if isinstance(shown, Notice) else ""
