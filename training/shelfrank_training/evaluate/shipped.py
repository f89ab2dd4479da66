"""The model as it ships: signed with a throw-away key, verified, asked by the device's ranker.

This is the one module of the package that knows bundles, policies and the ranker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shelfrank import Ranker
from shelfrank.bundle import archive
from shelfrank.bundle.verify import verify_bundle
from shelfrank.consent.policy import Policy
from shelfrank.types import RANK_PURPOSE
from shelfrank_training.evaluate.histories import DeviceRules, keep_all
from shelfrank_training.publish.build import throwaway
from shelfrank_training.zones import daypart_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import numpy.typing as npt

    from shelfrank.bundle.catalog import Catalog
    from shelfrank.bundle.verify import VerifiedBundle
    from shelfrank.types import Event, ItemId, Kind
    from shelfrank_training.evaluate.protocol import Universe


class Shipped:
    """A verified bundle as a scorer of the universe (see `shelfrank_training.evaluate.baselines`).

    Args:
        ranker: over the verified bundle.
        universe: the items that compete; those the bundle does not hold are never ranked.
        rules: what a device with this bundle does to histories.
        measured: see `measured_files`.
        zone: where the devices are; None: their time of day is not known.
    """

    def __init__(
        self,
        ranker: Ranker,
        universe: Universe,
        rules: DeviceRules,
        measured: Mapping[str, str],
        *,
        zone: ZoneInfo | None = None,
    ) -> None:
        found = [ranker.catalog.index_of(item_id) for item_id in universe.item_ids]
        self.rules = rules
        self.measured = measured
        self.n_missing = found.count(None)
        self._ranker = ranker
        self._zone = zone
        self._rows = np.flatnonzero([idx is not None for idx in found])
        self._candidates = np.array([idx for idx in found if idx is not None], dtype=np.int64)
        self._n_items = universe.n_items

    @property
    def catalog(self) -> Catalog:
        """The bundle's."""
        return self._ranker.catalog

    def __call__(
        self, history: Sequence[Event], *, now: datetime, in_visit: bool
    ) -> npt.NDArray[np.float64]:
        """Score the universe as the device would at `now`."""
        asked = self._ranker.scores(
            history,
            now=now,
            candidates=self._candidates,
            in_visit=in_visit,
            daypart=None if self._zone is None else daypart_at(now, self._zone),
        )
        return self._in_universe(asked.score)

    def popularity(self, *, now: datetime) -> npt.NDArray[np.float64]:
        """Score the universe by the model's own part of that name, the same for every history.

        Args:
            now: aware.

        Returns:
            Shape (n_items,); minus infinity where the bundle does not hold an item.
        """
        column = self._ranker.part_names.index("popularity")
        asked = self._ranker.scores((), now=now, candidates=self._candidates, in_visit=False)
        return self._in_universe(asked.parts[:, column])

    def _in_universe(self, found: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        if not self.n_missing:
            return found.astype(np.float64)
        scores = np.full(self._n_items, -np.inf)
        scores[self._rows] = found
        return scores


def open_shipped(
    model: Path, universe: Universe, *, now: datetime, zone: ZoneInfo | None = None
) -> Shipped:
    """Open a model folder as a device does, to score a universe.

    Args:
        model: folder written by ``shelfrank train``.
        universe: the items that compete.
        now: when the bundle is issued and verified; the cutoff, so that nothing depends on today.
        zone: where the devices are, if their time of day is to count.

    Raises:
        BundleError: a device would not accept the model.
        PublishError: the folder cannot be made into a bundle.
        PolicyError: its policy cannot be read.
    """
    bundle = _verified(model, now)
    ranker, policy = _opened(bundle)
    rules = keep_all() if policy is None else rules_of(policy, ranker.catalog)
    return Shipped(ranker, universe, rules, measured_files(bundle), zone=zone)


def open_model(model: Path, *, now: datetime) -> tuple[Ranker, Policy | None]:
    """Sign a model folder in memory and open it by the normal verification.

    Returns:
        The device's ranker, and the policy that goes along, if one does.

    Raises:
        BundleError: a device would not accept the model.
        PublishError: the folder cannot be made into a bundle.
        PolicyError: its policy cannot be read.
    """
    return _opened(_verified(model, now))


def _verified(model: Path, now: datetime) -> VerifiedBundle:
    data, trust = throwaway(model, now)
    return verify_bundle(data, trust=trust, now=now)


def _opened(bundle: VerifiedBundle) -> tuple[Ranker, Policy | None]:
    return Ranker(bundle), None if bundle.policy is None else Policy.parse(bundle.policy)


def measured_files(bundle: VerifiedBundle) -> dict[str, str]:
    """Return the SHA-256 of the files that decide a ranking, by name, as they were verified.

    The policy is among them: it says which histories a device has to rank with.
    """
    return {
        entry.path: entry.sha256
        for entry in bundle.manifest.files
        if entry.path in {archive.MODEL, archive.CATALOG, archive.POLICY}
    }


def rules_of(policy: Policy, catalog: Catalog) -> DeviceRules:
    """Return what a device with this policy and catalog does to a history.

    Args:
        policy: declares the purpose under which histories are used to rank.
        catalog: an item that is not in it, or has no category to judge, is not stored.

    Raises:
        UnknownPurposeError: the policy does not allow ranking at all.
    """
    purpose = policy.purpose(RANK_PURPOSE)
    # One answer per item, not per event: a history names the same items again and again.
    stored: dict[ItemId, bool] = {}

    def records(kind: Kind, item_id: ItemId) -> bool:
        if item_id not in stored:
            idx = catalog.index_of(item_id)
            stored[item_id] = idx is not None and not policy.sensitive.covers(catalog.category(idx))
        return stored[item_id] and kind in purpose.kinds

    return DeviceRules(
        records=records,
        coarsen=purpose.coarsen,
        counts=purpose.has_field("quantity"),
        keeps=lambda time, moment: purpose.keeps(time, now=moment),
        stated=(
            f"as policy {policy.id} version {policy.version} has it: "
            f"{', '.join(purpose.kinds)}; kept {purpose.retention_days} days; "
            f"times to the {purpose.granularity}; sensitive categories never stored"
        ),
    )
