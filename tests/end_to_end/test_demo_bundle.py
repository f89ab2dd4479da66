"""The demo bundle that ships with the SDK is what the pipeline makes, and a device takes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from shelfrank import Event, Ranker, testing
from shelfrank.bundle.verify import verify_bundle
from shelfrank.consent.policy import Policy
from shelfrank.types import ItemId
from support.make_demo_bundle import EXPIRES, ISSUED, MIN_SHOPPERS, make

if TYPE_CHECKING:
    from pathlib import Path

    from shelfrank.bundle.verify import VerifiedBundle

# It is part of every installation; the model of 61 items needs about 25 kB of it.
MAX_BYTES = 60_000


def shipped(now: datetime = testing.DEMO_NOW) -> VerifiedBundle:
    return verify_bundle(testing.demo_bundle(), trust=testing.demo_root(), now=now)


def event(item_id: str, *, days_ago: int, visit: int, order: int) -> Event:
    time = testing.DEMO_NOW - timedelta(days=days_ago)
    return Event(kind="view", item_id=ItemId(item_id), time=time, visit=visit, order=order)


HISTORIES = {
    "nobody": (),
    "one look": (event("espresso-machine", days_ago=0, visit=0, order=0),),
    "two visits": (
        event("flour", days_ago=30, visit=0, order=0),
        event("yeast", days_ago=30, visit=0, order=1),
        event("flour", days_ago=3, visit=1, order=0),
        event("teapot", days_ago=0, visit=2, order=0),
    ),
}


def test_the_shipped_bundle_is_verified_and_small() -> None:
    bundle = shipped()

    assert (bundle.manifest.name, bundle.manifest.issued_at) == ("demo", ISSUED)
    assert bundle.manifest.expires == EXPIRES
    assert bundle.label.min_shoppers == MIN_SHOPPERS
    assert not bundle.label.unprotected
    assert len(testing.demo_bundle()) <= MAX_BYTES


def test_the_shipped_bundle_will_be_verified_for_many_years() -> None:
    assert not shipped(datetime(2125, 12, 31, tzinfo=UTC)).stale


def test_the_shipped_bundle_has_no_item_of_the_category_its_policy_excludes() -> None:
    catalog = shipped().catalog
    policy = Policy.parse(testing.demo_policy())

    assert policy.sensitive.covers("spirits/liqueur")
    assert not [category for category in catalog.categories if policy.sensitive.covers(category)]
    assert catalog.index_of(ItemId("coffee-liqueur")) is None
    assert catalog.index_of(ItemId("espresso-machine")) is not None


@pytest.fixture(scope="module")
def made_anew(tmp_path_factory: pytest.TempPathFactory) -> VerifiedBundle:
    folder: Path = tmp_path_factory.mktemp("demo")
    demo = make(folder)
    assert demo.root == testing.demo_root()
    return verify_bundle(demo.bundle, trust=testing.demo_root(), now=testing.DEMO_NOW)


@pytest.mark.parametrize("history", HISTORIES)
def test_the_pipeline_makes_the_shipped_ranking_again(
    history: str, made_anew: VerifiedBundle
) -> None:
    rankers = [Ranker(shipped()), Ranker(made_anew)]

    before, after = (
        ranker.rank(HISTORIES[history], now=testing.DEMO_NOW, k=100) for ranker in rankers
    )

    again = "run: PYTHONPATH=tests python -m support.make_demo_bundle"
    assert [item.item_id for item in before] == [item.item_id for item in after], again
    np.testing.assert_allclose(
        [item.score for item in before], [item.score for item in after], rtol=0, atol=1e-4
    )
