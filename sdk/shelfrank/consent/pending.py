"""What the shopper should be asked again, and why, in words. Pure; at most one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.consent.permission import needs_guardian
from shelfrank.consent.phrases import PENDING, describe_changes
from shelfrank.consent.rules import Status, Terms, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from shelfrank.consent.permission import Circumstances
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose
    from shelfrank.consent.rules import Choice
    from shelfrank.types import Language

# A month ahead is early enough to be asked at the next visit of most shoppers.
RENEWAL: Final = timedelta(days=30)

PendingReason = Literal["changed", "expired", "renewal", "again"]
"""The policy asks for more than was granted; the grant ran out; it will within `RENEWAL`; a no is
older than the wait before asking again."""

_URGENCY: Final[tuple[PendingReason, ...]] = ("changed", "expired", "renewal", "again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One thing to ask, when the moment is right. Write its notice with `Consent.notice`.

    Attributes:
        purpose: its id.
        reason: why now.
        text: why now, in words, with what changed.
    """

    purpose: str
    reason: PendingReason
    text: str

    def __str__(self) -> str:
        return self.text


def due(
    choices: Mapping[str, Choice],
    policy: Policy,
    circumstances: Circumstances,
    *,
    now: datetime,
    language: Language,
) -> list[Pending]:
    """Return what could be asked now, the most urgent first.

    Nothing where Global Privacy Control is on or the clock is in doubt, nothing about a purpose
    that was never asked or that takes a guardian, and nothing about a no before its wait is over.

    Args:
        choices: the shopper's answers.
        policy: in force, tightened by the preset.
        circumstances: as they are.
        now: the distrustful clock.
        language: de, nl or en.
    """
    if circumstances.signals.gpc or circumstances.doubt is not None:
        return []
    found = [
        Pending(purpose=purpose.id, reason=reason, text=text)
        for purpose in policy.purposes
        if not needs_guardian(purpose, policy.ages, circumstances) and purpose.id in choices
        for reason, text in _reasons(choices[purpose.id], policy, purpose, now, language)
    ]
    return sorted(found, key=lambda item: _URGENCY.index(item.reason))


def _reasons(
    choice: Choice, policy: Policy, purpose: Purpose, now: datetime, language: Language
) -> Iterator[tuple[PendingReason, str]]:
    words = PENDING[language]
    status = status_of(choice, policy, purpose.id, now=now)
    if choice.ended or choice.paused:
        return
    if status is Status.INVALIDATED and choice.terms is not None:
        changes = describe_changes(choice.terms, Terms.of(policy, purpose), language)
        yield "changed", words["changed"].format(changes=changes)
    elif status is Status.EXPIRED:
        yield "expired", words["expired"]
    elif status.permits and choice.until is not None and choice.until - now <= RENEWAL:
        yield "renewal", words["renewal"].format(until=f"{choice.until:%Y-%m-%d}")
    elif not status.permits and now - choice.at >= timedelta(days=purpose.reask_days):
        yield "again", words["again"]
