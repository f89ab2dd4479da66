"""How every purpose stands, for the shopper to read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shelfrank.consent.phrases import (
    OVERVIEW,
    describe_block,
    describe_changes,
    describe_fields,
    describe_granularity,
    describe_kinds,
    describe_status,
)
from shelfrank.consent.rules import Status, Terms

if TYPE_CHECKING:
    from datetime import datetime

    from shelfrank.consent.permission import Block
    from shelfrank.consent.policy import Policy
    from shelfrank.consent.purposes import FieldName, Granularity
    from shelfrank.consent.rules import Choice
    from shelfrank.types import Kind, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeOverview:
    """How one purpose stands now.

    Attributes:
        purpose: its id.
        title: what the shopper knows it as; the id where the policy dropped the purpose.
        status: what was chosen and what became of it.
        blocked: why a yes in force does not count now, or None.
        since: when the last answer was given; None before the first.
        until: when a yes ends; None for a no and for a yes for this visit.
        visit_only: a yes that ends with the visit.
        kinds: what is kept, if it is; empty where the policy dropped the purpose.
        fields: what is kept of each event.
        granularity: how exactly times are kept, or None.
        retention_days: how long events are kept, or None.
        changed: what the policy asks for beyond what was granted, in words, or empty.
        text: all of it in words.
    """

    purpose: str
    title: str
    status: Status
    blocked: Block | None
    since: datetime | None
    until: datetime | None
    visit_only: bool
    kinds: tuple[Kind, ...]
    fields: tuple[FieldName, ...]
    granularity: Granularity | None
    retention_days: int | None
    changed: str
    text: str

    def __str__(self) -> str:
        return self.text


def overview_of(  # noqa: PLR0913 - what there is to say about one purpose, by keyword
    purpose_id: str,
    *,
    choice: Choice | None,
    status: Status,
    blocked: Block | None,
    visit_only: bool,
    policy: Policy | None,
    language: Language,
) -> PurposeOverview:
    """Describe one purpose.

    Args:
        purpose_id: its id.
        choice: the last answer, if there is one.
        status: how it stands.
        blocked: why a yes in force does not count, or None.
        visit_only: the yes ends with the visit.
        policy: in force, or None.
        language: de, nl or en.
    """
    purpose = next((p for p in policy.purposes if p.id == purpose_id), None) if policy else None
    words = OVERVIEW[language]
    title = purpose_id if purpose is None else purpose.texts[language].title
    until = choice.until if choice is not None and not visit_only else None
    changed = ""
    if policy is not None and purpose is not None and choice is not None and choice.terms:
        changed = describe_changes(choice.terms, Terms.of(policy, purpose), language)
    line = f"{title}: {describe_status(status, language)}"
    if visit_only:
        line += f", {words['visit']}"
    if choice is not None:
        line += f", {words['since']} {choice.at:%Y-%m-%d}"
    if until is not None:
        line += f", {words['until']} {until:%Y-%m-%d}"
    lines = [line]
    if blocked is not None and status.permits:
        lines.append(f"  {words['blocked']}: {describe_block(blocked, language)}")
    if purpose is not None:
        names = [field.name for field in purpose.fields]
        times = describe_granularity(purpose.granularity, language)
        lines += [
            f"  {words['kept']}: {describe_kinds(purpose.kinds, language)}",
            f"  {words['fields']}: {describe_fields(names, language)} ({words['times']}: {times})",
            f"  {words['retention'].format(purpose.retention_days)}",
        ]
    if changed:
        lines.append(f"  {words['changed']}: {changed}")
    return PurposeOverview(
        purpose=purpose_id,
        title=title,
        status=status,
        blocked=blocked if status.permits else None,
        since=None if choice is None else choice.at,
        until=until,
        visit_only=visit_only,
        kinds=() if purpose is None else purpose.kinds,
        fields=() if purpose is None else tuple(field.name for field in purpose.fields),
        granularity=None if purpose is None else purpose.granularity,
        retention_days=None if purpose is None else purpose.retention_days,
        changed=changed,
        text="\n".join(lines),
    )
