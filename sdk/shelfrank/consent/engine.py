"""Consent on one device: show a notice, grant, refuse, withdraw, and ask what is permitted now.

Nothing here makes consent out of behaviour: the one way to permission is `Consent.grant` with the
notice that this very object wrote. What cannot be read, found or recognised permits nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from threading import RLock
from typing import TYPE_CHECKING

from shelfrank.consent.asking import MAX_NOTICES_SHOWN, ShownNotices
from shelfrank.consent.journal import Entry, Journal, MemoryJournalStore
from shelfrank.consent.keeping import Keeping, new_id
from shelfrank.consent.ledger import Ledger
from shelfrank.consent.notice import Notice, write_notice
from shelfrank.consent.overview import PurposeOverview, overview_of
from shelfrank.consent.pending import Pending, due
from shelfrank.consent.permission import (
    ADVERTISING,
    Block,
    Circumstances,
    needs_guardian,
    signal_forbids,
)
from shelfrank.consent.phrases import GPC_NOTICE, describe_entry, describe_journal
from shelfrank.consent.presets import Preset, strictest
from shelfrank.consent.purposes import in_utc
from shelfrank.consent.record import MAX_GUARDIAN_CHARS
from shelfrank.consent.rules import (
    ANSWERING,
    Answering,
    Status,
    granted,
    must_forget,
)
from shelfrank.consent.signals import Signals
from shelfrank.consent.standing import Standing
from shelfrank.consent.subject import Subject
from shelfrank.errors import (
    ConsentError,
    GuardianMissingError,
    ShelfrankError,
)
from shelfrank.types import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from shelfrank.consent.journal import EntryKind, JournalState, JournalStore
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Ages, Purpose
    from shelfrank.consent.receipts import Receipt
    from shelfrank.consent.rules import Choice
    from shelfrank.consent.signals import GpcStatus
    from shelfrank.consent.store import ChoiceStore
    from shelfrank.types import Clock, Language

__all__ = ["MAX_NOTICES_SHOWN", "Consent", "Notice", "Status", "Withdrawal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What became of a withdrawal; it holds in this process whatever these say.

    Attributes:
        durable: nothing on the disk says yes any more, so it holds after a restart too. False on a
            read-only disk.
        erased: what was kept for the purpose is gone. If False, opening the device tries again.
        receipts: one for each purpose whose answer changed.
    """

    durable: bool
    erased: bool
    receipts: tuple[Receipt, ...] = field(default=(), compare=False)

    @property
    def receipt(self) -> Receipt | None:
        """The first receipt, or None if there was nothing to say no to."""
        return self.receipts[0] if self.receipts else None


class Consent:
    """What the shopper of this device chose.

    Safe to use from several threads, and on one store from several processes. Construction writes
    nothing.

    Args:
        policy: the policy in force (of bundle and app the stricter), or None: then nothing is
            permitted.
        store: where the choices lie.
        clock: the device's clock; it is never believed when it goes back, and not at once when it
            jumps far ahead (`shelfrank.consent.distrust`).
        on_withdraw: erases what was kept for a purpose; called after the withdrawal holds, without
            any lock, and again if the withdrawal is repeated.
        circumstances: law, signals and shopper; None takes the strictest preset, no signal and a
            shopper of unknown age.
        journal: where the journal lies; None keeps it in memory.
    """

    def __init__(
        self,
        policy: Policy | None,
        store: ChoiceStore,
        clock: Clock,
        on_withdraw: Callable[[str], None],
        *,
        circumstances: Circumstances | None = None,
        journal: JournalStore | None = None,
    ) -> None:
        self._on_withdraw = on_withdraw
        self._lock = RLock()
        self._shown = ShownNotices()
        self._ledger = Ledger(store)
        self._journal = Journal(journal or MemoryJournalStore(), new_id())
        about = circumstances or Circumstances(
            preset=strictest(), signals=Signals(), subject=Subject()
        )
        self._standing = Standing(policy, self._ledger, clock, about, self._journal)
        self._keeping = Keeping(self._ledger, self._standing, self._journal)
        self._asked: str | None = None

    def __repr__(self) -> str:
        """Say the type only."""
        return "<Consent>"

    # --- What holds now ---

    @property
    def generation(self) -> int:
        """A number that grows with every change of a choice, also with one the disk refused.

        Time ends permission too, and changes no number: ask `given` again where that matters.
        """
        with self._lock:
            self._standing.now()  # A visit may be over.
            return self._ledger.generation

    @property
    def readable(self) -> bool:
        """Whether the record of choices could be read; if not, nothing counts as asked."""
        return self._ledger.readable

    @property
    def durable(self) -> bool:
        """Whether the disk is known to hold all choices; False if one holds here only."""
        return self._ledger.durable

    @property
    def preset(self) -> Preset:
        """The law preset that holds."""
        return self._standing.about.preset

    @property
    def gpc(self) -> GpcStatus:
        """What becomes of Global Privacy Control: ``none``, ``applied`` or ``overridden``."""
        with self._lock:
            now = self.effective_now()
            return self._standing.gpc(now)

    def status(self, purpose: str) -> Status:
        """Return how a purpose stands now; `why_not` says what else may keep it from counting.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
        """
        with self._lock:
            now = self.effective_now()
            if purpose not in self._ledger.record.choices and self._standing.policy is not None:
                self._standing.declared(purpose)
            return self._standing.of(purpose, now)[1]

    def given(self) -> frozenset[str]:
        """Return the purposes that permit keeping and using data at this moment."""
        with self._lock:
            now = self.effective_now()
            return frozenset(
                p for p in self._standing.answered() if self._standing.why_not(p, now) is None
            )

    def visiting(self) -> frozenset[str]:
        """Return those of `given` whose yes is for this visit: nothing of them may reach a disk."""
        with self._lock:
            if not self._standing.visit:
                return frozenset()
            return frozenset(p for p in self.given() if p in self._standing.visit)

    @property
    def visits_over(self) -> int:
        """How many visits with grants of their own have ended: what was kept for them must go."""
        with self._lock:
            self._standing.now()
            return self._standing.visits_over

    def why_not(self, purpose: str) -> Block | None:
        """Return why a purpose permits nothing at this moment, or None if it does."""
        with self._lock:
            return self._standing.why_not(purpose, self.effective_now())

    def why_nothing(self) -> Block | None:
        """Return the best reason why no purpose permits anything, or None if one does."""
        with self._lock:
            now = self.effective_now()
            reasons = [
                self._standing.why_not(purpose, now)
                for purpose in sorted(self._standing.answered())
            ]
            if None in reasons:
                return None
            told = [reason for reason in reasons if reason not in {None, "no_consent"}]
            return told[0] if told else self._standing.no_answer()

    def overview(self, *, language: Language) -> tuple[PurposeOverview, ...]:
        """Return how every purpose stands: those of the policy, and those it dropped.

        Args:
            language: one of the policy's languages.

        Raises:
            ValueError: the policy has no texts in that language.
        """
        with self._lock:
            now = self.effective_now()
            policy = self._standing.policy
            self._standing.check_language(language)
            declared = () if policy is None else tuple(p.id for p in policy.purposes)
            dropped = sorted(self._standing.answered() - set(declared))
            found = []
            for purpose in (*declared, *dropped):
                choice, status = self._standing.of(purpose, now)
                found.append(
                    overview_of(
                        purpose,
                        choice=choice,
                        status=status,
                        blocked=self._standing.why_not(purpose, now),
                        visit_only=purpose in self._standing.visit and status.permits,
                        policy=policy,
                        language=language,
                    )
                )
            return tuple(found)

    def pending(self, *, language: Language) -> tuple[Pending, ...]:
        """Return what the shopper should be asked again: one thing at most in a session, or none.

        Changes nothing. A refusal silences it until the wait of policy and preset is over, and
        Global Privacy Control does as long as it is on; the shopper may open the settings and
        choose at any time.

        Args:
            language: one of the policy's languages.

        Raises:
            ValueError: the policy has no texts in that language.
        """
        with self._lock:
            now = self.effective_now()
            self._standing.check_language(language)
            policy = self._standing.policy
            if policy is None:
                return ()
            choices = {
                purpose: choice
                for purpose, choice in self._ledger.record.choices.items()
                if purpose not in self._standing.visit
            }
            found = due(choices, policy, self._standing.circumstances, now=now, language=language)
            if self._asked is None and found:
                self._asked = found[0].purpose
            return tuple(item for item in found if item.purpose == self._asked)[:1]

    def choices(self) -> Mapping[str, Choice]:
        """Return what the shopper answered, by purpose; `status` says what follows from it now."""
        with self._lock:
            self._ledger.refresh()
            return dict(self._ledger.record.choices)

    def to_forget(self) -> frozenset[str]:
        """Return the purposes whose data must go: opening a device erases it.

        These are withdrawn or refused ones, those the policy dropped, and those that ran out or
        were made invalid more than `rules.GRACE` after their end; by the settled time, so that a
        clock that jumped by mistake erases nothing.
        """
        with self._lock:
            now = self.settled_now()
            return frozenset(
                purpose
                for purpose, choice in self._ledger.record.choices.items()
                if must_forget(choice, self._standing.policy, purpose, now=now)
            )

    @property
    def must_start_anew(self) -> bool:
        """Whether the shopper is a child now and something was permitted without a guardian."""
        with self._lock:
            self._ledger.refresh()
            return self._standing.about.subject.is_child and any(
                choice.answer.permits and not choice.guardian
                for choice in self._ledger.record.choices.values()
            )

    # --- Time ---

    def effective_now(self) -> datetime:
        """Return the latest moment ever seen here, in UTC: a clock set back changes nothing."""
        with self._lock:
            return self._standing.now()

    def settled_now(self) -> datetime:
        """Return the latest moment that is believed, in UTC: data is erased by this one.

        It is `effective_now` unless the clock jumped far ahead; see `shelfrank.consent.distrust`.
        """
        with self._lock:
            self._standing.now()
            return self._standing.times.settled

    def not_before(self, moment: datetime) -> None:
        """Distrust any earlier time: a signed statement says that `moment` has passed.

        Args:
            moment: aware.
        """
        with self._lock:
            self._standing.move(self._standing.times.signed(in_utc(moment)))

    def seen_at(self, moment: datetime) -> None:
        """Distrust any earlier time: this device's own clock once showed `moment`.

        Unlike a signed statement it is doubted where it is far ahead.

        Args:
            moment: aware.
        """
        with self._lock:
            self._standing.now()
            self._standing.move(self._standing.times.shown(in_utc(moment)))

    # --- Answers ---

    def notice(self, purpose: str, *, language: Language) -> Notice:
        """Write the notice to show before a choice. Changes nothing, and is not consent.

        Args:
            purpose: its id.
            language: one of the policy's languages.

        Raises:
            UnknownPurposeError: the policy declares no such purpose, or there is no policy.
            ValueError: the policy has no texts in that language.
        """
        with self._lock:
            now = self.effective_now()
            policy, declared = self._standing.declared(purpose)
            self._standing.check_language(language)
            notice = write_notice(policy, declared, language, token=self._shown.new_token())
            told = self._standing.about.signals.gpc and declared.area in ADVERTISING
            if told:
                notice = _telling_of_gpc(notice)
            self._shown.add(notice, told_of_gpc=told)
            self._journal.note(Entry(kind="asked", time=now, purpose=purpose, note=language))
            return notice

    def grant(
        self,
        purpose: str,
        *,
        shown: Notice,
        session: bool = False,
        method: Answering = "tap",
        guardian: str | None = None,
    ) -> Receipt:
        """Note that the shopper, having seen the notice, said yes. On the disk when this returns.

        A notice serves one grant; repeating that very grant (a double tap) does nothing more.

        Args:
            purpose: its id.
            shown: the notice that was shown, from `notice` of this object, since the last choice.
            session: for this visit only: in memory, over with `end_visit`, after 30 minutes without
                an event, and with the process. Nothing of it reaches a disk.
            method: how the person said it. Neither a program nor a preset value can.
            guardian: by what the agreement of a minor's guardian can be shown, such as the id of
                a receipt; no name. At most 64 characters.

        Returns:
            The receipt, for the shopper.

        Raises:
            UnknownPurposeError: the policy declares no such purpose, or there is no policy.
            NoticeNotShownError: the notice is for another purpose, was not written by this object,
                was changed, or a choice was made since.
            GuardianMissingError: the shopper is, or may be, too young to say yes alone.
            ConsentError: Global Privacy Control forbids it, or the choice cannot be kept; nothing
                changed.
            ValueError: a method by which no person answers, or a guardian without a word.
        """
        _check_answer(method, guardian)
        with self._writing() as alone:
            now = self.effective_now()
            policy, declared = self._standing.declared(purpose)
            before = self._standing.of(purpose, now)[1]
            again = self._shown.answered(purpose, shown)
            if before.permits and again is not None:
                return again
            self._shown.require(purpose, shown)
            told = self._shown.told_of_gpc(shown)
            self._must_be_open(declared, policy.ages, guardian=guardian, told=told)
            choice = granted(
                before,
                policy,
                declared,
                language=shown.language,
                notice=shown.hash,
                now=now.replace(microsecond=0),
            )
            choice = replace(
                choice,
                method=method,
                receipt=new_id(),
                guardian=guardian or "",
                told_of_gpc=told,
            )
            receipt = self._keeping.receipt(purpose, choice, "granted", visit_only=session)
            receipt = replace(receipt, text=str(shown))
            if session:
                self._standing.begin_visit(purpose, choice)
            else:
                self._keeping.yes(purpose, choice, "granted", receipt, alone=alone)
                self._standing.leave(purpose)
            self._shown.granted(purpose, shown, receipt)
            return receipt

    def refuse(self, purpose: str, *, method: Answering = "tap") -> Withdrawal:
        """Note that the shopper said no; where there was a yes, this withdraws it.

        Args:
            purpose: its id.
            method: how the person said it.

        Raises:
            UnknownPurposeError: the policy declares no such purpose, or there is no policy.
            ValueError: a method by which no person answers.
        """
        _check_answer(method, None)
        with self._lock:
            self._ledger.refresh()
            self._standing.declared(purpose)
        return self._end([purpose], Status.REFUSED, method)

    def withdraw(self, purpose: str, *, method: Answering = "tap") -> Withdrawal:
        """End a purpose, now: first the choice, then what was kept for it.

        Takes no notice and no reason, works without a key, with a full disk and with a broken
        bundle. May be repeated, and does nothing to a purpose that was never given but erase. If
        the record of choices cannot be read or sealed, all choices are made void: the shopper's no
        outweighs the other answers.

        Args:
            purpose: its id.
            method: how the person said it.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
            ValueError: a method by which no person answers.
        """
        _check_answer(method, None)
        with self._lock:
            self._ledger.refresh()
            self._standing.must_know(purpose)
        return self._end([purpose], Status.WITHDRAWN, method)

    def withdraw_all(self, *, method: Answering = "tap") -> Withdrawal:
        """End every purpose, now, as `withdraw` does. There is no call that grants all.

        Args:
            method: how the person said it.

        Raises:
            ValueError: a method by which no person answers.
        """
        _check_answer(method, None)
        with self._lock:
            self._ledger.refresh()
            known = {*self._standing.answered(), *(p.id for p in self._standing.purposes)}
        return self._end(sorted(known), Status.WITHDRAWN, method)

    def pause(self, purpose: str) -> bool:
        """Keep what there is, unused, and keep nothing more (GDPR Art. 18), until `resume`.

        Does nothing to a purpose that is not given. Holds in this process at once.

        Returns:
            Whether it will hold after a restart too; False on a read-only disk.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
        """
        with self._writing():
            self._standing.must_know(purpose)
            return self._keeping.pause(purpose)

    def resume(self, purpose: str) -> None:
        """End a pause. What the pause met stands again, if it did not end meanwhile.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
            ConsentError: it cannot be kept; the pause goes on.
        """
        with self._writing() as alone:
            self._standing.must_know(purpose)
            self._standing.now()  # The record takes the time along.
            kept = self._ledger.record.choices.get(purpose)
            if kept is not None and kept.paused:
                resumed = replace(kept, paused=False)
                self._keeping.yes(purpose, resumed, "resumed", None, alone=alone)
            self._standing.pause_visit(purpose, paused=False)

    def end_visit(self) -> None:
        """End all grants that were for this visit only."""
        with self._lock:
            self._standing.end_visit()

    def still_here(self) -> None:
        """Note a sign of life of this visit: without one for 30 minutes it is over."""
        with self._lock:
            self._standing.still_here()

    def signal(self, signals: Signals) -> None:
        """Take over what the browser or system signals now.

        Switching Global Privacy Control on ends what it forbids; switching it off brings nothing
        back, it only lets the shopper be asked again.
        """
        with self._lock:
            self._standing.about = replace(self._standing.about, signals=signals)
            self._standing.end_what_signals_forbid()
            self._ledger.changed()
        self.keep_house()

    # --- Records ---

    def receipts(self) -> tuple[Receipt, ...]:
        """Return the newest receipts, in order; those of grants for a visit are not kept."""
        with self._lock:
            return self._journal.receipts()

    def journal(self) -> tuple[Entry, ...]:
        """Return the journal, in order; `journal_state` says whether something is missing."""
        with self._lock:
            return self._journal.entries()

    def journal_text(self, language: Language) -> str:
        """Return the journal to read, one line an entry, with what is to be said about it.

        Raises:
            ValueError: a language that is not de, nl or en.
        """
        if language not in LANGUAGES:
            raise ValueError(f"got language {language!r}, wanted one of {', '.join(LANGUAGES)}")
        with self._lock:
            said = describe_journal(self.journal_state, self._journal.gone(), language)
            lines = [describe_entry(entry, language) for entry in self._journal.entries()]
        return "\n".join([said, *lines] if said else lines)

    @property
    def journal_state(self) -> JournalState:
        """Whether the journal is whole, and if not, in which way (`JournalState`)."""
        with self._lock:
            self._ledger.refresh()
            return self._journal.state(self._ledger.record.journal)

    def note(
        self, kind: EntryKind, *, purpose: str = "", counts: Mapping[str, int] | None = None
    ) -> None:
        """Let the journal note something; it is written with the next choice, or by `keep_house`.

        Args:
            kind: what happened.
            purpose: to which purpose, or empty.
            counts: how many of what. Never an item.
        """
        with self._lock:
            self._journal.note(
                Entry(
                    kind=kind, time=self.effective_now(), purpose=purpose, counts=dict(counts or {})
                )
            )

    def count(self, kind: EntryKind, *, purpose: str, what: str) -> None:
        """Count a use or a record: the journal has one entry for them a day."""
        with self._lock:
            if purpose not in self._standing.visit:
                self._journal.count(kind, now=self.effective_now(), purpose=purpose, what=what)

    def keep_house(self) -> None:
        """Put on the disk what time, policy and signals changed; opening a device does so.

        Nothing happens before the first choice, and a disk that refuses is no error.
        """
        with self._writing():
            self._keeping.house()

    def keep_house_daily(self) -> None:
        """Keep house if a day went by since: a device that never closes must not forget time."""
        with self._lock:
            settled = self.settled_now()
            if self._keeping.is_late() or self._journal.counted_before(settled):
                self.keep_house()

    def close(self) -> None:
        """Write the counts that wait for the journal; end the visit."""
        with self._writing():
            if self._ledger.durable:
                self._keeping.write_journal()
            self._standing.end_visit()

    # --- Inside ---

    @contextmanager
    def _writing(self) -> Iterator[bool]:
        """Keep threads and processes out; whether the latter worked."""
        with self._lock, self._ledger.exclusive() as alone:
            self._ledger.refresh()
            yield alone

    def _must_be_open(
        self, purpose: Purpose, ages: Ages, *, guardian: str | None, told: bool
    ) -> None:
        circumstances = self._standing.circumstances
        if needs_guardian(purpose, ages, circumstances) and not guardian:
            raise GuardianMissingError(
                f"grant: purpose {purpose.id!r} takes an adult, or a guardian's agreement",
                minor_age=max(ages.minimum, circumstances.preset.minor_age),
                hint="open the device with subject=Subject(age=…), or pass guardian=",
            )
        if signal_forbids(purpose, circumstances, told=told):
            raise ConsentError(
                f"grant: Global Privacy Control is on and forbids purpose {purpose.id!r}",
                hint="the shopper can switch the signal off; preset=… says where a yes overrides",
            )

    def _end(self, purposes: Sequence[str], answer: Status, method: Answering) -> Withdrawal:
        """Set purposes to no in memory, then on the disk, then erase what was kept for them."""
        with self._writing():
            for purpose in purposes:
                self._shown.forget(purpose)
            durable, receipts = self._keeping.no(purposes, answer, method)
        erased = [self._erase(purpose) for purpose in purposes]
        return Withdrawal(durable=durable, erased=all(erased), receipts=receipts)

    def _erase(self, purpose: str) -> bool:
        try:
            self._on_withdraw(purpose)
        except (ShelfrankError, OSError):
            return False
        return True


def _check_answer(method: str, guardian: object) -> None:
    if method not in ANSWERING:
        known = ", ".join(ANSWERING)
        raise ValueError(f"method is {method!r}, wanted how a person answered: {known}")
    if guardian is None:
        return
    if not isinstance(guardian, str):
        raise TypeError(f"guardian is {type(guardian).__name__}, wanted text")
    if not 0 < len(guardian.strip()) <= len(guardian) <= MAX_GUARDIAN_CHARS:
        raise ValueError(
            f"guardian has {len(guardian)} characters, wanted 1 to {MAX_GUARDIAN_CHARS}"
        )


def _telling_of_gpc(notice: Notice) -> Notice:
    """Return the notice with a sentence about the signal, and the hash of all its words."""
    detail = f"{notice.detail} {GPC_NOTICE[notice.language]}"
    hashed = sha256(f"{notice.hash}\n{detail}".encode()).hexdigest()
    return replace(notice, detail=detail, hash=hashed)
