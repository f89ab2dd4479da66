"""Consent on one device: show a notice, grant, refuse, withdraw, and ask what is permitted now.

Nothing here makes consent out of behaviour: the one way to permission is `Consent.grant` with the
notice that this very object wrote. What cannot be read, found or recognised permits nothing.
"""

from __future__ import annotations

import secrets
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from threading import RLock
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.consent.asking import MAX_NOTICES_SHOWN, ShownNotices
from shelfrank.consent.distrust import Times
from shelfrank.consent.journal import Entry, Journal, MemoryJournalStore
from shelfrank.consent.ledger import Ledger
from shelfrank.consent.limits import STRICTEST, Preset, tightened
from shelfrank.consent.notice import Notice, write_notice
from shelfrank.consent.overview import PurposeOverview, overview_of
from shelfrank.consent.pending import Pending, due
from shelfrank.consent.permission import (
    ADVERTISING,
    Block,
    Circumstances,
    blocked,
    gpc_status,
    needs_guardian,
    signal_forbids,
)
from shelfrank.consent.phrases import GPC_NOTICE, describe_entry, describe_journal
from shelfrank.consent.purposes import in_utc
from shelfrank.consent.receipts import Asked, Receipt
from shelfrank.consent.record import MAX_GUARDIAN_CHARS, MAX_POLICIES
from shelfrank.consent.rules import (
    ANSWERING,
    Answering,
    Choice,
    Status,
    granted,
    must_forget,
    status_of,
)
from shelfrank.consent.signals import Signals
from shelfrank.consent.subject import Subject
from shelfrank.errors import (
    ConsentError,
    GuardianMissingError,
    ShelfrankError,
    UnknownPurposeError,
)
from shelfrank.types import LANGUAGES, VISIT_GAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from shelfrank.consent.journal import EntryKind, JournalState, JournalStore
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose
    from shelfrank.consent.receipts import ReceiptEvent
    from shelfrank.consent.rules import Record
    from shelfrank.consent.signals import GpcStatus
    from shelfrank.consent.store import ChoiceStore
    from shelfrank.types import Clock, Language

__all__ = ["MAX_NOTICES_SHOWN", "Consent", "Notice", "Status", "Withdrawal"]

# Moving the clock mark costs one write; within a day no retention or validity, which count in days,
# can be stretched by more than that day.
CLOCK_STEP: Final = timedelta(days=1)

_RECEIPTS: Final[Mapping[Status, ReceiptEvent]] = {
    Status.REFUSED: "refused",
    Status.WITHDRAWN: "withdrawn",
}


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
        self._about = circumstances or Circumstances(
            preset=STRICTEST, signals=Signals(), subject=Subject()
        )
        self._offered = None if policy is None else tightened(policy, self._about.preset)
        self._clock = clock
        self._on_withdraw = on_withdraw
        self._lock = RLock()
        self._shown = ShownNotices()
        self._ledger = Ledger(store)
        self._journal = Journal(journal or MemoryJournalStore(), _new_id())
        record = self._ledger.record
        self._times = Times(
            settled=record.clock, seen=record.seen or record.clock, doubt=record.doubt
        )
        self._looked = False
        # Grants for this visit only, and when the visit last showed a sign of life.
        self._visit: dict[str, Choice] = {}
        self._visit_alive = record.clock
        self._told_of_policy = False
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
            self._ledger.refresh()
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
        return self._about.preset

    @property
    def gpc(self) -> GpcStatus:
        """What becomes of Global Privacy Control: ``none``, ``applied`` or ``overridden``."""
        with self._lock:
            now = self.effective_now()
            return self._gpc(now)

    def status(self, purpose: str) -> Status:
        """Return how a purpose stands now; `why_not` says what else may keep it from counting.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
        """
        with self._lock:
            now = self.effective_now()
            if purpose not in self._ledger.record.choices and self._policy is not None:
                self._declared(purpose)
            return self._standing(purpose, now)[1]

    def given(self) -> frozenset[str]:
        """Return the purposes that permit keeping and using data at this moment."""
        with self._lock:
            now = self.effective_now()
            return frozenset(p for p in self._answered() if self._why_not(p, now) is None)

    def visiting(self) -> frozenset[str]:
        """Return those of `given` whose yes is for this visit: nothing of them may reach a disk."""
        with self._lock:
            return frozenset(p for p in self.given() if p in self._visit)

    def why_not(self, purpose: str) -> Block | None:
        """Return why a purpose permits nothing at this moment, or None if it does."""
        with self._lock:
            return self._why_not(purpose, self.effective_now())

    def why_nothing(self) -> Block | None:
        """Return the best reason why no purpose permits anything, or None if one does."""
        with self._lock:
            now = self.effective_now()
            reasons = [self._why_not(purpose, now) for purpose in sorted(self._answered())]
            if None in reasons:
                return None
            told = [reason for reason in reasons if reason not in {None, "no_consent"}]
            return told[0] if told else self._no_answer()

    def overview(self, *, language: Language) -> tuple[PurposeOverview, ...]:
        """Return how every purpose stands: those of the policy, and those it dropped.

        Args:
            language: one of the policy's languages.

        Raises:
            ValueError: the policy has no texts in that language.
        """
        with self._lock:
            now = self.effective_now()
            policy = self._policy
            self._check_language(language)
            declared = () if policy is None else tuple(p.id for p in policy.purposes)
            dropped = sorted(self._answered() - set(declared))
            found = []
            for purpose in (*declared, *dropped):
                choice, status = self._standing(purpose, now)
                found.append(
                    overview_of(
                        purpose,
                        choice=choice,
                        status=status,
                        blocked=self._why_not(purpose, now),
                        visit_only=purpose in self._visit and status.permits,
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
            self._check_language(language)
            policy = self._policy
            if policy is None:
                return ()
            choices = {
                purpose: choice
                for purpose, choice in self._ledger.record.choices.items()
                if purpose not in self._visit
            }
            found = due(choices, policy, self._circumstances, now=now, language=language)
            if self._asked is None and found:
                self._asked = found[0].purpose
            return tuple(item for item in found if item.purpose == self._asked)[:1]

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
                if must_forget(choice, self._policy, purpose, now=now)
            )

    @property
    def must_start_anew(self) -> bool:
        """Whether the shopper is a child now and something was permitted without a guardian."""
        with self._lock:
            self._ledger.refresh()
            return self._about.subject.is_child and any(
                choice.answer.permits and not choice.guardian
                for choice in self._ledger.record.choices.values()
            )

    # --- Time ---

    def effective_now(self) -> datetime:
        """Return the latest moment ever seen here, in UTC: a clock set back changes nothing."""
        with self._lock:
            self._look()
            return self._times.seen

    def settled_now(self) -> datetime:
        """Return the latest moment that is believed, in UTC: data is erased by this one.

        It is `effective_now` unless the clock jumped far ahead; see `shelfrank.consent.distrust`.
        """
        with self._lock:
            self._look()
            return self._times.settled

    def not_before(self, moment: datetime) -> None:
        """Distrust any earlier time: a signed statement says that `moment` has passed.

        Args:
            moment: aware.
        """
        with self._lock:
            self._move(self._times.signed(in_utc(moment)))

    def seen_at(self, moment: datetime) -> None:
        """Distrust any earlier time: this device's own clock once showed `moment`.

        Unlike a signed statement it is doubted where it is far ahead.

        Args:
            moment: aware.
        """
        with self._lock:
            self._look()
            self._move(self._times.shown(in_utc(moment)))

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
            policy, declared = self._declared(purpose)
            self._check_language(language)
            notice = write_notice(policy, declared, language, token=self._shown.new_token())
            told = self._about.signals.gpc and declared.area in ADVERTISING
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
            policy, declared = self._declared(purpose)
            before = self._standing(purpose, now)[1]
            again = self._shown.answered(purpose, shown)
            if before.permits and again is not None:
                return again
            self._shown.require(purpose, shown)
            told = self._shown.told_of_gpc(shown)
            self._must_be_open(declared, guardian=guardian, told=told)
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
                receipt=_new_id(),
                guardian=guardian or "",
                told_of_gpc=told,
            )
            receipt = replace(
                self._receipt(purpose, choice, "granted", visit_only=session), text=str(shown)
            )
            if session:
                self._visit[purpose] = choice
                self._visit_alive = now
                self._ledger.changed()
            else:
                self._keep(purpose, choice, "granted", receipt, alone=alone)
                self._visit.pop(purpose, None)
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
            self._declared(purpose)
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
            self._must_know(purpose)
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
            known = {*self._answered(), *(p.id for p in self._purposes())}
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
            self._must_know(purpose)
            return self._set_paused(purpose)

    def resume(self, purpose: str) -> None:
        """End a pause. What the pause met stands again, if it did not end meanwhile.

        Raises:
            UnknownPurposeError: neither the policy nor the record of choices knows such a purpose.
            ConsentError: it cannot be kept; the pause goes on.
        """
        with self._writing() as alone:
            self._must_know(purpose)
            self.effective_now()  # The record takes the time along.
            visiting, kept = self._visit.get(purpose), self._ledger.record.choices.get(purpose)
            if kept is not None and kept.paused:
                choice = replace(kept, paused=False)
                self._keep(purpose, choice, "resumed", None, alone=alone)
            if visiting is not None and visiting.paused:
                self._visit[purpose] = replace(visiting, paused=False)
                self._ledger.changed()

    def end_visit(self) -> None:
        """End all grants that were for this visit only."""
        with self._lock:
            if self._visit:
                self._visit.clear()
                self._ledger.changed()

    def still_here(self) -> None:
        """Note a sign of life of this visit: without one for 30 minutes it is over."""
        with self._lock:
            self._visit_alive = self.effective_now()

    def signal(self, signals: Signals) -> None:
        """Take over what the browser or system signals now.

        Switching Global Privacy Control on ends what it forbids; switching it off brings nothing
        back, it only lets the shopper be asked again.
        """
        with self._lock:
            self._about = replace(self._about, signals=signals)
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
            if purpose not in self._visit:
                self._journal.count(kind, now=self.effective_now(), purpose=purpose, what=what)

    def keep_house(self) -> None:
        """Put on the disk what time, policy and signals changed; opening a device does so.

        Nothing happens before the first choice, and a disk that refuses is no error.
        """
        with self._writing():
            now = self.effective_now()
            record = self._ledger.record
            if not record.choices:
                return
            self._note_policy()
            tidy = self._after_a_long_absence(self._without_what_signals_end(record, now), now)
            self._note_ends(tidy)
            tidy = self._noting_the_signal(tidy, now)
            stale = self._times.settled - record.clock >= CLOCK_STEP
            times = (record.doubt is None) != (self._times.doubt is None)
            if tidy is record and not stale and not times and not self._has_newer_policy(record):
                self._write_journal()
                return
            self._ledger_keeps(self._marked(tidy))
            self._write_journal()

    def keep_house_daily(self) -> None:
        """Keep house if a day went by since: a device that never closes must not forget time."""
        with self._lock:
            settled = self.settled_now()
            late = settled - self._ledger.record.clock >= CLOCK_STEP
            if late or self._journal.counted_before(settled):
                self.keep_house()

    def close(self) -> None:
        """Write the counts that wait for the journal; end the visit."""
        with self._writing():
            if self._ledger.record.choices and self._ledger.durable:
                self._write_journal()
            self.end_visit()

    # --- Inside ---

    @contextmanager
    def _writing(self) -> Iterator[bool]:
        """Keep threads and processes out; whether the latter worked."""
        with self._lock, self._ledger.exclusive() as alone:
            self._ledger.refresh()
            yield alone

    @property
    def _policy(self) -> Policy | None:
        """The policy, unless it is older than one that was in force here."""
        return None if self._is_older_policy() else self._offered

    @property
    def _circumstances(self) -> Circumstances:
        return replace(self._about, doubt=self._times.doubt)

    def _is_older_policy(self) -> bool:
        if self._offered is None:
            return False
        highest = self._ledger.record.policies.get(self._offered.id, self._offered.version)
        return self._offered.version < highest

    def _has_newer_policy(self, record: Record) -> bool:
        if self._offered is None or self._is_older_policy():
            return False
        return record.policies.get(self._offered.id) != self._offered.version

    def _purposes(self) -> tuple[Purpose, ...]:
        return () if self._policy is None else self._policy.purposes

    def _answered(self) -> set[str]:
        return {*self._ledger.record.choices, *self._visit}

    def _no_answer(self) -> Block:
        return "policy_older" if self._is_older_policy() else "no_consent"

    def _declared(self, purpose: str) -> tuple[Policy, Purpose]:
        policy = self._policy
        if policy is not None:
            return policy, policy.purpose(purpose)
        if self._offered is not None:
            raise UnknownPurposeError(
                f"got purpose {purpose!r}, but version {self._offered.version} of the policy is "
                "older than one that was in force here",
                hint="bring the newer policy, or publish the old one under a higher version",
            )
        raise UnknownPurposeError(
            f"got purpose {purpose!r}, but no policy is in force",
            hint="open the device with a bundle that carries a policy, or with policy=",
        )

    def _must_know(self, purpose: str) -> None:
        unknown = purpose not in self._answered()
        # Without a policy or a record nobody can tell what is a purpose, and a no must never fail.
        if unknown and self._policy is not None and self._ledger.readable:
            self._declared(purpose)

    def _check_language(self, language: Language) -> None:
        known = LANGUAGES if self._policy is None else self._policy.languages
        if language not in known:
            raise ValueError(f"got language {language!r}, wanted one of {', '.join(known)}")

    def _must_be_open(self, purpose: Purpose, *, guardian: str | None, told: bool) -> None:
        if needs_guardian(purpose, self._circumstances) and not guardian:
            raise GuardianMissingError(
                f"grant: purpose {purpose.id!r} takes an adult, or a guardian's agreement",
                minor_age=self._about.preset.minor_age,
                hint="open the device with subject=Subject(age=…), or pass guardian=",
            )
        if signal_forbids(purpose, self._circumstances, told=told):
            raise ConsentError(
                f"grant: Global Privacy Control is on and forbids purpose {purpose.id!r}",
                hint="the shopper can switch the signal off; preset=… says where a yes overrides",
            )

    def _standing(self, purpose: str, now: datetime) -> tuple[Choice | None, Status]:
        """Return the answer that counts, and how the purpose stands by it."""
        visiting = self._visit.get(purpose)
        if visiting is not None:
            status = status_of(visiting, self._policy, purpose, now=now)
            if status.permits:
                return visiting, status
        choice = self._ledger.record.choices.get(purpose)
        status = status_of(choice, self._policy, purpose, now=now)
        if status.permits and choice is not None and self._was_away(choice, now):
            status = Status.EXPIRED
        return choice, status

    def _was_away(self, choice: Choice, now: datetime) -> bool:
        """Whether the device was not in use for so long that the preset wants a new answer."""
        days = self._about.preset.refresh_after_days
        clock = self._ledger.record.clock
        return days is not None and choice.at <= clock and now - clock >= timedelta(days=days)

    def _why_not(self, purpose: str, now: datetime) -> Block | None:
        choice, status = self._standing(purpose, now)
        if choice is None or not status.permits:
            return self._no_answer()
        declared = next((p for p in self._purposes() if p.id == purpose), None)
        if declared is None:
            return self._no_answer()
        return blocked(choice, declared, self._circumstances)

    def _gpc(self, now: datetime) -> GpcStatus:
        standing = {p: self._standing(p.id, now) for p in self._purposes()}
        given = {p: c for p, (c, status) in standing.items() if c is not None and status.permits}
        return gpc_status(list(given.items()), self._circumstances)

    # Time

    def _look(self) -> None:
        """Look at the clock, and at what other processes saw."""
        self._ledger.refresh()
        now = in_utc(self._clock.now())
        record = self._ledger.record
        if not self._answered():
            # Nothing was permitted yet: there is nothing that a wrong clock could end or prolong.
            settled = max(self._times.settled, now)
            self._move(Times(settled=settled, seen=max(self._times.seen, settled)))
        elif not self._looked:
            self._move(self._times.shown_in_a_new_session(now))
        else:
            self._move(self._times.shown(now))
        self._looked = True
        if record.clock > self._times.settled:
            self._move(self._times.signed(record.clock))
        if self._visit and self._times.seen - self._visit_alive >= VISIT_GAP:
            self.end_visit()

    def _move(self, times: Times) -> None:
        before, self._times = self._times.doubt, times
        if not self._ledger.record.choices:
            return
        if before is None and times.doubt is not None:
            self._journal.note(Entry(kind="clock_suspicious", time=times.seen))
        if before is not None and times.doubt is None:
            self._journal.note(Entry(kind="clock_confirmed", time=times.seen))

    # Writing

    def _marked(self, record: Record) -> Record:
        """Return the record with what must not be forgotten beside the choices."""
        policies = dict(record.policies)
        if self._offered is not None and not self._is_older_policy():
            policies[self._offered.id] = self._offered.version
            others = [name for name in sorted(policies) if name != self._offered.id]
            for name in others[: max(0, len(policies) - MAX_POLICIES)]:
                del policies[name]
        mark = self._journal.next_mark()
        return replace(
            record.at_times(self._times), policies=policies, journal=mark if mark.number else None
        )

    def _keep(
        self,
        purpose: str,
        choice: Choice,
        kind: EntryKind,
        receipt: Receipt | None,
        *,
        alone: bool,
    ) -> None:
        """Put a yes on the disk, then let it hold; ConsentError if it cannot be kept."""
        if not alone:
            raise ConsentError(
                "the choice cannot be kept, so nothing changed: another process is writing",
                hint="try again",
            )
        now, waiting = self._times.seen, len(self._journal)
        self._journal.note(
            Entry(kind=kind, time=now, purpose=purpose, method=choice.method), receipt
        )
        record = self._ledger.record.with_choice(purpose, choice, now=self._times.settled)
        try:
            self._ledger.keep_or_raise(self._marked(record))
        except ConsentError:
            self._journal.forget_since(waiting)
            raise
        self._write_journal()

    def _ledger_keeps(self, record: Record) -> None:
        """Keep a record that permits no more than the present one, as far as the disk lets us."""
        if record.choices == self._ledger.record.choices:
            self._ledger.keep(record)
        else:
            self._ledger.hold(record, or_void=False)

    def _write_journal(self) -> None:
        """Put on the disk what the journal has to say, once there is a choice."""
        if self._ledger.record.choices:
            self._journal.write()

    def _end(self, purposes: Sequence[str], answer: Status, method: Answering) -> Withdrawal:
        """Set purposes to no in memory, then on the disk, then erase what was kept for them."""
        with self._writing():
            receipts = []
            record = self._ledger.record
            for purpose in purposes:
                self._shown.forget(purpose)
                record, receipt = self._with_no(record, purpose, answer, method)
                if receipt is not None:
                    receipts.append(receipt)
            if record is not self._ledger.record:
                record = self._marked(record)
            durable = self._ledger.hold(record)
            if receipts:
                self._write_journal()
        erased = [self._erase(purpose) for purpose in purposes]
        return Withdrawal(durable=durable, erased=all(erased), receipts=tuple(receipts))

    def _with_no(
        self, record: Record, purpose: str, answer: Status, method: Answering
    ) -> tuple[Record, Receipt | None]:
        """Return the record with a no, and its receipt; the same one if there was no yes."""
        now = self.effective_now()
        visiting = self._visit.pop(purpose, None)
        if visiting is not None:
            self._ledger.changed()
        before = record.choices.get(purpose)
        if before is not None and before.answer.permits:
            answer = Status.WITHDRAWN
        elif before is not None or answer is Status.WITHDRAWN:
            if visiting is None:
                return record, None
            ended = replace(visiting, answer=Status.WITHDRAWN, until=None, receipt=_new_id())
            return record, self._receipt(purpose, ended, "withdrawn", visit_only=True)
        choice = Choice(
            answer=answer, at=now.replace(microsecond=0), method=method, receipt=_new_id()
        )
        event = _RECEIPTS[answer]
        receipt = self._receipt(purpose, choice, event)
        self._journal.note(Entry(kind=event, time=now, purpose=purpose, method=method), receipt)
        return record.with_choice(purpose, choice, now=self._times.settled), receipt

    def _set_paused(self, purpose: str) -> bool:
        now = self.effective_now()
        visiting, kept = self._visit.get(purpose), self._ledger.record.choices.get(purpose)
        if visiting is not None and not visiting.paused:
            self._visit[purpose] = replace(visiting, paused=True)
            self._ledger.changed()
        if kept is None or not kept.answer.permits or (kept.paused and self._ledger.durable):
            return True
        if not kept.paused:
            self._journal.note(Entry(kind="paused", time=now, purpose=purpose))
        choice = replace(kept, paused=True)
        record = self._ledger.record.with_choice(purpose, choice, now=self._times.settled)
        durable = self._ledger.hold(self._marked(record), or_void=False)
        self._write_journal()
        return durable

    def _erase(self, purpose: str) -> bool:
        try:
            self._on_withdraw(purpose)
        except (ShelfrankError, OSError):
            return False
        return True

    # Housekeeping

    def _without_what_signals_end(self, record: Record, now: datetime) -> Record:
        """Return the record without the yeses that Global Privacy Control ends, for good."""
        for purpose in self._purposes():
            choice = record.choices.get(purpose.id)
            if choice is None or not status_of(choice, self._policy, purpose.id, now=now).permits:
                continue
            if signal_forbids(purpose, self._circumstances, told=choice.told_of_gpc):
                over = now.replace(microsecond=0)
                ended = replace(choice, ended="gpc", until=over)
                record = record.with_choice(purpose.id, ended, now=self._times.settled)
                self._journal.note(
                    Entry(kind="invalidated", time=now, purpose=purpose.id, method="gpc")
                )
        return record

    def _after_a_long_absence(self, record: Record, now: datetime) -> Record:
        """Return the record with an end to what the preset wants answered anew."""
        for purpose, choice in record.choices.items():
            if choice.until is not None and self._was_away(choice, now):
                days = timedelta(days=self._about.preset.refresh_after_days or 0)
                end = min(choice.until, self._ledger.record.clock + days)
                # In doubt, the end stays what the clock will be found to say.
                if self._times.doubt is None and end < choice.until:
                    choices = {**record.choices, purpose: replace(choice, until=end)}
                    record = replace(record, choices=choices)
        return record

    def _noting_the_signal(self, record: Record, now: datetime) -> Record:
        status = self._gpc(now)
        if status == record.gpc:
            return record
        self._journal.note(Entry(kind="signal_changed", time=now, note=status))
        return replace(record, gpc=status)

    def _note_policy(self) -> None:
        """Let the journal say, once a session, what became of the policy."""
        if self._told_of_policy or self._offered is None:
            return
        self._told_of_policy = True
        known = self._ledger.record.policies.get(self._offered.id)
        kind: EntryKind | None = None
        if self._is_older_policy():
            kind = "policy_refused"
        elif known is not None and known != self._offered.version:
            kind = "policy_changed"
        if kind is not None:
            note = f"{self._offered.id} {self._offered.version}"
            self._journal.note(Entry(kind=kind, time=self._times.seen, note=note))

    def _note_ends(self, record: Record) -> None:
        """Let the journal say which grants time or policy ended, once each."""
        for purpose, choice in record.choices.items():
            status = status_of(choice, self._policy, purpose, now=self._times.settled)
            if status is Status.EXPIRED:
                self._note_end("expired", purpose, "expiry")
            elif status is Status.INVALIDATED and not choice.ended and self._policy is not None:
                self._note_end("invalidated", purpose, "policy_change")

    def _note_end(
        self,
        kind: Literal["expired", "invalidated"],
        purpose: str,
        method: Literal["expiry", "policy_change"],
    ) -> None:
        told: set[EntryKind] = {"granted", "expired", "invalidated", "journal_restarted"}
        entries = self._journal.entries()
        last = [e.kind for e in entries if e.purpose == purpose and e.kind in told][-1:]
        if last != [kind]:
            self._journal.note(
                Entry(kind=kind, time=self._times.seen, purpose=purpose, method=method)
            )

    def _receipt(
        self, purpose: str, choice: Choice, event: ReceiptEvent, *, visit_only: bool = False
    ) -> Receipt:
        declared = next((p for p in self._purposes() if p.id == purpose), None)
        until = None if choice.until is None or visit_only else _minute(choice.until)
        return Receipt(
            id=choice.receipt,
            person=_new_id() if visit_only else self._journal.person,
            event=event,
            status=choice.answer,
            purpose=purpose,
            time=_minute(self._times.seen),
            until=until,
            visit_only=visit_only,
            method=choice.method,
            language=choice.language,
            notice=choice.notice,
            guardian=choice.guardian,
            told_of_gpc=choice.told_of_gpc,
            asked=None if declared is None else self._asked_by(declared),
        )

    def _asked_by(self, purpose: Purpose) -> Asked | None:
        policy = self._policy
        if policy is None:
            return None
        return Asked(
            area=purpose.area,
            use_case=purpose.use_case,
            surfaces=purpose.surfaces,
            contexts=tuple(getattr(purpose, "contexts", ())),
            kinds=purpose.kinds,
            fields=tuple(f"{kept.name}:{kept.origin}" for kept in purpose.fields),
            granularity=purpose.granularity,
            retention_days=purpose.retention_days,
            controllers=policy.controllers,
            policy=f"{policy.id} {policy.version}",
            presets=self._about.preset.ids,
        )


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


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _new_id() -> str:
    """Return a random id; it says nothing about device, shopper or time."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
