"""How every purpose stands at a moment, from all there is to know. Writes nothing.

It joins the record of choices, the grants for this visit, policy, circumstances and time;
`shelfrank.consent.engine` is what apps use, and holds the lock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shelfrank.consent.distrust import Times
from shelfrank.consent.journal import Entry
from shelfrank.consent.limits import tightened
from shelfrank.consent.permission import blocked, gpc_status, signal_forbids
from shelfrank.consent.purposes import in_utc
from shelfrank.consent.rules import Status, status_of
from shelfrank.errors import UnknownPurposeError
from shelfrank.types import LANGUAGES, VISIT_GAP

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank.consent.journal import Journal
    from shelfrank.consent.ledger import Ledger
    from shelfrank.consent.permission import Block, Circumstances
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose
    from shelfrank.consent.rules import Choice, Record
    from shelfrank.consent.signals import GpcStatus
    from shelfrank.types import Clock, Language

# Clocks are corrected by minutes and zones by hours; whoever sets one back by a day meant to.
BACK: Final = timedelta(days=1)


class Standing:
    """What holds now.

    Args:
        policy: the policy offered, or None.
        ledger: holds the record of choices.
        clock: the device's.
        circumstances: law, signals and shopper.
        journal: told when the clock comes into doubt, and when it is confirmed.

    Attributes:
        offered: the policy offered, tightened by the preset; `policy` is the one that counts.
        about: law, signals and shopper.
        times: what is known of the time.
        visit: grants for this visit only.
        visits_over: how many visits with such grants have ended.
    """

    def __init__(
        self,
        policy: Policy | None,
        ledger: Ledger,
        clock: Clock,
        circumstances: Circumstances,
        journal: Journal,
    ) -> None:
        self.offered = None if policy is None else tightened(policy, circumstances.preset)
        self.about = circumstances
        self.visit: dict[str, Choice] = {}
        self.visits_over = 0
        self._ledger = ledger
        self._clock = clock
        self._journal = journal
        record = ledger.record
        self.times = Times(
            settled=record.clock, seen=record.seen or record.clock, doubt=record.doubt
        )
        self._looked = False
        self._told_of_clock = False
        self._visit_alive = record.clock

    # --- Policy ---

    @property
    def policy(self) -> Policy | None:
        """The policy, unless it is older than one that was in force here."""
        return None if self.is_older_policy() else self.offered

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """Those of the policy that counts."""
        return () if self.policy is None else self.policy.purposes

    @property
    def circumstances(self) -> Circumstances:
        """Law, signals, shopper, and whether the clock is in doubt."""
        return replace(self.about, doubt=self.times.doubt)

    def is_older_policy(self) -> bool:
        """Whether the policy offered is older than one that was in force here."""
        if self.offered is None:
            return False
        highest = self._ledger.record.policies.get(self.offered.id, self.offered.version)
        return self.offered.version < highest

    def has_newer_policy(self) -> bool:
        """Whether the policy offered has not been noted on the disk yet."""
        if self.offered is None or self.is_older_policy():
            return False
        return self._ledger.record.policies.get(self.offered.id) != self.offered.version

    def declared(self, purpose: str) -> tuple[Policy, Purpose]:
        """Return the policy that counts and its purpose of that id; UnknownPurposeError."""
        policy = self.policy
        if policy is not None:
            return policy, policy.purpose(purpose)
        if self.offered is not None:
            raise UnknownPurposeError(
                f"got purpose {purpose!r}, but version {self.offered.version} of the policy is "
                "older than one that was in force here",
                hint="bring the newer policy, or publish the old one under a higher version",
            )
        raise UnknownPurposeError(
            f"got purpose {purpose!r}, but no policy is in force",
            hint="open the device with a bundle that carries a policy, or with policy=",
        )

    def must_know(self, purpose: str) -> None:
        """Refuse a purpose that nobody declared, unless nobody could tell; UnknownPurposeError."""
        unknown = purpose not in self.answered()
        # Without a policy or a record nobody can tell what is a purpose, and a no must never fail.
        if unknown and self.policy is not None and self._ledger.readable:
            self.declared(purpose)

    def check_language(self, language: Language) -> None:
        """Refuse a language without texts; ValueError."""
        known = LANGUAGES if self.policy is None else self.policy.languages
        if language not in known:
            raise ValueError(f"got language {language!r}, wanted one of {', '.join(known)}")

    # --- Purposes ---

    def answered(self) -> set[str]:
        """Return the purposes with an answer, on the disk or for this visit."""
        return {*self._ledger.record.choices, *self.visit}

    def of(self, purpose: str, now: datetime) -> tuple[Choice | None, Status]:
        """Return the answer that counts, and how the purpose stands by it."""
        visiting = self.visit.get(purpose)
        if visiting is not None:
            status = status_of(visiting, self.policy, purpose, now=now)
            if status.permits:
                return visiting, status
        choice = self._ledger.record.choices.get(purpose)
        status = status_of(choice, self.policy, purpose, now=now)
        if status.permits and choice is not None and self.was_away(choice, now):
            status = Status.EXPIRED
        return choice, status

    def was_away(self, choice: Choice, now: datetime) -> bool:
        """Whether the device was not in use for so long that the preset wants a new answer."""
        days = self.about.preset.refresh_after_days
        clock = self._ledger.record.clock
        return days is not None and choice.at <= clock and now - clock >= timedelta(days=days)

    def why_not(self, purpose: str, now: datetime) -> Block | None:
        """Return why a purpose permits nothing, or None if it does."""
        choice, status = self.of(purpose, now)
        policy = self.policy
        if choice is None or policy is None or not status.permits:
            return self.no_answer()
        return blocked(choice, policy.purpose(purpose), policy.ages, self.circumstances)

    def no_answer(self) -> Block:
        """Return why there is no yes in force."""
        return "policy_older" if self.is_older_policy() else "no_consent"

    def gpc(self, now: datetime) -> GpcStatus:
        """Return what becomes of Global Privacy Control."""
        given = [
            (purpose, choice)
            for purpose in self.purposes
            for choice, status in [self.of(purpose.id, now)]
            if choice is not None and status.permits
        ]
        return gpc_status(given, self.circumstances)

    # --- Time ---

    def now(self) -> datetime:
        """Look at the clock, and at what other processes did; return the latest moment seen."""
        self._ledger.refresh()
        now = in_utc(self._clock.now())
        record = self._ledger.record
        if not self.answered():
            # Nothing was permitted yet: there is nothing that a wrong clock could end or prolong.
            settled = max(self.times.settled, now)
            self.move(Times(settled=settled, seen=max(self.times.seen, settled)))
        elif not self._looked:
            self.move(self.times.shown_in_a_new_session(now))
        else:
            self.move(self.times.shown(now))
        self._looked = True
        if self.times.seen - now >= BACK and not self._told_of_clock:
            self._told_of_clock = True
            if record.choices:
                self._journal.note(Entry(kind="clock_suspicious", time=self.times.seen))
        if record.clock > self.times.settled:
            self.move(self.times.signed(record.clock))
        if self.visit and self.times.seen - self._visit_alive >= VISIT_GAP:
            self.end_visit()
        return self.times.seen

    def move(self, times: Times) -> None:
        """Take over what is known of the time."""
        before, self.times = self.times.doubt, times
        if not self._ledger.record.choices:
            return
        if before is None and times.doubt is not None:
            self._journal.note(Entry(kind="clock_suspicious", time=times.seen))
        if before is not None and times.doubt is None:
            self._journal.note(Entry(kind="clock_confirmed", time=times.seen))

    # --- This visit ---

    def begin_visit(self, purpose: str, choice: Choice) -> None:
        """Let a grant hold for this visit."""
        self.visit[purpose] = choice
        self._visit_alive = self.times.seen
        self._ledger.changed()

    def leave(self, purpose: str) -> Choice | None:
        """End the grant of one purpose for this visit, and return it if there was one."""
        choice = self.visit.pop(purpose, None)
        if choice is not None:
            self.visits_over += not self.visit
            self._ledger.changed()
        return choice

    def end_visit(self) -> None:
        """End all grants for this visit."""
        if self.visit:
            self.visit.clear()
            self.visits_over += 1
            self._ledger.changed()

    def end_what_signals_forbid(self) -> None:
        """End the grants for this visit that Global Privacy Control forbids, for good."""
        for purpose in self.purposes:
            choice = self.visit.get(purpose.id)
            if choice is not None and signal_forbids(
                purpose, self.circumstances, told=choice.told_of_gpc
            ):
                self.leave(purpose.id)

    def still_here(self) -> None:
        """Note a sign of life of this visit."""
        self._visit_alive = self.now()

    def pause_visit(self, purpose: str, *, paused: bool) -> None:
        """Pause or resume a grant for this visit, if there is one."""
        choice = self.visit.get(purpose)
        if choice is not None and choice.paused is not paused:
            self.visit[purpose] = replace(choice, paused=paused)
            self._ledger.changed()

    def record_marked(self, record: Record, policies: int) -> Record:
        """Return the record with the time, and the policy as one that was in force here.

        Args:
            record: of the choices.
            policies: at most so many are remembered.
        """
        known = dict(record.policies)
        if self.offered is not None and not self.is_older_policy():
            known[self.offered.id] = self.offered.version
            others = [name for name in sorted(known) if name != self.offered.id]
            for name in others[: max(0, len(known) - policies)]:
                del known[name]
        return replace(record.at_times(self.times), policies=known)
