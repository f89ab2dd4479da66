"""The values: a fact of a law, what a preset asks for, and the strictest of several. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from shelfrank.types import Language

Gpc = Literal["silent", "must_honour", "must_display"]
GPC_ORDER: Final[tuple[Gpc, ...]] = get_args(Gpc)
"""What a law says about the Global Privacy Control, from mild to strict; the last one asks to
honour it and to show that it was honoured."""

Evidence = Literal["primary", "secondary", "unverified"]
EVIDENCE: Final[tuple[Evidence, ...]] = get_args(Evidence)
"""Where a fact was read: in the law or rule itself, in what others write about it, or nowhere
yet."""

NOT_LEGAL_ADVICE: Final[Mapping[Language, str]] = {
    "de": "Voreinstellungen von Technikern, keine Rechtsberatung: vor Gebrauch prüfen lassen.",
    "nl": "Instellingen van technici, geen juridisch advies: laat ze voor gebruik toetsen.",
    "en": "Engineers' defaults, not legal advice: have counsel confirm them before use.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing a law says, with where it was read and when.

    Attributes:
        preset: id of the law.
        key: what it is about; `reading.KEYS` are enforced, all others are told.
        value: as written in the file, such as ``P13M`` or ``must_honour``.
        source: where it stands.
        checked_on: when somebody last looked.
        evidence: how well it is known. An unverified fact may only tighten.
        effective_from: the first day it holds; None if it held when the law began.
        effective_to: the last day it holds; None while it does.
    """

    preset: str
    key: str
    value: str
    source: str
    checked_on: date
    evidence: Evidence
    effective_from: date | None = None
    effective_to: date | None = None

    def in_force(self, on: date) -> bool:
        """Whether it holds on that day."""
        begun = self.effective_from is None or self.effective_from <= on
        return begun and (self.effective_to is None or on <= self.effective_to)

    @property
    def place(self) -> tuple[str, ...]:
        """What facts are sorted by."""
        dates = (str(self.effective_from or ""), str(self.effective_to or ""))
        return (self.preset, self.key, *dates, self.evidence, self.value, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one law, or several together, ask for. Not legal advice.

    Attributes:
        ids: of the laws, sorted.
        gpc: what the Global Privacy Control means; see `GPC_ORDER`.
        minor_age: years; below it a guardian must agree. A shopper of unknown age does not count as
            grown up for marketing, measurement or training.
        reask_days: how long nobody asks again after a no.
        max_validity_days: how long a yes may last; None where no law says.
        refresh_after_days: after so many days without any contact a yes has to be given anew; None
            where no law says.
        answer_days: within how many days the shop answers what concerns data it holds itself; on
            the device every right works at once.
        disclose_retention: the time that things are kept must be told when asking.
        facts: behind all of it, sorted, each once.
    """

    ids: tuple[str, ...]
    gpc: Gpc
    minor_age: int
    reask_days: int
    max_validity_days: int | None
    refresh_after_days: int | None
    answer_days: int
    disclose_retention: bool
    facts: tuple[Fact, ...]


BASELINE: Final = Preset(
    ids=(),
    gpc="silent",
    minor_age=13,  # the mildest age that any law here knows
    reask_days=182,  # half a year: what the strictest European authorities call the least
    max_validity_days=None,
    refresh_after_days=None,
    answer_days=45,  # the longest that any law here allows
    disclose_retention=False,
    facts=(),
)
"""What holds where a law says nothing. The SDK's own rules and the policy are on top of it."""


def combine(presets: Sequence[Preset]) -> Preset:
    """Return what satisfies all of them: field by field the strictest.

    The order never matters: the operation is commutative, associative and idempotent.

    Raises:
        ValueError: there is none; for an unknown region use `strictest`.
    """
    if not presets:
        raise ValueError("got no preset to combine, wanted at least one")
    return reduce(_stricter, presets)


def _stricter(one: Preset, other: Preset) -> Preset:
    facts = {*one.facts, *other.facts}
    return Preset(
        ids=tuple(sorted({*one.ids, *other.ids})),
        gpc=max(one.gpc, other.gpc, key=GPC_ORDER.index),
        minor_age=max(one.minor_age, other.minor_age),
        reask_days=max(one.reask_days, other.reask_days),
        max_validity_days=_least((one.max_validity_days, other.max_validity_days)),
        refresh_after_days=_least((one.refresh_after_days, other.refresh_after_days)),
        answer_days=min(one.answer_days, other.answer_days),
        disclose_retention=one.disclose_retention or other.disclose_retention,
        facts=tuple(sorted(facts, key=lambda fact: (fact.place, fact.checked_on))),
    )


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
