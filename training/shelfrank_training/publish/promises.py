"""Whether a bundle keeps what its own label and policy say, before a device asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shelfrank.consent.policy import Policy, Sensitive
from shelfrank_training.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfrank.bundle.label import Label


def check_promises(
    label: Label,
    policy: Policy | None,
    categories: Sequence[str],
    *,
    allow_unprotected: bool | None = None,
) -> None:
    """Refuse at home what every device would: a label that its own bundle does not keep.

    Args:
        label: of the bundle.
        policy: in the bundle; None without one.
        categories: of its catalog.
        allow_unprotected: see `Label.require`; None takes what the label itself says, since
            research may publish what devices must be told to take.

    Raises:
        PublishError: the catalog has a category that the label says was left out.
        LabelError: the label promises less than the policy asks for.
    """
    left_out = Sensitive(mode="exclude", categories=label.excluded_categories)
    present = [category for category in categories if left_out.covers(category)]
    if present:
        raise PublishError(
            f"the label says that {', '.join(present)} was left out, the catalog has it",
            hint="train with the catalog that the events were aggregated with",
        )
    told = label.unprotected if allow_unprotected is None else allow_unprotected
    label.require(policy, allow_unprotected=told)
