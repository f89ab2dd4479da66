"""Which policy is in force on a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shelfrank.consent.policy import Policy, stricter
from shelfrank.errors import PolicyError

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
