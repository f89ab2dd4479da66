"""What the preset of a law changes about a policy on one device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shelfrank.consent.presets import Preset, combine, preset_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import Purpose


def preset_on_device(
    asked: Preset | str | Sequence[str] | None, policy: Policy | None, *, on: date
) -> Preset:
    """Return the preset that holds: the strictest of what app and policy name.

    Args:
        asked: by the app: ids, an id, or a preset; an id that this SDK does not know (``unknown``)
            means the strictest of all. None leaves it to the policy.
        policy: in force. One that names no law, or none at all, does not know the region: then what
            the app names holds alone, and without it the strictest.
        on: the day.
    """
    named = () if policy is None else policy.presets
    if asked is None:
        return preset_for(named, on=on)
    if isinstance(asked, Preset):
        own = asked
    else:
        own = preset_for([asked] if isinstance(asked, str) else asked, on=on)
    return combine([own, preset_for(named, on=on)]) if named else own


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
