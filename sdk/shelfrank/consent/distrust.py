"""A clock that can only be distrusted. Pure; every moment is aware and UTC.

Two moments are kept. *Seen* is the latest ever shown: what ends permission and what makes an event
too old to use, because a clock set back must prolong nothing. *Settled* is the latest that is
believed: what data is erased by, because a clock that jumped far ahead by mistake must not destroy
anything. The two differ while a jump is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

JUMP: Final = timedelta(days=30)
"""Further than this ahead of the settled time, a clock is not believed at once. A shopper who was
away for longer sees the generic order once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What is known of the time.

    Attributes:
        settled: the latest moment that is believed.
        seen: the latest moment ever shown; never before `settled`.
        doubt: what the clock showed when it jumped; None while nothing is in doubt. Later sessions
            settle it, and so does a signed time.
    """

    settled: datetime
    seen: datetime
    doubt: datetime | None = None

    def shown(self, now: datetime) -> Self:
        """Return the times after one more look at the clock."""
        seen = max(self.seen, now)
        if self.doubt is not None:
            return replace(self, seen=seen)
        if now > self.settled + JUMP:
            return replace(self, seen=seen, doubt=now)
        return replace(self, seen=seen, settled=max(self.settled, now))

    def shown_in_a_new_session(self, now: datetime) -> Self:
        """Return the times after the first look in a session: it settles an older doubt.

        A clock that went back before the doubt settles nothing.
        """
        if self.doubt is None or now < self.doubt:
            return self.shown(now)
        return replace(self, settled=now, seen=max(self.seen, now), doubt=None)

    def signed(self, moment: datetime) -> Self:
        """Return the times after a signed statement that `moment` has passed."""
        settled = max(self.settled, moment)
        after = replace(self, settled=settled, seen=max(self.seen, settled))
        if self.doubt is None or self.doubt > settled + JUMP:
            return after
        return replace(after, settled=max(settled, self.doubt), doubt=None)
