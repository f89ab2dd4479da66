"""What a figure of a model stands on, in words: whether it counts as made from aggregates."""

from __future__ import annotations

from shelfrank.bundle.label_truth import AMBER_MIN_SHOPPERS, PROTECTED_MIN_SHOPPERS


def from_aggregates(min_shoppers: int) -> bool:
    """Say whether a model counts as made from aggregates: nothing in it is about fewer than 20.

    >>> from_aggregates(20), from_aggregates(19)
    (True, False)
    """
    return min_shoppers >= AMBER_MIN_SHOPPERS


def stands_on(min_shoppers: int) -> str:
    """Return what a figure of such a model stands on.

    Args:
        min_shoppers: each statistic that the model was made from covers at least as many shoppers.

    >>> stands_on(50)
    'from aggregates: every statistic covers at least 50 shoppers'
    """
    if from_aggregates(min_shoppers):
        return f"from aggregates: every statistic covers at least {min_shoppers} shoppers"
    kind = "unprotected " if min_shoppers < PROTECTED_MIN_SHOPPERS else ""
    return (
        f"not from aggregates: {kind}research figure, as a statistic may stand for as few as "
        f"{min_shoppers} shopper{'s' * (min_shoppers != 1)}, and only {AMBER_MIN_SHOPPERS} and "
        "above count"
    )
