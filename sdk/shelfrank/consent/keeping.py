"""Putting choices on the disk, with what goes along: receipts, the journal, marks of time.

`shelfrank.consent.engine` is what apps use, and holds the locks.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from shelfrank.consent.journal import Entry
from shelfrank.consent.permission import signal_forbids
from shelfrank.consent.receipts import Asked, Receipt
from shelfrank.consent.record import MAX_POLICIES
from shelfrank.consent.rules import Choice, Status, status_of
from shelfrank.consent.vocabulary import field_terms, purpose_terms
from shelfrank.errors import ConsentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from shelfrank.consent.journal import EntryKind, Journal
    from shelfrank.consent.ledger import Ledger
    from shelfrank.consent.purposes import Purpose
    from shelfrank.consent.receipts import ReceiptEvent
    from shelfrank.consent.rules import Answering, Record
    from shelfrank.consent.standing import Standing

# Moving the clock mark costs one write; within a day no retention or validity, which count in days,
# can be stretched by more than that day.
CLOCK_STEP: Final = timedelta(days=1)

_NOES: Final[Mapping[Status, Literal["refused", "withdrawn"]]] = {
    Status.REFUSED: "refused",
    Status.WITHDRAWN: "withdrawn",
}
_ENDS: Final[frozenset[EntryKind]] = frozenset(
    {"granted", "expired", "invalidated", "journal_restarted"}
)


class Keeping:
    """Writes to the record of choices and to the journal.

    Args:
        ledger: holds the record.
        standing: what holds now.
        journal: of this device.
    """

    def __init__(self, ledger: Ledger, standing: Standing, journal: Journal) -> None:
        self._ledger = ledger
        self._standing = standing
        self._journal = journal
        self._told_of_policy = False

    # --- Choices ---

    def yes(
        self,
        purpose: str,
        choice: Choice,
        kind: Literal["granted", "resumed"],
        receipt: Receipt | None,
        *,
        alone: bool,
    ) -> None:
        """Put what permits on the disk, then let it hold; ConsentError if it cannot be kept.

        Args:
            purpose: its id.
            choice: a yes.
            kind: what the journal says.
            receipt: goes along.
            alone: no other process can write meanwhile.
        """
        if not alone:
            raise ConsentError(
                "the choice cannot be kept, so nothing changed: another process is writing",
                hint="try again",
            )
        times, waiting = self._standing.times, len(self._journal)
        self._journal.note(
            Entry(kind=kind, time=times.seen, purpose=purpose, method=choice.method), receipt
        )
        record = self._ledger.record.with_choice(purpose, choice, now=times.settled)
        try:
            self._ledger.keep_or_raise(self._marked(record))
        except ConsentError:
            self._journal.forget_since(waiting)
            raise
        self.write_journal()

    def no(
        self, purposes: Sequence[str], answer: Status, method: Answering
    ) -> tuple[bool, tuple[Receipt, ...]]:
        """Set purposes to no, in memory and then on the disk.

        Returns:
            Whether it holds after a restart too, and a receipt for each that changed.
        """
        receipts = []
        record = self._ledger.record
        for purpose in purposes:
            record, receipt = self._with_no(record, purpose, answer, method)
            if receipt is not None:
                receipts.append(receipt)
        if record is not self._ledger.record:
            record = self._marked(record)
        durable = self._ledger.hold(record)
        if receipts:
            self.write_journal()
        return durable, tuple(receipts)

    def pause(self, purpose: str) -> bool:
        """Set a purpose to paused; whether that holds after a restart too."""
        now = self._standing.now()
        self._standing.pause_visit(purpose, paused=True)
        kept = self._ledger.record.choices.get(purpose)
        if kept is None or not kept.answer.permits or (kept.paused and self._ledger.durable):
            return True
        if not kept.paused:
            self._journal.note(Entry(kind="paused", time=now, purpose=purpose))
        record = self._ledger.record.with_choice(
            purpose, replace(kept, paused=True), now=self._standing.times.settled
        )
        # Not void: the shopper wants what there is to stay.
        durable = self._ledger.hold(self._marked(record), or_void=False)
        self.write_journal()
        return durable

    def receipt(
        self, purpose: str, choice: Choice, event: ReceiptEvent, *, visit_only: bool = False
    ) -> Receipt:
        """Return the receipt for an answer."""
        declared = next((p for p in self._standing.purposes if p.id == purpose), None)
        until = None if choice.until is None or visit_only else _minute(choice.until)
        return Receipt(
            id=choice.receipt,
            # A visit leaves nothing that two of them could be joined by.
            person=new_id() if visit_only else self._journal.person,
            event=event,
            status=choice.answer,
            purpose=purpose,
            time=_minute(self._standing.times.seen),
            until=until,
            visit_only=visit_only,
            method=choice.method,
            language=choice.language,
            notice=choice.notice,
            guardian=choice.guardian,
            told_of_gpc=choice.told_of_gpc,
            asked=None if declared is None else self._asked(declared),
        )

    # --- Time, policy, signals ---

    def house(self) -> None:
        """Put on the disk what time, policy and signals changed; nothing before a choice."""
        now = self._standing.now()
        record = self._ledger.record
        if not record.choices:
            return
        self._note_policy()
        tidy = self._after_a_long_absence(self._without_what_signals_end(record, now), now)
        self._note_ends(tidy)
        tidy = self._noting_the_signal(tidy, now)
        if tidy is not record or self.is_late() or self._standing.has_newer_policy():
            marked = self._marked(tidy)
            if marked.choices == record.choices:
                self._ledger.keep(marked)
            else:
                self._ledger.hold(marked, or_void=False)
        self.write_journal()

    def is_late(self) -> bool:
        """Whether the disk should learn what time it is."""
        record, times = self._ledger.record, self._standing.times
        doubted = (record.doubt is None) != (times.doubt is None)
        return doubted or times.settled - record.clock >= CLOCK_STEP

    def write_journal(self) -> None:
        """Put on the disk what the journal has to say, once there is a choice."""
        if self._ledger.record.choices:
            self._journal.write()

    # --- Inside ---

    def _marked(self, record: Record) -> Record:
        """Return the record with what must not be forgotten beside the choices."""
        mark = self._journal.next_mark()
        marked = self._standing.record_marked(record, MAX_POLICIES)
        return replace(marked, journal=mark if mark.number else None)

    def _with_no(
        self, record: Record, purpose: str, answer: Status, method: Answering
    ) -> tuple[Record, Receipt | None]:
        """Return the record with a no, and its receipt; the same one if there was no yes."""
        now = self._standing.now()
        visiting = self._standing.leave(purpose)
        before = record.choices.get(purpose)
        if before is not None and before.answer.permits:
            answer = Status.WITHDRAWN
        elif before is not None or answer is Status.WITHDRAWN:
            if visiting is None:
                return record, None
            ended = replace(visiting, answer=Status.WITHDRAWN, until=None, receipt=new_id())
            return record, self.receipt(purpose, ended, "withdrawn", visit_only=True)
        choice = Choice(
            answer=answer, at=now.replace(microsecond=0), method=method, receipt=new_id()
        )
        event = _NOES[answer]
        receipt = self.receipt(purpose, choice, event)
        self._journal.note(Entry(kind=event, time=now, purpose=purpose, method=method), receipt)
        return record.with_choice(purpose, choice, now=self._standing.times.settled), receipt

    def _without_what_signals_end(self, record: Record, now: datetime) -> Record:
        """Return the record without the yeses that Global Privacy Control ends, for good."""
        standing = self._standing
        for purpose in standing.purposes:
            choice = record.choices.get(purpose.id)
            status = status_of(choice, standing.policy, purpose.id, now=now)
            if choice is None or not status.permits:
                continue
            if signal_forbids(purpose, standing.circumstances, told=choice.told_of_gpc):
                over = replace(choice, ended="gpc", until=now.replace(microsecond=0))
                record = record.with_choice(purpose.id, over, now=standing.times.settled)
                entry = Entry(kind="invalidated", time=now, purpose=purpose.id, method="gpc")
                self._journal.note(entry)
        return record

    def _after_a_long_absence(self, record: Record, now: datetime) -> Record:
        """Return the record with an end to what the preset wants answered anew."""
        days = self._standing.about.preset.refresh_after_days
        # In doubt, the end stays what the clock will be found to say.
        if days is None or self._standing.times.doubt is not None:
            return record
        end = self._ledger.record.clock + timedelta(days=days)
        late = {
            purpose: replace(choice, until=end)
            for purpose, choice in record.choices.items()
            if self._standing.was_away(choice, now) and (choice.until or end) > end
        }
        return replace(record, choices={**record.choices, **late}) if late else record

    def _noting_the_signal(self, record: Record, now: datetime) -> Record:
        status = self._standing.gpc(now)
        if status == record.gpc:
            return record
        self._journal.note(Entry(kind="signal_changed", time=now, note=status))
        return replace(record, gpc=status)

    def _note_policy(self) -> None:
        """Let the journal say, once a session, what became of the policy."""
        offered = self._standing.offered
        if self._told_of_policy or offered is None:
            return
        self._told_of_policy = True
        known = self._ledger.record.policies.get(offered.id, offered.version)
        if known != offered.version:
            older = self._standing.is_older_policy()
            kind: EntryKind = "policy_refused" if older else "policy_changed"
            note = f"{offered.id} {offered.version}"
            self._journal.note(Entry(kind=kind, time=self._standing.times.seen, note=note))

    def _note_ends(self, record: Record) -> None:
        """Let the journal say which grants time or policy ended, once each."""
        policy = self._standing.policy
        for purpose, choice in record.choices.items():
            status = status_of(choice, policy, purpose, now=self._standing.times.settled)
            if status is Status.EXPIRED:
                self._note_end(Entry(kind="expired", time=choice.at, method="expiry"), purpose)
            elif status is Status.INVALIDATED and not choice.ended and policy is not None:
                ended = Entry(kind="invalidated", time=choice.at, method="policy_change")
                self._note_end(ended, purpose)

    def _note_end(self, entry: Entry, purpose: str) -> None:
        entries = self._journal.entries()
        told = [e.kind for e in entries if e.purpose == purpose and e.kind in _ENDS]
        if told[-1:] != [entry.kind]:
            self._journal.note(replace(entry, time=self._standing.times.seen, purpose=purpose))

    def _asked(self, purpose: Purpose) -> Asked | None:
        policy = self._standing.policy
        if policy is None:
            return None
        return Asked(
            area=purpose.area,
            use_case=purpose.use_case,
            surfaces=purpose.surfaces,
            contexts=purpose.contexts,
            kinds=purpose.kinds,
            fields=tuple(f"{kept.name}:{kept.origin}" for kept in purpose.fields),
            granularity=purpose.granularity,
            retention_days=purpose.retention_days,
            controllers=policy.controllers,
            policy=f"{policy.id} {policy.version}",
            presets=self._standing.about.preset.ids,
            terms=purpose_terms(purpose),
            data=tuple(sorted({t for f in purpose.fields for t in field_terms(purpose, f.name)})),
        )


def new_id() -> str:
    """Return a random id; it says nothing about device, shopper or time."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
