"""What is kept, why, from where, how long, and which part of the score uses it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shelfrank.bundle import archive
from shelfrank.bundle.manifest import Manifest
from shelfrank.consent.policy import Policy, stricter
from shelfrank.consent.purposes import DEFAULT_CONTEXT
from shelfrank.consent.vocabulary import fideslang_term, field_terms, purpose_terms
from shelfrank_training.privacy.uses import COUNTED_KINDS, Uses, uses_of_graph, uses_of_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shelfrank.consent.purposes import Field, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One field of one purpose.

    Attributes:
        purpose: its id.
        area: its area.
        use_case: what it is for.
        field: what is kept; ``context`` where a purpose reads more than the one shop.
        origin: declared by the shopper, or observed on the device.
        necessity: whether the purpose works without it.
        categories: terms of the Data Privacy Vocabulary for what the field holds.
        purposes: terms for what the purpose does.
        fideslang: the purpose in Fides' taxonomy.
        contexts: the areas and channels whose events it may read.
        granularity: how exactly times are kept.
        retention_days: how long.
        used_by: the parts of the score, and what beside it, that use it; empty where nothing does.
    """

    purpose: str
    area: str
    use_case: str
    field: str
    origin: str
    necessity: str
    categories: tuple[str, ...]
    purposes: tuple[str, ...]
    fideslang: str
    contexts: tuple[str, ...]
    granularity: str
    retention_days: int
    used_by: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = (
    "purpose", "area", "use_case", "field", "origin", "necessity", "categories", "purposes",
    "fideslang", "contexts", "granularity", "retention_days", "used_by",
)  # fmt: skip
"""The attributes, in the order of a table."""


def inventory(policy: Policy, bundle: bytes | None = None) -> tuple[Kept, ...]:
    """List what is kept under a policy.

    Args:
        policy: of the app.
        bundle: a bundle's bytes, read without verifying who made it. With one, the graph in it says
            what is used, and of its policy and `policy` the stricter holds; without, the models of
            this version say it.

    Raises:
        BundleError: the bundle cannot be read.
        PolicyError: its policy cannot be read.
        PublishError: its graph is not one of ours.
    """
    uses, in_force = uses_of_models(), policy
    if bundle is not None:
        members = archive.read_members(bundle)
        manifest = Manifest.parse(archive.member(members, archive.MANIFEST))
        uses = uses_of_graph(archive.member(members, archive.MODEL), manifest.model.parts)
        if archive.POLICY in members:
            in_force = stricter(policy, Policy.parse(members[archive.POLICY]))
    return tuple(row for purpose in in_force.purposes for row in _rows(purpose, uses))


def unused(rows: Sequence[Kept]) -> tuple[Kept, ...]:
    """Return what is kept for nothing."""
    return tuple(row for row in rows if not row.used_by)


def _rows(purpose: Purpose, uses: Uses) -> Iterator[Kept]:
    for field in purpose.fields:
        yield _kept(purpose, field, uses)
    # The one context of a policy that names none says nothing about an event.
    if purpose.contexts != (DEFAULT_CONTEXT,):
        item = next(field for field in purpose.fields if field.name == "item")
        yield replace(
            _kept(purpose, item, uses), field="context", used_by=("who may read the event",)
        )


def _kept(purpose: Purpose, field: Field, uses: Uses) -> Kept:
    counted = field.name != "quantity" or COUNTED_KINDS & set(purpose.kinds)
    return Kept(
        purpose=purpose.id,
        area=purpose.area,
        use_case=purpose.use_case,
        field=field.name,
        origin=field.origin,
        necessity=field.necessity,
        categories=field_terms(purpose, field.name),
        purposes=purpose_terms(purpose),
        fideslang=fideslang_term(purpose),
        contexts=purpose.contexts,
        granularity=purpose.granularity,
        retention_days=purpose.retention_days,
        used_by=uses[field.name] if counted else (),
    )
