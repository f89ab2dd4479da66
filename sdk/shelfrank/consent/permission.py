"""What else must hold beside a yes: age, signals, the shopper's pause, a clock to believe. Pure.

Permission is an intersection; each of these can only take away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from shelfrank.consent.presets import Preset
    from shelfrank.consent.purposes import Ages, Area, Purpose
    from shelfrank.consent.rules import Choice
    from shelfrank.consent.signals import GpcStatus, Signals
    from shelfrank.consent.subject import Subject

Block = Literal["no_consent", "policy_older", "minor", "gpc", "paused", "clock"]
"""Why a purpose is not permitted: there is no yes in force; the policy is older than one that was
in force here; a shopper who is or may be a minor, and no guardian agreed; Global Privacy Control;
the shopper's pause; a clock that jumped far ahead and was not confirmed yet."""

ADVERTISING: Final[frozenset[Area]] = frozenset({"marketing"})
"""What Global Privacy Control concerns here: nothing is ever shared or leaves the device, but
offers are advertising."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What holds now, whatever was chosen.

    Attributes:
        preset: of the law.
        signals: of the browser or system.
        subject: the shopper.
        doubt: since when the clock is in doubt, or None.
    """

    preset: Preset
    signals: Signals
    subject: Subject
    doubt: datetime | None = None


def needs_guardian(purpose: Purpose, ages: Ages, circumstances: Circumstances) -> bool:
    """Whether a yes to `purpose` takes a guardian's agreement.

    Args:
        purpose: in question.
        ages: of the policy in force.
        circumstances: as they are.
    """
    age, law = circumstances.subject.years, circumstances.preset.minor_age
    return ages.needs_guardian(purpose.area, age=age, law=law)


def signal_forbids(purpose: Purpose, circumstances: Circumstances, *, told: bool) -> bool:
    """Whether Global Privacy Control forbids `purpose`.

    Args:
        purpose: in question.
        circumstances: as they are.
        told: the shopper said yes to it after being told of the signal.
    """
    if not circumstances.signals.gpc or purpose.area not in ADVERTISING:
        return False
    return circumstances.preset.gpc != "silent" or not told


def gpc_status(
    choices: Iterable[tuple[Purpose, Choice]], circumstances: Circumstances
) -> GpcStatus:
    """Return what becomes of Global Privacy Control.

    Args:
        choices: the purposes with a yes in force, and the yes.
        circumstances: as they are.
    """
    if not circumstances.signals.gpc:
        return "none"
    concerned = [(p, c) for p, c in choices if p.area in ADVERTISING]
    overridden = [
        not signal_forbids(purpose, circumstances, told=choice.told_of_gpc)
        for purpose, choice in concerned
    ]
    return "overridden" if any(overridden) else "applied"


def blocked(
    choice: Choice, purpose: Purpose, ages: Ages, circumstances: Circumstances
) -> Block | None:
    """Return what keeps a yes in force from counting now, or None.

    Args:
        choice: a yes in force.
        purpose: to which.
        ages: of the policy in force.
        circumstances: as they are.
    """
    doubt = circumstances.doubt
    reasons: tuple[tuple[Block, bool], ...] = (
        ("minor", needs_guardian(purpose, ages, circumstances) and not choice.guardian),
        ("gpc", signal_forbids(purpose, circumstances, told=choice.told_of_gpc)),
        ("paused", choice.paused),
        # What was said since is said by somebody who is here now.
        ("clock", doubt is not None and choice.at < doubt.replace(microsecond=0)),
    )
    return next((reason for reason, holds in reasons if holds), None)
