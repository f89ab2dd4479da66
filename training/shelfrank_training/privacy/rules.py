"""What a rule is: an id, a sentence, where it comes from, and how it looks at a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.presets import Preset
    from shelfrank_training.privacy.draft import Draft

Outcome = Literal["passed", "warning", "failed"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("passed", "warning", "failed")
"""From good to bad; a rule's outcome is that of its worst fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy to be judged, and by what.

    Attributes:
        draft: the file as written.
        policy: the file as a device reads it; None where it refuses it.
        refusal: why a device refuses it; empty where it does not.
        presets: ids of the law presets that were asked for; none where nobody named any.
        law: what they ask for together; of all laws the strictest where none, or an unknown one, is
            named.
        on: the day of the check.
    """

    draft: Draft
    policy: Policy | None
    refusal: str
    presets: tuple[str, ...]
    law: Preset
    on: date


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a rule does not let pass.

    Attributes:
        where: the place in the file.
        got: what stands there.
        wanted: what should.
        outcome: ``failed``, or ``warning`` where a person has to judge.
    """

    where: str
    got: str
    wanted: str
    outcome: Outcome = "failed"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: for scripts and tests.
        sentence: what must hold, in plain words.
        source: where the rule comes from.
        faults: finds what breaks it.
    """

    id: str
    sentence: str
    source: str
    faults: Callable[[Case], Iterator[Fault]] = field(repr=False)
