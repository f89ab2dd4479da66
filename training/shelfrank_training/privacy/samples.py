"""Samples of the receipts a shopper gets, for counsel to read.

A receipt is written by the device's consent engine; nothing is made up here that would look like
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shelfrank.consent.policy import Policy


def receipt_samples(policy: Policy, *, at: datetime) -> Mapping[str, bytes]:
    """Return sample receipts, by file name; none as long as the engine writes none.

    Args:
        policy: the policy that is asked under.
        at: the moment the samples are dated.
    """
    del policy, at
    return {}
