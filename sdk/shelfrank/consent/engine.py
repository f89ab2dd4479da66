"""Consent on one device: show a notice, grant, refuse, withdraw, and ask what is permitted now.

Nothing here makes consent out of behaviour: the one way to permission is `Consent.grant` with the
notice that this very object wrote. What cannot be read, found or recognised permits nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import RLock
from typing import TYPE_CHECKING, Final

from shelfrank.consent.ledger import Ledger
from shelfrank.consent.notice import Notice, write_notice
from shelfrank.consent.purposes import in_utc
from shelfrank.consent.rules import Choice, Status, granted, must_forget, status_of
from shelfrank.errors import NoticeNotShownError, ShelfrankError, UnknownPurposeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose
    from shelfrank.consent.rules import Record
    from shelfrank.consent.store import ChoiceStore
    from shelfrank.types import Clock, Language

__all__ = ["Consent", "Notice", "Status", "Withdrawal"]

# Far more screens than wait for an answer at one time; the bound keeps an app that writes a notice
# at every redraw from growing without end.
MAX_NOTICES_SHOWN: Final = 64

# Moving the clock mark costs one write; within a day no retention or validity, which count in days,
# can be stretched by more than that day.
CLOCK_STEP: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What became of a withdrawal; it holds in this process whatever these say.

    Attributes:
        durable: nothing on the disk says yes any more, so it holds after a restart too. False on a
            read-only disk.
        erased: what was kept for the purpose is gone. If False, opening the device tries again.
    """

    durable: bool
    erased: bool


class Consent:
    """What the shopper of this device chose.

    Safe to use from several threads. Construction reads and writes nothing but memory.

    Args:
        policy: the policy in force (of bundle and app the stricter), or None: then nothing is
            permitted.
        store: where the choices lie; read once, here.
        clock: the device's clock; it is never believed when it goes back.
        on_withdraw: erases what was kept for a purpose; called after the withdrawal holds, without
            any lock, and again if the withdrawal is repeated.
    """

    def __init__(
        self,
        policy: Policy | None,
        store: ChoiceStore,
        clock: Clock,
        on_withdraw: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._on_withdraw = on_withdraw
        self._lock = RLock()
        self._shown: dict[str, Notice] = {}
        self._used: dict[str, str] = {}
        self._ledger = Ledger(store)
        self._latest = self._ledger.record.clock

    @property
    def generation(self) -> int:
        """A number that grows with every change of a choice, also with one the disk refused.

        Time ends permission too, and changes no number: ask `given` again where that matters.
        """
        return self._ledger.record.generation

    @property
    def readable(self) -> bool:
        """Whether the record of choices could be read; if not, nothing counts as asked."""
        return self._ledger.readable

    @property
    def durable(self) -> bool:
        """Whether the disk is known to hold all choices; False if one holds here only."""
        return self._ledger.durable

    def effective_now(self) -> datetime:
        """Return the latest moment ever seen here, in UTC: a clock set back changes nothing."""
        self.not_before(self._clock.now())
        return self._latest

    def not_before(self, moment: datetime) -> None:
        """Distrust any earlier time: another part (history, bundle) knows that `moment` has passed.

        Args:
            moment: aware.
        """
        with self._lock:
            self._latest = max(self._latest, in_utc(moment))

    def notice(self, purpose: str, *, language: Language) -> Notice:
        """Write the notice to show before a choice. Changes nothing, and is not consent.

        Args:
            purpose: its id.
            language: one of the policy's languages.

        Raises:
            UnknownPurposeError: the policy declares no such purpose, or there is no policy.
            ValueError: the policy has no texts in that language.
        """
        policy, declared = self._declared(purpose)
        if language not in policy.languages:
            known = ", ".join(policy.languages)
            raise ValueError(f"got language {language!r}, wanted one of {known}")
        notice = write_notice(policy, declared, language, token=secrets.token_hex(16))
        with self._lock:
            self._shown[notice.token] = notice
            while len(self._shown) > MAX_NOTICES_SHOWN:
                del self._shown[next(iter(self._shown))]
        return notice

    def grant(self, purpose: str, *, shown: Notice) -> None:
        """Note that the shopper, having seen the notice, said yes. On the disk when this returns.

        A notice serves one grant; repeating that very grant (a double tap) does nothing more.

        Args:
            purpose: its id.
            shown: the notice that was shown, from `notice` of this object, since the last choice.

        Raises:
            UnknownPurposeError: the policy declares no such purpose, or there is no policy.
            NoticeNotShownError: the notice is for another purpose, was not written by this object,
                was changed, or a choice was made since.
            ConsentError: the choice cannot be kept; nothing changed.
        """
        policy, declared = self._declared(purpose)
        with self._lock:
            now = self.effective_now().replace(microsecond=0)
            before = self._status(purpose, now)
            if before.permits and self._used.get(purpose) == _token(shown):
                return
            self._must_have_shown(purpose, shown)
            choice = granted(
                before,
                policy,
                declared,
                language=shown.language,
                notice=shown.hash,
                now=now,
            )
            self._ledger.keep_or_raise(self._ledger.record.with_choice(purpose, choice, now=now))
            self._forget_notices(purpose)
            self._used[purpose] = shown.token

    def refuse(self, purpose: str) -> Withdrawal:
        """Note that the shopper said no; where there was a yes, this withdraws it.

        Raises:
            UnknownPurposeError: the policy declares no such purpose, or there is no policy.
        """
        self._declared(purpose)
        return self._end(purpose, Status.REFUSED)

    def withdraw(self, purpose: str) -> Withdrawal:
        """End a purpose, now: first the choice, then what was kept for it.

        Takes no notice and no reason, works without a key, with a full disk and with a broken
        bundle. May be repeated, and does nothing to a purpose that was never given but erase. If
        the record of choices cannot be read or sealed, all choices are made void: the shopper's no
        outweighs the other answers.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
        """
        unknown = purpose not in self._ledger.record.choices
        # Without a policy or a record nobody can tell what is a purpose, and a no must never fail.
        if unknown and self._policy is not None and self._ledger.readable:
            self._declared(purpose)
        return self._end(purpose, Status.WITHDRAWN)

    def status(self, purpose: str) -> Status:
        """Return how a purpose stands now.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
        """
        if purpose not in self._ledger.record.choices and self._policy is not None:
            self._declared(purpose)
        with self._lock:
            return self._status(purpose, self.effective_now())

    def given(self) -> frozenset[str]:
        """Return the purposes that permit keeping and using data at this moment."""
        with self._lock:
            now = self.effective_now()
            return frozenset(p for p in self._ledger.record.choices if self._status(p, now).permits)

    def choices(self) -> Mapping[str, Choice]:
        """Return what the shopper answered, by purpose; `status` says what follows from it now."""
        return dict(self._ledger.record.choices)

    def to_forget(self) -> frozenset[str]:
        """Return the purposes whose data must go: opening a device erases it.

        These are withdrawn or refused ones, those the policy dropped, and those that ran out or
        were made invalid more than `rules.GRACE` after their end.
        """
        with self._lock:
            now = self.effective_now()
            return frozenset(
                purpose
                for purpose, choice in self._ledger.record.choices.items()
                if must_forget(choice, self._policy, purpose, now=now)
            )

    def advance_clock(self) -> None:
        """Put the clock mark on the disk if it moved by a day; opening a device does so.

        Nothing happens before the first choice, and a disk that refuses is no error.
        """
        with self._lock:
            now = self.effective_now().replace(microsecond=0)
            if self._ledger.record.choices and now - self._ledger.record.clock >= CLOCK_STEP:
                self._ledger.keep(replace(self._ledger.record, clock=now))

    def _declared(self, purpose: str) -> tuple[Policy, Purpose]:
        if self._policy is None:
            raise UnknownPurposeError(
                f"got purpose {purpose!r}, but no policy is in force",
                hint="open the device with a bundle that carries a policy, or with policy=",
            )
        return self._policy, self._policy.purpose(purpose)

    def _status(self, purpose: str, now: datetime) -> Status:
        return status_of(self._ledger.record.choices.get(purpose), self._policy, purpose, now=now)

    def _must_have_shown(self, purpose: str, shown: Notice) -> None:
        if _token(shown) not in self._shown or self._shown[shown.token] != shown:
            raise NoticeNotShownError(
                "grant: got something else than a notice written here since the last choice",
                hint="call notice(), show it, and pass that very object",
            )
        if shown.purpose != purpose:
            raise NoticeNotShownError(
                f"grant: got the notice of purpose {shown.purpose!r}, wanted that of {purpose!r}"
            )

    def _forget_notices(self, purpose: str) -> None:
        """After a choice, whatever was shown before it counts no longer."""
        self._used.pop(purpose, None)
        self._shown = {t: notice for t, notice in self._shown.items() if notice.purpose != purpose}

    def _end(self, purpose: str, answer: Status) -> Withdrawal:
        """Set a purpose to no in memory, then on the disk, then erase what was kept for it."""
        with self._lock:
            self._forget_notices(purpose)
            durable = self._ledger.hold(self._with_no(purpose, answer))
        return Withdrawal(durable=durable, erased=self._erase(purpose))

    def _with_no(self, purpose: str, answer: Status) -> Record:
        """Return the record with a no; the same one if there was nothing to say no to."""
        now = self.effective_now().replace(microsecond=0)
        before = self._ledger.record.choices.get(purpose)
        if before is not None and before.answer.permits:
            answer = Status.WITHDRAWN
        elif before is not None or answer is Status.WITHDRAWN:
            return self._ledger.record
        return self._ledger.record.with_choice(purpose, Choice(answer=answer, at=now), now=now)

    def _erase(self, purpose: str) -> bool:
        try:
            self._on_withdraw(purpose)
        except (ShelfrankError, OSError):
            return False
        return True


def _token(shown: object) -> str:
    """Return the token of a notice; whatever else an app passes has none."""
    return shown.token if isinstance(shown, Notice) else ""
