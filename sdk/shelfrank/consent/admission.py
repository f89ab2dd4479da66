"""Whether an event may be kept, for which purposes, and how exactly. Pure; every doubt is a no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from shelfrank.consent.policy import Policy
    from shelfrank.types import DropReason, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """An event may be kept.

    Attributes:
        purposes: those given whose policy admits its kind, its context and its age.
        stored_time: its time as coarse as the strictest of them says.
        keeps_quantity: whether one of them keeps quantities.
    """

    purposes: frozenset[str]
    stored_time: datetime
    keeps_quantity: bool


def admit_item(policy: Policy, *, known: bool, category: str | None) -> DropReason | None:
    """Return why an item must never be kept, or None.

    Args:
        policy: in force.
        known: whether the bundle's catalog has the item; one it has not cannot be shown not to be
            sensitive, and could not be used either.
        category: of the item, None where it has none.
    """
    if not known or (category is None and policy.sensitive.mode == "exclude"):
        return "unmapped"
    return "sensitive" if policy.sensitive.covers(category) else None


def admit_event(
    policy: Policy,
    given: Collection[str],
    kind: Kind,
    *,
    context: str,
    time: datetime,
    now: datetime,
) -> Admitted | DropReason:
    """Decide about one event of an item that may be kept.

    Args:
        policy: in force.
        given: the purposes that permit keeping now; see `Consent.given`.
        kind: of the event.
        context: the area or channel it happened in.
        time: aware, exact.
        now: aware; the distrustful clock, `Consent.effective_now`.
    """
    if not given:
        return "no_consent"
    admitting = [p for p in policy.purposes if p.id in given and kind in p.kinds]
    if not admitting:
        return "kind"
    admitting = [purpose for purpose in admitting if context in purpose.contexts]
    if not admitting:
        return "context"
    stored_time = min(purpose.coarsen(time) for purpose in admitting)
    lasting = [purpose for purpose in admitting if purpose.keeps(stored_time, now=now)]
    if not lasting:
        return "too_old"
    return Admitted(
        purposes=frozenset(purpose.id for purpose in lasting),
        stored_time=stored_time,
        keeps_quantity=any(purpose.has_field("quantity") for purpose in lasting),
    )
