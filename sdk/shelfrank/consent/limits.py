"""What a law's preset changes about a policy, in one place.

The presets themselves (their facts, dates and sources) are data of their own; until they are here,
a private stand-in of the same shape serves, and there is one preset: the strictest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Stand-in for `shelfrank.consent.presets.Preset`."""

    ids: tuple[str, ...]
    gpc: Literal["silent", "must_honour", "must_display"]
    minor_age: int
    reask_days: int
    max_validity_days: int | None
    refresh_after_days: int | None
    answer_days: int
    disclose_retention: bool


STRICTEST: Final = Preset(
    ids=("strictest",),
    gpc="must_honour",
    minor_age=18,
    reask_days=365,
    max_validity_days=365,
    refresh_after_days=730,
    answer_days=30,
    disclose_retention=True,
)


def preset_for(asked: Preset | str | Sequence[str] | None, policy: Policy | None) -> Preset:  # noqa: ARG001
    """Return the preset that holds: the one asked for, else the policy's, else the strictest."""
    return asked if isinstance(asked, Preset) else STRICTEST


def tightened(policy: Policy, preset: Preset) -> Policy:
    """Return the policy as the preset lets it be: no longer validity, no sooner asking again."""
    return replace(
        policy, purposes=tuple(_tightened(purpose, preset) for purpose in policy.purposes)
    )


def _tightened(purpose: Purpose, preset: Preset) -> Purpose:
    longest = preset.max_validity_days or purpose.validity_days
    return replace(
        purpose,
        validity_days=min(purpose.validity_days, longest),
        reask_days=max(purpose.reask_days, preset.reask_days),
    )
