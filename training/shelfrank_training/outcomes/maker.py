"""Make the table ``outcomes``: a model of part A ranks for part B, and bucket counts leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shelfrank.types import RANK_PURPOSE
from shelfrank_training.aggregates.settings import check_noise
from shelfrank_training.evaluate.source import by_shopper
from shelfrank_training.events import Holdout
from shelfrank_training.outcomes.cells import Cells, publish
from shelfrank_training.outcomes.private import publish_with_noise
from shelfrank_training.outcomes.scorer import Scorer

if TYPE_CHECKING:
    from ibis.expr.types import Table

    from shelfrank.consent.policy import Policy
    from shelfrank_training.aggregates.folder import Aggregates
    from shelfrank_training.aggregates.noise import NoiseSource
    from shelfrank_training.aggregates.publication import Published
    from shelfrank_training.aggregates.settings import AggregateSettings
    from shelfrank_training.events import CatalogTable
    from shelfrank_training.progress import Progress

MAX_SHOPPERS: Final = 20_000
"""Shoppers that are scored, on average over the salt: a handful of weights is learned from 200,000
moments, which take about ten minutes. Of a larger part B a share is chosen by a hash."""


def make_outcomes(
    found: Aggregates,
    catalog: CatalogTable,
    events: Table,
    settings: AggregateSettings,
    source: NoiseSource,
    progress: Progress,
) -> Published:
    """Return the table; see `shelfrank_training.aggregates.counting.OutcomesMaker`.

    It has no row where nothing can be learned: no item is published, or the policy lets no device
    rank by a history.

    Raises:
        ParityError: graph and estimators of the provisional model disagree.
        BundleError: a device would not accept it.
    """
    if not found.table("items").num_rows or not _may_rank(settings.policy):
        return publish(Cells.of([]), min_shoppers=settings.min_shoppers)
    with progress.stage("fit a provisional model"):
        scorer = Scorer.fit(found, catalog, policy=settings.policy, salt=settings.outcomes.salt)
    chosen = choose_shoppers(events, settings.outcomes, n_others=found.info.shoppers)
    total = int(chosen.shopper_id.nunique().to_pyarrow().as_py())
    shoppers = progress.track(by_shopper(chosen), description="score outcomes", total=total)
    contributions = (scorer.contribution(shopper_id, rows) for shopper_id, rows in shoppers)
    cells = Cells.of(contributions)
    target = check_noise(settings)
    if target is None:
        return publish(cells, min_shoppers=settings.min_shoppers)
    return publish_with_noise(cells, target, min_shoppers=settings.min_shoppers, source=source)


def choose_shoppers(events: Table, part_b: Holdout, *, n_others: int) -> Table:
    """Keep about `MAX_SHOPPERS` of a larger part B.

    The share comes from the size of part A, which is published, and not from that of part B: so
    whether one shopper is scored depends on no other.

    Args:
        events: of part B.
        part_b: who they are.
        n_others: shoppers of part A.
    """
    expected = n_others * part_b.share / (1 - part_b.share)
    if expected <= MAX_SHOPPERS:
        return events
    scored = Holdout(share=MAX_SHOPPERS / expected, salt=f"{part_b.salt}|scored")
    return events.filter(scored.matches(events.shopper_id))


def _may_rank(policy: Policy | None) -> bool:
    return policy is None or any(purpose.id == RANK_PURPOSE for purpose in policy.purposes)
