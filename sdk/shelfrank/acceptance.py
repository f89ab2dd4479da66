"""Which policy is in force on a device, and whether a bundle keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shelfrank.consent.policy import Policy, Sensitive, stricter
from shelfrank.errors import BundleFormatError, PolicyError

if TYPE_CHECKING:
    from shelfrank.bundle.verify import VerifiedBundle


def read_policy(source: str | Path | bytes | Policy | None) -> Policy | None:
    """Return the app's own policy, however it was given.

    Raises:
        PolicyError: it cannot be read.
        OSError: its file cannot be read.
    """
    if source is None or isinstance(source, Policy):
        return source
    return Policy.parse(source if isinstance(source, bytes) else Path(source).read_bytes())


def policy_in_force(bundle: VerifiedBundle | None, own: Policy | None) -> Policy | None:
    """Return of both policies the stricter.

    Raises:
        PolicyError: it excludes categories, and the catalog has none to tell them by.
    """
    shipped = bundle.policy if bundle is not None else None
    policy = own if shipped is None else Policy.parse(shipped)
    if shipped is not None and policy is not None and own is not None:
        policy = stricter(policy, own)
    if policy is None or bundle is None:
        return policy
    if policy.sensitive.mode == "exclude" and not bundle.label.has_categories:
        raise PolicyError(
            "the policy excludes categories, but the bundle's catalog has none",
            hint='train with categories, or state [sensitive] mode = "no-categories"',
        )
    return policy


def check_label(
    bundle: VerifiedBundle, policy: Policy | None, *, allow_unprotected: bool = False
) -> None:
    """Refuse a bundle whose label is untrue of its catalog, or promises less than the policy asks.

    Args:
        bundle: verified.
        policy: in force; None without one.
        allow_unprotected: see `shelfrank.bundle.label.Label.require`.

    Raises:
        BundleFormatError: the catalog has a category that the label says was left out.
        LabelError: see `shelfrank.bundle.label.Label.require`.
    """
    left_out = Sensitive(mode="exclude", categories=bundle.label.excluded_categories)
    for category in bundle.catalog.categories:
        if left_out.covers(category):
            raise BundleFormatError(
                f"the label says that category {category} was left out, the catalog has it"
            )
    bundle.label.require(policy, allow_unprotected=allow_unprotected)
