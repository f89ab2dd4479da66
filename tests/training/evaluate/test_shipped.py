"""What is measured went through the device's own verification, policy and ranker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shelfrank.bundle.catalog import Catalog
from shelfrank.errors import ModelMismatchError, UnknownPurposeError
from shelfrank.types import ItemId
from shelfrank_training.errors import PublishError
from shelfrank_training.evaluate.folder import read_provenance, read_universe
from shelfrank_training.evaluate.histories import SourceEvent, keep_all, record
from shelfrank_training.evaluate.shipped import open_shipped, rules_of
from shelfrank_training.export.folder import model_files
from shelfrank_training.publish.catalog import write_catalog
from support import corner_shop
from support.measuring import CUTOFF, write_measurable_folder
from support.shopper import policy, policy_data, purpose_data, to_toml
from support.tiny_model import ROWS

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = Catalog.parse(write_catalog(ROWS))


def test_the_universe_is_scored_by_the_ranker_and_what_the_bundle_lacks_is_not(
    tmp_path: Path,
) -> None:
    folder = write_measurable_folder(tmp_path / "model")
    universe = read_universe(folder)

    shipped = open_shipped(folder, universe, now=CUTOFF)

    assert universe.item_ids == ("gone", "00042", "7", "sku-17")
    scores = shipped([], now=CUTOFF, in_visit=False)
    assert scores.tolist() == [-np.inf, 3.5, 2.25, 1.125]
    assert shipped.n_missing == 1


def test_popularity_alone_is_the_models_own_part_of_that_name(tmp_path: Path) -> None:
    folder = write_measurable_folder(tmp_path / "model")

    shipped = open_shipped(folder, read_universe(folder), now=CUTOFF)

    assert shipped.popularity(now=CUTOFF).tolist() == [-np.inf, 3.0, 2.0, 1.0]


def test_a_model_that_a_device_would_refuse_is_not_measured(tmp_path: Path) -> None:
    folder = write_measurable_folder(tmp_path / "model")
    golden = folder / "golden.json"
    golden.write_text(golden.read_text().replace("0.25", "0.35"))

    with pytest.raises(ModelMismatchError):
        open_shipped(folder, read_universe(folder), now=CUTOFF)

    (folder / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(PublishError, match="another model"):
        open_shipped(folder, read_universe(folder), now=CUTOFF)


def test_the_policy_in_the_folder_rules_the_histories(tmp_path: Path) -> None:
    folder = write_measurable_folder(tmp_path / "model", policy=to_toml(policy_data()))
    universe = read_universe(folder)

    ruled = open_shipped(folder, universe, now=CUTOFF).rules

    assert "policy corner-shop version 3" in ruled.stated
    assert "kept 180 days" in ruled.stated


def test_without_a_policy_histories_are_kept_whole_and_it_is_said(tmp_path: Path) -> None:
    folder = write_measurable_folder(tmp_path / "model")

    rules = open_shipped(folder, read_universe(folder), now=CUTOFF).rules

    assert rules.stated == keep_all().stated
    assert "no policy" in rules.stated


def test_a_device_stores_no_sensitive_no_unknown_and_no_unasked_event() -> None:
    data = policy_data()
    data["sensitive"] = {"mode": "exclude", "categories": ["Dairy"]}
    rules = rules_of(policy(data), CATALOG)
    noon = datetime(2017, 11, 3, 12, 40, tzinfo=UTC)

    events = record(
        [
            SourceEvent(time=noon, item_id=ItemId("00042"), kind="purchase"),
            SourceEvent(time=noon, item_id=ItemId("7"), kind="purchase"),
            SourceEvent(time=noon, item_id=ItemId("elsewhere"), kind="purchase"),
            SourceEvent(time=noon, item_id=ItemId("00042"), kind="cart"),
        ],
        rules,
    ).events

    assert [(event.item_id, event.kind) for event in events] == [("00042", "purchase")]
    assert events[0].time == noon.replace(minute=0)


def test_a_device_forgets_what_is_older_than_the_retention() -> None:
    rules = rules_of(policy(), CATALOG)

    assert rules.keeps(CUTOFF - timedelta(days=179), CUTOFF)
    assert not rules.keeps(CUTOFF - timedelta(days=180), CUTOFF)


def test_a_policy_that_does_not_allow_ranking_cannot_be_measured() -> None:
    data = policy_data()
    data["purpose"] = [purpose_data(id="sort_offers", area="marketing", surfaces=["offers"])]

    with pytest.raises(UnknownPurposeError):
        rules_of(policy(data), CATALOG)


def test_a_model_is_asked_at_the_time_of_day_in_the_shops_zone(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    found = corner_shop.with_dayparts(corner_shop.aggregates())
    files = model_files(
        corner_shop.blend_by_daypart(),
        corner_shop.exported_by_daypart(),
        found,
        corner_shop.ROWS,
        policy=None,
    )
    for name, data in files.items():
        (folder / name).write_bytes(data)
    zone = read_provenance(folder).zone
    assert zone == ZoneInfo("Europe/Amsterdam")
    universe, noon = read_universe(folder), datetime(2026, 7, 1, 11, tzinfo=UTC)
    bread = universe.index[ItemId(corner_shop.BREAD)]

    told, untold = (open_shipped(folder, universe, now=noon, zone=where) for where in (zone, None))

    def scores(hour: int) -> list[float]:
        return [
            float(model([], now=noon.replace(hour=hour), in_visit=False)[bread])
            for model in (told, untold)
        ]

    # Nine in the morning is eleven in Amsterdam; ten is noon.
    assert scores(9)[0] > scores(10)[0]
    assert scores(9)[1] == scores(10)[1]
    assert (told.popularity(now=noon) == untold.popularity(now=noon)).all()
