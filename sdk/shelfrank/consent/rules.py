"""What a shopper chose, what follows from it, and when it ends.

Pure: no clock and no file. Every missing answer is "no": only `Status.GIVEN` and `Status.RENEWED`
permit, and nothing but `granted` makes them. What else must hold is in
`shelfrank.consent.permission`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, get_args

from shelfrank.consent.purposes import GRANULARITIES, Granularity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfrank.consent.distrust import Times
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose
    from shelfrank.consent.signals import GpcStatus
    from shelfrank.types import Kind, Language

# After a grant ended by itself the events stay frozen this long, so that a shopper who renews it a
# little late finds them again; then they go.
GRACE: Final = timedelta(days=30)


Method = Literal["tap", "voice", "staff_assisted", "import", "gpc", "expiry", "policy_change"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
"""How a state came about. A program or a preset value is not among them: neither is an answer."""

Answering = Literal["tap", "voice", "staff_assisted"]
ANSWERING: Final[tuple[Answering, ...]] = get_args(Answering)
"""How a person answers; nothing else makes a yes."""

Ended = Literal["", "gpc"]
ENDED: Final[tuple[Ended, ...]] = get_args(Ended)


class Status(Enum):
    """How a purpose stands; each is one consent state of the W3C Data Privacy Vocabulary 2.3.

    The states `ConsentRequested`, `ConsentRequestDeferred` and `ConsentRevoked` (ended by someone
    else) have no call that leads to them yet.
    """

    UNKNOWN = "ConsentUnknown"
    """Not asked, or no readable answer: neither yes nor no, and no permission."""
    REFUSED = "ConsentRefused"
    GIVEN = "ConsentGiven"
    RENEWED = "RenewedConsentGiven"
    EXPIRED = "ConsentExpired"
    INVALIDATED = "ConsentInvalidated"
    """The policy now asks for more than was granted, or no longer has the purpose."""
    WITHDRAWN = "ConsentWithdrawn"

    @property
    def permits(self) -> bool:
        """Whether data may be kept and used under it."""
        return self in _PERMITTING

    @property
    def dpv(self) -> str:
        """The term in the Data Privacy Vocabulary."""
        return f"dpv:{self.value}"


_PERMITTING: Final = frozenset({Status.GIVEN, Status.RENEWED})
ANSWERS: Final = frozenset({*_PERMITTING, Status.REFUSED, Status.WITHDRAWN})
"""What a shopper can have said; the other states follow from time and policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What exactly a shopper agreed to, words apart. Later terms may ask for less, never for more.

    Attributes:
        use: digest of area and use case.
        controllers: digests of the names of who answers.
        kinds: kinds of events.
        fields: ``name:origin``, and once more with ``:required`` where it cannot be switched off.
        surfaces: where the result may be seen.
        contexts: areas and channels of the shop that events may come from.
        granularity: how exactly times are kept.
        retention_days: how long events are kept.
        excluded: digests of the categories kept out; none where the catalog has no categories.
        max_events: how many events are kept at most; None without such a bound.
    """

    use: str
    controllers: tuple[str, ...]
    kinds: tuple[Kind, ...]
    fields: tuple[str, ...]
    surfaces: tuple[str, ...]
    granularity: Granularity
    retention_days: int
    excluded: tuple[str, ...]
    contexts: tuple[str, ...] = ()
    max_events: int | None = None

    @classmethod
    def of(cls, policy: Policy, purpose: Purpose) -> Terms:
        """Return the terms under which `policy` asks for `purpose`."""
        required = (kept for kept in purpose.fields if kept.necessity == "required")
        return cls(
            use=_digest(f"{purpose.area}/{' '.join(purpose.use_case.casefold().split())}"),
            controllers=tuple(_digest(party.name) for party in policy.controllers),
            kinds=purpose.kinds,
            fields=tuple(
                sorted(
                    [f"{kept.name}:{kept.origin}" for kept in purpose.fields]
                    + [f"{kept.name}:{kept.origin}:required" for kept in required]
                )
            ),
            surfaces=purpose.surfaces,
            granularity=purpose.granularity,
            retention_days=purpose.retention_days,
            excluded=tuple(_digest(path) for path in policy.sensitive.categories),
            contexts=purpose.contexts,
            max_events=purpose.max_events,
        )

    def widened_by(self, new: Terms) -> tuple[str, ...]:
        """Name what `new` asks for beyond these terms; empty if it asks for the same or for less.

        A category that is no longer kept out counts, also when a broader path replaced it: the
        record holds digests, which cannot tell. Then the shopper is asked once more.
        """
        finer = GRANULARITIES.index(new.granularity) < GRANULARITIES.index(self.granularity)
        checks = {
            "use": new.use != self.use,
            "controllers": not set(new.controllers) <= set(self.controllers),
            "kinds": not set(new.kinds) <= set(self.kinds),
            "fields": not set(new.fields) <= set(self.fields),
            "surfaces": not set(new.surfaces) <= set(self.surfaces),
            "contexts": not set(new.contexts) <= set(self.contexts),
            "granularity": finer,
            "retention": new.retention_days > self.retention_days,
            "events": _more(self.max_events, new.max_events),
            "sensitive": not set(self.excluded) <= set(new.excluded),
        }
        return tuple(name for name, wider in checks.items() if wider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer to one purpose.

    Attributes:
        answer: one of `ANSWERS`.
        at: when it was given, by the distrustful clock; whole seconds, UTC.
        until: end of a grant; None for a refusal or withdrawal.
        language: language of the notice that was shown, or None.
        notice: hash of the notice that was shown, or empty.
        policy: ``id version`` of the policy, or empty.
        terms: what was agreed to; None for a refusal or withdrawal.
        method: how it came about.
        receipt: id of the receipt for it, or empty.
        guardian: by what a guardian's agreement can be shown, or empty.
        told_of_gpc: the notice said that Global Privacy Control is on.
        paused: the shopper wants what is kept to stay, unused, and nothing more to be kept.
        ended: what took a grant's force for good although nobody withdrew it, or empty.
    """

    answer: Status
    at: datetime
    until: datetime | None = None
    language: Language | None = None
    notice: str = ""
    policy: str = ""
    terms: Terms | None = None
    method: Method = "tap"
    receipt: str = ""
    guardian: str = ""
    told_of_gpc: bool = False
    paused: bool = False
    ended: Ended = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The newest entry that the journal must have.

    Attributes:
        number: of the entry, from 1.
        hash: of the entry, hex.
    """

    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All choices on this device, and what must not be forgotten beside them.

    Attributes:
        generation: grows with every change.
        clock: the settled time (`shelfrank.consent.distrust`) at a write.
        choices: by purpose id.
        seen: latest moment ever shown; None where it is `clock`.
        doubt: the moment a clock jumped to and that nothing confirmed yet, or None.
        policies: the highest version met of each policy, by its id.
        gpc: what became of Global Privacy Control when that was last noted.
        journal: None before the first entry.
    """

    generation: int
    clock: datetime
    choices: Mapping[str, Choice]
    seen: datetime | None = None
    doubt: datetime | None = None
    policies: Mapping[str, int] = field(default_factory=dict)
    gpc: GpcStatus = "none"
    journal: Mark | None = None

    def with_choice(self, purpose_id: str, choice: Choice, *, now: datetime) -> Record:
        """Return the record after one more choice."""
        return replace(
            self,
            generation=self.generation + 1,
            clock=max(self.clock, now),
            choices={**self.choices, purpose_id: choice},
        )

    def at_times(self, times: Times) -> Record:
        """Return the record with what is known of the time."""
        settled, seen = times.settled.replace(microsecond=0), times.seen.replace(microsecond=0)
        doubt = None if times.doubt is None else times.doubt.replace(microsecond=0)
        return replace(self, clock=settled, seen=None if seen == settled else seen, doubt=doubt)

    def with_the_noes_of(self, other: Record) -> Record:
        """Return the record, but with every no and pause that `other` has and this one has not."""
        choices = dict(self.choices)
        for purpose, held in other.choices.items():
            mine = choices.get(purpose)
            if mine is None or not mine.answer.permits:
                continue
            if not held.answer.permits:
                choices[purpose] = held
            elif held.paused or held.ended:
                choices[purpose] = replace(mine, paused=held.paused, ended=held.ended)
        return replace(self, choices=choices)


def granted(
    before: Status,
    policy: Policy,
    purpose: Purpose,
    *,
    language: Language,
    notice: str,
    now: datetime,
) -> Choice:
    """Return the choice that a grant makes.

    Args:
        before: how the purpose stood; a grant that follows one that ran out, or still runs, renews
            it.
        policy: the policy in force.
        purpose: its purpose that is granted.
        language: of the notice that was shown.
        notice: hash of the notice that was shown.
        now: whole seconds, UTC.
    """
    renews = before.permits or before is Status.EXPIRED
    return Choice(
        answer=Status.RENEWED if renews else Status.GIVEN,
        at=now,
        until=now + timedelta(days=purpose.validity_days),
        language=language,
        notice=notice,
        policy=f"{policy.id} {policy.version}",
        terms=Terms.of(policy, purpose),
    )


def status_of(
    choice: Choice | None, policy: Policy | None, purpose_id: str, *, now: datetime
) -> Status:
    """Return how a purpose stands at `now`.

    Args:
        choice: the shopper's answer, if there is one.
        policy: the policy in force, if there is one.
        purpose_id: the purpose.
        now: the distrustful clock, UTC.
    """
    if choice is None:
        return Status.UNKNOWN
    if not choice.answer.permits:
        return choice.answer
    purpose = next((p for p in policy.purposes if p.id == purpose_id), None) if policy else None
    if policy is None or purpose is None or choice.terms is None or choice.until is None:
        return Status.INVALIDATED
    if choice.ended or choice.terms.widened_by(Terms.of(policy, purpose)):
        return Status.INVALIDATED
    # A validity that became shorter holds at once; a longer one prolongs nothing that was granted.
    until = min(choice.until, choice.at + timedelta(days=purpose.validity_days))
    return choice.answer if choice.at <= now < until else Status.EXPIRED


def must_forget(choice: Choice, policy: Policy | None, purpose_id: str, *, now: datetime) -> bool:
    """Whether what was kept for the purpose has to go now.

    After a withdrawal or refusal; when the policy dropped the purpose; and when a grant ended by
    itself and the grace is over. Without a policy (a broken bundle) nothing counts as dropped.
    """
    if not choice.answer.permits or choice.until is None:
        return True
    dropped = policy is not None and all(p.id != purpose_id for p in policy.purposes)
    status = status_of(choice, policy, purpose_id, now=now)
    return dropped or (not status.permits and now >= choice.until + GRACE)


def _more(before: int | None, after: int | None) -> bool:
    """Whether a bound went up or away."""
    return before is not None and (after is None or after > before)


def _digest(text: str) -> str:
    """Return 48 bits of a hash: a thousand of them fit the record, and none is likely to repeat."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
